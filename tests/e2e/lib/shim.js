// SPDX-License-Identifier: ISC
// Libraries that are loaded before all others and change what calls of the system do: tests/faults/*.c.
'use strict';
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { folder } = require('./usherd');

const SOURCES = path.join(__dirname, '..', '..', 'faults');

// Builds NAME.c and gives the environment that loads it.
function shim(t, name) {
	const file = path.join(folder(t), name + '.so');

	execFileSync(process.env.CC || 'cc', ['-std=gnu11', '-D_GNU_SOURCE', '-O1', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared', '-o', file,
		path.join(SOURCES, name + '.c'), '-ldl'], { stdio: ['ignore', 'inherit', 'inherit'] });
	// Ours comes before the sanitizer's, which is fine with it as long as it allocates nothing.
	const asan = (process.env.ASAN_OPTIONS ? process.env.ASAN_OPTIONS + ':' : '') + 'verify_asan_link_order=0';
	return { LD_PRELOAD: file, ASAN_OPTIONS: asan };
}

module.exports = { shim };
