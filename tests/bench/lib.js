// SPDX-License-Identifier: ISC
// What the measurements share: processes, ports, configurations and runs of usher-bench.
'use strict';
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const BUILD = path.resolve(process.env.BUILD || '.');
const E2E = path.join(__dirname, '..', 'e2e');
const HANDLERS = path.join(__dirname, 'handlers');
const KITS = path.join(__dirname, '..', '..', 'contrib', 'handlers');
const PEERS = path.join(__dirname, 'peers');
const SECRET = 'the-secret-of-the-benchmark-0123456789';
const PATIENCE_MS = 20000;

const bench = (name) => path.join(BUILD, 'tests', 'bench', name);
const usherd = path.join(BUILD, 'src', 'usherd');

// The memory of usherd is looked at; else its user may not.
process.env.USHER_DUMPABLE = '1';

const running = new Set();

class Process {
	constructor(command, dir) {
		const env = Object.assign({}, process.env, { NODE_PATH: path.join(E2E, 'node_modules') });

		this.log = '';
		this.name = path.basename(command[0]);
		// A group of its own, since nginx and the stock master have workers.
		this.child = spawn(command[0], command.slice(1).map(String), { cwd: dir, env, detached: true });
		this.child.on('error', (error) => { this.log += error; this.hasEnded = true; });
		this.ended = new Promise((resolve) => this.child.on('close', () => {
			this.hasEnded = true;
			running.delete(this);
			resolve();
		}));
		for (const stream of [this.child.stdout, this.child.stderr])
			stream.on('data', (data) => { this.log += this.log.length < 1e6 ? data : ''; });
		running.add(this);
	}

	async until(what, isSo) {
		const end = Date.now() + PATIENCE_MS;

		while (!await isSo()) {
			if (this.hasEnded || Date.now() > end)
				throw new Error(`${this.name}: not ${what}:\n${this.log.slice(-2000)}`);
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}

	async says(pattern) {
		await this.until(`saying ${pattern}`, () => pattern.test(this.log));
		return this.log.match(pattern);
	}

	kill() {
		try {
			process.kill(-this.child.pid, 'SIGKILL');
		} catch (error) {
			if (error.code !== 'ESRCH')
				throw error;
		}
	}

	async stop() {
		this.kill();
		await this.ended;
	}
}

process.on('exit', () => { for (const p of running) p.kill(); });
process.on('SIGINT', () => process.exit(1));
process.on('SIGTERM', () => process.exit(1));

const newFolder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'usher-bench-'));

const freePort = () => new Promise((resolve, reject) => {
	const server = net.createServer();

	server.on('error', reject);
	server.listen(0, '127.0.0.1', () => {
		const { port } = server.address();

		server.close(() => resolve(port));
	});
});

const accepts = (port) => new Promise((resolve) => {
	const socket = net.connect(port, '127.0.0.1');

	socket.on('connect', () => { socket.destroy(); resolve(true); });
	socket.on('error', () => resolve(false));
});

// Every type of every client: one each.
const types = (value) => Array.from({ length: 512 }, (_, i) => [`bench-${i}`, value]);

// A configuration of peers/ with its @NAMES@ filled in, and more, in the folder of a measurement.
function fill(name, dir, words, more = '') {
	const all = Object.assign({ DIR: dir, SECRET, APPLICATION: 'bench', REMOTE: 'bench', OPTIONS: '',
		TYPES: types('{ destination: null-service }').map((t) => t.join(': ')).join(', ') }, words);
	const file = path.join(dir, name);
	const text = fs.readFileSync(path.join(PEERS, name), 'utf8');

	fs.writeFileSync(file, text.replace(/@([A-Z]+)@/g, (_, word) => all[word]) + more);
	return file;
}

// The handler in C, built beside the kit's sources; gives the program.
function echoInC(dir) {
	const program = path.join(dir, 'echo'), kit = path.join(KITS, 'c');

	execFileSync('cc', ['-O2', '-D_GNU_SOURCE', '-I', kit, '-o', program, path.join(HANDLERS, 'echo.c'),
		path.join(kit, 'usher_handler.c'), path.join(kit, 'usher_json.c'), '-lm']);
	return program;
}

// The null service: gives its process and its port.
async function startNull(dir, ...options) {
	const service = new Process([bench('usher-null'), ...options, 0, SECRET], dir);
	const port = Number((await service.says(/listening on \S+:(\d+)/))[1]);

	return { service, port };
}

// A run of usher-bench: gives its line.
async function load(dir, args, other = { log: '' }) {
	const child = new Process([bench('usher-bench'), ...args], dir);

	await child.ended;
	const line = child.log.match(/^\{.*\}$/m);
	if (line === null)
		throw new Error(`usher-bench failed:\n${child.log}\n${other.log.slice(-2000)}`);
	return JSON.parse(line[0]);
}

// All that went wrong with replies: to somebody else, out of order, of other bytes, errors, none.
const wrong = (r) => r.owner + r.order + r.bytes + r.errors + r.ended + r.lost + r.beats_lost;

const median = (list) => {
	const sorted = [...list].sort((a, b) => a - b);
	const middle = sorted.length >> 1;

	return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

module.exports = { BUILD, E2E, HANDLERS, KITS, PEERS, SECRET, bench, usherd, Process, newFolder, freePort, accepts,
	types, fill, echoInC, startNull, load, wrong, median };
