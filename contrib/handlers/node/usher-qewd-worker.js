// SPDX-License-Identifier: ISC
/*
 * Runs the worker of an installed QEWD as a worker process of usher:
 *
 *	node usher-qewd-worker.js
 *
 * in a folder from which `require('qewd')` finds it.  usherd starts it for an
 * application with `qewd: true` and sends, in its first line, the secret and the
 * settings that a QEWD startup file would have.  From then on all is QEWD's own: its
 * database, document store, sessions, hooks, handler modules and services.  This file
 * stands where QEWD's front process stood: it hands each request to the worker object
 * with its own send() and finished(), so that a reply can reach no other request.
 *
 * QEWD takes its session from a token.  The one it gets is made here, from the session
 * the daemon has decrypted; the one it returns is taken apart here and goes back to the
 * daemon as a session.  Neither leaves this process.
 *
 * The protocol is described in usher-handler(7).
 */
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const net = require('node:net');
const path = require('node:path');
const { format, inspect, isDeepStrictEqual } = require('node:util');

const KIT = 'qewd/1';
const PROTOCOL = 1;
const LIFETIME_S = 300;		// of a session, where the daemon does not say
const EXPIRY_MARGIN_S = 60;	// a token that was good for the daemon is good for QEWD as well
const STOP_MS = 500;		// what QEWD gives the listeners of "stop"
const SESSION_NAME = 'usher_session';	// claim that names a session in the document store

/* A file of one of the packages that QEWD consists of. */
const QEWD_FILE = new RegExp('[\\\\/]node_modules[\\\\/](?:ewd-(?:qoper8|session|document-store|' +
  'redis-globals)|qewd-(?:router|microservice-router|mg-dbx|transform-json|monitor)|qoper8)' +
  '[^\\\\/]*[\\\\/]');

/* Which request a piece of code runs for, also in its timers and promises. */
const running = new AsyncLocalStorage();

/* The life of the process: one QEWD worker, one connection, one request at a time. */
class Worker {
  constructor(channel) {
    this.channel = channel;
    this.qewd = null;
    this.isStopping = false;
    this.isLeaving = false;
    this.exitCode = 0;
    this.request = null;	// the one being served
    this.waiting = [];		// lines that came meanwhile
    this.ops = new Map([
      ['hello', (line) => this.onHello(line)],
      ['request', (line) => this.onRequest(line)],
      ['ping', () => this.channel.put({ op: 'pong' })],
      ['stop', () => this.stop()]
    ]);
  }

  start() {
    process.on('uncaughtException', (error) => this.onLateError(error, false));
    process.on('unhandledRejection', (error) => this.onLateError(error, true));
    // QEWD's sendToSocket() speaks to a parent process; there is none, and no channel to it.
    process.send = (message) => this.onParentMessage(message);
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
    if (this.qewd) return;
    try {
      this.qewd = new Qewd(line, this);
    } catch (error) {
      die(`QEWD cannot be started: ${details(error)}`);
    }
    // No types: QEWD loads its modules when they are asked for.
    this.channel.put({ op: 'ready', kit: KIT });
  }

  onRequest(line) {
    if (!this.qewd) die('a request came before hello');
    this.request = new Request(line, this);
    this.request.run();
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

  /*
   * An exception nobody caught fails the request it comes from.  The rejection of an async
   * handler is no worse than an exception thrown at once; after any other the modules may be
   * in any state, so a new process is needed, as in QEWD.  A request of somebody else is
   * finished first.
   */
  onLateError(error, isRejection) {
    const request = running.getStore() || this.request;

    this.report(error);
    if (this.isLeaving) return;
    if (isRejection && request) {
      request.fail('handler_error', firstLine(error));
      return;
    }
    this.exitCode = 1;
    this.isStopping = true;
    // First, or the daemon takes the failure for a free place.
    this.channel.put({ op: 'unready', reason: firstLine(error) });
    if (request) request.fail('handler_error', firstLine(error));
    if (!this.request) this.leave();
  }

  report(error) {
    complain(details(error));
    if (this.qewd) this.qewd.record(error);
  }

  /* What a QEWD worker would tell the front process: pushes, and replies that name no request. */
  onParentMessage(message) {
    if (!isObject(message)) return;
    if (message.socketId !== undefined) this.push(message.type, message.message, message.socketId);
    else if (message.finished === true) this.finishCurrent(message.message);
    else if (message.finished === false) this.sendCurrent(message.type, message.message);
  }

  push(type, message, socket) {
    if (typeof socket !== 'string' || typeof type !== 'string') {
      complain('a message to a socket that has no name, or without a type, is dropped');
      return;
    }
    this.channel.put({ op: 'push', to: { socket }, type, message: message ?? {} });
  }

  sendCurrent(type, message) {
    const request = running.getStore();
    if (request) request.send(isObject(message) ? { ...message, type } : message);
  }

  finishCurrent(message) {
    const request = running.getStore();
    if (request) request.finish(message);
  }

  leave() {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.waiting = [];
    if (this.qewd) this.qewd.stop(this.exitCode === 0 ? 'stop' : 'unexpectedError');
    const delay_ms = this.qewd && this.exitCode === 0 ? STOP_MS : 0;
    setTimeout(() => this.channel.end(() => process.exit(this.exitCode)), delay_ms);
  }
}

/* One request until its single final answer; what comes later is dropped. */
class Request {
  constructor(line, worker) {
    this.line = line;
    this.worker = worker;
    this.isOpen = true;
    this.ticket = null;	// how QEWD knows the session, and how it comes back
  }

