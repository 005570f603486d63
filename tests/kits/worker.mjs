// SPDX-License-Identifier: ISC
/*
 * The daemon's side of the handler protocol, for the tests of the kits: starts a
 * worker with a socket on its descriptor 3 (or with stdin and stdout) and talks to it.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const handlers = path.join(here, '..', '..', 'contrib', 'handlers');

const PATIENCE_MS = 20000;

/* The interpreter itself: the wrapper of a version manager takes longer to start than Python. */
export const pythonProgram = execFileSync(process.env.PYTHON || 'python3',
  ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();

/* What a kit is started with; the same cases run on each. */
const python = (script) => ({
  command: pythonProgram,
  args: [script],
  env: { PYTHONPATH: path.join(handlers, 'python'), PYTHONDONTWRITEBYTECODE: '1' }
});

const node = (module, ...options) => ({
  command: process.execPath,
  args: [path.join(handlers, 'node', 'usher-worker.js'), ...options, module],
  env: {}
});

const pythonServing = (script, concurrency) => {
  const program = python(path.join(here, script));
  return { ...program, env: { ...program.env, CONCURRENCY: String(concurrency) } };
};

/* The ways to write a handler, each with the types of protocol.py, served n at a time. */
export const ways = [
  { name: 'python', program: (n) => pythonServing('protocol.py', n) },
  { name: 'python async', program: (n) => pythonServing('protocol_async.py', n) },
  {
    name: 'node',
    program: (n) => node(path.join(here, 'protocol.js'), ...(n > 1 ? ['--concurrency', n] : []))
  }
];

export const kits = [
  {
    name: 'python',
    announced: 'python/1',
    fixture: python(path.join(here, 'fixture.py')),
    login: python(path.join(handlers, 'python', 'examples', 'login.py')),
    cancel: ['cancel.py', 'async.py'].map(
      (name) => python(path.join(handlers, 'python', 'examples', name)))
  },
  {
    name: 'node',
    announced: 'node/1',
    fixture: node(path.join(here, 'fixture.js')),
    login: node(path.join(handlers, 'node', 'examples', 'login.js')),
    cancel: [node(path.join(handlers, 'node', 'examples', 'cancel.js'))]
  }
];

export const rawExample = {
  command: pythonProgram,
  args: [path.join(handlers, 'python', 'examples', 'raw.py')],
  env: {}
};

export const bareExample = {
  command: process.execPath,
  args: [path.join(handlers, 'node', 'examples', 'bare.js')],
  env: { NODE_CHANNEL_FD: '3' }
};

export const nodeWith = node;
export const pythonWith = python;

export class Worker {
  /* mode "fd3" is how the daemon starts it, "stdio" how a user tries it by hand. */
  constructor(t, { command, args, env }, { mode = 'fd3', extraEnv = {}, cwd } = {}) {
    const isFd3 = mode === 'fd3';

    this.child = spawn(command, args, {
      cwd,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env,
        ...(isFd3 ? { USHER_FD: '3' } : {}), ...extraEnv },
      stdio: isFd3 ? ['ignore', 'pipe', 'pipe', 'pipe'] : ['pipe', 'pipe', 'pipe']
    });
    this.lines = [];
    this.wakers = [];
    this.nextId = 1;
    this.stdout = '';
    this.stderr = '';
    this.input = isFd3 ? this.child.stdio[3] : this.child.stdin;
    this.output = isFd3 ? this.child.stdio[3] : this.child.stdout;
    this.input.on('error', () => {});
    this.readLines();
    if (isFd3) this.child.stdout.on('data', (data) => { this.stdout += data; this.wake(); });
    this.child.stderr.on('data', (data) => { this.stderr += data; this.wake(); });
    this.exit = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.isGone = true;
        resolve({ code, signal });
        this.wake();
      });
    });
    t.after(() => {
      this.child.kill('SIGKILL');
      return this.exit;
    });
  }

  readLines() {
    let rest = [];

    this.output.on('data', (chunk) => {
      let start = 0;
      for (let end; (end = chunk.indexOf(0x0a, start)) >= 0; start = end + 1) {
        rest.push(chunk.subarray(start, end));
        this.lines.push(Buffer.concat(rest).toString('utf8'));
        rest = [];
      }
      rest.push(chunk.subarray(start));
      this.wake();
    });
    this.output.on('error', () => {});
  }

  wake() {
    for (const waker of this.wakers.splice(0)) waker();
  }

  /* Waits until the condition holds; what never comes true fails the test. */
  async until(condition, what) {
    const deadline = Date.now() + PATIENCE_MS;

    while (!condition()) {
      assert.ok(Date.now() < deadline, `still waiting for ${what}; stderr: ${this.stderr}`);
      assert.ok(!this.isGone, `the worker left while waiting for ${what}; stderr: ${this.stderr}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.wakers.push(() => { clearTimeout(timer); resolve(); });
      });
    }
  }

  async next() {
    await this.until(() => this.lines.length > 0, 'a line');
    return JSON.parse(this.lines.shift());
  }

  put(line) {
    this.input.write(typeof line === 'string' || Buffer.isBuffer(line) ? line
      : `${JSON.stringify(line)}\n`);
  }

  async hello(more) {
    this.put({ op: 'hello', protocol: 1, node: 'n1', application: 'test-app', worker: 1, ...more });
    return this.next();
  }

  request(type, params, { session = {}, secret = [], message } = {}) {
    return {
      op: 'request', id: this.nextId++, application: 'test-app', type,
      message: message ?? { type, params },
      session: { application: 'test-app', ...session }, secret,
      deadline_ms: 55000, client: { address: '127.0.0.1', socket: 's1' }, request: 'r-1'
    };
  }

  /* The intermediates of the request, and its one final line. */
  async answer(id) {
    const sends = [];

    for (;;) {
      const line = await this.next();
      assert.equal(line.id, id, JSON.stringify(line));
      if (line.op !== 'send') return { sends, final: line };
      sends.push(line);
    }
  }

  async ask(type, params, more) {
    const request = this.request(type, params, more);
    this.put(request);
    return this.answer(request.id);
  }
}

export async function started(t, program, options) {
  const worker = new Worker(t, program, options);
  await worker.hello();
  return worker;
}
