// SPDX-License-Identifier: ISC
// TLS: browsers over https and wss, links between nodes over wss, certificates of both sides,
// what is refused and how the log says so, reload, and peers that do not behave.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const tls = require('node:tls');
const { stockBrowser, socketClient } = require('./lib/browser');
const { authority, certificate, openssl, read } = require('./lib/certificates');
const { atEnd } = require('./lib/cleanup');
const { masterOf, scriptedApp, workerOf } = require('./lib/configs');
const { rawBrowser, tcp, RawClient } = require('./lib/raw');
const { folder, nodeKit, runUsherd, startUsherd, JWT } = require('./lib/usherd');
const { waitFor, within } = require('./lib/wait');

const APP = `applications: { app: { command: ${nodeKit('remote-app.js')}, pool: { size: 1 } } }`;

// A folder with a CA and what it signed, and with what nobody should trust.
const CERTIFICATES = (() => {
	let dir;

	return (t) => {
		if (dir)
			return dir;
		dir = folder(t);	// of the whole file: t is its root
		authority(dir, 'ca');
		authority(dir, 'other-ca');
		certificate(dir, 'server', { ca: 'ca', names: 'DNS:localhost,IP:127.0.0.1' });
		certificate(dir, 'second', { ca: 'ca', names: 'DNS:second.example,DNS:*.second.example' });
		certificate(dir, 'renewed', { ca: 'ca', names: 'DNS:localhost,IP:127.0.0.1' });
		certificate(dir, 'elsewhere', { ca: 'ca', names: 'DNS:elsewhere.example,IP:192.0.2.1' });
		certificate(dir, 'expired', { ca: 'ca', names: 'DNS:localhost,IP:127.0.0.1', days: -1 });
		certificate(dir, 'own', { names: 'DNS:localhost,IP:127.0.0.1' });
		certificate(dir, 'client', { ca: 'ca' });
		certificate(dir, 'stranger', { ca: 'other-ca' });
		return dir;
	};
})();

const listen = (dir, name, more = '', address = '127.0.0.1:0') =>
	`listen: [{ address: "${address}", ${more}
  tls: { certificate: ${dir}/${name}.pem, key: ${dir}/${name}.key } }]`;

const both = (dir, name) => `listen: [{ address: "127.0.0.1:0", for: nodes,
  tls: { certificate: ${dir}/${name}.pem, key: ${dir}/${name}.key, client_ca: ${dir}/ca.pem } }]`;

const nodeWith = (tlsListen, more = '') => `node: n\n${tlsListen}\n${JWT}\n${APP}\n${more}`;

// One HTTPS request on a connection of its own; gives what the server showed, too.
function get(port, options = {}) {
	return within('an HTTPS answer', new Promise((resolve, reject) => {
		const request = https.request(Object.assign({ host: '127.0.0.1', port, path: '/', agent: false,
			rejectUnauthorized: false }, options), (answer) => {
			const { socket } = answer;
			const shown = { name: socket.getPeerCertificate().subject.CN, protocol: socket.getProtocol(),
				reused: socket.isSessionReused(), alpn: socket.alpnProtocol };

			answer.resume();
			answer.on('end', () => resolve(Object.assign(shown, { status: answer.statusCode })));
		});
		request.on('error', reject);
		request.end();
	}));
}

// A TLS connection of bytes.
async function secure(t, port, options = {}) {
	const socket = tls.connect(Object.assign({ host: '127.0.0.1', port, rejectUnauthorized: false }, options));
	const ended = new Promise((resolve) => socket.on('close', resolve));

	socket.on('error', (e) => { socket.fault = e; });
	atEnd(t, () => socket.destroy());
	await within('the handshake', new Promise((resolve, reject) => {
		socket.on('secureConnect', resolve);
		socket.on('error', reject);
	}));
	return Object.assign(socket, { whenEnded: () => within('the end', ended) });
}

async function rawSecureBrowser(t, port, ca, application, options = {}) {
	const client = new RawClient(`wss://127.0.0.1:${port}/socket.io/?EIO=3&transport=websocket`, Object.assign({ ca }, options));

	atEnd(t, () => client.close());
	await client.open();
	await client.handshake(3);
	await client.register(application);
	return client;
}

