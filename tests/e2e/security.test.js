// SPDX-License-Identifier: ISC
// What SECURITY.md names as proof of a promise is there.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');

const TOP = path.join(__dirname, '..', '..');
const ROW = /^\| ([^|]+) \| `([^`]+\.test\.js)` \| `([^`]+)` \|$/gm;

test('each promise of SECURITY.md has the tests that it names', () => {
	const text = fs.readFileSync(path.join(TOP, 'SECURITY.md'), 'utf8');
	const rows = [...text.matchAll(ROW)];
	const table = text.slice(text.indexOf('| Promise |')).split('\n\n')[0];

	assert.strictEqual(rows.length, table.trim().split('\n').length - 2, 'every row is read');
	for (const [, promise, file, name] of rows) {
		const source = fs.readFileSync(path.join(__dirname, file), 'utf8');
		const isThere = [...source.matchAll(/\btest\(([^\n]*)/g)].some(([, head]) => head.replaceAll("\\'", "'").includes(name));
		assert.ok(isThere, `${promise}: "${name}" in ${file}`);
	}
});

test('each fuzz target that SECURITY.md counts on has seeds', () => {
	const fuzz = path.join(TOP, 'tests', 'fuzz');
	const targets = fs.readdirSync(fuzz).filter((file) => /^fuzz_\w+\.c$/.test(file)).map((file) => file.slice(5, -2));

	assert.ok(targets.length >= 16);
	for (const target of targets)
		assert.ok(fs.readdirSync(path.join(fuzz, 'seeds', target)).length > 0, target);
});
