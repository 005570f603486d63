// SPDX-License-Identifier: ISC
// A page in headless Chromium, over its DevTools protocol.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const WebSocket = require('ws');
const { atEnd } = require('./cleanup');
const { Child } = require('./processes');
const { folder } = require('./usherd');
const { within, waitFor } = require('./wait');

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const ARTEFACTS = path.join(__dirname, '..', 'artefacts');

class Page {
	constructor(ws) {
		this.ws = ws;
		this.last = 0;
		this.open = new Map();		// id -> { resolve, reject }
		this.complaints = [];		// exceptions and errors in the page's console
		this.requests = [];		// URLs that the page asked for
		ws.on('message', (text) => this.hear(JSON.parse(text)));
	}

	hear({ id, result, error, method, params }) {
		if (id) {
			const { resolve, reject } = this.open.get(id);
			this.open.delete(id);
			if (error)
				reject(new Error(error.message));
			else
				resolve(result);
		} else if (method === 'Runtime.exceptionThrown') {
			this.complaints.push(params.exceptionDetails.exception.description);
		} else if (method === 'Runtime.consoleAPICalled' && params.type === 'error') {
			this.complaints.push(params.args.map((arg) => arg.value || arg.description).join(' '));
		} else if (method === 'Network.requestWillBeSent') {
			this.requests.push(params.request.url);
		} else if (method === 'Network.webSocketCreated') {
			this.requests.push(params.url);
		}
	}

	send(method, params = {}) {
		const id = ++this.last;

		this.ws.send(JSON.stringify({ id, method, params }));
		return within(method, new Promise((resolve, reject) => this.open.set(id, { resolve, reject })));
	}

	// The value of an expression in the page.
	async value(expression) {
		const { result, exceptionDetails } = await this.send('Runtime.evaluate',
		    { expression, awaitPromise: true, returnByValue: true });

		if (exceptionDetails)
			throw new Error(exceptionDetails.exception.description);
		return result.value;
	}

	async goto(url) {
		await this.send('Page.navigate', { url });
		await this.until('the page', 'document.readyState === "complete"');
	}

	until(what, expression) {
		return waitFor(what, () => this.value(expression));
	}

	click(selector) {
		return this.value(`document.querySelector(${JSON.stringify(selector)}).click()`);
	}

	text(selector) {
		return this.value(`document.querySelector(${JSON.stringify(selector)}).textContent`);
	}

	// Keeps a picture of the page among the artefacts; gives its path.
	async screenshot(name) {
		const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
		const file = path.join(ARTEFACTS, name);

		fs.mkdirSync(ARTEFACTS, { recursive: true });
		fs.writeFileSync(file, Buffer.from(data, 'base64'));
		return file;
	}
}

// Starts the browser with one page, of this size.
async function chromiumPage(t, { width = 800, height = 1000 } = {}) {
	const dir = folder(t);
	const browser = new Child(CHROMIUM, ['--headless=new', '--no-sandbox', '--disable-gpu',
		'--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking',
		'--remote-debugging-port=0', '--user-data-dir=' + dir, `--window-size=${width},${height}`, 'about:blank']);
	atEnd(t, async () => {
		browser.kill('SIGKILL');
		await browser.end();
	});
	const [, port] = await browser.logged(/DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/);
	const target = await waitFor('a page of the browser', async () => {
		const targets = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
		return targets.find((one) => one.type === 'page');
	});
	const ws = new WebSocket(target.webSocketDebuggerUrl);
	atEnd(t, () => ws.terminate());
	await within('the page', new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject)));
	const page = new Page(ws);
	for (const domain of ['Page', 'Runtime', 'Network'])
		await page.send(domain + '.enable');
	return page;
}

module.exports = { chromiumPage };
