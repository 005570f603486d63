// SPDX-License-Identifier: ISC
/*
 * The login example is the same in every kit, and the manual shows the raw one.  What the manual
 * and the READMEs show first runs as it stands there.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { bareExample, handlers, here, kits, rawExample, started, Worker } from './worker.mjs';

const programs = [
  ...kits.map(({ name, login }) => ({
    name, program: login, types: ['login', 'whoami', 'steps', 'echo']
  })),
  { name: 'raw', program: rawExample, types: ['login', 'steps'] },
  { name: 'bare', program: bareExample, types: ['login', 'steps'] }
];

const LOGGED_IN = { authenticated: true, timeout: 1200, userText: 'Welcome Rob', username: 'rob' };

for (const { name, program, types } of programs) {
  describe(`login example, ${name}`, () => {
    test('it announces its types', async (t) => {
      assert.deepEqual((await new Worker(t, program).hello()).types, types);
    });

    test('rob gets a public text and a secret name, and secrets he had stay secret', async (t) => {
      const worker = await started(t, program);
      const { final } = await worker.ask('login', { username: 'rob', password: 'secret' },
        { session: { ip: '127.0.0.1' }, secret: ['ip'] });

      assert.deepEqual(final.message, { ok: true });
      assert.deepEqual(final.session, { application: 'test-app', ip: '127.0.0.1', ...LOGGED_IN });
      assert.deepEqual([...final.secret].sort(), ['ip', 'username']);
    });

    test('a wrong password is refused', async (t) => {
      const worker = await started(t, program);

      const almost = { username: 'rob', password: 'Secret' };
      for (const params of [almost, {}, undefined, null, 5, ['rob']]) {
        const { final } = await worker.ask('login', params);
        assert.deepEqual(final.message, { error: 'Invalid login attempt' });
        assert.equal(final.session, undefined);
      }
    });

    test('three steps come one by one, then the end', async (t) => {
      const worker = await started(t, program);
      const { sends, final } = await worker.ask('steps');

      assert.deepEqual(sends.map((line) => line.message),
        [1, 2, 3].map((step) => ({ step, of: 3 })));
      assert.deepEqual(final.message, { done: true });
    });

    test('another type has no handler', async (t) => {
      const worker = await started(t, program);

      assert.equal((await worker.ask('nobody')).final.code, 'no_handler');
    });

    test('stop and end of file end it', async (t) => {
      const stopped = await started(t, program);
      stopped.put({ op: 'stop' });
      assert.deepEqual(await stopped.exit, { code: 0, signal: null });

      const left = await started(t, program);
      left.input.end();
      assert.deepEqual(await left.exit, { code: 0, signal: null });
    });
  });
}

for (const kit of kits) {
  test(`login example, ${kit.name}: tags, gaps, echo and whoami`, async (t) => {
    const worker = await started(t, kit.login);
    const begin = Date.now();
    const { sends, final } = await worker.ask('steps', { tag: 't', gap: 40 });

    assert.deepEqual(sends.map((line) => line.message.tag), ['t', 't', 't']);
    assert.deepEqual(final.message, { done: true, tag: 't' });
    assert.ok(Date.now() - begin >= 110);
    assert.deepEqual((await worker.ask('echo', { tag: 7, a: [1] })).final.message,
      { echo: { tag: 7, a: [1] }, tag: 7 });
    assert.deepEqual((await worker.ask('echo')).final.message, { echo: null });
    assert.deepEqual((await worker.ask('whoami')).final.message, {
      application: 'test-app', authenticated: false, username: null, userText: null, timeout: null,
      secretUsername: false
    });
    const known = { session: LOGGED_IN, secret: ['username'] };
    assert.deepEqual((await worker.ask('whoami', {}, known)).final.message,
      { application: 'test-app', ...LOGGED_IN, secretUsername: true });
    assert.deepEqual((await worker.ask('login', {}, { session: LOGGED_IN })).final.message,
      { error: 'Already logged in' });
  });
}

for (const { name, cancel } of kits) {
  for (const [n, program] of cancel.entries()) {
    test(`cancel example, ${name} ${n + 1}: it counts, and stops when cancelled`, async (t) => {
      const worker = await started(t, program);
      const { sends, final } = await worker.ask('count', { to: 3 });

      assert.deepEqual(sends.map((line) => line.message.count), [1, 2, 3]);
      assert.deepEqual(final.message, { done: true });
      const request = worker.request('count');
      worker.put(request);
      assert.deepEqual((await worker.next()).message, { count: 1 });
      worker.put({ op: 'cancel', id: request.id });
      // How far it counts until it hears of it is up to the machine, but it says where it was.
      let line, count = 1;
      while ((line = await worker.next()).op === 'send') count = line.message.count;
      const log = line;
      assert.ok(count < 100, 'it does not go on');
      assert.equal(log.text, `cancelled at ${count}`);
      assert.equal(log.id, request.id);
      assert.deepEqual(await worker.next(),
        { op: 'fail', id: request.id, code: 'handler_error', error: 'cancelled' });
      assert.equal(worker.stderr, '');
    });
  }
}

const manual = fs.readFileSync(path.join(here, '..', '..', 'man', 'usher-handler.7'), 'utf8');

/* How a program of each language is started in the folder that it was written to. */
const languages = {
  py: () => ['python3', 'first.py'],
  js: () => [process.execPath, path.join(handlers, 'node', 'usher-worker.js'), './first.js'],
  c: (dir) => {
    const c = (file) => path.join(handlers, 'c', file);
    execFileSync(process.env.CC || 'cc', ['-std=gnu11', '-Wall', '-Wextra', '-Werror',
      '-D_GNU_SOURCE', '-I', c(''), '-o', 'first', 'first.c', c('usher_handler.c'),
      c('usher_json.c')], { cwd: dir });
    return [path.join(dir, 'first')];
  },
  sh: () => ['bash', 'first.sh']
};

