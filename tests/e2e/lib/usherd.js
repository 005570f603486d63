// SPDX-License-Identifier: ISC
// The daemon under test: started with a configuration text, stopped at the end of the test,
// and held to a clean end: exit status 0 and no word of a sanitizer.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { atEnd } = require('./cleanup');
const { Child, run } = require('./processes');

const PROGRAM = path.resolve(process.env.USHERD || path.join(__dirname, '..', '..', '..', 'src', 'usherd'));
const HANDLERS = path.join(__dirname, '..', 'handlers');
const KITS = path.join(__dirname, '..', '..', '..', 'contrib', 'handlers');
const SECRET = 'interop-shared-secret';

// Tests look at the descriptors and the memory of the daemon.
process.env.USHER_DUMPABLE = '1';

// What every configuration here needs; the port is chosen by the system.
const LISTEN = 'listen: [{ address: "127.0.0.1:0" }]';
const JWT = `jwt: { secret: "${SECRET}", allow_short_secret: true }`;

// The command line of an application whose stock QEWD module runs under the Node kit.
const nodeKit = (module) => JSON.stringify([process.execPath,
	path.join(KITS, 'node', 'usher-worker.js'), path.join(HANDLERS, module)]);

const SANITIZER = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:/;

// A folder that goes with the test.  files: { name: text }.
function folder(t, files = {}) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'usher-e2e-'));

	for (const [name, text] of Object.entries(files))
		fs.writeFileSync(path.join(dir, name), text, { mode: /secret/.test(name) ? 0o600 : 0o666 });
	atEnd(t, () => fs.rmSync(dir, { recursive: true, force: true }));
	return dir;
}

class Usherd extends Child {
	// Waits until it listens at all addresses of the configuration.
	async ready(listeners) {
		await this.logged(new RegExp('(listening on [^]*){' + listeners + '}'));
		this.ports = [...this.log.matchAll(/listening on \S*:(\d+)/g)].map((m) => Number(m[1]));
		this.port = this.ports[0];
		this.url = 'http://127.0.0.1:' + this.port;
	}

	// Waits for links to be up, as many as given, at offset of the log or later.
	async linked(count = 1, offset = 0) {
		await this.logged(new RegExp('(link \\S+: up[^]*){' + count + '}'), offset);
	}

	// Killed, as by a power cut; stop() then asks for no orderly end.
	async die() {
		this.isKilled = true;
		this.kill('SIGKILL');
		await this.end();
	}

	async stop(signal = 'SIGTERM') {
		this.kill(signal);
		await this.end();
		assert.doesNotMatch(this.log, SANITIZER);
		if (this.isKilled)
			return;
		assert.deepStrictEqual({ code: this.code, signal: this.signal }, { code: 0, signal: null },
		    'the daemon ends with status 0:\n' + this.log);
	}
}

// USHER_THREADS: how many event loops a daemon has where its configuration does not say it.
const LOOPS = Number(process.env.USHER_THREADS) || 1;

function withThreads(yaml) {
	const threads = process.env.USHER_THREADS;

	return !threads || /^threads:/m.test(yaml) ? yaml : yaml.replace(/\n*$/, `\nthreads: ${threads}\n`);
}

// options: args (more of them), env (more of it), files (beside the configuration), listeners (1)
async function startUsherd(t, yaml, options = {}) {
	const dir = folder(t, Object.assign({ 'usher.yaml': withThreads(yaml) }, options.files));
	const args = ['-c', path.join(dir, 'usher.yaml')].concat(options.args || []);
	const usherd = new Usherd(PROGRAM, args, { env: Object.assign({}, process.env, options.env) });

	usherd.dir = dir;
	usherd.endsBy = 'SIGTERM';	// SIGINT for a test that leaves requests open
	atEnd(t, () => usherd.stop(usherd.endsBy));
	await usherd.ready(options.listeners || 1);
	return usherd;
}

// usherd --dev in a folder of the test, on a free port.
async function startDev(t, dir, args, env) {
	const dev = new Usherd(PROGRAM, ['--dev', '--port', '0'].concat(args), { cwd: dir, env: { ...process.env, ...env } });

	atEnd(t, () => dev.stop('SIGINT'));
	await dev.ready(1);
	return dev;
}

// Runs the daemon to its end, in a folder with these files.
async function runUsherd(t, args, files = {}, env = {}) {
	const result = await run(PROGRAM, args, {
		cwd: folder(t, files),
		env: Object.assign({}, process.env, env)
	});

	assert.doesNotMatch(result.stderr, SANITIZER);
	return result;
}

module.exports = { LOOPS, withThreads, startUsherd, startDev, runUsherd, folder, nodeKit, PROGRAM, HANDLERS, KITS, SECRET, LISTEN, JWT, SANITIZER };
