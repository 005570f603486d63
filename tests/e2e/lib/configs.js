// SPDX-License-Identifier: ISC
// The two configurations nearly every test begins with.
'use strict';
const path = require('node:path');
const { HANDLERS, JWT, LISTEN } = require('./usherd');

// A master that sends every type of browser-app to application remote-app at url.
// link: more keys of the destination, such as "links: 1".
const masterOf = (url, link = '') => `
node: master
${LISTEN}
${JWT}
destinations:
  far: { application: remote-app, urls: [${[].concat(url).map((u) => JSON.stringify(u)).join(', ')}]
         ${link && ', ' + link} }
u_services:
  - application: browser-app
    types:
      "*": { destination: far }
`;

// A worker node that serves remote-app.  pool: more keys of the pool; more: more keys of the application.
const workerOf = (command, pool = 'size: 2', more = '') => `
node: worker
${LISTEN}
${JWT}
applications:
  remote-app: { command: ${command}, pool: { ${pool} } ${more && ', ' + more} }
`;

// A node that serves several applications.  applications: { name: text of its value }
const nodeOf = (name, applications, more = '') => `
node: ${name}
${LISTEN}
${JWT}
applications:
${Object.entries(applications).map(([key, value]) => `  ${key}: ${value}`).join('\n')}
${more}`;

const scripted = JSON.stringify([process.execPath, path.join(HANDLERS, 'scripted.js')]);
const python = JSON.stringify(['python3', path.join(HANDLERS, 'handler.py')]);

// An application of scripted workers.  ready: more of their ready line; record: the file that
// keeps what they are told.
function scriptedApp(pool, { ready = {}, record = '' } = {}) {
	const environment = { READY: JSON.stringify(ready), RECORD: record };

	return `{ command: ${scripted}, pool: { ${pool} }, environment: ${JSON.stringify(environment)} }`;
}

module.exports = { masterOf, workerOf, nodeOf, scripted, scriptedApp, python };
