// SPDX-License-Identifier: ISC
// The loads of a round of soak: usher-bench as clients that come, register and go, as crowds that sit there,
// with large messages; and beside them who makes mistakes or breaks off.
'use strict';
const net = require('node:net');
const { load, wrong } = require('./lib');

const MISTAKES_EACH = 50;	// a round

// Says something, waits for an answer or the end, and breaks off.
const say = (port, bytes) => new Promise((resolve) => {
	const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));

	socket.setTimeout(1000, () => socket.destroy());
	socket.once('data', () => socket.destroy());
	socket.on('error', () => {});
	socket.on('close', resolve);
});

const get = (target, more = '') => `GET ${target} HTTP/1.1\r\nHost: soak\r\n${more}\r\n`;
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
	'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
const body = '{"type":"bench-1"}';

// What clients do that know no better: each is refused, or ends in the middle.
const mistakes = [
	get('/nothing-here'),
	get('/socket.io/?EIO=3&transport=polling'),		// a session that nobody comes back to
	get('/socket.io/?EIO=3&transport=websocket', upgrade),	// broken off at once
	get('/socket.io/?EIO=3&transport=websocket', upgrade) + '\x81\x05hello',
	get('/socket.io/?EIO=3&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA'),
	`POST /ajax HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
	'GET / HTTP/1.1\r\nHost: so',
	'\x16\x03\x01\x02\x00'
];

// The same at both listeners: what is said in plain where TLS is spoken ends in its handshake.
const makeMistakes = (ports) => Promise.all(Array.from({ length: MISTAKES_EACH }, () => mistakes).flat()
	.flatMap((bytes) => ports.map((port) => say(port, bytes))));

class Loads {
	// node: { dir, port, tlsPort, front }; seconds and perSecond: of each load; count: { requests, faults }
	constructor(node, seconds, perSecond, count) {
		Object.assign(this, { node, rate: perSecond, count });
		this.base = ['--port', node.port, '--seconds', seconds, '--warmup', 0];
	}

	async run(...args) {
		const { dir, front } = this.node;
		const r = await load(dir, [...this.base, ...args], front);

		this.count.requests += r.requests;
		this.count.faults += wrong(r);
		if (wrong(r) > 0)
			console.log(`${args.join(' ')}: ${JSON.stringify(r)}\n${front.log.slice(-1000)}`);
	}

	async requests() {
		await this.run('--connections', 64, '--rate', this.rate);
		await this.run('--connections', 16, '--rate', this.rate, '--application', 'work', '--any-order');
		await this.run('--connections', 16, '--rate', this.rate, '--application', 'stock', '--any-order');
		await this.run('--connections', 16, '--rate', Math.ceil(this.rate / 20), '--payload', 65536);
		await Promise.all([this.run('--connections', 500, '--rate', this.rate / 2, '--intermediates', 2),
			makeMistakes([this.node.port, this.node.tlsPort])]);
	}

	async connects() {
		await this.run('--connects', '--connections', 4);
	}
}

module.exports = { Loads };