  run() {
    const { qewd } = this.worker;

    running.run(this, () => {
      try {
        qewd.serve(this);
      } catch (error) {
        this.worker.report(error);
        this.fail('handler_error', firstLine(error));
      }
    });
  }

  send(obj) {
    if (!this.isOpen) return;
    if (isObject(obj) && obj.type && typeof obj.type === 'string') {
      const { type, ...message } = obj;
      this.write('send', message, `,"type":${JSON.stringify(type)}`);
    } else {
      this.write('send', obj ?? {});
    }
  }

  finish(results) {
    if (!this.isOpen) return;
    if (this.isNoHandler(results)) {
      this.fail('no_handler', results.error);
      return;
    }
    try {
      const session = this.ticket ? this.ticket.collect(results) : null;
      this.strip(results);
      this.write('finish', results || {}, session ? `,${sessionFields(session)}` : '');
    } catch (error) {	// of what JSON cannot hold, or the document store
      this.worker.report(error);
      this.fail('handler_error', firstLine(error));
      return;
    }
    this.close();
  }

  fail(code, error) {
    if (!this.isOpen) return;
    this.worker.channel.put({ op: 'fail', id: this.line.id, code, error });
    this.close();
  }

  /* QEWD's own words for it; another text was chosen by setCustomErrorResponse(). */
  isNoHandler(results) {
    const { application, type } = this.line;
    return isObject(results) && Object.keys(results).length === 1 &&
      [`Handler not defined for ${application} messages of type ${type}`,
        `No handler defined for ${application} messages of type ${type}`].includes(results.error);
  }

  /* Takes out what QEWD's worker adds for the front process, which takes it out again. */
  strip(results) {
    if (!isObject(results)) return;
    Reflect.deleteProperty(results, 'ewd_application');
    if (this.line.rest === true) Reflect.deleteProperty(results, 'restMessage');
    if (this.line.message.ms_requestId) Reflect.deleteProperty(results, 'ms_requestId');
    if (this.line.type === 'restRequest') Reflect.deleteProperty(results, 'path');
  }

  write(op, message, tail = '') {
    const text = JSON.stringify(message) ?? '{}';	// of a function: undefined
    this.worker.channel.write(`{"op":"${op}","id":${this.line.id},"message":${text}${tail}}`);
  }

  close() {
    this.isOpen = false;
    this.worker.qewd.unlockSession();
    this.worker.onClosed();
  }
}

/* The installed QEWD: its worker object, set up as QEWD's own worker process does it. */
class Qewd {
  constructor(hello, worker) {
    const { secret = crypto.randomUUID(), lifetime = LIFETIME_S, settings = {} } = hello.qewd || {};
    const fromApplication = createRequire(path.join(process.cwd(), 'application.js'));
    const qewdPath = fromApplication.resolve('qewd');

    this.mint = new Mint(secret);
    keepOffTheLog([secret, ...this.mint.keyTexts()], path.dirname(qewdPath));
    this.config = newConfig(settings || {}, secret, lifetime);

    const { workerProcess } = createRequire(qewdPath)('ewd-qoper8');
    this.process = new workerProcess();
    this.connect(worker);
    fromApplication('qewd').worker.call(this.process);
    this.process.userDefined = { ...settings?.userDefined, config: this.config };
    this.begin(hello.worker === 1);
  }

