// SPDX-License-Identifier: ISC
// What must not grow with its number: the start with routes, a node at rest with those who sit there.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');
const { nodeOf, scriptedApp } = require('./lib/configs');
const { rawBrowser } = require('./lib/raw');
const { startUsherd, JWT, LISTEN } = require('./lib/usherd');

// Seconds of processor time so far, in steps of 10 ms.
function cpuOf(pid) {
	const [, , ...stat] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/\(.*\)/, '').split(' ');

	return (Number(stat[11]) + Number(stat[12])) / 100;
}

// The thread sanitizer has a thread of its own, begun before all others, that wakes ten times a second.
function threadsOf(pid) {
	const tasks = fs.readdirSync(`/proc/${pid}/task`).map(Number).sort((a, b) => a - b);

	if (fs.readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libtsan'))
		tasks.splice(1, 1);
	return tasks;
}

// How often any of its threads has gone to sleep: what wakes it lets it go to sleep once more.
const sleepsOf = (pid) => threadsOf(pid).reduce((sum, task) => sum + Number(
    fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8').match(/^voluntary_ctxt_switches:\s+(\d+)/m)[1]), 0);

function routes(n) {
	const types = Array.from({ length: 0.8 * n }, (_, i) => `type-${i}: { destination: far, timeout: 20s }`);
	const paths = Array.from({ length: 0.2 * n },
	    (_, i) => `  - { path: "/api/r${i}/:id", method: GET, destination: far }\n`);

	return `u_services:\n  - { application: browser-app, types: { ${types.join(',\n      ')} } }\n${paths.join('')}`;
}

// Measured without anything beside it: 0.06 s; with the sanitizers 0.4 s.  What is quadratic takes minutes.
test('a node with ten thousand routes is ready after little processor time', async (t) => {
	const node = await startUsherd(t, `node: many\n${LISTEN}\n${JWT}\n` +
	    `destinations: { far: { application: far, urls: ["ws://127.0.0.1:1"] } }\n${routes(10000)}`);

	await node.logged(/is serving/);
	const seconds = cpuOf(node.pid);

	t.diagnostic(`${seconds} s of processor time`);
	assert.ok(seconds > 0 && seconds < 5, `${seconds} s`);
});

// It need not be at rest at once; but there must be three seconds in which nothing wakes it.
test('idle workers, links and sessions do not wake a node', async (t) => {
	const far = await startUsherd(t, nodeOf('far', { 'far-app': scriptedApp('size: 2, prefork: true') }));
	const node = await startUsherd(t, nodeOf('near', { 'browser-app': scriptedApp('size: 2, prefork: true') }, `
destinations: { far: { application: far-app, urls: ["${far.url}"] } }
u_services: [{ application: browser-app, types: { far: { destination: far } } }]
socketio: { ping_interval: 5m }
`));
	const browsers = [];

	for (let i = 0; i < 5; i++)
		browsers.push(await rawBrowser(t, node.port));
	await node.linked();
	await node.logged(/(ready \(process[^]*){2}/);
	let before = -1;
	for (let tries = 0; tries < 30; tries++) {
		before = sleepsOf(node.pid);
		await new Promise((resolve) => setTimeout(resolve, 3000));
		if (sleepsOf(node.pid) === before)
			return;
	}
	assert.fail('something wakes it again and again');
});
