// SPDX-License-Identifier: ISC
// contrib/qewd2usher: what it makes of QEWD's configurations, what it says of the rest, and
// that usherd runs with it.  data/qewd2usher holds inputs, and for each the configuration and
// the words on stderr that are expected.
'use strict';
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { certificate } = require('./lib/certificates');
const { run } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { assertError } = require('./lib/replies');
const { claims, decryptSecrets, isSigned } = require('./lib/tokens');
const { folder, startUsherd, KITS, PROGRAM, SECRET } = require('./lib/usherd');

const CONVERTER = path.join(__dirname, '..', '..', 'contrib', 'qewd2usher');
const DATA = path.join(__dirname, 'data', 'qewd2usher');
const UP = ['up/configuration/config.json', 'up/configuration/routes.json'];

// Name of the expected files -> arguments.
const CASES = {
	'master-list': ['master-list.json'],
	'master-object': ['master-object.json'],
	'service': ['service.json'],
	'no-jwt': ['no-jwt.json'],
	'up-orchestrator': UP,
	'up-login_service': ['--for', 'login_service', ...UP],
	'up-alone': ['alone/configuration/config.json', 'alone/configuration/routes.json']
};

const expected = (name) => fs.readFileSync(path.join(DATA, name), 'utf8');

function convert(args, { cwd = DATA, input = '' } = {}) {
	const { status, stdout, stderr } = spawnSync(CONVERTER, args, { cwd, input, encoding: 'utf8' });

	return { code: status, stdout, stderr };
}

// Of an object that is no file.
const convertText = (value, args = []) =>
	convert(['-', ...args], { input: typeof value === 'string' ? value : JSON.stringify(value) });

const secretOf = (file) => {
	const top = JSON.parse(expected(file));

	return ((top.config || top).jwt || {}).secret;
};

const checked = (cwd) => run(PROGRAM, ['-t', '-c', 'usher.yaml'], { cwd });

for (const [name, args] of Object.entries(CASES)) {
	const file = args.find((word) => word.endsWith('.json'));

	test(`${name}: the configuration, and every word about the rest`, () => {
		const { code, stdout, stderr } = convert(args);

		assert.strictEqual(stdout, expected(name + '.yaml'));
		assert.strictEqual(stderr, expected(name + '.notes'));
		assert.strictEqual(code, 0);
	});

	test(`${name}: usherd takes it`, async (t) => {
		const dir = folder(t, { 'usher.yaml': expected(name + '.yaml'), 'jwt.secret': secretOf(file) || 'x'.repeat(32) });
		fs.mkdirSync(path.join(dir, 'www'));
		fs.mkdirSync(path.join(dir, 'ssl'));
		certificate(path.join(dir, 'ssl'), 'ssl');
		fs.renameSync(path.join(dir, 'ssl', 'ssl.pem'), path.join(dir, 'ssl', 'ssl.crt'));
		const { code, stderr } = await checked(dir);

		assert.strictEqual(code, 0, stderr);
	});

	test(`${name}: the secret is not shown`, () => {
		const { stdout, stderr } = convert(args);

		if (secretOf(file) !== undefined)
			assert.ok(!(stdout + stderr).includes(secretOf(file)));
	});
}

test('the object that calls it, the file it is in, and stdin are one', () => {
	const { config } = JSON.parse(expected('master-object.json'));
	const inside = convertText({ config }), bare = convertText(config);

	assert.strictEqual(inside.code, 0);
	assert.strictEqual(bare.stdout, inside.stdout);
	assert.match(bare.stderr, /^qewd2usher: stdin: managementPassword: /m);
});

test('the routes a startup file gives beside its configuration', (t) => {
	const dir = folder(t, { 'routes.json': JSON.stringify([{ path: '/api', module: './api.js' }]) });
	const { stdout, stderr } = convertText({ jwt: { secret: 'x'.repeat(32) } }, [path.join(dir, 'routes.json')]);

	assert.match(stdout, /^ {2}api:\n {4}qewd: true\n {4}directory: "\."\n {4}rest: \/api\n/m);
	assert.match(stdout, /moduleMap: \{ api: "\.\/api\.js" \}/);
	assert.match(stderr, /database: is not given/);
});

