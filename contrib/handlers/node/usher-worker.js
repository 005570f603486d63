// SPDX-License-Identifier: ISC
/*
 * Runs a QEWD handler module, unmodified, as a worker process of usher:
 *
 *	node usher-worker.js [--concurrency N] ./login.js
 *
 * Beyond QEWD, `this` of a handler can call other services, push messages to browsers
 * and hear that nobody waits for the request any more.
 *
 * usherd starts it and talks to it on the descriptor named in USHER_FD, never on
 * stdout, so console.log() is harmless and ends in the daemon's log.  Without
 * USHER_FD it reads requests from stdin and writes replies to stdout, and
 * console.log() goes to stderr.  The protocol is described in usher-handler(7).
 */
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { inspect, parseArgs } = require('node:util');

const KIT = 'node/1';
const PROTOCOL = 1;
const LEVELS = ['error', 'warn', 'info', 'debug'];

/*
 * What a handler finds in a QEWD worker's `this` and not here.  Anything else is a
 * handler's own to set and read.
 */
const LACKING = new Set([
  'addListener', 'afterHandlers', 'beforeHandlers', 'build', 'count', 'db', 'documentStore',
  'emit', 'errorMessages', 'exit', 'getStats', 'handlers', 'hasEventHandler', 'hasFinished',
  'hasStarted', 'isFirst', 'jwt', 'messageHandler', 'off', 'on', 'once', 'qewdSessionByJWT',
  'removeListener', 'resilientMode', 'returnMessage', 'servicesAllowed', 'sessionLocked',
  'sessions', 'setCustomErrorResponse', 'startTime', 'suppressLog',
  'u_services', 'userDefined', 'xpress'
]);

/* The life of the process: one module, one connection, as many requests at a time as allowed. */
class Worker {
  constructor(module, channel, concurrency) {
    this.module = module;
    this.channel = channel;
    this.concurrency = concurrency;
    this.own = {};		// what handlers keep in their `this`
    this.isPrepared = false;	// init() of the module has run
    this.isStopping = false;
    this.isRetiring = false;	// as isStopping, but what the daemon has sent meanwhile is served
    this.isLeaving = false;
    this.exitCode = 0;
    this.requests = new Map();	// id -> the one being served
    this.nRunning = 0;		// of them, without those whose place went to another
    this.waiting = [];		// request lines that came meanwhile
    this.calls = new Map();	// number -> call of a handler that has no final yet
    this.callNumber = 0;
    this.context = new AsyncLocalStorage();	// whose code runs: a Request
    this.ops = new Map([
      ['hello', (line) => this.onHello(line)],
      ['request', (line) => this.onRequest(line)],
      ['cancel', (line) => this.onCancel(line)],
      ['reply', (line) => this.calls.get(line.call)?.onReply(line)],
      ['ping', () => this.onPing()],
      ['stop', () => this.stop()]
    ]);
  }

  start() {
    process.on('uncaughtException', (error) => this.onLateError(error));
    process.on('unhandledRejection', (error) => this.onRejection(error));
    this.channel.start((text) => this.onLine(text), () => this.onEnd());
  }

  onLine(text) {
    if (this.isLeaving) return;
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
    if (isObject(this.module.rest) && !types.includes('restRequest')) types.push('restRequest');
    const concurrency = this.concurrency > 1 ? this.concurrency : undefined;
    this.channel.write(JSON.stringify({ op: 'ready', types, concurrency, cancel: true, kit: KIT }));
  }

  /* Tells the module its application, once; a request typed in by hand may come without hello. */
  prepare(application) {
    if (this.isPrepared) return;
    this.isPrepared = true;
    if (typeof this.module.init !== 'function') return;
    try {
      this.module.init.call(newSelf(this.own, () => workerMembers(this)), application);
    } catch (error) {
      die(`init() of the handler module failed: ${details(error)}`);
    }
  }

  onRequest(line) {
    if (this.isStopping) {
      complain('a request after the end, ignored');
    } else if (this.nRunning >= this.concurrency || this.waiting.length > 0) {
      this.waiting.push(line);
    } else {
      this.serve(line);
    }
  }

