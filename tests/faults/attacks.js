// SPDX-License-Identifier: ISC
// The attack table: what is sent, and exactly how it is refused.  tests/e2e/attack.test.js runs it.
// What http.test.js, hostile.test.js, polling.test.js and errors.test.js have is not here again.
'use strict';
const crypto = require('node:crypto');
const { sign } = require('../e2e/lib/tokens');
const { frame } = require('../e2e/lib/raw');

const GET = (target, ...lines) => [`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n') + '\r\n\r\n';
const HIDDEN = GET('/hidden.txt');	// must never be looked at

// Bytes of a connection -> the status lines of all answers, after which it ends.
const HTTP = {
	'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ['505 HTTP Version Not Supported']],
	'an upgrade to h2c': [GET('/', 'Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'), ['404 Not Found']],
	'a request behind a body that is refused': ['POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n' + HIDDEN, ['400 Bad Request']],
	'a request inside a chunk extension': ['POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n' + HIDDEN, ['400 Bad Request']],
	'a request behind a chunk of size 0 with a tail': ['POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n00x\r\n\r\n' + HIDDEN,
		['400 Bad Request']],
	'a chunk of 2^62 bytes': ['POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4000000000000000\r\n', ['400 Bad Request']],
	'a body on GET that hides a request': [GET('/nothing', `Content-Length: ${HIDDEN.length}`) + HIDDEN, ['404 Not Found']],
	'a coding in another case and a length': ['POST /api/x HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING: CHUNKED\r\nContent-Length: 4\r\n\r\n0\r\n\r\n' + HIDDEN,
		['400 Bad Request']],
	'a coding with an underscore beside a length': ['POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' +
		HIDDEN, ['200 OK']],
	'a header line of blanks': [GET('/', '   '), ['400 Bad Request']],
	'a vertical tab for a blank': ['GET\x0b/\x0bHTTP/1.1\r\nHost: a\r\n\r\n', ['400 Bad Request']],
	'a byte order mark in front': ['\xef\xbb\xbf' + GET('/'), ['400 Bad Request']],
	'a Host with a user': ['GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', ['400 Bad Request']],
	'a Host whose port is none': ['GET / HTTP/1.1\r\nHost: a:b\r\n\r\n', ['400 Bad Request']],
	'a Host with two ports': ['GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n', ['400 Bad Request']],
	'a Host with half an address': ['GET / HTTP/1.1\r\nHost: [::1\r\n\r\n', ['400 Bad Request']],
	'a Host with a NUL': ['GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n', ['400 Bad Request']],
	'an upgrade with a second request behind it that the handshake refuses': [GET('/socket.io/?EIO=3&transport=websocket', 'Upgrade: websocket',
		'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: short') + HIDDEN, ['400 Bad Request']],
	'a WebSocket at another path': [GET('/chat', 'Upgrade: websocket', 'Connection: Upgrade, close', 'Sec-WebSocket-Version: 13',
		'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='), ['404 Not Found']],
	'a path out of Socket.IO': [GET('/socket.io/../hidden.txt', 'Connection: close'), ['400 Bad Request']],
	'a path out of Socket.IO, in escapes': [GET('/socket.io/%2e%2e/hidden.txt', 'Connection: close'), ['400 Bad Request']],
	'a path of back-slashes': [GET('/..\\..\\etc\\passwd', 'Connection: close'), ['404 Not Found']],
	'a path with overlong slashes': [GET('/%c0%ae%c0%ae/etc/passwd', 'Connection: close'), ['404 Not Found']],
	'a path escaped twice': [GET('/%252e%252e/etc/passwd', 'Connection: close'), ['404 Not Found']],
	'the path of Socket.IO in capitals': [GET('/SOCKET.IO/?EIO=3&transport=polling', 'Connection: close'), ['404 Not Found']],
	'the path of Socket.IO behind two slashes': [GET('//socket.io/?EIO=3&transport=polling', 'Connection: close'), ['404 Not Found']],
	'a REST path that climbs': [GET('/api/../hidden.txt', 'Connection: close'), ['404 Not Found']]
};

const text = (payload, more) => frame(0x81, payload, more);
const times = (n, bytes) => Buffer.concat(Array(n).fill(bytes));
const event = (json) => text('42' + json);

// Bytes behind an upgrade -> the close code; null: they mean nothing, and the connection goes on.
const FRAMES = {
	'the first reserved bit of a ping': [frame(0xc9, ''), 1002],
	'the second reserved bit': [frame(0xa1, '2'), 1002],
	'the third reserved bit': [frame(0x91, '2'), 1002],
	'all reserved bits of a continuation': [Buffer.concat([frame(0x01, '4'), frame(0xf0, '2')]), 1002],
	'2^62 bytes of binary data': [frame(0x82, '', { length: 2 ** 62 }), 1009],
	'2^62 bytes of continuation': [Buffer.concat([frame(0x01, '4'), frame(0x80, '', { length: 2 ** 62 })]), 1009],
	'2^62 bytes of ping': [frame(0x89, '', { length: 2 ** 62 }), 1002],
	'2^62 bytes of close': [frame(0x88, '', { length: 2 ** 62 }), 1002],
	'a close frame of 126 bytes': [frame(0x88, Buffer.concat([Buffer.from([3, 232]), Buffer.alloc(124, 'x')])), 1002],
	'a close frame with code 0': [frame(0x88, Buffer.from([0, 0])), 1002],
	'a close frame with code 1006': [frame(0x88, Buffer.from([3, 238])), 1002],
	'a close frame with code 5000': [frame(0x88, Buffer.from([19, 136])), 1002],
	'every reserved opcode': [frame(0x87, ''), 1002],
	'an Engine.IO packet of no type': [text(''), 1002],
	'an Engine.IO packet of type 9': [text('9'), 1002],
	'an Engine.IO packet of type "é"': [text('é'), 1002],
	'an open packet of the client': [text('0{"sid":"x"}'), 1002],
	'an upgrade packet without an upgrade': [text('5'), null],
	'a base64 packet': [text('b4AQIDBA=='), 1002],
	'a Socket.IO packet of no type': [text('4'), 1002],
	'a Socket.IO packet of type 9': [text('49'), 1002],
	'an event that is no array': [event('{"a":1}'), 1007],
	'an event of nothing': [event(''), 1007],
	'an event without a name': [event('[]'), 1007],
	'an event whose name is a number': [event('[7]'), null],
	'an event whose name is an object': [event('[{"toString":"x"}]'), 1007],
	'an event that ends inside': [event('["ewdjs",{"type":"x"'), 1007],
	'an event with something behind it': [event('["ewdjs",{}]x'), 1007],
	'an event nested without an end': [event('["ewdjs",' + '['.repeat(100000)), 1007],
	'an id of 30 digits': [text('42' + '9'.repeat(30) + '["ewdjs",{}]'), 1002],
	'a binary event with an attachment': [text('451-["ewdjs",{"_placeholder":true,"num":0}]'), 1003],
	'a binary event with no count': [text('45-["ewdjs",{}]'), 1002],
	'a binary event with 11 attachments': [text('4511-["ewdjs",{}]'), 1002],
	'a binary event with 2^62 attachments': [text('454611686018427387904-["ewdjs",{}]'), 1002],
	'a binary event with -1 attachments': [text('45-1-["ewdjs",{}]'), 1002],
	'a binary acknowledgement': [text('461-7[{"_placeholder":true,"num":0}]'), 1003]
};

// Each byte of these is made wrong, left out or put first: the close code is 1007 every time.
const LETTERS = ['é', '€', '😀', '\u{10ffff}', 'ࠀ'];

// Frames in number, on a session that is registered, and what becomes of it: it is closed with this
// code; "served", they cost nothing; "limited", what is above its rate is dropped, or it is closed
// with 1008.
const FLOODS = {
	'empty fragments': [(n) => times(n, frame(0x00, '')), 1009],
	'fragments of one byte': [(n) => times(n, frame(0x00, '2')), 1009],
	'pings': [(n) => times(n, frame(0x89, 'x'.repeat(125))), 'served'],
	'pongs': [(n) => times(n, frame(0x8a, 'x')), 'served'],
	'Engine.IO pings': [(n) => times(n, text('2')), 'limited'],
	'events of another name': [(n) => times(n, event('["other",{}]')), 'limited'],
	'packets of another namespace': [(n) => times(n, text('40/other,')), 'limited'],
	'acknowledgements of nothing': [(n) => times(n, text('431[]')), 'limited'],
	'events that are no JSON': [(n) => times(n, event('["ewdjs",{]')), 1007]
};

// Names of events that are none of ours: not answered, and nothing happens.
const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'connect', 'connection', 'disconnect', 'disconnecting', 'error',
	'newListener', 'removeListener', 'message', '', ' ', 'EWDJS', 'ewdjs ', 'ewdjs\u0000', 'ewdj', 'éwdjs', 'x'.repeat(10000)];

const now = () => Math.floor(Date.now() / 1000);
const base64url = (data) => Buffer.from(data).toString('base64url');
const HEADER = { typ: 'JWT', alg: 'HS256' };

// session: claims of a good token; secret.  -> [token, code or null: it is good]
function tokens(session, secret) {
	const header = (more) => sign(session, secret, more);
	const claims = (more) => sign({ ...session, ...more }, secret);
	const good = sign(session, secret);
	const [head, body, signature] = good.split('.');
	const texts = (h, b) => {
		const signed = base64url(h) + '.' + base64url(b);
		return signed + '.' + crypto.createHmac('sha256', secret).update(signed).digest('base64url');
	};
	const payload = JSON.stringify(session);

	return {
		'as it should be': [good, null],

		'with alg "NONE"': [header({ typ: 'JWT', alg: 'NONE' }), 'invalid_token'],
		'with alg "None" and no signature': [base64url('{"typ":"JWT","alg":"None"}') + '.' + body + '.', 'invalid_token'],
		'with alg none and a good signature': [header({ typ: 'JWT', alg: 'none' }), 'invalid_token'],
		'with alg "hs256"': [header({ typ: 'JWT', alg: 'hs256' }), 'invalid_token'],
		'with alg "HS256 "': [header({ typ: 'JWT', alg: 'HS256 ' }), 'invalid_token'],
		'with alg "HS256\\u0000"': [header({ typ: 'JWT', alg: 'HS256\0' }), 'invalid_token'],
		'with alg HS384': [header({ typ: 'JWT', alg: 'HS384' }), 'invalid_token'],
		'with alg RS256 over the secret as a key': [header({ typ: 'JWT', alg: 'RS256' }), 'invalid_token'],
		'with alg ES256': [header({ typ: 'JWT', alg: 'ES256' }), 'invalid_token'],
		'with alg ["HS256"]': [header({ typ: 'JWT', alg: ['HS256'] }), 'invalid_token'],
		'with alg null': [header({ typ: 'JWT', alg: null }), 'invalid_token'],
		'without alg': [header({ typ: 'JWT' }), 'invalid_token'],
		'with alg twice': [texts('{"alg":"HS256","alg":"none"}', payload), 'invalid_token'],
		'with alg twice, the good one last': [texts('{"alg":"none","alg":"HS256"}', payload), 'invalid_token'],
		'with an extension that is critical': [header({ ...HEADER, crit: ['exp'], exp: 1 }), 'invalid_token'],
		'with an empty header': [texts('{}', payload), 'invalid_token'],
		'with a header that is a list': [texts('["HS256"]', payload), 'invalid_token'],
		'with a header that is no JSON': [texts('{alg:HS256}', payload), 'invalid_token'],

		'without a signature': [head + '.' + body + '.', 'invalid_token'],
		'without a signature and without its dot': [head + '.' + body, 'invalid_token'],
		'with its signature in capitals': [head + '.' + body + '.' + signature.toUpperCase(), 'invalid_token'],
		'with a signature of one byte': [head + '.' + body + '.' + signature.slice(0, 2), 'invalid_token'],
		'with a signature that goes on': [good + 'AAAA', 'invalid_token'],
		'with padding': [good + '=', 'invalid_token'],
		'with other bits behind the last byte of its signature': [good.slice(0, -1) + otherBits(good.slice(-1)), 'invalid_token'],
		'in base64 that is not for URLs': [head + '.' + body.slice(0, 8) + '+' + body.slice(9) + '.' + signature, 'invalid_token'],
		'with a blank in front': [' ' + good, 'invalid_token'],
		'with a line feed behind': [good + '\n', 'invalid_token'],
		'signed with nothing': [sign(session, ''), 'invalid_token'],

		'that is the letter of the secret': [secret, 'invalid_token'],
		'of dots': ['.'.repeat(1000), 'invalid_token'],
		'of 900 KB': [head + '.' + 'A'.repeat(900000) + '.' + signature, 'invalid_token'],

		'whose claims are a list': [texts(JSON.stringify(HEADER), '[]'), 'invalid_token'],
		'whose claims are text': [texts(JSON.stringify(HEADER), '"a"'), 'invalid_token'],
		'whose claims are null': [texts(JSON.stringify(HEADER), 'null'), 'invalid_token'],
		'whose claims are nested without an end': [texts(JSON.stringify(HEADER), '{"a":' + '['.repeat(5000)), 'invalid_token'],

		'that runs out now': [claims({ exp: now() - 1 }), 'token_expired'],
		'that has no end, which 0 means to QEWD': [claims({ exp: 0 }), null],
		'that ran out before 1970': [claims({ exp: -1 }), 'token_expired'],
		'that runs out at "9999999999"': [claims({ exp: '9999999999' }), 'invalid_token'],
		'that runs out at {}': [claims({ exp: {} }), 'invalid_token'],
		'that runs out at true': [claims({ exp: true }), 'invalid_token'],
		'that is not yet active': [claims({ nbf: now() + 60 }), 'invalid_token'],
		'that is active from "0" on': [claims({ nbf: '0' }), 'invalid_token'],
		'without an application': [claims({ application: undefined }), 'no_handler'],
		'with exp twice, the later one last': [texts(JSON.stringify(HEADER), payload.replace(/}$/, ',"exp":9999999999}').replace(/"exp":\d+/, '"exp":1')), 'invalid_token']
	};
}

// Another letter with the same first bits, as far as they count in the last letter of 32 bytes.
function otherBits(letter) {
	const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

	return letters[letters.indexOf(letter) ^ 1];
}

// Origins that look like https://app.example.org or https://*.example.com, which are let in.
const ORIGINS = ['https://app.example.org.', 'https://app.example.org/', 'https://APP.example.org.evil.net', 'https://app.example.org@evil.net',
	'https://app.example.org:443@evil.net', 'https://app.example.org%2eevil.net', 'https://app.example.org\\.evil.net', 'https://app.example.org#',
	'https://app.example.org?', 'https://app-example.org', 'https://xapp.example.org', 'https://.example.com', 'https://a..example.com',
	'https://example.com.', 'https://a.example.com:444', 'https://evil.net/.example.com', 'https://evil.net#.example.com', 'https://evil.net\\.example.com',
	'https://a.exаmple.com', 'https://xn--80ak6aa92e.com', '//app.example.org', 'app.example.org', 'https:app.example.org', 'wss://app.example.org',
	'file://', 'null', '*', 'https://*.example.com', 'https://app.example.org https://evil.net', 'https://app.example.org, https://evil.net', ' '];

module.exports = { HTTP, FRAMES, FLOODS, LETTERS, NAMES, ORIGINS, tokens, GET, HIDDEN };