test('--write-secret: for its owner alone, and never over another', async (t) => {
	const dir = folder(t), file = path.join(dir, 'jwt.secret');
	const write = (name) => convert(['--write-secret', file, name]);
	const first = write('service.json');

	assert.strictEqual(first.code, 0);
	assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600);
	assert.strictEqual(fs.readFileSync(file, 'utf8'), SECRET + '\n');
	assert.doesNotMatch(first.stderr, /is not printed/);
	assert.ok(first.stdout.includes(`secret_file: ${file}`) || first.stdout.includes(`secret_file: "${file}"`));
	fs.writeFileSync(path.join(dir, 'usher.yaml'), first.stdout);
	assert.strictEqual((await checked(dir)).code, 0);

	assert.strictEqual(write('service.json').code, 0, 'the same once more');
	const other = write('master-list.json');
	assert.strictEqual(other.code, 1);
	assert.strictEqual(other.stdout, '');
	assert.match(other.stderr, /jwt\.secret: is there already, with another secret/);
	assert.strictEqual(fs.readFileSync(file, 'utf8'), SECRET + '\n');
	assert.match(write('no-jwt.json').stderr, /not written, the input has no secret/);
});

test('--write-secret beside the configuration is named so', (t) => {
	const dir = folder(t);
	const { stdout } = convert(['--write-secret', 'my.secret', path.join(DATA, 'service.json')], { cwd: dir });

	assert.match(stdout, /^jwt: \{ secret_file: my\.secret, allow_short_secret: true \}$/m);
	assert.ok(fs.existsSync(path.join(dir, 'my.secret')));
});

test('--origin names pages, and then nothing is said of CORS', () => {
	const { stdout, stderr } = convert(['--origin', 'https://app.example.org', 'master-list.json']);

	assert.match(stdout, /^listen:\n {2}- \{ address: "0\.0\.0\.0:8080", origins: \["https:\/\/app\.example\.org"\] \}$/m);
	assert.doesNotMatch(stderr, /cors/);
});

test('https:// hosts become wss://, and half a certificate is none', () => {
	const { stdout, stderr } = convertText({ jwt: { secret: 'x'.repeat(32) }, ssl: { keyFilePath: 'a.key' },
		u_services: { destinations: { far: { application: 'a', host: 'https://far.example.org:8443' } } } });

	assert.match(stdout, /far: \{ application: a, urls: \["wss:\/\/far\.example\.org:8443"\] \}/);
	assert.match(stderr, /certificate of wss:\/\/far\.example\.org:8443 is verified/);
	assert.match(stderr, /ssl: needs keyFilePath and certFilePath/);
	assert.doesNotMatch(stdout, /tls/);
});

test('--directory: where QEWD was started', () => {
	const { stdout } = convert(['-d', '/srv/app', 'master-object.json']);

	assert.match(stdout, /directory: \/srv\/app$/m);
	assert.match(stdout, /root: \/srv\/app\/www/, 'its files, too');
	assert.match(stdout, /webServerRootPath: www$/m, 'which its workers see from there');
});

test('texts and names of any kind stay what they are', async (t) => {
	const odd = ['true', 'null', '1', '-', '# a', 'a: b', '"', '\\', 'a\nb', '\u2028', '\u0085', '\u00e9\u{1f600}', ' ', '${HOME}', '$${HOME}', '~', '*'];
	// usherd takes no control characters in names.
	const names = Object.fromEntries(odd.map((text) => [text.replace(/[\n\u0085]/g, 'c'), text]));
	const { stdout, code, stderr } = convertText({ jwt: { secret: 'x'.repeat(32) }, moduleMap: { a: 'a' },
		onWorkerStartedPath: './x.js', database: { params: names, n: [0.1, -5, 12345678901234567890, true, null, '', {}, []] } });
	assert.strictEqual(code, 0, stderr);

	// A worker that shows what settings it got.
	const dir = folder(t, { 'jwt.secret': 'x'.repeat(32), 'worker.py': `
import json, socket, sys
channel = socket.socket(fileno=3).makefile("rw")
hello = json.loads(channel.readline())
print("settings " + json.dumps(hello["qewd"]["settings"]), flush=True)
channel.write('{"op":"ready"}\\n')
channel.flush()
channel.readline()
` });
	const yaml = stdout.replace('0.0.0.0:8080', '127.0.0.1:0')
	    .replace('qewd: true', 'qewd: true\n    command: [python3, worker.py]')
	    .replace('pool: { size: 1 }', 'pool: { size: 1, prefork: true }');
	const usherd = await startUsherd(t, yaml, { files: {
		'jwt.secret': 'x'.repeat(32), 'worker.py': fs.readFileSync(path.join(dir, 'worker.py')) } });
	const [, text] = await usherd.logged(/settings (\{.*\})\n/);

	assert.deepStrictEqual(JSON.parse(text).database,
	    { params: names, n: [0.1, -5, 12345678901234567890, true, null, '', {}, []] });
});

