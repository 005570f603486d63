// SPDX-License-Identifier: ISC
/* The types of tests/kits for the Node kit, as a QEWD module; fixture.py has the same. */
'use strict';

const { execSync } = require('node:child_process');

const succeeds = (command) => {
  try {
    execSync(command);
    return true;
  } catch {
    return false;
  }
};

const calls = [];	// of init, beforeHandler, afterHandler

module.exports = {
  init: function (application) {
    calls.push(`init ${application}`);
    this.prepared = 'by init';
  },

  beforeHandler: function (messageObj, session, send, finished) {
    calls.push(`before ${messageObj.type}`);
    if (messageObj.type === 'forbidden') {
      finished({ error: 'User not authenticated' });
      return false;
    }
    if (messageObj.type === 'forbiddenLater') {
      return new Promise((resolve) => setTimeout(resolve, 20)).then(() => {
        finished({ error: 'User not authenticated' });
        return false;
      });
    }
    if (messageObj.type === 'crashBefore') throw new Error('Failure before');
  },

  afterHandler: function (messageObj) {
    calls.push(`after ${messageObj.type}`);
  },

  handlers: {
    raw: (m, session, send, finished) => finished({ received: m }),
    list: (m, session, send, finished) => finished([1, 2, 3]),
    nothing: (m, session, send, finished) => { send(null); finished(); },
    text: (m, session, send, finished) => finished('just text'),
    progress: (m, session, send, finished) => {
      const reply = { type: 'progressed', pct: 50 };
      send(reply);
      send({ pct: reply.type === 'progressed' ? 100 : -1 });
      finished({ done: true });
    },
    refuse: (m, session, send, finished) => {
      finished({ error: 'Told to fail', status: { code: 418 } });
    },
    crash: () => { throw new Error('Deliberate failure\nwith a second line'); },
    crashWithoutText: () => { throw new RangeError(); },
    crashAfterSend: (m, session, send) => {
      send({ step: 1 });
      throw new Error('Deliberate failure');
    },
    crashOdd: () => { throw Object.create(null); },
    crashText: () => { throw 'just a text'; },
    late: (m, session, send, finished) => {
      finished({ n: 1 });
      setTimeout(() => {
        send({ afterFinal: true });
        finished({ n: 2 });
        console.log('late is over');
      }, 50);
    },
    twice: (m, session, send, finished) => {
      finished({ n: 1 });
      send({ n: 2 });
      finished({ n: 3 });
    },
    print: (m, session, send, finished) => {
      console.log('printed by a handler');
      console.log('{"op":"finish","id":1,"message":"not this one"}');
      console.error('printed as an error');
      process.stdout.write('half a pair: \ud800\n');
      process.stdout.write(execSync('echo printed by a child'));
      finished({ ok: true });
    },
    unserialisable: (m, session, send, finished) => {
      const value = [];
      value.push(value);
      finished({ value });
    },
    halfPair: (m, session, send, finished) => finished({ value: '\ud800' }),
    big: (m, session, send, finished) => {
      const { parts, size } = m.params;

      for (let part = 0; part < parts; part++) send({ part, data: 'x'.repeat(size) });
      finished({ done: true });
    },
    slow: (m, session, send, finished) => {
      send({ started: true });
      setTimeout(() => finished({ waited: true }), m.params.ms);
    },
    never: (m, session, send) => { send({ started: true }); setInterval(() => {}, 1000); },
    exit: () => { process.exit(3); },
    child: (m, session, send, finished) => finished({
      holdsConnection: succeeds('test -e /proc/self/fd/3'),
      hasVariable: succeeds('test -n "$USHER_FD"')
    }),
    session: (m, session, send, finished) => finished({ session: { ...session } }),
    sameSession: (m, session, send, finished) => {
      session.user = session.user + '';
      session.makeSecret('user');
      finished({});
    },
    nestedSession: (m, session, send, finished) => { session.list.push(4); finished({}); },
    secretNumber: (m, session, send, finished) => {
      session[5] = 'five';
      session.makeSecret(5);
      finished({});
    },
    publish: (m, session, send, finished) => {
      const was = session.isSecret('user');
      session.makePublic('user');
      finished({ was, is: session.isSecret('user') });
    },
    forget: (m, session, send, finished) => { delete session.user; finished({}); },
    trueToOne: (m, session, send, finished) => { session.flag = 1; finished({}); },

    // Of the Node kit alone
    asyncOk: async (m, session, send, finished) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      finished({ ok: true });
    },
    asyncCrash: async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      throw new Error('Deliberate failure\nwith a second line');
    },
    crashLater: () => {
      setTimeout(() => { throw new Error('Deliberate late failure\nline 2'); }, 20);
    },
    rejectLater: () => {
      setTimeout(() => { Promise.reject(new Error('Deliberate late rejection')); }, 20);
    },
    crashLaterWithoutRequest: (m, session, send, finished) => {
      finished({ ok: true });
      setTimeout(() => { throw new Error('Deliberate late failure'); }, 20);
    },
    typeIsNumber: (m, session, send, finished) => { send({ type: 5, n: 1 }); finished({}); },
    api: function (m, session, send, finished) { finished({ got: this[m.params.name] }); },
    ownState: function (m, session, send, finished) {
      this.db = 'mine';
      finished({ prepared: this.prepared, db: this.db, unknown: this.unknown === undefined });
    },
    calls: (m, session, send, finished) => finished({ calls: calls.slice() }),
    forbidden: (m, session, send, finished) => finished({ ran: true }),
    forbiddenLater: (m, session, send, finished) => { calls.push('ran'); finished({ ran: true }); },
    crashBefore: (m, session, send, finished) => finished({ ran: true }),
    notAFunction: 'text'
  }
};
