// SPDX-License-Identifier: ISC
// The client as a page's plain script, where there is no module, but a global io: calls once at
// the URL it is given, and prints the reply.
'use strict';
const fs = require('node:fs');
const vm = require('node:vm');

globalThis.io = require('socket.io-client').io || require('socket.io-client');
vm.runInThisContext(fs.readFileSync(require.resolve('@usher/client/script'), 'utf8'));
const usher = globalThis.UsherClient.connect(process.argv[2], { application: 'browser-app' });

usher.call('job', { tag: 'script' }).then(async ({ tag }) => {
	const refused = await usher.call('job', { script: [{ fail: 'x' }] })
	    .catch((e) => e instanceof globalThis.UsherClient.UsherError);
	console.log(JSON.stringify([tag, refused]));
	usher.close();
});
