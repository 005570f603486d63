// SPDX-License-Identifier: ISC
// The installed package, by require(): calls once at the URL it is given, and prints the reply.
'use strict';
const { connect, UsherError } = require('@usher/client');

const usher = connect(process.argv[2], { application: 'browser-app' });

usher.call('job', { tag: 'required' }).then(async (reply) => {
	const refused = await usher.call('job', { script: [{ fail: 'x' }] }).catch((e) => e instanceof UsherError);
	console.log(JSON.stringify([reply.tag, refused]));
	usher.close();
});
