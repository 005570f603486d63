// SPDX-License-Identifier: ISC
// For require(): the client, with the socket.io-client that is installed beside it.
'use strict';
const { connect, UsherError, webStorage } = require('./src/index.js');

function installedIo() {
	const socketIo = require('socket.io-client');

	return socketIo.io || socketIo;		// 4.x, 2.x
}

// Not asked for before it is needed: whoever brings a socket or an io needs no other.
exports.connect = (target, options = {}) => connect(target,
    options.io || typeof target.emit === 'function' ? options : { ...options, io: installedIo() });
exports.UsherError = UsherError;
exports.webStorage = webStorage;
