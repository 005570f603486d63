// SPDX-License-Identifier: ISC
// Links to remote nodes: exclusive to a stock service, shared between usher nodes.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, workerOf, scripted } = require('./lib/configs');
const { fakeNode } = require('./lib/fake-node');
const { ADMIN, linkedOnAllLoops } = require('./lib/operator');
const { rawBrowser, rawClient } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { linkProof, session, claims } = require('./lib/tokens');
const { LOOPS, startUsherd, SECRET } = require('./lib/usherd');
const { WAIT_MS, waitFor } = require('./lib/wait');

async function start(t, link, options, more = '') {
	const far = await fakeNode(t, options);
	const master = await startUsherd(t, masterOf(far.url, link) + more);
	await master.linked();

	return { far, master, browser: await rawBrowser(t, master.port) };
}

// Sends messages without waiting; "tag" tells their replies apart.
const ask = (browser, ...tags) =>
	tags.forEach((tag) => browser.emit({ type: 'job', token: browser.token, ms_requestId: tag, params: { tag } }));

// The next two that arrive, a before b: over two links they may come in any order.
async function nextTwo(far) {
	const two = [await far.next(), await far.next()];

	return two.sort((x, y) => x.message.ms_requestId < y.message.ms_requestId ? -1 : 1);
}

test('a link registers on every new connection', async (t) => {
	const { far, master } = await start(t, 'links: 1');
	far.cut();
	await far.registered(2);

	for (const { sid, message } of far.registrations) {
		const { usher, ...rest } = message;
		assert.deepStrictEqual(rest, { type: 'ewd-register', application: 'remote-app', jwt: true });
		assert.deepStrictEqual(usher, { link: 1, node: 'master', proof: linkProof(SECRET, sid) });
	}
	assert.notStrictEqual(far.registrations[0].sid, far.registrations[1].sid);
	assert.match(master.log, /link \S+: (down|lost|closed)/i);
});

test('a link is used only when its registration was answered', async (t) => {
	const far = await fakeNode(t, { silent: true });
	const master = await startUsherd(t, masterOf(far.url, 'links: 1'));
	await far.registered(1);
	const browser = await rawBrowser(t, master.port);

	assertError(await browser.request({ type: 'job' }), { type: 'job', code: 'link_down' });
	far.links[0].emit({ type: 'ewd-register', finished: true, message: { token: session('remote-app', 'x') } });
	await master.linked();
	ask(browser, 1);
	(await far.next()).final({ ok: true });
	assert.strictEqual((await browser.nextReply()).message.ok, true);
});

test('a stock service gets one request a link, the rest waits', async (t) => {
	const { far, browser } = await start(t, 'links: 2');
	ask(browser, 'a', 'b', 'c', 'd');
	const [a, b] = await nextTwo(far);

	assert.notStrictEqual(a.link, b.link);
	assert.strictEqual(far.requests.items.length, 0);
	a.intermediate({ step: 1 });
	assert.strictEqual((await browser.nextReply()).ms_requestId, 'a');
	assert.strictEqual(far.requests.items.length, 0, 'an intermediate frees nothing');
	b.final({ n: 'b' });
	const c = await far.next();
	assert.strictEqual(c.link, b.link);
	assert.strictEqual(c.message.ms_requestId, 'c', 'first in, first out');
	assert.strictEqual((await browser.nextReply()).message.n, 'b');
	c.final({});
	(await far.next()).final({});
	a.final({});
	for (let i = 0; i < 3; i++)
		await browser.nextReply();
});

test('all links of a destination are used', async (t) => {
	const { far, browser } = await start(t);
	assert.strictEqual(far.links.length, 1, 'nobody needs more than one');
	ask(browser, 0, 1, 2, 3, 4, 5, 6, 7);
	const requests = [];
	for (let i = 0; i < 8; i++)
		requests.push(await far.next());

	assert.strictEqual(new Set(requests.map((r) => r.link)).size, 8);
	assert.strictEqual(far.links.length, 8, '"links" is 8 unless said otherwise');
	requests.forEach((r) => r.final({ tag: r.message.params.tag }));
	for (let i = 0; i < 8; i++) {
		const reply = await browser.nextReply();
		assert.strictEqual(reply.message.tag, reply.ms_requestId);
	}
});

