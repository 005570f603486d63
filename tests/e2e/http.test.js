// SPDX-License-Identifier: ISC
// HTTP/1.1 as bytes in and bytes out: what is refused, so that no two programs can read it
// differently; every limit; connections that are kept; static files and no way out of them.
'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { tcp } = require('./lib/raw');
const { startUsherd, folder, HANDLERS, LISTEN, JWT } = require('./lib/usherd');
const { pause, waitFor } = require('./lib/wait');

const PAGE = '<p>hello</p>\n';
const GET = 'GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST /api/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
const CHUNKED = POST + 'Transfer-Encoding: chunked\r\n\r\n';

// REST at /api/echo, and the folder "www" at /.
async function startServer(t, www, more = '') {
	const command = JSON.stringify([process.execPath, path.join(HANDLERS, 'held.js')]);

	return startUsherd(t, `
node: web
${LISTEN}
${JWT}
applications: { app: { command: ${command}, pool: { size: 1, concurrency: 16 } } }
u_services: [{ path: /api/echo, destination: app, bypassJWTCheck: true }]
static: [{ path: /, root: ${JSON.stringify(www)} }]
${more}`);
}

const webFolder = (t, files = {}) => folder(t, Object.assign({ 'page.html': PAGE }, files));

// What an answer says that the test cannot know.
const unchanging = (bytes) => String(bytes).replace(/^Date: [A-Z][a-z][a-z], \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT$/mg, 'Date: D')
    .replace(/^(ETag|Last-Modified|X-Request-Id|traceparent|X-ResponseTime): .*$/mg, '$1: X');

// The bytes of a refusal.
const refusal = (status, text, more = '') => `HTTP/1.1 ${status}\r\nDate: D\r\nContent-Length: ${text.length + 1}\r\n` +
    `Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n${more}Connection: close\r\n\r\n${text}\n`;

// The bytes of the page, and of what is below /api/echo.
const file = (head = '', body = PAGE) => `HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: ${PAGE.length}\r\n` +
    'Content-Type: text/html; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nETag: X\r\nLast-Modified: X\r\n' +
    `Cache-Control: no-cache\r\nAccept-Ranges: bytes\r\n${head}\r\n${body}`;

function echo(method, body) {
	const text = JSON.stringify({ method, body });

	return `HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: ${text.length}\r\nContent-Type: application/json; charset=utf-8\r\n` +
	    `X-Content-Type-Options: nosniff\r\nX-Request-Id: X\r\ntraceparent: X\r\nX-ResponseTime: X\r\n\r\n${text}`;
}

