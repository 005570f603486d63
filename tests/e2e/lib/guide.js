// SPDX-License-Identifier: ISC
// The steps of a guide in doc/: what it tells to write and to run, in order.
//
// Fenced blocks of "sh" are commands.  What a comment of HTML in front of a block says:
//
//	<!-- file: NAME -->		the block is this file
//	<!-- shows: TEXT -->		what the commands print has this text
//	<!-- background: TEXT -->	they go on; the next step comes when they have printed this
//	<!-- elsewhere: PROGRAM -->	this test runs them
//	<!-- systemd: TEXT -->		they need it, and package_test runs them; what is printed has this text
//
// node guide.js GUIDE prints the whole guide as a script for bash that says how long steps take,
// node guide.js GUIDE systemd those steps alone that need it.
'use strict';
const fs = require('node:fs');

const BLOCK = /(?:<!-- (file|shows|background|elsewhere|systemd): (.*?) -->\n)?```(\w+)\n([^]*?)```\n/g;
const HEADING = /^## (.*)$/gm;

// [{ kind, value, text, section }]; kind: "run" and those above
function readGuide(file) {
	const guide = fs.readFileSync(file, 'utf8');
	const headings = [...guide.matchAll(HEADING)];

	return [...guide.matchAll(BLOCK)].filter(([, kind, , language]) => kind || language === 'sh').map((found) => ({
		kind: found[1] || 'run', value: found[2], text: found[4],
		section: (headings.filter((h) => h.index < found.index).pop() || ['', ''])[1]
	}));
}

const quote = (text) => "'" + text.replace(/'/g, "'\\''") + "'";

function toScript(steps) {
	const lines = ['#!/bin/bash', 'set -e -o pipefail', 'trap \'kill $(jobs -p) 2>/dev/null || true\' EXIT', 'home=$PWD', 'begun=0'];
	let section;

	for (const { kind, value, text, section: of } of steps) {
		if (of !== section)
			lines.push(`[ $SECONDS = 0 ] || echo "== $((SECONDS - begun)) s"; begun=$SECONDS; echo ${quote('== ' + of)}`);
		section = of;
		lines.push('cd "$home"');
		if (kind === 'file')
			lines.push(`mkdir -p "$(dirname ${quote(value)})"`, `printf %s ${quote(text)} >${quote(value)}`);
		else if (kind === 'background')
			lines.push(`log=$home/guide.${lines.length}.log; ( ${text.trimEnd()} ) >"$log" 2>&1 &`,
			    `until grep -q ${quote(value)} "$log" 2>/dev/null; do kill -0 $!; sleep 0.1; done`);
		else if (kind === 'shows' || kind === 'systemd')
			lines.push(`{ ${text.trimEnd()}\n} | tee guide.out`, `grep -q -F ${quote(value)} guide.out`);
		else
			lines.push(text.trimEnd());
	}
	lines.push('echo "== $((SECONDS - begun)) s"', 'echo "== $SECONDS s in all"');
	return lines.join('\n') + '\n';
}

if (require.main === module)
	process.stdout.write(toScript(readGuide(process.argv[2]).filter(({ kind }) => (process.argv[3] || kind) === kind &&
	    (kind !== 'systemd' || process.argv[3]))));

module.exports = { readGuide };
