// SPDX-License-Identifier: ISC
// Guides are true: what doc/ tells to write and to run is written and run, in a folder of its own.
'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const test = require('node:test');
const { atEnd } = require('./lib/cleanup');
const { readGuide, toScript } = require('./lib/guide');
const { ADMIN, ctl } = require('./lib/operator');
const { Child, childrenOf } = require('./lib/processes');
const { folder, startUsherd, JWT, LISTEN, PROGRAM } = require('./lib/usherd');

const TOP = path.join(__dirname, '..', '..');
const DOC = path.join(TOP, 'doc');
const KIT = path.join(TOP, 'contrib', 'handlers', 'c');
const GUIDE_MS = 600000;	// it compiles, and starts interpreters
const GUIDES = ['../README.md', 'newcomer.md', 'handlers.md', 'operators.md'];
const HERE = ['file', 'shows', 'background', 'run'];

// As installed: programs in PATH, the C kit for pkg-config.
function install(dir) {
	const bin = path.join(dir, 'bin');
	const lib = path.join(dir, 'lib');

	fs.mkdirSync(bin);
	fs.mkdirSync(lib);
	for (const file of [PROGRAM, path.join(path.dirname(PROGRAM), 'usherctl'), path.join(TOP, 'contrib', 'usher-handler-test')])
		fs.symlinkSync(file, path.join(bin, path.basename(file)));
	execFileSync('cc', ['-c', '-D_GNU_SOURCE', path.join(KIT, 'usher_handler.c'), path.join(KIT, 'usher_json.c')], { cwd: lib });
	execFileSync('ar', ['cr', 'libusher_handler.a', 'usher_handler.o', 'usher_json.o'], { cwd: lib });
	fs.writeFileSync(path.join(lib, 'usher-handler.pc'),
	    `Name: usher-handler\nDescription: the kit\nVersion: 0\nCflags: -I${KIT}\nLibs: -L${lib} -lusher_handler\n`);
	return { ...process.env, PATH: bin + ':' + process.env.PATH, PKG_CONFIG_PATH: lib };
}

async function freePorts(ports) {
	const free = {};

	for (const port of ports)
		free[port] = await new Promise((resolve) => {
			const server = net.createServer().listen(0, '127.0.0.1', () => {
				const { port: found } = server.address();

				server.close(() => resolve(found));
			});
		});
	return free;
}

// Where this machine has what an installed usher has elsewhere.
const translate = (text, ports) => text
    .replace(/(\/usr(\/local)?\/share\/usher\/|(?<=cp ))contrib\/handlers/g, path.join(TOP, 'contrib', 'handlers'))
    .replace(/\bsrc\/usher(d|ctl)|contrib\/(?=usher-handler-test)/g, (all, which) => which ? 'usher' + which : '')
    .replace(/(127\.0\.0\.1:|--port )(\d+)\b/g, (all, before, port) => before + ports[port]);

// bash and what it started, the innermost first.
function kill(pid) {
	childrenOf(pid).forEach(kill);
	try {
		process.kill(pid, 'SIGTERM');
	} catch {
		// it has ended with its child
	}
}

for (const guide of GUIDES) {
	test(guide, async (t) => {
		const steps = readGuide(path.join(DOC, guide));
		const text = fs.readFileSync(path.join(DOC, guide), 'utf8');
		const ports = await freePorts(new Set([...text.matchAll(/(?:127\.0\.0\.1:|--port )(\d+)\b/g)].map((m) => m[1])));
		const dir = folder(t);
		const env = install(dir);
		const cwd = path.join(dir, 'work');
		const script = path.join(dir, 'guide.sh');

		fs.mkdirSync(cwd);
		assert.ok(steps.length > 5, 'there are steps');
		for (const { kind, text: lines } of steps)
			assert.ok(kind !== 'background' || / &\n$/.test(lines), 'it leaves the terminal: ' + lines);
		fs.writeFileSync(script, translate(toScript(steps.filter(({ kind }) => HERE.includes(kind))), ports));
		const child = new Child('bash', [script], { cwd, env });

		atEnd(t, async () => {
			kill(child.pid);
			await child.end();
		});
		const { code } = await child.end(GUIDE_MS);

		assert.strictEqual(code, 0, child.stdout + child.log);
	});
}