// Sends the bytes and gives all that comes, to the end of the connection.
async function exchange(t, port, bytes) {
	const connection = await tcp(t, port);

	connection.send(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
	await connection.whenEnded();
	return unchanging(connection.received);
}

// Waits for exactly these bytes, the connection staying open.
async function receives(connection, expected) {
	await waitFor(() => JSON.stringify(expected) + ' instead of ' + JSON.stringify(unchanging(connection.received)),
	    () => unchanging(connection.received).length >= expected.length);
	assert.strictEqual(unchanging(connection.received), expected);
	connection.received = Buffer.alloc(0);
}

const head = (...lines) => ['GET /page.html HTTP/1.1', ...lines].join('\r\n') + '\r\n\r\n';
const line = (text) => text + '\r\nHost: a\r\n\r\n';
const post = (...lines) => ['POST /api/echo HTTP/1.1', 'Host: a', 'Content-Type: application/json', ...lines].join('\r\n') + '\r\n\r\nhello';
const BAD = '400 Bad Request';
const CODING = ['501 Not Implemented', 'Transfer-Encoding other than chunked'];
const LENGTH = [BAD, 'Content-Length is not a number'];
const TARGET = [BAD, 'illegal character in the request target'];
const VALUE = [BAD, 'control character in a header value'];
const NAME = [BAD, 'header name is not a token'];
const HOST = [BAD, 'Host is not a name and a port'];
const BARE_LF = [BAD, 'line ends in LF without CR'];

// What is sent, and the status and text of the answer.
const MALFORMED = {
	'two unequal lengths': [post('Content-Length: 5', 'Content-Length: 6'), BAD, 'Content-Length is there more than once'],
	'two equal lengths': [post('Content-Length: 5', 'Content-Length: 5'), BAD, 'Content-Length is there more than once'],
	'a list of lengths': [post('Content-Length: 5, 5'), ...LENGTH],
	'a length with a sign': [post('Content-Length: +5'), ...LENGTH],
	'a negative length': [post('Content-Length: -5'), ...LENGTH],
	'a hexadecimal length': [post('Content-Length: 0x5'), ...LENGTH],
	'a length with a blank inside': [post('Content-Length: 5 5'), ...LENGTH],
	'no length in Content-Length': [post('Content-Length:'), BAD, 'Content-Length is empty'],
	'a length of 2^64 + 5': [post('Content-Length: 18446744073709551621'), BAD, 'Content-Length is beyond all measure'],
	'a length and a coding': [post('Content-Length: 5', 'Transfer-Encoding: chunked'), BAD, 'Content-Length beside Transfer-Encoding'],
	'a coding and a length': [post('Transfer-Encoding: chunked', 'Content-Length: 0'), BAD, 'Content-Length beside Transfer-Encoding'],
	'coding gzip': [post('Transfer-Encoding: gzip'), ...CODING],
	'coding identity': [post('Transfer-Encoding: identity'), ...CODING],
	'codings gzip and chunked': [post('Transfer-Encoding: gzip, chunked'), ...CODING],
	'coding chunked twice': [post('Transfer-Encoding: chunked, chunked'), ...CODING],
	'two fields of codings': [post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), ...CODING],
	'a coding that only ends like chunked': [post('Transfer-Encoding: xchunked'), ...CODING],
	'chunked with a parameter': [post('Transfer-Encoding: chunked;q=1'), ...CODING],
	'chunked in quotes': [post('Transfer-Encoding: "chunked"'), ...CODING],
	'an empty coding': [post('Transfer-Encoding:'), ...CODING],
	'chunked with a vertical tab before it': [post('Transfer-Encoding: \x0bchunked'), ...VALUE],
	'chunks in HTTP/1.0': ['POST /api/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', BAD, 'Transfer-Encoding in HTTP/1.0'],
	'a coding with a blank before its colon': [post('Transfer-Encoding : chunked'), ...NAME],
	'a length with a blank before its colon': [post('Content-Length : 5'), ...NAME],
	'a length with a tab before its colon': [post('Content-Length\t: 5'), ...NAME],
	'lines that end in LF alone': ['GET /page.html HTTP/1.1\nHost: a\n\n', ...BARE_LF],
	'one line that ends in LF alone': ['GET /page.html HTTP/1.1\r\nHost: a\nX: y\r\n\r\n', ...BARE_LF],
	'an empty line that is LF alone': ['GET /page.html HTTP/1.1\r\nHost: a\r\n\n', ...BARE_LF],
	'a CR inside a value': [head('Host: a', 'X: a\rb'), ...VALUE],
	'a CR inside a name': [head('Host: a', 'X\rY: a'), ...NAME],
	'a folded line': [head('Host: a', 'X: a', ' b'), BAD, 'folded header line'],
	'a line folded by a tab': [head('Host: a', 'X: a', '\tb'), BAD, 'folded header line'],
	'a blank before the first field': [head(' Host: a'), BAD, 'folded header line'],
	'no Host': [head('X: y'), BAD, 'Host is missing'],
	'two Hosts': [head('Host: a', 'Host: b'), BAD, 'Host is there more than once'],
	'the same Host twice': [head('Host: a', 'Host: a'), BAD, 'Host is there more than once'],
	'two Hosts in one': [head('Host: a, b'), ...HOST],
	'an empty Host': [head('Host:'), ...HOST],
	'a Host with a user': [head('Host: user@a'), ...HOST],
	'a Host with a path': [head('Host: a/b'), ...HOST],
	'a NUL in a value': [head('Host: a', 'X: a\0b'), ...VALUE],
	'a NUL in a name': [head('Host: a', 'X\0: a'), ...NAME],
	'a NUL in the target': [line('GET /page.html\0 HTTP/1.1'), ...TARGET],
	'a NUL in the method': [line('G\0T /page.html HTTP/1.1'), BAD, 'method is not a token'],
	'a DEL in a value': [head('Host: a', 'X: \x7f'), ...VALUE],
	'a field without a colon': [head('Host: a', 'X'), BAD, 'header line without a colon'],
	'a field without a name': [head('Host: a', ': x'), ...NAME],
	'a name with a blank': [head('Host: a', 'X Y: z'), ...NAME],
	'a name that is not ASCII': [head('Host: a', '\xe4: z'), ...NAME],
	'101 fields': [head('Host: a', ...Array(100).fill('X: y')), BAD, 'too many header fields'],
	'two blanks in the request line': [line('GET  /page.html HTTP/1.1'), BAD, 'no HTTP version'],
	'a tab in the request line': [line('GET\t/page.html\tHTTP/1.1'), BAD, 'request line is not method, target and version'],
	'a blank behind the version': [line('GET /page.html HTTP/1.1 '), BAD, 'no HTTP version'],
	'a blank in the target': [line('GET /pa ge.html HTTP/1.1'), BAD, 'no HTTP version'],
	'no version': [line('GET /page.html'), BAD, 'request line is not method, target and version'],
	'a version in small letters': [line('GET /page.html http/1.1'), BAD, 'no HTTP version'],
	'HTTP/2.0': [line('GET /page.html HTTP/2.0'), '505 HTTP Version Not Supported', 'neither HTTP/1.0 nor HTTP/1.1'],
	'HTTP/1.2': [line('GET /page.html HTTP/1.2'), '505 HTTP Version Not Supported', 'neither HTTP/1.0 nor HTTP/1.1'],
	'HTTP/0.9': [line('GET /page.html HTTP/0.9'), '505 HTTP Version Not Supported', 'neither HTTP/1.0 nor HTTP/1.1'],
	'CONNECT': [line('CONNECT a:80 HTTP/1.1'), BAD, 'CONNECT is not served'],
	'a target with a host': [line('GET http://a/page.html HTTP/1.1'), BAD, 'request target does not begin with "/"'],
	'a target without a slash': [line('GET page.html HTTP/1.1'), BAD, 'request target does not begin with "/"'],
	'GET *': [line('GET * HTTP/1.1'), BAD, 'target "*" is for OPTIONS alone'],
	'a fragment': [line('GET /page.html#x HTTP/1.1'), ...TARGET],
	'a target that is not ASCII': [line('GET /\xe4 HTTP/1.1'), ...TARGET],
	'a method that is no token': [line('G@T /page.html HTTP/1.1'), BAD, 'method is not a token'],
	'two empty lines in front': ['\r\n\r\n' + GET, BAD, 'request line is not method, target and version'],

	'a chunk whose size is no number': [CHUNKED + 'x\r\n', BAD, 'chunk size is not a hexadecimal number'],
	'a chunk size with 0x': [CHUNKED + '0x5\r\nhello\r\n0\r\n\r\n', BAD, 'chunk size is not a hexadecimal number'],
	'a chunk size with a sign': [CHUNKED + '+5\r\nhello\r\n0\r\n\r\n', BAD, 'chunk size is not a hexadecimal number'],
	'a blank before a chunk size': [CHUNKED + ' 5\r\nhello\r\n0\r\n\r\n', BAD, 'chunk size is not a hexadecimal number'],
	'a blank behind a chunk size': [CHUNKED + '5 \r\nhello\r\n0\r\n\r\n', BAD, 'chunk size is not a hexadecimal number'],
	'a chunk size of 2^64': [CHUNKED + '10000000000000000\r\n', BAD, 'chunk size has too many digits'],
	'chunk sizes that end in LF alone': [CHUNKED + '5\nhello\r\n0\r\n\r\n', BAD, 'chunk size is not a hexadecimal number'],
	'a chunk extension that ends in LF alone': [CHUNKED + '5;a\nhello\r\n0\r\n\r\n', BAD, 'control character in a chunk extension'],
	'a CR alone behind a chunk size': [CHUNKED + '5\rhello\r\n0\r\n\r\n', BAD, 'CR without LF in a chunked body'],
	'a chunk that is longer than it says': [CHUNKED + '5\r\nhello!\r\n0\r\n\r\n', BAD, 'chunk is longer than its size'],
	'a chunk that ends in LF alone': [CHUNKED + '5\r\nhello\n0\r\n\r\n', BAD, 'chunk is longer than its size'],
	'a chunk extension of 2 KB': [CHUNKED + '5;' + 'x'.repeat(2048) + '\r\nhello\r\n0\r\n\r\n', BAD, 'chunk extensions are too long'],
	'trailers of 5 KB': [CHUNKED + '0\r\nX: ' + 'x'.repeat(5120) + '\r\n\r\n', BAD, 'trailers are too long'],
	'a folded trailer': [CHUNKED + '0\r\nX: y\r\n z\r\n\r\n', BAD, 'trailer name is not a token'],
	'a trailer with a blank before its colon': [CHUNKED + '0\r\nX : y\r\n\r\n', BAD, 'trailer name is not a token'],
	'a trailer that ends in LF alone': [CHUNKED + '0\r\nX: y\n\r\n', BAD, 'control character in a trailer'],
	'chunks that end in LF alone': [CHUNKED + '0\r\n\n', BAD, 'trailer name is not a token'],

	'an expectation that nobody knows': [head('Host: a', 'Expect: wonders').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
		'417 Expectation Failed', 'only 100-continue may be expected'],
	'a body for a file': [head('Host: a', 'Content-Length: 5') + 'hello', '413 Content Too Large', 'no request body is taken here'],
	'chunks for a file': [head('Host: a', 'Transfer-Encoding: chunked') + '0\r\n\r\n', '413 Content Too Large', 'no request body is taken here'],
	'a body for nothing': ['POST /.x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', '404 Not Found', 'nothing is served at this path'],
	'a body above limits.http_body': [post('Content-Length: 2001'), '413 Content Too Large', 'the body is above the limit'],
	'a body of 2^62 bytes': [post('Content-Length: 4611686018427387904'), '413 Content Too Large', 'the body is above the limit'],
	'a chunk above limits.http_body': [CHUNKED + '7d1\r\n', '413 Content Too Large', 'the body is above the limit'],
	'chunks above limits.http_body': [CHUNKED + ('3e8\r\n' + 'x'.repeat(1000) + '\r\n').repeat(2) + '1\r\n', '413 Content Too Large',
		'the body is above the limit'],
	'a head above limits.http_head': [head('Host: a', 'X: ' + 'x'.repeat(16384)), '431 Request Header Fields Too Large', 'HTTP head above limits.http_head'],
	'a head above limits.http_head that does not end': ['GET /' + 'x'.repeat(16384), '431 Request Header Fields Too Large',
		'HTTP head above limits.http_head']
};

