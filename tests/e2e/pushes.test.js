// SPDX-License-Identifier: ISC
// Messages nobody asked for: from a handler to the browsers it names, through any number of nodes.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { socketClient, stockBrowser } = require('./lib/browser');
const { masterOf, workerOf, nodeOf, scripted, scriptedApp } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { rawBrowser, rawClient } = require('./lib/raw');
const { job } = require('./lib/scripts');
const { linkProof, session } = require('./lib/tokens');
const { startUsherd, SECRET } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');
const { faultProxy } = require('../faults/proxy');

const DONE = { finish: { done: true } };
const news = (to, message = { n: 1 }) => ({ push: Object.assign({ type: 'news', message }, to && { to }) });
// What a browser gets of it: these bytes, and never a member "usher".
const NEWS = '{"type":"news","message":{"n":1}}';

// The pushes that came before one that another browser has sent to this one now: all there were, for
// what goes to others than who asked takes one way, in order.
async function heard(browser, other) {
	const texts = [];

	other.emit({ ...job({ push: { type: 'fence', to: { socket: browser.sid }, message: {} } }, DONE), token: other.token });
	for (;;) {
		const text = await browser.nextText();
		if (JSON.parse(text).type === 'fence')
			return texts;
		texts.push(text);
	}
}

// The same where no push comes: the texts before the answer to a registration, which is sent now.
async function heardUntilRegistered(browser) {
	const texts = [];

	browser.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
	for (;;) {
		const text = await browser.nextText();
		if (JSON.parse(text).type === 'ewd-register')
			return texts;
		texts.push(text);
	}
}

// Has a handler push; it is over when the final has come. Says what came before.
async function push(browser, ...pushes) {
	browser.emit({ ...job(...pushes, DONE), token: browser.token });
	const texts = [];
	for (;;) {
		const text = await browser.nextText();
		if (JSON.parse(text).finished)
			return texts;
		texts.push(text);
	}
}

// Application browser-app at a node of its own, behind a master, or with a node in between.
const chains = {
	'on the same node': async (t) => startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') })),
	'across a link': async (t) => {
		const worker = await startUsherd(t, workerOf(scripted, 'size: 1'));
		const master = await startUsherd(t, masterOf(worker.url));
		await master.linked();
		return master;
	},
	'through a node in between': async (t) => {
		const worker = await startUsherd(t, workerOf(scripted, 'size: 1'));
		const middle = await startUsherd(t, masterOf(worker.url).replace('browser-app', 'middle-app').replace('node: master', 'node: middle'));
		const master = await startUsherd(t, masterOf(middle.url).replace('remote-app', 'middle-app'));
		await middle.linked();
		await master.linked();
		return master;
	}
};

