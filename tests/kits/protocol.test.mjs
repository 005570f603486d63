// SPDX-License-Identifier: ISC
/* The whole protocol, one table for each way to write a handler: plain, asynchronous, Node. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { started, ways, Worker } from './worker.mjs';

const CANCELLED = { op: 'fail', code: 'handler_error', error: 'cancelled' };

/* A request whose handler has begun. */
async function begun(worker, type, params) {
  const request = worker.request(type, params);

  worker.put(request);
  assert.deepEqual(await worker.next(), { op: 'send', id: request.id, message: { started: true } });
  return request;
}

/* So many requests that are open at once, each waiting for a call: their ids and the calls'. */
async function asking(worker, n) {
  const calls = new Map();

  for (let i = 0; i < n; i++) {
    worker.put(worker.request('ask', { application: 'other', type: 'thing' }));
  }
  while (calls.size < n) {
    const { op, id, call } = await worker.next();
    assert.equal(op, 'call');
    calls.set(id, call);
  }
  return calls;
}

for (const { name, program } of ways) {
  describe(`protocol, ${name}`, () => {
    const one = program(1);
    const eight = program(8);

    test('ready takes cancel, and says how many requests it takes', async (t) => {
      const single = await new Worker(t, one).hello();
      assert.deepEqual([single.cancel, single.concurrency], [true, undefined]);

      const several = await new Worker(t, eight).hello();
      assert.deepEqual([several.cancel, several.concurrency], [true, 8]);
    });

    test('a handler sees what its request says', async (t) => {
      const worker = await started(t, one);
      const request = { ...worker.request('about', {}), trace: '00-aa-bb-01' };

      worker.put(request);
      const { final: { message: { deadline, ...rest } } } = await worker.answer(request.id);
      assert.deepEqual(rest, {
        id: 1, type: 'about', application: 'test-app', name: 'r-1', trace: '00-aa-bb-01',
        client: { address: '127.0.0.1', socket: 's1' }, cancelled: false
      });
      assert.ok(deadline > 50 && deadline <= 55, String(deadline));
    });

    test('a request need not say anything but its id and type', async (t) => {
      const worker = await started(t, one);

      worker.put({ op: 'request', id: 5, type: 'about', message: {} });
      const { final: { message } } = await worker.answer(5);
      assert.deepEqual([message.client, message.deadline ?? null], [{}, null]);
    });

    test('a call is answered by intermediates and a final', async (t) => {
      const worker = await started(t, one);
      const params = { application: 'other', type: 'thing', message: { params: { a: 1 } } };

      worker.put(worker.request('ask', params));
      const call = await worker.next();
      assert.deepEqual(call, { op: 'call', id: 1, call: call.call, ...params });
      const reply = { op: 'reply', call: call.call };
      worker.put({ ...reply, finished: false, message: { step: 1 } });
      assert.deepEqual(await worker.next(), { op: 'send', id: 1, message: { heard: { step: 1 } } });
      worker.put({ ...reply, finished: false, message: [2] });
      assert.deepEqual(await worker.next(), { op: 'send', id: 1, message: { heard: [2] } });
      worker.put({ ...reply, finished: true, message: { found: true, error: null } });
      assert.deepEqual((await worker.answer(1)).final,
        { op: 'finish', id: 1, message: { answer: { found: true, error: null } } });
      // Late and doubled replies are nobody's.
      worker.put({ ...reply, finished: true, message: { found: 'again' } });
      worker.put({ ...reply, call: 4711, finished: true, message: {} });
      assert.equal((await worker.ask('about')).final.op, 'finish');
    });

    test('a final that is a list, or nothing, is an answer', async (t) => {
      const worker = await started(t, one);

      for (const [message, answer] of [[[1, 2], [1, 2]], [undefined, {}], [null, {}], ['x', 'x']]) {
        const request = worker.request('ask', { application: 'other', type: 'thing' });
        worker.put(request);
        const call = await worker.next();
        assert.deepEqual(call.message, {});
        worker.put({ op: 'reply', call: call.call, finished: true, message });
        assert.deepEqual((await worker.answer(request.id)).final.message, { answer });
      }
    });

    const refusal = { error: 'Not here', code: 'no_route', status: { code: 404 }, text: 'odd' };
    test('a call that failed is an exception with all that was said', async (t) => {
      const worker = await started(t, one);

      worker.put(worker.request('askCaught'));
      const { call } = await worker.next();
      worker.put({ op: 'reply', call, finished: true, message: refusal });
      assert.deepEqual((await worker.answer(1)).final.message,
        { text: 'Not here', code: 'no_route', all: refusal });
    });

    test('who does not catch it passes it on to the client', async (t) => {
      const worker = await started(t, one);

      worker.put(worker.request('ask', { application: 'other', type: 'thing' }));
      const { call } = await worker.next();
      worker.put({ op: 'reply', call, finished: true, message: refusal });
      assert.deepEqual((await worker.answer(1)).final, { op: 'finish', id: 1, message: refusal });
      assert.equal(worker.stderr, '');
    });

    test('two calls of a request may be open, answered in any order', async (t) => {
      const worker = await started(t, one);

      worker.put(worker.request('askTwice'));
      const calls = [await worker.next(), await worker.next()];
      assert.notEqual(calls[0].call, calls[1].call);
      for (const { call, message } of calls.reverse()) {
        worker.put({ op: 'reply', call, finished: true, message: { for: message.n } });
      }
      assert.deepEqual((await worker.answer(1)).final.message,
        { answers: [{ for: 1 }, { for: 2 }] });
    });

    test('a call of the wrong kind is refused and sends nothing', async (t) => {
      const worker = await started(t, one);

      assert.deepEqual((await worker.ask('askWrongly')).final.message, { caught: 5 });
    });

    test('a push goes to a socket, an application, all', async (t) => {
      const worker = await started(t, one);
      const to = [{ socket: 's1' }, 's2', { application: 'test-app' }, { all: true }];
      const pushes = to.map((target) => ({
        op: 'push', to: target === 's2' ? { socket: 's2' } : target, type: 'news', message: { n: 1 }
      }));

      worker.put(worker.request('push', { to }));
      for (const expected of [...pushes,
        { op: 'push', to: { all: true }, type: 'empty', message: {} },
        { op: 'finish', id: 1, message: { ok: true } }]) {
        assert.deepEqual(await worker.next(), expected);
      }
    });

    test('a push to nobody in particular is refused and sends nothing', async (t) => {
      const worker = await started(t, one);

      assert.deepEqual((await worker.ask('pushWrongly')).final.message, { caught: 9 });
    });

    test('a handler hears that its request is cancelled, and ends it', async (t) => {
      const worker = await started(t, one);
      const request = await begun(worker, 'patient');

      worker.put({ op: 'cancel', id: request.id });
      assert.deepEqual((await worker.answer(request.id)).final.message, { cancelled: true });
      await worker.until(() => worker.stdout === 'patient was told: True\n', 'what it was told');
      assert.equal((await worker.ask('about')).final.message.cancelled, false);
    });

    test('a handler that does not listen ends as always', async (t) => {
      const worker = await started(t, one);
      const request = await begun(worker, 'deaf', { ms: 100 });

      worker.put({ op: 'cancel', id: request.id });
      assert.deepEqual((await worker.answer(request.id)).final.message, { done: true });
      assert.equal((await worker.ask('about')).final.op, 'finish');
    });

    test('cancelling what is not open does nothing', async (t) => {
      const worker = await started(t, one);

      worker.put({ op: 'cancel', id: 99 });
      await worker.ask('about');
      worker.put({ op: 'cancel', id: 1 });
      worker.put({ op: 'cancel' });
      assert.equal((await worker.ask('about')).final.message.cancelled, false);
      assert.deepEqual(worker.lines, []);
    });

    test('a cancelled request does not wait for its calls', async (t) => {
      const worker = await started(t, one);

      worker.put(worker.request('ask', { application: 'other', type: 'thing' }));
      const { call } = await worker.next();
      worker.put({ op: 'cancel', id: 1 });
      assert.deepEqual((await worker.answer(1)).final, { ...CANCELLED, id: 1 });
      worker.put({ op: 'reply', call, finished: true, message: {} });
      assert.equal((await worker.ask('about')).final.op, 'finish');
      assert.equal(worker.stderr, '', 'that is no fault to be logged');
    });

    test('what waits for its turn can be cancelled', async (t) => {
      const worker = await started(t, one);
      const first = await begun(worker, 'deaf', { ms: 200 });
      const second = worker.request('patient');

      worker.put(second);
      worker.put({ op: 'cancel', id: second.id });
      const lines = [await worker.next(), await worker.next()].sort((a, b) => a.id - b.id);
      assert.deepEqual(lines, [
        { op: 'finish', id: first.id, message: { done: true } }, { ...CANCELLED, id: second.id }
      ]);
    });

    test('ping is answered, also during a request', async (t) => {
      for (const some of [one, eight]) {
        const worker = await started(t, some);

        worker.put({ op: 'ping' });
        assert.deepEqual(await worker.next(), { op: 'pong' });
        const request = await begun(worker, 'patient');
        worker.put({ op: 'ping' });
        assert.deepEqual(await worker.next(), { op: 'pong' });
        worker.put({ op: 'cancel', id: request.id });
        assert.equal((await worker.next()).op, 'finish');
      }
    });

    test('eight are served side by side, and answered as they are done', async (t) => {
      const worker = await started(t, eight);
      const calls = await asking(worker, 8);

      for (const id of [3, 8, 1, 2, 7, 4, 6, 5]) {
        worker.put({ op: 'reply', call: calls.get(id), finished: true, message: { n: id } });
        assert.deepEqual(await worker.next(), { op: 'finish', id, message: { answer: { n: id } } });
      }
    });

    test('no more are begun than allowed', async (t) => {
      const worker = await started(t, program(2));
      const requests = [1, 2, 3].map(() => worker.request('patient'));

      requests.forEach((request) => worker.put(request));
      await worker.until(() => worker.lines.length === 2, 'the first two');
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual(worker.lines.splice(0).map((line) => JSON.parse(line).id), [1, 2]);
      worker.put({ op: 'cancel', id: 1 });
      assert.deepEqual([await worker.next(), await worker.next()].sort((a, b) => a.id - b.id), [
        { op: 'finish', id: 1, message: { cancelled: true } },
        { op: 'send', id: 3, message: { started: true } }
      ]);
    });

    test('cancel, calls and failures are each its own request\'s', async (t) => {
      const worker = await started(t, eight);
      const [first, second] = [await begun(worker, 'patient'), await begun(worker, 'patient')];
      const ask = worker.request('ask', { application: 'other', type: 'thing' });

      worker.put(ask);
      const { call } = await worker.next();
      const crash = worker.request('crash');
      worker.put(crash);
      assert.deepEqual(await worker.next(),
        { op: 'fail', id: crash.id, code: 'handler_error', error: 'Deliberate failure' });
      worker.put({ op: 'cancel', id: second.id });
      assert.deepEqual(await worker.next(),
        { op: 'finish', id: second.id, message: { cancelled: true } });
      worker.put({ op: 'reply', call, finished: true, message: { ok: 1 } });
      assert.deepEqual(await worker.next(),
        { op: 'finish', id: ask.id, message: { answer: { ok: 1 } } });
      worker.put({ op: 'cancel', id: first.id });
      assert.equal((await worker.next()).id, first.id);
    });

    test('the place of a cancelled one that does not end is another\'s', async (t) => {
      const worker = await started(t, program(2));

      for (const ms of [1000, 1000]) await begun(worker, 'deaf', { ms });
      worker.put({ op: 'cancel', id: 1 });
      worker.put({ op: 'cancel', id: 2 });
      for (const tag of ['a', 'b']) {
        assert.deepEqual((await worker.ask('wait', { ms: 10, tag })).final.message, { tag });
      }
      assert.deepEqual([(await worker.next()).id, (await worker.next()).id].sort(), [1, 2]);
    });

    test('when too many go on though cancelled, others are finished and it ends', async (t) => {
      const worker = await started(t, program(2));

      for (const ms of [20000, 20000]) await begun(worker, 'deaf', { ms });
      worker.put({ op: 'cancel', id: 1 });
      worker.put({ op: 'cancel', id: 2 });
      worker.put({ op: 'ping' });
      assert.deepEqual(await worker.next(), { op: 'pong' });
      const alive = await begun(worker, 'deaf', { ms: 300 });
      worker.put({ op: 'ping' });
      assert.deepEqual(await worker.next(), { op: 'pong' });
      assert.deepEqual(await worker.next(),
        { op: 'unready', reason: '2 handlers go on though cancelled' });
      // The daemon may have sent one more before it read that.
      worker.put(worker.request('wait', { ms: 10, tag: 'crossing' }));
      assert.deepEqual((await worker.next()).message, { tag: 'crossing' });
      assert.deepEqual(await worker.answer(alive.id),
        { sends: [], final: { op: 'finish', id: alive.id, message: { done: true } } });
      assert.deepEqual(await worker.exit, { code: 1, signal: null });
    });

    test('stop lets all that was begun finish', async (t) => {
      const worker = await started(t, eight);
      const calls = await asking(worker, 3);

      worker.put({ op: 'stop' });
      worker.put(worker.request('about'));
      for (const id of [3, 2, 1]) {
        worker.put({ op: 'reply', call: calls.get(id), finished: true, message: { n: id } });
        assert.deepEqual(await worker.next(), { op: 'finish', id, message: { answer: { n: id } } });
      }
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
      assert.deepEqual(worker.lines, []);
    });

    test('end of file ends a worker soon, whatever its handlers do', async (t) => {
      for (const some of [one, eight]) {
        const worker = await started(t, some);

        await begun(worker, 'deaf', { ms: 15000 });
        const begin = Date.now();
        worker.input.end();
        assert.deepEqual(await worker.exit, { code: 0, signal: null });
        assert.ok(Date.now() - begin < 10000);
      }
    });

    test('a handler that exits takes its process with it, and answers for nobody', async (t) => {
      const worker = await started(t, eight);

      await begun(worker, 'patient');
      worker.put(worker.request('exit'));
      assert.deepEqual(await worker.exit, { code: 3, signal: null });
      assert.deepEqual(worker.lines, []);
    });

    test('by hand: all that was piped in is answered', async (t) => {
      const worker = new Worker(t, eight, { mode: 'stdio' });
      const requests = [...Array(20).keys()].map((tag) => worker.request('wait', { ms: 20, tag }));

      worker.input.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
      assert.deepEqual(
        worker.lines.map((line) => JSON.parse(line).message.tag).sort((a, b) => a - b),
        [...Array(20).keys()]);
    });
  });
}

