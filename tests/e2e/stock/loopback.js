// SPDX-License-Identifier: ISC
// QEWD has no setting for its address: whatever listens in this process does so on 127.0.0.1,
// and says on standard error at which port.
'use strict';
const net = require('node:net');
const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (port, ...rest) {
	const done = rest.filter((a) => typeof a === 'function');

	this.once('listening', () => process.stderr.write('listening at ' + this.address().port + '\n'));
	return listen.call(this, Number(port), '127.0.0.1', ...done);
};
