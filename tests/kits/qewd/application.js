// SPDX-License-Identifier: ISC
/* A module of a QEWD application that uses what only QEWD's own worker has. */
'use strict';

let initialised = 'not called';

module.exports = {
  init: function (application) {
    initialised = `${application}, sessions: ${typeof this.sessions}`;
    this.documentStore.on('afterSet', ({ documentName }) => {
      if (documentName === 'kitNotes') this.noted = (this.noted || 0) + 1;
    });
  },

  beforeHandler: function (messageObj, session, send, finished) {
    if (messageObj.type !== 'forbidden') return true;
    finished({ error: 'not for you' });
    return false;
  },

  afterHandler: function () {
    this.after = (this.after || 0) + 1;
  },

  servicesAllowed: { shared: true },

  handlers: {
    about: function (m, session, send, finished) {
      finished({
        initialised, after: this.after, noted: this.noted,
        userDefined: this.userDefined.colour, isFirst: this.isFirst,
        hasDb: typeof this.db.get, hasUse: typeof this.db.use, hasBuild: this.xpress !== undefined,
        hasSessions: typeof this.sessions.create, secret: this.userDefined.config.jwt?.secret
      });
    },
    // The document store: written by one request, read by another
    remember: function (m, session, send, finished) {
      const node = new this.documentStore.DocumentNode('kitNotes', [m.params.about]);
      node.setDocument(m.params.note);
      node.$('count').increment();
      finished({ ok: true });
    },
    recall: function (m, session, send, finished) {
      const names = [];
      const notes = this.db.use('kitNotes');
      notes.forEachChild((name) => { names.push(name); });
      finished({ names, note: notes.$(m.params.about).getDocument(true) });
    },
    forget: function (m, session, send, finished) {
      this.db.use('kitNotes').delete();
      finished({ left: this.db.use('kitNotes').exists });
    },
    // Sessions in the document store
    login: function (m, session, send, finished) {
      session.authenticated = true;
      session.timeout = 1200;
      session.data.$('user').value = m.params.user;
      session.data.$(['basket', 'apples']).value = 3;
      finished({ ok: true });
    },
    basket: function (m, session, send, finished) {
      finished({
        application: session.application, authenticated: session.authenticated,
        timeout: session.timeout, socketId: session.socketId, ipAddress: session.ipAddress,
        user: session.data.$('user').value, basket: session.data.$('basket').getDocument(true),
        active: this.sessions.active().length
      });
    },
    logout: function (m, session, send, finished) {
      session.delete();
      finished({ ok: true });
    },
    pushBySession: function (m, session, send, finished) {
      session.sendToSocket('news', { n: 1 });
      finished({ ok: true });
    },
    // Beside a token, a session in the document store, as QEWD offers it
    both: function (m, session, send, finished) {
      session.uid = session.uid || 'u-17';
      session.makeSecret('uid');
      const stored = this.qewdSessionByJWT({ session, application: session.application });
      finished({ visits: stored.data.$('visits').increment() });
    },
    dropSecret: function (m, session, send, finished) {
      delete session.username;
      finished({ left: 'username' in session });
    },
    clearSecret: function (m, session, send, finished) {
      session.username = '';
      finished({});
    },
    push: function (m, session, send, finished) {
      this.sendMessage('news', { n: 2 }, session.socketId);
      finished({ ok: true });
    },
    seeToken: function (m, session, send, finished) {
      const { session: read } = this.jwt.handlers.validate.call(this, { token: m.token });
      console.log('token', m.token, 'secret', this.jwt.secret);
      console.error(`secret ${this.jwt.secret}`);
      finished({ jwt: m.jwt, application: read.application, authenticated: read.authenticated });
    },
    replyByWorker: function () {
      this.returnMessage('progress', { pct: 10 });
      this.hasFinished('replyByWorker', { by: 'the worker' });
      this.hasFinished('replyByWorker', { by: 'the worker again' });
    },
    lateReplies: function (m, session, send, finished) {
      finished({ n: 1 });
      setTimeout(() => {
        send({ stray: 1 });
        finished({ stray: 2 });
        this.returnMessage('progress', { stray: 3 });
        this.hasFinished('lateReplies', { stray: 4 });
        console.log('late replies are over');
      }, 50);
    },
    lateCrash: function (m, session, send, finished) {
      finished({ n: 1 });
      setTimeout(() => { throw new Error('crash of the first'); }, 50);
    },
    slow: function (m, session, send, finished) {
      send({ started: true });
      setTimeout(() => finished({ waited: true }), m.params.ms);
    },
    asyncCrash: async function () {
      await new Promise((resolve) => setTimeout(resolve, 10));
      throw new Error('Deliberate failure\nwith a second line');
    },
    circular: function (m, session, send, finished) {
      const value = [];
      value.push(value);
      finished({ value });
    },
    locked: function (m, session, send, finished) {
      finished({ locked: Boolean(this.sessionLocked) });
    },
    forbidden: function (m, session, send, finished) { finished({ ran: true }); },
    list: function (m, session, send, finished) { finished([1, 2, 3]); }
  }
};