test('links to a stock service come with demand, and all but one end when they are idle', async (t) => {
	const { far, browser } = await start(t, 'links: 4, link_idle: 300ms');

	for (let round = 0; round < 2; round++) {
		ask(browser, 0, 1, 2);
		const requests = [await far.next(), await far.next(), await far.next()];
		assert.strictEqual(new Set(requests.map((r) => r.link)).size, 3);
		assert.strictEqual(far.open.length, 3, 'one for each that waited, no more');
		requests.forEach((r) => r.final({}));
		for (let i = 0; i < 3; i++)
			assert.strictEqual((await browser.nextReply()).message.code, undefined);
		await waitFor('idle links to end', () => far.open.length === 1);
	}
	const first = far.open[0];
	ask(browser, 'x');
	const request = await far.next();
	assert.strictEqual(request.link, first, 'the first stays');
	request.final({});
	await browser.nextReply();
});

test('a node may have several links, which share its requests', async (t) => {
	const { far, browser } = await start(t, 'node_links: 3', { secret: SECRET }, 'threads: 1\n');
	await far.registered(3);
	const count = (requests) => far.links.map((link) => requests.filter((r) => r.link === link).length);
	const requests = [];
	const end = Date.now() + WAIT_MS;

	// A link that is registered at the far end is up here a moment later.
	for (let n = 0; !(requests.length > 0 && count(requests).every((c) => c >= 3)); n++) {
		assert.ok(Date.now() < end, 'not shared: ' + count(requests));
		ask(browser, n);
		requests.push(await far.next());
	}
	requests.forEach((r) => r.final({ tag: r.message.params.tag }));
	for (let i = 0; i < requests.length; i++) {
		const reply = await browser.nextReply();
		assert.strictEqual(reply.message.tag, reply.ms_requestId);
	}
	assert.strictEqual(far.links.length, 3);
});

test('a queue without a limit has none', async (t) => {
	const { far, browser } = await start(t, 'links: 1, queue: off, queue_bytes: off', { secret: SECRET });
	ask(browser, ...Array(30).keys());
	for (let i = 0; i < 30; i++)
		(await far.next()).final({});
	for (let i = 0; i < 30; i++)
		assert.strictEqual((await browser.nextReply()).message.code, undefined);
});

test('what a stock service says on a link', async (t) => {
	const { far, browser } = await start(t, 'links: 1');
	const heard = async () => {
		const { type, finished, message } = await browser.nextReply();
		return [type, finished, message];
	};

	await t.test('finished:false is an intermediate, whatever its type', async () => {
		ask(browser, 1);
		const request = await far.next();
		request.intermediate({ step: 1 });
		request.intermediate({ step: 2 }, 'progress');
		request.final({ step: 3 });

		assert.deepStrictEqual(await heard(), ['job', false, { step: 1 }]);
		assert.deepStrictEqual(await heard(), ['progress', false, { step: 2 }]);
		assert.deepStrictEqual(await heard(), ['job', true, { step: 3 }]);
	});

	await t.test('a final of another type is a stray', async () => {
		ask(browser, 1);
		const request = await far.next();
		request.final({ stray: true }, 'other');
		request.final({ own: true });

		assert.deepStrictEqual(await heard(), ['job', true, { own: true }]);
	});

	await t.test('what comes when nothing was asked is a stray', async () => {
		far.open[0].emit({ type: 'job', finished: true, message: { stray: true } });
		ask(browser, 1);
		(await far.next()).final({ own: true });

		assert.deepStrictEqual(await heard(), ['job', true, { own: true }]);
	});

	await t.test('without finished it is a push and ends nothing', async () => {
		ask(browser, 1);
		const request = await far.next();
		request.reply({ type: 'job', message: { push: true } });
		request.reply({ type: 'news', message: { push: true } });
		request.final({ own: true });

		assert.deepStrictEqual(await heard(), ['job', true, { own: true }]);
	});

	await t.test('unless it is an error', async () => {
		for (const body of [{ error: 'no' }, { message: { error: 'no' } }, { type: 'job', message: { error: 'no' } }]) {
			ask(browser, 1);
			(await far.next()).reply(body);
			const reply = await browser.nextReply();

			assert.deepStrictEqual([reply.type, reply.finished], ['job', true]);
			assert.strictEqual(reply.error || reply.message.error, 'no');
		}
	});

	await t.test('other events are no replies', async () => {
		ask(browser, 1);
		const request = await far.next();
		for (const frame of ['42["other",{"type":"job","finished":true,"message":{}}]', '42["ewdjs"]', '42["ewdjs",null]', '42["ewdjs",[]]', '6'])
			request.link.ws.send(frame);
		request.final({ own: true });

		assert.deepStrictEqual(await heard(), ['job', true, { own: true }]);
	});
});

