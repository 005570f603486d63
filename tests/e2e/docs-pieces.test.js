// SPDX-License-Identifier: ISC
// Pieces of pages are true: JavaScript of a page in README.md and doc/, run against a node, and parts
// of configurations, put into one that can be served; commands that turn QEWD's files into usher's.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { io } = require('socket.io-client-4');
const client = require('../../contrib/client');
const { atEnd } = require('./lib/cleanup');
const { readGuide, toScript } = require('./lib/guide');
const { Child } = require('./lib/processes');
const { folder, runUsherd, startUsherd, JWT, KITS, LISTEN, PROGRAM, SECRET } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const TOP = path.join(__dirname, '..', '..');
const CONTRIB = path.join(TOP, 'contrib');
const SHELL_MS = 300000;	// it makes keys, and starts interpreters
const KIT = fs.readFileSync(path.join(KITS, 'python', 'usher.py'), 'utf8');
const LOGIN = fs.readFileSync(path.join(KITS, 'python', 'examples', 'login.py'), 'utf8');
const SHOP = `
import usher

app = usher.Application()

@app.handler("order")
def order(message, session, send):
    session.orders = session.get("orders", 0) + 1
    return {"item": message["params"]["item"], "orders": session.orders}

@app.handler("report")
def report(message, session, send):
    send({"percent": 50})
    send({"percent": 100})
    return {"year": message["params"]["year"]}

@app.handler("tell")
def tell(message, session, send):
    app.push({"all": True}, "news", {"text": "a sale"})
    return {}

app.run()
`;
const COMMAND = (file) => `{ command: ["python3", "${file}"], pool: { size: 1 } }`;

const piecesOf = (page, kind, value) => readGuide(path.join(TOP, page))
    .filter((step) => step.kind === kind && (value === undefined || step.value === value)).map((step) => step.text);

// The pieces of one script as a page of a node has them: its names are those of the arguments, and
// it gives what the expression at its end does.  Deadlines are those of a busy machine.
async function runScript(page, name, args, result = 'undefined') {
	const pieces = piecesOf(page, 'script', name);
	const Script = Object.getPrototypeOf(runScript).constructor;

	assert.ok(pieces.length > 0, name);
	const text = pieces.join('').replace(/deadline: 5000/, 'deadline: 60000');
	return new Script(...Object.keys(args), `${text}\nreturn ${result};`)(...Object.values(args));
}

// io() of a page that a node serves, or names by an address of its own.
const ioOf = (t, node) => (...args) => {
	const socket = io(node.url, { forceNew: true, ...args.pop() });

	atEnd(t, () => socket.close());
	return socket;
};

test('README.md: the client, and plain events', async (t) => {
	const node = await startUsherd(t, `${LISTEN}\n${JWT}\napplications: { jwt: ${COMMAND('login.py')} }\n` +
	    'clients: { events: { jwt: "*" } }\n', { files: { 'usher.py': KIT, 'login.py': LOGIN } });
	const shown = [];
	const show = (what) => shown.push(what.done ? 'done' : what);
	const connect = (url, options) => {
		const usher = client.connect(node.url, { ...options, io });

		atEnd(t, () => usher.close());
		return usher;
	};

	await within('the client', runScript('README.md', 'client', { connect, show }));
	assert.deepStrictEqual(shown.splice(0), [1, 2, 3, 'done']);
	await runScript('README.md', 'events', { io: (url) => ioOf(t, node)(url, {}), show });
	await waitFor(() => 'the reply after ' + shown, () => shown.includes('done'));
	assert.deepStrictEqual(shown, [1, 2, 3, 'done']);
});

