// SPDX-License-Identifier: ISC
// What goes to those who install no daemon: npm packages of the client and of the Node kit, and
// the Dockerfile.
'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { folder } = require('./lib/usherd');

const TOP = path.join(__dirname, '..', '..');
const CONTRIB = path.join(TOP, 'contrib');

const npm = (args, options) => execFileSync('npm', args.concat('--silent', '--offline', '--no-audit', '--no-fund'),
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });

// Packs a folder; gives the names of the files in it, and where it is installed.
function packed(t, source) {
	const dir = folder(t, { 'package.json': '{ "name": "user", "private": true }' });
	const [{ filename, files }] = JSON.parse(npm(['pack', '--json', '--pack-destination', dir, path.join(CONTRIB, source)], { cwd: dir }));

	npm(['install', '--legacy-peer-deps', path.join(dir, filename.replace('@', '').replace('/', '-'))], { cwd: dir });
	return { dir, names: files.map((file) => file.path).sort() };
}

test('the client as an npm package', (t) => {
	const { dir, names } = packed(t, 'client');

	assert.deepStrictEqual(names, ['README.md', 'index.cjs', 'index.d.mts', 'index.d.ts', 'index.mjs', 'package.json', 'src/index.js']);
	fs.symlinkSync(path.join(__dirname, 'node_modules', 'socket.io-client-4'), path.join(dir, 'node_modules', 'socket.io-client'));
	const kinds = execFileSync(process.execPath, ['-e', 'import("@usher/client").then((m) => console.log(typeof m.connect, typeof require("@usher/client").connect))'],
	    { cwd: dir, encoding: 'utf8' });

	assert.strictEqual(kinds, 'function function\n');
});

test('the Node kit as an npm package runs a handler', (t) => {
	const { dir, names } = packed(t, path.join('handlers', 'node'));

	assert.deepStrictEqual(names, ['MORE.md', 'README.md', 'examples/bare.js', 'examples/cancel.js', 'examples/login.js',
		'package.json', 'usher-qewd-worker.js', 'usher-worker.js']);
	fs.writeFileSync(path.join(dir, 'hello.js'), 'exports.handlers = { hello: (m, session, send, finished) => finished({ hello: m.params }) };\n');
	const line = { op: 'request', id: 1, application: 'a', type: 'hello', message: { params: 'you' }, session: {} };
	const answer = execFileSync(process.execPath, ['node_modules/@usher/worker/usher-worker.js', './hello.js'],
	    { cwd: dir, encoding: 'utf8', input: JSON.stringify(line) + '\n' });

	assert.deepStrictEqual(JSON.parse(answer), { op: 'finish', id: 1, message: { hello: 'you' } });
});

test('npm packages have the version of the daemon', () => {
	const [, version] = fs.readFileSync(path.join(TOP, 'configure.ac'), 'utf8').match(/AC_INIT\(\[usher\], \[([\d.]+)\]\)/);

	for (const dir of ['client', 'handlers/node'])
		assert.strictEqual(JSON.parse(fs.readFileSync(path.join(CONTRIB, dir, 'package.json'))).version, version, dir);
	assert.match(fs.readFileSync(path.join(TOP, 'debian', 'changelog'), 'utf8'), new RegExp('^usher \\(' + version.replaceAll('.', '\\.') + '\\)'));
});

test('the Dockerfile has no fault that a linter knows', () => {
	const file = path.join(TOP, 'Dockerfile');
	const report = JSON.parse(execFileSync(process.execPath, [path.join(__dirname, 'node_modules', 'dockerfilelint', 'bin', 'dockerfilelint'),
		'--output', 'json', file], { encoding: 'utf8' }));

	assert.deepStrictEqual(report.files.map(({ issues }) => issues), [[]]);
	assert.strictEqual(report.totalIssues, 0);
});

test('the Dockerfile copies what is there, and starts what is installed', () => {
	const lines = fs.readFileSync(path.join(TOP, 'Dockerfile'), 'utf8');
	const users = [...lines.matchAll(/^USER (\S+)$/mg)].map((m) => m[1]);

	assert.deepStrictEqual(users, ['usher'], 'not root');
	for (const [, source] of lines.matchAll(/^COPY (?!--from)(\S+) \S+$/mg))
		assert.ok(fs.existsSync(path.join(TOP, source)), source);
	assert.match(lines, /^HEALTHCHECK .*\["usherctl", "status"\]$/m);
});
