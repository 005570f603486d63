// SPDX-License-Identifier: ISC
// A TCP proxy that does to a connection what networks do, and worse.  Each direction ("up" is from
// who connects, "down" is towards it) has a plan of its own, a set of these:
//
//	slice: N		at most N bytes at a time, each piece in a packet of its own
//	delay: MS		so long before each piece
//	corrupt: N		the byte at offset N is another one
//	duplicate: [N, L]	L bytes from offset N on come twice
//	after: N, then: WHAT	when exactly N bytes have passed:
//	    "cut"		both sides are closed
//	    "reset"		both sides are reset
//	    "end"		no more bytes this way, the other way goes on (half-close)
//	    "stall"		nothing is read any more, until go()
//	    "hole"		all is read, nothing passed on
'use strict';
const net = require('node:net');
const { atEnd } = require('../e2e/lib/cleanup');

const QUEUE_MAX = 1 << 20;

class Direction {
	constructor(pair, from, to, plan = {}) {
		Object.assign(this, { pair, from, to, plan, passed: 0, queue: [], queued: 0, isPumping: false });
		this.isHole = this.isStalled = false;
		from.on('data', (data) => this.feed(data));
		from.on('end', () => this.later(() => to.end()));
		this.check();
	}

	// Another plan from now on; offsets count from here.
	apply(plan) {
		Object.assign(this, { plan, passed: 0 });
		this.check();
	}

	// Has the plan come to its "then"?
	check() {
		if (this.plan.then && this.passed >= this.plan.after) {
			const { then } = this.plan;
			this.plan = Object.assign({}, this.plan, { then: undefined });
			this.isHole = then === 'end' || then === 'hole';
			if (then === 'stall')
				this.stall();
			else if (then !== 'hole')
				this.later(() => this[then]());
		}
	}

	cut() {
		this.pair.cut();
	}

	reset() {
		this.pair.reset();
	}

	end() {
		this.to.end();
	}

	stall() {
		this.isStalled = true;
		this.from.pause();
	}

	go() {
		this.isStalled = this.isHole = false;
		this.from.resume();
	}

	feed(data) {
		while (data.length > 0 && !this.isHole) {
			if (this.isStalled) {		// rare, and little: keep it here
				this.from.unshift(data);
				return;
			}
			const most = this.plan.then ? this.plan.after - this.passed : data.length;
			this.pass(data.subarray(0, most));
			data = data.subarray(most);
			this.check();
		}
	}

	pass(data) {
		const { corrupt, duplicate } = this.plan;
		const at = this.passed, end = at + data.length;

		this.passed = end;
		if (corrupt >= at && corrupt < end) {
			data = Buffer.from(data);
			data[corrupt - at] ^= 0x15;
		}
		if (duplicate && duplicate[0] >= at && duplicate[0] < end) {
			const from = duplicate[0] - at, to = from + duplicate[1];
			data = Buffer.concat([data.subarray(0, to), data.subarray(from, to), data.subarray(to)]);
		}
		this.later(data);
		if (this.queued > QUEUE_MAX)
			this.from.pause();
	}

	// Bytes, or what is to be done when all bytes before it are written.
	later(entry) {
		this.queue.push(entry);
		this.queued += entry.length;
		if (!this.isPumping)
			this.pump();
	}

	pump() {
		const { slice, delay } = this.plan;
		let piece = this.queue.shift();

		this.isPumping = piece !== undefined;
		if (piece === undefined)
			return;
		if (typeof piece === 'function') {
			piece();
			this.pump();
			return;
		}
		if (slice < piece.length) {
			this.queue.unshift(piece.subarray(slice));
			piece = piece.subarray(0, slice);
		}
		const write = () => {
			this.queued -= piece.length;
			if (this.queued <= QUEUE_MAX && !this.isStalled)
				this.from.resume();
			if (this.to.destroyed)
				this.pump();
			else
				this.to.write(piece, () => slice ? setImmediate(() => this.pump()) : this.pump());
		};
		if (delay)
			setTimeout(write, delay);
		else
			write();
	}
}

class Pair {
	constructor(proxy, near, plans) {
		const far = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });

		Object.assign(this, { near, far, isOpen: true });
		for (const [socket, other] of [[near, far], [far, near]]) {
			socket.setNoDelay(true);
			socket.on('error', () => other.resetAndDestroy());
			socket.on('close', () => {
				this.isOpen = false;
				proxy.pairs.delete(this);
				other.destroySoon();
			});
		}
		this.up = new Direction(this, near, far, plans.up);
		this.down = new Direction(this, far, near, plans.down);
	}

	cut() {
		this.near.destroy();
		this.far.destroy();
	}

	reset() {
		this.near.resetAndDestroy();
		this.far.resetAndDestroy();
	}
}

class Proxy {
	constructor(port) {
		Object.assign(this, { port, pairs: new Set(), accepted: 0, plans: {} });
		this.server = net.createServer({ allowHalfOpen: true }, (near) => {
			const plans = typeof this.plans === 'function' ? this.plans(this.accepted) : this.plans;
			this.accepted++;
			this.pairs.add(new Pair(this, near, plans));
		});
	}

	// What is done to new connections: { up, down }, or a function of their number that gives it.
	plan(plans) {
		this.plans = plans;
	}

	// The same for the connections there are.
	apply({ up = {}, down = {} }) {
		for (const pair of this.pairs) {
			pair.up.apply(up);
			pair.down.apply(down);
		}
	}

	go() {
		for (const pair of this.pairs) {
			pair.up.go();
			pair.down.go();
		}
	}

	cut() {
		this.pairs.forEach((pair) => pair.cut());
	}

	reset() {
		this.pairs.forEach((pair) => pair.reset());
	}
}

// In front of a port; plans: see Proxy.plan.
async function faultProxy(t, port, plans = {}) {
	const proxy = new Proxy(port);

	proxy.plan(plans);
	await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
	atEnd(t, () => {
		proxy.cut();
		return new Promise((resolve) => proxy.server.close(resolve));
	});
	proxy.near = proxy.server.address().port;
	proxy.url = 'ws://127.0.0.1:' + proxy.near;
	return proxy;
}

module.exports = { faultProxy };
