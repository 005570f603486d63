// SPDX-License-Identifier: ISC
// Which tokens open a session: ours and nothing that only looks like it, and those of an outside
// issuer (jwt.issuers); and what a browser cannot steer with fields that are not its own.
'use strict';
const assert = require('node:assert');
const crypto = require('node:crypto');
const test = require('node:test');
const { masterOf, nodeOf, scriptedApp } = require('./lib/configs');
const { ask } = require('./lib/http');
const { run } = require('./lib/processes');
const { rawBrowser, rawClient } = require('./lib/raw');
const { claims, decryptSecrets, jwk, linkProof, outside, session, sign } = require('./lib/tokens');
const { PROGRAM, SECRET, folder, runUsherd, startUsherd } = require('./lib/usherd');
const fs = require('node:fs');
const path = require('node:path');
const { waitFor } = require('./lib/wait');

const now = () => Math.floor(Date.now() / 1000);
const code = (reply) => reply.message.code;

test('a token is its one encoding, or nothing', async (t) => {
	const usher = await startUsherd(t, nodeOf('edge', { 'browser-app': scriptedApp('size: 1') }));
	const client = await rawBrowser(t, usher.port);
	const [head, body, signature] = client.token.split('.');
	const last = (text, by) => text.slice(0, -1) + 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
		['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(text.at(-1)) ^ by];
	const ROWS = {
		'padding behind the signature': client.token + '=',
		'padding behind the payload': `${head}.${body}=.${signature}`,
		'unused bits of the signature': `${head}.${body}.${last(signature, 1)}`,
		'the other alphabet': `${head}.${body}.${signature.slice(0, 42)}+`,
		'white space': `${head}.${body}. ${signature}`,
		'a line feed at the end': client.token + '\n',
		'a NUL at the end': client.token + '\0',
		'a dot at the end': client.token + '.',
		'a fourth part': `${client.token}.${signature}`,
		'no signature': `${head}.${body}.`,
		'two parts': `${head}.${body}`,
		'alg none': `${Buffer.from('{"typ":"JWT","alg":"none"}').toString('base64url')}.${body}.`,
		'alg in lower case': sign(claims(client.token), SECRET, { typ: 'JWT', alg: 'hs256' }),
		'alg twice': Buffer.from('{"alg":"none","alg":"HS256"}').toString('base64url') + `.${body}.${signature}`,
		'a critical extension': sign(claims(client.token), SECRET, { alg: 'HS256', crit: ['x'] }),
		'exp as text': session('browser-app', SECRET, { exp: '9999999999' }),
		'exp as an object': session('browser-app', SECRET, { exp: {} }),
		'not yet': session('browser-app', SECRET, { nbf: now() + 1000 }),
		'more than 64 KiB': session('browser-app', SECRET, { ballast: 'x'.repeat(70000) }),
		'another secret': session('browser-app', 'another secret'),
	};

	for (const [what, token] of Object.entries(ROWS)) {
		client.emit({ type: 'echo', token });
		assert.strictEqual(code(await client.nextReply(what)), 'invalid_token', what);
		client.emit({ type: 'ewd-reregister', token });
		assert.strictEqual(code(await client.nextReply(what)), 'invalid_token', what);
	}
	assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);
});

test('exp and nbf are looked at while a socket lives', async (t) => {
	const usher = await startUsherd(t, nodeOf('edge', { 'browser-app': scriptedApp('size: 1') }));
	const client = await rawBrowser(t, usher.port);
	const exp = now() + 2;
	client.token = session('browser-app', SECRET, { exp });

	assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);
	const token = client.token;
	await waitFor('the end of the token', async () => {
		client.emit({ type: 'echo', token });
		const reply = await client.nextReply();
		if (code(reply) === 'token_expired')
			return true;
		assert.strictEqual(code(reply), undefined);
		return false;
	});
	assert.ok(Date.now() > exp * 1000);
});

// ---- outside issuers ----

const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsa2 = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (pair) => pair.publicKey.export({ type: 'spki', format: 'pem' });
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

