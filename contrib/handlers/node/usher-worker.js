// SPDX-License-Identifier: ISC
/*
 * Runs a QEWD handler module, unmodified, as a worker process of usher:
 *
 *	node usher-worker.js ./login.js
 *
 * usherd starts it and talks to it on the descriptor named in USHER_FD, never on
 * stdout, so console.log() is harmless and ends in the daemon's log.  Without
 * USHER_FD it reads requests from stdin and writes replies to stdout, and
 * console.log() goes to stderr.  The protocol is described in usher-handler(7).
 */
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { inspect } = require('node:util');

const KIT = 'node/1';
const PROTOCOL = 1;

/*
 * What a handler finds in a QEWD worker's `this` and not here.  Anything else is a
 * handler's own to set and read.
 */
const LACKING = new Set([
  'addListener', 'afterHandlers', 'beforeHandlers', 'build', 'count', 'db', 'documentStore',
  'emit', 'errorMessages', 'exit', 'getStats', 'handlers', 'hasEventHandler', 'hasFinished',
  'hasStarted', 'isFirst', 'jwt', 'messageHandler', 'off', 'on', 'once', 'qewdSessionByJWT',
  'removeListener', 'resilientMode', 'returnMessage', 'sendMessage', 'servicesAllowed',
  'sessionLocked', 'sessions', 'setCustomErrorResponse', 'startTime', 'suppressLog',
  'u_services', 'userDefined', 'xpress'
]);

/* The life of the process: one module, one connection, one request at a time. */
class Worker {
  constructor(module, channel) {
    this.module = module;
    this.channel = channel;
    this.self = newSelf();	// `this` of the handlers
    this.isPrepared = false;	// init() of the module has run
    this.isStopping = false;
    this.isLeaving = false;
    this.exitCode = 0;
    this.request = null;	// the one being served
    this.waiting = [];		// lines that came meanwhile
    this.ops = new Map([
      ['hello', (line) => this.onHello(line)],
      ['request', (line) => this.onRequest(line)],
      ['stop', () => this.stop()]
    ]);
  }

  start() {
    process.on('uncaughtException', (error) => this.onLateError(error));
    process.on('unhandledRejection', (error) => this.onLateError(error));
    this.channel.start((text) => this.onLine(text), () => this.onEnd());
  }

  onLine(text) {
    if (this.isLeaving) return;
    if (this.request || this.waiting.length > 0) this.waiting.push(text);
    else this.serve(text);
  }

  serve(text) {
    const line = parseLine(text);
    const op = this.ops.get(line.op);
    if (op) op(line);
    else complain(`op ${inspect(line.op)} is not known, ignored`);
  }

  onHello(line) {
    if (line.protocol !== PROTOCOL) {
      die(`the daemon speaks version ${inspect(line.protocol)} of the handler protocol, ` +
        `this kit ${PROTOCOL}`);
    }
    this.prepare(line.application);
    const types = Object.keys(this.module.handlers)
      .filter((type) => typeof this.module.handlers[type] === 'function');
    this.channel.write(JSON.stringify({ op: 'ready', types, kit: KIT }));
  }

  /* Tells the module its application, once; a request typed in by hand may come without hello. */
  prepare(application) {
    if (this.isPrepared) return;
    this.isPrepared = true;
    if (typeof this.module.init !== 'function') return;
    try {
      this.module.init.call(this.self, application);
    } catch (error) {
      die(`init() of the handler module failed: ${details(error)}`);
    }
  }

  onRequest(line) {
    this.prepare(line.application);
    this.request = new Request(line, this.channel, () => this.onClosed());
    this.request.run(this.module, this.self);
  }

  /* The request is answered; its handler may still be running. */
  onClosed() {
    this.request = null;
    if (this.waiting.length > 0) setImmediate(() => this.serveWaiting());
    else if (this.isStopping) this.leave();
  }

  serveWaiting() {
    while (!this.request && this.waiting.length > 0) this.serve(this.waiting.shift());
    if (!this.request && this.isStopping) this.leave();
  }

  /* The request at hand is finished first. */
  stop() {
    this.isStopping = true;
    if (!this.request) this.leave();
  }

  onEnd() {
    // What was typed in or piped in by hand is still answered.
    this.isStopping = true;
    if (this.channel.isDaemon || (!this.request && this.waiting.length === 0)) this.leave();
  }

