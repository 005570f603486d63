// SPDX-License-Identifier: ISC
// usherd --dev: a handler is served from where it lies, and anew when it changes.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { run } = require('./lib/processes');
const { RawSocket, address, rawBrowser } = require('./lib/raw');
const { folder, startDev, KITS, PROGRAM } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

// before: more lines, run as the handler starts.
const handler = (text, before = '') => `import os, sys
sys.path.insert(0, ${JSON.stringify(path.join(KITS, 'python'))})
import usher
${before}
app = usher.Application()

@app.handler("hello")
def hello(message, session, send):
    return {"text": ${text}}

app.run()
`;

async function start(t, first = handler('"first"')) {
	const dir = folder(t, { 'handler.py': first });
	const dev = await startDev(t, dir, ['--', 'python3', 'handler.py']);
	const browser = await rawBrowser(t, dev.port, 'dev');
	const ask = async () => (await browser.request({ type: 'hello' })).message;
	const write = (text, file = 'handler.py') => fs.writeFileSync(path.join(dir, file), text);
	const count = (pattern) => dev.log.match(new RegExp(pattern, 'g'))?.length || 0;

	return { dev, dir, ask, write, count };
}

test('a handler is served, and its messages are printed', async (t) => {
	const { dev, ask } = await start(t);

	assert.strictEqual((await ask()).text, 'first');
	await waitFor('the message', () => /-> dev#1 "hello" \{"type":"hello"\}/.test(dev.stdout));
	await waitFor('the reply', () => /<- dev#1 "finish" \{"text":"first"\}/.test(dev.stdout));
});

test('a changed file is a new worker; a broken one is not', async (t) => {
	const { dev, ask, write } = await start(t);

	write(handler('"second"'));
	await waitFor('the new text', async () => (await ask()).text === 'second');
	write('this is no Python\n');
	await dev.logged(/the old ones stay/);
	assert.strictEqual((await ask()).text, 'second');
	write(handler('"third"'));
	await waitFor('the new text', async () => (await ask()).text === 'third');
});

// A moment after the last start, as it is when a person goes on writing: changes during a start
// are taken for the handler's own if that happens again and again.
async function quiet(dev) {
	const last = () => Date.parse(dev.log.trim().split('\n').pop().split(' ')[0]);

	await waitFor('a moment without starts', () => Date.now() - last() > 1500);
}

test('what is written into new folders counts as well', async (t) => {
	const { dev, dir, ask, write, count } = await start(t,
	    handler('open("parts/deep/text").read() if os.path.exists("parts/deep/text") else "none"'));

	assert.strictEqual((await ask()).text, 'none');
	fs.mkdirSync(path.join(dir, 'parts', 'deep'), { recursive: true });
	// The folders themselves are a change; what is in them must be one of its own.
	await dev.logged(/dev#2: ready/);
	for (const text of ['first', 'second']) {
		const n = count('text has changed');
		await quiet(dev);
		write(text, 'parts/deep/text');
		await waitFor('the change', () => count('text has changed') > n);
		await waitFor('the new text', async () => (await ask()).text === text);
	}
	await quiet(dev);
	fs.renameSync(path.join(dir, 'parts'), path.join(dir, 'others'));
	await waitFor('the worker without them', async () => (await ask()).text === 'none');
	write('third', 'others/deep/text');
	fs.renameSync(path.join(dir, 'others'), path.join(dir, 'parts'));
	await waitFor('the new text', async () => (await ask()).text === 'third');
});

test('what tools write is no change', async (t) => {
	const { dev, dir, ask, write } = await start(t);
	const noise = ['node_modules/a/index.js', '.git/index', '__pycache__/a.pyc', 'venv/bin/a', 'handler.log', '.swap', 'a~'];

	await ask();
	for (const file of noise) {
		fs.mkdirSync(path.join(dir, path.dirname(file)), { recursive: true });
		write('noise', file);
	}
	// Changes are seen in the order in which they were made.
	write(handler('"second"'));
	await waitFor('the new text', async () => (await ask()).text === 'second');
	const changes = dev.log.match(/\S+ has changed/g);
	assert.ok(changes.length > 0 && changes.every((change) => change === 'handler.py has changed'), changes.join());
});

test('a handler that writes beside itself as it starts is not started for that for ever', async (t) => {
	const writing = (text) => handler(text, 'open("state.json", "w").write(str(os.getpid()))');
	const { dev, ask, write, count } = await start(t, writing('"first"'));
	const ignored = 'state.json: files change whenever the handler starts';

	await waitFor('the end of it', () => count(ignored) > 0);
	assert.ok(count('files have changed') <= 6, dev.log);
	assert.strictEqual((await ask()).text, 'first');

	await quiet(dev);
	write(writing('"second"'));
	await waitFor('the new text', async () => (await ask()).text === 'second');
	await waitFor('the end of it', () => count(ignored) > 1);
});

test('every signal that ends it takes its files away, SIGHUP of a closed terminal too', async (t) => {
	for (const signals of [['SIGHUP', 'SIGHUP'], ['SIGTERM'], ['SIGINT']]) {
		const tmp = folder(t), dir = folder(t, { 'handler.py': handler('"first"') });
		const dev = await startDev(t, dir, ['--', 'python3', 'handler.py'], { TMPDIR: tmp });

		await dev.logged(/dev#1: ready/);
		assert.match(fs.readdirSync(tmp).join(), /^usher-dev-\w+$/);
		signals.forEach((signal) => dev.kill(signal));
		await dev.end();
		assert.deepStrictEqual([dev.code, dev.signal], [0, null], dev.log);
		assert.deepStrictEqual(fs.readdirSync(tmp), []);
	}
});

test('the page to call it from', async (t) => {
	const { dev } = await start(t);
	const answer = await fetch(dev.url + '/');

	assert.strictEqual(answer.status, 200);
	assert.match(answer.headers.get('content-type'), /^text\/html/);
	assert.match(await answer.text(), /<title>usher --dev<\/title>/);
});

test('pages of localhost may connect, others not', async (t) => {
	const { dev } = await start(t);
	const connect = (origin) => {
		const socket = new RawSocket(address(dev.port, 4), { headers: { Origin: origin } });
		atEnd(t, () => socket.close());
		return socket.open().then(() => 'connected', (e) => e.message);
	};

	assert.strictEqual(await connect('http://localhost:5173'), 'connected');
	assert.strictEqual(await connect('http://localhost'), 'connected');
	assert.match(await connect('http://localhost.example.org:5173'), /403/);
	assert.match(await connect('https://example.org'), /403/);
});

test('nothing but loopback, and no configuration beside it', async (t) => {
	for (const args of [['--dev'], ['--dev', '-c', 'x', '--', 'true'], ['--dev', '--port', '0.0.0.0:80', '--', 'true']])
		assert.strictEqual((await run(PROGRAM, args)).code, 64, args.join(' '));
});
