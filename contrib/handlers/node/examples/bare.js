// SPDX-License-Identifier: ISC
/*
 * A handler with no kit at all: Node itself reads and writes the lines when it is told
 * that descriptor 3 is a channel to a parent process:
 *
 *	applications:
 *	  test-app: { command: ["node", "bare.js"], environment: { NODE_CHANNEL_FD: "3" } }
 */
'use strict';

const handlers = {
  login: (request) => {
    const params = request.message.params;

    if (params?.username !== 'rob' || params?.password !== 'secret') {
      return put('finish', { id: request.id, message: { error: 'Invalid login attempt' } });
    }
    const session = {
      ...request.session, authenticated: true, timeout: 1200, userText: 'Welcome Rob',
      username: 'rob'
    };
    put('finish', {
      id: request.id, message: { ok: true }, session, secret: [...request.secret, 'username']
    });
  },

  steps: (request) => {
    for (const step of [1, 2, 3]) put('send', { id: request.id, message: { step, of: 3 } });
    put('finish', { id: request.id, message: { done: true } });
  }
};

function put(op, fields) {
  process.send({ op, ...fields });
}

process.on('message', (line) => {
  if (line.op === 'hello') {
    put('ready', { types: Object.keys(handlers) });
  } else if (line.op === 'request' && Object.hasOwn(handlers, line.type)) {
    handlers[line.type](line);
  } else if (line.op === 'request') {
    put('fail', { id: line.id, code: 'no_handler', error: `no handler for ${line.type}` });
  } else if (line.op === 'ping') {
    put('pong');
  } else if (line.op === 'stop') {
    process.removeAllListeners('message');	// it exits when all it has is done and written
  }
});
