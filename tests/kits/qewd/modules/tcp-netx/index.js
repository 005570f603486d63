// SPDX-License-Identifier: ISC
/*
 * Stands in for the native module tcp-netx, which QEWD's Redis adapter needs and which is no
 * longer in the npm registry: synchronous TCP for one connection, by a thread that does
 * the reading and writing while this one waits for it.
 */
'use strict';

const net = require('node:net');
const {
  MessageChannel, Worker, isMainThread, receiveMessageOnPort, workerData
} = require('node:worker_threads');

/* The side that waits. */
class Server {
  constructor(host, port) {
    const { port1, port2 } = new MessageChannel();

    this.host = host;
    this.tcpPort = port;
    this.port = port1;
    this.flag = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(__filename,
      { workerData: { port: port2, flag: this.flag }, transferList: [port2] });
    worker.unref();
    this.port.unref();
  }

  ask(op, value) {
    Atomics.store(this.flag, 0, 0);
    this.port.postMessage({ op, value });
    Atomics.wait(this.flag, 0, 0);
    return receiveMessageOnPort(this.port).message;
  }

  connect() { return this.ask('connect', { host: this.host, port: this.tcpPort }); }

  write({ data }) { return this.ask('write', data); }

  read({ timeout = 5 } = {}) { return this.ask('read', timeout * 1000); }

  disconnect() { return this.ask('disconnect'); }

  version() { return 'stand-in'; }
}

/* The thread: answers each question once. */
function serve({ port, flag }) {
  let socket = null;
  let received = '';
  let reader = null;	// of a read that waits for data

  const answer = (message) => {
    port.postMessage(message);
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  };
  const deliver = () => {
    if (!reader || received === '') return;
    clearTimeout(reader);
    reader = null;
    answer({ ok: 1, data: received });
    received = '';
  };
  const ops = {
    connect({ host, port: tcpPort }) {
      socket = net.connect(tcpPort, host);
      // What QEWD counts as the length of a text is its characters.
      socket.setEncoding('latin1');
      socket.once('connect', () => answer({ ok: 1 }));
      socket.once('error', (error) => answer({ ok: 0, ErrorMessage: error.message }));
      socket.on('data', (data) => { received += data; deliver(); });
    },
    write(data) {
      socket.write(data, 'latin1');
      answer({ ok: 1 });
    },
    read(timeout_ms) {
      reader = setTimeout(() => {
        reader = null;
        answer({ ok: 0, ErrorMessage: 'timeout' });
      }, timeout_ms);
      deliver();
    },
    disconnect() {
      socket.destroy();
      answer({ ok: 1 });
    }
  };
  port.on('message', ({ op, value }) => ops[op](value));
}

if (isMainThread) module.exports = { server: Server };
else serve(workerData);
