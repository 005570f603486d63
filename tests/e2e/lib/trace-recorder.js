// SPDX-License-Identifier: ISC
// Between a master and its service: sees what the master asks, can cut the links, and can look like
// a service that is not there.
'use strict';
const WebSocket = require('ws');
const { atEnd } = require('./cleanup');
const { waitFor } = require('./wait');

const OPTIONS = { perMessageDeflate: false, maxPayload: 1 << 30 };

class Recorder {
	constructor(target) {
		this.target = target;
		this.isUp = true;
		this.pairs = new Set();
		this.requests = [];	// frames of the master that are no registration
	}

	accept(near, request) {
		if (!this.isUp) {
			near.terminate();
			return;
		}
		const far = new WebSocket(this.target.replace('http:', 'ws:') + request.url, OPTIONS);
		const early = [];
		const drop = () => {
			this.pairs.delete(drop);
			near.terminate();
			far.terminate();
		};

		this.pairs.add(drop);
		for (const ws of [near, far]) {
			ws.on('close', drop);
			ws.on('error', drop);
		}
		far.on('open', () => early.splice(0).forEach((frame) => far.send(frame)));
		far.on('message', (data) => near.send(String(data)));
		near.on('message', (data) => {
			const frame = String(data);
			if (frame.startsWith('42') && !/"type":"ewd-(re)?register"/.test(frame))
				this.requests.push(frame);
			if (far.readyState === WebSocket.OPEN)
				far.send(frame);
			else
				early.push(frame);
		});
	}

	cut() {
		[...this.pairs].forEach((drop) => drop());
	}

	down() {
		this.isUp = false;
		this.cut();
	}

	up(target = this.target) {
		this.target = target;
		this.isUp = true;
	}

	// The requests since the last call.
	take() {
		return this.requests.splice(0);
	}

	async sees(type) {
		await waitFor('a request of type ' + type + ' on its way', () =>
		    this.requests.some((frame) => frame.includes('"type":"' + type + '"')));
	}
}

async function record(t, target) {
	const recorder = new Recorder(target);
	const server = new WebSocket.Server(Object.assign({ port: 0, host: '127.0.0.1' }, OPTIONS));

	await new Promise((resolve) => server.on('listening', resolve));
	server.on('connection', (ws, request) => recorder.accept(ws, request));
	recorder.url = 'ws://127.0.0.1:' + server.address().port;
	atEnd(t, () => {
		recorder.down();
		return new Promise((resolve) => server.close(resolve));
	});
	return recorder;
}

module.exports = { record };
