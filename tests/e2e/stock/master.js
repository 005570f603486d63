// SPDX-License-Identifier: ISC
// A stock QEWD master.  Its settings come as JSON: { port, secret, pool, modules, u_services, routes }
'use strict';
require('./loopback');
const path = require('node:path');
const settings = JSON.parse(process.argv[2]);

require('qewd').master.start({
	port: String(settings.port),	// as a text: 0, any port, is no false then
	poolSize: settings.pool,
	serverName: 'stock-master',
	webServerRootPath: process.cwd() + path.sep,
	onWorkerStartedPath: path.join(__dirname, 'worker-started.js'),
	moduleMap: settings.modules,
	jwt: { secret: settings.secret },
	u_services: settings.u_services
}, settings.routes);	// prefixes of REST paths
