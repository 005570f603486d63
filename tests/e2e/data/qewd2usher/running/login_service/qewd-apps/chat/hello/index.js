// SPDX-License-Identifier: ISC
// A handler of an interactive application of QEWD-Up.
'use strict';
module.exports = function (messageObj, session, send, finished) {
	send({ type: 'hello', greeting: 'soon' });
	finished({ greeting: 'Hello ' + messageObj.params.name });
};
