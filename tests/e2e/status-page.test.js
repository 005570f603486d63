// SPDX-License-Identifier: ISC
// The status page in a real browser: on a desk and on a telephone, by day and by night.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');
const { chromiumPage } = require('./lib/chromium');
const { scripted, workerOf } = require('./lib/configs');
const { ask } = require('./lib/http');
const { ADMIN, NOWHERE, held, httpOf, result } = require('./lib/operator');
const { rawBrowser } = require('./lib/raw');
const { JWT, LISTEN, startUsherd } = require('./lib/usherd');

const HOSTILE = '<img src=x onerror=alert(1)>';

// A master with one destination that is up, one that is down and an application of its own.
async function busyMaster(t) {
	const worker = await startUsherd(t, workerOf(scripted));
	const master = await startUsherd(t, `
node: 'master of <b>all</b>'
${LISTEN}
${JWT}
${ADMIN}
destinations:
  far: { application: remote-app, urls: ["${worker.url.replace('http', 'ws')}"] }
  moon: { application: a-rather-long-name-of-an-application, urls: ["${NOWHERE}"] }
applications:
  own: { command: ${scripted}, pool: { size: 2 } }
u_services:
  - application: browser-app
    types: { lost: { destination: moon }, "a.very.long.prefix.of.many.types.*": { destination: moon }, "*": { destination: far } }
`);

	await master.linked();
	return master;
}

// What the browser says of the page: broken policies, failed requests.
function entriesOf(page) {
	const entries = [];

	page.ws.on('message', (text) => {
		const { method, params } = JSON.parse(text);
		if (method === 'Log.entryAdded' && ['error', 'warning'].includes(params.entry.level))
			entries.push(params.entry.text + ' ' + (params.entry.url || ''));
	});
	return entries;
}

const parsePixels = (rgb) => rgb.match(/\d+/g).slice(0, 3).map(Number);

// Contrast of two colours (WCAG 2).
function contrast(a, b) {
	const light = (rgb) => parsePixels(rgb).map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const [x, y] = [light(a), light(b)].sort((p, q) => q - p);

	return (x + 0.05) / (y + 0.05);
}

