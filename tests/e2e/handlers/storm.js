// SPDX-License-Identifier: ISC
// What lib/storm.js asks for, as a QEWD module: for the Node kit and for QEWD's own worker.
'use strict';

const STRAY = { tag: 'a stray reply' };

module.exports = {
	handlers: {
		steps: function ({ params: { tag, gap } }, session, send, finished) {
			let step = 0;

			(function next() {
				if (step === 3)
					return finished({ done: true, tag });
				send({ step: ++step, tag });
				setTimeout(next, gap);
			})();
		},
		flood: function ({ params: { tag, n } }, session, send, finished) {
			for (let step = 1; step <= n; step++)
				send({ step, tag, data: 'x'.repeat(200) });
			finished({ done: true, tag });
		},
		doubled: function ({ params: { tag } }, session, send, finished) {
			const stray = () => { send(STRAY); finished(STRAY); };

			finished({ n: 1, tag });
			stray();
			setTimeout(stray, 10);
		},
		fail: function ({ params: { tag } }, session, send, finished) {
			finished({ error: 'Told to fail', tag });
		},
		crash: function () {
			throw new Error('Deliberate failure');
		},
		hang: function () {},
		block: function () {
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
		},
		leave: function () {
			process.exit(3);
		}
	}
};
