// SPDX-License-Identifier: ISC
// What Prometheus reads of a node, and whether the dashboard and the alerts ask for what there is.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { scripted, workerOf } = require('./lib/configs');
const { ADMIN, NOWHERE, held, httpOf, metricsOf, pair } = require('./lib/operator');
const { run } = require('./lib/processes');
const { metric } = require('./lib/prometheus');
const { rawBrowser, rawClient } = require('./lib/raw');
const { JWT, LISTEN, startUsherd } = require('./lib/usherd');
const { waitFor } = require('./lib/wait');

const MONITORING = path.join(__dirname, '..', '..', 'contrib', 'monitoring');

test('histograms of request time by route, and of the queue', async (t) => {
	const { worker, master } = await pair(t, 'size: 1');
	const browser = await rawBrowser(t, master.port);
	const { script, release } = held(t);
	const count = async (node, name, route) => metric(await metricsOf(node), name, { route });

	assert.strictEqual(await count(master, 'usher_request_duration_seconds_count', 'browser-app/*'), 0, 'before the first');
	assert.strictEqual(await count(master, 'usher_request_duration_seconds_count', 'registration'), 1);
	browser.emit({ type: 'job', token: browser.token, params: { script } });
	browser.emit({ type: 'job', token: browser.token, params: { script } });
	await waitFor('one to queue', async () =>
		metric(await metricsOf(worker), 'usher_pool_queue_requests', { application: 'remote-app' }) === 1);
	release();
	await browser.nextReply();
	await browser.nextReply();
	for (const [node, route] of [[master, 'browser-app/*'], [worker, 'remote-app/*']]) {
		const families = await metricsOf(node);
		const value = (name, more) => metric(families, name, { route, ...more });
		assert.strictEqual(value('usher_request_duration_seconds_count'), 2);
		assert.strictEqual(value('usher_request_duration_seconds_bucket', { le: '+Inf' }), 2);
		assert.ok(value('usher_request_duration_seconds_sum') < 600);
		assert.strictEqual(value('usher_route_errors_total'), 0);
	}
	assert.ok(await count(worker, 'usher_request_queue_seconds_count', 'remote-app/*') >= 1);
	assert.strictEqual(await count(master, 'usher_request_queue_seconds_count', 'browser-app/*'), 0);
});

test('errors by code and route, refusals by reason, bytes, and how late timers are', async (t) => {
	const node = await startUsherd(t, workerOf(scripted) + ADMIN);
	const client = await rawClient(t, node.port);
	const before = await metricsOf(node);

	client.emit({ type: 'job' });
	await client.nextReply();
	client.emit({ type: 'job', token: 'x.y.z' });
	await client.nextReply();
	client.emit({});
	await waitFor('the event to be counted', async () =>
		metric(await metricsOf(node), 'usher_refusals_total', { reason: 'no_message' }) === 1);
	const after = await metricsOf(node);
	const grown = (name, labels) => metric(after, name, labels) - metric(before, name, labels);

	assert.strictEqual(grown('usher_errors_total', { code: 'no_token' }), 1);
	assert.strictEqual(grown('usher_errors_total', { code: 'invalid_token' }), 1);
	assert.strictEqual(grown('usher_errors_total', { code: 'timeout' }), 0);
	assert.strictEqual(grown('usher_route_errors_total', { route: 'none' }), 2);
	assert.strictEqual(grown('usher_refusals_total', { reason: 'token' }), 1);
	assert.ok(grown('usher_received_bytes_total') > 30);
	assert.ok(grown('usher_sent_bytes_total') > 100);
	await waitFor('a timer', async () => metric(await metricsOf(node), 'usher_loop_lag_seconds_count') > 0);
	assert.ok(metric(after, 'usher_event_loops') >= 1);
	assert.deepStrictEqual([...before.keys()], [...after.keys()]);
	const codes = after.get('usher_errors_total').samples.map((s) => s.labels.code);
	assert.ok(codes.length >= 22 && new Set(codes).size === codes.length);
});

// ---- the dashboard and the alerts ----

