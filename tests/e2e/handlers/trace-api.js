// SPDX-License-Identifier: ISC
// The REST handlers of the recorded master itself, with QEWD's two arguments.
'use strict';

module.exports = {
	restModule: true,
	handlers: {
		ping: function (message, finished) {
			finished({ pong: true });
		}
	}
};
