// SPDX-License-Identifier: ISC
/*
 * One table for all: the four kits and QEWD's own worker behind usher answer its cases field
 * by field the same, and stock QEWD is asked them as well.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build } from './built.mjs';
import { inMemoryStore, kitClient, qewdFolder, SECRET, stockClient } from './clients.mjs';
import { expectations, firstSession, programs } from './table.mjs';
import { handlers, here, nodeWith, pythonWith, Worker } from './worker.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-table-'));
const isInstalled = fs.existsSync(path.join(qewdFolder, 'node_modules', 'qewd'));
const skip = isInstalled ? false : 'npm ci in tests/e2e first';

before(() => build(folder, ['table/table.c']));
after(() => fs.rmSync(folder, { recursive: true }));

/* Where the program of that name is written in a language. */
const source = (name, kit, suffix) => name === 'login'
  ? path.join(handlers, kit, 'examples', `login.${suffix}`)
  : path.join(here, 'table', `${name}.${suffix}`);

const bare = (command) => ({ command, args: [], env: {} });

/* Each kind of worker: how it is started with a program, and what else hello says. */
const kinds = [
  { kind: 'Python', start: (name) => pythonWith(source(name, 'python', 'py')) },
  { kind: 'Node', start: (name) => nodeWith(source(name, 'node', 'js')) },
  { kind: 'C', start: (name) => bare(path.join(folder, name)) },
  { kind: 'shell', start: (name) => bare(source(name, 'shell', 'sh')) },
  {
    kind: 'qewd: true', skip,
    start: () => ({
      command: process.execPath, args: [path.join(handlers, 'node', 'usher-qewd-worker.js')], env: {}
    }),
    more: (name) => ({ qewd: { secret: SECRET, lifetime: 300, settings: {
      moduleMap: { 'test-app': source(name, 'node', 'js') }, onWorkerStartedPath: inMemoryStore
    } } })
  }
];

async function mustFit(ask, cases, change = (wanted) => wanted) {
  for (const { asked, seen } of cases) {
    assert.deepEqual(await ask(...asked), change(seen), JSON.stringify(asked));
  }
}

for (const name of Object.keys(programs)) {
  const cases = expectations(programs[name]);

  describe(`the cases of "${name}"`, { concurrency: true }, () => {
    for (const { kind, start, more = () => ({}), skip: isSkipped = false } of kinds) {
      test(`a worker of ${kind} gives each its fields`, { skip: isSkipped }, async (t) => {
        const worker = new Worker(t, start(name), { cwd: isInstalled ? qewdFolder : undefined });

        await worker.hello(more(name));
        await mustFit(kitClient(worker, firstSession), cases);
      });
    }

    test('so does stock QEWD, which has no codes', { skip }, async (t) => {
      const ask = stockClient(t, source(name, 'node', 'js'));

      await mustFit(ask, cases.filter(({ notInStock }) => !notInStock),
        (seen) => ({ ...seen, code: undefined }));
    });
  });
}
