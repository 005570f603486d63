// SPDX-License-Identifier: ISC
// The installed package, by import: calls once at the URL it is given, and prints the reply.
import { connect, UsherError } from '@usher/client';

const usher = connect(process.argv[2], { application: 'browser-app' });
const { tag } = await usher.call('job', { tag: 'imported' });
const refused = await usher.call('job', { script: [{ fail: 'x' }] }).catch((e) => e instanceof UsherError);

console.log(JSON.stringify([tag, refused]));
usher.close();
