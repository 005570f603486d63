// SPDX-License-Identifier: ISC
/* What protocol.test.mjs asks of handlers in Node; protocol.py has the same types. */
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

async function countRejections(attempts) {
  const results = await Promise.allSettled(attempts.map((attempt) => (async () => attempt())()));

  return { caught: results.filter((result) => result.reason instanceof TypeError).length };
}

module.exports = {
  handlers: {
    about: function (m, session, send, finished) {
      finished({ ...this.request, cancelled: this.cancelled });
    },
    ask: async function ({ params }, session, send) {
      return {
        answer: await this.call(params.application, params.type, params.message,
          (reply) => send({ heard: reply }))
      };
    },
    askCaught: async function () {
      try {
        await this.call('other', 'thing', {});
      } catch (error) {
        return { text: error.message, code: error.code, all: error.reply };
      }
    },
    askTwice: async function () {
      return {
        answers: await Promise.all([1, 2].map((n) => this.call('other', 'thing', { n })))
      };
    },
    askWrongly: function () {
      return countRejections(
        [['', 't'], ['a', ''], ['a', 5], ['a', 't', [1]], ['a', 't', 'text']]
          .map((args) => () => this.call(...args)));
    },
    push: function ({ params }, session, send, finished) {
      for (const to of params.to) this.push(to, 'news', { n: 1 });
      this.push({ all: true }, 'empty');
      finished({ ok: true });
    },
    pushWrongly: function () {
      return countRejections(
        [{}, { all: false }, { socket: null }, { room: 'r' }, { socket: 's', all: true },
          null, 5, '', []].map((to) => () => this.push(to, 'news')));
    },
    patient: function (m, session, send, finished) {
      send({ started: true });
      this.signal.addEventListener('abort', () => {
        console.log(`patient was told: ${this.cancelled ? 'True' : 'False'}`);
        finished({ cancelled: this.cancelled });
      });
    },
    throws: async function (m, session, send) {
      send({ started: true });
      await sleep(30000, undefined, { signal: this.signal });
    },
    deaf: (m, session, send, finished) => {
      send({ started: true });
      setTimeout(() => finished({ done: true }), m.params.ms);
    },
    block: (m, session, send, finished) => {
      send({ started: true });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, m.params.ms);
      send({ ended: true });
      finished({ done: true });
    },
    wait: async (m, session, send) => {
      await sleep(m.params.ms);
      return { tag: m.params.tag };
    },
    crash: () => { throw new Error('Deliberate failure'); },
    log: async function (m, session, send) {
      await sleep(20);
      this.log(`about ${m.params.tag}`);
    },
    exit: () => { process.exit(3); },

    // Of the Node kit alone
    crashLater: (m, session, send) => {
      send({ started: true });
      setTimeout(() => { throw new Error('Deliberate late failure'); }, m.params.ms);
    },
    rejectLater: (m, session, send) => {
      send({ started: true });
      setTimeout(() => { Promise.reject(new Error('Deliberate late failure')); }, m.params.ms);
    },
    answeredThenCrashes: (m, session, send, finished) => {
      finished({ ok: true });
      setTimeout(() => { throw new Error('Deliberate late failure'); }, m.params.ms);
    },
    thenWithoutCatch: function (m, session, send, finished) {
      this.call('other', 'thing').then((answer) => finished({ answer }));
    },
    ignoresAnswer: function (m, session, send, finished) {
      this.call('other', 'thing');
      finished({ ok: true });
    },
    callsTooLate: function (m, session, send, finished) {
      finished({ ok: true });
      this.call('other', 'thing').catch((error) => console.log(`refused: ${error.message}`));
    },
    badCallback: async function () {
      return this.call('other', 'thing', {}, () => { throw new Error('Failure in a callback'); });
    },
    qewdPush: function (m, session, send, finished) {
      this.sendMessage('pushed', { hello: true }, session.socketId);
      this.sendMessage('pushed', { hello: 'asker' });
      finished({ ok: true });
    },
    arrow: (m, session, send, finished, request) => finished({ id: request.request.id }),
    ownNames: function (m, session, send, finished) {
      const was = typeof this.request;
      this.request = 'mine';
      finished({ was, is: this.request });
    },
    acceptsFinished: async (m, session, send, finished) => {
      setTimeout(() => finished({ by: 'finished' }), 10);
      return { by: 'return' };
    },
    asyncNothing: async () => {}
  }
};

// Registered outside of any request, so that nobody can say whose fault it is.
setInterval(() => {
  if (module.exports.isBroken) throw new Error('Deliberate failure of nobody');
}, 20).unref();
module.exports.handlers.breakLater = (m, session, send) => {
  send({ started: true });
  module.exports.isBroken = true;
};
