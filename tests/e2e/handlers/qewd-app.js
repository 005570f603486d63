// SPDX-License-Identifier: ISC
// A module for QEWD's own worker: what any QEWD module does, and documents.
'use strict';
const remoteApp = require('./remote-app');

module.exports = Object.assign({}, remoteApp, {
	handlers: Object.assign({}, remoteApp.handlers, {
		remember: function (message, session, send, finished) {
			new this.documentStore.DocumentNode('notes', [session.username]).setDocument(message.params.note);
			finished({ ok: true });
		},
		recall: function (message, session, send, finished) {
			const notes = this.db.use('notes', session.username);
			finished({ exists: notes.exists, note: notes.getDocument(true) });
		},
		blab: function (message, session, send, finished) {
			console.log('the secret is ' + this.jwt.secret + ', the token ' + message.token);
			console.error('the secret is ' + this.jwt.secret);
			finished({ knows: this.jwt.secret.length });
		},
		push: function (message, session, send, finished) {
			this.sendMessage('news', { n: 1 }, session.socketId);
			finished({ ok: true });
		}
	})
});
