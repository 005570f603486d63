// SPDX-License-Identifier: ISC
// What a test started is stopped at its end, last first, all of it even if one stop fails.
'use strict';
const { after } = require('node:test');

const stacks = new WeakMap();

// A Node that runs out of work takes its handles apart, and was seen to spin there for ever, waiting for
// one that was gone.  One that exits leaves them.  (Here node:test has its own listener before ours.)
// tests/bench/soak is no test.
if (/\.test\.js$/.test(require.main?.filename))
	after(() => process.on('exit', () => process.exit()));

function atEnd(t, undo) {
	let stack = stacks.get(t);

	if (!stack) {
		stack = [];
		stacks.set(t, stack);
		t.after(() => unwind(stack));
	}
	stack.push(undo);
}

async function unwind(stack) {
	const faults = [];

	while (stack.length > 0) {
		try {
			await stack.pop()();
		} catch (e) {
			faults.push(e);
		}
	}
	if (faults.length > 0)
		throw faults[0];
}

module.exports = { atEnd };
