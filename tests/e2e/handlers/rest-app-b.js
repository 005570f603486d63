// SPDX-License-Identifier: ISC
// The same handlers under another name: the second member of a group.
'use strict';
module.exports = require('./rest-app').named('B');
