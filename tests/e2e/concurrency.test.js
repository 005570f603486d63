// SPDX-License-Identifier: ISC
// 50 browsers ask at once, 20 times: every reply finds its own browser, in order, exactly one
// final each, whatever is cut or killed meanwhile.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, workerOf } = require('./lib/configs');
const { crowd } = require('./lib/crowd');
const { cutter } = require('./lib/cutter');
const { startStockService } = require('./lib/stock');
const { childrenOf } = require('./lib/processes');
const { startUsherd, nodeKit } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');
const { atEnd } = require('./lib/cleanup');

const SENT = 50 * 20;
const count = (text, pattern) => [...text.matchAll(pattern)].length;

function assertPerfect(result) {
	assert.deepStrictEqual(result, { sent: SENT, own: SENT, failed: {}, crossed: 0, disordered: 0, doubled: 0 });
}

// Exactly one final for each, most of them replies, and the others say truly what happened.
function assertNoneLost(result, codes) {
	const failed = Object.values(result.failed).reduce((a, b) => a + b, 0);
	const told = JSON.stringify(result);

	assert.deepStrictEqual([result.sent, result.own + failed], [SENT, SENT], told);
	assert.deepStrictEqual([result.crossed, result.disordered, result.doubled], [0, 0, 0], told);
	assert.ok(result.own > SENT / 2, told);
	for (const code of Object.keys(result.failed))
		assert.ok(codes.includes(code), code);
}

// Does it again and again until the test ends.
function every(t, ms, action) {
	const timer = setInterval(action, ms);

	atEnd(t, () => clearInterval(timer));
}

test('against a stock service', async (t) => {
	const service = await startStockService(t);
	const master = await startUsherd(t, masterOf(service.url));
	await master.linked(8);

	assertPerfect(await crowd(t, master.port));
});

test('against a worker node', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();

	assertPerfect(await crowd(t, master.port));
});

test('while a worker process is killed every 200 ms', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	let killed = 0;
	// One that is ready: on a busy machine none would ever become it otherwise.
	every(t, 200, () => {
		const alive = childrenOf(worker.pid);
		const ready = [...worker.log.matchAll(/ready \(process (\d+)\)/g)].map((line) => Number(line[1]));
		const victim = ready.find((pid) => alive.includes(pid));
		if (victim === undefined)
			return;
		process.kill(victim, 'SIGKILL');
		killed++;
	});

	assertNoneLost(await crowd(t, master.port, { pace_ms: 200 }), ['worker_lost']);
	assert.ok(killed > 5, killed + ' were killed');
});

for (const kind of ['a worker node', 'a stock service']) {
	test('while the link to ' + kind + ' is cut every second', async (t) => {
		const node = kind === 'a stock service' ? await startStockService(t) : await startUsherd(t, workerOf(nodeKit('remote-app.js')));
		const between = await cutter(t, node.port);
		const master = await startUsherd(t, masterOf(between.url));
		await master.linked();
		// A machine may be too busy to bring a link up within a second.
		const isUp = () => count(master.log, /link \S+: up/g) > count(master.log, /link \S+: down/g);
		let cut = 0;
		every(t, 1000, () => { cut += isUp() && between.cut() ? 1 : 0; });

		assertNoneLost(await crowd(t, master.port, {
			pace_ms: 200, ready: () => waitFor('a link', isUp)
		}), ['link_lost', 'link_down']);
		assert.ok(cut > 2, 'cut ' + cut + ' times');
	});
}
