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
const { atEnd } = require('./lib/cleanup');

const SENT = 50 * 20;
// Slow enough to meet several faults; else those who fail, fail fast and use up their rounds.
const PACE = { pace_ms: 200 };

function assertPerfect(count) {
	assert.deepStrictEqual(count, { sent: SENT, own: SENT, failed: {}, crossed: 0, disordered: 0, doubled: 0 });
}

// Exactly one final for each, most of them replies, and the others say truly what happened.
function assertNoneLost(count, codes) {
	const failed = Object.values(count.failed).reduce((a, b) => a + b, 0);

	assert.deepStrictEqual([count.sent, count.own + failed], [SENT, SENT], JSON.stringify(count));
	assert.deepStrictEqual([count.crossed, count.disordered, count.doubled], [0, 0, 0], JSON.stringify(count));
	assert.ok(count.own > SENT / 2, JSON.stringify(count));
	for (const code of Object.keys(count.failed))
		assert.ok(codes.includes(code), code);
}

// Does it again and again until the test ends.
function every(t, ms, action) {
	const timer = setInterval(action, ms);

	atEnd(t, () => clearInterval(timer));
	return () => clearInterval(timer);
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

	assertNoneLost(await crowd(t, master.port, PACE), ['worker_lost']);
	assert.ok(killed > 5, killed + ' were killed');
});

for (const kind of ['a worker node', 'a stock service']) {
	test('while the link to ' + kind + ' is cut every second', async (t) => {
		const node = kind === 'a stock service' ? await startStockService(t) : await startUsherd(t, workerOf(nodeKit('remote-app.js')));
		const between = await cutter(t, node.port);
		const master = await startUsherd(t, masterOf(between.url));
		await master.linked();
		let cut = 0;
		every(t, 1000, () => { cut += between.cut() ? 1 : 0; });

		assertNoneLost(await crowd(t, master.port, PACE), ['link_lost', 'link_down']);
		assert.ok(cut > 0, 'none was cut');
	});
}
