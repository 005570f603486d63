// SPDX-License-Identifier: ISC
// 50 browsers ask at once, 20 times: every reply finds its own browser, in order, exactly one
// final each, whatever is cut or killed meanwhile.
'use strict';
const assert = require('node:assert');
const test = require('node:test');
const { masterOf, workerOf } = require('./lib/configs');
const { crowd, assertPerfect, assertNoneLost, every, killWorker } = require('./lib/crowd');
const { cutter } = require('./lib/cutter');
const { startStockService } = require('./lib/stock');
const { startUsherd, nodeKit } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const SENT = 50 * 20;
const count = (text, pattern) => [...text.matchAll(pattern)].length;

test('against a stock service', async (t) => {
	const service = await startStockService(t);
	const master = await startUsherd(t, masterOf(service.url));
	await master.linked();

	assertPerfect(await crowd(t, master.port), SENT);
});

test('against a worker node', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();

	assertPerfect(await crowd(t, master.port), SENT);
});

test('while a worker process is killed every 200 ms', async (t) => {
	const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
	const master = await startUsherd(t, masterOf(worker.url));
	await master.linked();
	let killed = 0;
	every(t, 200, () => { killed += killWorker(worker); });

	assertNoneLost(await crowd(t, master.port, { pace_ms: 200 }), SENT, ['worker_lost']);
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
		}), SENT, ['link_lost', 'link_down']);
		assert.ok(cut > 2, 'cut ' + cut + ' times');
	});
}