test('the status page', async (t) => {
	const master = await busyMaster(t);
	const url = httpOf(master);
	const browser = await rawBrowser(t, master.port, 'browser-app');
	const { script, release } = held(t);
	const answer = { type: 'job', params: { script: [{ line: '{"op":"finish","id":@ID,"message":{}}' }] } };
	const page = await chromiumPage(t, { width: 1200, height: 1600 });
	const entries = entriesOf(page);
	const cells = (id) => page.value(`[...document.querySelectorAll("#${id} tbody tr")].map((tr) =>
		[...tr.children].map((td) => td.textContent))`);

	await page.send('Log.enable');
	await browser.request(answer);
	await browser.request({ type: 'lost' });
	await browser.request({ type: HOSTILE, params: { script: [{ line: '{"op":"fail","id":@ID,"error":"<script>alert(2)</script>"}' }] } });
	await page.goto(url + '/');
	await page.until('the first answer', 'document.querySelector("#routes tbody") !== null');

	await t.test('shows the node, its routes, destinations, links and errors', async () => {
		assert.strictEqual(await page.text('#node'), 'master of <b>all</b>');
		assert.strictEqual(await page.text('#state'), 'serving');
		const routes = await cells('routes');
		assert.deepStrictEqual(routes.map((row) => row.slice(0, 5)), [
			['browser-app/lost', 'moon', 'no link is up', '1', '1'],
			['browser-app/a.very.long.prefix.of.many.types.*', 'moon', 'no link is up', '0', '0'],
			['browser-app/*', 'far', 'served', '2', '1'],
			['own/*', 'own', 'served', '0', '0']
		]);
		assert.deepStrictEqual((await cells('destinations')).map((row) => row.slice(0, 2)), [['far', 'up'], ['moon', 'down']]);
		assert.strictEqual((await cells('links'))[0][1], 'up');
		assert.deepStrictEqual((await cells('pools'))[0].slice(0, 3), ['own', 'works', '0 of 2']);
		const errors = await cells('errors');
		assert.deepStrictEqual(errors.map((row) => row[1]), ['handler_error', 'link_down']);
		assert.strictEqual(errors[0][6], '<script>alert(2)</script>', 'as text');
	});

	await t.test('shows what an operator has set', async () => {
		const states = (id) => page.value(`[...document.querySelectorAll("#${id} tbody tr td:nth-child(2)")].map((td) => td.textContent).join()`);
		await result(master, 'pause', 'far');
		await result(master, 'drain', 'own');
		await page.until('both states', '["destinations", "pools"].every((id) => /paused|drained/.test(document.querySelector(`#${id} tbody`).textContent))');
		assert.deepStrictEqual([await states('destinations'), await states('pools')], ['paused,down', 'drained']);
		await result(master, 'resume', 'far');
		await result(master, 'enable', 'own');
		await page.until('the end of it', '!/paused|drained/.test(document.body.textContent)');
	});

	await t.test('charts move with what happens', async () => {
		browser.emit({ type: 'job', token: browser.token, params: { script } });
		await page.until('the open request', '[...document.querySelectorAll("#charts section")].some((s) => ' +
			's.querySelector("h2").textContent === "Open requests" && s.querySelector(".now").textContent.trim() === "1")');
		release();
		await browser.nextReply();
		await page.until('a rate above nothing', '[...document.querySelectorAll("#charts svg")].some((svg) => ' +
			'/^Requests a second:.*at most/.test(svg.getAttribute("aria-label")) && ' +
			'svg.querySelector("polyline").getAttribute("points").split(" ").length > 1)');
		assert.strictEqual(await page.value('document.querySelectorAll("#charts svg").length'), 6);
	});

	for (const scheme of ['light', 'dark']) {
		await t.test(`a telephone of 360 pixels, ${scheme}`, async () => {
			await page.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
			await page.send('Emulation.setDeviceMetricsOverride', { width: 360, height: 740, deviceScaleFactor: 2, mobile: true });
			await page.until('the width', 'window.innerWidth === 360');
			assert.ok(await page.value('document.documentElement.scrollWidth') <= 360, 'nothing is wider than the screen');
			const colours = await page.value(`["body", "#about", "#routes .bad", "#routes .good", "#node"].map((s) => {
				let e = document.querySelector(s), ground = e;
				while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
				return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor];
			})`);
			for (const [text, ground] of colours)
				assert.ok(contrast(text, ground) >= 4.5, `${scheme}: ${text} on ${ground}`);
			const [ground] = parsePixels(colours[0][1]);
			assert.strictEqual(ground < 128, scheme === 'dark');
			const file = await page.screenshot(`status-page-360-${scheme}.png`);
			assert.ok(fs.statSync(file).size > 20000, 'it is not blank');
			await page.send('Emulation.clearDeviceMetricsOverride');
			assert.ok(fs.statSync(await page.screenshot(`status-page-${scheme}.png`)).size > 20000);
		});
	}

	await t.test('it can be read aloud', async () => {
		assert.deepStrictEqual(await page.value('[...document.querySelectorAll("svg")].filter((s) => !s.getAttribute("aria-label")).length'), 0);
		assert.ok(await page.value('[...document.querySelectorAll("thead th")].every((th) => th.scope === "col")'));
		assert.strictEqual(await page.value('document.documentElement.lang'), 'en');
		assert.strictEqual(await page.value('document.querySelectorAll("h1").length'), 1);
	});

	await t.test('nothing complains, and nothing is asked of anybody else', async () => {
		assert.deepStrictEqual(page.complaints, []);
		assert.deepStrictEqual(entries, []);
		const others = page.requests.filter((one) => !one.startsWith(url + '/') && !one.startsWith('data:'));
		assert.deepStrictEqual(others, []);
	});

	await t.test('it says so when the node is gone', async () => {
		await master.stop();
		await page.until('the alarm', '!document.querySelector("#lost").hidden');
		assert.strictEqual(await page.text('#state'), 'no answer');
	});
});

test('the status page runs nothing but its own script, and answers nobody under another name', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const url = httpOf(node);
	const [one, two] = [await ask(url, 'GET', '/'), await ask(url, 'GET', '/')];
	const policy = one.headers['content-security-policy'];
	const [, nonce] = policy.match(/script-src 'nonce-([0-9a-f]{32})'/);

	assert.strictEqual(one.status, 200);
	assert.strictEqual(one.headers['content-type'], 'text/html; charset=utf-8');
	assert.match(policy, /default-src 'none'/);
	assert.doesNotMatch(policy, /unsafe/);
	assert.strictEqual(one.text.split(`nonce="${nonce}"`).length, 3);
	assert.ok(!one.text.includes('@NONCE@'));
	assert.notStrictEqual(one.headers['content-security-policy'], two.headers['content-security-policy']);
	assert.doesNotMatch(one.text.replace(/http:\/\/www\.w3\.org\/2000\/svg/, ''), /https?:\/\//, 'no outside assets');
	for (const at of ['/', '/status.json'])
		assert.strictEqual((await ask(url, 'GET', at, { headers: { host: 'evil.example' } })).status, 403, at);
	const status = await ask(url, 'GET', '/status.json');
	assert.deepStrictEqual(Object.keys(status.json).filter((name) => ['status', 'routes', 'destinations', 'links', 'pools',
		'workers', 'counts', 'errors'].includes(name)).length, 8);
	assert.strictEqual(status.json.status.node, 'worker');
});
