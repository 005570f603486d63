// SPDX-License-Identifier: ISC
/*
 * The conformance table: what a client of each kind of worker is answered, and what its
 * session is then.  The cases of a program are asked one after another by one client.
 *
 * A case is what is asked ([type, params]) and what must come of it:
 *
 *	sends	the intermediate replies as [type, message]; none by default
 *	final	the message of the final reply
 *	fails	instead: the code and the text of a "fail"
 *	session	what differs from then on in the session; undefined for a claim that is gone
 *	secret	the secret names from then on, if they are others than before
 *	notInStock	stock QEWD takes the type for a function that every object has
 *
 * Nothing here is a matter of taste: stock QEWD gives the same fields, but for the code.
 */

export const firstSession = {
  timeout: 300, socketId: 's1', ipAddress: '127.0.0.1', authenticated: false
};

const own = ['authenticated', 'ipAddress', 'socketId'];
const LOGIN = { username: 'rob', password: 'secret' };
const USER = 'anna é "\\\n 😀';
const LIST = [1, { a: null, b: 0.5 }];

const noHandler = (type) => ({
  code: 'no_handler', error: `Handler not defined for test-app messages of type ${type}`
});
const crashed = { code: 'handler_error', error: 'Deliberate failure' };
const stepsOf = (tag) => [1, 2, 3].map((step) => ['steps', { step, of: 3, ...tag }]);
const echoed = (params, tag) => ({ asked: ['echo', params], final: { echo: params, ...tag } });

/* The example "login" of each kit. */
const login = [
  { asked: ['whoami'], final: { application: 'test-app', authenticated: false, username: null,
    userText: null, timeout: 300, secretUsername: false } },
  { asked: ['login', { username: 'rob' }], final: { error: 'Invalid login attempt' } },
  { asked: ['login', null], final: { error: 'Invalid login attempt' } },
  { asked: ['login', ['rob']], final: { error: 'Invalid login attempt' } },
  { asked: ['login', LOGIN], final: { ok: true },
    session: { authenticated: true, timeout: 1200, userText: 'Welcome Rob', username: 'rob' },
    secret: [...own, 'username'] },
  { asked: ['login', LOGIN], final: { error: 'Already logged in' } },
  { asked: ['whoami'], final: { application: 'test-app', authenticated: true, username: 'rob',
    userText: 'Welcome Rob', timeout: 1200, secretUsername: true } },
  { asked: ['steps', { gap: 5, tag: 't' }], sends: stepsOf({ tag: 't' }),
    final: { done: true, tag: 't' } },
  { asked: ['steps'], sends: stepsOf(), final: { done: true } },
  echoed({ tag: null, a: [{}] }, { tag: null }),
  echoed('text'),
  echoed({ tag: 'ü世😀\u2028\u0001', n: [0.1, -1e21, 1e-7, 9007199254740991] },
    { tag: 'ü世😀\u2028\u0001' }),
  echoed({ '': 1, 'a\nb': '"\\/\b\f\r\t', constructor: 2, id: 9, op: 'stop', session: { x: 1 } }),
  { asked: ['echo'], final: { echo: null } },
  { asked: ['nobody'], fails: noHandler('nobody') },
  { asked: ['toString'], fails: noHandler('toString'), notInStock: true },
  { asked: ['whoami'], final: { application: 'test-app', authenticated: true, username: 'rob',
    userText: 'Welcome Rob', timeout: 1200, secretUsername: true } }
];

/* The program "table" in each language: all that a handler can do with replies and sessions. */
const shown = (user, color, list, isSecret) =>
  ({ asked: ['show'], final: { user, color, list, isSecret } });

const table = [
  { asked: ['progress'], sends: [['progressed', { pct: 50 }], ['progress', { pct: 100 }]],
    final: { done: true } },
  { asked: ['list'], final: [1, [], { a: null }] },
  { asked: ['nothing'], sends: [['nothing', {}]], final: {} },
  { asked: ['refuse'], final: { error: 'Told to fail', status: { code: 418 } } },
  { asked: ['twice'], final: { n: 1 } },
  { asked: ['nobody'], fails: noHandler('nobody') },
  shown(null, null, null, false),
  { asked: ['change'], final: { ok: true }, session: { user: USER, color: 'red', list: LIST },
    secret: [...own, 'user'] },
  shown(USER, 'red', LIST, true),
  { asked: ['changeInside'], final: { ok: true }, session: { list: [...LIST, 'more'] } },
  { asked: ['changeRefused'], final: { error: 'Told to fail' } },
  shown(USER, 'red', [...LIST, 'more'], true),
  { asked: ['crash'], fails: crashed },
  { asked: ['crashAfterSend'], sends: [['crashAfterSend', { step: 1 }]], fails: crashed },
  shown(USER, 'red', [...LIST, 'more'], true),
  { asked: ['list'], final: [1, [], { a: null }] },
  { asked: ['publish'], final: { isSecret: false }, secret: own },
  shown(USER, 'red', [...LIST, 'more'], false),
  { asked: ['forget'], final: { ok: true }, session: { color: undefined } },
  { asked: ['lengthen'], final: { ok: true }, session: { timeout: 900, authenticated: true } },
  { asked: ['twice'], final: { n: 1 } },
  shown(USER, null, [...LIST, 'more'], false)
];

export const programs = { login, table };

/* The cases with the whole session that must be there after each. */
export function expectations(cases) {
  let session = firstSession, secret = own;

  return cases.map((one) => {
    session = withoutUndefined({ ...session, ...one.session });
    secret = one.secret ?? secret;
    return {
      asked: one.asked, notInStock: one.notInStock ?? false,
      seen: {
        sends: one.sends ?? [], final: one.fails ? { error: one.fails.error } : one.final,
        code: one.fails?.code, session, secret: [...secret].sort()
      }
    };
  });
}

function withoutUndefined(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
