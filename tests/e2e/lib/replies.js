// SPDX-License-Identifier: ISC
// What a client must see of an error that usher itself makes: exactly this shape.
'use strict';
const assert = require('node:assert');

const STATUS = {
	bad_message: 400, no_token: 401, invalid_token: 401, token_expired: 401, not_allowed: 403,
	no_handler: 404, too_big: 413, too_many: 429, handler_error: 500, link_lost: 502,
	worker_lost: 502, reply_too_big: 502, link_down: 503, overloaded: 503, stopping: 503,
	timeout: 504, cancelled: 499, loop: 508, internal: 500
};
const RAN = {
	handler_error: 'maybe', link_lost: 'maybe', worker_lost: 'maybe', reply_too_big: 'yes',
	timeout: 'maybe', cancelled: 'maybe', internal: 'maybe'
};
const LEAVE = ['no_token', 'invalid_token', 'token_expired', 'session_revoked'];

// want: type, code, error (text or pattern), and where they matter by, ms_requestId, and the
// status and ran if they are others than the code's
function assertError(reply, want) {
	const { type, code } = want;
	const wanted = ['type', 'finished', 'message', 'responseTime'];
	const inside = ['error', 'code', 'status', 'by', 'request', 'ran'];

	assert.strictEqual(reply.message && reply.message.code, code, JSON.stringify(reply));
	if ('ms_requestId' in want)
		wanted.push('ms_requestId');
	if (LEAVE.includes(code))
		inside.push('disconnect');
	if ('retry_after_ms' in reply.message) {
		assert.ok(Number.isInteger(reply.message.retry_after_ms));
		inside.push('retry_after_ms');
	}
	assert.deepStrictEqual(Object.keys(reply).sort(), wanted.sort());
	assert.deepStrictEqual(Object.keys(reply.message).sort(), inside.sort());
	assert.strictEqual(reply.type, type);
	assert.strictEqual(reply.finished, true);
	assert.match(reply.responseTime, /^\d+ms$/);
	assert.deepStrictEqual(reply.message.status, { code: want.status || STATUS[code] });
	assert.strictEqual(reply.message.ran, want.ran || RAN[code] || 'no');
	assert.ok(typeof reply.message.by === 'string' && reply.message.by !== '');
	assert.ok(typeof reply.message.request === 'string' && reply.message.request !== '');
	if (LEAVE.includes(code))
		assert.strictEqual(reply.message.disconnect, true);
	if (want.by !== undefined)
		assert.strictEqual(reply.message.by, want.by);
	if ('ms_requestId' in want)
		assert.deepStrictEqual(reply.ms_requestId, want.ms_requestId);
	if (want.error instanceof RegExp)
		assert.match(reply.message.error, want.error);
	else if (want.error !== undefined)
		assert.strictEqual(reply.message.error, want.error);
}

module.exports = { assertError };
