// SPDX-License-Identifier: ISC
// Plays the client's side of recordings against usher, one step after the other, and collects
// where the answers differ from what stock QEWD said.
//
// A step is what the client sends and all that it gets before it sends again.  A step is over when
// its final is there, if it is a request, and an Engine.IO ping sent after that was answered: what
// usher had to say has come by then.
'use strict';
const http = require('node:http');
const WebSocket = require('ws');
const { atEnd } = require('./cleanup');
const { JWT, SLOW_S, SOON_S, View, difference, learn, pair, parseAnswer, parseFrame, readTrace,
	remake } = require('./trace');
const { claims } = require('./tokens');
const { Inbox, within } = require('./wait');

const RECORDED_PORT = 19080;
const isFinal = ({ raw }) => raw.event === 'ewdjs' && raw.data !== null && raw.data.finished === true;
const seconds = () => Date.now() / 1000;

// Which answer ends the step that this frame begins; null: none is needed.
function endOf(text) {
	const { packet, event, data } = parseFrame(text);

	if (packet === '2' || packet === '2probe') {
		const pong = packet.replace('2', '3');
		return ({ raw }) => raw.packet === pong;
	}
	const isRequest = event === 'ewdjs' && data !== null && typeof data.type === 'string' && data.type !== '';
	return isRequest ? isFinal : null;
}

class Step {
	constructor(line, where, end) {
		this.trace = line.trace;
		this.where = where;
		this.end = end;
		this.iat = {};	// of the token sent, as recorded and as played
		this.stock = [];
		this.ours = [];
		this.forwarded = { stock: [], ours: [] };
	}

	get isOver() {
		return this.end === null || this.ours.some(this.end);
	}
}

class Connection {
	constructor(player, line) {
		this.player = player;
		this.label = line.conn;
		this.sent = 0;
		this.inbox = new Inbox();
		this.isUpgrading = line.url.includes('&sid=');
		this.step = new Step(line, line.conn + ' 0 open', this.isUpgrading ? null : ({ raw }) => raw.packet === '40');
		this.ws = new WebSocket('ws://127.0.0.1:' + player.port + player.translate(line.url, line),
		    { perMessageDeflate: false, maxPayload: 1 << 30 });
		this.ws.on('message', (data) => this.inbox.push(String(data)));
		this.ws.on('error', () => {});	// a close follows
		this.closed = new Promise((resolve) => this.ws.on('close', () => {
			this.inbox.close('closed');
			resolve();
		}));
		this.opened = new Promise((resolve) => this.ws.on('open', resolve));
		atEnd(player.t, () => this.ws.terminate());
	}

	async read() {
		const text = await this.inbox.next(this.step.trace + ' ' + this.step.where);

		if (text !== '3' || this.step.end && this.step.end({ raw: { packet: '3' } }) && !this.step.isOver)
			this.step.ours.push(this.player.hear(text, this.label, this.step.iat.ours));
		return text;
	}

	// Reads until the step is over and nothing more can come of it.
	async settle() {
		if (this.isGone)
			return;
		try {
			while (!this.step.isOver)
				await this.read();
			if (this.isUpgrading)
				return;
			this.ws.send('2');
			while (await this.read() !== '3')
				;
		} catch (e) {
			if (!this.inbox.end)
				throw e;
			this.isGone = true;
			this.step.ours.push({ raw: { packet: '<closed>' }, normal: { packet: '<closed>' } });
		}
	}

	async leave() {
		this.ws.close();
		await within('the end of ' + this.label, this.closed);
	}
}

class Player {
	// options: recorders between master and services; forwards, whether what they see is compared;
	// actions { "TRACE HOP CONN EVENT": function } for what happened to the nodes meanwhile; after
	// { TYPE or URL: function } for what takes its time
	constructor(t, hop, port, options = {}) {
		this.t = t;
		this.hop = hop;
		this.port = port;
		this.recorders = options.recorders || [];
		this.forwards = options.forwards === true;
		this.actions = options.actions || {};
		this.after = new Map(Object.entries(options.after || {}));
		this.differences = [];
		this.compared = 0;
		this.forget();
	}

	// What follows was recorded anew: connections have the same names again.
	forget() {
		this.stock = new View(new Map());
		this.ours = new View(new Map());
		this.known = new Map();
		this.connections = new Map();
		this.exchanges = new Map();
		this.last = null;
	}