for (const [where, startChain] of Object.entries(chains)) {
	test('pushes from a handler ' + where, async (t) => {
		const { port, url } = await startChain(t);
		const browser = await rawBrowser(t, port);
		const newer = await rawBrowser(t, port, 'browser-app', { eio: 4 });
		const stranger = await rawBrowser(t, port, 'other-app');

		const fencer = await rawBrowser(t, port);
		const others = async () => [await heard(newer, fencer), await heard(stranger, fencer)];

		await t.test('to the socket that asked, before the final', async () => {
			for (const one of [browser, newer]) {
				assert.deepStrictEqual(await push(one, news()), [NEWS]);
				assert.deepStrictEqual([await heard(browser, fencer), ...await others()], [[], [], []]);
			}
		});

		await t.test('to another socket', async () => {
			assert.deepStrictEqual(await push(browser, news({ socket: newer.sid })), []);
			assert.deepStrictEqual([await heard(browser, fencer), ...await others()], [[], [NEWS], []]);
		});

		// To who asked as well, before the final or after it.
		await t.test('to an application, as the browsers know it', async () => {
			const before = await push(browser, news({ application: 'browser-app' }));
			assert.deepStrictEqual([...before, ...await heard(browser, fencer)], [NEWS]);
			assert.deepStrictEqual(await others(), [[NEWS], []]);
		});

		await t.test('to all', async () => {
			const before = await push(browser, news({ all: true }));
			assert.deepStrictEqual([...before, ...await heard(browser, fencer)], [NEWS]);
			assert.deepStrictEqual(await others(), [[NEWS], [NEWS]]);
		});

		await t.test('to nobody there is', async () => {
			assert.deepStrictEqual(await push(browser, news({ socket: 'nobody' }), news({ application: 'none' })), []);
			assert.deepStrictEqual([await heard(browser, fencer), ...await others()], [[], [], []]);
		});

		await t.test('byte for byte, in order', async () => {
			const line = (message) => ({ line: `{"op":"push","to":{"socket":"${browser.sid}"},"type":"n\\u0065ws","message":${message}}` });
			const messages = ['{"a":0.10,"b":1e2,"é":"\\u0041"}', '{"usher":{"id":1},"token":"x"}', '[1]', '"text"', 'null'];

			assert.deepStrictEqual(await push(browser, ...messages.map(line)),
			    messages.map((message) => `{"type":"n\\u0065ws","message":${message}}`));
		});

		await t.test('to clients as people use them', async (t) => {
			for (const generation of [2, 4]) {
				const client = await socketClient(t, generation, url);
				await client.register('browser-app');
				client.emit({ ...job(news(), DONE), token: client.token });
				assert.deepStrictEqual(await client.next('the push'), JSON.parse(NEWS));
				assert.strictEqual((await client.next('the final')).message.done, true);

				const page = await stockBrowser(t, url, 'browser-app', generation);
				const pushed = new Promise((resolve) => page.on('news', resolve));
				await page.request(job(news(), DONE));
				assert.deepStrictEqual((await pushed).message, { n: 1 });
			}
		});
	});
}

test('while the first of several links is dialled anew, pushes come over another, once', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const proxy = await faultProxy(t, worker.port);
	const master = await startUsherd(t, masterOf(proxy.url, 'node_links: 3') + 'threads: 1\n');
	await waitFor('three links', () => (master.log.match(/up, multiplexed/g) || []).length === 3);
	const browser = await rawBrowser(t, master.port);
	const other = await rawBrowser(t, master.port);
	assert.deepStrictEqual(await push(browser, news()), [NEWS]);

	// The first, and the one that is the first then.
	for (let i = 0; i < 2; i++) {
		proxy.plan({ up: { after: 0, then: 'hole' } });
		const [first] = proxy.pairs;
		first.cut();
		await waitFor('the link to be down', () =>
			(master.log.match(/: down: /g) || []).length === i + 1);
		const before = await push(browser, news(), news({ all: true }));
		assert.deepStrictEqual([...before, ...await heard(browser, other)], [NEWS, NEWS]);
	}
});

test('one link alone asks for pushes, whichever comes back', async (t) => {
	const far = await fakeNode(t, { secret: SECRET });
	await startUsherd(t, masterOf(far.url, 'node_links: 2') + 'threads: 1\n');
	const isFurther = () => far.registrations.map(({ message }) => message.usher.further === true);

	await far.registered(2);
	assert.deepStrictEqual(isFurther(), [false, true]);
	far.links[0].cut();
	const { link, message } = await far.next('word that pushes come over the other link');
	assert.deepStrictEqual(message, { type: 'usher-first' });
	assert.strictEqual(link, far.links[1]);
	await far.registered(3);
	assert.deepStrictEqual(isFurther(), [false, true, true]);
});

test('a link as to a stock service carries no pushes', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted, 'size: 1'));
	const master = await startUsherd(t, masterOf(worker.url, 'protocol: qewd, links: 1'));
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	assert.deepStrictEqual(await push(browser, news(), news({ all: true })), []);
	assert.deepStrictEqual(await heardUntilRegistered(browser), []);
});

