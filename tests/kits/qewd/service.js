// SPDX-License-Identifier: ISC
/* A service: handlers that several QEWD applications share. */
'use strict';

module.exports = {
  handlers: {
    hello: function (m, session, send, finished) {
      finished({ hello: session.application });
    }
  }
};
