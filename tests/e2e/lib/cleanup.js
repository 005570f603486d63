// SPDX-License-Identifier: ISC
// What a test started is stopped at its end, last first, all of it even if one stop fails.
'use strict';

const stacks = new WeakMap();

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