test('a late reply never reaches another request', async (t) => {
	const { far, master, browser } = await start(t, 'links: 1, timeout: 300ms');
	ask(browser, 'late');
	const late = await far.next();
	assertError(await browser.nextReply(), { type: 'job', code: 'timeout', ms_requestId: 'late' });
	late.final({ of: 'late' });
	await waitFor('the link to be replaced', () => !late.link.isOpen);
	await master.linked(2);
	ask(browser, 'next');
	const next = await far.next();
	assert.notStrictEqual(next.link, late.link);
	next.final({ of: 'next' });
	assert.strictEqual((await browser.nextReply()).message.of, 'next');
});

test('when the browser leaves, its link stays taken until the final', async (t) => {
	const { far, master, browser } = await start(t, 'links: 1');
	const other = await rawBrowser(t, master.port);
	ask(browser, 'gone');
	const gone = await far.next();
	browser.close();
	ask(other, 'other');
	await assert.rejects(far.requests.next('nothing yet', 200));
	gone.final({ of: 'gone' });
	const request = await far.next();
	request.final({ of: 'other' });

	assert.strictEqual((await other.nextReply()).message.of, 'other');
	assert.strictEqual(far.registrations.length, 1);
});

test('a cut link answers what was in flight, and what waits goes on', async (t) => {
	const { far, browser } = await start(t, 'links: 2');
	ask(browser, 'a', 'b', 'c');
	const [a, b] = await nextTwo(far);
	a.link.cut();

	assertError(await browser.nextReply(), { type: 'job', code: 'link_lost', ms_requestId: 'a' });
	b.final({ of: 'b' });
	(await far.next()).final({ of: 'c' });
	assert.deepStrictEqual([(await browser.nextReply()).message.of, (await browser.nextReply()).message.of], ['b', 'c']);
});

test('when the last link goes down, those who wait are told', async (t) => {
	const { far, browser } = await start(t, 'links: 1');
	ask(browser, 'a', 'b', 'c');
	await far.next();
	await far.close();
	const replies = [await browser.nextReply(), await browser.nextReply(), await browser.nextReply()];

	assert.deepStrictEqual(replies.map((r) => [r.ms_requestId, r.message.code]).sort(),
	    [['a', 'link_lost'], ['b', 'link_down'], ['c', 'link_down']]);
});

test('a link that is closed in order is lost as well', async (t) => {
	const { far, master, browser } = await start(t, 'links: 1');

	for (const [i, goodbye] of [(link) => link.ws.close(1001), (link) => link.ws.send('41'), (link) => link.ws.send('1')].entries()) {
		await master.linked(i + 1);
		ask(browser, 'x');
		const request = await far.next();
		goodbye(request.link);
		assertError(await browser.nextReply(), { type: 'job', code: 'link_lost', ms_requestId: 'x' });
	}
});

test('a node that speaks nonsense loses its link', async (t) => {
	const { far, master, browser } = await start(t, 'links: 1');
	const nonsense = ['', '9', '42{', '42["ewdjs",{]', '42["ewdjs",{"a":1,}]', '451-["ewdjs"]', '4', Buffer.from([4, 1]),
		'42["ewdjs",' + '['.repeat(1100) + ']'.repeat(1100) + ']'];

	for (const [i, frame] of nonsense.entries()) {
		await master.linked(i + 1);
		ask(browser, 'x');
		const request = await far.next();
		request.link.ws.send(frame);
		const reply = await browser.nextReply();
		assert.ok(['link_lost', 'internal'].includes(reply.message.code), JSON.stringify(reply));
		if (request.link.isOpen)
			request.link.cut();
	}
});

test('heart-beats of a link', async (t) => {
	await t.test('come at the announced interval', async (t) => {
		const far = await fakeNode(t, { pingInterval: 1000 });
		const master = await startUsherd(t, masterOf(far.url, 'links: 1'));
		await master.linked();
		await waitFor('two pings', () => far.pings >= 2);
		assert.strictEqual(far.registrations.length, 1);
	});

	await t.test('find out a node that is silent', async (t) => {
		const far = await fakeNode(t, { pingInterval: 1000, pingTimeout: 500, deaf: true });
		const master = await startUsherd(t, masterOf(far.url, 'links: 1'));
		await master.linked();
		await far.registered(2);
	});
});

