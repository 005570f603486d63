// SPDX-License-Identifier: ISC
// Every text with which a running node refuses an operator, and with which usherctl says that there is
// no answer, is made by one of these, with the exit status that usherctl(8) says; so none can be added
// that nobody has ever read.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { scripted } = require('./lib/configs');
const { faultTexts } = require('./lib/fault-texts');
const { ADMIN, NOWHERE, USHERCTL, control, ctl, held, result } = require('./lib/operator');
const { run } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { folder, startUsherd, JWT, LISTEN } = require('./lib/usherd');

const SRC = path.join(__dirname, '..', '..', 'src');
const REFUSED = 1;
const NO_DAEMON = 3;
const REVOKED_MAX = 65536;

// What usherctl lets through, and the node refuses.
const COMMANDS = [
	['kick'], ['kick', '--user=rob'], ['kick', 'nobody-is-there'], ['revoke', 'user', 'rob'], ['revoke', 'jti'],
	['revoke', 'jti', ''], ['revoke', 'before', 'noon'], ['revoke', 'jti', 'one-too-many'], ['errors', '--by=size'],
	['explain', 'abc'], ['explain', '0123456789abcdef'], ['trace', '--payloads'], ['disable', 'app', NOWHERE],
	['pause', 'nobody'], ['pause', 'all'], ['disable', 'far', 'ws://127.0.0.1:2'], ['roll', 'nobody'],
	['loglevel', 'loud'], ['loglevel', 'debug', 'nowhere'], ['call', 'app', ''], ['call', 'app', 'job', '[]'],
	['call', 'app', 'job', '{"type":"x"}'],
];

// What it would not send.
const LINES = [
	'nonsense', '[]', '{"command":"status","more":1}', '{"command":"nothing"}', '{"command":"status","args":1}',
	'{"command":"status","args":[1]}', `{"command":"status","args":[${'"x",'.repeat(99)}"x"]}`, '{"command":"status","args":["x"]}',
	'{"command":"pause"}', '{"command":"status","options":1}', '{"command":"status","options":{"nope":""}}',
	'{"command":"kick","options":{"user":1}}', '{"command":"status","options":{"user":"x"}}', '{"command":"sessions","limit":0}',
];

// In other tests: [the text, the file, words of it there].
const ELSEWHERE = [
	[/^it is revoked, but only until usherd ends/, 'revoke.test.js', 'but only until usherd ends'],
	[/^%d settings are in force already/, '../unit/check_override.c', 'OVERRIDES_MAX'],
	[/^cannot connect to %s: it is for root/, 'admin.test.js', 'it is for root'],
];

// Texts that nothing makes here, and why.
const NEVER = [
	[/^usherd --dev has no configuration/, 'it has no admin socket either'],
	[/^cannot make a socket/, 'no descriptor is left to a program that has opened none'],
	[/^the answer is too long/, 'more than 256 MB'],
];

// Those that are left, of the texts of a file that stand behind what fits.
function missing(file, kind, output) {
	const others = [...ELSEWHERE.filter(([, name, words]) => fs.readFileSync(path.join(__dirname, name), 'utf8').includes(words)), ...NEVER];

	return faultTexts(path.join(SRC, file)).filter(({ before }) => kind.test(before))
	    .map((one) => ({ ...one, isMissing: !one.pattern.test(output) && !others.some(([text]) => text.test(one.text)) }));
}

function assertAll(files, kind, output, count) {
	const texts = files.flatMap((file) => missing(file, kind, output).map((one) => ({ ...one, file })));

	assert.deepStrictEqual(texts.filter((one) => one.isMissing).map(({ file, line, text }) => `${file}:${line}: ${text}`), []);
	assert.ok(texts.length >= count, String(texts.length));
}

