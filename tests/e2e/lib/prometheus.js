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
	const suffix = family && family.type === 'histogram' ? (name.match(/_(bucket|sum|count)$/) || [''])[0] : '';
	assert.strictEqual(name, family && family.name + suffix, 'samples stand below their HELP and TYPE: ' + line);
	assert.ok(family.type !== 'histogram' || suffix !== '', 'of a histogram: ' + line);
	assert.ok(text === undefined || text !== '', 'empty braces: ' + line);
	assert.ok(Number.isFinite(Number(value)), 'a value: ' + line);
	const sample = { labels: labelsOf(text || ''), value: Number(value), suffix };
	const key = suffix + JSON.stringify(sample.labels);
	assert.ok(!family.keys.has(key), 'a series twice: ' + line);
	family.keys.add(key);
	assert.strictEqual('le' in sample.labels, suffix === '_bucket', 'le is for buckets: ' + line);
	if (family.type === 'counter') {
		assert.match(name, /_total$/, 'the name of a counter');
		assert.ok(sample.value >= 0 && Number.isInteger(sample.value), line);
	}
	family.samples.push(sample);
}

// Buckets go up, up to infinity, and count what the count does.
function checkHistogram(family) {
	const rows = new Map();

	for (const { labels: { le, ...labels }, value, suffix } of family.samples) {
		const key = JSON.stringify(labels);
		if (!rows.has(key))
			rows.set(key, { bounds: [], values: [] });
		if (suffix === '_bucket') {
			rows.get(key).bounds.push(le === '+Inf' ? Infinity : Number(le));
			rows.get(key).values.push(value);
		} else {
			rows.get(key)[suffix] = value;
		}
	}
	for (const [key, { bounds, values, _sum: sum, _count: count }] of rows) {
		assert.strictEqual(bounds.at(-1), Infinity, key);
		assert.ok(bounds.every((bound, i) => i === 0 || bound > bounds[i - 1]), family.name + key);
		assert.ok(values.every((value, i) => Number.isInteger(value) && (i === 0 || value >= values[i - 1])), family.name + key);
		assert.strictEqual(values.at(-1), count, family.name + key);
		assert.ok(sum >= 0 && (sum === 0 || count > 0), family.name + key);
	}
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
			family = { name, help: rest, type: null, samples: [], keys: new Set() };
			families.set(name, family);
		} else if (word === 'TYPE') {
			assert.ok(family && family.name === name && family.type === null, 'TYPE behind HELP: ' + line);
			assert.match(rest, /^(counter|gauge|histogram)$/);
			family.type = rest;
		} else {
			assert.ok(family && family.type, 'HELP and TYPE before: ' + line);
			addSample(family, line);
		}
	}
	for (const one of families.values())
		if (one.type === 'histogram')
			checkHistogram(one);
	return families;
}

// The value of one series; labels as an object.  Of a histogram: x_bucket, x_sum or x_count.
function metric(families, name, labels = {}) {
	const wanted = JSON.stringify(Object.entries(labels).sort());
	const [suffix] = families.has(name) ? [''] : name.match(/_(bucket|sum|count)$/);
	const sample = families.get(name.slice(0, name.length - suffix.length)).samples.find((s) =>
		s.suffix === suffix && JSON.stringify(Object.entries(s.labels).sort()) === wanted);

	assert.ok(sample, name + ' ' + JSON.stringify(labels));
	return sample.value;
}

module.exports = { parseMetrics, metric };