  /* What ewd-qoper8 would do with the channel to its parent process. */
  connect(worker) {
    const self = this.process;

    self.startTime = Date.now();
    self.suppressLog = {};
    self.dontLog = (types) => { for (const type of types) self.suppressLog[type] = true; };
    self.hasFinished = (type, message) => worker.finishCurrent(message);
    self.returnMessage = (type, message) => worker.sendCurrent(type, message);
    self.sendMessage = (type, message, socket) => worker.push(type, message, socket);
    self.hasStarted = () => {};
    self.exit = () => worker.stop();
  }

  /*
   * QEWD runs the onWorkerStarted hook last, and tells nobody why it failed; so it is run
   * from here.
   */
  begin(isFirst) {
    const { onWorkerStartedPath } = this.config;

    this.config.onWorkerStartedPath = false;
    this.process.emit('start', isFirst);
    this.config.onWorkerStartedPath = onWorkerStartedPath;
    if (onWorkerStartedPath) {
      createRequire(path.join(process.cwd(), 'application.js'))(onWorkerStartedPath)
        .call(this.process);
    }
    if (!this.process.documentStore) {
      complain('QEWD has no document store yet and answers nothing without one: it comes from ' +
        '"database" or "onWorkerStartedPath" in the settings');
    }
  }

  serve(request) {
    const { message, type, application } = request.line;

    if (isForeign(type) || isForeign(message.service)) {
      request.fail('no_handler', `Handler not defined for ${application} messages of type ${type}`);
      return;
    }
    if (type === 'ewd-fragment' && !isInside(message.params?.file)) {
      const { file } = message.params ?? {};
      request.finish({ error: `Fragment file ${file} does not exist`, file });
      return;
    }
    // The daemon has let this session use it; QEWD would ask whether the service may use itself.
    if (message.service === application) Reflect.deleteProperty(message, 'service');
    request.ticket = this.config.jwt ? new TokenTicket(this.mint, request.line)
      : new StoreTicket(this.process, request.line);
    this.process.count++;
    const asked = { ...request.ticket.message(), type };
    this.process.emit('message', request.line.rest === true ? restMessage(asked) : asked,
      (obj) => request.send(obj), (results) => request.finish(results));
  }

  unlockSession() {
    const { sessionLocked, db } = this.process;

    if (!sessionLocked || !db) return;
    this.process.sessionLocked = undefined;
    try {
      db.unlock(sessionLocked);
    } catch (error) {
      complain(`a session stays locked: ${details(error)}`);
    }
  }

  /* Lets QEWD and its modules end: "stop", or "unexpectedError" after an exception. */
  stop(event) {
    try {
      this.process.emit(event);
    } catch (error) {
      complain(details(error));
    }
  }

  record(error) {
    const { errorLogFile } = this.config;

    if (!errorLogFile) return;
    try {
      fs.appendFileSync(errorLogFile,
        `*** worker ${process.pid} at ${new Date().toUTCString()}\n${redact(details(error))}\n\n`);
    } catch (failure) {
      complain(`errorLogFile: ${failure.message}`);
    }
  }
}

/* A session that QEWD holds in the token. */
class TokenTicket {
  constructor(mint, line) {
    this.mint = mint;
    this.line = line;
    this.before = { session: line.session || {}, secret: line.secret || [] };
  }

  message() {
    return { ...this.line.message, token: this.mint.issue(this.before), jwt: true };
  }

  /* Takes QEWD's token out of the results; gives the session it tells of if that changed. */
  collect(results) {
    const after = isObject(results) ? this.mint.read(results.token) : undefined;

    if (after === undefined) return null;
    Reflect.deleteProperty(results, 'token');
    return after === null || isSame(this.before, after) ? null : after;
  }
}

/*
 * A session that QEWD holds in the document store (`jwt: false` in the settings), under a
 * name that stands in the client's token.  Whether the user is known and for how long is told
 * to the daemon as well, for other nodes ask for the one, and tokens last as long as the other.
 */
class StoreTicket {
  constructor(qewd, line) {
    this.qewd = qewd;
    this.line = line;
    this.before = { session: line.session || {}, secret: line.secret || [] };

    const { session } = this.before;
    this.isNew = !session[SESSION_NAME] && !session.jti;
    this.id = session[SESSION_NAME] || session.jti || crypto.randomUUID();
    // Applications may share a document store, and a session belongs to one of them.
    this.name = `${this.id}.${line.application}`;
  }

  message() {
    const message = { ...this.line.message, token: this.name };

    delete message.jwt;
    if (this.qewd.sessions) this.prepare();
    return message;
  }