test('what is malformed, or above a limit, is refused, and nothing behind it is looked at', async (t) => {
	const { port } = await startServer(t, webFolder(t), 'limits: { http_body: 2000 }');

	for (const [what, [bytes, status, text]] of Object.entries(MALFORMED)) {
		await t.test(what, async (t) => {
			assert.strictEqual(await exchange(t, port, bytes + GET + GET), refusal(status, text));
		});
	}

	await t.test('HEAD has no body in its refusal either', async (t) => {
		const bytes = head('Host: a', 'Content-Length: 5').replace('GET', 'HEAD') + 'hello';
		assert.strictEqual(await exchange(t, port, bytes + GET),
		    refusal('413 Content Too Large', 'no request body is taken here').replace(/no request.*\n/, ''));
	});

	await t.test('who sends a large body all the same can read why it was not taken', async (t) => {
		const connection = await tcp(t, port);
		connection.send(post('Content-Length: 8000000') + 'x'.repeat(8000000 - 5));
		connection.send(GET);
		await connection.whenEnded();
		assert.strictEqual(unchanging(connection.received), refusal('413 Content Too Large', 'the body is above the limit'));
	});

	await t.test('who goes on and on is cut off', async (t) => {
		const connection = await tcp(t, port);
		const piece = Buffer.alloc(1e6);
		let sent = 0, hasEnded = false;
		connection.ended.then(() => { hasEnded = true; });
		connection.send(post('Content-Length: 1000000000'));
		const go = () => {
			while (!hasEnded && connection.socket.write(piece))
				sent += piece.length;
		};
		connection.socket.on('drain', go);
		go();
		await connection.whenEnded();
		assert.ok(sent < 100e6, sent + ' bytes were taken');
	});

	await t.test('what is at its limit is served', async (t) => {
		const connection = await tcp(t, port);
		const body = JSON.stringify({ x: 'x'.repeat(1992) });
		connection.send(POST + 'Content-Length: 2000\r\n\r\n' + body);
		await receives(connection, echo('POST', JSON.parse(body)));
		connection.send(CHUNKED + '7d0\r\n' + body + '\r\n0\r\n\r\n');
		await receives(connection, echo('POST', JSON.parse(body)));
		connection.send(head('Host: a', 'X: ' + 'x'.repeat(16384 - head('Host: a', 'X: ').length)));
		await receives(connection, file());
		connection.send(head('Host: a', ...Array(99).fill('X: y')));
		await receives(connection, file());
	});
});

