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

const handler = (text) => `import sys
sys.path.insert(0, ${JSON.stringify(path.join(KITS, 'python'))})
import usher
app = usher.Application()

@app.handler("hello")
def hello(message, session, send):
    return {"text": "${text}"}

app.run()
`;

async function start(t) {
	const dir = folder(t, { 'handler.py': handler('first') });
	const dev = await startDev(t, dir, ['--', 'python3', 'handler.py']);
	const browser = await rawBrowser(t, dev.port, 'dev');
	const ask = async () => (await browser.request({ type: 'hello' })).message;

	return { dev, ask, write: (text) => fs.writeFileSync(path.join(dir, 'handler.py'), text) };
}

test('a handler is served, and its messages are printed', async (t) => {
	const { dev, ask } = await start(t);

	assert.strictEqual((await ask()).text, 'first');
	await waitFor('the message', () => /-> dev#1 "hello" \{"type":"hello"\}/.test(dev.stdout));
	await waitFor('the reply', () => /<- dev#1 "finish" \{"text":"first"\}/.test(dev.stdout));
});

test('a changed file is a new worker; a broken one is not', async (t) => {
	const { dev, ask, write } = await start(t);

	write(handler('second'));
	await waitFor('the new text', async () => (await ask()).text === 'second');
	write('this is no Python\n');
	await dev.logged(/the old ones stay/);
	assert.strictEqual((await ask()).text, 'second');
	write(handler('third'));
	await waitFor('the new text', async () => (await ask()).text === 'third');
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
