// SPDX-License-Identifier: ISC
// The client of contrib/client as a package: import, require(), a plain script, declarations.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { scriptedNode } = require('./client/page');
const { run } = require('./lib/processes');
const { folder } = require('./lib/usherd');

const CLIENT = path.join(__dirname, '..', '..', 'contrib', 'client');

// A project that has installed the package, with socket.io-client of a generation beside it.
function project(t, generation, files) {
	const dir = folder(t, Object.fromEntries(files.map((name) =>
	    [name, fs.readFileSync(path.join(__dirname, 'client', name), 'utf8')])));
	const modules = path.join(dir, 'node_modules');
	const peer = require.resolve(generation === 2 ? 'socket.io-client/package.json' : 'socket.io-client-4/package.json');

	fs.cpSync(CLIENT, path.join(modules, '@usher', 'client'), { recursive: true });
	fs.symlinkSync(path.dirname(peer), path.join(modules, 'socket.io-client'));
	return dir;
}

test('the package', async (t) => {
	const { node } = await scriptedNode(t);

	for (const generation of [2, 4]) {
		for (const [file, tag] of [['require.cjs', 'required'], ['import.mjs', 'imported'], ['script.cjs', 'script']]) {
			await t.test(file + ' beside socket.io-client ' + generation, async (t) => {
				const cwd = project(t, generation, [file]);
				const { stdout, stderr } = await run(process.execPath, [file, node.url], { cwd });

				assert.strictEqual(stdout.trim(), JSON.stringify([tag, true]), stderr);
			});
		}
	}

	await t.test('has the files that package.json names, and the parts that it names are in it', async () => {
		const { exports, files, main, module, types } = JSON.parse(fs.readFileSync(path.join(CLIENT, 'package.json')));
		const { import: esm, require: cjs } = exports['.'];

		for (const name of [main, module, types, ...Object.values(esm), ...Object.values(cjs), exports['./script']])
			assert.ok(files.includes(name.slice('./'.length)), name);
		for (const name of files)
			assert.ok(fs.existsSync(path.join(CLIENT, name)), name);
	});
});

test('the declarations', async (t) => {
	const typecheck = async (dir, files, compilerOptions) => {
		fs.writeFileSync(path.join(dir, 'tsconfig.json'), JSON.stringify({ files, compilerOptions: {
			noEmit: true, strict: true, target: 'es2022', lib: ['es2022', 'dom'], types: [], ...compilerOptions
		} }));
		const { code, stdout } = await run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', dir]);
		assert.strictEqual(code, 0, stdout);
	};

	await t.test('for import and for require', async (t) => {
		const dir = project(t, 4, ['usage.ts']);
		for (const name of ['usage.mts', 'usage.cts'])
			fs.copyFileSync(path.join(dir, 'usage.ts'), path.join(dir, name));

		await typecheck(dir, ['usage.mts', 'usage.cts'], { module: 'node16' });
	});

	await t.test('for bundlers, and for projects of old', async (t) => {
		const dir = project(t, 4, ['usage.ts']);

		await typecheck(dir, ['usage.ts'], { module: 'esnext', moduleResolution: 'bundler' });
		await typecheck(dir, ['usage.ts'], { module: 'commonjs', moduleResolution: 'node10' });
	});
});
