// SPDX-License-Identifier: ISC
// Who visits usherd in a round of soak beside the loads of usher-bench, and who stays from the first round
// to the last; with the certificates and the keys of another issuer, which are new with each configuration.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { SECRET } = require('./lib');
const { WAYS, VISITS } = require('./soak-visits');
const { socketClient } = require('../e2e/lib/browser');
const { authority, certificate, read } = require('../e2e/lib/certificates');
const { decryptSecrets, jwk, outside } = require('../e2e/lib/tokens');

const ISSUER = 'https://login.example.org/';

// Another one who signs tokens.  Its keys change with every configuration; those of the last one are still good then.
class Issuer {
	constructor(dir) {
		this.file = path.join(dir, 'keys.json');
		this.rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
		this.forger = Issuer.newKey();
		this.keys = [Issuer.newKey(), Issuer.newKey()];
	}

	static newKey() {
		return { kid: crypto.randomUUID(), ...crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
	}

	write() {
		this.keys = [this.keys[1], Issuer.newKey()];
		fs.writeFileSync(this.file, JSON.stringify({
			keys: [jwk(this.rsa, { kid: 'rsa' }), ...this.keys.map((key) => jwk(key, { kid: key.kid }))] }));
	}

	token(user, isRsa, key = isRsa ? this.rsa : this.keys[0]) {
		const now = Math.floor(Date.now() / 1000);
		const body = { iss: ISSUER, aud: 'usher', sub: user, iat: now, exp: now + 600 };

		return outside(key, isRsa ? 'RS256' : 'ES256', body, { kid: isRsa ? 'rsa' : this.keys[0].kid });
	}
}

class Visitors {
	// node: { dir, port, tlsPort }; count: { requests, faults }
	constructor(node, count) {
		const { dir, port, tlsPort } = node;

		Object.assign(this, { dir, port, tlsPort, count, ends: [], residents: [] });
		this.urls = [`http://127.0.0.1:${port}`, `https://127.0.0.1:${tlsPort}`];
		this.issuer = new Issuer(dir);
		authority(dir, 'ca');
		certificate(dir, 'server', { ca: 'ca', names: 'IP:127.0.0.1' });
		this.ca = read(dir, 'ca.pem');
	}

	// Those who stay: what a session has may not grow either.
	async come() {
		const t = { after: (end) => this.ends.push(end) };

		for (const way of [WAYS, WAYS].flat()) {
			const url = this.urls[Number(this.residents.length < WAYS.length)];
			const one = await socketClient(t, way.generation, url, { ca: this.ca, transports: way.transports });
			await one.register('pushing');
			one.sid = decryptSecrets(one.token, SECRET).socketId;
			this.residents.push(one);
		}
	}

	async round() {
		await Promise.all(VISITS.map((visit) => this.visit(visit)));
	}

	async visit(visit) {
		const ends = [], t = { after: (end) => ends.push(end) };

		try {
			const looked = await visit(t, this);
			this.count.requests += looked;	// in one step, as others add to it meanwhile
		} catch (error) {
			this.count.faults++;
			console.log(`${visit.name}: ${error.message.slice(0, 1000)}`);
		}
		for (const end of ends)
			await end();
	}

	async leave() {
		for (const end of this.ends)
			await end();
	}
}

module.exports = { ISSUER, Visitors };
