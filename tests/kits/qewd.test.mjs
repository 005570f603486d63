// SPDX-License-Identifier: ISC
/* QEWD's own worker behind the handler protocol; the packages are those of tests/e2e. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test as nodeTest } from 'node:test';
import { kitClient, onlyUsers, qewdFolder as cwd, SECRET, stockClient } from './clients.mjs';
import { firstSession } from './table.mjs';
import { handlers, here, nodeWith, Worker } from './worker.mjs';

const inFolder = (name) => path.join(here, 'qewd', name);
const isInstalled = fs.existsSync(path.join(cwd, 'node_modules', 'qewd'));

const test = (name, options, body = options) =>
  nodeTest(name, { skip: isInstalled ? false : 'npm ci in tests/e2e first',
    ...(body === options ? {} : options) }, body);

const program = {
  command: process.execPath,
  args: [path.join(handlers, 'node', 'usher-qewd-worker.js')],
  env: {}
};

const settings = {
  moduleMap: { 'test-app': inFolder('application.js'), shared: inFolder('service.js') },
  onWorkerStartedPath: inFolder('store.js'),
  userDefined: { colour: 'green' }
};

const claims = {
  exp: Math.floor(Date.now() / 1000) + 300, iat: Math.floor(Date.now() / 1000), iss: 'qewd.jwt',
  timeout: 300, jti: 'AbCdEf0123456789', socketId: 's1', ipAddress: '127.0.0.1',
  authenticated: false
};
const hidden = ['socketId', 'ipAddress', 'authenticated'];

function hello(more = {}, worker = 1) {
  return {
    op: 'hello', protocol: 1, node: 'n1', application: 'test-app', worker,
    qewd: { secret: SECRET, lifetime: 300, settings: { ...settings, ...more } }
  };
}

/* A worker that is ready, and a client whose session goes to and fro as with the daemon. */
async function started(t, more, options = {}) {
  const worker = new Worker(t, program, { cwd, ...options });

  worker.put(hello(more));
  assert.deepEqual(await worker.next(), { op: 'ready', kit: 'qewd/1' });
  return worker;
}

function client(worker, session = claims, secret = hidden) {
  return async (type, params, message = { type, params }) => {
    const answer = await worker.ask(type, params, { session, secret, message });
    const { final } = answer;

    if (final.session && !final.message.error) {
      session = { ...claims, ...onlyUsers(final.session) };
      for (const name of hidden) if (!(name in final.session)) delete session[name];
      secret = final.secret;
    }
    return answer;
  };
}

test('what a QEWD worker has in this is QEWD\'s own', async (t) => {
  const worker = await started(t);
  const ask = client(worker);

  assert.deepEqual((await ask('about')).final.message, {
    initialised: 'test-app, sessions: object', userDefined: 'green', isFirst: true,
    hasDb: 'function', hasUse: 'function', hasBuild: true, hasSessions: 'function', secret: SECRET
  });
  assert.equal((await ask('about')).final.message.after, 1);
});

test('a document that one request wrote another one reads, and its event is heard', async (t) => {
  const ask = client(await started(t));
  const note = { text: 'Grüße', list: ['a', 'b'], nested: { deep: 1 } };

  await ask('remember', { about: 'x', note });
  await ask('remember', { about: 'y', note: { n: 2 } });
  assert.deepEqual((await ask('recall', { about: 'x' })).final.message,
    { names: ['x', 'y'], note: { ...note, count: 1 } });
  assert.ok((await ask('about')).final.message.noted > 0);
  assert.deepEqual((await ask('forget')).final.message, { left: false });
});

test('beforeHandler refuses, services answer where they are allowed', async (t) => {
  const ask = client(await started(t));
  const service = (name, type = 'hello') => ask(type, {}, { type, service: name });

  assert.deepEqual((await ask('forbidden')).final.message, { error: 'not for you' });
  assert.deepEqual((await service('shared')).final,
    { op: 'finish', id: 2, message: { hello: 'test-app' } });
  assert.deepEqual((await service('other')).final.message,
    { error: 'other service is not permitted for the test-app application', service: 'other' });
  assert.match((await service('shared', 'absent')).final.message.error,
    /No handler defined for shared service messages of type absent/);
});

