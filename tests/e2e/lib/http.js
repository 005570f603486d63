// SPDX-License-Identifier: ISC
// HTTP requests of a caller that is no browser: each on a connection of its own.
'use strict';
const http = require('node:http');
const { within } = require('./wait');

// options: headers, token (as a Bearer), json (a body), body (text, as it is), from (an address)
function ask(url, method, path, options = {}) {
	const headers = Object.assign({}, options.headers);
	let { body } = options;

	if (options.token !== undefined)
		headers.authorization = 'Bearer ' + options.token;
	if (options.json !== undefined) {
		body = JSON.stringify(options.json);
		headers['content-type'] = 'application/json';
	}
	return within(method + ' ' + path, new Promise((resolve, reject) => {
		const request = http.request(url + path, { method, headers, agent: false,
			localAddress: options.from }, (answer) => {
			let text = '';

			answer.setEncoding('utf8');
			answer.on('data', (piece) => { text += piece; });
			answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers,
				text, get json() { return JSON.parse(text); } }));
		});

		if (options.onRequest)
			options.onRequest(request);
		request.on('error', reject);
		request.end(body);
	}));
}

module.exports = { ask };
