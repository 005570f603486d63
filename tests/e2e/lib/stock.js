// SPDX-License-Identifier: ISC
// The original QEWD as a peer: micro-service and master, each with a folder of its own, since
// QEWD writes the program of its workers into node_modules of the folder it runs in.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { atEnd } = require('./cleanup');
const { Child } = require('./processes');
const { folder, HANDLERS, SECRET } = require('./usherd');
const { waitFor } = require('./wait');

const STOCK = path.join(__dirname, '..', 'stock');
const PACKAGES = path.join(__dirname, '..', 'node_modules');

class StockQewd extends Child {
	// It and its workers are a process group of their own.
	async kill(signal = 'SIGKILL') {
		if (!this.hasEnded)
			process.kill(-this.pid, signal);
		await this.end();
	}
}

async function start(t, program, settings) {
	const dir = folder(t);
	const env = Object.assign({}, process.env, { NODE_PATH: PACKAGES }, settings.env);

	fs.mkdirSync(path.join(dir, 'node_modules'));
	const qewd = new StockQewd(process.execPath, [path.join(STOCK, program), JSON.stringify(settings)],
	    { cwd: dir, env, detached: true });
	atEnd(t, () => qewd.kill());
	qewd.port = Number((await qewd.logged(/listening at (\d+)/))[1]);
	qewd.url = 'http://127.0.0.1:' + qewd.port;
	return qewd;
}

// options: port (0: any), pool (2), secret, env (more of it)
function startStockService(t, options = {}) {
	return start(t, 'service.js', Object.assign({
		port: 0, pool: 2, secret: SECRET,
		modules: { 'remote-app': path.join(HANDLERS, 'remote-app.js') }
	}, options));
}

// Forwards these types of "browser-app" to application "remote-app" at url.
async function startStockMaster(t, url, types, options = {}) {
	const master = await start(t, 'master.js', Object.assign({
		port: 0, pool: 2, secret: SECRET, modules: {},
		u_services: {
			destinations: { svc: { application: 'remote-app', host: url } },
			routes: [{
				application: 'browser-app',
				types: Object.fromEntries(types.map((type) => [type, { destination: 'svc' }]))
			}]
		}
	}, options));

	await waitFor(() => 'the stock master to register at ' + url + ':\n' + master.stdout,
	    () => master.stdout.includes(url + ' micro-service ready'));
	return master;
}

module.exports = { startStockService, startStockMaster };
