// SPDX-License-Identifier: ISC
/*
 * The login example: what a user may see, what only nodes may see, intermediate
 * replies.  An ordinary QEWD handler module: stock QEWD runs it as well.
 */
'use strict';

function paramsOf(messageObj) {
  return messageObj.params && typeof messageObj.params === 'object' ? messageObj.params : {};
}

module.exports = {
  handlers: {
    login: function (messageObj, session, send, finished) {
      const params = paramsOf(messageObj);

      if (session.authenticated) return finished({ error: 'Already logged in' });
      if (params.username !== 'rob' || params.password !== 'secret') {
        return finished({ error: 'Invalid login attempt' });
      }
      session.authenticated = true;
      session.timeout = 1200;
      session.userText = 'Welcome Rob';	// the browser can read it in its token
      session.username = params.username;
      session.makeSecret('username');	// encrypted: for handlers only
      finished({ ok: true });
    },

    whoami: function (messageObj, session, send, finished) {
      finished({
        application: session.application ?? null,
        authenticated: !!session.authenticated,
        username: session.username ?? null,
        userText: session.userText ?? null,
        timeout: session.timeout ?? null,
        secretUsername: session.isSecret('username')
      });
    },

    steps: function (messageObj, session, send, finished) {
      const params = paramsOf(messageObj);
      const gap = params.gap || 0;
      let step = 0;

      (function next() {
        if (step === 3) return finished({ done: true, tag: params.tag });
        step++;
        send({ step: step, of: 3, tag: params.tag });
        setTimeout(next, gap);
      })();
    },

    echo: function (messageObj, session, send, finished) {
      finished({ echo: messageObj.params ?? null, tag: paramsOf(messageObj).tag });
    }
  }
};
