// SPDX-License-Identifier: ISC
// What an operator may do under the oracle load without anybody noticing.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { assertOracle, openPages, scaled, told, usual, Books, WORKER } = require('../faults/oracle');
const { masterOf, workerOf } = require('./lib/configs');
const { ADMIN, metricsOf, result } = require('./lib/operator');
const { metric } = require('./lib/prometheus');
const { startStockService } = require('./lib/stock');
const { startUsherd, HANDLERS } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const PAGES = scaled(8, 64);
const ROUNDS = scaled(2, 20);
const WINDOW = 2;	// requests of a page at a time

// Pages that ask until they are told to stop; then every request must have had its own final.
async function under(t, port, action) {
	const books = new Books();
	const pages = await openPages(t, port, PAGES, books);
	let isOver = false;
	const visit = async (page, number) => {
		for (let i = 0; !isOver && !page.isClosed; i += WINDOW)
			await Promise.all(Array.from({ length: WINDOW }, (_, k) => page.ask(usual(number + i + k))));
	};
	const visits = pages.map(visit);
	const goesOn = () => {
		const before = books.own;

		return waitFor(() => 'the load: ' + told(books, pages), () => books.own > before + 4 * PAGES);
	};

	await goesOn();
	await action(goesOn);
	isOver = true;
	await Promise.all(visits);
	await Promise.all(pages.map((page) => page.end()));
	pages.forEach((page) => page.leave());
	assertOracle(books);
}

// Restarts what is behind the master, while every page waits for it.
async function restart(master, service, again) {
	assert.strictEqual((await result(master, 'pause', 'far', '--wait')).in_flight, 0);
	await service.stop();
	await waitFor('all to wait', async () => (await result(master, 'links')).destinations[0].queue >= PAGES);
	await again();
	await result(master, 'resume', 'far');
}

test('a stock service is restarted with pause under the oracle load: no error', async (t) => {
	const modules = { 'remote-app': path.join(HANDLERS, 'oracle-app.js') };
	let service = await startStockService(t, { modules });
	const master = await startUsherd(t, masterOf(service.url) + ADMIN);
	await master.linked();

	await under(t, master.port, async (goesOn) => {
		for (let round = 0; round < ROUNDS; round++) {
			const { port } = service;
			await restart(master, { stop: () => service.kill() }, async () => {
				service = await startStockService(t, { port, modules });
			});
			await goesOn();
		}
	});
	assert.strictEqual(metric(await metricsOf(master), 'usher_requests_failed_total'), 0);
});

test('a worker node is restarted with pause under the oracle load: no error', async (t) => {
	let worker = await startUsherd(t, workerOf(WORKER));
	const master = await startUsherd(t, masterOf(worker.url.replace('http', 'ws')) + ADMIN);
	await master.linked();

	await under(t, master.port, async (goesOn) => {
		for (let round = 0; round < ROUNDS; round++) {
			const { port } = worker;
			await restart(master, worker, async () => {
				worker = await startUsherd(t, workerOf(WORKER).replace('127.0.0.1:0', '127.0.0.1:' + port));
			});
			await goesOn();
		}
	});
	assert.strictEqual(metric(await metricsOf(master), 'usher_requests_failed_total'), 0);
});
