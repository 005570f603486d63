// SPDX-License-Identifier: ISC
/* The programs in C that the tests run: the kit's examples and the fixtures, in one folder. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { handlers, here } from './worker.mjs';

const kit = path.join(handlers, 'c');

/* Builds the kit and its examples, and beside them each of these sources. */
export function build(folder, sources) {
  execFileSync('make',
    ['-s', '-C', kit, `OUT=${folder}`, 'CFLAGS=-O1 -g -Wall -Wextra -Werror']);
  for (const source of sources) {
    execFileSync(process.env.CC || 'cc', ['-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra',
      '-Werror', `-I${kit}`, '-o', path.join(folder, path.basename(source, '.c')),
      path.join(here, source), path.join(folder, 'libusher_handler.a')]);
  }
}
