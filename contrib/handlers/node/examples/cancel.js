// SPDX-License-Identifier: ISC
/* The cancel example: a long count that stops when nobody waits for it any more. */
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

module.exports = {
  concurrency: 32,	// so many are served at a time by one process

  handlers: {
    count: async function (messageObj, session, send) {
      const to = messageObj.params?.to ?? 600;
      let n = 0;

      this.signal.addEventListener('abort', () => this.log(`cancelled at ${n}`));
      while (n < to) {
        send({ count: ++n });
        await sleep(100, undefined, { signal: this.signal });	// the work
      }
      return { done: true };
    }
  }
};
