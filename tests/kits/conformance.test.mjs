// SPDX-License-Identifier: ISC
/*
 * Every kit and QEWD's own worker keep the rules of usher-handler(7), and usher-handler-test
 * finds those who break one.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build } from './built.mjs';
import { inMemoryStore, qewdFolder } from './clients.mjs';
import { handlers, here, pythonProgram as python } from './worker.mjs';

const root = path.join(here, '..', '..');
const tester = path.join(root, 'contrib', 'usher-handler-test');
const built = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-kits-'));
const at = (...names) => path.join(handlers, ...names);
const usherWorker = at('node', 'usher-worker.js');

const LOGIN = { type: 'login', params: { username: 'rob', password: 'secret' } };
const STEPS = { type: 'steps', params: { gap: 5, tag: 't' } };
const WHOAMI = '{"type":"whoami"}';
const LONG = { type: 'count', params: { to: 100 } };

/* fixture: a program with types "crash" and "print". */
const kits = [
  {
    name: 'python',
    login: [python, at('python', 'examples', 'login.py')],
    cancel: [python, at('python', 'examples', 'cancel.py')],
    fixture: ['-e', `PYTHONPATH=${at('python')}`, '--', python, path.join(here, 'fixture.py')]
  },
  {
    name: 'node',
    login: [process.execPath, usherWorker, at('node', 'examples', 'login.js')],
    cancel: [process.execPath, usherWorker, at('node', 'examples', 'cancel.js')],
    fixture: ['--', process.execPath, usherWorker, path.join(here, 'fixture.js')]
  },
  {
    name: 'c',
    login: [path.join(built, 'login')],
    cancel: [path.join(built, 'cancel')],
    fixture: ['--', path.join(built, 'fixture')]
  },
  {
    name: 'shell',
    login: [at('shell', 'examples', 'login.sh')],
    cancel: [at('shell', 'examples', 'cancel.sh')],
    fixture: ['--', path.join(here, 'fixture.sh')]
  }
];

/* QEWD's own worker takes any QEWD module, and hears of no cancels. */
const qewdWith = (module) => {
  const settings = { moduleMap: { 'test-app': module }, onWorkerStartedPath: inMemoryStore };
  return ['-d', qewdFolder, '--qewd', JSON.stringify(settings), '--', process.execPath,
    at('node', 'usher-qewd-worker.js')];
};
const isInstalled = fs.existsSync(path.join(qewdFolder, 'node_modules', 'qewd'));
const noQewd = isInstalled ? false : 'npm ci in tests/e2e first';

before(() => build(built, ['fixture.c']));

after(() => fs.rmSync(built, { recursive: true }));

