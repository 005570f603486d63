// SPDX-License-Identifier: ISC
// A client of usher, for pages and for Node: calls as promises over one Socket.IO socket.
//
//	Usher			what the user holds
//	Session			its calls, its token, its connection as it comes and goes
//	QewdDoor, EventDoor	the two ways of saying it on the wire
//	Call, Steps		one call on its way; its intermediate replies
//
// The file is CommonJS, and a plain script as well: then it is the global UsherClient.
'use strict';
(function () {

const CALL_MS = 65000;			// the server's own 60 s end first: its answer says more
const REGISTER_MS = 10000;		// between two attempts to register
const RETRY_MS = 1000;			// before another attempt, where the server does not say
const CANCEL_MS = 5000;			// for our cancellation to end a call before the server does
const FIRST_TOKEN_MS = 1000;		// for an "auth" event, if there is going to be one
const TIMER_MAX_MS = 0x7fffffff;	// a longer timer would fire at once
const WAITING_MAX = 1000;		// calls that wait for a connection
const MESSAGE_MAX = 1000000;		// bytes; above, the server closes the connection
const ENVELOPE_BYTES = 1024;		// of a message, besides its params, with a first token

// The token is good for nothing any more.
const SESSION_ENDS = ['no_token', 'invalid_token', 'token_expired', 'session_revoked'];

class UsherError extends Error {
	constructor(text, { code, ran, status, by, request, retryAfterMs, details } = {}) {
		super(text);
		this.code = code;
		this.ran = ran;
		this.status = status;
		this.by = by;
		this.request = request;
		this.retryAfterMs = retryAfterMs;
		this.details = details;
	}
}
UsherError.prototype.name = 'UsherError';

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

// The error in a final reply.  One without "ran" is the handler's own answer, so it has run.
function errorOf(message) {
	const { error, code, status, by, request, ran, retry_after_ms: retryAfterMs } = message;

	return new UsherError(typeof error === 'string' ? error : JSON.stringify(error), {
		code: typeof code === 'string' ? code : 'application_error',
		ran: ran || 'yes', status: isObject(status) ? status.code : undefined,
		by, request, retryAfterMs, details: message
	});
}

function reasonOf(signal) {
	if (signal && signal.reason !== undefined)
		return signal.reason;
	if (typeof DOMException === 'function')
		return new DOMException('The call was aborted', 'AbortError');
	return Object.assign(new Error('The call was aborted'), { name: 'AbortError' });
}

// An exception of user code that no call of ours can carry: it counts as uncaught.
function throwLater(error) {
	setTimeout(() => { throw error; });
}

// ---- what is sent ----

const isBinary = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value) ||
    (typeof Blob === 'function' && value instanceof Blob);

function refuseBinary(key, value) {
	// Socket.IO would take it out of the JSON, and the server closes the connection then.
	if (isBinary(this[key]))
		throw new TypeError('binary data cannot be sent: encode it as text');
	return value;
}

// The value as JSON has it, now: what happens to the original later does not matter any more.
function snapshot(value) {
	const text = JSON.stringify(value, refuseBinary);

	return { value: text === undefined ? undefined : JSON.parse(text), text: text || '' };
}

function bytesOf(text) {
	return new TextEncoder().encode(text).length;
}

// ---- tokens ----

// The claims that a page can read; undefined if the token is none of ours.
function claimsOf(token) {
	try {
		const binary = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
		const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
		const claims = JSON.parse(new TextDecoder().decode(bytes));
		return isObject(claims) ? claims : undefined;
	} catch (e) {
		return undefined;
	}
}

// What is left of a token when its times are taken away, as text to compare.
function contentOf(token) {
	const claims = claimsOf(token);

	if (!claims)
		return token;
	delete claims.exp;
	delete claims.iat;
	return JSON.stringify(Object.keys(claims).sort().map((name) => [name, claims[name]]));
}

// Keeps the token in localStorage or sessionStorage.
function webStorage(storage, key = 'usher-token') {
	return {
		get: () => storage.getItem(key),
		set: (token) => storage.setItem(key, token),
		clear: () => storage.removeItem(key)
	};
}

// ---- a call ----

// Intermediate replies, from whoever brings them to whoever reads; kept until they are read.
class Steps {
	constructor() {
		this.items = [];
		this.readers = [];
		this.end = null;	// how reading ends, after the last item
	}

	push(value) {
		const reader = this.readers.shift();

		if (reader)
			reader.resolve({ value, done: false });
		else
			this.items.push(value);
	}

	close(error) {
		if (error === undefined)
			this.end = () => Promise.resolve({ value: undefined, done: true });
		else
			this.end = () => Promise.reject(error);
		this.readers.splice(0).forEach((reader) => reader.resolve(this.end()));
	}

	next() {
		if (this.items.length > 0)
			return Promise.resolve({ value: this.items.shift(), done: false });
		if (this.end)
			return this.end();
		return new Promise((resolve) => this.readers.push({ resolve }));
	}
}

class Call {
	constructor(id, type, params, fields) {
		this.id = id;
		this.type = type;
		this.params = params;
		this.fields = fields;
		this.isSent = false;
		this.steps = new Steps();
		this.promise = new Promise((resolve, reject) => {
			this.resolve = resolve;
			this.reject = reject;
		});
	}

	// The promise with what else the user may want of a call.
	asPromise(cancel) {
		const { steps, promise } = this;
		const progress = {
			[Symbol.asyncIterator]: () => {
				// Whoever reads the steps hears of the error there.
				promise.catch(() => {});
				return {
					next: () => steps.next(),
					return: (value) => Promise.resolve({ value, done: true })
				};
			}
		};

		return Object.defineProperties(promise, {
			id: { value: this.id },
			progress: { value: progress },
			cancel: { value: cancel }
		});
	}

	// Once, by the session alone.
	end(error, reply) {
		clearTimeout(this.timer);
		if (this.signal)
			this.signal.removeEventListener('abort', this.onAbort);
		this.steps.close(error);
		if (error === undefined)
			this.resolve(reply);
		else
			this.reject(error);
	}
}

// ---- the session ----

class Session {
	constructor(socket, isOwn, options, door) {
		this.socket = socket;
		this.isOwn = isOwn;
		this.options = options;
		this.deadline = options.deadline === undefined ? CALL_MS : options.deadline;
		this.isOpen = false;		// the server knows us, on this connection
		this.closed = null;		// the error for who comes later
		this.refused = null;		// why the server does not want us as we are
		this.calls = new Map();		// all that are open, by id; the oldest first
		this.nWaiting = 0;
		this.unheard = [];		// cancelled while there was no connection
		this.listeners = new Map();
		this.watched = [];		// our listeners at the socket
		this.readers = [];		// who waits for ready()
		this.connection = 0;		// counts them
		this.hasLost = false;		// a connection on which we were known
		this.epoch = 0;			// counts sessions: no token of an earlier one
		this.token = options.token;
		// Replies to a page's calls may reach the page that takes its place.
		this.prefix = Math.random().toString(36).slice(2, 10) + '-';
		this.nIds = 0;
		this.stored = this.loadToken();
		this.door = new door(this);
		this.watch('connect', () => this.onConnect());
		this.watch('disconnect', (why) => this.onDisconnect(why));
		this.watch('connect_error', (error) => this.onConnectError(error));
		if (socket.connected)
			this.onConnect();
		else if (isOwn)
			socket.connect();
	}

	newId() {
		return this.prefix + ++this.nIds;
	}

	watch(event, listener) {
		this.watched.push([event, listener]);
		this.socket.on(event, listener);
	}

	// ---- events for the user ----

	on(event, listener) {
		if (!this.listeners.has(event))
			this.listeners.set(event, new Set());
		this.listeners.get(event).add(listener);
	}

	off(event, listener) {
		if (this.listeners.has(event))
			this.listeners.get(event).delete(listener);
	}

	tell(event, ...values) {
		for (const listener of [...this.listeners.get(event) || []]) {
			try {
				listener(...values);
			} catch (e) {
				throwLater(e);
			}
		}
	}

	// ---- the connection ----

	onConnect() {
		this.connection++;
		this.refused = null;
		this.whenLoaded(() => this.door.begin());
	}

	// Does it when the storage has told its token, in the order of asking, on this connection.
	whenLoaded(what) {
		const { connection } = this;

		this.stored.then(() => {
			if (connection === this.connection && this.socket.connected && !this.closed)
				what();
		});
	}

	// The door says: what is sent from now on is served.
	onOpen(isResumed) {
		this.isOpen = true;
		this.hasLost = false;
		for (const call of this.unheard.splice(0)) {
			if (isResumed || call.connection === this.connection)
				this.door.cancel(call);
		}
		for (const call of [...this.calls.values()]) {
			if (!call.isSent)
				this.send(call);
		}
		this.readers.splice(0).forEach((reader) => reader.resolve());
		this.tell('connect', { resumed: isResumed });
	}

	onDisconnect(why) {
		this.connection++;
		this.hasLost = this.hasLost || this.isOpen;
		this.isOpen = false;
		this.door.pause();
		this.tell('disconnect', why);
		// The server sent us away: socket.io-client does not come back by itself then.
		if (why === 'io server disconnect')
			this.connectAgain(RETRY_MS);
	}

	// A refusal of the server has data, and socket.io-client gives up after it.
	onConnectError(error) {
		const data = isObject(error) && isObject(error.data) ? error.data : null;

		if (!data || !data.error)
			return;
		const refusal = errorOf({ ran: 'no', ...data });
		if (SESSION_ENDS.includes(refusal.code) && this.token !== undefined) {
			this.loseToken(refusal);
			this.connectAgain(0);
		} else {
			this.tell('error', refusal);
			this.connectAgain(refusal.retryAfterMs || RETRY_MS);
		}
	}

	connectAgain(ms) {
		if (this.isOwn && !this.closed)
			this.retry(ms, () => this.socket.connect());
	}

	retry(ms, what) {
		clearTimeout(this.retryTimer);
		this.retryTimer = setTimeout(() => this.closed || what(), ms);
	}

	// The server does not take us: nobody need wait until the connection is another one.
	refuse(error) {
		this.refused = error;
		this.endCalls(() => error, (call) => !call.isSent);
		this.readers.splice(0).forEach((reader) => reader.reject(error));
		this.tell('error', error);
	}

	// What was sent on an earlier connection will not be answered any more.
	failSent(text) {
		const members = { code: 'link_lost', ran: 'maybe', status: 502 };

		this.endCalls(() => new UsherError(text, members),
		    (call) => call.isSent && call.connection !== this.connection);
	}

	// ---- the token ----

	async loadToken() {
		const { storage, application } = this.options;

		if (!storage || this.token !== undefined)
			return;
		await null;		// let the user listen for the error first
		try {
			const token = await storage.get();
			const { application: owner = application } = claimsOf(token) || {};
			if (typeof token === 'string' && token !== '' && owner === application)
				this.token = this.token || token;
		} catch (e) {
			this.tell('error', e);
		}
	}

	store(change) {
		const { storage } = this.options;

		if (!storage)
			return;
		// One after the other, whatever the storage does with its time.
		this.stored = this.stored.then(() => change(storage))
		    .catch((e) => this.tell('error', e));
	}

	setToken(token) {
		if (token === this.token)
			return;
		this.token = token;
		this.store((storage) => token === undefined ? storage.clear() : storage.set(token));
		this.tell('token', token);
	}

	// The token of a call's final reply takes the place of ours, unless the call changed
	// nothing in it and a parallel one has meanwhile: that must not be undone.
	adoptToken(token, { token: sent, epoch }) {
		if (typeof token !== 'string' || token === '' || epoch !== this.epoch)
			return;
		if (sent !== undefined && sent !== this.token) {
			const before = contentOf(sent);
			if (contentOf(token) === before && contentOf(this.token) !== before)
				return;
		}
		this.setToken(token);
	}

	// The session is over: who was logged in is not any more.
	loseToken(error) {
		this.epoch++;
		this.isOpen = false;
		this.setToken(undefined);
		this.tell('lost', error);
	}

	reset() {
		this.epoch++;
		this.isOpen = false;
		this.setToken(undefined);
		if (this.socket.connected)
			this.door.renew();
		const ready = this.ready();
		ready.catch(() => {});		// it need not be awaited
		return ready;
	}

	ready() {
		if (this.isOpen)
			return Promise.resolve();
		if (this.closed || this.refused)
			return Promise.reject(this.closed || this.refused);
		return new Promise((resolve, reject) => this.readers.push({ resolve, reject }));
	}

	// ---- calls ----

	call(type, params, { signal, deadline = this.deadline, fields } = {}) {
		const call = new Call(this.newId(), type);
		const abort = (reason = reasonOf(signal)) => this.giveUp(call, reason);

		try {
			this.admit(call, params, fields, signal);
		} catch (e) {
			call.end(e);
			return call.asPromise(() => {});
		}
		this.calls.set(call.id, call);
		this.nWaiting++;
		if (signal) {
			call.signal = signal;
			call.onAbort = () => abort();
			signal.addEventListener('abort', call.onAbort);
		}
		call.endsAt = Date.now() + deadline;
		if (deadline <= TIMER_MAX_MS)
			call.timer = setTimeout(() => this.onDeadline(call, deadline), deadline);
		if (this.isOpen)
			this.send(call);
		return call.asPromise(abort);
	}

	// Throws what is wrong with a call.
	admit(call, params, fields, signal) {
		const { maxMessage = MESSAGE_MAX, maxWaiting = WAITING_MAX } = this.options;

		if (typeof call.type !== 'string' || call.type === '')
			throw new TypeError('the type of a call must be a non-empty string');
		if (signal && signal.aborted)
			throw reasonOf(signal);
		if (this.closed || this.refused)
			throw this.closed || this.refused;
		const sent = snapshot(params), beside = snapshot(fields);
		call.params = sent.value;
		call.fields = beside.value;
		const bytes = bytesOf(sent.text + beside.text + call.type + (this.token || ''));
		if (bytes + ENVELOPE_BYTES > maxMessage)
			throw new UsherError('message above maxMessage (' + maxMessage + ' bytes)',
			    { code: 'too_big', ran: 'no', status: 413 });
		if (!this.isOpen && this.nWaiting >= maxWaiting)
			throw new UsherError('too many calls wait for the connection (maxWaiting)',
			    { code: 'overloaded', ran: 'no', status: 503 });
	}

	send(call) {
		call.isSent = true;
		this.nWaiting--;
		call.token = this.token;
		call.epoch = this.epoch;
		call.connection = this.connection;
		this.door.send(call);
	}

	end(call, error, reply) {
		if (!this.calls.delete(call.id))
			return false;
		if (!call.isSent)
			this.nWaiting--;
		call.end(error, reply);
		return true;
	}

	endCalls(errorFor, isMeant) {
		for (const call of [...this.calls.values()].filter(isMeant))
			this.end(call, errorFor(call));
	}

	onStep(id, message) {
		const call = this.calls.get(id);

		if (call)
			call.steps.push(message);
	}

	onFinal(id, message) {
		const call = this.calls.get(id);

		if (!call)
			return;		// given up, or of an earlier page
		if (!isObject(message)) {
			this.end(call, undefined, message === undefined ? {} : message);
			return;
		}
		const { token, ms_requestId: _, ...reply } = message;
		if (!reply.error) {
			this.adoptToken(token, call);
			this.end(call, undefined, reply);
			return;
		}
		const error = errorOf(reply);
		this.end(call, error);
		if (SESSION_ENDS.includes(error.code) && call.token === this.token && this.isOpen) {
			this.loseToken(error);
			this.door.renew();
		}
	}

	// Nobody wants the reply any more: the handler is told.
	giveUp(call, error) {
		if (!this.end(call, error) || !call.isSent)
			return;
		if (this.isOpen)
			this.door.cancel(call);
		else
			this.unheard.push(call);
	}

	onDeadline(call, deadline) {
		this.giveUp(call, new UsherError('no final reply within ' + deadline + ' ms', {
			code: 'timeout', ran: call.isSent ? 'maybe' : 'no', status: 504
		}));
	}

	close() {
		if (this.closed)
			return;
		const text = 'the client was closed';
		const closed = (ran) => new UsherError(text, { code: 'closed', ran });
		this.closed = closed('no');
		this.isOpen = false;
		clearTimeout(this.retryTimer);
		this.door.stop();
		this.watched.forEach(([event, listener]) => this.socket.off(event, listener));
		this.endCalls((call) => closed(call.isSent ? 'maybe' : 'no'), () => true);
		this.readers.splice(0).forEach((reader) => reader.reject(this.closed));
		if (this.isOwn)
			this.socket.close();
	}
}

// ---- doors ----

// QEWD's messages: one event "ewdjs", registration, replies that repeat our ms_requestId.
class QewdDoor {
	constructor(session) {
		this.session = session;
		this.registration = null;	// the id of the one that is on its way
		session.watch('ewdjs', (reply) => this.onMessage(reply));
	}

	emit(message) {
		this.session.socket.emit('ewdjs', message);
	}

	begin() {
		const { token, options: { application } } = this.session;

		// The answer to an earlier attempt is as good.
		this.registration = this.registration || this.session.newId();
		this.offered = token;
		this.emit({
			...token === undefined ? { type: 'ewd-register', application } :
			    { type: 'ewd-reregister', token },
			// The server may not have noticed yet.
			...token !== undefined && this.session.hasLost && { resume: true },
			jwt: true, ms_requestId: this.registration
		});
		this.again(REGISTER_MS);
	}

	renew() {
		this.settle();
		this.begin();
	}

	again(ms, what = () => this.begin()) {
		clearTimeout(this.timer);
		this.timer = setTimeout(what, ms);
	}

	settle() {
		clearTimeout(this.timer);
		this.registration = null;
	}

	pause() {
		this.settle();
	}

	stop() {
		this.settle();
	}

	send({ id, type, params, fields, token }) {
		this.emit({ ...fields, type, token, params, ms_requestId: id });
	}

	cancel({ id }) {
		this.emit({ type: 'usher-cancel', token: this.session.token, ms_requestId: id });
	}

	onMessage(reply) {
		if (!isObject(reply) || typeof reply.type !== 'string')
			return;
		const { type, finished, message, ms_requestId: id } = reply;
		if (id === undefined && finished === undefined)
			this.session.tell('push', type, message);
		else if (id !== undefined && id === this.registration)
			this.onRegistered(message);
		else if (finished === false)
			this.session.onStep(id, message);
		else if (type !== 'usher-cancel')	// refused: its call has ended already
			this.session.onFinal(id, message);
	}

	onRegistered(message) {
		const { session, offered } = this;

		this.settle();
		if (isObject(message) && message.error) {
			this.onRefused(errorOf({ ran: 'no', ...message }));
			return;
		}
		const { token, resumed } = isObject(message) ? message : {};
		if (typeof token === 'string' && session.token === offered)
			session.setToken(token);
		// How many of our requests are still open there; without it, nothing is kept.
		if (resumed === undefined)
			session.failSent('the connection was lost, and the server kept no reply');
		session.onOpen(offered !== undefined);
	}

	onRefused(error) {
		const { session } = this;

		if (this.offered !== undefined)
			session.failSent('the session could not be resumed: ' + error.message);
		if (this.offered !== undefined && SESSION_ENDS.includes(error.code)) {
			session.loseToken(error);
			this.renew();
		} else if (error.status >= 500 || error.status === 429) {
			this.again(error.retryAfterMs || RETRY_MS);
		} else {
			session.refuse(error);
		}
	}
}

// Plain Socket.IO: one event for each type, the final reply as acknowledgement.  The token is in
// the handshake, or comes after it in an event "auth"; a client whose handshake has no place for
// it (2.x) registers as QEWD's do.
class EventDoor extends QewdDoor {
	constructor(session) {
		super(session);
		const { socket, stored, options: { application } } = session;

		this.watchedTypes = new Set();
		this.isOffered = false;		// the token was in this connection's handshake
		this.isForeign = false;		// the next "auth" is of a session that is not ours
		session.watch('auth', (auth) => session.whenLoaded(() => this.onAuth(auth)));
		if (!socket.connected && !socket.auth) {
			socket.auth = (done) => stored.then(() => {
				this.isOffered = session.token !== undefined;
				done({ application, token: session.token });
			});
		}
		if (socket.onAny) {		// not in 2.x
			this.onAny = (event, message, info) => this.onEvent(event, message, info);
			socket.onAny(this.onAny);
		}
	}

	begin() {
		const { session } = this;

		this.isForeign = session.token !== undefined && !this.isOffered;
		if (session.token !== undefined)
			session.onOpen(true);
		else if (!this.onAny)
			super.begin();
		else	// if no event comes, a header has said who we are: the first reply tells
			this.again(FIRST_TOKEN_MS, () => session.onOpen(false));
	}

	renew() {
		const { socket } = this.session;

		socket.disconnect();
		socket.connect();
	}

	// An acknowledgement belongs to its connection: it cannot come on another one.
	pause() {
		this.settle();
		this.isOffered = false;
		this.session.failSent('the connection was lost');
	}

	stop() {
		this.settle();
		if (this.onAny)
			this.session.socket.offAny(this.onAny);
	}

	onAuth(auth) {
		const { session, isForeign } = this;

		this.isForeign = false;
		if (isForeign || !isObject(auth) || typeof auth.token !== 'string')
			return;
		session.setToken(auth.token);
		this.settle();
		if (!session.isOpen)
			session.onOpen(false);
	}

	// All that come but ours are pushes.
	onEvent(event, message, info) {
		if (event.endsWith(':progress'))
			this.onProgress(message, info);
		else if (event !== 'auth' && event !== 'ewdjs')
			this.session.tell('push', event, message);
	}

	onProgress(message, info) {
		if (isObject(info))
			this.session.onStep(info.id, message);
	}

	// Where not every event is heard, those of the types that are called are.
	watchType(event) {
		if (this.onAny || this.watchedTypes.has(event))
			return;
		this.watchedTypes.add(event);
		this.session.watch(event + ':progress',
		    (message, info) => this.onProgress(message, info));
	}

	send({ id, type, params, token, endsAt }) {
		const { session } = this;
		const event = session.options.application + '/' + type;
		const left = Math.ceil(endsAt - Date.now() + CANCEL_MS);

		this.watchType(event);
		session.socket.emit(event, params === undefined ? {} : params,
		    { id, token, ...left <= TIMER_MAX_MS && { deadline_ms: left } },
		    (reply) => session.onFinal(id, reply));
	}

	cancel({ id }) {
		this.session.socket.emit('usher:cancel', { id });
	}
}

const DOORS = { qewd: QewdDoor, events: EventDoor };

// ---- what the user holds ----

class Usher {
	#session;

	constructor(session) {
		this.#session = session;
	}

	get socket() {
		return this.#session.socket;
	}

	get connected() {
		return this.#session.isOpen;
	}

	get token() {
		return this.#session.token;
	}

	get claims() {
		return this.token === undefined ? undefined : claimsOf(this.token);
	}

	ready() {
		return this.#session.ready();
	}

	call(type, params, options) {
		return this.#session.call(type, params, options);
	}

	// A call for who wants its steps first: leaving the loop cancels it.
	stream(type, params, options) {
		const call = this.call(type, params, options);
		const steps = call.progress[Symbol.asyncIterator]();

		return {
			id: call.id,
			final: call,
			cancel: call.cancel,
			[Symbol.asyncIterator]: () => ({
				next: steps.next,
				return: (value) => {
					call.cancel();
					return steps.return(value);
				}
			})
		};
	}

	on(event, listener) {
		this.#session.on(event, listener);
		return () => this.off(event, listener);
	}

	off(event, listener) {
		this.#session.off(event, listener);
	}

	reset() {
		return this.#session.reset();
	}

	close() {
		this.#session.close();
	}
}

function connect(target, options = {}) {
	const { door = 'qewd', io = globalThis.io, socketOptions } = options;
	const isOwn = typeof target.emit !== 'function';

	if (typeof options.application !== 'string' || options.application === '')
		throw new TypeError('options.application must be a non-empty string');
	if (!Object.hasOwn(DOORS, door))
		throw new TypeError('options.door must be "qewd" or "events"');
	if (isOwn && typeof io !== 'function')
		throw new TypeError('options.io must be the io function of socket.io-client');
	const socket = isOwn ? io(String(target), {
		transports: ['websocket'], forceNew: true, ...socketOptions, autoConnect: false
	}) : target;
	return new Usher(new Session(socket, isOwn, options, DOORS[door]));
}

const client = { connect, UsherError, webStorage };

if (typeof module === 'object' && module.exports)
	module.exports = client;
else
	globalThis.UsherClient = client;
})();
