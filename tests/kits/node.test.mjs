// SPDX-License-Identifier: ISC
/* What only the Node kit has to care for: QEWD's modules and asynchronous handlers. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { kits, nodeWith, started, ways, Worker } from './worker.mjs';

const { fixture } = kits.find((kit) => kit.name === 'node');
const protocol = ways.find((way) => way.name === 'node').program;

function folder(t, files) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-kits-'));

  t.after(() => fs.rmSync(dir, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text);
  }
  return dir;
}

test('the second final and intermediates after the first are dropped', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('twice')).final.message, { n: 1 });
  assert.deepEqual((await worker.ask('list')).final.message, [1, 2, 3]);
});

test('asynchronous handlers answer, and their rejection fails the request alone', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('asyncOk')).final.message, { ok: true });
  assert.deepEqual((await worker.ask('asyncCrash')).final,
    { op: 'fail', id: 2, code: 'handler_error', error: 'Deliberate failure' });
  assert.deepEqual((await worker.ask('asyncOk')).final.message, { ok: true });
});

for (const [type, error] of [
  ['crashLater', 'Deliberate late failure'], ['rejectLater', 'Deliberate late rejection']
]) {
  test(`${type} fails the request and ends the process`, async (t) => {
    const worker = await started(t, fixture);

    worker.put(worker.request(type));
    assert.deepEqual(await worker.next(), { op: 'unready', reason: error });
    assert.deepEqual(await worker.next(), { op: 'fail', id: 1, code: 'handler_error', error });
    assert.deepEqual(await worker.exit, { code: 1, signal: null });
    assert.match(worker.stderr, new RegExp(`${error}[^]*fixture.js`));
  });
}

test('an exception after the final ends the process and answers nothing', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('crashLaterWithoutRequest')).final.message, { ok: true });
  assert.deepEqual(await worker.next(), { op: 'unready', reason: 'Deliberate late failure' });
  assert.deepEqual(await worker.exit, { code: 1, signal: null });
  assert.deepEqual(worker.lines, []);
});

test('anything can be thrown', async (t) => {
  const worker = await started(t, fixture);

  assert.equal((await worker.ask('crashText')).final.error, 'just a text');
  assert.match((await worker.ask('crashOdd')).final.error, /null prototype/);
});

test('a type that is no text stays in the intermediate reply', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('typeIsNumber')).sends,
    [{ op: 'send', id: 1, message: { type: 5, n: 1 } }]);
});

test('a secret name is always text', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('secretNumber')).final.secret, ['5']);
});

test('what this lacks of a QEWD worker is named', async (t) => {
  const worker = await started(t, fixture);

  for (const name of ['db', 'documentStore', 'sessions', 'userDefined', 'handlers',
    'on', 'jwt']) {
    const { final } = await worker.ask('api', { name });
    assert.equal(final.code, 'handler_error');
    assert.ok(final.error.startsWith(`this.${name} is not available in usher's Node kit: `),
      final.error);
  }
});

test('this is for a handler to keep things in', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('ownState')).final.message,
    { prepared: 'by init', db: 'mine', unknown: true });
});

test('init, beforeHandler and afterHandler are called in their order', async (t) => {
  const worker = await started(t, fixture);

  await worker.ask('list');
  await worker.ask('absent');
  await worker.ask('crash');
  assert.deepEqual((await worker.ask('calls')).final.message.calls,
    ['init test-app', 'before list', 'after list', 'before absent', 'before crash',
      'before calls']);
});

test('beforeHandler can refuse, at once or by a promise, and can fail', async (t) => {
  const worker = await started(t, fixture);

  for (const type of ['forbidden', 'forbiddenLater']) {
    assert.deepEqual((await worker.ask(type)).final.message, { error: 'User not authenticated' });
  }
  assert.equal((await worker.ask('crashBefore')).final.error, 'Failure before');
  const { calls } = (await worker.ask('calls')).final.message;
  assert.ok(!calls.includes('ran') && !calls.includes('after forbidden'), calls.join());
});

test('beforeMicroServiceHandler can refuse', async (t) => {
  const dir = folder(t, { 'm.js': `module.exports = {
    beforeMicroServiceHandler: (m, finished) => { finished({ error: 'no' }); return false; },
    handlers: { a: (m, s, send, finished) => finished({ ran: true }) } };` });
  const worker = await started(t, nodeWith('./m.js'), { cwd: dir });

  assert.deepEqual((await worker.ask('a')).final.message, { error: 'no' });
});

test('end of file ends a worker in the middle of a request', async (t) => {
  const worker = await started(t, fixture);

  worker.put(worker.request('never'));
  assert.equal((await worker.next()).op, 'send');
  worker.input.end();
  assert.deepEqual(await worker.exit, { code: 0, signal: null });
});

const HANDLERS = 'module.exports = { handlers: { here: (m, s, send, finished) => finished({}) } };';

test('a module is a path seen from the current folder, or the name of an npm module', async (t) => {
  const dir = folder(t, {
    'm.js': HANDLERS, 'sub/index.js': HANDLERS, 'node_modules/usher-test-module/index.js': HANDLERS
  });

  for (const name of ['./m.js', 'm.js', './m', 'sub', path.join(dir, 'm.js'),
    'usher-test-module']) {
    const worker = new Worker(t, nodeWith(name), { cwd: dir });
    assert.deepEqual((await worker.hello()).types, ['here'], name);
  }
});

for (const [what, text, complaint] of [
  ['that is not there', null, /m\.js cannot be loaded[^]*Cannot find module/],
  ['with a syntax error', 'module.exports = {', /m\.js cannot be loaded[^]*SyntaxError/],
  ['that throws', 'throw new Error("not today")', /m\.js cannot be loaded[^]*not today/],
  ['that needs another that is not there', 'require("usher-absent")',
    /Cannot find module 'usher-absent'/],
  ['without handlers', 'module.exports = { login: () => {} }', /exports no "handlers"/],
  ['that is nothing', 'module.exports = null', /exports no "handlers"/],
  ['whose init throws', `${HANDLERS} module.exports.init = () => { throw new Error("no disk") };`,
    /init\(\) of the handler module failed[^]*no disk/],
  ['whose init needs what is lacking',
    `${HANDLERS} module.exports.init = function () { this.documentStore.on("afterSet"); };`,
    /this\.documentStore is not available/]
]) {
  test(`a module ${what} ends the worker before it is ready`, async (t) => {
    const dir = folder(t, text === null ? {} : { 'm.js': text });
    const worker = new Worker(t, nodeWith('./m.js'), { cwd: dir });

    worker.put({ op: 'hello', protocol: 1, node: 'n', application: 'a', worker: 1 });
    assert.deepEqual(await worker.exit, { code: 1, signal: null });
    assert.match(worker.stderr, complaint);
    assert.deepEqual(worker.lines, []);
  });
}

test('called without a module, it says how', async (t) => {
  const program = nodeWith('./m.js');
  const worker = new Worker(t, { ...program, args: program.args.slice(0, 1) });

  assert.deepEqual(await worker.exit, { code: 1, signal: null });
  assert.match(worker.stderr, /usage: node usher-worker\.js \[--concurrency N\] MODULE/);
});

for (const type of ['crashLater', 'rejectLater']) {
  test(`with others beside it, ${type} costs its own request, then the process`, async (t) => {
    const worker = await started(t, protocol(8));
    const other = worker.request('wait', { ms: 300, tag: 'innocent' });
    const culprit = worker.request(type, { ms: 20 });

    worker.put(other);
    worker.put(culprit);
    assert.equal((await worker.next()).op, 'send');
    assert.deepEqual(await worker.next(), { op: 'unready', reason: 'Deliberate late failure' });
    assert.deepEqual(await worker.next(),
      { op: 'fail', id: culprit.id, code: 'handler_error', error: 'Deliberate late failure' });
    // The daemon may have sent one more before it read that.
    worker.put(worker.request('wait', { ms: 10, tag: 'crossing' }));
    assert.deepEqual([(await worker.next()).message, (await worker.next()).message],
      [{ tag: 'crossing' }, { tag: 'innocent' }]);
    assert.deepEqual(await worker.exit, { code: 1, signal: null });
  });
}

test('an exception of a request that is answered costs no other', async (t) => {
  const worker = await started(t, protocol(1));

  assert.equal((await worker.ask('answeredThenCrashes', { ms: 20 })).final.op, 'finish');
  const other = worker.request('wait', { ms: 200, tag: 'innocent' });
  worker.put(other);
  assert.equal((await worker.next()).op, 'unready');
  assert.deepEqual((await worker.answer(other.id)).final.message, { tag: 'innocent' });
  assert.deepEqual(await worker.exit, { code: 1, signal: null });
});

test('an exception that is nobody\'s fails all', async (t) => {
  const worker = await started(t, protocol(8));

  worker.put(worker.request('wait', { ms: 5000 }));
  worker.put(worker.request('breakLater'));
  assert.equal((await worker.next()).op, 'send');
  assert.equal((await worker.next()).op, 'unready');
  for (const id of [1, 2]) {
    assert.deepEqual(await worker.next(),
      { op: 'fail', id, code: 'handler_error', error: 'Deliberate failure of nobody' });
  }
  assert.deepEqual(await worker.exit, { code: 1, signal: null });
});

test('what becomes of a call is no fault of the worker', async (t) => {
  const worker = await started(t, protocol(1));
  const refusal = { error: 'Not here', code: 'no_route' };
  const calling = async (type) => {
    const request = worker.request(type);
    worker.put(request);
    const { call } = await worker.next();
    return { id: request.id, refuse: { op: 'reply', call, finished: true, message: refusal } };
  };

  const first = await calling('thenWithoutCatch');
  worker.put(first.refuse);
  assert.deepEqual((await worker.answer(first.id)).final.message, refusal);
  const second = await calling('thenWithoutCatch');
  worker.put({ op: 'cancel', id: second.id });
  assert.equal((await worker.answer(second.id)).final.error, 'cancelled');
  const third = await calling('ignoresAnswer');
  assert.equal((await worker.answer(third.id)).final.op, 'finish');
  worker.put(third.refuse);
  assert.equal((await worker.ask('callsTooLate')).final.op, 'finish');
  await worker.until(() => worker.stdout === 'refused: the request is answered\n', 'the refusal');
  assert.equal((await worker.ask('about')).final.op, 'finish');
  assert.equal(worker.stderr, '');
});

test('what a callback of a call throws fails the request', async (t) => {
  const worker = await started(t, protocol(1));

  worker.put(worker.request('badCallback'));
  const { call } = await worker.next();
  worker.put({ op: 'reply', call, finished: false, message: {} });
  assert.equal((await worker.answer(1)).final.error, 'Failure in a callback');
  assert.equal((await worker.ask('about')).final.op, 'finish');
});

test('QEWD\'s sendMessage pushes to the socket that is named, or to the asking one', async (t) => {
  const worker = await started(t, protocol(1));

  worker.put(worker.request('qewdPush', {}, { session: { socketId: 's7' } }));
  const push = { op: 'push', type: 'pushed' };
  assert.deepEqual(await worker.next(),
    { ...push, to: { socket: 's7' }, message: { hello: true } });
  assert.deepEqual(await worker.next(),
    { ...push, to: { socket: 's1' }, message: { hello: 'asker' } });
});

test('a handler may be an arrow function, and may keep what it likes in this', async (t) => {
  const worker = await started(t, protocol(1));

  assert.deepEqual((await worker.ask('arrow')).final.message, { id: 1 });
  assert.deepEqual((await worker.ask('ownNames')).final.message, { was: 'object', is: 'mine' });
  assert.deepEqual((await worker.ask('ownNames')).final.message, { was: 'string', is: 'mine' });
});

test('the value of a promise is the final of who does not take finished', async (t) => {
  const worker = await started(t, protocol(1));

  assert.deepEqual((await worker.ask('acceptsFinished')).final.message, { by: 'finished' });
  assert.deepEqual((await worker.ask('asyncNothing')).final.message, {});
});

test('concurrency is said by the module, and better by the command line', async (t) => {
  const dir = folder(t, { 'm.js': `${HANDLERS} module.exports.concurrency = 4;` });
  const ready = (...options) => new Worker(t, nodeWith('./m.js', ...options), { cwd: dir }).hello();

  assert.equal((await ready()).concurrency, 4);
  assert.equal((await ready('--concurrency', '32')).concurrency, 32);
  assert.equal((await ready('--concurrency=1')).concurrency, undefined);
  for (const wrong of ['0', '-1', '1.5', 'many', '']) {
    const worker = new Worker(t, nodeWith('./m.js', `--concurrency=${wrong}`), { cwd: dir });
    assert.deepEqual(await worker.exit, { code: 1, signal: null });
    assert.match(worker.stderr, /concurrency is a number of requests, at least 1/);
  }
  const worker = new Worker(t, nodeWith('./m.js', '--speed', '9'), { cwd: dir });
  assert.deepEqual(await worker.exit, { code: 1, signal: null });
  assert.match(worker.stderr, /usage/);
});

test('the kit and NODE_CHANNEL_FD exclude each other', async (t) => {
  const worker = new Worker(t, fixture, { extraEnv: { NODE_CHANNEL_FD: '3' } });

  assert.deepEqual(await worker.exit, { code: 1, signal: null });
  assert.match(worker.stderr, /NODE_CHANNEL_FD names it too/);
});
