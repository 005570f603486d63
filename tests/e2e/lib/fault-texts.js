// SPDX-License-Identifier: ISC
// What a source of C says is wrong: its texts of more than a word, as patterns that find them in what
// a program has printed.
'use strict';
const fs = require('node:fs');

const PIECES = /\/\*[^]*?\*\/|'(?:[^'\\]|\\.)*'|"((?:[^"\\\n]|\\.)*)"|^#.*$/gm;
const CONVERSION = /%(?:%|[.\d*]*[a-z]+)/g;

const unescape = (text) => text.replace(/\\(.)/g, (all, c) => c === 'n' ? '\n' : c);

// [{ text, line, before }]: strings that stand beside each other are one.
function stringsOf(source) {
	const found = [];

	for (const { 0: piece, 1: text, index } of source.matchAll(PIECES)) {
		if (text === undefined)
			continue;
		const last = found.at(-1);
		if (last && /^\s*$/.test(source.slice(last.end, index)))
			Object.assign(last, { text: last.text + unescape(text), end: index + piece.length });
		else
			found.push({ text: unescape(text), end: index + piece.length, line: source.slice(0, index).split('\n').length,
				before: source.slice(Math.max(0, index - 300), index).match(/[^;{}]*$/)[0] });
	}
	return found;
}

const patternOf = (text) => new RegExp(text.split(CONVERSION).map((part) =>
	part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('[^]{0,400}?'));

// Those of a file that are about what somebody did: no log lines, nothing that ends the program.
function faultTexts(file) {
	return stringsOf(fs.readFileSync(file, 'utf8'))
	    .filter(({ text, before }) => /[a-z,:;%"] +[a-z"%({]/.test(text) && !/\b(log_\w+|fatalx?)\([^)]*$/.test(before))
	    .map(({ text, line, before }) => ({ text, line, before, pattern: patternOf(text.trim()) }));
}

module.exports = { faultTexts };