  /* An exception nobody caught: the module may be in any state, so a new process is needed. */
  onLateError(error) {
    complain(details(error));
    this.exitCode = 1;
    if (this.request) this.request.fail('handler_error', firstLine(error));
    this.leave();
  }

  leave() {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.waiting = [];
    this.channel.end(() => process.exit(this.exitCode));
  }
}

/* One request until its single final answer; what comes later is dropped. */
class Request {
  constructor(line, channel, onClosed) {
    this.line = line;
    this.channel = channel;
    this.onClosed = onClosed;
    this.isOpen = true;
    this.secret = new Set(line.secret);
    this.session = newSession(line.session, this.secret);
    this.sessionBefore = this.sessionFields();
  }

  run(module, self) {
    const args = [
      this.line.message, this.session, (obj) => this.send(obj), (obj) => this.finish(obj)
    ];
    const handle = () => this.attempt(() => this.handle(module, self, args));

    this.attempt(() => {
      const verdict = callBefore(module, self, args);
      if (isThenable(verdict)) return verdict.then((value) => value !== false && handle());
      if (verdict !== false) handle();
    });
  }

  handle(module, self, args) {
    const { type, application } = this.line;

    // Own members only: "constructor" and "__proto__" are types like any other.
    if (!Object.hasOwn(module.handlers, type) || typeof module.handlers[type] !== 'function') {
      this.fail('no_handler', `Handler not defined for ${application} messages of type ${type}`);
      return;
    }
    const isDone = this.attempt(() => module.handlers[type].apply(self, args));
    if (isDone && typeof module.afterHandler === 'function') {
      this.attempt(() => module.afterHandler.apply(self, args));
    }
  }

  /*
   * Calls a piece of the module; what it throws, at once or by its promise, fails the
   * request.  Returns false if it threw at once.
   */
  attempt(piece) {
    const failed = (error) => {
      complain(details(error));
      this.fail('handler_error', firstLine(error));
    };
    try {
      const result = piece();
      if (isThenable(result)) result.then(undefined, failed);
      return true;
    } catch (error) {
      failed(error);
      return false;
    }
  }

  send(obj) {
    if (!this.isOpen) return;
    if (obj !== null && typeof obj === 'object' && obj.type && typeof obj.type === 'string') {
      const { type, ...message } = obj;
      this.write('send', message, `,"type":${JSON.stringify(type)}`);
    } else {
      this.write('send', obj ?? {});
    }
  }

  finish(obj) {
    if (!this.isOpen) return;
    const session = this.sessionFields();
    // Left out when nothing changed: the daemon then keeps the encrypted part as it is.
    const tail = session === this.sessionBefore ? '' : `,${session}`;
    this.write('finish', obj || {}, tail);
    this.close();
  }

  fail(code, error) {
    if (!this.isOpen) return;
    this.channel.write(JSON.stringify({ op: 'fail', id: this.line.id, code, error }));
    this.close();
  }

  write(op, message, tail = '') {
    const text = JSON.stringify(message) ?? '{}';	// of a function: undefined
    this.channel.write(`{"op":"${op}","id":${this.line.id},"message":${text}${tail}}`);
  }

  close() {
    this.isOpen = false;
    this.onClosed();
  }

  sessionFields() {
    const secret = [...this.secret].filter((name) => Object.hasOwn(this.session, name)).sort();
    return `"session":${JSON.stringify(this.session)},"secret":${JSON.stringify(secret)}`;
  }
}

/* The connection to the daemon: a socket, or stdin and stdout of a try by hand. */
class Channel {
  constructor() {
    const fd = process.env.USHER_FD;

    this.isDaemon = fd !== undefined;
    this.isEnded = false;
    if (this.isDaemon) this.useDescriptor(fd);
    else this.useStdio();
    this.output.on('error', (error) => this.onError(error));
  }

  useDescriptor(fd) {
    delete process.env.USHER_FD;	// children of a handler are no workers
    try {
      if (!/^\d+$/.test(fd)) throw new Error('not a number');
      this.input = this.output = new net.Socket({ fd: Number(fd), readable: true, writable: true });
    } catch (error) {
      die(`USHER_FD=${fd}: ${error.message}`);
    }
    // The terminal sends SIGINT to everybody; what is to end is for the daemon to say.
    process.on('SIGINT', () => {});
  }

