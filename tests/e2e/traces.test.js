// SPDX-License-Identifier: ISC
// Recordings of a stock QEWD (data/traces) are played against usher in its place, and what it says
// is compared with what was recorded, field by field.  Three ways:
//   stock    the browsers of the recordings, usher as master, a stock service; what the service is
//            asked is compared as well ("forwarded")
//   pair     the same browsers, usher as master, usher as service
//   service  the stock masters of the recordings, usher as service
// Every difference is in the table DIFFERENCES, with its reason: a defect of QEWD or a decision of
// usher's.  Whatever else differs fails, and so does an entry that no longer differs.  What is
// taken for equal is listed in lib/trace.js.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const test = require('node:test');
const util = require('node:util');
const { record } = require('./lib/trace-recorder');
const { Player } = require('./lib/trace-player');
const { flatten } = require('./lib/trace');
const { startStockService } = require('./lib/stock');
const { startUsherd, nodeKit, HANDLERS, JWT, LISTEN } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

// Defects of QEWD 2.52.3 that the table speaks of, found by experiment.
const DEFECTS = {
	D2: 'a service repeats ms_requestId on some of its replies only; a master takes the first reply with it for the last',
	D5: 'who is served by a worker that fails gets no answer, and at times the next one gets none either',
	D6: 'malformed messages end the process of a master or a service; errors show files of the server',
	D7: 'forged tokens are signed, anonymous callers get the session of the master itself, secrets stay in tokens',
	D8: 'fragments are read from any folder of the machine',
	D9: 'final errors of a service are lost, and so are intermediates under another type',
	D10: 'requests in flight on a link that breaks get no answer, and errors of links have no type',
	D11: 'browsers cannot come back when their connection was lost',
	D12: 'Ajax does not reach services'
};
// Chapters of usher's design that it speaks of.
const DESIGN = { 5: 'tokens', 6: 'links', 7: 'workers and handlers', 9: 'errors', 10: 'limits', 11: 'configuration' };

// What an error of usher has besides its text, by code: HTTP status, and whether the handler ran.
const ERRORS = {
	no_token: [401, 'no'], invalid_token: [401, 'no'], token_expired: [401, 'no'], not_allowed: [403, 'no'],
	no_handler: [404, 'no'], handler_error: [500, 'maybe'], link_lost: [502, 'maybe'], worker_lost: [502, 'maybe'],
	link_down: [503, 'no'], timeout: [504, 'maybe']
};
const added = (code, by) =>
	({ code, status: { code: ERRORS[code][0] }, by, request: '<id>', ran: ERRORS[code][1] });
const final = (type, message, more) =>
	Object.assign({ type, finished: true, message, responseTime: '<time>' }, more);
const error = (type, text, code, by, more) => final(type, Object.assign({ error: text }, added(code, by)), more);
const noHandler = (type, application, by, more) =>
	error(type, 'Handler not defined for ' + application + ' messages of type ' + type, 'no_handler', by, more);

// A session, as a client of usher or of stock QEWD has it.
const session = (application, socketId, more = {}, iat = 'now', ipAddress = '127.0.0.1') =>
	Object.assign({ iss: 'qewd.jwt', application, timeout: 300, iat, lifetime: 300,
		secrets: Object.assign({ socketId, ipAddress, authenticated: false }, more) },
	more.username && { timeout: 900, lifetime: 900 });
const stockSession = (socketId, iat = 'now', more = {}) =>
	session('remote-app', socketId, more, iat, '::ffff:127.0.0.1');
const LINK = '<sid of master-service w9>', LINK_25 = '<sid of master-service w20>', LINK_SERVICE = '<sid of w9>';
const ROB = { authenticated: true, username: 'rob' };

// A REST request as a service gets it.
function restRequest(pathTemplate, token, { authorization = token, ...more }) {
	const headers = {
		host: '127.0.0.1:<port>', connection: 'keep-alive', 'content-type': 'application/json',
		authorization: { text: 'Bearer <token>', token: authorization }, accept: '*/*', 'accept-language': '*',
		'sec-fetch-mode': 'cors', 'user-agent': 'node', 'accept-encoding': 'gzip, deflate'
	};

	return Object.assign({ application: 'remote-app', type: 'restRequest', path: pathTemplate, pathTemplate, method: 'GET', headers,
		params: { type: pathTemplate.split('/')[2] }, query: {}, ip: '127.0.0.1', ips: [], token, args: {}, jwt: true }, more);
}

// The reason of many.
const ADDED = 'design §9: errors made by usher say more: a code, a status, who made them, whether the handler ran';
const LOST = 'D9: a stock master loses final errors of a service';
const TOKENLESS = 'design §7: a handler gets the session and not the token';
const NO_MODULE = 'design §9: an application that is not there has no handlers; D6: no files of the server';
const NO_JWT = 'design §5: without jwt:true a client gets a JWT too, and is served like any other';
const REREGISTERED = 'D11: whoever comes back is served, wherever the type is mapped to';
const SOCKET = 'design §6: the session of who comes back names the new socket, so that pushes find it';
const ANONYMOUS = 'D7: an anonymous caller does not get the session of the master\'s own link';
const HOP = 'design §5: a hop changes the application of a token and nothing else: only finals renew it';
const QEWD_HOOKS = 'design §11: a route is data: onRequest and onResponse, code in the master, have no counterpart';
const CUSTOM = 'design §9: events other than messages are ignored: customSocketModule, code in the master, has no counterpart';
const COUNT = 'design §11: the number of requests so far: here a hook has not kept one of them back';

const STOCK = ['stock'], PAIR = ['pair'], BROWSERS = ['stock', 'pair'], SERVICE = ['service'];

// Fields that differ wherever they occur, and nothing else in what they stand in.
const EVERYWHERE = [
	{
		field: /(^|\.)ip(Address)?$/, stock: /^::ffff:127\.0\.0\.1$/, ours: /^127\.0\.0\.1$/,
		in: ['stock', 'pair', 'service'], why: 'design §11: usher listens at an IPv4 address, stock QEWD always at [::]'
	},
	{
		field: /^headers\.access-control-allow-[a-z]+$/, stock: /./, ours: null,
		in: BROWSERS, why: 'design §10: same origin, unless others are listed; the recorded master let in everybody'
	},
	{
		field: /(^|\.)token\.secrets\.socketId$/, stock: /^<sid of master-service2? w\d+>$/, ours: /^$/,
		in: BROWSERS, why: ANONYMOUS
	},
	{
		field: /(^|\.)token\.secrets\.socketId$/, stock: null, ours: /^<an id>$/,
		in: BROWSERS, why: 'design §6: a session of Ajax has a name of its own as well'
	}
];