for (const { name, program } of ways.filter((way) => way.name !== 'python')) {
  test(`${name}: an asynchronous handler that is cancelled need not do anything`, async (t) => {
    for (const n of [1, 8]) {
      const worker = await started(t, program(n));
      const request = await begun(worker, 'throws');

      worker.put({ op: 'cancel', id: request.id });
      assert.deepEqual((await worker.answer(request.id)).final, { ...CANCELLED, id: request.id });
      assert.equal(worker.stderr, '', 'that is no fault to be logged');
    }
  });

  test(`${name}: a loop that is blocked misses its ping`, async (t) => {
    const worker = await started(t, program(8));

    await begun(worker, 'block', { ms: 500 });
    worker.put({ op: 'ping' });
    assert.deepEqual((await worker.next()).message, { ended: true }, 'before any pong');
    assert.deepEqual([(await worker.next()).op, (await worker.next()).op].sort(),
      ['finish', 'pong']);
  });
}

for (const { name, program } of ways) {
  test(`${name}: a line of the log carries the request it is about`, async (t) => {
    const worker = await started(t, program(8));
    const requests = ['a', 'b', 'c'].map((tag) => worker.request('log', { tag }));

    requests.forEach((request) => worker.put(request));
    const lines = [];
    for (let n = 0; n < 6; n++) lines.push(await worker.next());
    assert.deepEqual(lines.filter((line) => line.op === 'log').sort((a, b) => a.id - b.id),
      ['a', 'b', 'c'].map((tag, n) => ({
        op: 'log', level: 'info', text: `about ${tag}`, id: n + 1
      })));
  });
}