  serve(line) {
    this.prepare(line.application);
    const request = new Request(line, this);
    this.requests.set(line.id, request);
    request.hasPlace = true;
    this.nRunning++;
    this.context.run(request, () => request.run());
  }

  onCancel(line) {
    const place = this.waiting.findIndex((waiting) => waiting.id === line.id);
    const request = this.requests.get(line.id);

    if (place >= 0) {
      this.waiting.splice(place, 1);
      new Request(line, this).fail('handler_error', 'cancelled');
    } else if (request && !request.isCancelled) {
      request.cancel();
      // The daemon gives its place to another.
      if (this.concurrency > 1 && request.isOpen) this.release(request);
    }
  }

  onPing() {
    this.channel.write('{"op":"pong"}');
    for (const request of this.requests.values()) if (request.isCancelled) request.pings++;
    const nDeaf = [...this.requests.values()].filter((request) => request.isDeaf).length;
    // Handlers that go on for nobody pile up, and only the end of the process ends them.
    if (this.concurrency > 1 && nDeaf >= this.concurrency) {
      this.retire(`${nDeaf} handlers go on though cancelled`);
    }
    this.leaveIfDone();
  }

  /* Takes no more work and exits, so that another process is started. */
  retire(reason) {
    if (this.isRetiring) return;
    this.isRetiring = true;
    this.exitCode = 1;
    this.channel.write(JSON.stringify({ op: 'unready', reason }));
  }

  /* The request is answered; its handler may still be running. */
  onClosed(request) {
    if (this.requests.get(request.line.id) === request) this.requests.delete(request.line.id);
    for (const call of this.calls.values()) if (call.request === request) call.end();
    this.release(request);
  }

  release(request) {
    if (request.hasPlace) this.nRunning--;
    request.hasPlace = false;
    if (this.waiting.length > 0) setImmediate(() => this.serveWaiting());
    else this.leaveIfDone();
  }

  serveWaiting() {
    while (this.nRunning < this.concurrency && this.waiting.length > 0) {
      this.serve(this.waiting.shift());
    }
    this.leaveIfDone();
  }

  /* The requests at hand are finished first. */
  stop() {
    this.isStopping = true;
    this.leaveIfDone();
  }

  leaveIfDone() {
    if (!this.isStopping && !this.isRetiring) return;
    if (this.waiting.length > 0) return;
    if ([...this.requests.values()].every((request) => request.isDeaf)) this.leave();
  }

  onEnd() {
    // What was typed in or piped in by hand is still answered.
    if (this.channel.isDaemon) this.leave();
    else this.stop();
  }

  /* No fault of the module: a service answered with an error, or the request was cancelled. */
  onRejection(error) {
    const request = this.context.getStore();

    if (request && isAnswer(error, request)) request.failWith(error);
    else this.onLateError(error);
  }

  /*
   * An exception nobody caught: the module may be in any state, so a new process is
   * needed.  It costs the request whose code threw it; those beside it are finished
   * first.  If nobody knows whose it was, it costs all.
   */
  onLateError(error) {
    const culprit = this.context.getStore();

    complain(details(error));
    if (this.isLeaving) return;
    this.retire(firstLine(error));	// first, or the daemon takes the failure for a free place
    for (const request of culprit ? [culprit] : [...this.requests.values()]) {
      request.fail('handler_error', firstLine(error));
    }
    this.leaveIfDone();
  }

  leave() {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.waiting = [];
    this.channel.end(() => process.exit(this.exitCode));
  }

  log(text, level = 'info', id = undefined) {
    if (!LEVELS.includes(level)) throw new TypeError(`${inspect(level)} is no level of the log`);
    this.channel.write(JSON.stringify({ op: 'log', id, level, text: String(text) }));
  }

  push(to, type, message) {
    this.channel.write(JSON.stringify({
      op: 'push', to: checkTarget(to), type: checkName(type, 'the type of a push'),
      message: message ?? {}
    }));
  }
}

