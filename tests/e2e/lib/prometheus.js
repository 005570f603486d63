// SPDX-License-Identifier: ISC
// The text format of Prometheus, version 0.0.4, read strictly: what a scraper might forgive is an error.
'use strict';
const assert = require('node:assert');

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/;

function labelsOf(text) {
	const labels = {};

	for (let rest = text; rest !== ''; ) {
		const found = rest.match(LABEL);
		assert.ok(found, 'labels: ' + text);
		assert.ok(!(found[1] in labels), 'a label twice: ' + text);
		labels[found[1]] = found[2].replace(/\\(.)/g, (_, c) => c === 'n' ? '\n' : c);
		rest = rest.slice(found[0].length);
	}
	return labels;
}

function addSample(family, line) {
	const found = line.match(SAMPLE);

	assert.ok(found, 'a sample: ' + line);
	const [, name, text, value] = found;
	assert.strictEqual(name, family && family.name, 'samples stand below their HELP and TYPE: ' + line);
	assert.ok(text === undefined || text !== '', 'empty braces: ' + line);
	assert.ok(Number.isFinite(Number(value)), 'a value: ' + line);
	const sample = { labels: labelsOf(text || ''), value: Number(value) };
	assert.ok(!family.samples.some((s) => JSON.stringify(s.labels) === JSON.stringify(sample.labels)),
	    'a series twice: ' + line);
	if (family.type === 'counter') {
		assert.match(name, /_total$/, 'the name of a counter');
		assert.ok(sample.value >= 0 && Number.isInteger(sample.value), line);
	}
	family.samples.push(sample);
}

// Families by their names: { name, type, help, samples: [{ labels, value }] }.
function parseMetrics(text) {
	const families = new Map();
	let family = null;

	assert.ok(text.endsWith('\n'), 'the last line is ended');
	for (const line of text.slice(0, -1).split('\n')) {
		const [, word, name, rest] = line.match(/^# (HELP|TYPE) (\S+) (.+)$/) || [];
		if (word === 'HELP') {
			assert.match(name, NAME);
			assert.ok(!families.has(name), 'a family twice: ' + name);
			family = { name, help: rest, type: null, samples: [] };
			families.set(name, family);
		} else if (word === 'TYPE') {
			assert.ok(family && family.name === name && family.type === null, 'TYPE behind HELP: ' + line);
			assert.match(rest, /^(counter|gauge)$/);
			family.type = rest;
		} else {
			assert.ok(family && family.type, 'HELP and TYPE before: ' + line);
			addSample(family, line);
		}
	}
	return families;
}

// The value of one series; labels as an object.
function metric(families, name, labels = {}) {
	const wanted = JSON.stringify(Object.entries(labels).sort());
	const sample = families.get(name).samples.find((s) =>
		JSON.stringify(Object.entries(s.labels).sort()) === wanted);

	assert.ok(sample, name + ' ' + JSON.stringify(labels));
	return sample.value;
}

module.exports = { parseMetrics, metric };
