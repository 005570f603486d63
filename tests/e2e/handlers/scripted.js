// SPDX-License-Identifier: ISC
// A worker process whose requests say what it does with them, step by step, so that a test
// reads as one script.  Every line that comes is kept, byte for byte, in the file RECORD.
// READY holds more members of its ready line, as JSON.
//
// message.params.script is a list of steps: the keys of "step" below, one a step.  "@ID" in a
// text stands for the request's id.  Without a script the request is answered { ok: true, tag, pid }.
'use strict';
const fs = require('node:fs');
const net = require('node:net');

const daemon = new net.Socket({ fd: Number(process.env.USHER_FD), readable: true, writable: true });
const open = new Map();		// id -> request
const callers = new Map();	// number of a call -> request
const leaked = [];
let lastCall = 0;

const put = (op, fields) => daemon.write(JSON.stringify({ op, ...fields }) + '\n');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const step = {
	line: (text) => daemon.write(text + '\n'),
	text: (text) => daemon.write(text),
	print: (text) => fs.writeSync(1, text),
	complain: (text) => fs.writeSync(2, text),
	wait: pause,
	kill: (signal) => process.kill(process.pid, signal),
	exit: (status) => process.exit(status),

	send: (message, { id }) => put('send', { id, message }),
	finish: (message, { id }) => put('finish', { id, message }),
	fail: (error, { id }) => put('fail', { id, error }),
	// To the asking socket, unless it says "to".
	push: (push, { client }) => put('push', { to: { socket: client.socket }, ...push }),
	// { application, type, message }
	call: (call, request) => {
		callers.set(++lastCall, request);
		request.nOpen++;
		put('call', { id: request.id, call: lastCall, ...call });
	},
	// "reply": all calls have their finals; "cancel": the request is cancelled
	until: (event, request) => request.heard[event],
	// Finishes with all that its calls were answered.
	relay: (_, { id, replies }) => put('finish', { id, message: { replies } }),
	// Until that file is there
	gate: async (file) => {
		while (!fs.existsSync(file))
			await pause(5);
	},
	block: (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
	leak: (bytes) => leaked.push(Buffer.alloc(bytes, 1))
};

function defaultScript({ message }) {
	return [{ finish: { ok: true, tag: message.params && message.params.tag, pid: process.pid } }];
}

async function play(request) {
	const script = request.message.params && request.message.params.script || defaultScript(request);

	for (const entry of script) {
		const [[verb, value]] = Object.entries(entry);
		const made = typeof value === 'string' ? value.replaceAll('@ID', request.id) : value;
		await step[verb](made, request);
	}
}

const on = {
	request: (request) => {
		const tell = request.tell = {};
		const event = (name) => new Promise((resolve) => { tell[name] = resolve; });
		request.heard = { reply: event('reply'), cancel: event('cancel') };
		request.replies = [];
		request.nOpen = 0;
		open.set(request.id, request);
		play(request);
	},
	reply: ({ call, finished, message }) => {
		const request = callers.get(call);
		request.replies.push({ finished, message });
		if (finished && --request.nOpen === 0)
			request.tell.reply();
	},
	cancel: ({ id }) => open.get(id).tell.cancel(),
	ping: () => put('pong'),
	stop: () => process.exit(0)
};

function onLine(line) {
	if (process.env.RECORD)
		fs.appendFileSync(process.env.RECORD, line + '\n');
	const received = JSON.parse(line);
	if (on[received.op])
		on[received.op](received);
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
	put('ready', JSON.parse(process.env.READY || '{}'));