	async play(name) {
		this.stock.port = RECORDED_PORT;
		this.ours.port = this.hop === 'browser-master' ? this.port : RECORDED_PORT;
		for (const line of readTrace(name)) {
			try {
				await this.line(line);
			} catch (e) {
				e.message = [line.trace, line.conn, line.t].join(' ') + ': ' + e.message;
				throw e;
			}
		}
		await this.settle();
	}

	async line(line) {
		const key = [line.trace, line.hop, line.conn, line.event].join(' ');

		if (this.actions[key]) {
			const action = this.actions[key];
			delete this.actions[key];
			await action();
		} else if (line.hop !== this.hop) {
			this.overhear(line);
		} else if (line.http) {
			await this.onHttp(line);
		} else if (line.event) {
			await this.onEvent(line);
		} else if (line.dir === 'c>s') {
			await this.send(line);
		} else if (this.connections.has(line.conn)) {
			const { step } = this.connections.get(line.conn);
			step.stock.push(this.recall(line, line.frame, step.iat.stock));
		}
	}

	// What was said on another hop: session ids of there, and what the stock master asked.
	overhear(line) {
		if (line.frame === undefined)
			return;
		const frame = parseFrame(line.frame);

		if (frame.packet === 'open')
			for (const view of [this.stock, this.ours])
				view.sids.set(frame.data.sid, line.hop + ' ' + line.conn);
		const isRequest = frame.event === 'ewdjs' && frame.data && !/^ewd-(re)?register$/.test(frame.data.type);
		if (isRequest && line.dir === 'c>s' && this.last)
			this.last.forwarded.stock.push(this.recall(line, line.frame, this.last.iat.stock));
	}

	// A frame of the recording.
	recall(line, text, sent) {
		const raw = parseFrame(text);

		if (raw.packet === 'open')
			this.stock.sids.set(raw.data.sid, line.conn);
		return { raw, normal: this.stock.frame(raw, line.base + line.t / 1000, SOON_S, sent) };
	}

	// A frame of ours.
	hear(text, label, sent) {
		const raw = parseFrame(text);

		if (raw.packet === 'open')
			this.ours.sids.set(raw.data.sid, label);
		return { raw, normal: this.ours.frame(raw, seconds(), SLOW_S, sent) };
	}

	// A text of the recorded client as it must be said to us: our ids and tokens in place of stock's.
	translate(text, line) {
		const shift = Math.round(seconds() - line.base - line.t / 1000);

		const learnt = new Set(this.known.values());
		const sids = (s) => this.translateSids(s);

		for (const [stock, ours] of this.known)
			text = text.replaceAll(stock, ours);
		return sids(text).replace(JWT, (token) => learnt.has(token) ? token : remake(token, shift, sids));
	}

	translateSids(text) {
		for (const [stock, label] of this.stock.sids)
			for (const [ours, l] of this.ours.sids)
				if (l === label && stock !== ours)
					text = text.replaceAll(stock, ours);
		return text;
	}

	async onEvent(line) {
		const c = this.connections.get(line.conn);

		if (line.event === 'open') {
			await this.settle();
			const opened = new Connection(this, line);
			this.connections.set(line.conn, opened);
			this.last = null;
			await within(line.conn + ' to open', opened.opened);
		} else if (c && line.event === 'close' && line.dir === 'c>s') {
			await this.leave(line.conn);
		} else if (c && line.event === 'close' && !c.hasLeft) {
			c.step.stock.push({ raw: { packet: '<closed>' }, normal: { packet: '<closed>' } });
		}
	}

	async send(line) {
		const c = this.connections.get(line.conn);
		const { packet, event, data } = parseFrame(line.frame);
		const type = data && data.type !== undefined ? JSON.stringify(data.type).replaceAll('"', '') : event;

		if (packet === '2probe')
			await Promise.all([...this.exchanges.values()].map((e) => e.answer));
		await this.finish(c);
		const text = this.translate(line.frame, line);	// with the tokens of what has just come
		if (packet === '5')
			c.isUpgrading = false;
		c.step = new Step(line, c.label + ' ' + ++c.sent + ' ' + (type || packet), endOf(text));
		this.begin(c.step, line.frame, text);
		c.hasLeft = packet === '41';
		c.ws.send(text);
		if (this.after.has(type)) {
			await c.settle();
			await this.after.get(type)();
		}
	}