  /*
   * What QEWD does at registration, which the daemon has answered.  Who is logged in and has
   * no session here (it expired, the store is lost) is told so by QEWD.
   */
  prepare() {
    const { application, client = {}, session: claims } = this.line;
    let session = this.qewd.sessions.byToken(this.name);

    if (!session) {
      if (this.before.session.authenticated) return;
      session = this.qewd.qewdSessionByJWT(
        { application, session: { uid: this.name, timeout: claims?.timeout } });
      session.ipAddress = client.address ?? claims?.ipAddress ?? '';
    }
    const socket = client.socket ?? claims?.socketId;
    if (socket !== undefined && session.socketId !== socket) session.socketId = socket;
  }

  collect(results) {
    if (isObject(results) && results.error) return null;
    const session = this.qewd.sessions?.byToken(this.name);
    const after = {
      session: {
        ...this.before.session,
        authenticated: Boolean(session && session.authenticated),
        timeout: session?.timeout || this.before.session.timeout
      },
      secret: new Set([...this.before.secret, 'authenticated'])
    };

    if (this.isNew) {
      after.session[SESSION_NAME] = this.id;
      after.secret.add(SESSION_NAME);
    }
    after.secret = [...after.secret];
    return isSame(this.before, after) ? null : after;
  }
}

/* Makes and reads QEWD's tokens. */
class Mint {
  constructor(secret) {
    const md5 = (...parts) => crypto.createHash('md5').update(Buffer.concat(parts)).digest();
    const text = Buffer.from(secret, 'utf8');
    const first = md5(text);
    const second = md5(first, text);

    this.secret = text;
    this.key = Buffer.concat([first, second]);
    this.iv = md5(second, text);
  }

  keyTexts() {
    return [this.key.toString('hex'), this.iv.toString('hex')];
  }

  issue({ session, secret }) {
    const hidden = new Set(secret);
    const pick = (test) =>
      Object.fromEntries(Object.entries(session).filter(([name]) => test(name)));
    const claims = pick((name) => !hidden.has(name) && name !== 'qewd');
    const cipher = crypto.createCipheriv('aes-256-cbc', this.key, this.iv);
    const soon = Math.floor(Date.now() / 1000) + EXPIRY_MARGIN_S;

    claims.qewd = cipher.update(JSON.stringify(pick((name) => hidden.has(name))), 'utf8', 'hex') +
      cipher.final('hex');
    if (claims.exp) claims.exp = Math.max(claims.exp, soon);
    const signed = `${base64url({ typ: 'JWT', alg: 'HS256' })}.${base64url(claims)}`;
    return `${signed}.${this.sign(signed)}`;
  }

  /*
   * The session and the names of its secrets; null if these are not readable, undefined if
   * this is no token of ours.
   */
  read(token) {
    const [head, body, signature, ...more] = typeof token === 'string' ? token.split('.') : [];

    if (body === undefined || more.length > 0 || this.sign(`${head}.${body}`) !== signature) {
      return undefined;
    }
    try {
      const { qewd, ...session } = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
      const secrets = this.decrypt(qewd);
      const secret = Object.keys(secrets).filter((name) => !session[name]);
      for (const name of secret) session[name] = secrets[name];
      return { session, secret };
    } catch {
      return null;	// the daemon keeps what it has
    }
  }

  decrypt(text) {
    const decipher = crypto.createDecipheriv('aes-256-cbc', this.key, this.iv);
    const secrets = JSON.parse(decipher.update(text, 'hex', 'utf8') + decipher.final('utf8'));
    if (!isObject(secrets)) throw new Error('no secrets');
    return secrets;
  }