/* Runs usher-handler-test; resolves with its status and what it wrote. */
function run(args, input) {
  return new Promise((resolve) => {
    const child = spawn(python, [tester, ...args],
      { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
    let stdout = '', stderr = '';

    child.stdout.on('data', (data) => { stdout += data; });
    child.stderr.on('data', (data) => { stderr += data; });
    child.stdin.end(input);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/* The replies, without the time they took. */
async function replies(command, messages, options = []) {
  const asked = messages.flatMap((message) => ['-m',
    typeof message === 'string' ? message : JSON.stringify(message)]);
  const { status, stdout, stderr } = await run([...options, ...asked, ...command]);
  const lines = stdout.trim().split('\n').map((line) => {
    const { responseTime, ...reply } = JSON.parse(line);
    return reply;
  });

  return { status, lines, stderr, stdout };
}

async function mustConform(args) {
  const { status, stdout, stderr } = await run(['--conformance', ...args]);
  const wrong = stdout.split('\n').filter((line) => line.startsWith('not ok'));

  assert.deepEqual(wrong, [], stderr);
  assert.match(stdout, /^[1-9]\d* passed, 0 failed$/m);
  assert.equal(status, 0, stderr);
  return stdout;
}

const loginMessages = ['-m', JSON.stringify(LOGIN), '-m', JSON.stringify(STEPS), '-m', WHOAMI];

async function loginMustConform(command) {
  const shown = await mustConform(['--by-hand', '--echo', 'echo', ...loginMessages, ...command]);

  assert.match(shown, /^ok +a line of 5 MB comes back$/m);
  assert.match(shown, /^ok +by hand/m);
}

/* The rules that only such a program can break. */
async function fixtureMustConform(command) {
  const rules = ['an exception', 'after an exception', 'what a handler prints'];
  const shown = await mustConform([...rules.flatMap((rule) => ['--only', rule]),
    '--throws', 'crash', '--prints', 'print', ...command]);

  assert.match(shown, /^ok +an exception is a fail/m);
  assert.match(shown, /^ok +what a handler prints does not disturb$/m);
}

describe('conformance', { concurrency: 4 }, () => {
  for (const kit of kits) {
    test(`the login example of ${kit.name} keeps every rule`, () =>
      loginMustConform(['--', ...kit.login]));

    test(`the cancel example of ${kit.name} keeps every rule`, async () => {
      const shown = await mustConform(['-m', '{"type":"count","params":{"to":2}}',
        '--long', JSON.stringify(LONG), '--', ...kit.cancel]);

      assert.match(shown, /^ok +a long request that is cancelled ends/m);
    });

    test(`exceptions and prints of ${kit.name} keep every rule`, () =>
      fixtureMustConform(kit.fixture));
  }

  /* Without a kit: one is read by its own loop, one by Node's. */
  for (const [name, ...command] of [
    ['python/examples/raw.py', '--', python, at('python', 'examples', 'raw.py')],
    ['node/examples/bare.js', '-e', 'NODE_CHANNEL_FD=3', '--', process.execPath,
      at('node', 'examples', 'bare.js')]
  ]) {
    test(`${name} keeps every rule`, async () => {
      const shown = await mustConform(['-m', JSON.stringify(LOGIN), '-m', '{"type":"steps"}',
        ...command]);

      assert.match(shown, /^ok +a line without its end at the end of file is not served$/m);
    });
  }

  test('the login example under QEWD\'s own worker keeps every rule', { skip: noQewd }, () =>
    loginMustConform(qewdWith(at('node', 'examples', 'login.js'))));

  test('exceptions and prints under QEWD\'s own worker keep every rule', { skip: noQewd }, () =>
    fixtureMustConform(qewdWith(path.join(here, 'fixture.js'))));
});

describe('the cancel examples of all kits are the same', { concurrency: 4 }, () => {
  for (const kit of kits) {
    test(kit.name, async () => {
      const { lines } = await replies(['--', ...kit.cancel], [LONG], ['-c', '1500']);

      assert.deepEqual(lines.shift(), { type: 'count', finished: false, message: { count: 1 } });
      assert.equal(lines.pop().message.error, 'cancelled');
      assert.ok(lines.length < 50, `${lines.length} more`);

      const whole = await replies(['--', ...kit.cancel], [{ type: 'count', params: { to: 2 } }]);
      assert.deepEqual(whole.lines.map((line) => line.message),
        [{ count: 1 }, { count: 2 }, { done: true }]);
      assert.equal(whole.status, 0);
    });
  }
});

/* The same types in C and in shell. */
for (const { name, fixture } of kits.slice(2)) {
  describe(`fixture, ${name}`, () => {
    test('intermediates of another type, and nothing after the final', async () => {
      const { lines, stderr } = await replies(fixture, [{ type: 'twice' }, { type: 'refuse' }]);

      assert.deepEqual(lines, [
        { type: 'progress', finished: false, message: { pct: 50 } },
        { type: 'twice', finished: false, message: {} },
        { type: 'twice', finished: true, message: [1, 2, 3] },
        { type: 'refuse', finished: true, message: { error: 'Told to "fail"' } }
      ]);
      assert.doesNotMatch(stderr, /dropped/);
    });

    test('what is no JSON, or no answer, fails the request and not the worker', async () => {
      const bad = ['{', '{"a":1}}', '1 2', '{} {}', "{'a':1}", '[1,]', '"', '\u0001', '{"a" 1}'];
      const { lines } = await replies(fixture, [
        ...bad.map((json) => ({ type: 'badJson', params: { json } })),
        { type: 'badJson', params: { json: ' {"good":[true]} ' } }, { type: 'silent' }
      ]);

      assert.deepEqual(lines.map(({ message }) => message.code ?? message), [
        ...bad.map(() => 'handler_error'), { good: [true] }, 'handler_error']);
      assert.equal(lines.at(-1).message.error, 'the handler returned without an answer');
      assert.equal(lines[0].message.error, "the handler's answer is no JSON");
    });

    test('the session is changed, hidden, shown and cut', async () => {
      const options = ['-s', '{"color":"red","authenticated":false,"n":7}',
        '-S', 'authenticated'];
      const { lines } = await replies(fixture, [{ type: 'change' }, { type: 'show' }], options);
      const user = 'anna é "\\\n', list = [1, { a: null }];

      assert.deepEqual(lines, [
        { type: 'change', finished: true, message: {},
          session: { authenticated: false, timeout: 300, n: 7, half: 0.5, list }, secret: { user } },
        { type: 'show', finished: true,
          message: { user, list, isSecret: true, hasColor: false, address: '127.0.0.1' } }
      ]);
    });

    test('a call is answered', async () => {
      const { lines } = await replies(fixture, [{ type: 'ask' }], ['-r', 'thing={"n":2}']);

      assert.deepEqual(lines, [{ call: 'other', type: 'thing', message: { n: 1 } },
        { type: 'ask', finished: true, message: { n: 2 } }]);
    });

    test('replies to a call come in order, others of that kind are dropped', () => {
      const command = fixture.slice(1);
      const reply = (call, finished, n) => ({ op: 'reply', call, finished, message: { n } });
      const lines = [
        reply(1, true, 0), { op: 'request', id: 1, type: 'ask', message: {} },
        reply(7, true, 9), reply(1, false, 1), reply(1, false, 2), reply(1, true, 3),
        { op: 'request', id: 2, type: 'ask', message: {} }, reply(1, true, 8), { op: 'ping' },
        { op: 'cancel', id: 99 }, { op: 'cancel', id: 2 }, reply(2, true, 5),
        { op: 'request', id: 3, type: 'refuse', message: {} }
      ];
      const { stdout, stderr } = spawnSync(command[0], command.slice(1),
        { input: lines.map((line) => `${JSON.stringify(line)}\n`).join(''), encoding: 'utf8' });
      const seen = stdout.trim().split('\n').map((line) => JSON.parse(line))
        .map(({ op, id, message, error }) => [op, id, message?.n ?? error ?? null]);

      assert.deepEqual(seen, [['call', 1, 1], ['send', 1, 1], ['send', 1, 2], ['finish', 1, 3],
        ['call', 2, 1], ['pong', undefined, null], ['fail', 2, 'gave up'], ['finish', 3, null]],
      stderr);
    });

    test('pushes and log lines', async () => {
      const { lines, stderr } = await replies(fixture, [{ type: 'push' }]);

      assert.deepEqual(lines.slice(0, 3), [{ socket: 'socket-1' }, { application: 'test-app' },
        { all: true }].map((push, i) => ({ push, type: 'news', message: { n: i + 1 } })));
      assert.match(stderr, /^usher-handler-test: warn: pushed 3$/m);
    });

    test('a handler that exits costs its own request', async () => {
      const { lines, status } = await replies(fixture, [{ type: 'exit' }, { type: 'push' }]);

      assert.match(lines[0].message.code, /^(worker_lost|handler_error)$/);
      assert.equal(lines.at(-1).message.ok, true);
      assert.equal(status, 1);
    });
  });
}

test('C: paths, numbers and strings', async () => {
  const params = '{"n":[0.10,1e2],"on":true,"a.b":{"c\\\\":"found"},"nul":"a\\u0000b",' +
    '"pair":"\\ud83d\\ude00 \\ud800.","twice":"first","tw\\u0069ce":"second"}';
  const { lines, stdout } = await replies(kits[2].fixture, [`{"type":"values","params":${params}}`]);

  assert.deepEqual(lines[0].message, {
    number: true, n: 100, bool: true, dotted: 'found', nul: null, pair: '😀 \ufffd.',
    last: 'second', raw: [0.1, 100], latin: 'caf\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd',
    third: 1 / 3, large: 1e300, exact: 9007199254740991, zero: 0, none: null, refused: false,
    absent: false
  });
  assert.ok(stdout.includes('"raw":[0.10,1e2]'), stdout);
  assert.ok(stdout.includes('"exact":9007199254740991'), stdout);
});

const hasPkgConfig = spawnSync('pkg-config', ['--version']).status === 0;

test('C: the kit installs itself, and pkg-config finds it', {
  skip: hasPkgConfig ? false : 'no pkg-config here'
}, () => {
  const prefix = path.join(built, 'prefix');
  execFileSync('make', ['-s', '-C', at('c'), `OUT=${built}`, `prefix=${prefix}`, 'install',
    'CFLAGS=-O1 -g -Wall -Wextra -Werror']);
  const env = { ...process.env, PKG_CONFIG_PATH: path.join(prefix, 'lib', 'pkgconfig') };
  const flags = (what) => execFileSync('pkg-config', [what, 'usher-handler'],
    { env, encoding: 'utf8' }).trim().split(/\s+/);
  const program = path.join(prefix, 'table');

  execFileSync(process.env.CC || 'cc', ['-o', program, ...flags('--cflags'),
    path.join(here, 'table', 'table.c'), ...flags('--libs')]);
  const answer = execFileSync(program, { encoding: 'utf8',
    input: '{"op":"request","id":1,"type":"twice","message":{}}\n' });
  assert.equal(answer, '{"op":"finish","id":1,"message":{"n":1}}\n');
});

test('shell: a status, a pipeline, a program that is watched', async () => {
  const { lines } = await replies(kits[3].fixture, [{ type: 'status' }, { type: 'pipeline' }]);
  assert.equal(lines[0].message.error, 'the handler returned 1');
  assert.deepEqual(lines[1].message, { from: 'the handler' });

  const watched = await replies(kits[3].fixture, [{ type: 'watch' }],
    ['-c', '500', '--deadline', '20']);
  assert.equal(watched.lines[0].message.error, 'cancelled');
});

test('shell: a text that jq cannot read fails its request alone', () => {
  const lines = ['{"op":"request","id":5,"type":"refuse","message":{"x":"\\ud800"}}',
    '{"op":"request","id":6,"type":"refuse","message":{}}'];
  const { stdout } = spawnSync(kits[3].fixture[1], { input: `${lines.join('\n')}\n`,
    encoding: 'utf8' });
  const seen = stdout.trim().split('\n').map((line) => JSON.parse(line));

  assert.deepEqual(seen.map(({ id }) => id), [5, 6]);
  assert.equal(seen[1].op, 'finish');
});

describe('usher-handler-test finds', { concurrency: 4 }, () => {
  const given = ['--echo', 'echo', '--throws', 'throws', '--prints', 'prints',
    '--start-timeout', '2', '--deadline', '2', '--stop-grace', '2'];
  const long = ['--long', '{"type":"long"}'];
  const faults = [
    ['never ready', 'says ready in time', 'no "ready" within 2 s'],
    ['leaves', 'says ready in time', 'told to leave'],
    ['types', 'the types in ready', '"echo","echo"'],
    ['concurrency of text', 'says ready in time', 'no positive number'],
    ['unknown op of its own', 'says ready in time', 'op "prepared" is not known'],
    ['strict hello', 'members of hello', 'it left before "ready"'],
    ['finishes what it does not know', 'a type without a handler', 'not a "fail"'],
    ['silent', 'a type without a handler', 'no final reply within 2 s'],
    ['one request', 'a type without a handler', 'no final reply'],
    ['evaluates types', 'types with odd names', '"finish"'],
    ['needs a name', 'members of a request that may be missing', 'it left'],
    ['dies of unknown ops', 'an op it does not know', 'it left'],
    ['float ids', 'a type without a handler', 'no number of a request'],
    ['32 bits', 'the number of a request', 'is not open'],
    ['one line a read', 'lines that arrive together', 'no final reply'],
    ['one line a read', 'a line that arrives byte by byte', 'it left'],
    ['splits at U+2028', 'no other character than LF', 'it left'],
    ['members in order', 'members come in any order', 'it left'],
    ['second final', 'an echo gets exactly one final', 'is not open'],
    ['send after final', 'an echo gets exactly one final', 'is not open'],
    ['loses null', 'other values come back', 'does not come back'],
    ['ascii', 'texts come back', 'does not come back'],
    ['integers', 'numbers come back', 'does not come back'],
    ['shallow', 'objects and arrays inside', 'does not come back'],
    ['latin-1', 'types with odd names', 'not UTF-8'],
    ['small lines', 'a line of 5 MB', 'it left'],
    ['no text', 'an exception is a fail', 'says nothing'],
    ['exits when it throws', 'an exception is a fail', 'it left'],
    ['prints nothing', 'what a handler prints', 'printed nothing'],
    ['dies of a cancel', 'a cancel of a request that is over', 'it left'],
    ['finishes what is cancelled', 'a cancel of a request that is over', 'says more'],
    ['dies of a reply', 'a reply to a call nobody made', 'it left'],
    ['pong', 'a ping is answered if', 'no pong within'],
    ['ignores stop', 'stop ends an idle worker', 'did not exit within 2 s'],
    ['bad status', 'stop ends an idle worker', 'exit status 4'],
    ['stays', 'end of file ends an idle worker', 'did not exit within 2 s']
  ];

  for (const [fault, text, why] of faults) {
    test(`${fault}: ${text}`, async () => {
      const { status, stdout } = await run(['--conformance', '--only', text, ...given, '--', python,
        path.join(here, 'broken.py'), fault]);

      assert.ok(stdout.startsWith(`not ok  ${text}`), stdout);
      assert.ok(stdout.split('\n')[0].includes(why), stdout);
      assert.match(stdout, /\n0 passed, 1 failed\n$/);
      assert.equal(status, 1);
    });
  }

  test('one that is served in series, and one that does not heed a cancel', async () => {
    const serial = await run(['--conformance', '--only', 'a ping is answered while', ...given, ...long,
      '--', python, path.join(here, 'broken.py'), 'serial']);
    assert.match(serial.stdout, /^not ok .*a final reply in place of pong/);

    const deaf = await run(['--conformance', '--only', 'a long request that is cancelled', ...given,
      '--long', '{"type":"throws"}', '--', python, path.join(here, 'broken.py'), 'none']);
    assert.match(deaf.stdout, /^not ok .*ends within 0.3 s/);
  });

  test('nothing in a handler that breaks no rule', async () => {
    const { stdout, status } = await run(['--conformance', ...given.slice(0, 6), '--', python,
      path.join(here, 'broken.py'), 'none']);

    assert.doesNotMatch(stdout, /^not ok/m);
    assert.equal(status, 0);
  });
});

describe('usher-handler-test asks', () => {
  const login = ['--', ...kits[0].login];

  test('payloads pass digit for digit, without token and usher', async () => {
    const { stdout, status } = await replies(login,
      ['{"token":"t", "type":"echo",\n"params":[0.10,1e2,18446744073709551616],"usher":{}}']);

    assert.ok(stdout.startsWith('{"type":"echo","finished":true,"message":{"echo":['), stdout);
    assert.equal(status, 0);
    const c = await replies(['--', ...kits[2].login],
      ['{"type":"echo","params":[0.10,1e2,18446744073709551616]}']);
    assert.ok(c.stdout.includes('[0.10,1e2,18446744073709551616]'), c.stdout);
  });

  test('messages from a file and from stdin, in the order they are given', async () => {
    const file = path.join(built, 'messages');
    fs.writeFileSync(file, '{"type":"echo","params":2}\n\n{"type":"echo","params":3}\n');
    const { stdout, status } = await run(['-m', '{"type":"echo","params":1}', '-f', file, '-f', '-',
      ...login], '{"type":"echo","params":4}\n');

    assert.deepEqual(stdout.trim().split('\n').map((line) => JSON.parse(line).message.echo),
      [1, 2, 3, 4]);
    assert.equal(status, 0);
  });

  test('an error, no handler, a lost worker and a late answer make the status 1', async () => {
    const fixture = kits[0].fixture;
    const cases = [
      [['{"type":"refuse"}'], undefined], [['{"type":"nobody"}'], 'no_handler'],
      [['{"type":"crash"}'], 'handler_error'], [['{"type":"exit"}'], 'worker_lost'],
      [['{"type":"slow","params":{"ms":5000}}'], 'timeout']
    ];

    for (const [messages, code] of cases) {
      const { lines, status } = await replies(fixture, messages, ['--deadline', '1.5']);
      assert.equal(lines.at(-1).message.code, code);
      assert.equal(typeof lines.at(-1).message.error, 'string');
      assert.equal(status, 1);
    }
  });

  test('what it cannot do is said, with status 2', async () => {
    const wrong = [
      [['--', 'true'], /nothing to ask/], [['-m', '{"type":"a"}'], /which command/],
      [['-m', '{', '--', 'true'], /no JSON/], [['-m', '{"type":""}', '--', 'true'], /"type"/],
      [['-m', '[]', '--', 'true'], /"type"/], [['-f', '/nowhere/at/all', '--', 'true'], /nowhere/],
      [['-s', '[]', '-m', '{"type":"a"}', '--', 'true'], /session/],
      [['--conformance', '--only', 'no such rule', '--', 'true'], /no rule/]
    ];

    for (const [args, text] of wrong) {
      const { status, stderr, stdout } = await run(args);
      assert.equal(status, 2, args.join(' '));
      assert.match(stderr, text);
      assert.equal(stdout, '');
    }
  });

  test('the worker gets the variables that the daemon gives, and no other', async () => {
    const { stdout } = await run(['-v', '-e', 'MINE=1', '-m', '{"type":"a"}', '--', 'env'],
      undefined).then(({ stderr }) => ({ stdout: stderr }));
    const names = [...stdout.matchAll(/^worker: (\w+)=/gm)].map(([, name]) => name);

    assert.ok(names.includes('MINE') && names.includes('USHER_FD'), stdout);
    assert.deepEqual(names.filter((name) =>
      !['MINE', 'USHER_FD', 'PATH', 'HOME', 'LANG', 'TZ'].includes(name)), []);
  });
});