test('fragments come from the folder of the application, and from nowhere else', async (t) => {
  const www = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-qewd-'));
  t.after(() => fs.rmSync(www, { recursive: true }));
  fs.mkdirSync(path.join(www, 'test-app'));
  fs.writeFileSync(path.join(www, 'test-app', 'a.html'), '<b>a</b>');
  fs.writeFileSync(path.join(www, 'private'), 'private');
  const ask = client(await started(t, { webServerRootPath: www }));

  assert.deepEqual((await ask('ewd-fragment', { file: 'a.html' })).final.message,
    { fragmentName: 'a.html', content: '<b>a</b>' });
  for (const file of ['absent.html', '../private', '..\\private', 'x/../../private', 5]) {
    assert.deepEqual((await ask('ewd-fragment', { file })).final.message,
      { error: `Fragment file ${file} does not exist`, file });
  }
});

test('types of QEWD\'s own and names every object has are no handlers', async (t) => {
  const ask = client(await started(t));

  for (const type of ['absent', 'ewd-jwt-encode', 'ewd-register', 'qoper8-exit',
    'ewd-dump-documents', 'ewd-qoper8-express', 'constructor', '__proto__', 'toString']) {
    assert.deepEqual({ ...(await ask(type, { payload: {} })).final, id: 0 }, {
      op: 'fail', id: 0, code: 'no_handler',
      error: `Handler not defined for test-app messages of type ${type}`
    });
  }
  for (const service of ['constructor', '__proto__', ['constructor']]) {
    assert.equal((await ask('keys', {}, { type: 'keys', service })).final.code, 'no_handler');
  }
});

test('what a client may write into a message gives it no other session', async (t) => {
  const token = client(await started(t));
  const forged = { type: 'list', token: 'x.y.z', jwt: false, application: 'other', dbIndex: 1 };

  assert.deepEqual((await token('list', {}, forged)).final,
    { op: 'finish', id: 1, message: [1, 2, 3] });
  // QEWD does not decrypt the session of such a path: what is secret stays as it is.
  assert.deepEqual((await token('list', {}, { type: 'list', path: '/qewd/importRoutes/x' })).final,
    { op: 'finish', id: 2, message: [1, 2, 3] });
  const { final } = await token('push', {}, { type: 'push', path: '/qewd/importRoutes/x' });
  assert.deepEqual(final, { op: 'finish', id: 3, message: { ok: true } });
  const stored = client(await started(t, { jwt: false }));
  assert.deepEqual((await stored('list', {}, { ...forged, jwt: true })).final.message, [1, 2, 3]);
});

test('without jwt the session is in the document store, with all that QEWD keeps there',
  async (t) => {
  const worker = await started(t, { jwt: false });
  const anna = client(worker), bert = client(worker, { ...claims, jti: 'another' });

  assert.deepEqual(onlyUsers((await anna('login', { user: 'anna' })).final.session),
    { ...onlyUsers(claims), authenticated: true, timeout: 1200 });
  assert.deepEqual((await anna('basket')).final.message, {
    application: 'test-app', authenticated: true, timeout: 1200, socketId: 's1',
    ipAddress: '127.0.0.1', user: 'anna', basket: { apples: 3 }, active: 1
  });
  assert.deepEqual((await bert('basket')).final.message, {
    application: 'test-app', authenticated: false, timeout: 300, socketId: 's1',
    ipAddress: '127.0.0.1', user: '', basket: [], active: 2
  });
  assert.equal((await anna('basket')).final.session, undefined, 'nothing changed');
  worker.put(worker.request('pushBySession', {}, { session: claims, secret: hidden }));
  assert.deepEqual(await worker.next(),
    { op: 'push', to: { socket: 's1' }, type: 'news', message: { n: 1 } });
  assert.equal((await worker.next()).op, 'finish');
  assert.equal((await anna('logout')).final.session.authenticated, false);
  assert.equal((await anna('basket')).final.message.user, '', 'a new session');
});

test('without jwt, who was logged in and has no session here is told so', async (t) => {
  const ask = client(await started(t, { jwt: false }), { ...claims, authenticated: true });

  assert.deepEqual((await ask('basket')).final.message,
    { error: 'Invalid token or session expired', disconnect: true });
});

test('without jwt, a token of a stock master gets a name for its session', async (t) => {
  const { jti, ...unnamed } = claims;
  const worker = await started(t, { jwt: false });
  const { final } = await client(worker, unnamed)('login', { user: 'anna' });

  assert.match(final.session.usher_session, /^[0-9a-f-]{36}$/);
  assert.deepEqual(final.secret, [...hidden, 'usher_session'].sort());
  assert.equal((await client(worker, { ...unnamed, ...final.session }, final.secret)('basket'))
    .final.message.user, 'anna');
});

