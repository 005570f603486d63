// SPDX-License-Identifier: ISC
// A handler module as QEWD users write them that answers what the oracle load asks (faults/oracle.js):
// as many intermediates as it wants, with bytes that follow from the tag of the request.
'use strict';

function pad(tag, step, size) {
	const piece = `${tag}.${step}ü;`;

	return piece.repeat(Math.floor(size / piece.length) + 1).slice(0, size);
}

module.exports = {
	handlers: {
		work: function (message, session, send, finished) {
			const { tag, n = 0, size = 0 } = message.params;

			for (let step = 1; step <= n; step++)
				send({ tag, step, pad: pad(tag, step, size) });
			finished({ tag, done: true, pad: pad(tag, 'final', size) });
		}
	}
};