test('several URLs share by the fewest outstanding', async (t) => {
	const nodes = [await fakeNode(t, { secret: SECRET }), await fakeNode(t, { secret: SECRET }), await fakeNode(t, { secret: SECRET })];
	const master = await startUsherd(t, masterOf(nodes.map((n) => n.url)) + ADMIN);
	master.endsBy = 'SIGINT';
	await linkedOnAllLoops(master, 3);
	const browser = await rawBrowser(t, master.port);
	ask(browser, ...Array(9).keys());
	const got = await Promise.all(nodes.map(async (n) => [await n.next(), await n.next(), await n.next()]));

	assert.ok(nodes.every((n) => n.requests.items.length === 0), 'three each');
	for (const request of got[1])
		request.final({ from: 1 });
	for (let i = 0; i < 3; i++)
		assert.strictEqual((await browser.nextReply()).message.from, 1);
	ask(browser, 'x', 'y');
	await nodes[1].next();
	await nodes[1].next();
	await nodes[0].close();
	for (let i = 0; i < 3; i++)
		assert.strictEqual((await browser.nextReply()).message.code, 'link_lost');
	ask(browser, 'z');
	await waitFor('z at one that is up', () => nodes.slice(1).some((n) => n.requests.items.length === 1));
});

test('a link between usher nodes', async (t) => {
	const { far, master, browser } = await start(t, '', { secret: SECRET });

	await t.test('carries any number of requests, answered in any order', async () => {
		ask(browser, ...Array(50).keys());
		const requests = [];
		for (let i = 0; i < 50; i++)
			requests.push(await far.next());
		assert.ok(far.links.length <= LOOPS, 'one of each event loop');
		assert.strictEqual(new Set(requests.map((r) => r.link.sid + r.message.usher.id)).size, 50);
		for (const request of requests.reverse()) {
			request.intermediate({ tag: request.message.params.tag, step: 1 });
			request.final({ tag: request.message.params.tag });
		}
		for (let i = 0; i < 100; i++) {
			const reply = await browser.nextReply();
			assert.strictEqual(reply.message.tag, reply.ms_requestId);
			assert.ok(!('usher' in reply));
		}
	});

	await t.test('drops replies whose id is not open', async () => {
		ask(browser, 'a');
		const request = await far.next();
		const { id } = request.message.usher;
		for (const usher of [{ id: id + 1000 }, { id: -1 }, { id: 'x' }, {}, 1, null])
			request.link.emit({ type: 'job', finished: true, message: { stray: true }, usher });
		request.link.emit({ type: 'job', finished: true, message: { stray: true } });
		request.final({ own: true });
		request.final({ again: true });

		assert.strictEqual((await browser.nextReply()).message.own, true);
		ask(browser, 'b');
		(await far.next()).final({ next: true });
		assert.strictEqual((await browser.nextReply()).message.next, true);
	});

	await t.test('counts hops and says who asked', async () => {
		ask(browser, 'a');
		const request = await far.next();

		assert.strictEqual(request.message.usher.hops, 1);
		assert.deepStrictEqual(request.message.usher.client, { address: '127.0.0.1', socket: browser.sid });
		request.final({});
		await browser.nextReply();
	});

	await t.test('is not replaced at a deadline', async (t) => {
		const { far, browser } = await start(t, 'timeout: 100ms', { secret: SECRET });
		far.answer = (request) => request.message.type === 'usher-cancel';	// it may be told
		ask(browser, 'late');
		const late = await far.next();
		assertError(await browser.nextReply(), { type: 'job', code: 'timeout', ms_requestId: 'late' });
		late.final({ of: 'late' });
		ask(browser, 'next');
		(await far.next()).final({ of: 'next' });

		assert.strictEqual((await browser.nextReply()).message.of, 'next');
		assert.ok(far.links.length <= LOOPS && far.links.every((link) => link.isOpen));
	});

	await t.test('answers everything in flight when it is cut', async () => {
		ask(browser, 1, 2, 3);
		for (let i = 0; i < 3; i++)
			await far.next();
		far.cut();
		for (let i = 0; i < 3; i++)
			assert.strictEqual((await browser.nextReply()).message.code, 'link_lost');
		await far.registered(2);
		await master.linked(2);
	});
});

test('protocol: qewd and protocol: usher are obeyed', async (t) => {
	await t.test('qewd makes exclusive links even to an usher node', async (t) => {
		const { far, browser } = await start(t, 'links: 2, protocol: qewd', { secret: SECRET });
		ask(browser, 1, 2, 3);
		const requests = [await far.next(), await far.next()];

		assert.ok(requests.every((r) => !('usher' in r.message)));
		requests.forEach((r) => r.final({}));
		(await far.next()).final({});
	});

	await t.test('usher refuses a peer that is none', async (t) => {
		const far = await fakeNode(t);
		const master = await startUsherd(t, masterOf(far.url, 'protocol: usher'));
		await far.registered(1);
		const browser = await rawBrowser(t, master.port);

		assertError(await browser.request({ type: 'job' }), { type: 'job', code: 'link_down' });
	});
});

