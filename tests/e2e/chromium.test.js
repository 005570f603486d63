// SPDX-License-Identifier: ISC
// The demo's page in a real browser: the stock client with its default transports, which
// begins with polling and goes over to WebSocket.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { chromiumPage } = require('./lib/chromium');
const { startUsherd, nodeKit, LISTEN, JWT } = require('./lib/usherd');

const DEMO = path.join(__dirname, '..', '..', 'contrib', 'demo.d');
const KIT = path.join(__dirname, '..', '..', 'contrib', 'handlers', 'node');
const PACKAGES = path.join(__dirname, 'node_modules');

async function startDemo(t) {
	const worker = await startUsherd(t, `
node: demo-worker
${LISTEN}
${JWT}
applications:
  test-app: { command: ["node", "usher-worker.js", "./examples/login.js"], directory: ${JSON.stringify(KIT)} }
`);
	const master = await startUsherd(t, `
node: demo-master
${LISTEN}
${JWT}
u_services:
  - application: jwt
    types:
      login: { url: "ws://127.0.0.1:${worker.port}", application: test-app }
      steps: { url: "ws://127.0.0.1:${worker.port}", application: test-app }
static:
  - { path: /, file: ${JSON.stringify(path.join(DEMO, 'index.html'))} }
  - { path: /page.js, file: ${JSON.stringify(path.join(DEMO, 'page.js'))} }
  - { path: /ewd-client.js, file: ${JSON.stringify(path.join(PACKAGES, 'ewd-client/lib/proto/ewd-client.js'))} }
  - { path: /socket.io.js, file: ${JSON.stringify(path.join(PACKAGES, 'socket.io-client/dist/socket.io.js'))} }
`);
	await master.linked();
	return master;
}

test('the demo in a browser', async (t) => {
	const master = await startDemo(t);
	const page = await chromiumPage(t);

	await page.goto(master.url + '/');
	await page.until('the connection', 'document.querySelector("#status").textContent === "connected"');

	await t.test('begins with polling, then upgrades', async () => {
		const endpoint = page.requests.filter((url) => url.includes('/socket.io/?'));

		assert.match(endpoint[0], /^http:.*transport=polling/);
	});

	await t.test('a wrong password shows the error of the handler', async () => {
		await page.click('#wrong');
		await page.until('the answer', 'document.querySelector("#result").className === "bad"');
		assert.strictEqual(await page.text('#result'), 'Invalid login attempt');
	});

	await t.test('a right one shows the text of the session', async () => {
		await page.click('#right');
		await page.until('the answer', 'document.querySelector("#result").className === "good"');
		assert.strictEqual(await page.text('#result'), 'Welcome Rob');
	});

	await t.test('intermediates come one by one', async () => {
		await page.click('#go');
		const seen = 'document.querySelectorAll("#steps .here").length';
		await page.until('all steps', `(${seen}) === 4 || (window.counts = [...(window.counts || []), ${seen}], false)`);
		const counts = await page.value('window.counts');

		for (const n of [1, 2, 3])
			assert.ok(counts.includes(n), 'all at once: ' + counts);
		assert.ok((await page.text('#log')).includes('steps final'));
	});

	await t.test('the connection has become a WebSocket', async () => {
		assert.ok(page.requests.some((url) => /^ws:.*transport=websocket.*sid=/.test(url)), page.requests.join('\n'));
	});

	await t.test('nothing complains in the page, and it looks as it should', async () => {
		const file = await page.screenshot('demo.png');

		assert.deepStrictEqual(page.complaints, []);
		assert.ok(fs.statSync(file).size > 10000);
	});
});