test('a secret changes by assignment or makePublic, and as in QEWD not by delete', async (t) => {
  const ask = client(await started(t), { ...claims, username: 'rob' }, [...hidden, 'username']);

  assert.deepEqual((await ask('dropSecret')).final,
    { op: 'finish', id: 1, message: { left: false } }, 'nothing changed');
  const { session, secret } = (await ask('clearSecret')).final;
  assert.deepEqual([session.username, secret], ['', [...hidden, 'username'].sort()]);
});

test('beside its token a client may have a session in the document store', async (t) => {
  const ask = client(await started(t));
  const first = (await ask('both')).final;

  assert.deepEqual(first.message, { visits: 1 });
  assert.deepEqual(first.secret, [...hidden, 'uid'].sort());
  assert.deepEqual((await ask('both')).final.message, { visits: 2 });
});

test('handlers may push to a socket, and reply through the worker', async (t) => {
  const worker = await started(t);

  worker.put(worker.request('push', {}, { session: claims, secret: hidden }));
  assert.deepEqual(await worker.next(),
    { op: 'push', to: { socket: 's1' }, type: 'news', message: { n: 2 } });
  assert.equal((await worker.next()).op, 'finish');
  assert.deepEqual(await client(worker)('replyByWorker'), {
    sends: [{ op: 'send', id: 2, type: 'progress', message: { pct: 10 } }],
    final: { op: 'finish', id: 2, message: { by: 'the worker' } }
  });
});

test('handlers see a token of their own session, and the log sees neither it nor secrets',
  async (t) => {
  const worker = await started(t);
  const { final } = await client(worker, { ...claims, authenticated: true })('seeToken');

  assert.deepEqual(final.message, { jwt: true, application: 'test-app', authenticated: true });
  await worker.until(() => /secret/.test(worker.stdout) && /secret/.test(worker.stderr), 'prints');
  assert.match(worker.stdout, /^token \(token\) secret \(secret\)\n$/);
  assert.match(worker.stderr, /^secret \(secret\)\n$/);
});

test('replies after the final reach no other request', async (t) => {
  const worker = await started(t);

  assert.deepEqual((await worker.ask('lateReplies')).final.message, { n: 1 });
  const { sends, final } = await worker.ask('slow', { ms: 300 });
  assert.deepEqual([sends.map((line) => line.message), final.message],
    [[{ started: true }], { waited: true }]);
  assert.match(worker.stdout, /late replies are over/);
});

test('a late exception of one request leaves the next one alone, then the worker leaves',
  async (t) => {
  const worker = await started(t);

  assert.deepEqual((await worker.ask('lateCrash')).final.message, { n: 1 });
  worker.put(worker.request('slow', { ms: 300 }));
  assert.equal((await worker.next()).op, 'send');
  assert.deepEqual(await worker.next(),
    { op: 'unready', reason: 'crash of the first' });
  assert.deepEqual((await worker.next()).message, { waited: true });
  assert.deepEqual(await worker.exit, { code: 1, signal: null });
  assert.match(worker.stderr, /crash of the first/);
});

test('an async handler\'s rejection and a reply that is no JSON fail the request alone',
  async (t) => {
  const ask = client(await started(t));

  assert.deepEqual((await ask('asyncCrash')).final,
    { op: 'fail', id: 1, code: 'handler_error', error: 'Deliberate failure' });
  assert.match((await ask('circular')).final.error, /circular/);
  assert.deepEqual((await ask('list')).final.message, [1, 2, 3]);
});

test('exceptions are also written to errorLogFile', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-qewd-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const errorLogFile = path.join(dir, 'errors.log');

  await client(await started(t, { errorLogFile }))('asyncCrash');
  assert.match(fs.readFileSync(errorLogFile, 'utf8'), /Deliberate failure[^]*application\.js/);
});

test('a locked session is unlocked with its final', async (t) => {
  const ask = client(await started(t, { lockSession: { timeout: 5 } }));

  assert.deepEqual((await ask('locked')).final.message, { locked: true });
  assert.equal((await ask('circular')).final.op, 'fail');
  assert.deepEqual((await ask('locked')).final.message, { locked: true });
});

test('a token about to expire is good for the request that the daemon let in', async (t) => {
  const worker = await started(t);
  const ask = client(worker, { ...claims, exp: Math.floor(Date.now() / 1000) - 5 });

  assert.deepEqual((await ask('list')).final.message, [1, 2, 3]);
});

