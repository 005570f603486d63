// SPDX-License-Identifier: ISC
// Child processes of a test: started, their output kept, stopped by pid.
'use strict';
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { waitFor, within } = require('./wait');

// Should the test itself die, nobody stays behind.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

class Child {
	constructor(command, args, options) {
		this.log = '';
		this.stdout = '';
		this.process = spawn(command, args, Object.assign({ stdio: ['ignore', 'pipe', 'pipe'] }, options));
		this.pid = this.process.pid;
		running.add(this);
		this.process.stdout.setEncoding('utf8').on('data', (s) => { this.stdout += s; });
		this.process.stderr.setEncoding('utf8').on('data', (s) => { this.log += s; });
		// "close" comes when the output was read to its end as well.
		this.ended = new Promise((resolve, reject) => {
			this.process.on('error', (e) => {
				this.log += e.message;
				reject(e);
			});
			this.process.on('close', (code, signal) => {
				running.delete(this);
				this.code = code;
				this.signal = signal;
				resolve({ code, signal });
			});
		});
		this.ended.catch(() => {});	// told to those who await it
	}

	get hasEnded() {
		return this.code !== undefined;
	}

	kill(signal) {
		if (this.process.exitCode === null && this.process.signalCode === null)
			this.process.kill(signal);
	}

	// The first line of the log that fits, from offset on.
	async logged(pattern, offset = 0) {
		return waitFor(() => pattern + ' in the log:\n' + this.log, () => {
			const found = this.log.slice(offset).match(pattern);
			if (!found && this.hasEnded)
				throw new Error('ended before it logged ' + pattern + ':\n' + this.log);
			return found;
		});
	}

	end(ms) {
		return within(() => 'the end of process ' + this.pid + ':\n' + this.log, this.ended, ms);
	}
}

// Runs a program to its end.
async function run(command, args, options) {
	const child = new Child(command, args, options);
	const { code, signal } = await child.end();

	return { code, signal, stdout: child.stdout, stderr: child.log };
}

// The pids of a process's children.
function childrenOf(pid) {
	const parent = (entry) => {
		try {
			// "4711 (name, which may hold anything) S PARENT ..."
			return Number(fs.readFileSync('/proc/' + entry + '/stat', 'utf8').split(') ').pop().split(' ')[1]);
		} catch {
			return 0;	// it has ended meanwhile
		}
	};

	return fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && parent(entry) === pid).map(Number);
}

module.exports = { Child, run, childrenOf };