test('plain-events.md', async (t) => {
	const page = 'doc/plain-events.md';
	const [part] = piecesOf(page, 'part', 'usher.yaml');
	const node = await startUsherd(t, `node: worker-1\n${LISTEN}\n${JWT}\napplications: { shop: ${COMMAND('shop.py')} }\n${part}`,
	    { files: { 'usher.py': KIT, 'shop.py': SHOP } });
	const seen = [];
	const bar = (id) => ({ advance: (percent) => seen.push([id, percent]), end: (reply) => seen.push([id, reply.year]) });
	const show = (what) => seen.push(what.item || what);
	const asked = (socket, ...args) => within(args[0], new Promise((resolve) => { socket.emit(...args, resolve); }));

	await t.test('calls, intermediate replies and pushes', async (t) => {
		const { socket, token } = await runScript(page, 'page', { io: ioOf(t, node), bar, show, token: undefined },
		    '{ socket, token: () => token }');

		await waitFor(() => 'the report after ' + seen, () => seen.flat().includes(2026));
		await asked(socket, 'shop/tell', {});
		await waitFor('the news', () => seen.includes('a sale'));
		assert.deepStrictEqual(seen, [7, ['r1', 50], ['r1', 100], ['r1', 2026], 'a sale']);
		assert.strictEqual(token().split('.').length, 3);
	});

	await t.test('an error has these members', async (t) => {
		const expected = JSON.parse(piecesOf(page, 'part', 'error')[0]);
		const reply = await asked(ioOf(t, node)({}), 'shop/ordr', {});

		assert.match(reply.request, /^[0-9a-f]{32}$/);
		assert.deepStrictEqual({ ...reply, request: expected.request }, expected);
	});

	await t.test('a page keeps its session', async (t) => {
		const sessionStorage = {};

		for (const orders of [1, 2]) {
			const { call, socket } = await runScript(page, 'keeper', { io: ioOf(t, node), sessionStorage }, '{ call, socket }');
			const reply = await within('the order', call('shop/order', { item: 7 }));

			assert.strictEqual(reply.orders, orders);
			assert.strictEqual(sessionStorage.token, reply.token);
			socket.close();
		}
	});
});

async function runShell(t, text, cwd) {
	const child = new Child('bash', ['-c', toScript([{ kind: 'run', text, section: '' }])], {
		cwd, env: { ...process.env, PATH: [path.dirname(PROGRAM), CONTRIB, process.env.PATH].join(':') }
	});

	atEnd(t, () => child.kill('SIGTERM'));
	assert.strictEqual((await child.end(SHELL_MS)).code, 0, text + child.stdout + child.log);
}

test('tls.md: certificates, listeners, and a link with both', async (t) => {
	const page = 'doc/tls.md';
	const here = (text) => text.replaceAll('10.0.0.5', '127.0.0.1');
	const [browsers, names, ofWorker, ofMaster] = piecesOf(page, 'part').map(here);
	const dir = folder(t);
	const [openssl] = piecesOf(page, 'run').map(here);
	const [setting, authority, worker] = openssl.split(/^(?=openssl)/m);

	await runShell(t, setting + authority + worker + worker.replaceAll('worker', 'master'), dir);
	const files = Object.fromEntries(fs.readdirSync(dir).filter((name) => /\.(pem|key)$/.test(name))
	    .map((name) => [name, fs.readFileSync(path.join(dir, name), 'utf8')]));
	for (const name of ['app', 'intranet'])
		Object.assign(files, { [name + '.pem']: files['worker.pem'], [name + '.key']: files['worker.key'] });

	for (const listen of [browsers, browsers.replace(/^ +tls:.*\n/m, names)]) {
		const { code, stderr } = await runUsherd(t, ['-t', '-c', 'usher.yaml'], { ...files, 'usher.yaml': `${listen}\n${JWT}\n` });

		assert.strictEqual(code, 0, listen + stderr);
	}
	const far = await startUsherd(t, `${ofWorker.replace(':8443', ':0')}\n${JWT}\napplications: { auth-app: ${COMMAND('login.py')} }\n`,
	    { files: { ...files, 'usher.py': KIT, 'login.py': LOGIN } });
	const near = await startUsherd(t, `${LISTEN}\n${JWT}\n${ofMaster.replace('8443', far.port)}\n` +
	    'u_services: [{ application: jwt, types: { login: { destination: auth } } }]\n', { files });
	await near.linked();
});

test('coming-from-qewd.md: what converts configurations', async (t) => {
	const secret = SECRET.padEnd(64, '.');
	const up = path.join(__dirname, 'data', 'qewd2usher', 'up', 'configuration');
	const startup = `module.exports = { managementPassword: 'x', port: 8080, poolSize: 2, jwt: { secret: '${secret}' }, onStarted() {} };\n`;
	const blocks = piecesOf('doc/coming-from-qewd.md', 'run');

	assert.strictEqual(blocks.length, 2);
	for (const text of blocks) {
		const dir = folder(t, { 'startup.js': startup });

		fs.cpSync(up, path.join(dir, 'configuration'), { recursive: true });
		await runShell(t, text, dir);
		assert.match(fs.readFileSync(path.join(dir, 'usher.yaml'), 'utf8'), /secret_file: "?jwt\.secret/);
	}
});