test('names beginning with a dot are seen from the folder of the application', async (t) => {
  const relative = (name) => `./${path.relative(cwd, inFolder(name))}`;
  const worker = await started(t, {
    moduleMap: { 'test-app': relative('application.js') }, onWorkerStartedPath: relative('store.js')
  });

  assert.deepEqual((await worker.ask('list')).final.message, [1, 2, 3]);
});

for (const [what, more, options, complaint] of [
  ['no QEWD', {}, { cwd: os.tmpdir() }, /QEWD cannot be started[^]*Cannot find module 'qewd'/],
  ['a hook that is not there', { onWorkerStartedPath: './absent.js' }, {},
    /QEWD cannot be started[^]*absent\.js/],
  ['a database whose module is not there', { database: { type: 'cache' } }, {},
    /QEWD cannot be started[^]*cache/]
]) {
  test(`${what} ends the worker before it is ready`, async (t) => {
    const worker = new Worker(t, program, { cwd, ...options });

    worker.put(hello(more));
    assert.deepEqual(await worker.exit, { code: 1, signal: null });
    assert.match(worker.stderr, complaint);
    assert.ok(!worker.stderr.includes(SECRET));
    assert.deepEqual(worker.lines, []);
  });
}

test('without a document store QEWD says so, and the log as well', async (t) => {
  const worker = await started(t, { onWorkerStartedPath: undefined });

  assert.match((await worker.ask('list')).final.message.error, /No Document Store/);
  assert.match(worker.stderr, /no document store yet/);
});

test('a module that is not there is QEWD\'s error, and named in the log', async (t) => {
  const worker = await started(t, { moduleMap: { 'test-app': './absent.js' } });

  assert.equal((await worker.ask('list')).final.message.error,
    'Unable to load handler module for: test-app');
  await worker.until(() => worker.stdout.includes('absent.js'), 'the reason');
});

test('stop lets the request at hand finish and ends QEWD in order', async (t) => {
  const worker = await started(t);

  worker.put(worker.request('slow', { ms: 200 }));
  assert.equal((await worker.next()).op, 'send');
  worker.put({ op: 'stop' });
  assert.deepEqual((await worker.next()).message, { waited: true });
  assert.deepEqual(await worker.exit, { code: 0, signal: null });
});

for (const [how, end] of [
  ['end of file', (worker) => worker.input.end()],
  ['a request before hello', (worker) => worker.put(worker.request('list'))],
  ['a line that is no JSON', (worker) => worker.put('{"op":"hello","qewd":{"secret":"x"}\n')]
]) {
  test(`${how} ends the worker`, async (t) => {
    const worker = new Worker(t, program, { cwd });

    end(worker);
    assert.equal((await worker.exit).code, how === 'end of file' ? 0 : 1);
    assert.ok(!worker.stderr.includes('secret'));
  });
}

test('by hand: requests from stdin, answers alone on stdout', async (t) => {
  const worker = new Worker(t, program, { cwd, mode: 'stdio' });
  const lines = [
    { ...hello(), qewd: { settings } }, worker.request('about'), worker.request('list')
  ];

  worker.input.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  assert.deepEqual(await worker.exit, { code: 0, signal: null });
  assert.deepEqual(worker.lines.map((line) => JSON.parse(line)).map(({ op, id }) => [op, id]),
    [['ready', undefined], ['finish', 1], ['finish', 2]]);
});

/* QEWD-Up: a micro-service as a folder of files, whose handlers are (args, finished). */
function qewdUp(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-qewd-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  fs.symlinkSync(path.join(cwd, 'node_modules'), path.join(dir, 'node_modules'));
  const file = (name, text) => {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
  };
  return { dir, file };
}

test('an interactive application of QEWD-Up has its handlers in a folder', async (t) => {
  const { dir, file } = qewdUp(t);
  file('qewd-apps/my-app/index.js',
    "module.exports = require('qewd/up/qewdAppHandler')(__dirname);");
  file('qewd-apps/my-app/greet/index.js',
    'module.exports = (m, session, send, finished) => finished({ hello: m.params.name });');
  const worker = await started(t, { moduleMap: { 'test-app': './qewd-apps/my-app' } },
    { cwd: dir });

  assert.deepEqual((await worker.ask('greet', { name: 'anna' })).final.message, { hello: 'anna' });
});