/* One request until its single final answer; what comes later is dropped. */
class Request {
  constructor(line, worker) {
    this.line = line;
    this.worker = worker;
    this.channel = worker.channel;
    this.isOpen = true;
    this.isCancelled = false;
    this.hasPlace = false;	// counts among those that are served at a time
    this.pings = 0;		// since it was cancelled
    this.abort = null;		// made when somebody asks for the signal
    this.expires = line.deadline_ms === undefined ? undefined : Date.now() + line.deadline_ms;
    this.secret = new Set(line.secret);
    this.session = newSession(line.session, this.secret);
    this.sessionBefore = this.sessionFields();
    this.self = newSelf(worker.own, () => requestMembers(this));
  }

  run() {
    const { module } = this.worker;
    const args = [
      this.line.message, this.session, (obj) => this.send(obj), (obj) => this.finish(obj)
    ];
    const handle = () => this.attempt(() => this.handle(module, args));

    this.attempt(() => {
      const verdict = this.isRest ? module.beforeHandler?.apply(this.self, this.restArgs())
        : callBefore(module, this.self, args);
      if (isThenable(verdict)) return verdict.then((value) => value !== false && handle());
      if (verdict !== false) handle();
    });
  }

  handle(module, args) {
    const { type, application } = this.line;

    const isRouted = type === 'restRequest' && isObject(module.rest) &&
      !Object.hasOwn(module.handlers, type);
    // Own members only: "constructor" and "__proto__" are types like any other.
    const handler = isRouted ? this.findRoute(module.rest) : own(module.handlers, type);
    if (typeof handler !== 'function') {
      this.fail('no_handler', `Handler not defined for ${application} messages of type ${type}` +
        (isRouted ? ` at ${this.line.message.method} ${this.line.message.pathTemplate}` : ''));
      return;
    }
    const given = isRouted ? this.routeArgs() : this.isRest ? this.restArgs() : args;
    const isDone = this.attempt(() => this.call(handler, given));
    if (isDone && typeof module.afterHandler === 'function') {
      this.attempt(() => module.afterHandler.apply(this.self, this.isRest ? given : args));
    }
  }

  /* An HTTP request to this application itself, and a module of QEWD's for such. */
  get isRest() {
    return this.line.rest === true && this.worker.module.restModule === true;
  }

  /* What QEWD gives to handlers of a module with `restModule: true`. */
  restArgs() {
    const message = { ...this.line.message, session: this.session };
    return [message, (obj) => this.finish(obj)];
  }

  /* As qewd-router does: by the template of the path and the method, or "ANY". */
  findRoute(table) {
    const methods = own(table, this.line.message.pathTemplate);
    return own(methods, this.line.message.method) ?? own(methods, 'ANY');
  }

  routeArgs() {
    const { args, ...req } = this.line.message;
    return [{ ...args, req, session: this.session }, (obj) => this.finish(obj)];
  }

  /*
   * An arrow function has no `this`, so it is the fifth argument as well.  Who does not
   * ask for `finished` and gives a promise answers with what it comes to.
   */
  call(handler, args) {
    const result = handler.call(this.self, ...args, this.self);

    if (!isThenable(result) || handler.length >= args.length) return result;
    return result.then((value) => this.finish(value));
  }

