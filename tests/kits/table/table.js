// SPDX-License-Identifier: ISC
/*
 * The types of ../table.mjs as a QEWD module: for the Node kit, for QEWD's own worker behind
 * usher, and for stock QEWD.  table.py, table.c and table.sh have the same.
 */
'use strict';

module.exports = {
  handlers: {
    progress: function (m, session, send, finished) {
      send({ type: 'progressed', pct: 50 });
      send({ pct: 100 });
      finished({ done: true });
    },
    list: function (m, session, send, finished) { finished([1, [], { a: null }]); },
    nothing: function (m, session, send, finished) { send({}); finished(); },
    refuse: function (m, session, send, finished) {
      finished({ error: 'Told to fail', status: { code: 418 } });
    },
    crash: function () { throw new Error('Deliberate failure'); },
    crashAfterSend: function (m, session, send) {
      session.color = 'blue';
      send({ step: 1 });
      throw new Error('Deliberate failure');
    },
    twice: function (m, session, send, finished) {
      finished({ n: 1 });
      send({ n: 2 });
      finished({ n: 3 });
    },
    show: function (m, session, send, finished) {
      finished({
        user: session.user ?? null, color: session.color ?? null, list: session.list ?? null,
        isSecret: session.isSecret('user')
      });
    },
    change: function (m, session, send, finished) {
      session.user = 'anna é "\\\n 😀';
      session.makeSecret('user');
      session.color = 'red';
      session.list = [1, { a: null, b: 0.5 }];
      finished({ ok: true });
    },
    changeInside: function (m, session, send, finished) {
      session.list.push('more');
      finished({ ok: true });
    },
    changeRefused: function (m, session, send, finished) {
      session.color = 'green';
      finished({ error: 'Told to fail' });
    },
    publish: function (m, session, send, finished) {
      session.makePublic('user');
      finished({ isSecret: session.isSecret('user') });
    },
    forget: function (m, session, send, finished) {
      delete session.color;
      finished({ ok: true });
    },
    lengthen: function (m, session, send, finished) {
      session.timeout = 900;
      session.authenticated = true;
      finished({ ok: true });
    }
  }
};