test('a QEWD-Up micro-service answers REST requests', async (t) => {
  const { dir, file } = qewdUp(t);
  file('configuration/config.json', '{"ms_name":"info"}');
  file('configuration/routes.json', JSON.stringify([
    { uri: '/api/info/:id', method: 'GET', handler: 'getInfo', authenticate: false }]));
  file('apis/getInfo/index.js', `module.exports = function (args, finished) {
    args.session.visits = (args.session.visits || 0) + 1;
    finished({ id: args.id, query: args.req.query, store: typeof this.documentStore });
  };`);
  const worker = await started(t, { moduleMap: { 'test-app': 'qewd/up/ms_handlers' } },
    { cwd: dir, extraEnv: { mode: 'microservice', qewd_isNative: 'true' } });
  const message = {
    type: 'restRequest', path: '/api/info/7', pathTemplate: '/api/info/:id', method: 'GET',
    headers: {}, query: { q: '1' }, args: { id: '7' }, ms_requestId: 3
  };
  const { final } = await client(worker)('restRequest', undefined, message);

  assert.deepEqual(final.message, { id: '7', query: { q: '1' }, store: 'object' });
  assert.equal(final.session.visits, 1);
});

/*
 * What only modules for QEWD have, asked of three: QEWD's own worker process, this worker, and
 * the plain Node kit.  All else is in table.mjs.
 */
const requests = [
  ['needsAuth'], ['login', { username: 'rob', password: 'secret' }], ['needsAuth'],
  ['raw', { a: null, b: [1, { c: '' }] }], ['steps', { tag: 2, gap: 5 }], ['stepsOther', { tag: 3 }],
  ['emptyObject'], ['fail', { tag: 4 }], ['late'], ['slow', { ms: 20, tag: 5 }],
  ['promised', { tag: 6 }], ['greeting'], ['crash'], ['whoami']
];
const lethal = [['crashLater']];
const module = path.join(here, '..', 'e2e', 'handlers', 'remote-app.js');

test('modules for QEWD are served as by stock QEWD and by the Node kit, field by field',
  async (t) => {
  const own = await started(t, { moduleMap: { 'test-app': module } });
  const kit = new Worker(t, nodeWith(module));
  await kit.hello();
  const three = [stockClient(t, module), ...[own, kit].map((w) => kitClient(w, firstSession))];

  for (const request of [...requests, ...lethal]) {
    const [stock, mine, plain] = await Promise.all(three.map((ask) => ask(...request)));
    const what = JSON.stringify(request);

    assert.deepEqual({ ...mine, code: undefined }, stock, `stock QEWD, ${what}`);
    assert.deepEqual(mine, plain, `Node kit, ${what}`);
  }
  for (const worker of [own, kit]) assert.deepEqual(await worker.exit, { code: 1, signal: null });
});

/* Redis through QEWD's own adapter, which outlives a worker. */
test('documents and sessions in Redis outlive the worker', async (t) => {
  assert.equal(spawnSync('redis-server', ['--version']).status, 0, 'this test needs redis-server');
  const port = await redis(t);
  const more = {
    jwt: false, onWorkerStartedPath: undefined,
    database: { type: 'redis', params: { host: '127.0.0.1', port } }
  };
  const options = { extraEnv: { NODE_PATH: inFolder('modules') } };
  const first = await started(t, more, options);
  const anna = client(first);

  await anna('remember', { about: 'x', note: { text: 'kept', nested: { deep: 1 } } });
  const { session, secret } = (await anna('login', { user: 'anna' })).final;
  first.put({ op: 'stop' });
  assert.deepEqual(await first.exit, { code: 0, signal: null });

  const again = client(await started(t, more, options), { ...claims, ...session }, secret);
  assert.deepEqual((await again('recall', { about: 'x' })).final.message,
    { names: ['x'], note: { text: 'kept', nested: { deep: 1 }, count: 1 } });
  const { user, basket, authenticated } = (await again('basket')).final.message;
  assert.deepEqual({ user, basket, authenticated },
    { user: 'anna', basket: { apples: 3 }, authenticated: true });
});

async function redis(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-redis-'));
  const port = await freePort();
  const child = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '',
    '--dir', dir], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(async () => {
    child.kill('SIGKILL');
    fs.rmSync(dir, { recursive: true });
  });
  let text = '';
  for await (const data of child.stdout) {
    text += data;
    if (/eady to accept connections/.test(text)) break;
  }
  return port;
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
