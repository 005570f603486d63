// SPDX-License-Identifier: ISC
// The examples in conf/, each run as it stands but for its ports: a master with its worker node,
// both in one, REST, a node behind nginx, two behind HAProxy with sessions that poll.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { socketClient } = require('./lib/browser');
const { atEnd } = require('./lib/cleanup');
const { ask } = require('./lib/http');
const { Child } = require('./lib/processes');
const { folder, nodeKit, startUsherd, HANDLERS, JWT, KITS, LISTEN } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const CONF = path.join(__dirname, '..', '..', 'conf');
const SECRET = 'the secret of all nodes of an example';
const RAW = fs.readFileSync(path.join(KITS, 'python', 'examples', 'raw.py'), 'utf8');
const FILES = { 'jwt.secret': SECRET, 'handler.py': RAW };

const example = (name) => fs.readFileSync(path.join(CONF, name), 'utf8');

// Ports that nobody has, for programs that cannot choose one by themselves.
async function freePorts(n) {
	const servers = await Promise.all(Array.from({ length: n }, () => new Promise((resolve) => {
		const server = net.createServer().listen(0, '127.0.0.1', () => resolve(server));
	})));
	const ports = servers.map((server) => server.address().port);

	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}

// The text with each of these ports replaced; all of them must be in it.
function withPorts(text, ports) {
	for (const [from, to] of Object.entries(ports)) {
		const replaced = text.replace(new RegExp('\\b' + from + '\\b', 'g'), to);

		assert.notStrictEqual(replaced, text, from + ' is in the example');
		text = replaced;
	}
	return text;
}

// Asks for a login and for three steps, as a page does.
async function logsIn(t, url, application, options = {}) {
	const client = await socketClient(t, 4, url, options);
	const steps = [];

	await client.register(application);
	const reply = await client.request({ type: 'login', params: { username: 'rob', password: 'secret' } });
	assert.deepStrictEqual({ ...reply.message, token: 0 }, { ok: true, token: 0 });
	client.token = reply.message.token;
	assert.strictEqual((await client.request({ type: 'steps' }, steps)).message.done, true);
	assert.deepStrictEqual(steps.map((s) => s.message.step), [1, 2, 3]);
	return client;
}

// nginx, haproxy; without them contrib/test has not prepared this machine.
function startProxy(t, program, args) {
	const found = ['/usr/sbin/', '/usr/local/sbin/', '/usr/bin/'].map((dir) => dir + program).find((file) => fs.existsSync(file));

	assert.ok(found, program + ' is not installed');
	const proxy = new Child(found, args);

	atEnd(t, async () => {
		proxy.kill('SIGTERM');
		await proxy.end();
	});
	return proxy;
}

const accepts = (port) => new Promise((resolve) => {
	const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });

	socket.on('error', () => resolve(false));
});

const listens = (proxy, port) => waitFor(() => 'port ' + port + ':\n' + proxy.log, async () => {
	if (proxy.hasEnded)
		throw new Error('it ended:\n' + proxy.log);
	return accepts(port);
});

test('a master and its worker node', async (t) => {
	const worker = await startUsherd(t, withPorts(example('worker.yaml'), { 8081: 0 }), { files: FILES });
	const master = await startUsherd(t, withPorts(example('master.yaml'), { 8080: 0, 8081: worker.port }));

	await master.linked();
	await logsIn(t, master.url, 'jwt');
});

test('master and worker node in one', async (t) => {
	const node = await startUsherd(t, withPorts(example('both.yaml'), { 8080: 0 }), { files: FILES });

	await logsIn(t, node.url, 'shop');
});

test('REST', async (t) => {
	const worker = await startUsherd(t, `${LISTEN}\n${JWT}\napplications:\n` + ['user-app', 'order-app'].map((name) =>
		`  ${name}: { command: ${nodeKit('rest-app.js')} }\n`).join(''));
	const master = await startUsherd(t, withPorts(example('rest.yaml'), { 8080: 0, 8081: worker.port, 8082: worker.port }));

	await master.linked();
	assert.strictEqual((await ask(master.url, 'GET', '/api/user/17')).status, 200);
	assert.strictEqual((await ask(master.url, 'GET', '/nothing')).status, 404);
});

