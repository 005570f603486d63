// SPDX-License-Identifier: ISC
// Configurations that are refused; for the loader as well as for the schema that editors use.
'use strict';
const { JWT, LISTEN, SECRET } = require('./usherd');

const GOOD = LISTEN + '\n' + JWT + '\n';	// lines 1 and 2

// The line that is named, and what the message must speak of.
const REFUSED = {
	'an unknown key': [GOOD + 'lisen: []', 3, /lisen/],
	'an unknown key deep inside': [GOOD + 'limits:\n  message: 1MB\n  mesage: 1MB', 5, /mesage/],
	'a duplicate key': [GOOD + 'node: a\nnode: b', 4, /node/],
	'a duplicate key deep inside': [GOOD + 'timeouts:\n  request: 1s\n  request: 2s', 5, /request/],
	'a list where a text is due': [GOOD + 'node: [a]', 3, /node/],
	'a text where a list is due': ['listen: 8080\n' + JWT, 1, /listen/],
	'a text where a map is due': [GOOD + 'limits: many', 3, /limits/],
	'a duration without a unit': [GOOD + 'timeouts: { request: 60 }', 3, /request/],
	'a size that is none': [GOOD + 'limits: { message: 1XB }', 3, /message/],
	'a negative size': [GOOD + 'limits: { message: -1 }', 3, /message/],
	'a size above its maximum': [GOOD + 'limits: { json_depth: 100000000 }', 3, /json_depth/],
	'a level that is none': [GOOD + 'log: { level: loud }', 3, /level/],
	'a boolean that is none': [LISTEN + `\njwt: { secret: "${SECRET}", allow_short_secret: maybe }`, 2, /allow_short_secret/],
	'a port above 65535': ['listen: [{ address: "127.0.0.1:70000" }]\n' + JWT, 1, /address/],
	'an address without a port': ['listen: [{ address: "127.0.0.1" }]\n' + JWT, 1, /address|port/],
	'a listener without an address': ['listen: [{ for: nodes }]\n' + JWT, 1, /address/],
	'an audience that is none': ['listen: [{ address: "127.0.0.1:0", for: all }]\n' + JWT, 1, /for/],
	'no listen': [JWT, '\\d+', /listen/],
	'an empty listen': ['listen: []\n' + JWT, 1, /listen/],
	'no jwt': [LISTEN, '\\d+', /jwt/],
	'no secret': [LISTEN + '\njwt: { allow_short_secret: true }', 2, /secret/],
	'an empty secret': [LISTEN + '\njwt: { secret: "", allow_short_secret: true }', 2, /secret/],
	'a short secret': [LISTEN + '\njwt: { secret: "short" }', 2, /32|allow_short_secret/],
	'a secret file that is not there': [LISTEN + '\njwt: { secret_file: nowhere }', 2, /nowhere/],
	'an algorithm not built': [LISTEN + '\njwt: { secret: "' + SECRET + SECRET + '", algorithms: [RS256] }', 2, /HS256/],
	'a variable that is not set': [LISTEN + '\njwt: { secret: "${USHER_E2E_NOT_SET}" }', 2, /USHER_E2E_NOT_SET/],
	'a destination without a URL': [GOOD + 'destinations:\n  far: { application: a }', 4, /urls/],
	'a destination with an empty list of URLs': [GOOD + 'destinations:\n  far: { application: a, urls: [] }', 4, /urls/],
	'a destination without an application': [GOOD + 'destinations:\n  far: { urls: ["ws://127.0.0.1:1"] }', 4, /application/],
	'a URL of another scheme': [GOOD + 'destinations:\n  far: { application: a, urls: ["ftp://127.0.0.1:1"] }', 4, /ftp|ws:/],
	'a route to nowhere': [GOOD + 'u_services:\n  - application: a\n    types:\n      t: { destination: nowhere }', 6, /nowhere/],
	'a route without a target': [GOOD + 'u_services:\n  - application: a\n    types:\n      t: { timeout: 1s }', 6, /destination|url/],
	'a certificate that is not there': ['listen: [{ address: "127.0.0.1:0", tls: { certificate: a, key: b } }]\n' + JWT, 1, /a cannot be read/],
	'an application without a command': [GOOD + 'applications:\n  a: { pool: { size: 1 } }', 4, /command/],
	'an application with an empty command': [GOOD + 'applications:\n  a: { command: [] }', 4, /command/],
	'a directory that is not there': [GOOD + 'applications:\n  a: { command: [x], directory: nowhere }', 4, /nowhere/],
	'a pool of no workers': [GOOD + 'applications:\n  a: { command: [x], pool: { size: 0 } }', 4, /size/],
	'a folder of pages twice': [GOOD + 'static:\n  - { path: /docs, root: . }\n  - { path: /docs/, root: . }', 5, /docs/],
	'an empty file': ['', '\\d+', /empty|listen/],
	'a file of comments': ['# nothing\n', '\\d+', /empty|listen/],
	'a file that is a list': ['- a\n- b\n', 1, /./],
	'text that is no YAML': [GOOD + 'node: "unfinished\n', '\\d+', /./]
};

module.exports = { GOOD, REFUSED };
