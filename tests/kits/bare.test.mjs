// SPDX-License-Identifier: ISC
/* What Node's own channel does with our lines, when a handler has no kit at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareExample, started, Worker } from './worker.mjs';

const inline = (script) => ({ ...bareExample, args: ['-e', script] });

/* Answers whatever comes with what came. */
const mirror = inline(`process.on('message', (line) => {
  if (line.op === 'hello') process.send({ op: 'ready' });
  else process.send({ op: 'finish', id: line.id, message: line.message });
});`);

test('a line may be cut at every byte, and hold any text', async (t) => {
  const worker = await started(t, mirror);
  const params = { text: 'Grüße, 世界, 😀\r\n\u2028\u0000', none: null };

  for (const byte of Buffer.from(`${JSON.stringify(worker.request('any', params))}\n`)) {
    worker.put(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual((await worker.answer(1)).final.message.params, params);
});

test('many lines at once, and one of 5 MB, pass in both directions', async (t) => {
  const worker = await started(t, mirror);
  const requests = [...Array(50).keys()].map((n) => worker.request('any', { n }));

  worker.put(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  for (const { id, message } of requests) {
    assert.deepEqual((await worker.answer(id)).final.message, message);
  }
  const text = 'äöü世😀'.repeat(5e6 / 13);
  assert.ok((await worker.ask('any', { text })).final.message.params.text === text);
});

test('what came before anybody listened is not lost', async (t) => {
  const worker = new Worker(t, inline(`setTimeout(() => {
    process.on('message', (line) => process.send({ op: 'ready', saw: line.op }));
  }, 200);`));

  assert.deepEqual(await worker.hello(), { op: 'ready', saw: 'hello' });
});

const late = (ending) => inline(`process.on('message', (line) => {
  if (line.op === 'hello') return process.send({ op: 'ready' });
  if (line.op === 'stop') return process.removeAllListeners('message');
  for (let n = 0; n < 50; n++) {
    process.send({ op: 'send', id: line.id, message: { n, data: 'x'.repeat(100000) } });
  }
  ${ending}
});`);

for (const [way, ending] of [
  ['listens no more', "setTimeout(() => process.send({ op: 'finish', id: line.id }), 100);"],
  ['exits when the last line is written',
    "process.send({ op: 'finish', id: line.id }, () => process.exit());"]
]) {
  test(`all that was sent arrives when the process ${way}`, async (t) => {
    const worker = await started(t, late(ending));
    const request = worker.request('any');

    worker.output.pause();
    worker.put(request);
    worker.put({ op: 'stop' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    worker.output.resume();
    const { sends } = await worker.answer(request.id);
    assert.deepEqual(sends.map((line) => line.message.n), [...Array(50).keys()]);
    assert.deepEqual(await worker.exit, { code: 0, signal: null });
  });
}

test('end of file ends it, and children do not get the channel', async (t) => {
  const worker = await started(t, inline(`process.on('message', (line) => {
    if (line.op === 'hello') return process.send({ op: 'ready' });
    const { execSync } = require('node:child_process');
    const isThere = (test) => { try { execSync(test); return true; } catch { return false; } };
    process.send({ op: 'finish', id: line.id, message: {
      descriptor: isThere('test -e /proc/self/fd/3'), name: isThere('test -n "$NODE_CHANNEL_FD"')
    } });
  });`));

  assert.deepEqual((await worker.ask('any')).final.message, { descriptor: false, name: false });
  worker.input.end();
  assert.deepEqual(await worker.exit, { code: 0, signal: null });
});

test('the example answers ping and finishes before it stops', async (t) => {
  const worker = await started(t, bareExample);

  worker.put({ op: 'ping' });
  assert.deepEqual(await worker.next(), { op: 'pong' });
  const request = worker.request('steps');
  worker.put(request);
  worker.put({ op: 'stop' });
  assert.deepEqual(await worker.exit, { code: 0, signal: null });
  assert.equal(worker.lines.length, 4);
});
