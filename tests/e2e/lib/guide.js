// SPDX-License-Identifier: ISC
// The steps of a guide in doc/: what it tells to write and to run, in order.
//
// Fenced blocks of "sh" are commands.  What a comment of HTML in front of a block says:
//
//	<!-- file: NAME -->		the block is this file
//	<!-- shows: TEXT -->		what the commands print has this text
//	<!-- background: TEXT -->	the last one goes on; the next step comes when it has printed this
//	<!-- elsewhere: PROGRAM -->	this runs them, as a part of .ci/run
//	<!-- hand: PROGRAM -->		this runs them; it takes too long, or needs too much, for .ci/run
//	<!-- systemd: TEXT -->		they need it, and package_test runs them; what is printed has this text
//	<!-- part: NAME -->		a part of a configuration
//	<!-- script: NAME -->		JavaScript of a page; pieces of one name are one script
//
// docs-pieces.test.js says what becomes of the last two.  Building and installing, the first steps of
// README.md and newcomer.md, are done by hand as they stand (newcomer_test); .ci/run has them in
// contrib/test (autogen.sh, configure, make, check) and in make distcheck (make install).
//
// All steps are done in one shell, as a reader does them in one terminal: each begins in the folder
// where the last one ended.
//
// node guide.js GUIDE prints the whole guide as a script for bash that says how long steps take,
// node guide.js GUIDE systemd those steps alone that need it.
'use strict';
const fs = require('node:fs');

const BLOCK = /(?:<!-- (file|shows|background|elsewhere|hand|systemd|part|script): (.*?) -->\n)?```(\w+)\n([^]*?)```\n/g;
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

// What the shell does for a step; what it prints is also in a file that begins with "log".
function commandsOf({ kind, value, text }, log) {
	const found = `grep -q -F -e ${quote(value || '')} "${log}"`;

	switch (kind) {
	case 'file':
		return [`mkdir -p "$(dirname ${quote(value)})"`, `printf %s ${quote(text)} >${quote(value)}`];
	case 'background':
		return [`{\n${text}} >"${log}" 2>&1`, `until ${found}; do kill -0 $!; sleep 0.1; done`];
	case 'shows':
	case 'systemd':
		return [`{\n${text}} >"${log}" 2>&1`, `cat "${log}"`, found];
	default:
		return [text.trimEnd()];
	}
}

function toScript(steps) {
	const lines = ['#!/bin/bash', 'set -e -o pipefail', 'home=$PWD', 'begun=0',
		`trap '[ $? = 0 ] || tail -n 40 "$home"/guide.*.log || true; kill $(jobs -p) 2>/dev/null || true' EXIT`];
	let section;

	for (const [i, step] of steps.entries()) {
		if (step.section !== section)
			lines.push(`[ $SECONDS = 0 ] || echo "== $((SECONDS - begun)) s"; begun=$SECONDS; echo ${quote('== ' + step.section)}`);
		section = step.section;
		lines.push(`echo ${quote('-- ' + (step.kind === 'file' ? step.value : step.text.trimEnd()))}`,
		    ...commandsOf(step, `$home/guide.${i}.log`));
	}
	lines.push('echo "== $((SECONDS - begun)) s"', 'echo "== $SECONDS s in all"');
	return lines.join('\n') + '\n';
}

// The whole guide; with "systemd" those steps alone.
function scriptOf(file, only) {
	const others = ['systemd', 'part', 'script'];

	return toScript(readGuide(file).filter(({ kind }) => only ? kind === only : !others.includes(kind)));
}

if (require.main === module)
	process.stdout.write(scriptOf(process.argv[2], process.argv[3]));

module.exports = { readGuide, toScript };