	begin(step, recorded, text) {
		const iat = (s) => {
			const found = s.match(JWT);
			return found && /"iat"/.test(Buffer.from(found[0].split('.')[1], 'base64url')) ? claims(found[0]).iat : undefined;
		};

		step.iat = { stock: iat(recorded), ours: iat(text) };
		this.last = step;
	}

	// Everything that was begun is over.
	async settle() {
		for (const c of this.connections.values())
			await c.settle();
		for (const e of this.exchanges.values())
			if (!e.isPoll)
				await e.answer;
		for (const recorder of this.last ? this.recorders : [])
			for (const frame of recorder.take())
				this.last.forwarded.ours.push(this.hear(frame, '', this.last.iat.ours));
	}

	async finish(c) {
		await this.settle();
		this.compare(c.step);
	}

	compare(step) {
		const { trace, where } = step;
		const lists = [['', step.stock, step.ours]];

		if (this.forwards)
			lists.push([', forwarded', step.forwarded.stock, step.forwarded.ours]);
		for (const [suffix, stock, ours] of lists) {
			const pairs = pair(stock, ours);
			pairs.forEach(([a, b], i) => {
				this.compared++;
				const found = difference(a && a.normal, b && b.normal);
				if (a && b && suffix === '')
					learn(a.raw, b.raw, this.known);
				if (found)
					this.differences.push({ trace, where: where + suffix + (pairs.length > 1 ? ', ' + (i + 1) : ''), ...found });
			});
		}
	}

	async onHttp(line) {
		if (line.dir === 'c>s') {
			if (!line.http.url.startsWith('/socket.io/'))
				await this.settle();
			this.exchanges.set(line.conn, this.request(line));
			return;
		}
		const e = this.exchanges.get(line.conn);
		const raw = parseAnswer(line.http);
		this.exchanges.delete(line.conn);
		this.knowSid(raw, this.stock, line.conn);
		e.step.stock.push({ raw, normal: this.stock.normal(raw, line.base + line.t / 1000, SOON_S, e.step.iat.stock) });
		e.step.ours.push(await e.answer);
		await this.settle();
		this.compare(e.step);
	}

	knowSid({ body }, view, label) {
		if (Array.isArray(body) && body[0] && body[0].packet === 'open')
			view.sids.set(body[0].data.sid, label);
	}

	request(line) {
		const { method, url, headers, body } = line.http;
		const text = this.translate(body, line);
		const said = JSON.parse(this.translate(JSON.stringify(headers), line));
		const path = this.translate(url, line);
		const step = new Step(line, line.conn + ' ' + method + ' ' + url.replace(/\?EIO.*/, ''), null);

		said.host = '127.0.0.1:' + this.port;
		if ('content-length' in said)
			said['content-length'] = Buffer.byteLength(text);
		this.ours.port = this.port;	// of now: a master may have taken the place of another
		this.begin(step, (headers.authorization || '') + body, (said.authorization || '') + text);
		const answer = new Promise((resolve, reject) => {
			const request = http.request({ port: this.port, host: '127.0.0.1', agent: new http.Agent(), method, path, headers: said },
			    (response) => {
				let data = '';
				response.setEncoding('utf8').on('data', (s) => { data += s; });
				response.on('end', () => {
					const raw = parseAnswer({ status: response.statusCode, headers: response.headers, body: data });
					this.knowSid(raw, this.ours, line.conn);
					resolve({ raw, normal: this.ours.normal(raw, seconds(), SLOW_S, step.iat.ours) });
				});
			});
			request.on('error', reject);
			request.end(text);
		});

		const over = answer.then(async (answered) => {
			if (this.after.has(url))
				await this.after.get(url)();
			return answered;
		});
		return { step, answer: within(step.where, over), isPoll: url.includes('transport=polling') };
	}

	// A connection that a server closed in the end, which this client does itself.
	async leave(label) {
		await this.finish(this.connections.get(label));
		await this.connections.get(label).leave();
		this.connections.delete(label);
	}

	// A connection that broke: nothing more is expected of it.
	drop(label) {
		const c = this.connections.get(label);

		c.ws.terminate();
		c.isGone = true;
		this.compare(c.step);
		this.connections.delete(label);
	}

	// The end of the recordings: what stock never answered, too, and connections that stayed open.
	async end() {
		await this.settle();
		for (const e of this.exchanges.values()) {
			e.step.ours.push(await e.answer);
			this.compare(e.step);
		}
		for (const label of [...this.connections.keys()])
			await this.leave(label);
		this.forget();
	}
}

module.exports = { Player };