// All families that a node with everything has, and the labels of each.
async function exported(t) {
	const node = await startUsherd(t, `node: full\n${LISTEN}\n${JWT}\n${ADMIN}
destinations: { far: { application: x, urls: ["${NOWHERE}"] } }
applications: { app: { command: ${scripted} } }
u_services: [ { application: web, types: { job: { destination: far } } } ]
`);
	const names = new Map();

	for (const family of (await metricsOf(node)).values())
		for (const sample of family.samples)
			names.set(family.name + sample.suffix, new Set([...(names.get(family.name + sample.suffix) || []),
				...Object.keys(sample.labels), 'instance', 'job']));
	return names.set('up', new Set(['instance', 'job']));
}

// What is wrong with an expression: names and labels that are not exported, brackets that do not fit.
function faults(expression, names) {
	const found = [], text = expression.replace(/"(?:[^"\\]|\\.)*"/g, '""');
	const used = [...text.matchAll(/\b(up|usher_[a-z0-9_]+)\b(?:\{([^}]*)\})?/g)];
	const known = new Set();

	for (const [, name, matchers] of used) {
		if (!names.has(name))
			found.push('no such metric: ' + name);
		for (const label of names.get(name) || [])
			known.add(label);
		for (const [, label] of (matchers || '').matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g))
			if (!(names.get(name) || new Set()).has(label))
				found.push(`${name} has no label ${label}`);
	}
	for (const [, list] of text.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g))
		for (const label of list.split(',').map((word) => word.trim()))
			if (!known.has(label))
				found.push('nobody has the label ' + label);
	if (used.length === 0)
		found.push('it asks for nothing');
	for (const [open, close] of ['()', '{}', '[]'])
		if (text.split(open).length !== text.split(close).length)
			found.push(`${open} and ${close} do not fit`);
	return found;
}

const expressionsOf = (dashboard) => dashboard.panels.flatMap((panel) => (panel.targets || []).map((target) =>
	[panel.title, target.expr]));

test('the dashboard asks for what a node exports', async (t) => {
	const names = await exported(t);
	const dashboard = JSON.parse(fs.readFileSync(path.join(MONITORING, 'usher-dashboard.json'), 'utf8'));
	const expressions = expressionsOf(dashboard);

	assert.ok(expressions.length > 15);
	for (const [title, expression] of expressions)
		assert.deepStrictEqual(faults(expression, names), [], title);
	const ids = dashboard.panels.map((panel) => panel.id);
	assert.strictEqual(new Set(ids).size, ids.length);
	for (const { title, gridPos: { x, y, w, h } } of dashboard.panels)
		assert.ok(x >= 0 && x + w <= 24 && y >= 0 && h > 0, title);
	for (const panel of dashboard.panels.filter((one) => one.targets))
		for (const { expr, legendFormat } of panel.targets)
			for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
				assert.ok(expr.includes(label) || label === 'instance' ||
				    [...names].some(([name, labels]) => expr.includes(name) && labels.has(label)), panel.title);
	for (const wrong of ['usher_nothing', 'sum by (moon) (usher_links)', 'usher_links{moon="1"}', 'rate(usher_links[5m]'])
		assert.notDeepStrictEqual(faults(wrong, names), [], wrong);
});

test('the alerts ask for what a node exports', async (t) => {
	const names = await exported(t);
	const file = path.join(MONITORING, 'alerts.yaml');
	const rules = fs.readFileSync(file, 'utf8').split(/^      - alert: /m).slice(1);

	assert.ok(rules.length > 8);
	for (const rule of rules) {
		const name = rule.split('\n')[0];
		const [, expression] = rule.match(/^        expr: (?:>-\n\s+)?(.+)$/m);
		assert.deepStrictEqual(faults(expression, names), [], name);
		assert.match(rule, /labels: \{ severity: (page|ticket) \}/, name);
		assert.match(rule, /summary: "/, name);
		assert.match(rule, /description: "/, name);
		for (const [, code] of (expression.match(/code=~"([^"]+)"/) || ['', ''])[1].matchAll(/(\w+)/g))
			assert.ok(fs.readFileSync(path.join(__dirname, '../../src/base/err.def'), 'utf8').includes(`"${code}"`), code);
	}
	// The judgement of Prometheus itself, where it is installed.
	const found = await run('sh', ['-c', 'command -v promtool']);
	if (found.code === 0)
		assert.strictEqual((await run('promtool', ['check', 'rules', file])).code, 0);
	else
		t.diagnostic('promtool is not installed: Prometheus itself has not judged the alerts');
});
