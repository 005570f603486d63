// SPDX-License-Identifier: ISC
// The handlers of the benchmark, as a QEWD module: what usher-null does, in the Node kit and in stock QEWD.
'use strict';

const echo = (message, session, send, finished) => finished({ echo: message.params });

module.exports = { handlers: Object.fromEntries(Array.from({ length: 512 }, (_, i) => [`bench-${i}`, echo])) };
