// SPDX-License-Identifier: ISC
/*
 * QEWD's hook of a starting worker, with a document store in memory: the part of a Global
 * Storage database that ewd-document-store and ewd-session use, in one sorted list of paths.
 */
'use strict';

const { createRequire } = require('node:module');
const path = require('node:path');

const DocumentStore =
  createRequire(path.join(process.cwd(), 'x.js'))('ewd-document-store');

const isNumber = (text) => text !== '' && !Number.isNaN(Number(text));

/* Numbers before texts, as such databases have it. */
function compare(a, b) {
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
  if (isNumber(a)) return a - b;
  return a < b ? -1 : Number(a > b);
}

function comparePaths(a, b) {
  const i = a.findIndex((part, n) => n >= b.length || part !== b[n]);
  if (i < 0) return a.length - b.length;
  return i < b.length ? compare(a[i], b[i]) : 1;
}

class Memory {
  constructor() {
    this.values = new Map();	// JSON of a path -> value
  }

  pathOf({ global, subscripts = [] }) {
    return [global, ...subscripts].map(String);
  }

  below(place) {
    return [...this.values.keys()].map((key) => JSON.parse(key))
      .filter((other) => place.every((part, i) => other[i] === part));
  }

  open() { return { ok: 1 }; }

  close() { return { ok: 1 }; }

  version() { return 'in memory'; }

  get(node) {
    const value = this.values.get(JSON.stringify(this.pathOf(node)));
    return { ok: 1, data: value ?? '', defined: this.data(node).defined };
  }

  set(node) {
    this.values.set(JSON.stringify(this.pathOf(node)), String(node.data));
    return { ok: 1 };
  }

  data(node) {
    const place = this.pathOf(node);
    const found = this.below(place);
    const own = found.some((other) => other.length === place.length) ? 1 : 0;
    return { ok: 1, defined: own + (found.length > own ? 10 : 0) };
  }

  kill(node) {
    for (const place of this.below(this.pathOf(node))) this.values.delete(JSON.stringify(place));
    return { ok: 1 };
  }

  increment(node) {
    const value = Number(this.get(node).data) + (node.increment || 1);
    this.set({ ...node, data: value });
    return { ok: 1, data: value };
  }

  step(node, isForward) {
    const place = this.pathOf(node);
    const last = place.pop();
    const names = [...new Set(this.below(place).filter((other) => other.length > place.length)
      .map((other) => other[place.length]))].sort(compare);
    if (!isForward) names.reverse();
    const isBeyond = (name) => isForward ? compare(name, last) > 0 : compare(name, last) < 0;
    const result = (last === '' ? names[0] : names.find(isBeyond)) ?? '';
    return { ok: 1, result, global: node.global, subscripts: [...place.slice(1), result] };
  }

  order(node) { return this.step(node, true); }

  next(node) { return this.step(node, true); }

  previous(node) { return this.step(node, false); }

  /* The next value in the whole document. */
  next_node(node) {
    const found = this.below([node.global]).sort(comparePaths)
      .find((other) => comparePaths(other, this.pathOf(node)) > 0);
    if (!found) return { ok: 0, defined: 0 };
    const data = this.values.get(JSON.stringify(found));
    return { ok: 1, defined: 1, global: node.global, subscripts: found.slice(1), data };
  }

  lock() { return { ok: 1, result: '1' }; }

  unlock() { return { ok: 1, result: '1' }; }
}

module.exports = function () {
  this.db = new Memory();
  this.documentStore = new DocumentStore(this.db);
  this.emit('DocumentStoreStarted');
};
