// SPDX-License-Identifier: ISC
// The hook of QEWD-Up that makes a document store.
'use strict';
module.exports = require('../../../../../kits/qewd/store');