// Commands of a shell without comments, blanks of more than one, what is printed, and options that
// only say less or ask less.
const commandsOf = (text) => text.replace(/\\\n/g, ' ').replace(/(^|\s)#.*$/gm, '').replace(/^\s*echo .*$/gm, '')
    .replace(/ (-[qsy]|-j\S*|--no-install-recommends)(?=\s)/g, '').replace(/[ \t]+/g, ' ');
const packagesIn = (text) => new Set([...text.matchAll(/apt-get install (.*)|^packages="([^"]*)"/gm)].flatMap(([, a, b]) => (a || b).split(/\s+/)));

// What such a program runs of guides, and all else in it.
function programOf(program) {
	const own = commandsOf(fs.readFileSync(path.join(TOP, program), 'utf8'));
	const guides = [...own.matchAll(/guide\.js doc\/(\S+)( systemd)?/g)].map(([, guide, only]) => ({ guide, only: only !== undefined }));
	const whole = guides.filter(({ only }) => !only).flatMap(({ guide }) => readGuide(path.join(DOC, guide)));

	return { guides, code: own + commandsOf(whole.map(({ text }) => text).join('')) };
}

// make TARGET is what the Makefile runs for it.
function isTargetOf(program, target) {
	const makefile = fs.readFileSync(path.join(TOP, 'Makefile.am'), 'utf8') + fs.readFileSync(path.join(TOP, 'tests', 'Makefile.am'), 'utf8');

	return [...makefile.matchAll(new RegExp(`^${target}:.*\n((?:\t.*\n)+)`, 'gm'))].some(([, recipe]) =>
		recipe.includes(program.replace(/^tests\//, '/')));
}

function isRun(command, program, code) {
	const [, target] = command.match(/^make (\w+)$/) || [];
	const [, packages] = command.match(/^apt-get install (.*)$/) || [];
	const there = (text) => new RegExp(`(^|[\\s(])${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?=$|[\\s;|&)])`, 'm').test(code);

	if (packages !== undefined) {
		const known = packagesIn(code + commandsOf(fs.readFileSync(path.join(TOP, 'contrib', 'test'), 'utf8')));
		return packages.split(' ').every((name) => known.has(name));
	}
	return there(command) || target !== undefined && isTargetOf(program, target);
}

test('what a guide leaves to other tests is run there', () => {
	for (const guide of [...GUIDES, 'performance.md'])
		for (const { kind, value, text } of readGuide(path.join(DOC, guide))) {
			const program = { elsewhere: value, hand: value, systemd: 'tests/package_test' }[kind];

			if (!program)
				continue;
			const { guides, code } = programOf(program);
			if (kind === 'systemd' || guides.some((one) => one.guide === guide && !one.only)) {
				assert.ok(guides.some((one) => one.guide === guide && one.only === (kind === 'systemd')), guide);
				continue;	// as it stands
			}
			for (const command of commandsOf(text).trim().split('\n').map((line) => line.trim()))
				assert.ok(isRun(command, program, code), `${guide}: ${program} does not run: ${command}`);
		}
});

// What stands within a line, between back quotes.  The node is one that serves nothing; so what
// names something may be answered that it is not there, but not that it was asked wrongly.
test('commands of usherctl within the text of guides are such', async (t) => {
	const node = await startUsherd(t, `${LISTEN}\n${JWT}\n${ADMIN}`);
	const seen = new Set();

	for (const guide of [...GUIDES, 'tls.md', 'performance.md', 'coming-from-qewd.md'])
		for (const [, text] of fs.readFileSync(path.join(DOC, guide), 'utf8').matchAll(/`usherctl ([^`\n]+)`/g))
			seen.add(text);
	assert.ok(seen.size > 5, [...seen].join());
	for (const text of [...seen].filter((one) => !/^(upgrade|drain|reload)$/.test(one))) {
		const { code, stderr } = await ctl(node, text.replace(/\bID$/, '4bf92f3577b34da6').split(' '));

		assert.ok(code === 0 || code === 1 && /there is no|no such request/.test(stderr), `usherctl ${text}: ${code} ${stderr}`);
	}
});

test('figures of the guide for operators are those of the page that has measured them', () => {
	const table = fs.readFileSync(path.join(DOC, 'operators.md'), 'utf8').match(/## How large\n[^]*?\|---:\|\n((?:\|.*\n)+)/)[1];
	const measured = fs.readFileSync(path.join(DOC, 'performance.md'), 'utf8');
	const figures = [...table.matchAll(/\| ([\d.,]+) [^|]*\|$/gm)].map((m) => m[1]);

	assert.strictEqual(figures.length, table.trim().split('\n').length, table);
	for (const figure of figures)
		assert.ok(measured.includes(`| ${figure} |`), figure);
});

test('links between pages lead somewhere', () => {
	for (const file of [path.join(TOP, 'README.md'), ...fs.readdirSync(DOC).map((name) => path.join(DOC, name))])
		for (const [, target] of fs.readFileSync(file, 'utf8').matchAll(/\]\(([\w./-]+)\)/g))
			assert.ok(fs.existsSync(path.resolve(path.dirname(file), target)), `${path.basename(file)}: ${target}`);
});
