// SPDX-License-Identifier: ISC
/* The cancel example: work in steps, given up as soon as nobody waits for it. */
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

module.exports = {
  concurrency: 32,	// so many are served at a time by one process

  handlers: {
    count: async function (messageObj, session, send) {
      const { to, gap = 1000 } = messageObj.params;
      let n = 0;

      try {
        while (n < to) {
          n++;
          send({ n: n, of: to });
          await sleep(gap, undefined, { signal: this.signal });
        }
      } catch (error) {
        if (!this.cancelled) throw error;
        console.log(`nobody waits any more, stopped at ${n}`);
        return { stopped: n };
      }
      return { done: true };
    }
  }
};
