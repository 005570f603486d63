// SPDX-License-Identifier: ISC
/*
 * One client that asks a worker again and again: of a kit, or of stock QEWD.  What it sees of
 * both has the same form, so that it can be compared.  It is
 *
 *	sends	the intermediate replies as [type, message]
 *	final	the message of the final reply, or { error } if there was none
 *	code	why there was none; stock QEWD has no codes
 *	session, secret		all claims as they are in the next request, and which are secret
 */
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { here } from './worker.mjs';

export const SECRET = 'a secret of this test alone, 0123456789';
export const qewdFolder = path.join(here, '..', 'e2e');	// whose packages have QEWD
export const inMemoryStore = path.join(here, 'qewd', 'store.js');

const STRAYS_MS = 60;	// within these the types of the tests send what they send too late

/* Without the claims that the daemon sets itself. */
export function onlyUsers(session) {
  const { exp, iat, iss, application, jti, ...rest } = session;
  return rest;
}

/* What a client gets to see, and what the next request's session will be. */
function seen({ sends, final, code, session, secret }) {
  return { sends, final, code, session: onlyUsers(session), secret: [...secret].sort() };
}

/* The token is no part of what a handler says; QEWD's handlers see one, those of kits do not. */
function withoutToken(message) {
  if (Array.isArray(message) || typeof message !== 'object') return message;
  const { token, ewd_application, ...rest } = message;
  if (rest.received) {
    rest.received = { ...rest.received };
    delete rest.received.token;
    delete rest.received.jwt;
  }
  return rest;
}

/* A session goes to and fro as with the daemon: an error and a list renew no token. */
function renewsToken(final) {
  return final.op === 'finish' && !Array.isArray(final.message) && !final.message.error;
}

export function kitClient(worker, firstSession) {
  let session = firstSession;
  let secret = Object.keys(firstSession).filter((name) => name !== 'timeout');

  return async (type, params) => {
    const request = worker.request(type, params, { session, secret });

    worker.put(request);
    // Of a worker that is about to leave, the daemon hears so first.
    await worker.until(() => worker.lines.length > 0, 'an answer');
    if (JSON.parse(worker.lines[0]).op === 'unready') worker.lines.shift();
    const { sends, final } = await worker.answer(request.id);

    if (final.session && renewsToken(final)) {
      session = onlyUsers(final.session);
      secret = final.secret ?? secret.filter((name) => name in session);
    }
    return seen({
      sends: sends.map((line) => [line.type ?? type, line.message]),
      final: final.op === 'fail' ? { error: final.error } : withoutToken(final.message),
      code: final.op === 'fail' ? final.code ?? 'handler_error' : undefined,
      session, secret
    });
  };
}

/* Messages and replies as between the two processes of stock QEWD; module: its handlers. */
export function stockClient(t, module) {
  const jwt = createRequire(path.join(qewdFolder, 'x.js'))('qewd/lib/jwtHandler');
  const config = { jwt: { secret: SECRET }, initialSessionTimeout: 300 };
  const self = { jwt: config.jwt, userDefined: { config } };
  let child = null;
  let token = quietly(() => jwt.createJWT.call(self,
    { application: 'test-app', socketId: 's1', ipAddress: '127.0.0.1' }));
  let take = null;

  // It ends with every exception, and its front process starts another one.
  const start = () => {
    child = fork(path.join(here, 'qewd', 'stock.js'), { cwd: qewdFolder, silent: true });
    for (const stream of [child.stdout, child.stderr]) stream.resume();
    child.on('message', (message) => take && take(message));
    child.send({ type: 'qoper8-start', log: false, isFirst: true, userDefined: { config: {
      ...config, moduleMap: { 'test-app': module }, onWorkerStartedPath: inMemoryStore
    } } });
  };
  t.after(() => child.kill('SIGKILL'));
  return (type, params) => new Promise((resolve) => {
    const sends = [];

    if (!child || !child.connected) start();
    take = (reply) => {
      if (reply.type === 'workerProcessStarted') return;
      if (!reply.finished) {
        sends.push([reply.type, reply.message]);
        return;
      }
      take = null;	// as QEWD's front process drops what comes after the final
      const { message } = reply;
      if (message.token) token = message.token;
      const { session } = quietly(() => jwt.validate.call(self, { token }));
      const { qewd, qewd_list: list, makeSecret, isSecret, makePublic, ...claimed } = session;
      setTimeout(resolve, STRAYS_MS, seen({
        sends, session: claimed, secret: Object.keys(list),
        final: reply.type === 'error' ? { error: message } : withoutToken(message)
      }));
    };
    child.send({ type, params, token, jwt: true });
  });
}

/* jwtHandler prints its keys when it is first used. */
function quietly(piece) {
  const { log } = console;
  console.log = () => {};
  try {
    return piece();
  } finally {
    console.log = log;
  }
}
