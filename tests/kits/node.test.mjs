// SPDX-License-Identifier: ISC
/* What only the Node kit has to care for: QEWD's modules and asynchronous handlers. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { kits, nodeWith, started, Worker } from './worker.mjs';

const { fixture } = kits.find((kit) => kit.name === 'node');

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

    assert.deepEqual((await worker.ask(type)).final,
      { op: 'fail', id: 1, code: 'handler_error', error });
    assert.deepEqual(await worker.exit, { code: 1, signal: null });
    assert.match(worker.stderr, new RegExp(`${error}[^]*fixture.js`));
  });
}

test('an exception after the final ends the process and sends nothing', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('crashLaterWithoutRequest')).final.message, { ok: true });
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

  for (const name of ['db', 'documentStore', 'sessions', 'userDefined', 'sendMessage',
    'handlers', 'on', 'jwt']) {
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
  assert.match(worker.stderr, /usage: node usher-worker\.js MODULE/);
});
