// SPDX-License-Identifier: ISC
// Many browsers that ask at the same moment, and the count of who got what.
'use strict';
const assert = require('node:assert');
const { atEnd } = require('./cleanup');
const { childrenOf } = require('./processes');
const { rawBrowser } = require('./raw');
const { claims } = require('./tokens');
const { pause } = require('./wait');

const CANCEL_WITHIN_MS = 200;	// some come when all is over

// What a browser asks in a round: one type for all, with errors and an unknown type mixed in.
const KINDS = [
	{ type: 'steps', params: (tag, gap) => ({ tag, gap }), intermediates: 3, isOwn: (m, tag) => m.done && m.tag === tag },
	{ type: 'steps', params: (tag, gap) => ({ tag, gap }), intermediates: 3, isOwn: (m, tag) => m.done && m.tag === tag },
	{ type: 'steps', params: (tag, gap) => ({ tag, gap }), intermediates: 3, isOwn: (m, tag) => m.done && m.tag === tag },
	{ type: 'fail', params: (tag, gap) => ({ tag, gap }), intermediates: 0, isOwn: (m, tag) => m.error === 'Told to fail' && m.tag === tag },
	{ type: 'nonesuch', params: (tag, gap) => ({ tag, gap }), intermediates: 0,
		isOwn: (m) => /^Handler not defined for \S+ messages of type nonesuch$/.test(m.error) }
];

// One request of one browser, checked reply by reply; cancelled_ms: when it is cancelled, or -1.
async function ask(browser, kind, tag, gap_ms, cancelled_ms, count) {
	let step = 0;

	browser.emit({ type: kind.type, token: browser.first, ms_requestId: tag, params: kind.params(tag, gap_ms) });
	count.sent++;
	if (cancelled_ms >= 0)
		setTimeout(() => browser.emit({ type: 'usher-cancel', token: browser.first, ms_requestId: tag }), cancelled_ms);
	for (;;) {
		const reply = await browser.nextReply('the final of ' + tag);
		const { message } = reply;
		if (reply.ms_requestId !== tag) {
			count.crossed++;
			continue;
		}
		if (reply.finished === false) {
			if (message.tag !== tag || reply.type !== kind.type)
				count.crossed++;
			else if (message.step !== ++step)
				count.disordered++;
			continue;
		}
		if (reply.type !== kind.type)
			count.crossed++;
		else if (message.code && message.code !== 'no_handler')
			count.failed[message.code] = (count.failed[message.code] || 0) + 1;
		else if (!kind.isOwn(message, tag))
			count.crossed++;
		else if (step !== kind.intermediates)
			count.disordered++;
		else
			count.own++;
		if (message.token && claims(message.token).jti !== browser.jti)
			count.crossed++;
		return;
	}
}

// All browsers ask at once, rounds times; a round begins pace_ms after the one before or later, and
// when ready() says so.  gap_ms: between the steps of an answer.  cancels: the share of requests
// that are cancelled, at any moment.  Gives { sent, own, failed, crossed, disordered, doubled }.
async function crowd(t, port, { browsers = 50, rounds = 20, pace_ms = 0, gap_ms, ready = () => {}, cancels = 0 } = {}) {
	const count = { sent: 0, own: 0, failed: {}, crossed: 0, disordered: 0, doubled: 0 };
	const all = [];
	const moment = () => Math.random() < cancels ? Math.random() * CANCEL_WITHIN_MS : -1;

	for (let i = 0; i < browsers; i++) {
		const browser = await rawBrowser(t, port);
		browser.first = browser.token;
		browser.jti = claims(browser.token).jti;
		all.push(browser);
	}
	for (let round = 0; round < rounds; round++) {
		await ready();
		await Promise.all([pause(pace_ms), ...all.map((browser, i) =>
			ask(browser, KINDS[(i + round) % KINDS.length], round + '/' + i, gap_ms, moment(), count))]);
	}

	// Whatever is left over is one reply too many; this answer comes behind all others.
	await Promise.all(all.map(async (browser) => {
		browser.emit({ type: 'ewd-register', application: 'browser-app', jwt: true });
		while ((await browser.nextReply()).type !== 'ewd-register')
			count.doubled++;
	}));
	return count;
}

// Every reply was there and its own.
function assertPerfect(result, sent) {
	assert.deepStrictEqual(result, { sent, own: sent, failed: {}, crossed: 0, disordered: 0, doubled: 0 });
}

// Exactly one final for each, most of them replies, and the others say truly what happened.
function assertNoneLost(result, sent, codes) {
	const failed = Object.values(result.failed).reduce((a, b) => a + b, 0);
	const told = JSON.stringify(result);

	assert.deepStrictEqual([result.sent, result.own + failed], [sent, sent], told);
	assert.deepStrictEqual([result.crossed, result.disordered, result.doubled], [0, 0, 0], told);
	assert.ok(result.own > sent / 2, told);
	for (const code of Object.keys(result.failed))
		assert.ok(codes.includes(code), code);
}

// Does it again and again until the test ends.
function every(t, ms, action) {
	const timer = setInterval(action, ms);

	atEnd(t, () => clearInterval(timer));
}

// Kills a worker of the node and gives how many that were.  One that is ready: on a busy machine
// none would ever become it otherwise.
function killWorker(node) {
	const alive = childrenOf(node.pid);
	const ready = [...node.log.matchAll(/ready \(process (\d+)\)/g)].map((line) => Number(line[1]));
	const victim = ready.find((pid) => alive.includes(pid));

	if (victim === undefined)
		return 0;
	try {
		process.kill(victim, 'SIGKILL');
		return 1;
	} catch {
		return 0;	// it has ended meanwhile
	}
}

module.exports = { crowd, assertPerfect, assertNoneLost, every, killWorker };
