// SPDX-License-Identifier: ISC
// Recordings of stock QEWD (data/traces): read, brought to a form that can be compared with what
// usher says, and compared field by field.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { claims, decryptSecrets, encryptSecrets, isSigned, sign } = require('./tokens');
const { SECRET } = require('./usherd');

const FOLDER = path.join(__dirname, '..', 'data', 'traces');
const JWT = /[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}/g;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

// All that is taken for equal though the bytes differ.  Nothing else is.
//   sids       wherever they stand: the name of the connection they belong to
//   port       of the master, in texts
//   tokens     that the secret verifies: their claims and decrypted secrets by name, not their bytes
//   iat        "now" or "as sent", that of the token which the client sent; where stock was so quick
//              that both are true, either is right.  The client sends tokens as if it had them for
//              AGE_S already, so that for ours only one is true.  exp: as lifetime, from iat on
//   jti        the claim that usher gives a session
//   Ajax       the id that usher gives a caller of /ajax, as "<an id>"
//   times      responseTime and X-ResponseTime: any number of milliseconds
//   request    of an error of usher: the id of a request in the log
//   files      requireStack, a list of files of the server
//   page       of HTML, for people: "<a page>"
//   JSON       the order of members, in objects, in claims and in bodies of HTTP
//   upgrade    begins when the first poll is answered, which stock leaves to chance
//   headers    of HTTP: only HEADERS are compared; the others are of Express, or of the connection
const HEADERS = ['content-type', 'set-cookie', 'access-control-allow-origin', 'access-control-allow-credentials',
	'access-control-allow-methods', 'access-control-allow-headers', 'x-responsetime', 'x-kit'];

const SOON_S = 5;	// how old a token of stock may be that was made for the reply
const SLOW_S = 60;	// the same for ours, on a busy machine
const AGE_S = 100;
const DAY_S = 24 * 3600;

// The lines of a recording but for its note, each with its name and with base, the time of t = 0 in seconds.
function readTrace(name) {
	const file = fs.readdirSync(FOLDER).find((f) => f.startsWith(name + '-'));
	const lines = fs.readFileSync(path.join(FOLDER, file), 'utf8').trim().split('\n').map((l) => JSON.parse(l));
	const first = lines.find((l) => l.dir === 's>c' && /"token\W+eyJ/.test(l.frame || (l.http || {}).body || ''));
	const base = first ? claims((first.frame || first.http.body).match(JWT)[0]).iat - first.t / 1000 : 0;

	for (const line of lines)
		Object.assign(line, { trace: name, base });
	return lines.slice(1);
}

// An Engine.IO text frame: { packet } or { packet, event, data }.
function parseFrame(text) {
	if (text.startsWith('0{'))
		return { packet: 'open', data: JSON.parse(text.slice(1)) };
	if (!text.startsWith('42'))
		return { packet: text };
	const [event, data] = JSON.parse(text.slice(2));
	return { packet: '42', event, data };
}

// The packets of a polling body of EIO=3: LENGTH:PACKET, again and again, lengths in UTF-16 units.
function parsePayload(body) {
	const frames = [];

	for (let at = 0; at < body.length;) {
		const colon = body.indexOf(':', at);
		const end = colon + 1 + Number(body.slice(at, colon));
		frames.push(parseFrame(body.slice(colon + 1, end)));
		at = end;
	}
	return frames;
}

function parseBody(body) {
	if (body.startsWith('<!DOCTYPE html>'))
		return '<a page>';
	try {
		return JSON.parse(body);
	} catch {
		return /^\d+:/.test(body) ? parsePayload(body) : body;
	}
}

// An answer of HTTP, as far as it is compared.
function parseAnswer({ status, headers, body }) {
	const picked = HEADERS.filter((h) => headers[h] !== undefined).map((h) => [h, headers[h]]);

	return { status, headers: Object.fromEntries(picked), body: parseBody(body) };
}

// One side of the comparison: sids maps session ids to names of connections.
class View {
	constructor(sids) {
		this.sids = sids;
		this.port = 0;
	}

	// now: the time of the frame, in seconds; sent: the iat of a token that is only passed on
	normal(value, now, soon, sent) {
		const walk = (v, key) => {
			if (key === 'requireStack' && Array.isArray(v))
				return '<files>';
			if (Array.isArray(v))
				return v.map((item) => walk(item));
			if (v !== null && typeof v === 'object')
				return Object.fromEntries(Object.entries(v).map(([k, item]) => [k, walk(item, k)]));
			if (typeof v !== 'string')
				return v;
			if (/^(x-)?responsetime$/i.test(key) && /^\d+ms$/.test(v))
				return '<time>';
			if (key === 'request' && /^[0-9a-f-]{8,}$/.test(v))
				return '<id>';
			return this.text(v, now, soon, sent);
		};

		return walk(value);
	}

	// A message stands for itself, other packets are named.
	frame(raw, now, soon, sent) {
		return this.normal(raw.event === 'ewdjs' ? raw.data : raw, now, soon, sent);
	}

	text(s, now, soon, sent) {
		for (const [sid, label] of this.sids)
			s = s.replaceAll(sid, '<sid of ' + label + '>');
		if (UUID.test(s))
			return '<opaque token>';
		const found = s.match(JWT);
		if (found && found[0] === s)
			return this.token(s, now, soon, sent);
		s = s.replaceAll('127.0.0.1:' + this.port, '127.0.0.1:<port>');
		return found ? { text: s.replace(found[0], '<token>'), token: this.token(found[0], now, soon, sent) } : s;
	}

	token(text, now, soon, sent) {
		if (!isSigned(text, SECRET))
			return text;
		const { exp, iat, qewd, jti, ...rest } = claims(text);
		const is = [Math.abs(now - iat) <= soon && 'now', iat === sent && 'as sent'].filter(Boolean);
		const secrets = () => {
			const found = this.normal(decryptSecrets(text, SECRET), now, soon);
			if (/^[A-Za-z0-9_-]{20}$/.test(found.socketId))
				found.socketId = '<an id>';
			return found;
		};

		return {
			...rest,
			iat: is.join(' or ') || 'another time',
			lifetime: exp === null || exp === undefined ? exp : exp - iat,
			...(qewd !== undefined && { secrets: orElse(secrets, '<unreadable>') }),
			...(jti !== undefined && !/^[A-Za-z0-9_-]{16}$/.test(jti) && { jti })
		};
	}
}

function orElse(fn, value) {
	try {
		return fn();
	} catch {
		return value;
	}
}

const sorted = (v) => typeof v !== 'object' || v === null || Array.isArray(v) ? v :
	Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])]));

