// SPDX-License-Identifier: ISC
// usherctl as a whole: each command of src/admin/admin_table.def is in the help, the manual and the
// completion, and what programs read has names that stay.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { masterOf, scripted, workerOf } = require('./lib/configs');
const { ADMIN, USHERCTL, control, ctl, held, pair, result, socketOf } = require('./lib/operator');
const { Child, run } = require('./lib/processes');
const { rawBrowser } = require('./lib/raw');
const { SANITIZER, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const TOP = path.join(__dirname, '..', '..');
const TABLE = fs.readFileSync(path.join(TOP, 'src', 'admin', 'admin_table.def'), 'utf8');
const OPTIONS = Object.fromEntries([...TABLE.matchAll(/^ADMIN_OPTION\((\w+),\s*"(\w+)"/gm)].map((m) => [m[1], m[2]]));
const COMMANDS = [...TABLE.matchAll(/^ADMIN_COMMAND\((\w+), "(\w+)", \w+, "([^"]*)", ([^,]*),/gm)].map(([, kind, name, args, options]) =>
	({ kind, name, args, options: [...options.matchAll(/OPT\((\w+)\)/g)].map((m) => OPTIONS[m[1]]) }));
const MANUAL = fs.readFileSync(path.join(TOP, 'man', 'usherctl.8'), 'utf8');
const COMPLETION = path.join(TOP, 'contrib', 'completion', 'usherctl');

test('each command and its options are in the help, in the manual and in the completion', async () => {
	const { stdout: help } = await run(USHERCTL, ['--help']);
	const complete = async (word) => {
		const script = `complete() { :; }; . "$0"; COMP_WORDS=("$USHERCTL" "$1"); COMP_CWORD=1; _usherctl; printf "%s\\n" "\${COMPREPLY[@]}"`;
		const { stdout, stderr } = await run('bash', ['-c', script, COMPLETION, word], { env: { ...process.env, USHERCTL } });
		assert.strictEqual(stderr, '');
		return stdout.split('\n').filter((one) => one !== '').sort();
	};

	assert.ok(COMMANDS.length > 20);
	assert.deepStrictEqual(await complete(''), COMMANDS.map((c) => c.name).sort(), 'these and no others');
	const offered = await complete('--');
	for (const { name, options } of COMMANDS) {
		assert.match(help, new RegExp(`^  ${name}\\b`, 'm'), name);
		assert.match(MANUAL, new RegExp(`^\\.It Cm ${name}( |$)`, 'm'), name);
		for (const option of options) {
			assert.ok(help.includes('--' + option), option);
			assert.match(MANUAL, new RegExp(`^\\.It Cm ${name}\\b.*Fl Fl ${option}\\b`, 'm'), `${name} --${option}`);
			assert.ok(offered.includes('--' + option), option);
		}
	}
});

const sourceOf = (...file) => fs.readFileSync(path.join(TOP, ...file), 'utf8');

test('each counter is in the manual of usherd, each reason for a refusal in that of usherctl', () => {
	const counters = [...sourceOf('src', 'base', 'metrics.def').matchAll(/^METRIC\(\w+,\s*"(\w+)"/gm)].map((m) => m[1]);
	const manual = sourceOf('man', 'usherd.8').split('\n.Ss Counters\n')[1].split('\n.Ss ')[0];
	const listed = [...manual.matchAll(/^\.It (.*)$/gm)].flatMap((m) => m[1].split(' , '));
	const sources = [...fs.readdirSync(path.join(TOP, 'src', 'admin')).map((name) => path.join('admin', name)), 'node_admin.c'];
	const codes = sources.filter((name) => name.endsWith('.c')).flatMap((name) =>
		[...sourceOf('src', name).matchAll(/\b(?:admin_)?refuse\(\w+, "(\w+)"/g)].map((m) => m[1]));

	assert.ok(counters.length > 30 && new Set(codes).size > 8, [counters, codes].join());
	assert.deepStrictEqual(listed.sort(), counters.sort());
	for (const code of codes)
		assert.match(MANUAL, new RegExp(`^\\.Ql ${code}( |$)`, 'm'), code);
});

// The names of a result: "list[].name" for those of what is in a list.
function namesOf(value, at = '', names = new Set()) {
	if (Array.isArray(value))
		value.forEach((one) => namesOf(one, at + '[]', names));
	else if (value !== null && typeof value === 'object')
		for (const [name, one] of Object.entries(value)) {
			names.add(at + (at && '.') + name);
			namesOf(one, at + (at && '.') + name, names);
		}
	return names;
}

// What "LOOK" commands answer: programs go by these names.  More may come.
const NAMES = {
	status: 'node version pid state uptime_ms configuration sessions sessions_away requests loops ' +
		'destinations destinations_up applications workers_ready set set[].destination set[].url ' +
		'set[].state set[].by set[].since_ms set[].since_wall_ms revoked log_level log_set ' +
		'log_set[].log log_set[].set_to log_set[].by log_set[].since_ms counters',
	routes: 'routes routes[].kind routes[].application routes[].method routes[].pattern ' +
		'routes[].destination routes[].timeout_ms routes[].route routes[].requests routes[].errors ' +
		'routes[].sum_ms routes[].buckets routes[].p50_ms routes[].p99_ms routes[].served ' +
		'routes[].why',
	links: 'destinations destinations[].destination destinations[].application destinations[].protocol ' +
		'destinations[].up destinations[].state destinations[].urls destinations[].queue ' +
		'destinations[].queue_bytes destinations[].queue_max links links[].destination links[].url ' +
		'links[].loop links[].number links[].state links[].since_ms links[].health links[].ejected_ms ' +
		'links[].ejections links[].use links[].protocol links[].node links[].in_flight ' +
		'links[].times_up links[].last_error',
	pools: 'pools workers pools[].application pools[].state pools[].failing pools[].size ' +
		'pools[].starting pools[].idle pools[].busy pools[].unready pools[].leaving pools[].in_flight ' +
		'pools[].queue pools[].queue_bytes pools[].queue_max pools[].started pools[].lost ' +
		'pools[].types workers[].application workers[].worker workers[].pid workers[].state ' +
		'workers[].in_flight workers[].finished workers[].memory',
	sessions: 'sessions sessions[].sid sessions[].state sessions[].address sessions[].application ' +
		'sessions[].transport sessions[].eio sessions[].node sessions[].user sessions[].jti ' +
		'sessions[].calls sessions[].bytes_in sessions[].bytes_out sessions[].age_ms left_out',
	requests: 'requests requests[].request requests[].type requests[].application requests[].destination ' +
		'requests[].where requests[].at requests[].age_ms requests[].there_ms requests[].left_ms ' +
		'requests[].from requests[].away requests[].intermediates requests[].hops left_out',
	errors: 'by counts counts[].name counts[].errors errors errors[].at_ms errors[].ago_ms errors[].code ' +
		'errors[].route errors[].type errors[].node errors[].at errors[].request errors[].text ' +
		'left_out',
	explain: 'requests requests[].number requests[].request requests[].type requests[].route requests[].at ' +
		'requests[].ended requests[].took_ms requests[].ago_ms requests[].bytes_in ' +
		'requests[].bytes_out steps steps[].number steps[].at_ms steps[].step steps[].what',
	counters: 'counters counters[].counter counters[].value counters[].help',
	help: 'commands commands[].command commands[].help',
};

// What "ACT" commands answer that this test lets act, in this order.
const ACTED = [
	['pause far', 'text destination url state changed in_flight'], ['resume far', 'text destination url state changed in_flight'],
	['drain far', 'text destination url state changed in_flight'], ['disable far', 'text destination url state changed in_flight'],
	['enable far', 'text destination url state changed in_flight'], ['loglevel default', 'text'],
	['reload', 'text configuration'], ['revoke', 'revoked left_out'], ['revoke jti x', 'kind until closed requests'],
	['kick 127.0.0.1', 'closed'],
];

test('--json: every command prints one object, with the names that it has had', async (t) => {
	const { worker, master } = await pair(t);
	const browser = await rawBrowser(t, master.port, 'browser-app');
	const work = held(t);
	await browser.request({ type: 'job', params: { script: [{ line: '{"op":"fail","id":@ID,"error":"x"}' }] } });
	const { request } = (await result(master, 'errors')).errors[0];
	browser.emit({ type: 'job', token: browser.token, params: { script: work.script } });
	await worker.logged(/at work/);
	await result(master, 'pause', 'far');
	await result(master, 'loglevel', 'debug', 'link');

	for (const { name, args } of COMMANDS.filter((c) => c.kind === 'LOOK')) {
		const names = new Set();
		for (const node of [worker, master])
			namesOf(await result(node, name, ...(args ? [request] : [])), '', names);
		const expected = name === 'top' ? [NAMES.status, NAMES.routes, NAMES.pools].join(' ') : NAMES[name];
		assert.deepStrictEqual(expected.split(' ').filter((one) => !names.has(one)), [], name);
	}
	work.release();
	await browser.nextReply();
	for (const [line, expected] of ACTED)
		assert.deepStrictEqual(Object.keys(await result(master, ...line.split(' '))), expected.split(' '), line);
	assert.deepStrictEqual(Object.keys(await result(worker, 'roll', 'remote-app')), ['text', 'application', 'rolled', 'replaced']);
});

async function reloaded(node) {
	fs.appendFileSync(path.join(node.dir, 'usher.yaml'), '# read again\n');
	await result(node, 'reload');
}

test('what was set of the log stays over a reload, with who did it', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN + 'log: { level: info }\n');
	const browser = await rawBrowser(t, node.port, 'remote-app');
	await result(node, 'loglevel', 'debug', 'request');
	await result(node, 'loglevel', 'warn');
	const before = (await result(node, 'status')).log_set;
	fs.writeFileSync(path.join(node.dir, 'usher.yaml'), fs.readFileSync(path.join(node.dir, 'usher.yaml'), 'utf8').replace('level: info', 'level: error'));
	await result(node, 'reload');

	const { log_level: level, log_set: set } = await result(node, 'status');
	assert.strictEqual(level, 'warn');
	assert.deepStrictEqual(set.map((s) => [s.log, s.set_to, s.by]), before.map((s) => [s.log, s.set_to, s.by]));
	assert.ok(set.every((s, i) => s.since_ms >= before[i].since_ms), 'since when it was set, not since the reload');
	await browser.request({ type: 'afterwards' });
	await node.logged(/type afterwards of remote-app goes to remote-app/);
	await result(node, 'loglevel', 'default');
	const back = await result(node, 'status');
	assert.deepStrictEqual([back.log_level, back.log_set], ['error', undefined], 'that of the new file');
});

test('what was revoked stays so over a reload, with who did it and since when', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	await result(node, 'revoke', 'jti', 'some-session');
	const list = async () => (await result(node, 'revoke')).revoked.map((one) => { delete one.left_ms; return one; });
	const before = await list();
	await reloaded(node);

	assert.strictEqual(before.length, 1);
	assert.match(before[0].who, /^(root|user \d+)$/);
	assert.deepStrictEqual(await list(), before);
	assert.strictEqual((await result(node, 'status')).revoked, 1);
});

// The answer to upgrade, and the process that serves then.
async function upgraded(node) {
	let successor;
	node.stop = async () => {	// both write to the pipes that are waited for
		node.kill('SIGTERM');
		if (successor !== undefined)
			process.kill(successor, 'SIGTERM');
		await node.end();
		assert.doesNotMatch(node.log, SANITIZER);
	};
	const { code, stdout } = await ctl(node, ['upgrade']);
	successor = Number((await node.logged(/upgrade: process (\d+) serves/))[1]);
	assert.strictEqual(code, 0);
	await waitFor('the new one at the admin socket', async () => (await result(node, 'status')).pid === successor);
	return stdout;
}

const SET = /what was set here at run time is not set there/;
const REVOKED = /what was revoked here is not revoked there, since there is no jwt.revoked_file/;
const TRACED = /traces go on here, and show nothing of the new one/;
const jti = ['revoke', 'jti', 'some-session'];

for (const [what, yaml, commands, said] of [
	['nothing, if there is nothing', '', [], []],
	['a pause', '', [['pause', 'remote-app']], [SET]],
	['the level of the log alone', '', [['loglevel', 'debug']], [SET]],
	['an area of the log alone', '', [['loglevel', 'debug', 'request']], [SET]],
	['what has ended is not of it', '', [['loglevel', 'debug'], ['loglevel', 'default']], []],
	['what was revoked, without a file', '', [jti], [REVOKED]],
	['what was revoked, not with a file', 'jwt.revoked', [jti], []],
])
	test('upgrade says what stays behind: ' + what, async (t) => {
		const conf = workerOf(scripted) + ADMIN;
		const node = await startUsherd(t, yaml ? conf.replace(/^jwt: \{/m, `jwt: { revoked_file: ${yaml},`) : conf);
		for (const command of commands)
			await result(node, ...command);
		const stdout = await upgraded(node);

		for (const text of [SET, REVOKED, TRACED])
			assert.strictEqual(text.test(stdout), said.includes(text), stdout);
		const { set, log_set: log, revoked } = await result(node, 'status');
		assert.deepStrictEqual([set, log, revoked > 0], [undefined, undefined, yaml !== '']);
	});

test('upgrade says what stays behind: a trace', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	assert.strictEqual((await control(t, node).ask({ command: 'trace' })).result.event, 'following');

	assert.match(await upgraded(node), TRACED);
});

test('a trace goes on over a reload', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const browser = await rawBrowser(t, node.port, 'remote-app');
	const trace = new Child(USHERCTL, ['-s', socketOf(node), 'trace', '--type=job']);
	const seen = (n) => waitFor(n + ' finals in ' + trace.stdout, async () => {
		await browser.request({ type: 'job' });
		return (trace.stdout.match(/final/g) || []).length >= n;
	});

	await seen(1);
	await reloaded(node);
	const before = (trace.stdout.match(/final/g) || []).length;
	await seen(before + 1);
	trace.kill('SIGINT');
	await trace.end();
});