test('who may push', async (t) => {
	const pushed = '{"type":"news","message":{"n":1},"usher":{"push":TO}}';
	const targets = (browser) => [{ all: true }, { application: 'browser-app' }, { socket: browser.sid }]
	    .map((to) => pushed.replace('TO', JSON.stringify(to)));

	await t.test('a node that was asked to prove itself and did', async (t) => {
		const far = await fakeNode(t, { secret: SECRET });
		const master = await startUsherd(t, masterOf(far.url) + 'threads: 1\n');	// each loop has its own link
		await master.linked();
		const browser = await rawBrowser(t, master.port);
		targets(browser).forEach((text) => far.open[0].emit(text));

		for (let i = 0; i < 3; i++)
			assert.strictEqual(await browser.nextText(), NEWS);
	});

	await t.test('but none that did not', async (t) => {
		const far = await fakeNode(t);
		const master = await startUsherd(t, masterOf(far.url, 'links: 1'));
		await master.linked();
		const browser = await rawBrowser(t, master.port);
		targets(browser).forEach((text) => far.open[0].emit(text));
		browser.emit({ type: 'job', token: browser.token });
		const request = await far.next();
		targets(browser).forEach((text) => request.reply(text));
		request.final({ own: true });

		assert.strictEqual((await browser.nextReply()).message.own, true);
		assert.deepStrictEqual(await heardUntilRegistered(browser), []);
	});

	await t.test('nor a node in front, proven or not, nor a browser', async (t) => {
		const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') }));
		const browser = await rawBrowser(t, node.port);
		const front = await rawClient(t, node.port);
		await front.register('browser-app', { usher: { link: 1, node: 'n', proof: linkProof(SECRET, front.sid) } });
		for (const client of [front, await rawBrowser(t, node.port)]) {
			targets(browser).forEach((text) => client.emit(text));
			targets(browser).forEach((text) => client.emit({ ...JSON.parse(text), token: client.token }));
			for (let i = 0; i < 6; i++)
				assert.strictEqual((await client.nextReply()).type, 'news', 'a request of that type');
		}

		assert.deepStrictEqual(await heardUntilRegistered(browser), []);
	});

	await t.test('and a nonsense of a push harms nobody', async (t) => {
		const far = await fakeNode(t, { secret: SECRET });
		const master = await startUsherd(t, masterOf(far.url) + 'threads: 1\n');	// each loop has its own link
		await master.linked();
		const browser = await rawBrowser(t, master.port);
		for (const to of ['{}', '[]', '1', 'null', '{"socket":1}', '{"all":false}', '{"socket":"a","all":true}', '{"socket":"' + 'x'.repeat(300) + '"}'])
			far.open[0].emit(pushed.replace('TO', to));
		for (const text of ['{"usher":{"push":{"all":true}}}', '{"type":7,"message":{},"usher":{"push":{"all":true}}}'])
			far.open[0].emit(text);
		far.open[0].emit('{"type":"news","message":{"n":1},"usher":{"hops":9,"push":{"all":true}}}');
		far.open[0].emit('{"type":"last","usher":{"push":{"all":true}}}');

		assert.strictEqual(await browser.nextText(), '{"type":"last","message":{}}');
		assert.strictEqual(far.links.length, 1, 'the link is still the same');
	});

	await t.test('a browser is who it is, whatever it says', async (t) => {
		const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 1') }));
		const victim = await rawBrowser(t, node.port);
		const liar = await rawBrowser(t, node.port);
		liar.emit({ ...job(news(), DONE), token: session('browser-app', SECRET, { socketId: victim.sid }),
			usher: { id: 1, client: { address: '1.2.3.4', socket: victim.sid } } });

		assert.strictEqual(await liar.nextText(), NEWS);
		assert.deepStrictEqual(await heard(victim, await rawBrowser(t, node.port)), []);
	});
});
