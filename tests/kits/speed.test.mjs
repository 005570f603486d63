// SPDX-License-Identifier: ISC
/*
 * What concurrency is for: handlers that wait 20 ms for something else, with a driver
 * that always has as many requests open as the worker takes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { started, ways } from './worker.mjs';

const SECONDS = 1.5;

/* Answers a second of a worker that serves n requests at a time. */
async function rate(t, program, n) {
  const worker = await started(t, program);
  const put = () => worker.put(worker.request('wait', { ms: 20 }));
  let answers = 0;

  for (let i = 0; i < n; i++) put();
  await worker.next();	// the first is slower than all others
  put();
  const begin = performance.now();
  while (performance.now() - begin < SECONDS * 1000) {
    assert.equal((await worker.next()).op, 'finish');
    answers++;
    put();
  }
  return answers / ((performance.now() - begin) / 1000);
}

for (const { name, program } of ways.filter((way) => way.name !== 'python')) {
  test(`${name}: 32 at a time answer at least ten times as many requests`, async (t) => {
    const alone = await rate(t, program(1), 1);
    const together = await rate(t, program(32), 32);

    t.diagnostic(`${name}, handlers of 20 ms: concurrency 1: ${alone.toFixed()} a second, ` +
      `concurrency 32: ${together.toFixed()} a second`);
    assert.ok(together >= 10 * alone, `${alone} a second, then ${together}`);
  });
}
