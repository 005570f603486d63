// SPDX-License-Identifier: ISC
// Requests for the scripted worker, and what it was told.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { folder } = require('./usherd');
const { waitFor } = require('./wait');

// A message whose handler takes these steps.
const job = (...script) => ({ type: 'job', params: { script } });

// The lines that the daemon wrote to the workers of an application, as objects.
class Record {
	constructor(t) {
		this.file = path.join(folder(t), 'record');
	}

	lines(op) {
		if (!fs.existsSync(this.file))
			return [];
		return fs.readFileSync(this.file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line))
		    .filter((line) => line.op === op);
	}

	// Waits until there are so many of an operation; gives them.
	told(op, count = 1) {
		return waitFor(() => count + ' lines "' + op + '"', () => {
			const lines = this.lines(op);
			return lines.length >= count && lines;
		});
	}
}

// What scripts wait for in a step "gate".
class Gate {
	constructor(t) {
		this.file = path.join(folder(t), 'gate');
	}

	open() {
		fs.writeFileSync(this.file, '');
	}
}

module.exports = { job, Record, Gate };