test('connections that are kept', async (t) => {
	const node = await startServer(t, webFolder(t));
	const { port } = node;
	const body = '{"a":[1]}';
	const whole = POST + 'Content-Length: 9\r\n\r\n' + body;

	await t.test('request after request', async (t) => {
		const connection = await tcp(t, port);
		for (let i = 0; i < 3; i++) {
			connection.send(GET);
			await receives(connection, file());
			connection.send(whole);
			await receives(connection, echo('POST', { a: [1] }));
			connection.send('\r\n' + GET);	// an empty line before it is allowed
			await receives(connection, file());
			connection.send('GET /missing HTTP/1.1\r\nHost: a\r\n\r\n');
			await receives(connection, refusal('404 Not Found', 'nothing is served at this path').replace('Connection: close\r\n', ''));
		}
	});

	await t.test('until the client wants it to end', async (t) => {
		const bytes = head('Host: a', 'Connection: x, Close');
		assert.strictEqual(await exchange(t, port, bytes + GET), file('Connection: close\r\n'));
	});

	await t.test('HTTP/1.0 has no Host and one request', async (t) => {
		assert.strictEqual(await exchange(t, port, 'GET /page.html HTTP/1.0\r\n\r\n' + GET), file('Connection: close\r\n'));
	});

	await t.test('HTTP/1.0 is kept if it asks for it', async (t) => {
		const connection = await tcp(t, port);
		for (let i = 0; i < 2; i++) {
			connection.send('GET /page.html HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
			await receives(connection, file('Connection: keep-alive\r\n'));
		}
	});

	await t.test('requests in a row are answered in order', async (t) => {
		const connection = await tcp(t, port);
		connection.send(GET + whole + CHUNKED + '9\r\n' + body + '\r\n0\r\n\r\n' + GET.replace('GET', 'HEAD') + GET);
		await receives(connection, file() + echo('POST', { a: [1] }).repeat(2) + file('', '') + file());
	});

	await t.test('requests in a row, cut anywhere', async (t) => {
		const bytes = GET + whole + CHUNKED + '9\r\n' + body + '\r\n0\r\n\r\n' + GET;
		for (let cut = 1; cut < bytes.length; cut += 7) {
			const connection = await tcp(t, port);
			connection.socket.setNoDelay(true);
			connection.send(bytes.slice(0, cut));
			await pause(1);
			connection.send(bytes.slice(cut));
			await receives(connection, file() + echo('POST', { a: [1] }).repeat(2) + file());
			connection.close();
		}
	});

	await t.test('a request behind a slow answer waits for it', async (t) => {
		const slow = await tcp(t, port);
		const quick = await tcp(t, port);
		const offset = node.log.length;
		slow.send(POST + 'Content-Length: 13\r\n\r\n{"hold":true}' + GET + whole);
		await node.logged(/held/, offset);
		quick.send(GET);
		await receives(quick, file());
		assert.strictEqual(slow.received.length, 0);
		quick.send(POST + 'Content-Length: 16\r\n\r\n{"release":true}');
		await receives(slow, echo('POST', { hold: true }) + file() + echo('POST', { a: [1] }));
	});

	await t.test('a client that leaves while it waits costs nobody else', async (t) => {
		const slow = await tcp(t, port);
		const quick = await tcp(t, port);
		const offset = node.log.length;
		slow.send(POST + 'Content-Length: 13\r\n\r\n{"hold":true}' + GET);
		await node.logged(/held/, offset);
		slow.close();
		quick.send(POST + 'Content-Length: 16\r\n\r\n{"release":true}');
		await receives(quick, echo('POST', { release: true }));
	});

	await t.test('chunks in odd slices', async (t) => {
		const connection = await tcp(t, port);
		const chunks = '4;x="y"\r\n{"a"\r\n00000001\r\n:\r\n4\r\n"\r\n"\r\n'.replace('"\r\n"', '"bc"') + '1\r\n}\r\n0;z\r\nX-Sum: 1\r\nY:\r\n\r\n';
		connection.socket.setNoDelay(true);
		for (const byte of CHUNKED + chunks + GET) {
			connection.send(byte);
			await new Promise(setImmediate);
		}
		await receives(connection, echo('POST', { a: 'bc' }) + file());
	});
});

test('Expect', async (t) => {
	const { port } = await startServer(t, webFolder(t), 'limits: { http_body: 2000 }');
	const expecting = POST + 'Expect: 100-Continue\r\nContent-Length: 7\r\n\r\n';

	await t.test('the body is called for, then taken', async (t) => {
		const connection = await tcp(t, port);
		connection.send(expecting);
		await receives(connection, 'HTTP/1.1 100 Continue\r\n\r\n');
		connection.send('{"a":1}');
		await receives(connection, echo('POST', { a: 1 }));
		connection.send(CHUNKED.replace('Transfer', 'Expect: 100-continue\r\nTransfer'));
		await receives(connection, 'HTTP/1.1 100 Continue\r\n\r\n');
		connection.send('7\r\n{"a":1}\r\n0\r\n\r\n');
		await receives(connection, echo('POST', { a: 1 }));
	});
	await t.test('a body that is there is not called for', async (t) => {
		const connection = await tcp(t, port);
		connection.send(expecting + '{"a":1}');
		await receives(connection, echo('POST', { a: 1 }));
	});
	await t.test('a body that would not be taken is not called for', async (t) => {
		assert.strictEqual(await exchange(t, port, expecting.replace(': 7', ': 2001')),
		    refusal('413 Content Too Large', 'the body is above the limit'));
		assert.strictEqual(await exchange(t, port, head('Host: a', 'Expect: 100-continue', 'Content-Length: 7')),
		    refusal('413 Content Too Large', 'no request body is taken here'));
	});
	await t.test('without a body there is nothing to call for', async (t) => {
		const connection = await tcp(t, port);
		connection.send(head('Host: a', 'Expect: 100-continue'));
		await receives(connection, file());
	});
	await t.test('HTTP/1.0 does not know of it', async (t) => {
		const connection = await tcp(t, port);
		connection.send(expecting.replace('HTTP/1.1', 'HTTP/1.0'));
		connection.send('{"a":1}');
		await connection.whenEnded();
		assert.match(unchanging(connection.received), /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close\r\n/);
	});
});

test('methods', async (t) => {
	const { port } = await startServer(t, webFolder(t));
	const connection = await tcp(t, port);
	const ALLOW = 'Allow: GET, HEAD, OPTIONS\r\n';

	await t.test('HEAD is GET without the body, and the connection goes on', async () => {
		connection.send(GET.replace('GET', 'HEAD') + GET);
		await receives(connection, file('', '') + file());
		connection.send('HEAD /missing HTTP/1.1\r\nHost: a\r\n\r\n' + GET);
		await receives(connection, refusal('404 Not Found', 'nothing is served at this path')
		    .replace('Connection: close\r\n', '').replace(/nothing.*\n/, '') + file());
	});
	await t.test('OPTIONS of the server, of a path, of nothing', async () => {
		connection.send('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
		await receives(connection, 'HTTP/1.1 204 No Content\r\nDate: D\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n\r\n');
		connection.send('OPTIONS /page.html HTTP/1.1\r\nHost: a\r\n\r\n');
		await receives(connection, 'HTTP/1.1 204 No Content\r\nDate: D\r\n' + ALLOW + '\r\n');
		connection.send('OPTIONS /.nothing HTTP/1.1\r\nHost: a\r\n\r\n');
		await receives(connection, 'HTTP/1.1 204 No Content\r\nDate: D\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n\r\n');
	});
	await t.test('others are not for files', async () => {
		for (const method of ['PUT', 'DELETE', 'TRACE', 'get', 'head', 'PROPFIND']) {
			connection.send(GET.replace('GET', method));
			await receives(connection, refusal('405 Method Not Allowed', 'only GET and HEAD are served', ALLOW).replace('Connection: close\r\n', ''));
		}
	});
});

test('times', async (t) => {
	const { port } = await startServer(t, webFolder(t), 'timeouts: { http_head: 400ms, http_body: 400ms, idle: 400ms }');

	// Goes on sending until the connection ends.
	async function trickle(t, begin, piece) {
		const connection = await tcp(t, port);
		connection.send(begin);
		const timer = setInterval(() => connection.send(piece), 20);
		await connection.whenEnded().finally(() => clearInterval(timer));
		return unchanging(connection.received);
	}

	await t.test('a head that trickles in', async (t) => {
		assert.strictEqual(await trickle(t, 'GET / HTTP/1.1\r\nX: ', 'x'),
		    refusal('408 Request Timeout', 'the head took longer than timeouts.http_head'));
	});
	await t.test('a second head that trickles in', async (t) => {
		assert.strictEqual(await trickle(t, GET + 'GET / HTTP/1.1\r\nX: ', 'x'),
		    file() + refusal('408 Request Timeout', 'the head took longer than timeouts.http_head'));
	});
	await t.test('a body that trickles in', async (t) => {
		assert.strictEqual(await trickle(t, post('Content-Length: 1000000'), 'x'),
		    refusal('408 Request Timeout', 'the body took longer than timeouts.http_body'));
	});
	await t.test('chunks that trickle in', async (t) => {
		assert.strictEqual(await trickle(t, CHUNKED, '1\r\nx\r\n'),
		    refusal('408 Request Timeout', 'the body took longer than timeouts.http_body'));
	});
	await t.test('a body that does not come', async (t) => {
		assert.strictEqual(await exchange(t, port, POST + 'Expect: 100-continue\r\nContent-Length: 5\r\n\r\n'),
		    'HTTP/1.1 100 Continue\r\n\r\n' + refusal('408 Request Timeout', 'the body took longer than timeouts.http_body'));
	});
	await t.test('nothing at all is not answered', async (t) => {
		assert.strictEqual(await exchange(t, port, ''), '');
	});
	await t.test('nothing more is not answered either', async (t) => {
		assert.strictEqual(await exchange(t, port, GET), file());
	});
	await t.test('an answer may take longer', async (t) => {
		const slow = await tcp(t, port);
		slow.send(POST + 'Content-Length: 13\r\n\r\n{"hold":true}');
		await pause(1000);
		const quick = await tcp(t, port);
		quick.send(POST + 'Content-Length: 16\r\n\r\n{"release":true}');
		await receives(slow, echo('POST', { hold: true }));
	});
});

test('a node that stops answers what it has read, and reads no more', async (t) => {
	const node = await startServer(t, webFolder(t), 'timeouts: { drain: 1s }');
	const idle = await tcp(t, node.port);
	const slow = await tcp(t, node.port);
	const begun = await tcp(t, node.port);
	const offset = node.log.length;
	idle.send(GET);
	await receives(idle, file());
	begun.send(GET + 'GET /page.html HTTP/1.1\r\n');
	await receives(begun, file());
	slow.send(POST + 'Content-Length: 13\r\n\r\n{"hold":true}' + GET);
	await node.logged(/held/, offset);

	const stopped = node.stop('SIGTERM');
	await idle.whenEnded();
	assert.strictEqual(idle.received.length, 0);
	begun.send('Host: a\r\n\r\n' + GET);
	await begun.whenEnded();
	assert.strictEqual(unchanging(begun.received), file('Connection: close\r\n'));
	await slow.whenEnded();
	assert.match(String(slow.received), /^HTTP\/1\.1 50[23] [^]*\r\nConnection: close\r\n\r\n\{[^]*"code":"(stopping|worker_lost)"[^]*\}$/);
	await stopped;
});

// ---- static files ----

const SECRET = 'nobody may read this';

function staticFolder(t) {
	const outside = folder(t, { 'secret.txt': SECRET });
	const www = folder(t, {
		'index.html': '<p>index</p>', 'page.html': PAGE, 'a b.txt': 'blank', 'ä.txt': 'umlaut', '%2e.txt': 'percent', 'digits.txt': '0123456789',
		'.env': SECRET, 'empty.css': '', 'no.such-type': '\0'
	});

	fs.mkdirSync(path.join(www, 'sub'));
	fs.mkdirSync(path.join(www, 'bare'));
	fs.mkdirSync(path.join(www, '.git'));
	fs.mkdirSync(path.join(www, '.well-known'));
	fs.writeFileSync(path.join(www, 'sub', 'index.html'), '<p>sub</p>');
	fs.writeFileSync(path.join(www, '.git', 'config'), SECRET);
	fs.writeFileSync(path.join(www, '.well-known', 'x.json'), '{}');
	fs.symlinkSync('page.html', path.join(www, 'inside.html'));
	fs.symlinkSync('../page.html', path.join(www, 'sub', 'above.html'));
	fs.symlinkSync(path.join(outside, 'secret.txt'), path.join(www, 'link.txt'));
	fs.symlinkSync(path.join('..', path.basename(outside), 'secret.txt'), path.join(www, 'relative.txt'));
	fs.symlinkSync(outside, path.join(www, 'out'));
	fs.symlinkSync('/proc/self/root', path.join(www, 'magic'));
	fs.symlinkSync('loop', path.join(www, 'loop'));
	execFileSync('mkfifo', [path.join(www, 'fifo')]);
	return { www, outside };
}

// One request; status, header fields in small letters, and body.
async function ask(t, port, target, fields = {}, method = 'GET') {
	const lines = Object.entries(Object.assign({ Host: 'a', Connection: 'close' }, fields)).map(([k, v]) => k + ': ' + v + '\r\n');
	const connection = await tcp(t, port);

	connection.send(Buffer.from(method + ' ' + target + ' HTTP/1.1\r\n' + lines.join('') + '\r\n', 'latin1'));
	await connection.whenEnded();
	const end = connection.received.indexOf('\r\n\r\n');
	const [first, ...rest] = String(connection.received.subarray(0, end)).split('\r\n');
	const headers = Object.fromEntries(rest.map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)]));

	return { status: Number(first.split(' ')[1]), headers, body: connection.received.subarray(end + 4) };
}

