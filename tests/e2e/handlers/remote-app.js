// SPDX-License-Identifier: ISC
// A handler module as QEWD users write them, run by stock QEWD and by the Node kit alike.
'use strict';

let greeting = 'not initialised';

const params = (message) => message.params || {};

// Sends three intermediates, each after gap ms, and then the final.
function stepByStep(message, send, finished) {
	const { tag, gap } = params(message);
	let step = 0;

	function next() {
		if (step === 3)
			return finished({ done: true, tag });
		send({ step: ++step, of: 3, tag });
		if (gap)
			setTimeout(next, gap);
		else
			next();
	}
	next();
}

module.exports = {
	init: function () {
		greeting = 'initialised';
	},

	beforeHandler: function (message, session, send, finished) {
		if (message.type !== 'needsAuth' || session.authenticated)
			return true;
		finished({ error: 'User not authenticated' });
		return false;
	},

	handlers: {
		login: function (message, session, send, finished) {
			const { username, password } = params(message);

			if (username !== 'rob' || password !== 'secret')
				return finished({ error: 'Invalid login attempt' });
			session.authenticated = true;
			session.timeout = 1200;
			session.userText = 'Welcome Rob';
			session.username = username;
			session.makeSecret('username');
			finished({ ok: true });
		},
		whoami: function (message, session, send, finished) {
			finished({
				application: session.application,
				authenticated: session.authenticated,
				username: session.username,
				userText: session.userText,
				timeout: session.timeout,
				isSecret: session.isSecret('username'),
				socketId: session.socketId,
				ipAddress: session.ipAddress
			});
		},
		publish: function (message, session, send, finished) {
			session.makePublic('username');
			finished({ ok: true });
		},
		needsAuth: function (message, session, send, finished) {
			finished({ user: session.username });
		},
		greeting: function (message, session, send, finished) {
			finished({ greeting });
		},
		steps: function (message, session, send, finished) {
			stepByStep(message, send, finished);
		},
		stepsOther: function (message, session, send, finished) {
			send({ type: 'progress', percent: 50, tag: params(message).tag });
			finished({ done: true, tag: params(message).tag });
		},
		echo: function (message, session, send, finished) {
			console.log('echo was called');	// a print must harm nobody
			finished({ echo: message.params, tag: params(message).tag });
		},
		raw: function (message, session, send, finished) {
			finished({ received: JSON.parse(JSON.stringify(message)) });
		},
		big: function (message, session, send, finished) {
			finished({ data: 'x'.repeat(params(message).size) });
		},
		list: function (message, session, send, finished) {
			finished([1, 2, 3]);
		},
		empty: function (message, session, send, finished) {
			finished();
		},
		emptyObject: function (message, session, send, finished) {
			finished({});
		},
		fail: function (message, session, send, finished) {
			finished({ error: 'Told to fail', status: { code: 418 }, tag: params(message).tag });
		},
		twice: function (message, session, send, finished) {
			finished({ n: 1 });
			finished({ n: 2 });
		},
		late: function (message, session, send, finished) {
			finished({ n: 1 });
			setTimeout(() => send({ after: 'the final' }), 20);
		},
		slow: function (message, session, send, finished) {
			setTimeout(() => finished({ tag: params(message).tag }), params(message).ms);
		},
		promised: async function (message, session, send, finished) {
			await null;
			finished({ tag: params(message).tag });
		},
		never: function () {},
		crash: function () {
			throw new Error('Deliberate failure');
		},
		crashLater: function () {
			setTimeout(() => { throw new Error('Deliberate late failure'); }, 10);
		},
		exit: function () {
			process.exit(1);
		}
	}
};
