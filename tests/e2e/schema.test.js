// SPDX-License-Identifier: ISC
// The JSON Schema of usherd --schema, as an editor uses it: against the table of options, and
// against the good and bad files that the loader is tested with.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const Ajv = require('ajv');
const YAML = require('yaml');
const { GOOD, REFUSED } = require('./lib/refused-configs');
const { runUsherd, JWT, LISTEN } = require('./lib/usherd');

const CONF = path.join(__dirname, '..', '..', 'conf');

// What the loader alone can see, and why.
const ONLY_LOADER = {
	'a short secret': 'spans two options, and the environment may hold it',
	'a secret file that is not there': 'a file',
	'a variable that is not set': 'the environment',
	'a route to nowhere': 'spans two options',
	'a certificate that is not there': 'a file',
	'a directory that is not there': 'a file',
	'a folder of pages twice': 'two entries',
};

// What an editor says of a text: false if it is no YAML, is no document, or does not fit.
function accepts(validate, text) {
	const doc = YAML.parseDocument(text);

	return doc.errors.length === 0 && doc.contents !== null && validate(doc.toJS());
}

async function schema(t) {
	const { code, stdout, stderr } = await runUsherd(t, ['--schema']);

	assert.deepStrictEqual([code, stderr], [0, '']);
	return JSON.parse(stdout);
}

// Every option that the schema knows, by the names of the table; not those that are not built.
function namesIn(s, name = '') {
	const names = [];

	if (s.not)
		return names;
	for (const [key, value] of Object.entries(s.properties || {}))
		names.push(...namesIn(value, name ? name + '.' + key : key));
	if (typeof s.additionalProperties === 'object' && !s.propertyNames)
		names.push(...namesIn(s.additionalProperties, name + '.*'));
	if (s.type === 'array' && (s.items.properties || s.items.additionalProperties))
		names.push(...namesIn(s.items, name + '[]'));
	for (const part of s.anyOf || [])
		if (part.properties || part.items || part.additionalProperties)
			names.push(...namesIn(part, name));
	// A section has no description of its own.
	return s.description && name ? [name, ...names] : names;
}

test('the schema is one, and has the options of the table, no more and no fewer', async (t) => {
	const s = await schema(t);
	const { stdout } = await runUsherd(t, ['--defaults']);
	const inTable = stdout.trimEnd().split('\n').map((line) => line.split(' ')[0]);
	// One map stands for a list of one; the routes of QEWD's form are entries of u_services.
	const inSchema = new Set(namesIn(s).map((name) => name.replace(/^u_services\.routes\[\]/, 'u_services[]')
	    .replace(/^listen\[\]\.tls\.(?!\[)/, 'listen[].tls[].')));

	new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, strictTypes: false }).compile(s);
	for (const name of inTable)
		assert.ok(inSchema.delete(name), name + ' is in the schema');
	assert.deepStrictEqual([...inSchema], []);
});

test('what the schema refuses is refused by the loader, and what it accepts is not, but for what it cannot see', async (t) => {
	const validate = new Ajv({ strict: false }).compile(await schema(t));

	for (const [what, [text]] of Object.entries(REFUSED))
		assert.strictEqual(accepts(validate, text), what in ONLY_LOADER, what + ':\n' + text);
	for (const what of Object.keys(ONLY_LOADER))
		assert.ok(what in REFUSED, what + ' is among the files refused');
});

test('good files are good for the schema as well', async (t) => {
	const validate = new Ajv({ strict: false, allErrors: true }).compile(await schema(t));
	const good = Object.fromEntries(fs.readdirSync(CONF).filter((name) => name.endsWith('.yaml'))
	    .map((name) => [name, fs.readFileSync(path.join(CONF, name), 'utf8')]));

	assert.ok('full.yaml' in good);
	Object.assign(good, {
		'the least': GOOD,
		'an include with the rest': LISTEN + '\ninclude: ["more.yaml"]\n',
		'values from the environment': 'listen: [{ address: "${A:-127.0.0.1:0}", for: "${F:-nodes}" }]\n' + JWT +
		    '\nlimits: { json_depth: "${D:-64}", message: "${M:-1MB}" }\ntimeouts: { request: "${R:-5s}" }\n',
		'QEWD\'s form of u_services': GOOD + 'u_services:\n  destinations: { a: { application: x, host: "http://127.0.0.1:8081" } }\n' +
		    '  routes: [{ application: w, types: { t: { destination: a } } }, { path: /x, destination: a }]\n',
		'one map for a list of one': 'listen: [{ address: "[::1]:0", tls: { certificate: a, key: b } }]\n' + JWT + '\n',
		'off, and numbers of bytes': GOOD + 'limits: { sessions: off, message: 1000000, bytes_per_second: off }\n',
	});
	for (const [what, text] of Object.entries(good))
		assert.ok(accepts(validate, text), what + ': ' + JSON.stringify(validate.errors, null, 1));
});

// The loader must not be behind the editor, nor the editor behind the loader.
test('each option with a value of the wrong kind is refused by both', async (t) => {
	const validate = new Ajv({ strict: false }).compile(await schema(t));
	const { stdout } = await runUsherd(t, ['--defaults']);
	const names = stdout.trimEnd().split('\n').map((line) => line.split(' ')[0])
	    .filter((name) => !/[[*]/.test(name) && name !== 'u_services.routes');

	assert.ok(names.length > 30, 'there are options to try');
	const files = {};

	names.forEach((name, i) => {
		const value = name.split('.').reduceRight((inner, key) => `{ ${key}: ${inner} }`, '[{ a: [1] }]');
		const rest = YAML.parse(GOOD);

		Object.entries(YAML.parse(value)).forEach(([key, v]) => {
			rest[key] = key === 'jwt' ? { ...rest.jwt, ...v } : v;
		});
		files[`u${i}.yaml`] = YAML.stringify(rest);
	});
	for (const [file, text] of Object.entries(files)) {
		assert.strictEqual(accepts(validate, text), false, text);
		assert.strictEqual((await runUsherd(t, ['-t', '-c', file], { [file]: text })).code, 78, text);
	}
});

test('example files tell editors where the schema is', () => {
	for (const name of fs.readdirSync(CONF).filter((entry) => entry.endsWith('.yaml')))
		assert.match(fs.readFileSync(path.join(CONF, name), 'utf8'),
		    /^# yaml-language-server: \$schema=\.\.\/contrib\/schema\/usher\.schema\.json\n/, name);
});
