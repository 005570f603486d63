// SPDX-License-Identifier: ISC
// A TCP proxy in front of a node, whose connections can be cut.
'use strict';
const net = require('node:net');
const { atEnd } = require('./cleanup');

async function cutter(t, port) {
	const pairs = new Set();
	const server = net.createServer((near) => {
		const far = net.connect(port, '127.0.0.1');
		const drop = () => {
			pairs.delete(drop);
			near.destroy();
			far.destroy();
		};

		pairs.add(drop);
		for (const socket of [near, far]) {
			socket.on('error', drop);
			socket.on('close', drop);
		}
		near.pipe(far);
		far.pipe(near);
	});
	const cut = () => {
		const count = pairs.size;
		[...pairs].forEach((drop) => drop());
		return count;
	};

	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	atEnd(t, () => {
		cut();
		return new Promise((resolve) => server.close(resolve));
	});
	return { url: 'ws://127.0.0.1:' + server.address().port, cut, connections: () => pairs.size };
}

module.exports = { cutter };