const masterOver = (worker, settings, more = '') => masterOf('wss://127.0.0.1:' + worker.port, `tls: { ${settings} }${more}`);

test('TLS', async (root) => {
	const dir = CERTIFICATES(root);
	const ca = read(dir, 'ca.pem');

	await root.test('browsers of both generations, the stock client and polling work over https and wss', async (t) => {
		const node = await startUsherd(t, nodeWith(listen(dir, 'server')));
		const url = 'https://localhost:' + node.port;

		assert.match(node.log, /listening on 127\.0\.0\.1:\d+, TLS/);
		for (const generation of [2, 4]) {
			for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
				const client = await socketClient(t, generation, url, { ca, transports });
				await client.register('app');
				const reply = await client.request({ type: 'echo', params: { generation } });
				assert.strictEqual(reply.message.error, undefined, JSON.stringify(reply));
				assert.strictEqual(reply.finished, true);
				client.close();
			}
		}
	});

	await root.test('TLS 1.2 and 1.3 are spoken, older ones are not; HTTP/1.1 is agreed on', async (t) => {
		const node = await startUsherd(t, nodeWith(listen(dir, 'server')));

		for (const protocol of ['TLSv1.2', 'TLSv1.3']) {
			const shown = await get(node.port, { minVersion: protocol, maxVersion: protocol, ALPNProtocols: ['h2', 'http/1.1'] });
			assert.strictEqual(shown.protocol, protocol);
			assert.strictEqual(shown.alpn, 'http/1.1');
		}
		await assert.rejects(get(node.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
		await assert.rejects(get(node.port, { ALPNProtocols: ['h2'] }), /no application protocol|closed|reset|alert/i);
	});

	await root.test('a client gets the certificate for the name it asks for', async (t) => {
		const node = await startUsherd(t, nodeWith(`listen:
  - address: "127.0.0.1:0"
    tls:
      - { certificate: ${dir}/server.pem, key: ${dir}/server.key }
      - { certificate: ${dir}/second.pem, key: ${dir}/second.key }`));
		const shown = async (servername) => (await get(node.port, servername === undefined ? {} : { servername })).name;

		assert.strictEqual(await shown('localhost'), 'server');
		assert.strictEqual(await shown('second.example'), 'second');
		assert.strictEqual(await shown('www.second.example'), 'second');
		assert.strictEqual(await shown('a.b.second.example'), 'server', 'a wild card is one label');
		assert.strictEqual(await shown('unknown.example'), 'server');
		assert.strictEqual(await shown(), 'server');
		assert.strictEqual((await get(node.port, { servername: 'second.example', ca, rejectUnauthorized: true })).status, 404);
	});

	await root.test('a session is resumed, with a certificate of the client too', async (t) => {
		for (const [name, listener] of [['server', listen(dir, 'server')], ['both', both(dir, 'server')]]) {
			const node = await startUsherd(t, nodeWith(listener));
			const identity = name === 'both' ? { key: read(dir, 'client.key'), cert: read(dir, 'client.pem') } : {};

			for (const protocol of ['TLSv1.2', 'TLSv1.3']) {
				const options = Object.assign({ minVersion: protocol, maxVersion: protocol, ALPNProtocols: ['http/1.1'] }, identity);
				const first = await secure(t, node.port, options);
				let session = protocol === 'TLSv1.2' ? first.getSession() : null;
				first.on('session', (ticket) => { session = ticket; });
				first.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
				first.resume();
				await waitFor('a ticket', () => session);
				const again = await secure(t, node.port, Object.assign({ session }, options));
				assert.strictEqual(again.isSessionReused(), true, protocol + ' ' + name);
				again.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
				const answer = await within('the answer', new Promise((resolve) => again.once('data', resolve)));
				assert.match(String(answer), /^HTTP\/1\.1 404/);
			}
			await node.stop();
			assert.match(node.log, /counters:.* tls_handshakes=4 tls_resumed=2/);
		}
	});

	await root.test('nodes link over wss, and requests of 3 MB pass both ways', async (t) => {
		const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replace(/listen:.*/, listen(dir, 'server')) +
			'limits: { message: 8MB, reply: 8MB }\n');
		const master = await startUsherd(t, masterOver(worker, `ca: ${dir}/ca.pem`).replace(/listen:.*/, listen(dir, 'server')) +
			'limits: { message: 8MB, reply: 8MB, bytes_per_second: 100MB }\n');
		await master.logged(/link wss:\/\/127\.0\.0\.1:\d+: up, multiplexed, node worker/);
		const browser = await rawSecureBrowser(t, master.port, ca, 'browser-app', { maxPayload: 1 << 24 });
		const text = 'x'.repeat(3000000);

		for (let i = 0; i < 3; i++) {
			const reply = await browser.request({ type: 'echo', params: { text, i } });
			assert.ok(JSON.stringify(reply).includes(text), JSON.stringify(reply).slice(0, 200));
		}
	});

	await root.test('what a link must not trust is refused, and the log says why and what to do', async (t) => {
		const cases = [
			['server', `ca: ${dir}/other-ca.pem`, /the certificate is refused: .*issuer.*name its CA in tls\.ca/],
			['server', 'verify: true', /the certificate is refused: .*name its CA in tls\.ca/],
			['expired', `ca: ${dir}/ca.pem`, /the certificate is refused: certificate has expired/],
			['elsewhere', `ca: ${dir}/ca.pem`, /the certificate is refused: IP address mismatch; it is for another host: .*tls\.name/],
			['own', `ca: ${dir}/ca.pem`, /the certificate is refused: self-signed certificate; .*tls\.ca/],
			['server', `ca: ${dir}/ca.pem, name: far.example`, /the certificate is refused: hostname mismatch/]
		];

		for (const [name, settings, words] of cases) {
			await t.test(name + ', ' + settings.replace(dir, '.'), async (t) => {
				const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replace(/listen:.*/, listen(dir, name)));
				const master = await startUsherd(t, masterOver(worker, settings));

				await master.logged(new RegExp('warn .*link wss://127\\.0\\.0\\.1:\\d+: cannot connect: TLS failed: ' + words.source));
				await worker.stop();
				assert.match(worker.log, /tls_failed=/);
				assert.doesNotMatch(master.log, /: up/);
			});
		}
	});

	await root.test('a link takes a certificate for another name, a self-signed one or any if told so', async (t) => {
		for (const [name, settings] of [['elsewhere', `ca: ${dir}/ca.pem, name: elsewhere.example`],
			['elsewhere', `ca: ${dir}/ca.pem, name: 192.0.2.1`], ['own', `ca: ${dir}/own.pem`], ['expired', 'verify: false']]) {
			const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replace(/listen:.*/, listen(dir, name)));
			const master = await startUsherd(t, masterOver(worker, settings));

			await master.linked();
			if (settings === 'verify: false')
				assert.match(master.log, /warn .*destination far: certificates are not verified/);
			if (name === 'expired')
				assert.match(worker.log, /warn .*expired\.pem: the certificate has expired/);
		}
	});

	await root.test('nodes that want certificates get them, and turn everybody else away', async (t) => {
		const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replace(/listen:.*/, both(dir, 'server')));
		const identity = (name) => `ca: ${dir}/ca.pem, certificate: ${dir}/${name}.pem, key: ${dir}/${name}.key`;
		const good = await startUsherd(t, masterOver(worker, identity('client')));
		const bare = await startUsherd(t, masterOver(worker, `ca: ${dir}/ca.pem`));
		const stranger = await startUsherd(t, masterOver(worker, identity('stranger')));

		await good.linked();
		const browser = await rawBrowser(t, good.port);
		assert.strictEqual((await browser.request({ type: 'echo', params: { x: 1 } })).finished, true);
		await bare.logged(/cannot connect: TLS failed: the node wants to see a certificate: .*tls\.certificate/);
		await stranger.logged(/cannot connect: TLS failed: .*(unknown ca|certificate)/);
		await assert.rejects(get(worker.port));
		assert.doesNotMatch(bare.log + stranger.log, /: up/);
	});

	await root.test('SIGHUP brings new certificates to new connections and keeps the old connections', async (t) => {
		const files = { 's.pem': read(dir, 'server.pem'), 's.key': read(dir, 'server.key') };
		const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replace(/listen:.*/,
		    'listen: [{ address: "127.0.0.1:0", tls: { certificate: s.pem, key: s.key } }]'), { files });
		const master = await startUsherd(t, masterOver(worker, 'ca: ca.pem'),
		    { files: { 'ca.pem': ca }, args: ['-D', 'link'] });
		await master.linked();
		const browser = await rawBrowser(t, master.port);
		const echo = async () => assert.strictEqual((await browser.request({ type: 'echo', params: {} })).finished, true);
		const hangup = async (node, pattern) => {
			const { length } = node.log;
			node.kill('SIGHUP');
			await node.logged(pattern, length);
		};

		await echo();
		assert.strictEqual((await get(worker.port)).name, 'server');
		fs.copyFileSync(path.join(dir, 'renewed.pem'), path.join(worker.dir, 's.pem'));
		await hangup(worker, /error reload: nothing has changed: .*TLS: .*s\.key is not the key of the certificate in .*s\.pem/);
		assert.strictEqual((await get(worker.port)).name, 'server');
		fs.copyFileSync(path.join(dir, 'renewed.key'), path.join(worker.dir, 's.key'));
		await hangup(worker, /reload: the configuration is/);
		assert.strictEqual((await get(worker.port)).name, 'renewed');
		await echo();

		// The link's side: what it trusts is read anew, too.
		fs.copyFileSync(path.join(dir, 'other-ca.pem'), path.join(master.dir, 'ca.pem'));
		await hangup(master, /reload: the configuration is/);
		await echo();
		assert.doesNotMatch(master.log, /: down/);
		await worker.stop();
		const again = await startUsherd(t, workerOf(nodeKit('remote-app.js')).replace(/listen:.*/,
		    listen(dir, 'server', '', '127.0.0.1:' + worker.port)));
		await master.logged(/certificate is refused/);
		assert.ok(again.port === worker.port);
	});

	await root.test('a certificate or key that cannot be used ends the start, and says what to do', async (t) => {
		openssl(dir, 'pkey', '-in', 'server.key', '-aes128', '-passout', 'pass:x', '-out', 'locked.key');
		fs.writeFileSync(path.join(dir, 'empty.pem'), '');
		fs.writeFileSync(path.join(dir, 'broken.pem'), String(read(dir, 'server.pem')).replace(/\n[^-]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'));
		const cases = [
			['server', 'client', /client\.key is not the key of the certificate in .*server\.pem/],
			['server', 'locked', /locked\.key needs a passphrase.*openssl pkey/],
			['empty', 'server', /empty\.pem holds no certificate.*BEGIN CERTIFICATE/],
			['broken', 'server', /broken\.pem: certificate 1 cannot be used/]
		];

		fs.copyFileSync(path.join(dir, 'server.pem'), path.join(dir, 'nokey.key'));
		cases.push(['server', 'nokey', /nokey\.key holds no private key/]);
		for (const [pem, key, words] of cases)
			for (const args of [['-t'], []]) {
				const { code, stderr } = await runUsherd(t, [...args, '-c', 'usher.yaml'], { 'usher.yaml':
				    `listen: [{ address: "127.0.0.1:0", tls: { certificate: ${dir}/${pem}.pem, key: ${dir}/${key}.key } }]\n${JWT}` });

				assert.match(stderr, words);
				assert.strictEqual(code, 78);
			}
	});

	await root.test('plain HTTP is told about https, TLS on a plain address is closed at once', async (t) => {
		const secured = await startUsherd(t, nodeWith(listen(dir, 'server')), { args: ['-D', 'conn'] });
		const plain = await startUsherd(t, nodeWith('listen: [{ address: "127.0.0.1:0" }]'), { args: ['-D', 'http'] });
		const speaker = await tcp(t, secured.port);

		speaker.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
		await speaker.whenEnded();
		assert.match(String(speaker.received), /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\nthis address speaks TLS: begin with https:\/\/\n$/);
		await secured.logged(/closed: TLS failed: plain HTTP on an address with TLS/);
		await assert.rejects(get(plain.port));
		await plain.logged(/TLS on an address without it: give 127\.0\.0\.1:0 a certificate \(listen\[\]\.tls\)/);
		await secured.stop();
		assert.match(secured.log, /tls_failed=1/);
	});

	await root.test('a link to a node without TLS says so', async (t) => {
		const worker = await startUsherd(t, workerOf(nodeKit('remote-app.js')));
		const master = await startUsherd(t, masterOver(worker, `ca: ${dir}/ca.pem`));

		await master.logged(/cannot connect: /);
		assert.doesNotMatch(master.log, /: up/);
	});

	await root.test('half a handshake ends with timeouts.http_head, and of a link with timeouts.handshake', async (t) => {
		const node = await startUsherd(t, nodeWith(listen(dir, 'server'), 'timeouts: { http_head: 300ms }'));
		const silent = await tcp(t, node.port), half = await tcp(t, node.port);

		half.send(Buffer.from([0x16, 3, 1, 2, 0, 1, 0]));
		await silent.whenEnded();
		await half.whenEnded();

		const mute = net.createServer((socket) => socket.on('error', () => {}).resume());
		atEnd(t, () => new Promise((resolve) => mute.close(resolve)));
		await new Promise((resolve) => mute.listen(0, '127.0.0.1', resolve));
		const master = await startUsherd(t, masterOver(mute.address(), `ca: ${dir}/ca.pem`) + 'timeouts: { handshake: 300ms }\n');
		await master.logged(/cannot connect: handshake took too long/);
	});

	await root.test('bytes that are no TLS cost one connection', async (t) => {
		const node = await startUsherd(t, nodeWith(listen(dir, 'server')));
		const browser = await rawSecureBrowser(t, node.port, ca, 'app');

		for (const bytes of [Buffer.alloc(100, 0xff), Buffer.from([0x16, 3, 1, 0xff, 0xff]), Buffer.alloc(70000, 0x16)]) {
			const noise = await tcp(t, node.port);
			noise.send(bytes);
			noise.socket.end();
			await noise.whenEnded();
		}
		// And in the middle of a conversation: records that were not encrypted.
		const raw = net.connect(node.port, '127.0.0.1');
		atEnd(t, () => raw.destroy());
		const cut = tls.connect({ socket: raw, rejectUnauthorized: false });
		cut.on('error', () => {});
		await within('the handshake', new Promise((resolve) => cut.on('secureConnect', resolve)));
		const closed = new Promise((resolve) => raw.on('close', resolve));
		raw.write(Buffer.concat([Buffer.from([0x17, 3, 3, 0, 100]), Buffer.alloc(100, 7)]));
		await within('the end of the broken connection', closed);
		assert.strictEqual((await browser.request({ type: 'echo', params: {} })).finished, true);
	});

	await root.test('a client may write a byte at a time, and begin to read late', async (t) => {
		const big = Buffer.alloc(20000000, 'abcdefghij\n');
		const node = await startUsherd(t, nodeWith(listen(dir, 'server'), 'static: [ { path: /big, file: big } ]'),
		    { files: { big } });
		const socket = await secure(t, node.port);
		const other = await rawSecureBrowser(t, node.port, ca, 'app');
		let got = [];

		socket.pause();
		socket.setNoDelay(true);
		for (const byte of 'GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
			await new Promise((resolve) => socket.write(byte, resolve));
		// While it does not read, others are served.
		for (let i = 0; i < 20; i++)
			assert.strictEqual((await other.request({ type: 'echo', params: { i } })).finished, true);
		socket.on('data', (piece) => got.push(piece));
		socket.resume();
		await socket.whenEnded();
		got = Buffer.concat(got);
		assert.ok(got.subarray(got.indexOf('\r\n\r\n') + 4).equals(big));
		assert.strictEqual(socket.fault, undefined);
	});
});
