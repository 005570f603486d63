// SPDX-License-Identifier: ISC
/* What both kits promise: the same table of cases for each. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kits, started, Worker } from './worker.mjs';

for (const kit of kits) {
  describe(`${kit.name} kit`, () => {
    test('ready comes after hello, with the types and the name of the kit', async (t) => {
      const worker = new Worker(t, kit.fixture);
      const ready = await worker.hello();

      assert.equal(ready.op, 'ready');
      assert.equal(ready.kit, kit.announced);
      assert.ok(ready.types.includes('raw') && ready.types.includes('list'));
      assert.ok(!ready.types.includes('notAFunction'));
    });

    test('another version of the protocol is refused', async (t) => {
      const worker = new Worker(t, kit.fixture);

      worker.put({ op: 'hello', protocol: 2, node: 'n', application: 'a', worker: 1 });
      assert.deepEqual(await worker.exit, { code: 1, signal: null });
      assert.match(worker.stderr, /version 2 /);
      assert.deepEqual(worker.lines, []);
    });

    test('the handler gets the message of the client as it is', async (t) => {
      const worker = await started(t, kit.fixture);
      const message = {
        type: 'raw',
        params: { 'ключ': 'Grüße, 世界, 😀', n: -12.5, none: null, no: false, 'a\u0000b': '\n\u2028' }
      };
      const { sends, final } = await worker.ask('raw', undefined, { message });

      assert.deepEqual(sends, []);
      assert.deepEqual(final, { op: 'finish', id: 1, message: { received: message } });
    });

    const answers = [
      ['list', [], { op: 'finish', message: [1, 2, 3] }],
      ['text', [], { op: 'finish', message: 'just text' }],
      ['nothing', [{ op: 'send', message: {} }], { op: 'finish', message: {} }],
      ['progress', [
        { op: 'send', type: 'progressed', message: { pct: 50 } },
        { op: 'send', message: { pct: 100 } }
      ], { op: 'finish', message: { done: true } }],
      ['refuse', [], { op: 'finish', message: { error: 'Told to fail', status: { code: 418 } } }],
      ['halfPair', [], { op: 'finish', message: { value: '\ud800' } }],
      ['crash', [], { op: 'fail', code: 'handler_error', error: 'Deliberate failure' }],
      ['crashAfterSend', [{ op: 'send', message: { step: 1 } }],
        { op: 'fail', code: 'handler_error', error: 'Deliberate failure' }]
    ];
    test('each kind of answer has its shape', async (t) => {
      const worker = await started(t, kit.fixture);

      for (const [type, sends, final] of answers) {
        const id = worker.nextId;
        assert.deepEqual(await worker.ask(type), {
          sends: sends.map((line) => ({ ...line, id })), final: { ...final, id }
        }, type);
      }
    });

    test('an exception without text is named, and the next request is served', async (t) => {
      const worker = await started(t, kit.fixture);
      const { final } = await worker.ask('crashWithoutText');

      assert.equal(final.op, 'fail');
      assert.match(final.error, /^(RuntimeError|RangeError)$/);
      assert.equal((await worker.ask('list')).final.op, 'finish');
      await worker.until(() => worker.stderr.includes('fixture.'), 'the place of the exception');
    });

    test('what cannot be written as JSON fails the request', async (t) => {
      const worker = await started(t, kit.fixture);
      const { sends, final } = await worker.ask('unserialisable');

      assert.deepEqual(sends, []);
      assert.equal(final.op, 'fail');
      assert.equal(final.code, 'handler_error');
      assert.match(final.error, /[Cc]ircular/);
      assert.equal((await worker.ask('list')).final.op, 'finish');
    });

    test('types nobody defined have no handler, whatever their names', async (t) => {
      const worker = await started(t, kit.fixture);

      for (const type of ['absent', '__proto__', 'constructor', 'toString', 'hasOwnProperty',
        'notAFunction', '*', '__class__', 'run']) {
        assert.deepEqual((await worker.ask(type)).final, {
          op: 'fail', id: worker.nextId - 1, code: 'no_handler',
          error: `Handler not defined for test-app messages of type ${type}`
        });
      }
    });

    test('__proto__ in a message is a member like any other', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.put('{"op":"request","id":7,"application":"a","type":"raw","message":' +
        '{"type":"raw","__proto__":{"admin":true}},"session":{"__proto__":{"user":"x"}},"secret":[]}\n');
      await worker.until(() => worker.lines.length > 0, 'the answer');
      assert.equal(worker.lines.shift(),
        '{"op":"finish","id":7,"message":{"received":{"type":"raw","__proto__":{"admin":true}}}}');
    });

    test('an input line may be cut at every byte', async (t) => {
      const worker = await started(t, kit.fixture);
      const request = Buffer.from(`${JSON.stringify(worker.request('raw', { text: 'ü世😀\r' }))}\n`);

      for (const byte of request) {
        worker.put(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { final } = await worker.answer(1);
      assert.equal(final.message.received.params.text, 'ü世😀\r');
    });

    test('many lines may come at once, and a line ends at LF alone', async (t) => {
      const worker = await started(t, kit.fixture);
      const text = '\u2028\u2029\u0085';
      const requests = [...Array(50).keys()].map((n) => worker.request('raw', { n, text }));

      // CR is white space in JSON; it ends no line.
      const lines = requests.map((request) => `${JSON.stringify(request).replace('{', '{\r')}\n`);
      worker.put(lines.join(''));
      for (let n = 0; n < 50; n++) {
        const { final } = await worker.answer(n + 1);
        assert.deepEqual(final.message.received.params, { n, text });
      }
    });

    test('a line of 5 MB passes in both directions', async (t) => {
      const worker = await started(t, kit.fixture);
      const text = 'äöü世😀'.repeat(5e6 / 13);
      const { final } = await worker.ask('raw', { text });

      assert.ok(final.message.received.params.text === text);
    });

    test('output is complete and in order when the daemon reads late', async (t) => {
      const worker = await started(t, kit.fixture);
      const request = worker.request('big', { parts: 40, size: 500000 });

      worker.output.pause();
      worker.put(request);
      await new Promise((resolve) => setTimeout(resolve, 300));
      worker.output.resume();
      const { sends, final } = await worker.answer(request.id);
      assert.deepEqual(sends.map((line) => line.message.part), [...Array(40).keys()]);
      assert.ok(sends.every((line) => line.message.data.length === 500000));
      assert.equal(final.op, 'finish');
    });

    test('what is sent after the final is dropped', async (t) => {
      const worker = await started(t, kit.fixture);

      assert.deepEqual((await worker.ask('late')).final.message, { n: 1 });
      // Over only while another request is served: it must not get the late replies.
      const request = worker.request('slow', { ms: 300 });
      worker.put(request);
      await worker.until(() => worker.stdout.includes('late is over'), 'the late replies');
      const { sends, final } = await worker.answer(request.id);
      assert.deepEqual(sends.map((line) => line.message), [{ started: true }]);
      assert.deepEqual(final.message, { waited: true });
    });

    test('what a handler prints goes to stdout and stderr, at once', async (t) => {
      const worker = await started(t, kit.fixture);

      assert.deepEqual((await worker.ask('print')).final.message, { ok: true });
      await worker.until(() => /printed by a handler\n[^]*half a pair[^]*printed by a child\n/
        .test(worker.stdout), 'stdout');
      await worker.until(() => worker.stderr.includes('printed as an error\n'), 'stderr');
      assert.deepEqual(worker.lines, []);
    });

    test('an op and members that are not known are ignored', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.put({ op: 'later', id: 1 });
      worker.put({ ...worker.request('list'), later: { a: 1 } });
      assert.deepEqual((await worker.answer(1)).final.message, [1, 2, 3]);
      await worker.until(() => worker.stderr.includes("op 'later' is not known"), 'the warning');
    });

    test('a line that is no JSON object ends the worker', async (t) => {
      for (const line of ['{"op":"hello"', '[]', 'null', '5', '{"op":"hello",}', '']) {
        const worker = new Worker(t, kit.fixture);
        worker.put(`${line}\n`);
        assert.deepEqual(await worker.exit, { code: 1, signal: null }, line);
        assert.match(worker.stderr, /the daemon's line/);
      }
    });

    const sessions = [
      // type, what it leaves behind (undefined: nothing changed), its secret names
      ['raw', undefined],
      ['sameSession', undefined],
      ['nestedSession', { user: 'anna', list: [1, 2, 3, 4], flag: true }, ['user']],
      ['publish', { user: 'anna', list: [1, 2, 3], flag: true }, []],
      ['forget', { list: [1, 2, 3], flag: true }, []],
      ['trueToOne', { user: 'anna', list: [1, 2, 3], flag: 1 }, ['user']]
    ];
    test('the session goes back when it was changed, and only then', async (t) => {
      const worker = await started(t, kit.fixture);

      for (const [type, after, secret] of sessions) {
        const { final } = await worker.ask(type, undefined, {
          session: { user: 'anna', list: [1, 2, 3], flag: true }, secret: ['user']
        });
        assert.equal(final.op, 'finish', type);
        assert.deepEqual(final.session, after && { application: 'test-app', ...after }, type);
        assert.deepEqual(final.secret, secret, type);
      }
    });

    test('a handler sees the claims and nothing else when it walks the session', async (t) => {
      const worker = await started(t, kit.fixture);
      const { final } = await worker.ask('session', undefined, { session: { user: 'anna' } });

      assert.deepEqual(final.message.session, { application: 'test-app', user: 'anna' });
    });

    test('a handler can ask what is secret, and change it', async (t) => {
      const worker = await started(t, kit.fixture);
      const { final } = await worker.ask('publish', undefined,
        { session: { user: 'anna' }, secret: ['user'] });

      assert.deepEqual(final.message, { was: true, is: false });
    });

    test('children of a handler have neither the connection nor USHER_FD', async (t) => {
      const worker = await started(t, kit.fixture);

      assert.deepEqual((await worker.ask('child')).final.message,
        { holdsConnection: false, hasVariable: false });
    });

    test('a handler that exits takes its process with it', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.put(worker.request('exit'));
      assert.deepEqual(await worker.exit, { code: 3, signal: null });
      assert.deepEqual(worker.lines, []);
    });

    test('stop ends an idle worker', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.put({ op: 'stop' });
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
    });

    test('stop lets the request at hand finish', async (t) => {
      const worker = await started(t, kit.fixture);
      const request = worker.request('slow', { ms: 200 });

      worker.put(request);
      assert.equal((await worker.next()).op, 'send');
      worker.put({ op: 'stop' });
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
      assert.deepEqual(worker.lines.map((line) => JSON.parse(line).message), [{ waited: true }]);
    });

    test('end of file ends an idle worker', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.input.end();
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
    });

    test('a worker whose daemon died in the middle of a request leaves', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.put(worker.request('slow', { ms: 200 }));
      assert.equal((await worker.next()).op, 'send');
      worker.input.destroy();
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
    });

    test('a line without its end is not served', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.input.end(JSON.stringify(worker.request('list')));
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
      assert.deepEqual(worker.lines, []);
    });

    test('SIGINT is for the daemon to judge, SIGTERM ends the worker', async (t) => {
      const worker = await started(t, kit.fixture);

      worker.child.kill('SIGINT');
      assert.equal((await worker.ask('list')).final.op, 'finish');
      worker.child.kill('SIGTERM');
      assert.deepEqual(await worker.exit, { code: null, signal: 'SIGTERM' });
    });

    test('SIGINT ends a try by hand', async (t) => {
      const worker = await started(t, kit.fixture, { mode: 'stdio' });

      worker.child.kill('SIGINT');
      assert.deepEqual(await worker.exit, { code: null, signal: 'SIGINT' });
    });

    test('a USHER_FD that is no connection is refused', async (t) => {
      for (const fd of ['', 'three', '9']) {
        const worker = new Worker(t, kit.fixture, { extraEnv: { USHER_FD: fd } });
        assert.deepEqual(await worker.exit, { code: 1, signal: null });
        assert.match(worker.stderr, new RegExp(`USHER_FD=${fd}:`));
      }
    });

    test('by hand: requests from stdin, answers alone on stdout', async (t) => {
      const worker = new Worker(t, kit.fixture, { mode: 'stdio' });
      const lines = [
        { op: 'hello', protocol: 1, node: 'n', application: 'test-app', worker: 1 },
        worker.request('slow', { ms: 20 }), worker.request('print'), worker.request('list')
      ];

      worker.input.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
      assert.deepEqual(worker.lines.map((line) => JSON.parse(line)).map(({ op, id }) => [op, id]),
        [['ready', undefined], ['send', 1], ['finish', 1], ['finish', 2], ['finish', 3]]);
      for (const text of ['printed by a handler', 'printed by a child', 'printed as an error']) {
        assert.ok(worker.stderr.includes(text), text);
      }
    });

    test('by hand: a request needs no hello, and stop ends it', async (t) => {
      const worker = new Worker(t, kit.fixture, { mode: 'stdio' });

      assert.deepEqual((await worker.ask('list')).final.message, [1, 2, 3]);
      worker.put({ op: 'stop' });
      assert.deepEqual(await worker.exit, { code: 0, signal: null });
    });
  });
}
