// SPDX-License-Identifier: ISC
// The service "shared-svc" of the recordings.
'use strict';

module.exports = {
	handlers: {
		hello: function (message, session, send, finished) {
			finished({ hello: 'from service' });
		}
	}
};
