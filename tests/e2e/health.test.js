// SPDX-License-Identifier: ISC
// Which URL of a destination gets requests: those that fail are ejected, and come back slowly.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, scripted, workerOf } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { ADMIN, linkedOnAllLoops, metricsOf, result, table } = require('./lib/operator');
const { metric } = require('./lib/prometheus');
const { rawBrowser } = require('./lib/raw');
const { SECRET, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

// A master before nodes that answer with their number, unless isHole; then they say nothing.
async function start(t, count, link) {
	const far = [];

	for (let i = 0; i < count; i++) {
		const node = await fakeNode(t, { secret: SECRET });
		node.answer = (request) => {
			if (request.message.type === 'job')	// it is told too what is not wanted any more
				node.asked++;
			if (!node.isHole)
				request.final({ from: i });
			return true;
		};
		far.push(Object.assign(node, { asked: 0, isHole: false }));
	}
	const master = await startUsherd(t, masterOf(far.map((n) => n.url), link) + ADMIN);
	await linkedOnAllLoops(master, count);
	return { far, master, browser: await rawBrowser(t, master.port) };
}

// Each URL, as the event loop sees it that has found something wrong with it.
async function urlsOf(master) {
	const urls = new Map();

	for (const link of (await result(master, 'links')).links) {
		const seen = urls.get(link.url);
		if (!seen || seen.health === 'good')
			urls.set(link.url, { ...link, isUp: link.state === 'up' || Boolean(seen && seen.isUp) });
		else
			seen.isUp = seen.isUp || link.state === 'up';
	}
	return [...urls.values()];
}

const healthOf = async (master) => (await urlsOf(master)).map((u) => u.health);

// Requests at once; their codes, or who answered.
async function burst(browser, count) {
	for (let i = 0; i < count; i++)
		browser.emit({ type: 'job', token: browser.token });
	const got = [];
	for (let i = 0; i < count; i++) {
		const { message } = await browser.nextReply();
		got.push(message.code || message.from);
	}
	return got;
}

const ejected = (master, browser) => waitFor('the URL to be ejected', async () => {
	await burst(browser, 4);
	return (await healthOf(master)).includes('ejected');
});

test('equal URLs take turns', async (t) => {
	const { far, browser } = await start(t, 3, '');

	for (let i = 0; i < 9; i++)
		await browser.request({ type: 'job' });
	assert.deepStrictEqual(far.map((n) => n.asked), [3, 3, 3]);
});

test('a URL that does not answer is ejected, and the others have its requests', async (t) => {
	const { far, master, browser } = await start(t, 2, 'timeout: 200ms, health: { failures: 3, eject: 1h, eject_max: 2h }');
	far[0].isHole = true;
	await ejected(master, browser);
	const before = far[0].asked;

	assert.deepStrictEqual(await healthOf(master), ['ejected', 'good']);
	assert.deepStrictEqual(await burst(browser, 20), Array(20).fill(1));
	assert.strictEqual(far[0].asked, before, 'it is left alone');
	assert.strictEqual(master.log.match(/it is ejected/g).length, 1, 'one line of it');
	assert.match(master.log, new RegExp(`destination far: ${far[0].url} fails or stops: it is ejected for 3600000 ms`));
	const metrics = await metricsOf(master);
	assert.strictEqual(metric(metrics, 'usher_ejections_total'), 1);
	const rows = await table(master, 'links');
	assert.ok(rows.some((row) => row.includes(far[0].url) && row.includes('ejected')), JSON.stringify(rows));
	const urls = await urlsOf(master);
	assert.ok(urls[0].ejected_ms > 3000000);
	assert.deepStrictEqual(urls.map((u) => u.ejections), [1, 0]);
});

test('after its ejection one request is its trial: it is ejected again, or returns', async (t) => {
	const { far, master, browser } = await start(t, 2,
	    'timeout: 200ms, health: { failures: 3, eject: 400ms, eject_max: 500ms, slow_start: 300ms }');
	far[0].isHole = true;
	await ejected(master, browser);
	const before = far[0].asked;
	await waitFor('a second ejection', async () => {
		await burst(browser, 4);
		return (await urlsOf(master))[0].ejections >= 2;
	});
	const [{ ejections }] = await urlsOf(master);
	assert.strictEqual(far[0].asked - before, ejections - 1, 'each trial was one request');

	far[0].isHole = false;
	await waitFor('it to be good again', async () => {
		await burst(browser, 4);
		return (await healthOf(master))[0] === 'good';
	});
	assert.match(master.log, /is on trial[^]*is returning[^]*is good/);
	await waitFor('its share', async () => (await burst(browser, 20)).filter((from) => from === 0).length >= 10);
});

test('a request that had waited for its destination is a trial like any other', async (t) => {
	const { far, master, browser } = await start(t, 2,
	    'timeout: 2s, health: { failures: 1, eject: 10ms, eject_max: 1h }');
	far[0].isHole = true;
	await burst(browser, 2);
	assert.strictEqual((await urlsOf(master))[0].ejections, 1);

	// Those of one round, should the deadline have come before the URL had them.
	await waitFor('a second ejection', async () => {
		await result(master, 'pause', 'far');
		let isOver = false;
		const replies = burst(browser, 2).then(() => { isOver = true; });
		await waitFor('both to wait', async () => {
			const { destinations } = await result(master, 'links');
			return isOver || destinations.find((d) => d.destination === 'far').queue === 2;
		});
		await waitFor('the ejection to be over', async () => (await urlsOf(master))[0].ejected_ms === 0);
		await result(master, 'resume', 'far');
		await replies;
		return (await urlsOf(master))[0].ejections === 2;
	});
	// What waits may be sent by another event loop, which has its own opinion of the URL.
	assert.strictEqual(far[0].asked, metric(await metricsOf(master), 'usher_ejections_total'));
});

test('the last URL that can serve is never ejected', async (t) => {
	const { far, master, browser } = await start(t, 2, 'timeout: 200ms, health: { failures: 1, eject: 1h, eject_max: 1h }');
	far.forEach((n) => { n.isHole = true; });
	await waitFor('failures at both', async () => {
		await burst(browser, 8);
		return far.every((n) => n.asked >= 4) && (await healthOf(master)).includes('ejected');
	});
	assert.deepStrictEqual((await healthOf(master)).sort(), ['ejected', 'good']);
	const ejectedOne = (await healthOf(master)).indexOf('ejected');
	far.forEach((n) => { n.isHole = false; });
	assert.deepStrictEqual(await burst(browser, 4), Array(4).fill(1 - ejectedOne));

	// With the good one gone, one that fails is better than none.
	await far[1 - ejectedOne].close();
	await waitFor('its link to be down', async () => (await urlsOf(master)).some((u) => !u.isUp));
	assert.deepStrictEqual(await burst(browser, 4), Array(4).fill(ejectedOne));
});

test('errors of handlers are answers', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted));
	const good = await fakeNode(t, { secret: SECRET });
	good.answer = (request) => {
		request.final({ ok: true });
		return true;
	};
	const master = await startUsherd(t, masterOf([worker.url.replace('http', 'ws'), good.url],
	    'health: { failures: 1 }') + ADMIN);
	await master.linked(2);
	const browser = await rawBrowser(t, master.port);

	for (let i = 0; i < 10; i++)
		await browser.request({ type: 'job', params: { script: [{ fail: 'no' }] } });
	assert.deepStrictEqual(await healthOf(master), ['good', 'good']);
});