  useStdio() {
    this.input = process.stdin;
    this.output = process.stdout;
    // The console looks for its stream at its first use, and so does a handler.
    Object.defineProperty(process, 'stdout', { configurable: true, get: () => process.stderr });
  }

  start(onLine, onEnd) {
    let pieces = [];	// of a line whose end has not come yet

    this.input.on('data', (chunk) => {
      let start = 0;
      for (let end; (end = chunk.indexOf(0x0a, start)) >= 0; start = end + 1) {
        pieces.push(chunk.subarray(start, end));
        onLine(Buffer.concat(pieces).toString('utf8'));
        pieces = [];
      }
      if (start < chunk.length) pieces.push(chunk.subarray(start));
    });
    this.input.on('end', onEnd);
  }

  /* What the socket does not take at once, Node keeps, in order. */
  write(text) {
    if (!this.isEnded) this.output.write(text + '\n');
  }

  /* Calls done when everything has been written. */
  end(done) {
    this.isEnded = true;
    if (this.isDaemon) this.output.end(done);
    else this.output.write('', done);
  }

  onError(error) {
    if (error.code === 'EPIPE' || error.code === 'ECONNRESET') process.exit(0);	// it is gone
    die(`connection to the daemon: ${error.message}`);
  }
}

function newSelf() {
  return new Proxy({}, {
    get(own, name) {
      if (LACKING.has(name) && !Object.hasOwn(own, name)) {
        throw new Error(`this.${name} is not available in usher's Node kit: a handler has ` +
          'messageObj, session, send and finished');
      }
      return own[name];
    }
  });
}

/* The claims, and QEWD's three functions where JSON.stringify() and Object.keys() miss them. */
function newSession(claims, secret) {
  const hidden = (value) => ({ value, enumerable: false, configurable: true, writable: true });

  return Object.defineProperties(claims || {}, {
    makeSecret: hidden((name) => { secret.add(String(name)); }),
    isSecret: hidden((name) => secret.has(String(name))),
    makePublic: hidden((name) => { secret.delete(String(name)); })
  });
}

function callBefore(module, self, [messageObj, session, send, finished]) {
  if (typeof module.beforeMicroServiceHandler === 'function') {
    return module.beforeMicroServiceHandler.call(self, messageObj, finished);
  }
  if (typeof module.beforeHandler === 'function') {
    return module.beforeHandler.call(self, messageObj, session, send, finished);
  }
}

function parseLine(text) {
  let line = null;
  try {
    line = JSON.parse(text);
  } catch {
    // Its text is not shown: it may hold anything a user typed in.
  }
  if (line === null || typeof line !== 'object' || Array.isArray(line)) {
    die("the daemon's line is no JSON object");
  }
  return line;
}

/* A path, seen from the current folder, or else the name of an npm module. */
function loadModule(name) {
  const module = require(findModule(name));

  if (!isObject(module?.handlers)) {
    throw new Error('it exports no "handlers"');
  }
  return module;
}

function findModule(name) {
  try {
    return require.resolve(path.resolve(name));
  } catch (error) {
    if (path.isAbsolute(name) || /^\.\.?(\/|$)/.test(name)) throw error;
    return require.resolve(name, { paths: [process.cwd()] });
  }
}

function isObject(value) {
  return value !== null && typeof value === 'object';
}

function isThenable(value) {
  return isObject(value) && typeof value.then === 'function';
}

/* Anything can be thrown, also what has no text. */
function textOf(error) {
  try {
    return String(error instanceof Error ? error.message || error.name : error);
  } catch {
    return inspect(error);
  }
}

function firstLine(error) {
  return textOf(error).trim().split(/\r?\n/, 1)[0];
}

function details(error) {
  return error instanceof Error && typeof error.stack === 'string' ? error.stack : textOf(error);
}

/* Synchronous, so that the reason is out before the process is. */
function complain(text) {
  try {
    fs.writeSync(2, `usher-worker: ${text}\n`);
  } catch {
    // Nobody listens.
  }
}

function die(text) {
  complain(text);
  process.exit(1);
}

function main() {
  const name = process.argv[2];

  if (name === undefined || process.argv.length > 3) {
    die('usage: node usher-worker.js MODULE');
  }
  const channel = new Channel();
  let module;
  try {
    module = loadModule(name);
  } catch (error) {
    die(`handler module ${name} cannot be loaded: ${details(error)}`);
  }
  new Worker(module, channel).start();
}

main();