// Paths that lead out, or to what is hidden, or that two programs may read differently.
const NO_WAY = ['/../secret.txt', '/sub/../../secret.txt', '/sub/../page.html', '/./page.html', '/.', '/..', '/sub/..', '/%2e%2e/secret.txt',
	'/%2e%2e%2fsecret.txt', '/..%2fsecret.txt', '/%2E%2E/%2e%2e/etc/passwd', '/.%2e/secret.txt', '/sub%2findex.html', '/%2fetc/passwd', '//etc/passwd',
	'//page.html', '/sub//index.html', '/etc/passwd', '/..%5csecret.txt', '/..\\secret.txt', '/%5c..%5csecret.txt', '/%c0%ae%c0%ae/secret.txt',
	'/%e0%80%ae%e0%80%ae/secret.txt', '/..%c0%afsecret.txt', '/%252e%252e/secret.txt', '/%252e%252e%252fsecret.txt', '/page.html%00', '/page.html%00.txt', '/%00',
	'/page.html/', '/page.html/x', '/.env', '/%2eenv', '/.git/config', '/.git', '/sub/.git', '/link.txt', '/relative.txt', '/out/secret.txt', '/out/', '/out',
	'/magic/etc/passwd', '/loop', '/fifo', '/bare/', '/Page.html', '/%', '/%4', '/%zz', '/page%2ehtml%0a', '/' + 'x'.repeat(5000), '/' + 'x/'.repeat(2000)];