test('every text with which a node refuses a command is made by one that is tried', async (t) => {
	const now = Math.floor(Date.now() / 1000);
	const dir = folder(t, { revoked: Array.from({ length: REVOKED_MAX }, (_, i) =>
		JSON.stringify({ kind: 'jti', name: 'j' + i, since: now, until: now + 86400, who: 'root' })).join('\n') + '\n' });
	// A second worker of "slow" never gets ready.
	const slow = JSON.stringify(['sh', '-c', 'mkdir "$0" 2>/dev/null && exec "$@"; exec sleep 600', path.join(dir, 'first'), ...JSON.parse(scripted)]);
	const yaml = `${LISTEN}\n${JWT.replace('{', `{ revoked_file: "${path.join(dir, 'revoked')}", revoked_keep: 1h,`)}\n${ADMIN}
destinations:
  far: { application: far, urls: ["${NOWHERE}"] }
  all: { destinations: [far] }
applications:
  app: { command: ${scripted}, pool: { size: 1 } }
`;
	fs.chmodSync(path.join(dir, 'revoked'), 0o600);
	const node = await startUsherd(t, `${yaml}  slow: { command: ${slow}, pool: { size: 1, prefork: true, stop_grace: 1s } }\n`);
	const file = path.join(node.dir, 'usher.yaml');
	const whole = fs.readFileSync(file, 'utf8');
	const told = [];
	const refused = async (...args) => {
		const { code, stdout, stderr } = await ctl(node, args);

		assert.deepStrictEqual([code, stdout], [REFUSED, ''], `${args.join(' ')}: ${stderr}`);
		assert.match(stderr, /^usherctl: refused: .+\n$/);
		told.push(stderr);
	};

	for (const args of COMMANDS)
		await refused(...args);
	for (const line of LINES) {
		const { ok, error } = await control(t, node).ask(line);
		assert.strictEqual(ok, false, line);
		told.push(error + '\n');
	}

	fs.appendFileSync(file, 'nonsense: 1\n');
	await refused('reload');
	await refused('upgrade');
	const roll = ctl(node, ['roll', 'slow']);
	await node.logged(/slow#2|roll/);
	fs.writeFileSync(file, whole.replace(/^ {2}slow: .*\n/m, ''));
	await result(node, 'reload');
	const rolled = await roll;
	assert.strictEqual(rolled.code, REFUSED, rolled.stderr);
	told.push(rolled.stderr);

	const work = held(t);
	const browser = await rawBrowser(t, node.port, 'app');
	browser.emit({ type: 'job', token: browser.token, params: { script: work.script } });
	await node.logged(/at work/);
	await refused('explain', (await result(node, 'requests')).requests[0].request);
	await result(node, 'drain');
	await refused('drain');
	await refused('reload');
	work.release();
	await node.end();	// a signal would be its second

	const files = fs.readdirSync(path.join(SRC, 'admin')).filter((name) => name.endsWith('.c')).map((name) => 'admin/' + name);
	assertAll([...files, 'node_admin.c'], /admin_refuse\(/, told.join(''), 25);
	// These two make texts of functions that say what is wrong.
	assertAll(['admin/admin_commands.c', 'admin/admin_sessions.c'], /\b(return|fault =)\s/, told.join(''), 12);
});

test('every text of usherctl about an answer that does not come is made by a socket that is tried', async (t) => {
	const dir = folder(t, { file: '' });
	const told = [];
	const serve = (name, answer) => new Promise((resolve) => {
		const server = net.createServer((socket) => socket.on('error', () => {}).on('data', () => answer(socket)));

		atEnd(t, () => server.close());
		server.listen(path.join(dir, name), resolve);
	});
	await serve('closes', (socket) => socket.destroy());
	await serve('other', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
	await serve('refuses', (socket) => socket.end('{"ok":false,"error":"as it pleases"}\n'));
	await serve('silent', () => {});
	fs.writeFileSync(path.join(dir, 'left'), '');

	for (const [name, status] of [['closes', NO_DAEMON], ['other', NO_DAEMON], ['refuses', REFUSED], ['silent', NO_DAEMON], ['nowhere', NO_DAEMON],
		['left', NO_DAEMON], ['file/socket', NO_DAEMON], ['x'.repeat(200), NO_DAEMON]])
		for (const command of name === 'silent' ? ['status'] : ['status', 'top']) {
			const { code, stdout, stderr } = await run(USHERCTL, ['-s', path.join(dir, name), command]);

			assert.deepStrictEqual([code, stdout], [status, ''], `${name} ${command}: ${stderr}`);
			told.push(stderr);
		}
	assertAll(['ctl/answer.c', 'ctl/ask.c', 'ctl/top.c'], /stderr|xasprintf|xstrdup/, told.join(''), 8);
});
