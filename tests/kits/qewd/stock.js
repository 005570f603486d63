// SPDX-License-Identifier: ISC
/* QEWD's own worker process, as its front process starts it; for the comparison. */
'use strict';

const { createRequire } = require('node:module');
const path = require('node:path');

process.argv[2] = 'qewd.worker';
const { workerProcess } = createRequire(path.join(process.cwd(), 'x.js'))('ewd-qoper8');
new workerProcess().init();