/* A program of a text, with the files beside it that the text says are there. */
async function startedFirst(t, language, text) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-kits-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));

  fs.writeFileSync(path.join(dir, `first.${language}`), text);
  fs.copyFileSync(path.join(handlers, 'python', 'usher.py'), path.join(dir, 'usher.py'));
  fs.copyFileSync(path.join(handlers, 'shell', 'usher.sh'), path.join(dir, 'usher.sh'));
  const [command, ...args] = languages[language](dir);
  return started(t, { command, args, env: {} }, { cwd: dir });
}

const beginnings = {
  py: 'import usher', js: 'module.exports', c: '#include <usher_handler.h>',
  sh: '#!/usr/bin/env bash'
};

for (const [language, begins] of Object.entries(beginnings)) {
  test(`usher-handler(7): the first handler, hello.${language}, says hello`, async (t) => {
    const block = manual.split('.Bd -literal -offset indent\n').slice(1)
      .map((text) => text.split('.Ed\n')[0].replaceAll('\\e', '\\').replaceAll('\\&', ''))
      .find((text) => text.startsWith(begins));
    const worker = await startedFirst(t, language, block);

    assert.deepEqual((await worker.ask('hello')).final,
      { op: 'finish', id: 1, message: { text: 'Hello' } });
  });
}

const readmes = [
  ['c', 'c', 'c'], ['python', 'py', 'python'], ['node', 'js', 'js'], ['shell', 'sh', 'sh']
];

for (const [kit, language, mark] of readmes) {
  test(`the README of ${kit}: its first example logs in, and refuses`, async (t) => {
    const readme = fs.readFileSync(path.join(handlers, kit, 'README.md'), 'utf8');
    const block = readme.split(`\`\`\`${mark}\n`)[1].split('```\n')[0];
    const worker = await startedFirst(t, language, block);
    const { sends, final } = await worker.ask('login', { username: 'rob', password: 'secret' });

    assert.equal(sends.length, 1);
    assert.deepEqual(final.message, { ok: true });
    assert.deepEqual([final.session.authenticated, final.session.username, final.secret],
      [true, 'rob', ['username']]);
    assert.deepEqual((await worker.ask('login', { password: 'wrong' })).final.message,
      { error: 'Invalid login attempt' });
    assert.equal(worker.stderr, '');
  });
}

test('usher-handler(7) shows examples/raw.py', () => {
  const shown = manual.split('.Bd -literal\n#!/usr/bin/env python3\n')[1].split('.Ed\n')[0]
    .replaceAll('\\e', '\\');
  const file = fs.readFileSync(path.join(handlers, 'python', 'examples', 'raw.py'), 'utf8');

  // The manual has no room for the licence line.
  assert.equal(`#!/usr/bin/env python3\n${shown}`,
    file.replace('# SPDX-License-Identifier: ISC\n', ''));
});