  sign(text) {
    return crypto.createHmac('sha256', this.secret).update(text).digest('base64url');
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

  put(line) {
    this.write(JSON.stringify(line));
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

/* What QEWD's front process makes of a startup file and gives its workers. */
function newConfig(settings, secret, lifetime) {
  const { userDefined, moduleMap, onWorkerStartedPath, webServerRootPath, jwt, ...others } =
    settings;
  const map = Object.entries(moduleMap || {}).map(([name, module]) => [name, hereOr(module)]);

  return {
    managementPassword: crypto.randomUUID(),	// QEWD's default is known to everybody
    serverName: 'qewd',
    mode: 'production',
    errorLogFile: false,
    sessionDocumentName: 'CacheTempEWDSession',
    lockSession: false,
    initialSessionTimeout: lifetime,
    ...others,
    masterProcessPid: process.ppid,
    moduleMap: map.length > 0 ? Object.fromEntries(map) : false,
    onWorkerStartedPath: hereOr(onWorkerStartedPath) || false,
    webServerRootPath: path.resolve(webServerRootPath || 'www') + path.sep,
    resilientMode: false,	// its journal is kept by QEWD's front process
    jwt: jwt === false ? false : { ...jwt, secret }
  };
}

/*
 * An HTTP request to the application itself, as QEWD's web server would pass it on.  A handler
 * that reads the caller's token finds the one of the session at hand.
 */
function restMessage(message) {
  const headers = { ...message.headers };

  if (/^bearer /i.test(headers.authorization)) headers.authorization = `Bearer ${message.token}`;
  return { ...message, headers, type: 'ewd-qoper8-express', expressType: message.type };
}

/* QEWD takes "./x" as seen from a folder of its own; here it is seen from the application's. */
function hereOr(name) {
  return typeof name === 'string' && /^\.\.?(\/|$)/.test(name) ? path.resolve(name) : name;
}

/*
 * QEWD's own types mint and read tokens for whoever sends them, and names that every object
 * has would be taken for handlers or services.  The daemon lets no client send the former.
 */
function isForeign(name) {
  if (!name) return false;
  const text = String(name);
  return text in Object.prototype || (/^(ewd|qoper8)-/.test(text) && text !== 'ewd-fragment');
}

/* QEWD puts the path of a fragment together as it comes. */
function isInside(file) {
  return typeof file === 'string' && !file.includes('\0') &&
    !file.split(/[\\/]/).includes('..');
}

/* The claims that are the daemon's are not compared: QEWD renews some of them. */
function isSame(before, after) {
  const facts = ({ session: { exp, iat, iss, application, qewd, jti, ...rest }, secret }) =>
    [rest, [...secret].sort()];
  return isDeepStrictEqual(facts(before), facts(after));
}

function sessionFields({ session: { exp, iat, iss, ...session }, secret }) {
  return `"session":${JSON.stringify(session)},"secret":${JSON.stringify([...secret].sort())}`;
}

/* What must not be logged; complain() reads it as well. */
let unspeakable = null;

function redact(text) {
  const plain = text.replace(/\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]{4,}/g, '(token)');
  return unspeakable ? plain.replace(unspeakable, '(secret)') : plain;
}

/*
 * QEWD prints keys, and handlers what they got, which here has a token in it.  All that is
 * printed is searched for these, and of QEWD's own lines only complaints are let through.
 */
function keepOffTheLog(secrets, qewdFolder) {
  const long = secrets.filter((text) => text.length >= 8)
    .map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));

  unspeakable = new RegExp(long.join('|'), 'g');
  for (const stream of new Set([process.stdout, process.stderr])) {
    const write = stream.write;
    stream.write = function (chunk, ...rest) {
      return write.call(this, typeof chunk === 'string' ? redact(chunk) : chunk, ...rest);
    };
  }
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'dir', 'trace']) {
    const print = console[name];
    console[name] = function printed(...args) {
      const isChatter = isQewd(callerOf(printed), qewdFolder) &&
        !/unable|could not|cannot|error|warning/i.test(format(...args));
      if (!isChatter) print.apply(this, args);
    };
  }
}

function callerOf(callee) {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const place = {};

  Error.stackTraceLimit = 1;
  Error.prepareStackTrace = (error, sites) => sites[0]?.getFileName() ?? '';
  Error.captureStackTrace(place, callee);
  const file = place.stack;	// made when it is read
  Object.assign(Error, { stackTraceLimit, prepareStackTrace });
  return file;
}

function isQewd(file, qewdFolder) {
  return file.startsWith(qewdFolder + path.sep) || QEWD_FILE.test(file);
}

function parseLine(text) {
  let line = null;
  try {
    line = JSON.parse(text);
  } catch {
    // Its text is not shown: it may hold anything a user typed in, and the secret.
  }
  if (!isObject(line) || Array.isArray(line)) die("the daemon's line is no JSON object");
  return line;
}

function base64url(value) {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}

function isObject(value) {
  return value !== null && typeof value === 'object';
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
    fs.writeSync(2, redact(`usher-qewd-worker: ${text}\n`));
  } catch {
    // Nobody listens.
  }
}

function die(text) {
  complain(text);
  process.exit(1);
}

function main() {
  if (process.argv.length > 2) die('usage: node usher-qewd-worker.js');
  new Worker(new Channel()).start();
}

main();
