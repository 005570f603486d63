// SPDX-License-Identifier: ISC
// A worker process whose requests say what it does with them, step by step, so that a test
// reads as one script.  Every line that comes is kept, byte for byte, in the file RECORD.
//
// message.params.script: [ { line: TEXT } | { text: TEXT } | { print: TEXT } | { complain: TEXT } |
//     { wait: MS } | { kill: SIGNAL } | { exit: STATUS } ]; "@ID" stands for the request's id.
// Without a script the request is answered { ok: true, tag, pid }.
'use strict';
const fs = require('node:fs');
const net = require('node:net');

const daemon = new net.Socket({ fd: Number(process.env.USHER_FD), readable: true, writable: true });
const step = {
	line: (text) => daemon.write(text + '\n'),
	text: (text) => daemon.write(text),
	print: (text) => fs.writeSync(1, text),
	complain: (text) => fs.writeSync(2, text),
	wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
	kill: (signal) => process.kill(process.pid, signal),
	exit: (status) => process.exit(status)
};

function defaultScript({ id, message }) {
	const body = { ok: true, tag: message.params && message.params.tag, pid: process.pid };

	return [{ line: JSON.stringify({ op: 'finish', id, message: body }) }];
}

async function play(request) {
	const script = request.message.params && request.message.params.script || defaultScript(request);

	for (const entry of script) {
		const [[verb, value]] = Object.entries(entry);
		await step[verb](typeof value === 'string' ? value.replaceAll('@ID', request.id) : value);
	}
}

function onLine(line) {
	if (process.env.RECORD)
		fs.appendFileSync(process.env.RECORD, line + '\n');
	const received = JSON.parse(line);
	if (received.op === 'request')
		play(received);
	else if (received.op === 'stop')
		process.exit(0);
}

let rest = Buffer.alloc(0);
daemon.on('data', (data) => {
	rest = Buffer.concat([rest, data]);
	for (let end; (end = rest.indexOf(0x0a)) >= 0; rest = rest.subarray(end + 1))
		onLine(rest.toString('utf8', 0, end));
});
daemon.on('end', () => process.exit(0));
if (process.env.DEAF)
	process.on('SIGTERM', () => {});
if (!process.env.NEVER_READY)
	step.line(JSON.stringify({ op: 'ready' }));