test('who may be a node is proven', async (t) => {
	const node = await startUsherd(t, workerOf(scripted));
	const register = async (t, usher) => {
		const client = await rawClient(t, node.port);
		if (typeof usher === 'function')
			usher = usher(client.sid);
		client.emit({ type: 'ewd-register', application: 'remote-app', jwt: true, usher });
		const { message } = await client.nextReply();
		client.token = message.token;
		return { client, message };
	};

	await t.test('a right proof is granted', async (t) => {
		const { client, message } = await register(t, (sid) => ({ link: 1, node: 'n', proof: linkProof(SECRET, sid) }));
		assert.strictEqual(message.usher.link, 1);
		assert.strictEqual(message.usher.node, 'worker');
		assert.ok(message.token);
		client.emit({ type: 'job', token: client.token, usher: { id: 7, hops: 1, deadline_ms: 30000 } });
		const reply = await client.nextReply();
		assert.deepStrictEqual([reply.usher, reply.message.ok], [{ id: 7 }, true]);
	});

	for (const [what, usher] of Object.entries({
		'of another connection': () => ({ link: 1, node: 'n', proof: linkProof(SECRET, 'another sid') }),
		'with another secret': (sid) => ({ link: 1, node: 'n', proof: linkProof('x', sid) }),
		'that is absent': () => ({ link: 1, node: 'n' }),
		'that is empty': () => ({ link: 1, node: 'n', proof: '' }),
		'that is no text': () => ({ link: 1, node: 'n', proof: { a: 1 } })
	})) {
		await t.test('a proof ' + what + ' is not', async (t) => {
			const { client, message } = await register(t, usher);
			assert.deepStrictEqual(Object.keys(message), ['token']);
			client.emit({ type: 'job', token: client.token, usher: { id: 7, hops: 100, client: { address: '1.2.3.4' } } });
			const reply = await client.nextReply();
			assert.ok(!('usher' in reply));
			assert.strictEqual(reply.message.ok, true);
		});
	}

	await t.test('limits for browsers do not hold for a proven node', async (t) => {
		const node = await startUsherd(t, workerOf(scripted) + 'limits: { messages_per_second: 5, in_flight_per_session: 2 }\n');
		const client = await rawClient(t, node.port);
		client.emit({ type: 'ewd-register', application: 'remote-app', jwt: true,
			usher: { link: 1, node: 'n', proof: linkProof(SECRET, client.sid) } });
		client.token = (await client.nextReply()).message.token;
		for (let id = 0; id < 40; id++)
			client.emit({ type: 'job', token: client.token, usher: { id, hops: 1, deadline_ms: 10000 } });
		for (let i = 0; i < 40; i++)
			assert.strictEqual((await client.nextReply()).message.ok, true);
	});
});

test('a listener for nodes has no limits of browsers', async (t) => {
	// A stock master is a node too, and cannot prove it.
	const limits = 'limits: { messages_per_second: 5, in_flight_per_session: 2 }\n';
	const node = await startUsherd(t, workerOf(scripted).replace('127.0.0.1:0"', '127.0.0.1:0", for: nodes') + limits);
	const stock = await rawBrowser(t, node.port, 'remote-app');
	for (let tag = 0; tag < 40; tag++)
		ask(stock, tag);
	for (let i = 0; i < 40; i++)
		assert.strictEqual((await stock.nextReply()).message.ok, true);

	const rest = await stock.request({ type: 'restRequest', path: '/api/x' });
	assert.strictEqual(rest.message.ok, true, 'REST requests come from a stock master');
});

test('a worker node may forward further', async (t) => {
	const worker = await startUsherd(t, workerOf(scripted));
	const middle = await startUsherd(t, masterOf(worker.url).replace('browser-app', 'middle-app').replace('node: master', 'node: middle'));
	const master = await startUsherd(t, masterOf(middle.url).replace('remote-app', 'middle-app'));
	await middle.linked();
	await master.linked();
	const browser = await rawBrowser(t, master.port);
	const intermediates = [];
	const script = [{ line: '{"op":"send","id":@ID,"message":{"step":1}}' }, { line: '{"op":"finish","id":@ID,"message":{"done":true}}' }];
	const final = await browser.request({ type: 'job', ms_requestId: 1, params: { script } }, intermediates);

	assert.deepStrictEqual(intermediates.map((r) => r.message), [{ step: 1 }]);
	assert.strictEqual(final.message.done, true);
	assert.strictEqual(claims(final.message.token).application, 'browser-app');
	assert.ok(!('usher' in final));
});