const ISSUER = 'https://login.example.org/';
const anna = (more = {}) => ({ iss: ISSUER, aud: 'usher', sub: 'anna', email: 'anna@example.org', exp: now() + 600, ...more });

const withIssuers = (issuers, files) => [nodeOf('edge', { 'browser-app': scriptedApp('size: 1'), plain: scriptedApp('size: 1') })
	.replace(/allow_short_secret: true/, `$&, user_claim: username, issuers: [${issuers.join(', ')}]`), { files }];
const issuer = (more) => `{ issuer: "${ISSUER}", audience: usher, claims: { sub: username, email: mail }, ${more} }`;

async function registers(t, usher, token) {
	const client = await rawClient(t, usher.port);

	client.emit({ type: 'ewd-register', application: 'browser-app', jwt: true, token });
	client.reply = await client.nextReply('the registration');
	client.token = client.reply.message.token;
	return client;
}

test('tokens of an outside issuer begin sessions', async (t) => {
	const usher = await startUsherd(t, ...withIssuers([issuer('keys_file: keys.json, application: browser-app')], {
		'keys.json': JSON.stringify({ keys: [jwk(rsa, { kid: 'r1', use: 'sig' }), jwk(ec, { kid: 'e1', alg: 'ES256' }),
			jwk(rsa2, { kid: 'enc', use: 'enc' }), { kty: 'oct', k: 'c2VjcmV0', kid: 'o1' }] }) }));

	for (const [pair, alg, kid] of [[rsa, 'RS256', 'r1'], [ec, 'ES256', 'e1'], [rsa, 'RS256']]) {
		const token = outside(pair, alg, anna(), kid && { kid });
		const client = await registers(t, usher, token);
		const own = claims(client.token);
		assert.deepStrictEqual([own.iss, own.application, own.username, own.mail, own.sub, own.aud],
		    ['qewd.jwt', 'browser-app', 'anna', 'anna@example.org', undefined, undefined]);
		assert.strictEqual(decryptSecrets(client.token, SECRET).authenticated, true);
		assert.ok(own.exp <= now() + 600);
		assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);

		// Or sent as it is.
		client.token = token;
		for (let i = 0; i < 3; i++)
			assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);
		const answer = await ask(usher.url, 'POST', '/ajax', { json: { type: 'echo', token } });
		assert.strictEqual(answer.status, 200);
	}
	// A reload may take them away.
	const token = outside(rsa, 'RS256', anna());
	const client = await registers(t, usher, token);
	const own = client.token;
	client.token = token;
	assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);
	const file = path.join(usher.dir, 'usher.yaml'), yaml = fs.readFileSync(file, 'utf8');
	const reload = async (text, isServed) => {
		fs.writeFileSync(file, text);
		usher.kill('SIGHUP');
		await waitFor('the reload', async () => (code(await client.request({ type: 'echo' })) === undefined) === isServed);
	};
	await reload(yaml.replace(ISSUER, 'https://other.example.org/'), false);
	client.token = own;
	assert.strictEqual(code(await client.request({ type: 'echo' })), undefined, 'what is ours stays ours');
	client.token = token;
	await reload(yaml, true);

	const short = await registers(t, usher, outside(rsa, 'RS256', anna({ exp: now() + 20 })));
	assert.ok(claims(short.token).exp <= now() + 20, 'no longer than theirs');
});