  /*
   * Calls a piece of the module; what it throws, at once or by its promise, fails the
   * request.  Returns false if it threw at once.
   */
  attempt(piece) {
    const failed = (error) => {
      if (!isAnswer(error, this)) complain(details(error));
      this.failWith(error);
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
    // QEWD's routers write it for QEWD's front process, which takes it out again.
    if (this.line.type === 'restRequest' && isObject(obj)) Reflect.deleteProperty(obj, 'path');
    // Left out when nothing changed: the daemon then keeps the encrypted part as it is.
    const tail = session === this.sessionBefore ? '' : `,${session}`;
    this.write('finish', obj || {}, tail);
    this.close();
  }

  /* What another service answered goes to the client as it is. */
  failWith(error) {
    if (error instanceof CallError) this.finish(error.reply);
    else this.fail('handler_error', this.isCancelled ? 'cancelled' : firstLine(error));
  }

  fail(code, error) {
    if (!this.isOpen) return;
    this.channel.write(JSON.stringify({ op: 'fail', id: this.line.id, code, error }));
    this.close();
  }

  /* Nobody waits any more.  The handler is told; its final is still what ends the request. */
  cancel() {
    this.isCancelled = true;
    for (const call of this.worker.calls.values()) if (call.request === this) call.end();
    this.abort?.abort(abortError(this));
  }

  get isDeaf() {
    return this.pings > 1;
  }

  get signal() {
    if (this.abort === null) {
      this.abort = new AbortController();
      if (this.isCancelled) this.abort.abort(abortError(this));
    }
    return this.abort.signal;
  }

  write(op, message, tail = '') {
    const text = JSON.stringify(message) ?? '{}';	// of a function: undefined
    this.channel.write(`{"op":"${op}","id":${this.line.id},"message":${text}${tail}}`);
  }

  close() {
    this.isOpen = false;
    this.worker.onClosed(this);
  }

  sessionFields() {
    const secret = [...this.secret].filter((name) => Object.hasOwn(this.session, name)).sort();
    return `"session":${JSON.stringify(this.session)},"secret":${JSON.stringify(secret)}`;
  }
}

/* A question of a handler to another service, until its final reply. */
class Call {
  constructor(request, number, { onReply, resolve, reject }) {
    this.request = request;
    this.number = number;
    this.tell = onReply;
    this.resolve = resolve;
    this.reject = reject;
  }

  static open(request, application, type, message, onReply) {
    const { worker } = request;

    checkName(application, 'the application of a call');
    checkName(type, 'the type of a call');
    if (!isObject(message) || Array.isArray(message)) {
      throw new TypeError('the message of a call is an object');
    }
    if (request.isCancelled || !request.isOpen) throw abortError(request);
    const number = worker.callNumber + 1;
    const text = JSON.stringify(
      { op: 'call', id: request.line.id, call: number, application, type, message });
    worker.callNumber = number;
    const answer = new Promise((resolve, reject) => {
      worker.calls.set(number, new Call(request, number, { onReply, resolve, reject }));
    });
    worker.channel.write(text);
    answer.catch(() => {});	// who does not wait for it does not care
    return answer;
  }

  onReply(line) {
    const message = line.message ?? {};

    if (line.finished === false) {
      // What the callback throws fails the request, as if the handler had thrown it.
      this.request.worker.context.run(this.request,
        () => this.request.attempt(() => this.tell?.(message)));
      return;
    }
    this.request.worker.calls.delete(this.number);
    if (isError(message)) this.reject(new CallError(message));
    else this.resolve(message);
  }

  /* There will be no answer. */
  end() {
    this.request.worker.calls.delete(this.number);
    this.reject(abortError(this.request));
  }
}

/* What another service answered instead of what it was asked for; all of it is in `reply`. */
class CallError extends Error {
  constructor(reply) {
    super(textOf(reply.error));
    this.code = reply.code;
    this.reply = reply;
  }
}

/*
 * `this` of the handlers.  What they write there they find again in later requests, as
 * in QEWD; what they have not written themselves is of this request.  Few ask for that, so
 * it is made for them alone.
 */
function newSelf(own, makeMembers) {
  return new Proxy(own, new Self(makeMembers));
}

class Self {
  constructor(makeMembers) {
    this.makeMembers = makeMembers;
    this.members = null;
  }

