// SPDX-License-Identifier: ISC
// One request has one name, from who asks over all nodes to the handler and back: W3C Trace
// Context over HTTP, "usher.trace" on links, "trace" and "request" to handlers.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const { socketClient } = require('./lib/browser');
const { ask } = require('./lib/http');
const { startUsherd, HANDLERS, JWT, KITS, LISTEN } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const ID = '0af7651916cd43dd8448eb211c80319c';
const STEP = 'b7ad6b7169203331';
const PARENT = `00-${ID}-${STEP}-01`;
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const COMMAND = JSON.stringify(['python3', path.join(HANDLERS, 'traced.py')]);
const traced = (name) => `  ${name}: { command: ${COMMAND}, environment: { KIT: ${JSON.stringify(path.join(KITS, 'python'))} } }`;

// Browsers and HTTP callers -> edge -> worker -> its handler, which asks another one there.
async function nodes(t) {
	const worker = await startUsherd(t, `
node: worker
${LISTEN.replace('" }', '", for: nodes }')}
${JWT}
log: { format: json }
applications:
${traced('app')}
${traced('inner')}
u_services: [{ application: app, types: { where: { destination: inner } } }]
`, { args: ['-D', 'request', '-D', 'pool'] });
	const edge = await startUsherd(t, `
node: edge
${LISTEN}
${JWT}
log: { format: json }
destinations: { far: { application: app, urls: ["${worker.url}"], timeout: 20s } }
u_services:
  - application: web
    types: { "*": { destination: far } }
  - { path: "/api/group", destination: group }
  - { path: "/api/:type", destination: far, timeout: 20s }
`.replace('destinations: { far', 'destinations: { group: { destinations: [far, far2] }, far2: { application: app, ' +
	    `urls: ["${worker.url}"] }, far`), { args: ['-D', 'request', '-D', 'link'] });

	await edge.logged(/link \S+","text":"up/);
	return { edge, worker };
}

// What is not a line of JSON throws.
const lines = (node) => node.log.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
const linesOf = (node, id) => lines(node).filter((line) => line.request === id);

// Ajax carries messages of any type, with the headers of HTTP.
async function ajax(edge, message, headers = {}) {
	return ask(edge.url, 'POST', '/ajax', { json: message, headers });
}

async function token(edge) {
	return (await ajax(edge, { type: 'ewd-register', application: 'web' })).json.token;
}

test('a trace that a caller began goes on over link, node and handlers, and back', async (t) => {
	const { edge, worker } = await nodes(t);
	const answer = await ajax(edge, { type: 'ask', token: await token(edge) }, { traceparent: PARENT });
	const { here, there } = answer.json;

	assert.strictEqual(answer.status, 200, answer.text);
	assert.strictEqual(answer.headers['x-request-id'], ID);
	for (const trace of [answer.headers.traceparent, here.trace, there.trace])
		assert.match(trace, new RegExp(`^00-${ID}-(?!${STEP})[0-9a-f]{16}-01$`));
	assert.notStrictEqual(here.trace, answer.headers.traceparent, 'each node is a step');
	assert.notStrictEqual(here.trace, there.trace, 'and so is what a handler asks');
	assert.strictEqual(here.name, ID);
	assert.strictEqual(there.name, ID);
	await waitFor('both nodes to tell of it', () => linesOf(edge, ID).length >= 2 && linesOf(worker, ID).length >= 4);
	assert.ok(linesOf(worker, ID).some((line) => line.text === 'at work' && line.level === 'info' &&
	    line.who.startsWith('inner#') && line.node === 'worker'), 'also of what handlers log');
	assert.ok(linesOf(edge, ID).some((line) => line.area === 'link' && line.node === 'edge'));
	for (const line of linesOf(worker, ID))
		assert.strictEqual(line.client, '127.0.0.1', JSON.stringify(line));
});

test('flags of a trace stay, and a later version of traceparent is understood', async (t) => {
	const { edge } = await nodes(t);
	const session = await token(edge);

	for (const [sent, flags] of [[`00-${ID}-${STEP}-00`, '00'], [`cc-${ID}-${STEP}-01-more`, '01']]) {
		const answer = await ajax(edge, { type: 'where', token: session }, { traceparent: sent });

		assert.match(answer.headers.traceparent, new RegExp(`^00-${ID}-[0-9a-f]{16}-${flags}$`));
		assert.ok(answer.json.trace.endsWith('-' + flags));
	}
});

test('what is no traceparent is left alone: a trace begins here', async (t) => {
	const { edge } = await nodes(t);
	const session = await token(edge);

	for (const sent of [undefined, 'x', PARENT.toUpperCase(), `00-${'0'.repeat(32)}-${STEP}-01`,
		`00-${ID}-${'0'.repeat(16)}-01`, PARENT + '-x', [PARENT, PARENT]]) {
		const answer = await ajax(edge, { type: 'where', token: session }, sent === undefined ? {} : { traceparent: sent });

		assert.match(answer.headers.traceparent, TRACEPARENT, String(sent));
		assert.notStrictEqual(answer.headers['x-request-id'], ID);
		assert.strictEqual(answer.headers['x-request-id'], answer.headers.traceparent.slice(3, 35));
		assert.strictEqual(answer.json.name, answer.headers['x-request-id']);
	}
});

test('REST answers and refusals tell the id, and errors name the same', async (t) => {
	const { edge, worker } = await nodes(t);
	const headers = { traceparent: PARENT };
	const refused = await ask(edge.url, 'PUT', '/api/x/y', { headers });
	const none = await ask(edge.url, 'GET', '/api/x', { headers });
	const group = await ask(edge.url, 'GET', '/api/group', { headers });

	for (const answer of [refused, none, group]) {
		assert.strictEqual(answer.headers['x-request-id'], ID, answer.text);
		assert.match(answer.headers.traceparent, new RegExp(`^00-${ID}-`));
	}
	assert.strictEqual(refused.status, 404);
	assert.strictEqual(refused.json.request, ID);
	assert.strictEqual(none.status, 404);
	assert.strictEqual(none.json.request, ID, 'an error of the remote node, which knows the same name');
	assert.strictEqual(none.json.by, 'worker');
	await waitFor('the lines of the worker', () => linesOf(worker, ID).length >= 3);
	const bad = await ajax(edge, { type: 'where', token: 'x' }, headers);

	assert.strictEqual(bad.json.request, ID);
	assert.strictEqual(bad.headers['x-request-id'], ID);
	const noMessage = await ajax(edge, [], headers);

	assert.strictEqual(noMessage.json.request, ID);
	assert.strictEqual(noMessage.headers['x-request-id'], ID);
});

test('a browser socket gets a name for each request, which all nodes log', async (t) => {
	const { edge, worker } = await nodes(t);
	const client = await socketClient(t, 4, edge.url, { extraHeaders: { traceparent: PARENT } });

	await client.register('web');
	const one = (await client.request({ type: 'where' })).message;
	const two = (await client.request({ type: 'where' })).message;

	assert.match(one.trace, TRACEPARENT);
	assert.strictEqual(one.trace.slice(3, 35), one.name);
	assert.notStrictEqual(one.name, two.name, 'a header of the handshake is that of no request');
	assert.notStrictEqual(one.name, ID);
	const failed = await client.request({ type: 'no-such-type' });

	assert.match(failed.message.request, /^[0-9a-f]{32}$/);
	for (const name of [one.name, two.name, failed.message.request])
		await waitFor('lines of ' + name, () => linesOf(edge, name).length >= 2 && linesOf(worker, name).length >= 1);
});