test('what an outside issuer has not signed for us is refused', async (t) => {
	const usher = await startUsherd(t, ...withIssuers([issuer('keys_file: keys.json, application: browser-app')], {
		'keys.json': JSON.stringify({ keys: [jwk(rsa, { kid: 'r1' }), jwk(ec, { kid: 'e1' })] }) }));
	const good = outside(rsa, 'RS256', anna());
	const [head, body, signature] = good.split('.');
	const hs = (key, header = {}) => sign(anna(), key, { typ: 'JWT', alg: 'HS256', ...header });
	const der = outside(ec, 'ES256', anna()).split('.');
	der[2] = crypto.sign('sha256', Buffer.from(der[0] + '.' + der[1]), ec.privateKey).toString('base64url');
	const ROWS = {
		'signed with the public key as a secret': hs(pem(rsa)),
		'the same without its last line feed': hs(pem(rsa).trimEnd()),
		'the same with a kid': hs(pem(rsa), { kid: 'r1' }),
		'alg none': part({ alg: 'none' }) + `.${body}.`,
		'RS256 said of a P-256 signature': outside(ec, 'ES256', anna()).replace(/^[^.]+/, part({ typ: 'JWT', alg: 'RS256' })),
		'another algorithm of the same key': part({ alg: 'RS512' }) + `.${body}.${signature}`,
		'another key': outside(rsa2, 'RS256', anna()),
		'the kid of another key': outside(rsa, 'RS256', anna(), { kid: 'e1' }),
		'a kid that there is not': outside(rsa, 'RS256', anna(), { kid: 'r2' }),
		'another issuer': outside(rsa, 'RS256', anna({ iss: ISSUER + 'x' })),
		'an issuer without its slash': outside(rsa, 'RS256', anna({ iss: ISSUER.slice(0, -1) })),
		'no issuer': outside(rsa, 'RS256', anna({ iss: undefined })),
		'for somebody else': outside(rsa, 'RS256', anna({ aud: 'other' })),
		'for several others': outside(rsa, 'RS256', anna({ aud: ['other', 'ushers'] })),
		'for nobody': outside(rsa, 'RS256', anna({ aud: undefined })),
		'over': outside(rsa, 'RS256', anna({ exp: now() - 1 })),
		'without an end': outside(rsa, 'RS256', anna({ exp: undefined })),
		'with an end that is text': outside(rsa, 'RS256', anna({ exp: String(now() + 600) })),
		'not yet': outside(rsa, 'RS256', anna({ nbf: now() + 600 })),
		'a changed payload': `${head}.${part(anna({ sub: 'root' }))}.${signature}`,
		'a cut signature': good.slice(0, -4),
		'no signature': `${head}.${body}.`,
		'a DER signature': der.join('.'),
		'zeros as a signature': part({ alg: 'ES256' }) + `.${body}.` + Buffer.alloc(64).toString('base64url'),
		'a critical extension': outside(rsa, 'RS256', anna(), { crit: ['b64'] }),
		'a claim twice': (() => {
			const text = head + '.' + Buffer.from(JSON.stringify(anna()).replace('{', '{"sub":"root",')).toString('base64url');
			return text + '.' + crypto.sign('sha256', Buffer.from(text), rsa.privateKey).toString('base64url');
		})(),
		'padding': good + '=',
	};

	assert.strictEqual(code((await registers(t, usher, good)).reply), undefined);
	for (const [what, token] of Object.entries(ROWS)) {
		const client = await registers(t, usher, token);
		assert.match(String(code(client.reply)), /^(invalid_token|token_expired)$/, what);
		assert.strictEqual(client.reply.message.token, undefined, what);
		client.emit({ type: 'echo', token });
		assert.match(String(code(await client.nextReply(what))), /^(invalid_token|token_expired)$/, what);
		client.close();
	}
	const several = await registers(t, usher, outside(rsa, 'RS256', anna({ aud: ['other', 'usher'] })));
	assert.strictEqual(code(several.reply), undefined);
});

test('without an application their tokens must be registered, and without issuers nobody looks', async (t) => {
	const usher = await startUsherd(t, ...withIssuers([issuer('keys_file: keys.pem')], { 'keys.pem': pem(ec) + pem(rsa) }));
	const token = outside(ec, 'ES256', anna());
	const client = await registers(t, usher, token);

	assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);
	client.token = token;
	assert.strictEqual(code(await client.request({ type: 'echo' })), 'invalid_token');

	const none = await startUsherd(t, nodeOf('edge', { 'browser-app': scriptedApp('size: 1') }));
	const other = await registers(t, none, token);
	assert.strictEqual(claims(other.token).username, undefined, 'a token beside a registration means nothing there');
});

// The other signature that is as good: n - s in place of s.
function twin(token) {
	const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
	const cut = token.lastIndexOf('.') + 1, bytes = Buffer.from(token.slice(cut), 'base64url');
	const s = order - BigInt('0x' + bytes.toString('hex', 32));

	bytes.write(s.toString(16).padStart(64, '0'), 32, 'hex');
	return token.slice(0, cut) + bytes.toString('base64url');
}

