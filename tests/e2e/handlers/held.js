// SPDX-License-Identifier: ISC
// Answers REST requests with what came in.  {"hold":true} in a body waits for a request with
// {"release":true}; "held" is logged for each that waits.
'use strict';
const net = require('node:net');

const socket = new net.Socket({ fd: 3 });
const held = [];
let rest = '';

const say = (line) => socket.write(JSON.stringify(line) + '\n');

function answer(line) {
	const { method, body } = line.message;

	say({ op: 'finish', id: line.id, message: { method, body } });
}

function on(line) {
	if (line.op === 'hello')
		return say({ op: 'ready', concurrency: 16 });
	if (line.op === 'stop')
		process.exit();
	if (line.op !== 'request')
		return;
	const { body } = line.message;
	if (body && body.hold) {
		held.push(line);
		console.log('held');
		return;
	}
	if (body && body.release)
		held.splice(0).forEach(answer);
	answer(line);
}

socket.on('data', (data) => {
	const lines = (rest + data).split('\n');

	rest = lines.pop();
	lines.forEach((line) => on(JSON.parse(line)));
});
socket.on('end', () => process.exit());
