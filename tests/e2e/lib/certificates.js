// SPDX-License-Identifier: ISC
// Certificates, made by openssl in a folder of the test: NAME.pem and NAME.key for each.
'use strict';
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

const openssl = (dir, ...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });

function authority(dir, name) {
	openssl(dir, 'req', '-x509', ...KEY, '-keyout', name + '.key', '-out', name + '.pem', '-days', '30',
	    '-subj', '/CN=' + name, '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign');
}

// Signed by ca, or by itself.  names: 'DNS:localhost,IP:127.0.0.1'; days: -1 for one that has expired
function certificate(dir, name, { ca, names, days = 30, key = KEY } = {}) {
	const subject = ['-subj', '/CN=' + name];
	const more = names ? ['-addext', 'subjectAltName=' + names] : [];

	if (ca && days < 0) {
		openssl(dir, 'req', '-new', ...key, '-keyout', name + '.key', '-out', name + '.csr', ...subject, ...more);
		openssl(dir, 'x509', '-req', '-in', name + '.csr', '-CA', ca + '.pem', '-CAkey', ca + '.key',
		    '-copy_extensions', 'copy', '-days', String(days), '-out', name + '.pem');
		return;
	}
	openssl(dir, 'req', '-x509', ...key, ...(ca ? ['-CA', ca + '.pem', '-CAkey', ca + '.key'] : []),
	    '-keyout', name + '.key', '-out', name + '.pem', '-days', String(days), ...subject, ...more,
	    '-addext', 'basicConstraints=CA:FALSE');
}

const read = (dir, name) => fs.readFileSync(path.join(dir, name));

module.exports = { authority, certificate, openssl, read };