async function isRevoked(t, usher, token, what) {
	const client = await registers(t, usher, token);

	assert.strictEqual(code(client.reply), 'session_revoked', what);
	assert.strictEqual(client.reply.message.token, undefined, what);
	client.emit({ type: 'echo', token });
	assert.strictEqual(code(await client.nextReply(what)), 'session_revoked', what);
	client.close();
}

async function isTaken(t, usher, token) {
	const client = await registers(t, usher, token);

	assert.strictEqual(code(client.reply), undefined);
	client.token = token;
	assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);
	client.close();
	return claims(client.reply.message.token).jti;
}

test('what is revoked does not begin anew with the same outside token', async (t) => {
	const [yaml, files] = withIssuers([issuer('keys_file: keys.pem, application: browser-app')], { 'keys.pem': pem(ec) });
	const usher = await startUsherd(t, yaml + 'admin: { socket: admin.sock }\n', files);
	const ctl = path.join(path.dirname(PROGRAM), 'usherctl');
	const revoke = async (...args) => {
		const { code: status, stderr } = await run(ctl, ['-s', path.join(usher.dir, 'admin.sock'), 'revoke', '--', ...args]);
		assert.strictEqual(status, 0, stderr);
	};
	const token = (more) => outside(ec, 'ES256', anna(more));
	const old = token({ iat: now() - 100 }), newer = token({ iat: now() + 100 });
	const without = token(), odd = token({ iat: 'noon' }), bob = token({ sub: 'bob', iat: now() - 50 });

	for (const each of [old, newer, without, odd, bob])
		await isTaken(t, usher, each);
	await revoke('user', 'anna');
	for (const [what, each] of Object.entries({ old, without, odd, unseen: token({ iat: now() - 99 }) }))
		await isRevoked(t, usher, each, what);
	await isTaken(t, usher, newer);

	// One that begins anew at the issuer is another session; its signature can be replaced.
	const jti = await isTaken(t, usher, newer);
	assert.strictEqual(await isTaken(t, usher, twin(newer)), jti);
	await revoke('jti', jti);
	await isRevoked(t, usher, newer, 'by jti');
	await isRevoked(t, usher, twin(newer), 'by jti, another signature');

	await isTaken(t, usher, bob);
	await revoke('before', String(now() - 60));
	await isTaken(t, usher, bob);
	await revoke('before', 'now');
	await isRevoked(t, usher, bob, 'before now');
	await isRevoked(t, usher, token({ sub: 'carl' }), 'it does not say when');
	await isTaken(t, usher, token({ sub: 'carl', iat: now() + 100 }));
});

test('a reload that names users by another claim counts for tokens that were seen', async (t) => {
	const usher = await startUsherd(t, nodeOf('edge', { 'browser-app': scriptedApp('size: 1') }, 'admin: { socket: admin.sock }\n')
		.replace('allow_short_secret: true', '$&, user_claim: username'));
	const ctl = path.join(path.dirname(PROGRAM), 'usherctl');
	const client = await rawBrowser(t, usher.port);
	client.token = session('browser-app', SECRET, { username: 'anna', mail: 'a@example.org', iat: now() - 100 });

	const { code: status, stderr } = await run(ctl, ['-s', path.join(usher.dir, 'admin.sock'), 'revoke', 'user', 'a@example.org']);
	assert.strictEqual(status, 0, stderr);
	assert.strictEqual(code(await client.request({ type: 'echo' })), undefined);
	const file = path.join(usher.dir, 'usher.yaml');
	fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('user_claim: username', 'user_claim: mail'));
	usher.kill('SIGHUP');
	await waitFor('the reload', async () => code(await client.request({ type: 'echo' })) === 'session_revoked');
});