// Input that is no use: [arguments, stdin, exit status, what is said]
const BAD = {
	'no file': [[], '', 2, /usage: qewd2usher/],
	'an unknown option': [['--nonsense', 'service.json'], '', 2, /--nonsense/],
	'both from stdin': [['-', '-'], '{}', 2, /stdin/],
	'a file that is not there': [['nowhere.json'], '', 1, /nowhere\.json: No such file/],
	'a folder': [['.'], '', 1, /\.: Is a directory/],
	'broken JSON': [['-'], '{\n  "jwt": {,}\n}', 1, /stdin:2:11: not JSON: /],
	'an empty file': [['-'], '', 1, /stdin:1:1: not JSON/],
	'a startup file in JavaScript': [['-'], "var config = { port: 8080 };\n", 1, /stdin:1:1: .*JavaScript: print its configuration as JSON/],
	'text that is not UTF-8': [['-'], Buffer.from('{\n"port": "\xff"}', 'latin1'), 1, /stdin:2: not UTF-8/],
	'a number that is none': [['-'], '{"port": NaN}', 1, /NaN is no JSON/],
	'a number without an end': [['-'], '{"port": 1e999}', 1, /1e999 is no JSON/],
	'100,000 brackets': [['-'], '['.repeat(100000), 1, /too deep|not JSON/],
	'half of a character': [['-'], '{"moduleMap": {"a": "\\ud800"}}', 1, /half of a character/],
	'a list of routes alone': [['-'], '[]', 1, /a list of routes goes second/],
	'a text': [['-'], '"text"', 1, /must be an object, not a text/],
	'another JSON file': [['-'], '{"name": "app", "version": "1.0.0"}', 1, /neither a QEWD startup configuration .* nor QEWD-Up's/],
	'u_services that is a text': [['-'], '{"u_services": "x"}', 1, /u_services: must be an object, not a text/],
	'routes that are no list': [['-'], '{"u_services": {"routes": {}}}', 1, /u_services\.routes: must be a list, not an object/],
	'a route that is a number': [['-'], '{"u_services": [1]}', 1, /u_services\[0\]: must be an object, not a number/],
	'a type that is a text': [['-'], '{"u_services": [{"application": "a", "types": {"a b": "svc"}}]}', 1, /u_services\[0\]\.types\["a b"\]: must be an object/],
	'a secret that is a number': [['-'], '{"jwt": {"secret": 5}}', 1, /jwt\.secret: must be a text, not a number/],
	'a port that is a word': [['-'], '{"jwt": {}, "port": "http"}', 1, /port: must be a number, not a text/],
	'a module that is a list': [['-'], '{"moduleMap": {"a": []}}', 1, /moduleMap\.a: must be a text, not a list/],
	'a service without a name': [['-'], '{"qewd_up": true, "microservices": [{}]}', 1, /microservices\[0\]: needs a name/],
	'a service that is not there': [['--for', 'x', ...UP], '', 1, /no micro-service "x"; there are: orchestrator, login_service, info_service/],
	'a service that is a group': [['--for', 'all', ...UP], '', 1, /no micro-service "all"/],
	'--for of a startup file': [['--for', 'x', 'service.json'], '', 1, /--for is for QEWD-Up/],
	'routes.json that is no list': [[UP[0], 'service.json'], '', 1, /service\.json: must be a list of routes, not an object/],
	'a route without a uri': [[UP[0], '-'], '[{"on_microservice": "login_service"}]', 1, /stdin: \[0\]: needs a uri/]
};

test('what cannot be converted', async (t) => {
	for (const [what, [args, input, code, words]] of Object.entries(BAD)) {
		await t.test(what, () => {
			const result = convert(args, { input });

			assert.match(result.stderr, words);
			assert.doesNotMatch(result.stderr, /Traceback/);
			assert.strictEqual(result.stdout, '');
			assert.strictEqual(result.code, code);
		});
	}
});

// Puts a value of each kind in the place of each value of the inputs, one after another.
const MUTATE = `
import copy, importlib.util, json, os, sys, tempfile
from importlib.machinery import SourceFileLoader
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_loader("q", SourceFileLoader("q", sys.argv[1]))
q = importlib.util.module_from_spec(spec)
spec.loader.exec_module(q)
KINDS = [None, True, -1, 2.5, "x", [1], ["x"], {"x": 1}]

def places(value, way=()):
    yield way
    for key, inner in (value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()):
        yield from places(inner, way + (key,))

def put(value, way, new):
    if not way:
        return new
    value = copy.deepcopy(value)
    inner = value
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = new
    return value

converted = refused = 0
with tempfile.TemporaryDirectory() as folder:
    names = [os.path.join(folder, "a.json"), os.path.join(folder, "b.json")]
    for arguments in json.loads(sys.argv[2]):
        inputs = [json.load(open(a)) for a in arguments if a.endswith(".json")]
        flags = [a for a in arguments if not a.endswith(".json")]
        for which, original in enumerate(inputs):
            for way in places(original):
                for kind in KINDS:
                    for i, value in enumerate(inputs):
                        with open(names[i], "w") as file:
                            json.dump(put(value, way, kind) if i == which else value, file)
                    try:
                        text, secret = q.convert(q.parse_arguments(flags + names[:len(inputs)]), q.Notes())
                        assert secret is None or secret == "x" or secret not in text, (way, kind)
                        converted += 1
                    except q.Unusable:
                        refused += 1
print(json.dumps([converted, refused]))
`;

test('whatever stands where, it is converted or refused in words', () => {
	const { status, stdout, stderr } = spawnSync('python3', ['-c', MUTATE, CONVERTER,
		JSON.stringify([CASES['master-object'], UP, CASES['up-login_service']])], { cwd: DATA, encoding: 'utf8' });
	assert.strictEqual(status, 0, stderr);
	const [converted, refused] = JSON.parse(stdout);

	assert.ok(converted > 500 && refused > 500, stdout);
});

test('what is given twice is told', () => {
	const { stderr, stdout, code } = convertText('{"port": 1, "port": 2, "jwt": {"secret": "x"}}');

	assert.match(stderr, /"port" is given twice in one object; the last one counts/);
	assert.match(stdout, /0\.0\.0\.0:2"/);
	assert.strictEqual(code, 0);
});

test('a stdout that is full is no success', () => {
	const full = fs.openSync('/dev/full', 'w');
	const { status, stderr } = spawnSync(CONVERTER, ['service.json'], { cwd: DATA, stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });

	fs.closeSync(full);
	assert.match(stderr, /stdout: No space left on device/);
	assert.strictEqual(status, 1);
});

test('--help and --version', async () => {
	const help = convert(['--help']), version = convert(['--version']);
	const daemon = await run(PROGRAM, ['--version'], {});

	for (const option of ['--for', '--directory', '--origin', '--write-secret', '--version'])
		assert.ok(help.stdout.includes(option), option);
	assert.deepStrictEqual([help.code, version.code], [0, 0]);
	assert.strictEqual(version.stdout.split(' ')[0], 'qewd2usher');
	assert.ok(daemon.stdout.includes(version.stdout.trim().split(' ')[1]), 'the same version as ' + daemon.stdout);
});

// The converted text, on a port of the system and with the worker of this source tree.
const runnable = (yaml) => yaml.replace(/0\.0\.0\.0:\d+/, '127.0.0.1:0').replace(/^( *)qewd: true$/gm,
    (line, pad) => line + '\n' + pad + 'command: ' + JSON.stringify([process.execPath, path.join(KITS, 'node', 'usher-qewd-worker.js')]));

test('a login through a converted master and a converted service', async (t) => {
	const options = { files: { 'jwt.secret': SECRET + '\n' } };
	const service = await startUsherd(t, runnable(convert(['-d', __dirname, 'service.json']).stdout), options);
	const master = await startUsherd(t, runnable(convertText({
		serverName: 'front', port: 8080, jwt: { secret: SECRET },
		u_services: {
			destinations: { auth: { application: 'remote-app', host: service.url } },
			routes: [{ application: 'browser-app', types: Object.fromEntries(
			    ['login', 'whoami', 'steps'].map((type) => [type, { destination: 'auth' }])) }]
		}
	}).stdout), options);
	await master.linked();
	const browser = await rawBrowser(t, master.port);

	assert.deepStrictEqual((await browser.request({ type: 'login', params: {} })).message, { error: 'Invalid login attempt' });
	const { message: { token, ok } } = await browser.request({ type: 'login', params: { username: 'rob', password: 'secret' } });
	assert.strictEqual(ok, true);
	assert.ok(isSigned(token, SECRET));
	assert.strictEqual(claims(token).userText, 'Welcome Rob');
	assert.strictEqual(decryptSecrets(token, SECRET).username, 'rob');
	browser.token = token;
	const { authenticated, application } = (await browser.request({ type: 'whoami' })).message;
	assert.deepStrictEqual({ authenticated, application }, { authenticated: true, application: 'remote-app' });

	const intermediates = [];
	const { message: { done } } = await browser.request({ type: 'steps', params: { tag: 's', gap: 5 } }, intermediates);
	assert.deepStrictEqual([intermediates.map((r) => r.message.step), done], [[1, 2, 3], true]);
	assertError(await browser.request({ type: 'echo' }), { type: 'echo', code: 'no_handler',
		error: 'Handler not defined for browser-app messages of type echo' });
});

test('services and fragments of a converted startup file, as in QEWD', async (t) => {
	const kits = path.join(__dirname, '..', 'kits', 'qewd');
	const www = folder(t);
	for (const name of ['browser-app', 'shared']) {
		fs.mkdirSync(path.join(www, name));
		fs.writeFileSync(path.join(www, name, 'a.html'), `<b>${name}</b>`);
	}
	const { stdout } = convertText({
		serverName: 'front', port: 8080, jwt: { secret: SECRET }, webServerRootPath: www,
		onWorkerStartedPath: path.join(kits, 'store.js'),
		moduleMap: { 'browser-app': path.join(kits, 'application.js'), shared: path.join(kits, 'service.js') }
	}, ['-d', __dirname]);
	const listed = runnable(stdout).replace(/^( *)qewd: true$/m, (line, pad) => `${line}\n${pad}services: [shared]`);
	assert.notStrictEqual(listed, runnable(stdout));

	for (const [what, yaml] of [['the worker decides', runnable(stdout)], ['the daemon decides', listed]]) {
		await t.test(what, async (t) => {
			const node = await startUsherd(t, yaml, { files: { 'jwt.secret': SECRET + '\n' } });
			const browser = await rawBrowser(t, node.port);
			const ask = async (message) => (await browser.request(message)).message;
			const fragment = (file, more) => ask({ type: 'ewd-fragment', params: { file }, ...more });

			assert.strictEqual((await ask({ type: 'hello', service: 'shared' })).hello,
			    what === 'the worker decides' ? 'browser-app' : 'shared');
			assert.match((await ask({ type: 'hello', service: 'other' })).error,
			    /^other service is not permitted for the browser-app application$/);
			assert.strictEqual((await fragment('a.html')).content, '<b>browser-app</b>');
			for (const file of ['../shared/a.html', 'x/../../shared/a.html', '/etc/passwd', '..', '..\\shared\\a.html', 'a.html\0'])
				assert.strictEqual((await fragment(file)).error, `Fragment file ${file.split('\0')[0]} does not exist`);
			if (what === 'the daemon decides')
				assert.strictEqual((await fragment('a.html', { service: 'shared' })).content, '<b>shared</b>');
		});
	}
});

test('a converted micro-service of QEWD-Up', async (t) => {
	const project = path.join(DATA, 'running');
	const up = ['running/configuration/config.json', 'running/configuration/routes.json'];
	const { stdout } = convert(['--for', 'login_service', '-d', project, ...up]);
	const service = await startUsherd(t, runnable(stdout), { files: { 'jwt.secret': SECRET } });

	await t.test('serves what the orchestrator hands it', async (t) => {
		const node = await rawBrowser(t, service.port, 'login_service');
		const login = (password) => node.request({ type: 'restRequest', path: '/api/login', pathTemplate: '/api/login',
			method: 'POST', headers: {}, params: { type: 'login' }, query: {}, args: {}, body: { username: 'rob', password } });

		assert.deepStrictEqual((await login('wrong')).message, { error: 'Invalid login attempt', status: { code: 403 } });
		const { ok, token } = (await login('secret')).message;
		assert.strictEqual(ok, true);
		assert.strictEqual(decryptSecrets(token, SECRET).authenticated, true);
	});

	await t.test('behind a converted orchestrator, over HTTP', async (t) => {
		const { stdout } = convert(['-d', project, ...up]);
		const master = await startUsherd(t, runnable(stdout).replace('ws://127.0.0.1:8081', service.url.replace('http', 'ws')),
		    { files: { 'jwt.secret': SECRET } });
		await master.linked();
		const login = async (password) => {
			const answer = await fetch(master.url + '/api/login', { method: 'POST',
				headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ username: 'rob', password }) });
			return [answer.status, await answer.json()];
		};

		assert.deepStrictEqual(await login('wrong'), [403, { error: 'Invalid login attempt' }]);
		const [status, { ok, token }] = await login('secret');
		assert.deepStrictEqual([status, ok], [200, true]);
		assert.strictEqual(decryptSecrets(token, SECRET).authenticated, true);
	});

	await t.test('and the interactive applications in its folder', async (t) => {
		const page = await rawBrowser(t, service.port, 'chat');
		const intermediates = [];
		const { message } = await page.request({ type: 'hello', params: { name: 'Rob' } }, intermediates);

		assert.strictEqual(message.greeting, 'Hello Rob');
		assert.deepStrictEqual(intermediates.map((r) => r.message), [{ greeting: 'soon' }]);
	});
});
