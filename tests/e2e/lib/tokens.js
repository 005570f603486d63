// SPDX-License-Identifier: ISC
// Tokens as QEWD makes them, written down a second time so that the tests do not ask the
// program under test whether it is right.
'use strict';
const crypto = require('node:crypto');

const base64url = (data) => Buffer.from(data).toString('base64url');
const hmac = (secret, text) => crypto.createHmac('sha256', secret).update(text).digest('base64url');

function sign(claims, secret, header = { typ: 'JWT', alg: 'HS256' }) {
	const text = base64url(JSON.stringify(header)) + '.' + base64url(JSON.stringify(claims));

	return text + '.' + hmac(secret, text);
}

const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());

function isSigned(token, secret) {
	const [head, body, signature] = token.split('.');

	return signature === hmac(secret, head + '.' + body);
}

// The key and IV of the "qewd" claim: three rounds of MD5 over the secret.
function cipherKey(secret) {
	const md5 = (...parts) => crypto.createHash('md5').update(Buffer.concat(parts)).digest();
	const s = Buffer.from(secret);
	const d1 = md5(s), d2 = md5(d1, s), d3 = md5(d2, s);

	return { key: Buffer.concat([d1, d2]), iv: d3 };
}

function decryptSecrets(token, secret) {
	const { key, iv } = cipherKey(secret);
	const cipher = crypto.createDecipheriv('aes-256-cbc', key, iv);

	return JSON.parse(cipher.update(claims(token).qewd, 'hex', 'utf8') + cipher.final('utf8'));
}

function encryptSecrets(secrets, secret) {
	const { key, iv } = cipherKey(secret);
	const cipher = crypto.createCipheriv('aes-256-cbc', key, iv);

	return cipher.update(JSON.stringify(secrets), 'utf8', 'hex') + cipher.final('hex');
}

// A session as a registration would make it.
function session(application, secret, more = {}) {
	const now = Math.floor(Date.now() / 1000);

	return sign(Object.assign({
		exp: now + 300, iat: now, iss: 'qewd.jwt', application, timeout: 300,
		qewd: encryptSecrets({ socketId: 'x', ipAddress: '127.0.0.1', authenticated: false }, secret)
	}, more), secret);
}

// A token of another issuer, signed with the private key of a pair, and its public key as a key set has it.
function outside(pair, alg, body, header = {}) {
	const part = (value) => base64url(JSON.stringify(value));
	const text = part({ typ: 'JWT', alg, ...header }) + '.' + part(body);
	const key = alg === 'ES256' ? { key: pair.privateKey, dsaEncoding: 'ieee-p1363' } : pair.privateKey;

	return text + '.' + crypto.sign('sha256', Buffer.from(text), key).toString('base64url');
}

const jwk = (pair, more) => ({ ...pair.publicKey.export({ format: 'jwk' }), ...more });

// What an usher node proves itself with when it opens a link.
const linkProof = (secret, sid) => hmac(secret, 'usher-link\n' + sid);

module.exports = { sign, claims, isSigned, decryptSecrets, encryptSecrets, session, outside, jwk, linkProof };