// stock: what was recorded, ours: what usher says: the fields in which they differ, or, where one of
// them says nothing (null), all that the other says.
const DIFFERENCES = [
	{ trace: '04', where: ['w6 4 publish', 'w6 5 whoami'], in: PAIR, stock: { message: { token: { secrets: { username: 'rob' } } } },
		ours: {}, why: 'D7: what was made public is secret no more' },
	{ trace: '04', where: ['w1 5 publish', 'w1 6 whoami'], in: SERVICE, stock: { message: { token: { secrets: { username: 'rob' } } } },
		ours: {}, why: 'D7: what was made public is secret no more' },
	{ trace: '05', where: 'w7 2 login', in: BROWSERS, stock: null, ours: final('login', { error: 'Invalid login attempt' }), why: LOST },
	{ trace: '06', where: 'w8 2 needsNothing', in: BROWSERS, stock: {}, ours: { message: added('no_handler', 'master') }, why: ADDED },
	{ trace: '07', where: 'w9 3 stepsOther, 1', in: BROWSERS, stock: null,
		ours: { type: 'progress', finished: false, message: { pct: 50, tag: 'B' }, responseTime: '<time>' },
		why: 'D9: a stock master loses intermediates under another type' },
	{ trace: '08', where: 'w10 2 noSuchRemoteType', in: STOCK, stock: null,
		ours: final('noSuchRemoteType', { error: 'Handler not defined for remote-app messages of type noSuchRemoteType' }), why: LOST },
	{ trace: '08', where: 'w10 2 noSuchRemoteType', in: PAIR, stock: null, ours: noHandler('noSuchRemoteType', 'remote-app', 'worker'),
		why: LOST },
	{ trace: '08', where: 'w10 3 noSuchLocalType', in: BROWSERS, stock: {}, ours: { message: added('no_handler', 'master') }, why: ADDED },
	{ trace: '08', where: 'w1 11 noSuchRemoteType', in: SERVICE, stock: {}, ours: { message: added('no_handler', 'worker') }, why: ADDED },

	{ trace: '09', where: 'w11 2 crash', in: STOCK, stock: null,
		ours: error('crash', 'Deliberate failure in handler', 'handler_error', 'master'), why: 'D5' },
	{ trace: '09', where: 'w11 2 crash', in: PAIR, stock: null,
		ours: error('crash', 'Deliberate failure in handler', 'handler_error', 'worker'), why: 'D5' },
	{ trace: '09', where: 'w11 3 crashLater', in: STOCK, stock: null,
		ours: error('crashLater', 'Deliberate late failure', 'handler_error', 'master'), why: 'D5' },
	{ trace: '09', where: 'w11 3 crashLater', in: PAIR, stock: null,
		ours: error('crashLater', 'Deliberate late failure', 'handler_error', 'worker'), why: 'D5' },
	{ trace: '09', where: 'w11 4 localCrash', in: BROWSERS, stock: { type: 'error', message: 'Deliberate local failure' },
		ours: { type: 'localCrash', message: { error: 'Deliberate local failure', ...added('handler_error', 'master') } },
		why: 'D5: the error of a handler has the type of the request, as any reply' },
	{ trace: '09', where: 'w11 5 exit', in: STOCK, stock: null,
		ours: error('exit', 'no final reply within the deadline', 'timeout', 'master'), why: 'D5' },
	{ trace: '09', where: 'w11 5 exit', in: PAIR, stock: null,
		ours: error('exit', 'the handler\'s process ended', 'worker_lost', 'worker'), why: 'D5' },
	{ trace: '09', where: 'w11 6 localExit', in: BROWSERS, stock: null,
		ours: error('localExit', 'the handler\'s process ended', 'worker_lost', 'master'), why: 'D5' },
	{ trace: '09', where: 'w1 12 crash', in: SERVICE, stock: { type: 'error', message: 'Deliberate failure in handler' },
		ours: { type: 'crash', message: { error: 'Deliberate failure in handler', ...added('handler_error', 'worker') } },
		why: 'D5: the error of a handler has the type of the request, as any reply' },
	{ trace: '09', where: 'w1 13 crashLater', in: SERVICE, stock: { type: 'error', message: 'Deliberate late failure' },
		ours: { type: 'crashLater', message: { error: 'Deliberate late failure', ...added('handler_error', 'worker') } },
		why: 'D5: the error of a handler has the type of the request, as any reply' },
	{ trace: '09', where: 'w1 14 exit', in: SERVICE, stock: null,
		ours: error('exit', 'the handler\'s process ended', 'worker_lost', 'worker'), why: 'D5' },

	{ trace: '10', where: ['w12 2 echo', 'w14 2 echo', 'w15 2 echo', 'w16 2 echo', 'w17 2 echo'], in: BROWSERS, stock: {},
		ours: { finished: true, message: added('invalid_token', 'master'), responseTime: '<time>' },
		why: 'design §9: a refusal is a final like any other' },
	{ trace: '10', where: 'w13 2 echo', in: BROWSERS,
		stock: { message: { error: 'Invalid JWT: SyntaxError: Unexpected end of JSON input' } },
		ours: { finished: true, responseTime: '<time>',
			message: { error: 'Invalid JWT: SyntaxError: Unexpected token in JSON', ...added('invalid_token', 'master') } },
		why: 'design §9: a refusal is a final like any other; how Node words a syntax error depends on its version' },
	{ trace: '10', where: 'w18 2 echo', in: BROWSERS, stock: {}, ours: { message: added('no_token', 'master') }, why: ADDED },
	{ trace: '10', where: 'w19 2 echo', in: BROWSERS,
		stock: { message: { error: 'Unable to load handler module for: nobody',
			reason: { code: 'MODULE_NOT_FOUND', requireStack: '<files>' } } },
		ours: { message: { error: 'Handler not defined for nobody messages of type echo', ...added('no_handler', 'master') } },
		why: NO_MODULE },
	{ trace: '10', where: 'w20 2 echo', in: PAIR, stock: { message: { token: { secrets: '00' } } },
		ours: { message: { token: { secrets: '<unreadable>' } } },
		why: 'design §7: secrets that cannot be decrypted stay as they are; stock takes them for text and encrypts that' },
	{ trace: '10', where: 'w1 16 echo', in: SERVICE, stock: { message: { token: { secrets: '00' } } },
		ours: { message: { token: { secrets: '<unreadable>' } } },
		why: 'design §7: secrets that cannot be decrypted stay as they are; stock takes them for text and encrypts that' },
	{ trace: '11', where: 'w22 2 echo', in: BROWSERS, stock: {},
		ours: { finished: true, message: added('token_expired', 'master'), responseTime: '<time>' },
		why: 'design §9: a refusal is a final like any other' },

	...[1, 2, 3].map((step) => ({ trace: '12', where: 'w23 3 steps, ' + step, in: BROWSERS, stock: null,
		ours: { type: 'steps', finished: false, message: { step, of: 3, tag: 'z' }, responseTime: '<time>', ms_requestId: 777 },
		why: 'D2: a stock master finds nobody for intermediates that a service sends without the id' })),
	{ trace: '12', where: 'w23 4 stepsId, 1', in: BROWSERS, stock: {}, ours: { message: { ms_requestId: 777 } },
		why: 'design §6: usher removes the copy that a service puts into finals; this one is the handler\'s own' },
	{ trace: '12', where: 'w23 4 stepsId, 2', in: BROWSERS, stock: null,
		ours: final('stepsId', { done: true, token: session('kit-app', '<sid of w23>') }, { ms_requestId: 777 }),
		why: 'D2: a stock master takes the first reply with the id for the last' },
	{ trace: '12', where: 'w23 6 noSuchRemoteType', in: STOCK, stock: null,
		ours: final('noSuchRemoteType', { error: 'Handler not defined for remote-app messages of type noSuchRemoteType' },
		    { ms_requestId: 777 }), why: LOST },
	{ trace: '12', where: 'w23 6 noSuchRemoteType', in: PAIR, stock: null,
		ours: noHandler('noSuchRemoteType', 'remote-app', 'worker', { ms_requestId: 777 }), why: LOST },
	{ trace: '12', where: 'w1 21 stepsId, 1', in: SERVICE, stock: { ms_requestId: 777 }, ours: {},
		why: 'D2: at this place the id makes a stock master take an intermediate for the final' },
	{ trace: '12', where: 'w1 23 noSuchRemoteType', in: SERVICE, stock: {},
		ours: { message: { ms_requestId: 777, ...added('no_handler', 'worker') }, ms_requestId: 777 },
		why: 'D2: without the id a stock master loses the error' },

	{ trace: '13', where: 'w24 5 fail', in: BROWSERS, stock: null,
		ours: final('fail', { error: 'Told to fail', status: { code: 418 }, extra: 1 }), why: LOST },
	{ trace: '13', where: 'w24 7 raw', in: PAIR, ours: {}, why: TOKENLESS, stock: { message: { received: {
		token: stockSession('<sid of w24>', 'now or as sent') } } } },
	{ trace: '13', where: 'w1 33 raw', in: SERVICE, ours: {}, why: TOKENLESS, stock: { message: { received: {
		token: stockSession('<sid of browser-master w24>', 'now or as sent') } } } },
	{ trace: '13', where: 'w24 8 push, 1', in: PAIR, stock: null, ours: { type: 'pushed', message: { hello: true } },
		why: 'design §6: a push of a service reaches the browser that asked' },
	{ trace: '13', where: ['w24 10 hello', 'w24 13 hello'], in: PAIR, stock: {},
		ours: { message: { token: session('kit-app', '<sid of w24>') } },
		why: 'design §7: finals of a service module renew the session, as any final' },
	{ trace: '13', where: ['w1 35 hello', 'w1 38 hello'], in: SERVICE, stock: {},
		ours: { message: { token: session('remote-app', '<sid of browser-master w24>', {}, 'now', '::ffff:127.0.0.1') } },
		why: 'design §7: finals of a service module renew the session, as any final' },
	{ trace: '13', where: 'w24 11 onBadApp', in: STOCK, stock: null,
		ours: final('onBadApp', { error: 'Unable to load handler module for: no-such-module',
			reason: { code: 'MODULE_NOT_FOUND', requireStack: '<files>' } }), why: LOST },
	{ trace: '13', where: 'w24 11 onBadApp', in: PAIR, stock: null, ours: noHandler('onBadApp', 'no-such-module', 'worker'), why: LOST },
	{ trace: '13', where: 'w1 36 onBadApp', in: SERVICE,
		stock: { message: { error: 'Unable to load handler module for: no-such-module',
			reason: { code: 'MODULE_NOT_FOUND', requireStack: '<files>' } } },
		ours: { message: { error: 'Handler not defined for no-such-module messages of type onBadApp', ...added('no_handler', 'worker') } },
		why: NO_MODULE },
	{ trace: '13', where: 'w24 12 hello', in: STOCK, stock: null, ours: final('hello', {
		error: 'not-allowed service is not permitted for the remote-app application', service: 'not-allowed' }), why: LOST },
	{ trace: '13', where: 'w24 12 hello', in: PAIR, stock: null,
		ours: error('hello', 'not-allowed service is not permitted for the remote-app application', 'not_allowed', 'worker'), why: LOST },
	{ trace: '13', where: 'w1 37 hello', in: SERVICE, stock: { message: { service: 'not-allowed' } },
		ours: { message: added('not_allowed', 'worker') }, why: ADDED },

	...['../index.html', '../../package.json'].map((file, i) => ({ trace: '14', where: 'w25 ' + (i + 4) + ' ewd-fragment', in: BROWSERS,
		stock: { message: { fragmentName: file, content: ['<!doctype html><title>kit</title>\n', '{}\n'][i] } },
		ours: { message: { error: 'Fragment file ' + file + ' does not exist', file } }, why: 'D8' })),

	{ trace: '15', where: 'w26 2 localSwitch, forwarded', in: STOCK, stock: { token: { application: 'kit-app' }, ewd_application: 'kit-app' },
		ours: { token: { application: 'remote-app' } },
		why: 'design §5: the token of a forwarded message names the application that it is for; stock leaves a member of its own in' },
	...[['3', 'No permissions set to allow a switch from kit-app to other-app'], ['4', 'nowhere is not a valid microservice destination']]
	    .map(([n, text]) => ({ trace: '15', where: 'w26 ' + n + ' localSwitch', in: BROWSERS, stock: { error: text },
		ours: final('localSwitch', { error: text }), why: 'design §9: an error has a type and is a final' })),
	{ trace: '15', where: 'w26 5 switchApp', in: STOCK, stock: null,
		ours: error('switchApp', 'connection to the remote node was lost; the request may have run', 'link_lost', 'master'),
		why: 'D6 ends the stock service; D10: who was served by it is told' },
	{ trace: '15', where: 'w26 5 switchApp', in: PAIR, stock: null,
		ours: final('switchApp', { type: 'echo', qewd_destination: 'svc', qewd_application: 'remote-app', jwt: true, params: { tag: 's4' },
			token: session('kit-app', '<sid of w26>') }), why: 'D6: a service that may not switch answers' },
	{ trace: '15', where: 'w1 40 switchApp', in: SERVICE, stock: { packet: '<closed>' },
		ours: final('switchApp', { type: 'echo', qewd_destination: 'svc', qewd_application: 'remote-app', jwt: true, params: { tag: 's4' },
			token: session('remote-app', '<sid of browser-master w26>', {}, 'now', '::ffff:127.0.0.1') }),
		why: 'D6: a service that may not switch answers' },
	{ trace: '15', where: 'w4 1 ewd-reregister', in: SERVICE, stock: { message: { token: { secrets: { socketId: '<sid of w1>' } } } },
		ours: { message: { token: { secrets: { socketId: '<sid of w4>' } } } }, why: SOCKET },

	{ trace: '16', where: 'w27 2 custom-event', in: BROWSERS, stock: { packet: '42', event: 'custom-reply', data: { got: { a: 1 } } },
		ours: null, why: CUSTOM },
	{ trace: '16', where: ['w27 3 broadcast-all', 'w28 1 ewd-register, 2'], in: BROWSERS,
		stock: { type: 'news', message: { text: 'to all' } }, ours: null, why: CUSTOM },
	{ trace: '16', where: ['w27 4 broadcast-app', 'w28 1 ewd-register, 3'], in: BROWSERS,
		stock: { type: 'news', message: { text: 'to application' } }, ours: null, why: CUSTOM },

	{ trace: '17', where: 'w29 7 5', in: BROWSERS, stock: final(5, { error: 'Handler not defined for kit-app messages of type 5' }),
		ours: null, why: 'design §9: what has no text as its type is no message' },
	{ trace: '17', where: 'w29 8 {a:1}', in: BROWSERS,
		stock: final({ a: 1 }, { error: 'Handler not defined for kit-app messages of type [object Object]' }),
		ours: null, why: 'design §9: what has no text as its type is no message' },
	...[['w29 9', '__proto__'], ['w30 2', 'constructor'], ['w31 2', 'toString'], ['w32 2', 'hasOwnProperty']].map(([c, type]) =>
		({ trace: '17', where: c + ' ' + type, in: BROWSERS, stock: { packet: '<closed>' }, ours: noHandler(type, 'kit-app', 'master'),
			why: 'D6' })),
	{ trace: '17b', where: 'w34 2 ewdjs', in: BROWSERS, stock: { packet: '<closed>' }, ours: null, why: 'D6' },
	{ trace: '17b', where: 'w9 1 ewd-register, 2', in: SERVICE, stock: { packet: '<closed>' }, ours: null,
		why: 'D6: the end of the service in 17c' },
	{ trace: '17c', where: 'w10 1 ewdjs', in: SERVICE, stock: { packet: '<closed>' }, ours: null, why: 'D6' },
	{ trace: '17c', where: 'w12 1 ewd-reregister', in: SERVICE, stock: { message: { token: { secrets: { socketId: LINK_SERVICE } } } },
		ours: { message: { token: { secrets: { socketId: '<sid of w12>' } } } }, why: SOCKET },

	{ trace: '18', where: 'h37 POST /ajax', in: BROWSERS, stock: { status: 400, body: { error: 'Invalid token or session expired' } },
		ours: { status: 200, body: { local: true, token: session('kit-app', '<an id>') } },
		why: 'design §5: a valid token is enough, with or without jwt:true' },
	{ trace: '18', where: 'h38 POST /ajax', in: BROWSERS,
		stock: { status: 400, body: { error: 'Handler not defined for kit-app messages of type echo' } },
		ours: { status: 200, body: { echo: { tag: 'q' }, tag: 'q', token: session('kit-app', '<an id>') } }, why: 'D12' },
	{ trace: '18', where: 'h38 POST /ajax, forwarded', in: STOCK, stock: null, ours: { type: 'echo', jwt: true, params: { tag: 'q' },
		token: session('remote-app', '<an id>', {}, 'as sent') }, why: 'D12' },
	{ trace: '18', where: 'h40 POST /ajax', in: BROWSERS, stock: { body: { error: 'Invalid JWT: Error: No token supplied' } },
		ours: { body: { error: 'Missing authorization header' } }, why: 'design §9: no_token, whether jwt:true was said or not' },
	{ trace: '18', where: 'h42 POST /ajax', in: BROWSERS, stock: { body: { token: '<opaque token>' } },
		ours: { body: { token: session('kit-app', '<an id>') } }, why: NO_JWT },
	{ trace: '18', where: 'h43 POST /ajax', in: BROWSERS, stock: {}, ours: { body: { token: session('kit-app', '<an id>') } }, why: NO_JWT },
	{ trace: '18', where: 'h44 POST /ajax', in: BROWSERS, stock: {},
		ours: { body: { token: session('kit-app', '<an id>', { authenticated: true }) } }, why: NO_JWT },
	{ trace: '18', where: 'h46 POST /ajax', in: BROWSERS,
		stock: { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<a page>' },
		ours: { headers: { 'content-type': 'application/json; charset=utf-8', 'x-responsetime': '<time>' },
			body: { error: 'expected a string' } }, why: 'D6: the page shows files of the server' },
	{ trace: '18', where: 'h47 POST /ajax', in: BROWSERS, stock: { body: { error: 'Missing authorization header' } },
		ours: { body: { error: 'a message is an object with a non-empty string type' } },
		why: 'design §9: bad_message comes before no_token' },

	{ trace: '19', where: ['h48 GET /api/info', 'h85 GET /api/info'], in: BROWSERS, stock: { body: { token: stockSession(LINK) } },
		ours: {}, why: ANONYMOUS },
	{ trace: '19', where: 'h57 GET /api/raw', in: STOCK, stock: { body: { token: stockSession(LINK) } }, ours: {}, why: ANONYMOUS },
	{ trace: '19', where: 'h57 GET /api/raw', in: PAIR, ours: {}, why: ANONYMOUS + '; ' + TOKENLESS,
		stock: { body: { received: { token: stockSession(LINK) }, token: stockSession(LINK) } } },
	...['info', 'nowhere', 'nothing'].map((type, i) => ({ trace: '19', in: BROWSERS,
		where: ['h49 POST /api/info', 'h75 GET /api/nowhere', 'h82 GET /api/nothing'][i],
		stock: { body: { error: type === 'nowhere' ? 'No such destination: not-defined' : 'No handler defined for api messages of type ' + type } },
		ours: { body: { error: 'Handler not defined for api messages of type ' + type } },
		why: type === 'nowhere' ? 'design §11: a route to a destination that is not defined is refused at start' :
			'design §9: one text for one error' })),
	...['h54 GET /api/raw?q=1', 'h55 POST /api/raw'].map((where) => ({ trace: '19', where, in: PAIR, ours: {}, why: TOKENLESS,
		stock: { body: { received: { token: stockSession(LINK, 'now or as sent', ROB) } } } })),
	...[7, 8, 10].map((n) => ({ trace: '19', where: 'w12 ' + n + ' restRequest', in: SERVICE, ours: {}, why: TOKENLESS,
		stock: { message: { received: { token: stockSession(LINK_SERVICE, 'now or as sent', ROB) } } } })),
	{ trace: '19', where: 'w12 9 restRequest', in: SERVICE, ours: {}, why: TOKENLESS,
		stock: { message: { received: { token: stockSession(LINK_SERVICE, 'now or as sent') } } } },
	{ trace: '19', where: 'h56 GET /api/raw', in: BROWSERS,
		stock: { body: { error: 'Invalid JWT: SyntaxError: Unexpected token \'m\', "m\ufffd" is not valid JSON' } },
		ours: { body: { error: 'Invalid JWT: SyntaxError: Unexpected token in JSON' } },
		why: 'design §9: the text of stock; how Node goes on depends on its version, and would repeat what was sent' },
	{ trace: '19', where: 'h59 GET /api/bypass', in: BROWSERS, 
		stock: { status: 200, body: { received: restRequest('/api/bypass', stockSession(LINK, 'now or as sent', ROB),
		    { authorization: Object.assign(stockSession(LINK, 'now or as sent', ROB), { lifetime: -5 }), ms_requestId: 9,
			ip: '::ffff:127.0.0.1' }), token: stockSession(LINK, 'now or as sent', ROB) } },
		ours: { status: 400, body: { error: 'Invalid JWT: Error: Token expired' } }, why: 'D7: what was not checked is not signed' },
	{ trace: '19', where: 'h59 GET /api/bypass, forwarded', in: STOCK, stock: { token: { lifetime: 900 } }, ours: { token: { lifetime: -5 } },
		why: 'D7: what was not checked is not signed' },
	{ trace: '19', where: 'h60 GET /api/bypass', in: BROWSERS, stock: { body: { error: 'Invalid JWT: Error: No token supplied' } },
		ours: { body: { error: 'Invalid JWT: Error: Not enough or too many segments' } }, why: 'D7: what was not checked is passed on as it is' },
	{ trace: '19', where: 'h60 GET /api/bypass, forwarded', in: STOCK, stock: { token: false }, ours: { token: 'junk' },
		why: 'D7: what was not checked is passed on as it is' },
	{ trace: '19', where: ['h62 GET /api/fail', 'h63 GET /api/fail/404', 'h64 GET /api/fail/503', 'h65 GET /api/failobj',
		'h66 GET /api/failresp', 'h67 GET /api/headers', 'h68 GET /api/cookie', 'h69 GET /api/empty', 'h70 GET /api/send',
		'h71 GET /api/all', 'h72 GET /api/all-fail', 'h73 GET /api/all-same-fail', 'h74 GET /api/half-fail', 'h76 GET /api/badapp',
		'h77 GET /api/to/svc/info'].map((w) => w + ', forwarded'), in: STOCK,
	stock: { token: { iat: 'now' } }, ours: { token: { iat: 'as sent' } }, why: HOP },
	{ trace: '19', where: 'h79 GET /api/hooked, forwarded', in: STOCK, stock: { query: { added: 'by onRequest' }, token: { iat: 'now' } },
		ours: { query: {}, token: { iat: 'as sent' } }, why: QEWD_HOOKS + '; ' + HOP },
	{ trace: '19', where: 'h80 GET /api/hooked?refuse=1', in: BROWSERS, stock: { status: 403, body: { error: 'refused by onRequest' } },
		ours: { status: 404, body: { error: 'No such template /api/hooked' } }, why: QEWD_HOOKS },
	{ trace: '19', where: 'h80 GET /api/hooked?refuse=1, forwarded', in: STOCK, stock: null, why: QEWD_HOOKS,
		ours: restRequest('/api/hooked', session('remote-app', '', ROB, 'as sent'), { path: '/api/hooked?refuse=1',
		    query: { refuse: '1' }, ms_requestId: 28 }) },
	{ trace: '19', where: 'h76 GET /api/badapp', in: PAIR, stock: { body: { error: 'Unable to load handler module for: no-such-module' } },
		ours: { body: { error: 'Handler not defined for no-such-module messages of type restRequest' } }, why: NO_MODULE },
	{ trace: '19', where: 'w12 26 restRequest', in: SERVICE,
		stock: { message: { error: 'Unable to load handler module for: no-such-module',
			reason: { code: 'MODULE_NOT_FOUND', requireStack: '<files>' } } },
		ours: { message: { error: 'Handler not defined for no-such-module messages of type restRequest', ...added('no_handler', 'worker') } },
		why: NO_MODULE },
	{ trace: '19', where: 'h81 GET /api/ping', in: BROWSERS, stock: {}, ours: { body: { token: session('api', '', ROB) } },
		why: 'design §7: finals of local applications renew the session, as any final' },
	{ trace: '19', where: 'h83 GET /other', in: BROWSERS,
		stock: { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<a page>' },
		ours: { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'nothing is served at this path\n' },
		why: 'design §9: the page is of Express' },
	{ trace: '19', where: 'h84 GET /api/crash', in: BROWSERS, stock: null, ours: { status: 500,
		headers: { 'content-type': 'application/json; charset=utf-8', 'x-responsetime': '<time>' }, body: { error: 'Deliberate REST failure' } },
	why: 'D5' },
	{ trace: '19', where: 'h84 GET /api/crash, forwarded', in: STOCK, stock: { token: { iat: 'now' }, ms_requestId: 28 },
		ours: { token: { iat: 'as sent' }, ms_requestId: 29 }, why: HOP + '; ' + COUNT },
	{ trace: '19', where: 'h85 GET /api/info, forwarded', in: STOCK, stock: { ms_requestId: 29 }, ours: { ms_requestId: 30 }, why: COUNT },
	{ trace: '19', where: 'w12 11 restRequest', in: SERVICE, stock: { message: { error: 'Invalid JWT: Error: No token supplied' } },
		ours: { message: { error: 'Missing authorization header', disconnect: true, ...added('no_token', 'worker') } },
		why: 'design §9: no_token, whether jwt:true was said or not' },
	{ trace: '19', where: 'w12 29 restRequest', in: SERVICE, stock: { type: 'error', message: 'Deliberate REST failure' },
		ours: { type: 'restRequest', ms_requestId: 28,
			message: { error: 'Deliberate REST failure', ms_requestId: 28, ...added('handler_error', 'worker') } },
		why: 'D5: with the type and the id a stock master finds who asked' },

	{ trace: '20', where: 'w86 2 slow', in: BROWSERS, stock: null,
		ours: error('slow', 'connection to the remote node was lost; the request may have run', 'link_lost', 'master'), why: 'D10' },
	...[['20', 'w13'], ['22', 'w15']].map(([trace, c]) => ({ trace, where: c + ' 1 ewd-reregister', in: SERVICE,
		stock: { message: { token: { secrets: { socketId: LINK_SERVICE } } } },
		ours: { message: { token: { secrets: { socketId: '<sid of ' + c + '>' } } } }, why: SOCKET })),
	...[['21', 'w87 2 echo'], ['24', 'w95 2 echo']].map(([trace, where]) => ({ trace, where, in: BROWSERS, stock: {},
		ours: { type: 'echo', finished: true, message: { code: 'link_down', by: 'master', request: '<id>', ran: 'no' } },
		why: 'D10: an error has a type and is a final' })),
	{ trace: '22', where: 'h90 GET /api/info', in: BROWSERS, stock: { body: { token: stockSession(LINK) } }, ours: {}, why: ANONYMOUS },
	{ trace: '22', where: 'h90 GET /api/info, forwarded', in: STOCK, stock: { ms_requestId: 32 }, ours: { ms_requestId: 33 }, why: COUNT },

	{ trace: '23', where: 'w92 1 ewd-reregister', in: BROWSERS, why: 'D11',
		stock: { message: { error: 'Invalid token or session expired', disconnect: true } },
		ours: { message: { ok: true, token: session('kit-app', '<sid of w92>') } } },
	{ trace: '23', where: 'w94 1 ewd-reregister', in: BROWSERS, why: SOCKET,
		stock: { message: { token: { secrets: { socketId: '<sid of w93>' } } } },
		ours: { message: { token: { secrets: { socketId: '<sid of w94>' } } } } },
	{ trace: '23', where: 'w94 3 local', in: BROWSERS, why: SOCKET,
		stock: { message: { token: { secrets: { socketId: '<sid of w93>' } } } },
		ours: { message: { token: { secrets: { socketId: '<sid of w94>' } } } } },
	// The client of w92 goes on with its old token, which names the old socket.
	...[['w92', '<sid of w91>'], ['w94', '<sid of w94>']].flatMap(([c, socket]) => [
		{ trace: '23', where: c + ' 2 echo', in: BROWSERS, why: REREGISTERED,
			stock: { message: { error: 'Invalid token or session expired', disconnect: true } },
			ours: { message: { echo: { tag: 'r' }, tag: 'r', token: session('kit-app', socket) } } },
		{ trace: '23', where: c + ' 2 echo, forwarded', in: STOCK, why: REREGISTERED, stock: null,
			ours: { token: session('remote-app', socket, {}, 'as sent'), type: 'echo', params: { tag: 'r' }, jwt: true } },
		{ trace: '23', where: c + ' 4 echo', in: BROWSERS, why: REREGISTERED,
			stock: { message: { error: 'Handler not defined for kit-app messages of type echo' } },
			ours: { message: { echo: { tag: 'r2' }, tag: 'r2', token: session('kit-app', socket) } } },
		{ trace: '23', where: c + ' 4 echo, forwarded', in: STOCK, why: REREGISTERED, stock: null,
			ours: { token: session('remote-app', socket, {}, 'as sent'), type: 'echo', params: { tag: 'r2' }, jwt: true } }
	]),
	{ trace: '25', where: ['h97 GET /api/all', 'h98 GET /api/half-fail', 'h101 GET /api/all'], in: BROWSERS,
		stock: { body: { token: stockSession(LINK_25) } }, ours: {}, why: ANONYMOUS },

	{ trace: '26', where: 'w102 1 ewd-register', in: BROWSERS, stock: { message: { token: '<opaque token>' } },
		ours: { message: { token: session('kit-app', '<sid of w102>') } }, why: NO_JWT },
	{ trace: '26', where: 'w102 2 local', in: BROWSERS, stock: {},
		ours: { message: { token: session('kit-app', '<sid of w102>') } }, why: NO_JWT },
	{ trace: '26', where: 'w102 3 echo', in: BROWSERS, why: NO_JWT,
		stock: { message: { error: 'Handler not defined for kit-app messages of type echo' } },
		ours: { message: { echo: { tag: 'nj' }, tag: 'nj', token: session('kit-app', '<sid of w102>') } } },
	{ trace: '26', where: 'w102 3 echo, forwarded', in: STOCK, stock: null, why: NO_JWT,
		ours: { token: session('remote-app', '<sid of w102>', {}, 'as sent'), type: 'echo', params: { tag: 'nj' }, jwt: true } },
	{ trace: '26', where: 'w102 4 local', in: BROWSERS, stock: { message: { error: 'Invalid token or session expired' } },
		ours: { message: { error: 'Invalid JWT: Error: Not enough or too many segments', ...added('invalid_token', 'master') } }, why: NO_JWT },
	{ trace: '26', where: ['w102 5 local', 'w103 2 echo'], in: BROWSERS, stock: {}, ours: { message: added('no_token', 'master') }, why: ADDED },
	{ trace: '26', where: 'w103 1 ewd-register', in: BROWSERS, why: NO_JWT,
		stock: { message: { disconnect: true,
			error: 'Application expects to use JWTs, but QEWD is not running with JWT support turned on' } },
		ours: { message: { token: session('kit-app', '<sid of w103>') } } },
	{ trace: '26', where: 'w21 1 ewd-register', in: SERVICE, stock: { message: { token: '<opaque token>' } },
		ours: { message: { token: session('remote-app', '<sid of w21>') } }, why: NO_JWT },

	{ trace: '28', where: 'w1 1 ewd-register', in: BROWSERS, stock: { message: { token: '<opaque token>' } },
		ours: { message: { token: session('kit-app', '<sid of w1>') } }, why: NO_JWT },
	{ trace: '28', where: 'w2 1 ewd-reregister', in: BROWSERS, stock: {},
		ours: { message: { token: session('kit-app', '<sid of w2>') } }, why: NO_JWT },
	{ trace: '28', where: 'w2 2 local', in: BROWSERS, stock: {},
		ours: { message: { token: session('kit-app', '<sid of w1>') } }, why: NO_JWT },
	{ trace: '28', where: 'w2 1 ewd-register', in: SERVICE, stock: { message: { token: '<opaque token>' } },
		ours: { message: { token: session('remote-app', '<sid of w2>') } }, why: NO_JWT },
];

// What was recorded in one go is played in one go.
const RECORDINGS = [
	['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12', '13', '14', '15', '16', '17', '17b', '17c', '18',
		'19', '20', '21', '22', '23', '24', '25', '26'],
	['27'],
	['28']
];

// What the recorded master was told, and the recorded service.
const REMOTE_TYPES = ['login', 'whoami', 'publish', 'needsAuth', 'steps', 'stepsOther', 'stepsId', 'crash', 'crashLater',
	'never', 'slow', 'echo', 'big', 'list', 'empty', 'emptyObject', 'twice', 'late', 'fail', 'raw', 'switchApp',
	'push', 'hello', 'noSuchRemoteType'];
const REST = ['user/:id', 'raw', 'list', 'fail', 'fail/:code', 'failobj', 'failresp', 'crash', 'headers', 'cookie', 'empty',
	'send', 'hooked'];
const GROUPED = ['all', 'all-fail', 'all-same-fail', 'half-fail'];
const FRAGMENTS = JSON.stringify(path.join(__dirname, 'data', 'traces', 'www', 'kit-app'));

// second: a second service, for one of the recordings
// One event loop: each numbers its REST requests (ms_requestId) for itself.
const masterConfig = (first, second) => `
node: master
threads: 1
${LISTEN}
${JWT}
destinations:
  svc: { application: remote-app, urls: ["${first}"] }
  badapp: { application: no-such-module, urls: ["${first}"] }
${second ? `  svc2: { application: remote-app, urls: ["${second}"] }` : ''}
  group: { destinations: [${second ? 'svc, svc2' : 'svc'}] }
u_services:
  - application: kit-app
    types:
      onBadApp: { destination: badapp }
      exit: { destination: svc, timeout: 1s }
${REMOTE_TYPES.map((type) => `      ${type}: { destination: svc }`).join('\n')}
  - { path: /api/info, method: GET, destination: svc }
  - { path: /api/login, method: POST, destination: svc }
  - { path: /api/bypass, destination: svc, bypassJWTCheck: true }
${REST.map((p) => `  - { path: "/api/${p}", destination: svc }`).join('\n')}
${GROUPED.map((p) => `  - { path: "/api/${p}", destination: group }`).join('\n')}
  - { path: /api/badapp, destination: badapp }
  - { path: "/api/to/:destination/info", method: GET }
http: { errors: qewd }
applications:
  kit-app: { command: ${nodeKit('trace-local.js')}, pool: { size: 2 }, fragments: ${FRAGMENTS} }
  api: { command: ${nodeKit('trace-api.js')}, pool: { size: 1 }, rest: /api }
permit_application_switch: { kit-app: { remote-app: true } }
`;

const workerConfig = (name) => `
node: worker
listen: [{ address: "127.0.0.1:0", for: nodes }]
${JWT}
applications:
  remote-app: { command: ${nodeKit('trace-remote.js')}, pool: { size: 2 }, environment: { SERVICE_NAME: ${name} },
    services: [shared-svc] }
  shared-svc: { command: ${nodeKit('trace-shared.js')}, pool: { size: 1 } }
permit_application_switch: { kit-app: { remote-app: true } }
`;

// How many links of a master to a service are up, by its log.
function up(master, { url }) {
	const steps = master.log.split('\n').filter((l) => l.includes('link ' + url));

	return steps.filter((l) => l.endsWith(' -> up')).length - steps.filter((l) => l.includes(': up -> ')).length;
}

const linked = (master, service) => waitFor(() => 'a link to be up:\n' + master.log, () => up(master, service) > 0);
const unlinked = (master, service) => waitFor(() => 'all links to be down:\n' + master.log, () => up(master, service) === 0);

async function playAll(player) {
	for (const names of RECORDINGS) {
		for (const name of names)
			await player.play(name);
		await player.end();
	}
}

// Plays the browsers of all recordings against a master, in front of services that start() starts.
async function playBrowsers(t, start, options) {
	const first = await record(t, (await start('A')).url);
	const startMaster = async (...services) => {
		const master = await startUsherd(t, masterConfig(...services.map((r) => r.url)), { args: ['-D', 'link'] });
		player.port = master.port;
		return master;
	};
	const player = new Player(t, 'browser-master', 0, Object.assign({ recorders: [first] }, options));
	let second, before, master = await startMaster(first);

	player.actions = {
		'15 master-service w1 close': async () => {
			if (options.isCrashing) {
				await unlinked(master, first);
				first.up((await start('A')).url);
			}
		},
		'15 master-service w4 open': () => linked(master, first),
		'20 master-service w12 close': async () => {
			await first.sees('slow');
			before = master.log.length;
			first.cut();
		},
		'20 master-service w13 open': () => master.logged(/registering -> up\n/, before),
		'21 master-service w13 close': async () => {
			first.down();
			await unlinked(master, first);
		},
		'22 master-service w15 open': async () => {
			first.up();
			await linked(master, first);
		},
		'24 master-service w15 close': async () => {
			first.down();
			master = await startMaster(first);
		},
		'24 master-service w19 open': async () => {
			first.up();
			await linked(master, first);
		},
		'25 master-service w20 open': async () => {
			second = await record(t, (await start('B')).url);
			player.recorders.push(second);
			master = await startMaster(first, second);
			await linked(master, first);
			await linked(master, second);
		},
		'25 master-service2 w1 close': async () => {
			second.down();
			await unlinked(master, second);
		}
	};
	await linked(master, first);
	await playAll(player);
	return player;
}

// What is left of a found difference, as text, without the fields that differ everywhere; null: nothing.
function rest({ stock, ours }, name, seen) {
	const a = flatten(stock), b = flatten(ours);
	const fits = (pattern, value) => pattern === null ? value === undefined : typeof value === 'string' && pattern.test(value);

	for (const key of stock && ours ? new Set([...Object.keys(a), ...Object.keys(b)]) : []) {
		const rule = EVERYWHERE.find((e) => e.in.includes(name) && e.field.test(key) && fits(e.stock, a[key]) && fits(e.ours, b[key]));
		if (rule) {
			seen.add(rule);
			delete a[key];
			delete b[key];
		}
	}
	return Object.keys(a).length + Object.keys(b).length === 0 ? null : util.inspect({ stock: a, ours: b }, { sorted: true, depth: 9 });
}

// So many frames and answers of HTTP are compared: nothing is left out by mistake.
const COMPARED = { stock: 376, pair: 289, service: 137 };

// Every difference found is in the table, and every entry of the table was found.
function check(name, { differences, compared, actions }) {
	const seen = new Set();
	const entries = new Map();
	const faults = [];

	for (const entry of DIFFERENCES.filter((e) => e.in.includes(name)))
		for (const where of [].concat(entry.where)) {
			assert.ok(!entries.has(entry.trace + ' ' + where), 'one entry for ' + where);
			entries.set(entry.trace + ' ' + where, rest(entry, name, new Set()));
		}
	for (const one of differences) {
		const key = one.trace + ' ' + one.where;
		const left = rest(one, name, seen);
		if (left !== null && entries.get(key) !== left)
			faults.push(key + ' differs:\n' + left + '\nthe table has:\n' + entries.get(key));
		if (left !== null)
			entries.delete(key);
	}
	for (const key of entries.keys())
		faults.push(key + ' does not differ any more');
	for (const rule of EVERYWHERE.filter((e) => e.in.includes(name) && !seen.has(e)))
		faults.push(rule.field + ' does not differ any more');
	for (const { why } of [...EVERYWHERE, ...DIFFERENCES]) {
		const [, defect, chapter] = why.match(/^(D\d+)\b|^design §(\d+): /) || [];
		assert.ok(DEFECTS[defect] || DESIGN[chapter], 'a defect or a chapter: ' + why);
	}
	assert.strictEqual(faults.length, 0, faults.join('\n\n'));
	assert.strictEqual(compared, COMPARED[name]);
	assert.deepStrictEqual(Object.keys(actions), [], 'all of it happened');
}

test('usher in place of a stock master, in front of a stock service', async (t) => {
	let exits = 0, excesses = 0, service;
	const start = async (name) => {
		const modules = {
			'remote-app': path.join(HANDLERS, 'trace-remote.js'), 'shared-svc': path.join(HANDLERS, 'trace-shared.js')
		};
		exits = excesses = 0;
		service = await startStockService(t, { env: { SERVICE_NAME: name }, modules });
		return service;
	};
	const printed = (text, times) => waitFor(() => text + ' in\n' + service.stdout, () =>
	    service.stdout.split(text).length > times);
	// A stock service takes a worker that ends for a free one, and loses what it gives it (D5).
	const gone = () => printed('received exit event', ++exits);
	// What its handler says too late a stock service gives to whoever comes next (D4); what it had
	// to read before it answered this request it has read.
	const said = async () => {
		await printed('said too much', ++excesses);
		await within('an answer of the service', fetch(service.url).then((answer) => answer.text()));
	};

	check('stock', await playBrowsers(t, start, { forwards: true, isCrashing: true,
		after: { crash: gone, crashLater: gone, '/api/crash': gone, twice: said, late: said } }));
});

test('usher in place of a stock master and of a stock service', async (t) => {
	check('pair', await playBrowsers(t, (name) => startUsherd(t, workerConfig(name)), {}));
});

test('usher in place of a stock service, behind stock masters', async (t) => {
	const worker = await startUsherd(t, workerConfig('A'));
	const player = new Player(t, 'master-service', worker.port, { actions: {
		'20 master-service w12 close': () => player.drop('w12'),	// the link was cut
		'21 master-service w13 close': () => player.leave('w13'),	// the service was stopped
		'28 master-service w2 close': () => player.leave('w2')	// the same
	} });

	await playAll(player);
	check('service', player);
});
