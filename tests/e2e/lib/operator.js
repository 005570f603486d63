// SPDX-License-Identifier: ISC
// What the operator has of a running node: usherctl, the socket it asks, metrics.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { atEnd } = require('./cleanup');
const { masterOf, scripted, workerOf } = require('./configs');
const { ask } = require('./http');
const { run } = require('./processes');
const { parseMetrics } = require('./prometheus');
const { PROGRAM, folder, startUsherd } = require('./usherd');
const { Inbox, waitFor } = require('./wait');

const USHERCTL = path.join(path.dirname(PROGRAM), 'usherctl');
const ADMIN = 'admin: { socket: admin.sock, http: "127.0.0.1:0" }\n';
const NOWHERE = 'ws://127.0.0.1:1';	// nobody listens there

const socketOf = (node) => path.join(node.dir, 'admin.sock');
const ctl = (node, args, options) => run(USHERCTL, ['-s', socketOf(node)].concat(args), options);

// The result of a command, as usherctl --json prints it.
async function result(node, ...args) {
	const { code, stdout, stderr } = await ctl(node, ['--json'].concat(args));

	assert.deepStrictEqual([code, stderr], [0, '']);
	assert.match(stdout, /^\{.*\}\n$/);
	return JSON.parse(stdout);
}

// The lines of a command's table, each split into its cells.
async function table(node, ...args) {
	const { code, stdout, stderr } = await ctl(node, args);

	assert.deepStrictEqual([code, stderr], [0, '']);
	return stdout.slice(0, -1).split('\n').map((line) => {
		assert.doesNotMatch(line, / $/);
		return line.split(/ {2,}/).filter((cell) => cell !== '');
	});
}

// A connection to the admin socket: lines out, answers in.
class Control {
	constructor(node) {
		this.answers = new Inbox();
		this.socket = net.connect(socketOf(node));
		this.socket.on('error', () => {});
		this.ended = new Promise((resolve) => this.socket.on('close', () => {
			this.answers.close('the socket was closed');
			resolve();
		}));
		let rest = '';
		this.socket.setEncoding('utf8').on('data', (text) => {
			const lines = (rest + text).split('\n');
			rest = lines.pop();
			lines.forEach((line) => this.answers.push(JSON.parse(line)));
		});
	}

	async ask(line) {
		this.socket.write((typeof line === 'string' ? line : JSON.stringify(line)) + '\n');
		return this.answers.next('the answer to ' + JSON.stringify(line).slice(0, 100));
	}
}

function control(t, node) {
	const one = new Control(node);

	atEnd(t, () => one.socket.destroy());
	return one;
}

// Where the metrics of a node are.
const httpOf = (node) => node.log.match(/metrics and health at (http:\/\/127\.0\.0\.1:\d+)/)[1];

async function metricsOf(node) {
	const answer = await ask(httpOf(node), 'GET', '/metrics');

	assert.strictEqual(answer.status, 200);
	assert.strictEqual(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
	return parseMetrics(answer.text);
}

// A message whose handler waits until the test says release().
function held(t) {
	const gate = path.join(folder(t), 'gate');

	return {
		script: [{ print: 'at work\n' }, { gate }, { line: '{"op":"finish","id":@ID,"message":{"done":true}}' }],
		release: () => fs.writeFileSync(gate, '')
	};
}

// Waits until each event loop of the node has its links to so many usher nodes.
async function linkedOnAllLoops(node, count = 1) {
	const { loops } = await result(node, 'status');

	await waitFor('the links of all loops', async () =>
		(await result(node, 'links')).links.filter((l) => l.state === 'up').length >= loops * count);
}

// A master in front of a worker node, both with an admin socket.
async function pair(t, pool) {
	const worker = await startUsherd(t, workerOf(scripted, pool) + ADMIN);
	const master = await startUsherd(t, masterOf(worker.url.replace('http', 'ws')) + ADMIN);

	await master.linked();
	return { worker, master };
}

module.exports = { ADMIN, NOWHERE, USHERCTL, control, ctl, held, httpOf, linkedOnAllLoops, metricsOf, pair, result, socketOf, table };
