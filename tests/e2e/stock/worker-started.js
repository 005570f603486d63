// SPDX-License-Identifier: ISC
// QEWD's hook of a starting worker.  With JWTs a worker keeps nothing in its database, but it
// serves only if there is one: this one is always empty.
'use strict';

class DocumentNode {
	forEachChild() {}
}

module.exports = function () {
	this.db = {};
	this.documentStore = { DocumentNode };
	this.emit('DocumentStoreStarted');
};