  get(target, name) {
    if (Object.hasOwn(target, name)) return target[name];
    this.members ??= this.makeMembers();
    if (Object.hasOwn(this.members, name)) return this.members[name];
    if (LACKING.has(name)) {
      throw new Error(`this.${name} is not available in usher's Node kit: a handler has ` +
        'messageObj, session, send and finished');
    }
    return target[name];
  }
}

/* What `this` offers everywhere, also in init(). */
function workerMembers(worker) {
  return {
    push: (to, type, message) => worker.push(to, type, message),
    log: (text, level) => worker.log(text, level),
    // QEWD's; a handler may leave out the socket, which is the asking one then
    sendMessage: (type, message, socketId) => worker.push({ socket: socketId }, type, message)
  };
}

/* What `this` offers to a handler. */
function requestMembers(request) {
  const { line, worker } = request;

  return {
    ...workerMembers(worker),
    call: (application, type, message = {}, onReply = undefined) => {
      try {
        return Call.open(request, application, type, message, onReply);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    log: (text, level) => worker.log(text, level, line.id),
    sendMessage: (type, message, socketId = line.client?.socket) =>
      worker.push({ socket: socketId }, type, message),
    get cancelled() { return request.isCancelled; },
    get signal() { return request.signal; },
    request: {
      id: line.id, type: line.type, application: line.application,
      client: line.client ?? {}, name: line.request, trace: line.trace,
      /* Seconds until the client is told "timeout"; undefined: there is no end. */
      get deadline() {
        return request.expires === undefined ? undefined
          : Math.max(0, request.expires - Date.now()) / 1000;
      }
    }
  };
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
      if (process.channel?.fd === Number(fd)) {
        throw new Error('NODE_CHANNEL_FD names it too, which is for handlers without a kit');
      }
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
        if (pieces.length === 0) {
          onLine(chunk.toString('utf8', start, end));
          continue;
        }
        const line = Buffer.concat([...pieces, chunk.subarray(start, end)]);
        pieces = [];
        onLine(line.toString('utf8'));
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

/* `to` of a push: a socket by its name, or as it goes over the wire. */
function checkTarget(to) {
  const target = typeof to === 'string' ? { socket: to } : to;
  const [[kind, value], ...more] = isObject(target) ? Object.entries(target) : [[]];
  const isName = typeof value === 'string' && value !== '';

  if (more.length > 0 || !(kind === 'all' ? value === true
    : (kind === 'socket' || kind === 'application') && isName)) {
    throw new TypeError('a push goes to { socket: name }, { application: name } or { all: true }');
  }
  return target;
}

function checkName(value, what) {
  if (typeof value !== 'string' || value === '') {
    throw new TypeError(`${what} is a non-empty string`);
  }
  return value;
}

/* Is it what became of the request, rather than a fault of its handler? */
function isAnswer(error, request) {
  return error instanceof CallError ||
    (error?.name === 'AbortError' && (request.isCancelled || !request.isOpen));
}

/* What ends a call or an operation with the request's signal when the request has ended. */
function abortError(request) {
  const text = request.isCancelled ? 'cancelled' : 'the request is answered';

  return Object.assign(new Error(text), { name: 'AbortError' });
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

  if (isObject(module) && !module.handlers &&
    (isObject(module.rest) || typeof module.init === 'function')) {
    module.handlers = {};	// init() may add some, as qewd-router does
  }
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

/* null and false are what some services write for "no error". */
function isError(message) {
  return isObject(message) && ![undefined, null, false].includes(message.error);
}

/* A member that is the object's own. */
function own(object, name) {
  return isObject(object) && Object.hasOwn(object, name) ? object[name] : undefined;
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

function parseCommand() {
  const usage = 'usage: node usher-worker.js [--concurrency N] MODULE';

  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true, options: { concurrency: { type: 'string' } }
    });
    if (positionals.length !== 1) die(usage);
    return { name: positionals[0], concurrency: values.concurrency };
  } catch (error) {
    return die(`${error.message}\n${usage}`);
  }
}

/* The command line knows better than the module. */
function concurrencyOf(asked, module) {
  const said = asked ?? module.concurrency ?? 1;

  if (!Number.isInteger(Number(said)) || Number(said) < 1) {
    die(`concurrency is a number of requests, at least 1, not ${inspect(said)}`);
  }
  return Number(said);
}

function main() {
  const { name, concurrency } = parseCommand();
  const channel = new Channel();
  let module;
  try {
    module = loadModule(name);
  } catch (error) {
    die(`handler module ${name} cannot be loaded: ${details(error)}`);
  }
  new Worker(module, channel, concurrencyOf(concurrency, module)).start();
}

main();