test('folders of static files', async (t) => {
	const { www, outside } = staticFolder(t);
	const yaml = `
node: web
${LISTEN}
${JWT}
static:
  - { path: /, root: ${JSON.stringify(www)} }
  - { path: /other/, root: ${JSON.stringify(outside)} }
  - { path: /digits.txt, file: ${JSON.stringify(path.join(outside, 'secret.txt'))} }
  - { path: /socket.io/socket.io.js, file: ${JSON.stringify(path.join(www, 'no.such-type'))} }
`;
	const { port } = await startUsherd(t, yaml);
	const get = (target, fields, method) => ask(t, port, target, fields, method);

	for (const target of NO_WAY) {
		await t.test('nothing is at ' + target.slice(0, 60), async () => {
			const { status, body } = await get(target);
			assert.strictEqual(status, 404);
			assert.strictEqual(String(body), 'nothing is served at this path\n');
		});
	}

	const served = {
		'/': '<p>index</p>', '/?x=/../y': '<p>index</p>', '/index.html': '<p>index</p>', '/page.html': PAGE, '/p%61ge%2Ehtml': PAGE, '/a%20b.txt': 'blank',
		'/%C3%A4.txt': 'umlaut', '/%252e.txt': 'percent', '/sub/': '<p>sub</p>', '/sub/index.html': '<p>sub</p>', '/.well-known/x.json': '{}',
		'/inside.html': PAGE, '/sub/above.html': PAGE, '/empty.css': '', '/other/secret.txt': SECRET, '/digits.txt': SECRET, '/socket.io/socket.io.js': '\0'
	};
	for (const [target, text] of Object.entries(served)) {
		await t.test('a file is at ' + target, async () => {
			const { status, headers, body } = await get(target);
			assert.deepStrictEqual([status, String(body)], [200, text]);
			assert.strictEqual(headers['content-length'], String(Buffer.byteLength(text)));
			assert.strictEqual(headers['cache-control'], 'no-cache');
			assert.strictEqual(headers['x-content-type-options'], 'nosniff');
		});
	}

	await t.test('types', async () => {
		for (const [target, type] of [['/', 'text/html; charset=utf-8'], ['/empty.css', 'text/css; charset=utf-8'], ['/a%20b.txt', 'text/plain; charset=utf-8'],
			['/.well-known/x.json', 'application/json'], ['/no.such-type', 'application/octet-stream']])
			assert.strictEqual((await get(target)).headers['content-type'], type);
	});

	await t.test('a folder without its slash is elsewhere, on this host', async () => {
		for (const [target, location] of [['/sub', '/sub/'], ['/sub?a=b&c', '/sub/?a=b&c'], ['/s%75b', '/s%75b/'], ['/bare', '/bare/'], ['/other', '/other/']]) {
			const { status, headers } = await get(target);
			assert.deepStrictEqual([status, headers.location], [301, location]);
		}
		for (const target of ['//sub', '//sub/..', '/%2fsub', '/%5csub', '/\\sub'])
			assert.deepStrictEqual((await get(target)).headers.location, undefined);
	});

	await t.test('what the client has is not sent again', async () => {
		const { headers } = await get('/page.html');
		const tag = headers.etag, date = headers['last-modified'];
		assert.match(tag, /^"[0-9a-f.-]+"$/);
		assert.strictEqual(new Date(date).getTime(), Math.floor(fs.statSync(path.join(www, 'page.html')).mtimeMs / 1000) * 1000);
		for (const fields of [{ 'If-None-Match': tag }, { 'If-None-Match': 'W/' + tag }, { 'If-None-Match': '"x", ' + tag }, { 'If-None-Match': '*' },
			{ 'If-Modified-Since': date }, { 'If-None-Match': tag, 'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' }]) {
			for (const method of ['GET', 'HEAD']) {
				const answer = await get('/page.html', fields, method);
				assert.deepStrictEqual([answer.status, answer.headers.etag, answer.body.length], [304, tag, 0]);
				assert.strictEqual(answer.headers['content-length'], undefined);
			}
		}
		for (const fields of [{ 'If-None-Match': '"x"' }, { 'If-None-Match': '"x"', 'If-Modified-Since': date }, { 'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
			{ 'If-Modified-Since': 'yesterday' }])
			assert.strictEqual((await get('/page.html', fields)).status, 200);
	});

	await t.test('a file that was changed is another one', async () => {
		const first = await get('/a%20b.txt');
		fs.writeFileSync(path.join(www, 'a b.txt'), 'other');
		const second = await get('/a%20b.txt', { 'If-None-Match': first.headers.etag });
		assert.deepStrictEqual([second.status, String(second.body)], [200, 'other']);
		assert.notStrictEqual(second.headers.etag, first.headers.etag);
	});

	await t.test('ranges', async () => {
		fs.writeFileSync(path.join(www, 'ten.txt'), '0123456789');
		const { headers: { etag, 'last-modified': date } } = await get('/ten.txt');
		const parts = [['bytes=0-0', '0', '0-0'], ['bytes=2-4', '234', '2-4'], ['bytes=7-', '789', '7-9'], ['bytes=-3', '789', '7-9'], ['bytes=5-500', '56789', '5-9'],
			['bytes=-500', '0123456789', '0-9']];
		for (const [range, text, part] of parts) {
			const { status, headers, body } = await get('/ten.txt', { Range: range });
			assert.deepStrictEqual([status, String(body), headers['content-range']], [206, text, 'bytes ' + part + '/10']);
			assert.strictEqual(headers['content-length'], String(text.length));
		}
		for (const range of ['bytes=10-', 'bytes=10-20', 'bytes=-0', 'bytes=18446744073709551616-']) {
			const { status, headers } = await get('/ten.txt', { Range: range });
			assert.deepStrictEqual([status, headers['content-range']], [416, 'bytes */10']);
		}
		for (const range of ['bytes=0-1,3-4', 'bytes=4-2', 'bytes=x', 'lines=0-1']) {
			const { status, body } = await get('/ten.txt', { Range: range });
			assert.deepStrictEqual([status, String(body)], [200, '0123456789']);
		}
		for (const [version, status] of [[etag, 206], [date, 206], ['"x"', 200], ['W/' + etag, 200], ['Thu, 01 Jan 1970 00:00:00 GMT', 200]])
			assert.strictEqual((await get('/ten.txt', { Range: 'bytes=2-4', 'If-Range': version })).status, status);
		const answer = await get('/ten.txt', { Range: 'bytes=2-4' }, 'HEAD');
		assert.deepStrictEqual([answer.status, answer.headers['content-length'], answer.body.length], [200, '10', 0]);
	});

	await t.test('a folder that changes places while it is served leads nowhere else', async () => {
		const swapped = path.join(www, 'swap');
		fs.mkdirSync(swapped);
		fs.writeFileSync(path.join(swapped, 'secret.txt'), 'fine');
		assert.strictEqual(String((await get('/swap/secret.txt')).body), 'fine');
		fs.rmSync(swapped, { recursive: true });
		fs.symlinkSync(outside, swapped);
		assert.strictEqual((await get('/swap/secret.txt')).status, 404);
	});
});

test('large files are sent as they are read, whoever reads how slowly', async (t) => {
	const size = 40e6;
	const www = webFolder(t);
	const bytes = Buffer.alloc(size);
	for (let i = 0; i < size; i += 4)
		bytes.writeUInt32LE(i, i);
	fs.writeFileSync(path.join(www, 'large'), bytes);
	const { port } = await startServer(t, www, 'limits: { send_queue: 1MB }');

	await t.test('whole, with another request behind it', async (t) => {
		const connection = await tcp(t, port);
		const pieces = [];
		connection.socket.removeAllListeners('data');
		connection.socket.on('data', (data) => pieces.push(data));
		connection.socket.pause();
		connection.send('GET /large HTTP/1.1\r\nHost: a\r\n\r\n' + GET.replace('Host', 'Connection: close\r\nHost'));
		await pause(100);
		connection.socket.resume();
		await connection.whenEnded();
		const received = Buffer.concat(pieces);
		const at = received.indexOf('\r\n\r\n') + 4;
		assert.ok(received.subarray(at, at + size).equals(bytes));
		assert.strictEqual(unchanging(received.subarray(at + size)), file('Connection: close\r\n'));
	});

	await t.test('a range of it', async (t) => {
		const { status, body } = await ask(t, port, '/large', { Range: 'bytes=20000000-20999999' });
		assert.strictEqual(status, 206);
		assert.ok(body.equals(bytes.subarray(20000000, 21000000)));
	});

	await t.test('a file that becomes shorter is not taken for whole', async (t) => {
		const connection = await tcp(t, port);
		connection.socket.pause();
		connection.send('GET /large HTTP/1.1\r\nHost: a\r\n\r\n' + GET);
		await pause(100);
		fs.truncateSync(path.join(www, 'large'), 1000);
		connection.socket.resume();
		await connection.whenEnded();
		assert.match(String(connection.received.subarray(0, 1000)), /Content-Length: 40000000\r\n/);
		assert.ok(connection.received.length < size);
	});
});