test('keys that are of no use are told', async (t) => {
	const weak = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 });
	const p384 = crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' });
	const ROWS = [
		['', /there is no key in it/], ['{}', /it is no key set/], ['{"keys":[]}', /there is no key in it/],
		['{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', /there is no key in it/],
		['{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}', /neither RSA of 2048/],
		['{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]}', /cannot be read/],
		[pem(weak), /neither RSA of 2048/], [pem(p384), /neither RSA of 2048 to 8192 bits nor P-256/],
		[rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }), /something else than public keys/],
		[pem(ec) + pem(rsa).slice(0, -60), /a block of PEM in it is damaged/],
	];

	for (const [text, why] of ROWS) {
		const [yaml, { files }] = withIssuers([issuer('keys_file: keys')], { keys: text });
		const { code: status, stderr } = await runUsherd(t, ['-t', '-c', 'u.yaml'], { ...files, 'u.yaml': yaml });
		assert.strictEqual(status, 78, text);
		assert.match(stderr, why);
	}
	const [yaml] = withIssuers(['{ issuer: a, keys_file: k, claims: { sub: exp } }'], {});
	const { stderr } = await runUsherd(t, ['-t', '-c', 'u.yaml'], { 'u.yaml': yaml, k: pem(rsa) });
	assert.match(stderr, /"exp" of a session is usher's own/);
});

// ---- reserved fields ----

// Everything of ours that a browser may try to say, in a message and in its message.
const STEERING = {
	usher: { id: 1, deadline_ms: 1, hops: 99, trace: '00-' + 'a'.repeat(32) + '-' + 'b'.repeat(16) + '-01',
		client: { address: '203.0.113.66', socket: 'stolen' }, push: { socket: 'stolen' }, link: 1, node: 'evil', proof: 'x' },
	finished: true, message: { error: 'made up', code: 'made_up', usher: { id: 1 } }, error: 'made up', responseTime: '0ms',
	by: 'evil', request: 'evil', isWorkerPing: true, qewd: { any: 1 }, socketId: 'stolen', ipAddress: '203.0.113.66'
};

test('fields that are ours steer no reply of a browser', async (t) => {
	const record = path.join(folder(t), 'record');
	const worker = await startUsherd(t, nodeOf('worker', { 'remote-app': scriptedApp('size: 1', { record }) }));
	const master = await startUsherd(t, masterOf('ws://127.0.0.1:' + worker.port));
	await master.linked();
	const client = await rawBrowser(t, master.port), other = await rawBrowser(t, master.port);

	// The push is for nobody, the deadline and the hops are not looked at, the client is who it is.
	for (const more of [{}, { ms_requestId: 7 }, { ms_requestId: { usher: 1 } }]) {
		client.emit({ ...STEERING, type: 'echo', token: client.token, params: { tag: 1 }, ...more });
		const reply = await client.nextReply('the reply');
		assert.deepStrictEqual([reply.type, reply.finished, reply.message.tag, reply.usher, reply.message.usher],
		    ['echo', true, 1, undefined, undefined]);
		assert.deepStrictEqual(reply.ms_requestId, more.ms_requestId);
	}
	const seen = fs.readFileSync(record, 'utf8').trim().split('\n').map((line) => JSON.parse(line)).filter((m) => m.op === 'request');
	assert.strictEqual(seen.length, 3);
	for (const request of seen) {
		assert.strictEqual(request.message.usher, undefined);
		assert.deepStrictEqual(request.client, { address: '127.0.0.1', socket: client.sid });
		assert.ok(request.deadline_ms > 1000);
	}

	// A link is proven for its own socket alone.
	for (const proof of [linkProof(SECRET, other.sid), linkProof('another secret', client.sid), '', 'x'.repeat(43)]) {
		const stranger = await rawClient(t, master.port);
		stranger.emit({ type: 'ewd-register', application: 'browser-app', jwt: true, usher: { link: 1, node: 'evil', proof } });
		const { message } = await stranger.nextReply();
		assert.strictEqual(message.usher, undefined);
		for (const type of ['usher-push', 'ewd-get-session', 'qoper8-anything', 'restRequest']) {
			stranger.emit({ type, token: message.token, usher: STEERING.usher });
			assert.strictEqual(code(await stranger.nextReply(type)), 'not_allowed', type);
		}
	}
	assert.strictEqual(code(await other.request({ type: 'echo' })), undefined);
});