// { "message.status.code": 404, ... }: what has no members stands for itself; { ".": value } for one without name.
function flatten(value, prefix = '', into = {}) {
	const members = value !== null && typeof value === 'object' ? Object.entries(value) : [];

	for (const [k, v] of members)
		flatten(v, prefix ? prefix + '.' + k : k, into);
	if (members.length === 0 && (prefix || value === null || typeof value !== 'object'))
		into[prefix || '.'] = value;
	return into;
}

const same = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

// The fields in which two normal forms differ, or null.  If one side says nothing, it is null, and the
// other is what it says.
function difference(stock, ours) {
	if (stock === undefined || ours === undefined)
		return { stock: stock === undefined ? null : stock, ours: ours === undefined ? null : ours };
	const a = flatten(stock), b = flatten(ours);
	const isEqual = (k) => k in a && k in b &&
	    (same(a[k], b[k]) || a[k] === 'now or as sent' && ['now', 'as sent'].includes(b[k]));
	const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((k) => !isEqual(k));
	const pick = (from) => Object.fromEntries(keys.filter((k) => k in from).map((k) => [k, from[k]]));

	return keys.length === 0 ? null : { stock: pick(a), ours: pick(b) };
}

// What frames are paired by, before those that are left over are paired in their order.
const likeness = ({ raw: { packet, event, data } }) =>
	[packet, event, JSON.stringify(data && data.type), data && data.finished].join(' ');

// Pairs two lists of { raw, normal }: [[stock, ours]...], where one of them may be undefined.
function pair(stock, ours) {
	const pairs = [];
	const between = (i, j, iEnd, jEnd) => {
		for (; i < iEnd || j < jEnd; i++, j++)
			pairs.push([i < iEnd ? stock[i] : undefined, j < jEnd ? ours[j] : undefined]);
	};
	let i = 0, j = 0;

	for (let k = 0; k < stock.length; k++) {
		const at = ours.findIndex((f, n) => n >= j && likeness(f) === likeness(stock[k]));
		if (at < 0)
			continue;
		between(i, j, k, at);
		pairs.push([stock[k], ours[at]]);
		i = k + 1;
		j = at + 1;
	}
	between(i, j, stock.length, ours.length);
	return pairs;
}

// The client goes on with the tokens that we gave it: known learns which of ours stands for which of stock's.
function learn(stock, ours, known) {
	if (typeof stock === 'string' && typeof ours === 'string') {
		const a = UUID.test(stock) ? [stock] : stock.match(JWT), b = ours.match(JWT);
		if (a && b)
			known.set(a[0], age(b[0]));
	} else if (stock && ours && typeof stock === 'object' && typeof ours === 'object') {
		for (const key of Object.keys(stock))
			learn(stock[key], ours[key], known);
	}
}

// One of our tokens, as if the client had it for a while.
function age(text) {
	const all = claims(text);

	return isSigned(text, SECRET) && all.exp ?
		sign(Object.assign(all, { iat: all.iat - AGE_S, exp: all.exp - AGE_S }), SECRET) : text;
}

// A token that the client made itself or has from elsewhere, as if it had been made AGE_S ago instead
// of back then; translate is for the session ids in it.
function remake(text, shift, translate) {
	if (!isSigned(text, SECRET))
		return text;
	const all = claims(text);
	shift -= AGE_S;
	const moved = Object.entries(all).filter(([k, v]) => ['iat', 'exp', 'nbf'].includes(k) &&
	    Math.abs(v + shift - Date.now() / 1000) < DAY_S).map(([k, v]) => [k, v + shift]);
	const secrets = orElse(() => JSON.stringify(decryptSecrets(text, SECRET)), '');

	if (secrets !== translate(secrets))
		moved.push(['qewd', encryptSecrets(JSON.parse(translate(secrets)), SECRET)]);
	return moved.length > 0 ? sign(Object.assign(all, Object.fromEntries(moved)), SECRET) : text;
}

module.exports = {
	JWT, SOON_S, SLOW_S, readTrace, parseFrame, parseAnswer, View, flatten, difference, pair, learn, remake
};
