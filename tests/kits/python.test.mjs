// SPDX-License-Identifier: ISC
/* What only the Python kit has to care for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kits, started, ways, Worker } from './worker.mjs';

const [threads, tasks] = ways.map((way) => way.program);
const { fixture } = kits.find((kit) => kit.name === 'python');

test('usher.Error answers with an error object', async (t) => {
  const worker = await started(t, fixture);

  assert.deepEqual((await worker.ask('refuseByException')).final,
    { op: 'finish', id: 1, message: { error: 'Told to fail', status: { code: 418 } } });
});

test('a missing key is named as such', async (t) => {
  const worker = await started(t, fixture);

  assert.equal((await worker.ask('crashOnKey')).final.error, "KeyError: 'absent'");
});

test('threads of a handler may send at the same time', async (t) => {
  const worker = await started(t, fixture);
  const { sends, final } = await worker.ask('threads');

  assert.equal(sends.length, 200);
  for (const who of [0, 1, 2, 3]) {
    assert.deepEqual(sends.map((line) => line.message).filter((m) => m.who === who).map((m) => m.n),
      [...Array(50).keys()]);
  }
  assert.equal(final.op, 'finish');
});

test('a secret name that is no text is refused', async (t) => {
  const worker = await started(t, fixture);

  assert.equal((await worker.ask('secretNumber')).final.error,
    'the name of a session value is a string');
});

test('a line of the log carries its request, and its level is one of four', async (t) => {
  const worker = await started(t, fixture);

  worker.put(worker.request('log'));
  assert.deepEqual(await worker.next(), { op: 'log', id: 1, level: 'warn', text: 'something odd' });
  assert.equal((await worker.next()).error, "'loud' is no level of the log");
});

test('an infinite number fails its request', async (t) => {
  const worker = await started(t, fixture);

  assert.equal((await worker.ask('infinite')).final.op, 'fail');
});

test('integers keep all their digits, and one too long for Python costs only its request',
  async (t) => {
  const worker = await started(t, fixture);
  const ask = (number) =>
    worker.put('{"op":"request","id":1,"application":"a","type":"raw","message":' +
    `{"n":${number}},"session":{},"secret":[]}\n`);

  ask('18446744073709551617');
  await worker.until(() => worker.lines.length > 0, 'the answer');
  assert.match(worker.lines.shift(), /"n":18446744073709551617}/);
  ask('9'.repeat(100000));
  await worker.next();
  assert.equal((await worker.ask('list')).final.op, 'finish');
});

test('names of methods are for session["name"], absent ones are said to be', async (t) => {
  const worker = await started(t, fixture);
  const { final } = await worker.ask('items');

  assert.deepEqual(final.message, {
    caught: ["write session['items'] = ..., session.items is a method",
      "the session has no 'absent'",
      "the session has no 'absent'"],
    absent: null, items: [1]
  });
  assert.deepEqual(final.session.items, [1]);
});

test('a plain handler among asynchronous ones runs in the loop if alone, else in a thread',
  async (t) => {
  for (const [n, inLoop] of [[1, true], [8, false]]) {
    const worker = await started(t, tasks(n));

    worker.put(worker.request('askPlain'));
    const { call } = await worker.next();
    worker.put({ op: 'reply', call, finished: true, message: { ok: 1 } });
    assert.deepEqual((await worker.answer(1)).final.message, { answer: { ok: 1 }, inLoop });
  }
});

test('the request goes to handlers that have a place for it', async (t) => {
  const worker = await started(t, fixture);

  for (const [type, got] of [
    ['fourth', true], ['fourthByAnyName', true], ['keyword', true], ['method', true],
    ['defaulted', false], ['starred', false]
  ]) {
    assert.deepEqual((await worker.ask(type)).final.message, { got }, type);
  }
});

test('concurrency is a number of requests', async (t) => {
  for (const n of ['0', '-1']) {
    const worker = new Worker(t, { ...threads(1), env: { ...threads(1).env, CONCURRENCY: n } });
    assert.deepEqual(await worker.exit, { code: 1, signal: null });
    assert.match(worker.stderr, /concurrency is a number of requests, at least 1/);
  }
});