test('the exit statuses are those of the manual', async (t) => {
	const told = MANUAL.split('.Sh EXIT STATUS')[1].split('.Sh ')[0];
	const node = await startUsherd(t, workerOf(scripted) + masterOf('ws://127.0.0.1:1').replace(/^(node|listen|jwt).*$/gm, '') + ADMIN);
	const call = (...script) => ['call', 'remote-app', 'job', JSON.stringify({ params: { script } })];
	const cases = {
		0: ['status'], 1: ['pause', 'nobody'], 2: ['pause'], 3: null, 4: null,
		5: ['call', 'browser-app', 'job'], 6: call({ kill: 'SIGKILL' }), 7: call({ finish: { error: 'as it pleases' } }),
	};

	assert.deepStrictEqual([...told.matchAll(/^\.It (\d)$/gm)].map((m) => m[1]), Object.keys(cases));
	for (const [status, args] of Object.entries(cases))
		if (args)
			assert.strictEqual((await ctl(node, args)).code, Number(status), args.join(' '));
	// 4: actions.test.js has a roll that fails
	assert.strictEqual((await run(USHERCTL, ['-s', 'nowhere', 'status'])).code, 3);
	const full = await run('sh', ['-c', '"$0" -s "$1" status >/dev/full', USHERCTL, socketOf(node)]);
	assert.strictEqual(full.code, 1);
	assert.match(full.stderr, /usherctl: cannot write: /);
});