test('a node that is stopped hangs a few requests, then none', async (t) => {
	const workers = [await startUsherd(t, workerOf(scripted)), await startUsherd(t, workerOf(scripted))];
	for (const worker of workers) {		// that are ready, or the first answers take too long
		const browser = await rawBrowser(t, worker.port, 'remote-app');
		await burst(browser, 4);
		browser.close();
	}
	const master = await startUsherd(t, masterOf(workers.map((w) => w.url.replace('http', 'ws')),
	    'timeout: 1s, health: { failures: 2, eject: 1h, eject_max: 1h }') + ADMIN);
	await master.linked(2);
	const browser = await rawBrowser(t, master.port);

	await burst(browser, 4);
	process.kill(workers[0].pid, 'SIGSTOP');
	try {
		await waitFor('the black hole to be found', async () => {
			await burst(browser, 2);
			return (await healthOf(master))[0] === 'ejected';
		});
		const replies = [];
		for (let i = 0; i < 10; i++)
			replies.push((await browser.request({ type: 'job' })).message.ok);
		assert.deepStrictEqual(replies, Array(10).fill(true));
	} finally {
		process.kill(workers[0].pid, 'SIGCONT');
	}
});

test('a node that comes back begins with a small share', async (t) => {
	const { far, master, browser } = await start(t, 2, 'health: { slow_start: 1h }');
	await far[0].close();
	await waitFor('it to be down', async () => !(await urlsOf(master))[0].isUp);
	await far[0].listen(far[0].port);
	await waitFor('its links', async () => (await result(master, 'links')).links.every((l) => l.state === 'up'));
	far.forEach((n) => { n.asked = 0; n.isHole = true; });
	for (let i = 0; i < 30; i++)
		browser.emit({ type: 'job', token: browser.token });
	await waitFor('all to be sent', () => far[0].asked + far[1].asked === 30);

	// A tenth of what the other has.
	assert.ok(far[0].asked >= 1 && far[0].asked <= 5, 'it got ' + far[0].asked);
	assert.deepStrictEqual(await healthOf(master), ['returning', 'good']);
	master.endsBy = 'SIGINT';
});
