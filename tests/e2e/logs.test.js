// SPDX-License-Identifier: ISC
// The log: as text and as JSON, into a file that is moved away, to the journal, to nobody.
'use strict';
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { ask } = require('./lib/http');
const { Child } = require('./lib/processes');
const { folder, runUsherd, startUsherd, withThreads, JWT, LISTEN, PROGRAM } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const CONF = `node: web\n${LISTEN}\n${JWT}\n`;
const NOISE = 'printf \'quote " tab \\t bell \\a gr\\303\\274n bad \\377\\n\' >&2; cat\n';
const NOISY = 'applications: { app: { command: [sh, noise.sh], pool: { prefork: true, size: 1 } } }\n';
const FILES = { 'noise.sh': NOISE };

// Starts the daemon where its log is not what it is read from.
function start(t, conf) {
	const dir = folder(t, { 'usher.yaml': withThreads(conf) });
	const child = new Child(PROGRAM, ['-c', path.join(dir, 'usher.yaml')]);

	atEnd(t, async () => {
		child.kill('SIGINT');
		await child.end();
	});
	return child;
}

const parse = (text) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));

test('lines of JSON are objects, whatever is in them', async (t) => {
	const node = await startUsherd(t, CONF + NOISY + 'log: { format: json }\n', { files: FILES });

	await node.logged(/bad/);
	for (const line of parse(node.log)) {
		assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
		assert.match(line.level, /^(error|warn|info)$/);
		assert.strictEqual(line.node, 'web');
		assert.ok(line.text.length > 0);
	}
	const [line] = parse(node.log).filter((l) => l.text.startsWith('quote'));

	assert.deepStrictEqual({ ...line, time: 0 }, { time: 0, level: 'warn', node: 'web', who: line.who,
		text: 'quote " tab \t bell \u0007 gr\u00fcn bad \ufffd' });
	assert.match(line.who, /^app#1$/);
});

test('text shows no control character', async (t) => {
	const node = await startUsherd(t, CONF + NOISY, { files: FILES });

	await node.logged(/app#1: quote " tab \? bell \? gr\u00fcn bad \ufffd/);
});

test('SIGUSR1 opens the file of the log anew', async (t) => {
	const dir = folder(t);
	const file = path.join(dir, 'usher.log');
	const read = (name) => { try { return fs.readFileSync(name, 'utf8'); } catch { return ''; } };
	const node = start(t, CONF + `log: { file: ${JSON.stringify(file)} }\n`);

	await waitFor('the first lines', () => /node web is serving/.test(read(file)));
	assert.strictEqual(fs.statSync(file).mode & 0o777, 0o640);
	fs.renameSync(file, file + '.1');
	node.kill('SIGUSR1');
	await waitFor('the new file', () => /SIGUSR1/.test(read(file)));
	assert.doesNotMatch(read(file), /is serving/);
	assert.match(read(file + '.1'), /is serving/);
	assert.doesNotMatch(read(file + '.1'), /SIGUSR1/);

	// Nowhere to open it: the log goes on where it was, and so does the daemon.
	fs.renameSync(file, file + '.2');
	fs.mkdirSync(file);
	node.kill('SIGUSR1');
	await waitFor('the complaint', () => /cannot be opened anew: the log goes on in the old file: Is a directory/.test(read(file + '.2')));
	node.kill('SIGTERM');
	await node.end();
	assert.strictEqual(node.code, 0);
	assert.match(read(file + '.2'), /info {2}stopped\n$/);
	assert.strictEqual(node.log, '', 'nothing to standard error');
});

test('a file of the log that cannot be made ends the start with what to do', async (t) => {
	const result = await runUsherd(t, ['-c', 'u.yaml'], { 'u.yaml': CONF + 'log: { file: none/usher.log }\n' });

	assert.strictEqual(result.code, 73);
	assert.match(result.stderr, /^u.yaml: log.file: cannot write to \S+\/none\/usher.log: No such file or directory; its folder must be there, and/);
});

test('who starts the daemon is told where a failed start is explained', async (t) => {
	const server = net.createServer().listen(0, '127.0.0.1');

	await within('a port', new Promise((resolve) => server.on('listening', resolve)));
	atEnd(t, () => server.close());
	const address = '127.0.0.1:' + server.address().port;
	const files = { 'u.yaml': `listen: [{ address: "${address}" }]\n${JWT}\nlog: { file: u.log }\n` };
	const result = await runUsherd(t, ['-c', 'u.yaml'], files);

	assert.strictEqual(result.code, 69);
	assert.match(result.stderr, /^usherd: not started: see the end of \S+\/u.log\n$/);
});

test('the journal is told the level of each line', async (t) => {
	const dir = folder(t, { 'usher.yaml': withThreads(CONF + NOISY), ...FILES });
	const file = path.join(dir, 'stream');
	const fd = fs.openSync(file, 'w');
	const { dev, ino } = fs.fstatSync(fd, { bigint: true });
	const child = spawn(PROGRAM, ['-c', path.join(dir, 'usher.yaml')], { stdio: ['ignore', 'ignore', fd],
		env: { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` } });
	const ended = new Promise((resolve) => child.on('exit', resolve));
	const read = () => fs.readFileSync(file, 'utf8');

	fs.closeSync(fd);
	atEnd(t, () => child.kill('SIGKILL'));
	await waitFor('lines', () => /^<4>app#1: quote/m.test(read()) && /^<6>node web is serving$/m.test(read()));
	for (const line of read().trimEnd().split('\n'))
		assert.match(line, /^<[3467]>\S/);
	child.kill('SIGINT');
	assert.strictEqual(await within('the end', ended), 0);
});

test('a log that nobody reads any more ends nothing', async (t) => {
	const dir = folder(t, {
		'usher.yaml': withThreads(CONF + 'static: [{ path: /page, file: usher.yaml }]\nlog: { level: debug }\n')
	});
	const child = spawn(PROGRAM, ['-c', path.join(dir, 'usher.yaml')], { stdio: ['ignore', 'ignore', 'pipe'] });
	const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
	let log = '';

	atEnd(t, () => child.kill('SIGKILL'));
	child.stderr.setEncoding('utf8').on('data', (text) => { log += text; });
	const [, port] = await waitFor('the port', () => log.match(/listening on \S*:(\d+)/) && /is serving/.test(log) && log.match(/listening on \S*:(\d+)/));

	child.stderr.destroy();
	for (let i = 0; i < 3; i++)
		assert.strictEqual((await ask('http://127.0.0.1:' + port, 'GET', '/page')).status, 200);
	child.kill('SIGTERM');
	assert.deepStrictEqual(await within('the end', ended), { code: 0, signal: null });
});