test('a node behind nginx sees whose browser it is', async (t) => {
	const node = await startUsherd(t, withPorts(example('behind-nginx.yaml'), { 8080: 0 }),
	    { files: FILES, args: ['-D', 'request', '-D', 'conn'] });
	const [port] = await freePorts(1);
	const dir = folder(t, { 'usher.conf': withPorts(example('nginx.conf').replace('127.0.0.2:8080', ''), { 8000: '127.0.0.1:' + port, 8080: node.port }) });

	// What the nginx.conf of Debian brings around it.
	fs.writeFileSync(path.join(dir, 'nginx.conf'), `daemon off;\npid ${dir}/pid;\nerror_log stderr;\nevents {}\nhttp {\n` +
	    `access_log off;\ninclude ${dir}/usher.conf;\n` + ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
		.map((name) => `${name}_temp_path ${dir}/${name};\n`).join('') + '}\n');
	fs.chmodSync(dir, 0o755);
	await listens(startProxy(t, 'nginx', ['-c', path.join(dir, 'nginx.conf'), '-e', 'stderr']), port);

	const url = 'http://127.0.0.1:' + port;
	const from = { 'X-Forwarded-For': '203.0.113.9' };

	for (const transports of [['polling', 'websocket'], ['polling'], ['websocket']]) {
		const offset = node.log.length;

		await logsIn(t, url, 'shop', { transports, extraHeaders: from });
		// 127.0.0.1 is who asked nginx, and is a trusted proxy, too.
		assert.match(node.log.slice(offset), /of 203\.0\.113\.9: type login/, String(transports));
	}
	const page = await ask(url, 'GET', '/');

	assert.notStrictEqual(page.status, 502, 'pages are of nginx');
	assert.strictEqual((await ask(url, 'POST', '/ajax', { json: { type: 'login' } })).json.code, 'no_token');
});

test('two nodes behind HAProxy keep sessions that poll where they began', async (t) => {
	const nodes = [];
	const ports = {};

	for (const n of [1, 2]) {
		const node = await startUsherd(t, example('behind-haproxy.yaml'), { files: FILES, args: ['-D', 'request'],
			env: { NODE: String(n), NODE_PORT: '0', NODE_ADMIN_PORT: '0' } });

		nodes.push(node);
		ports[n === 1 ? 8080 : 8082] = node.port;
		ports[n === 1 ? 9180 : 9182] = (await node.logged(/health at http:\/\/127\.0\.0\.1:(\d+)/))[1];
	}
	const [port] = await freePorts(1);
	const dir = folder(t, { 'haproxy.cfg': withPorts(example('haproxy.cfg'), { 8000: port, ...ports }) });

	const proxy = startProxy(t, 'haproxy', ['-f', path.join(dir, 'haproxy.cfg'), '-db']);
	const url = 'http://127.0.0.1:' + port;

	await listens(proxy, port);
	await waitFor('both nodes to be given work', async () => new Set((await Promise.all([1, 2, 3, 4].map(() =>
		ask(url, 'POST', '/ajax', { json: { type: 'x' } })))).map((answer) => answer.status === 401 && answer.json.by)).size === 2);
	const polling = { transports: ['polling'], withCredentials: true };
	const clients = [];

	for (let i = 0; i < 4; i++)
		clients.push(await logsIn(t, url, 'shop', polling));
	const by = (await Promise.all(clients.map((client) => client.request({ type: 'nothing' })))).map((reply) => reply.message.by);

	assert.deepStrictEqual([...new Set(by)].sort(), ['node-1', 'node-2'], 'both have some of them');
	for (let i = 0; i < 5; i++) {
		const again = await Promise.all(clients.map((client) => client.request({ type: 'nothing' })));

		assert.deepStrictEqual(again.map((reply) => reply.message.by), by, 'each stays where it began');
	}
	await logsIn(t, url, 'shop', { transports: ['websocket'] });
});
