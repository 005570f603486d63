// SPDX-License-Identifier: ISC
// A client of usher, for pages and for Node.

/** What is known of one message type. */
export interface MessageType {
	/** The arguments of a call; none if left out. */
	params?: unknown;
	/** The final reply; `any` if left out. */
	reply?: unknown;
	/** An intermediate reply; `any` if left out. */
	progress?: unknown;
}

/** The message types of an application, by name: an interface of your own. */
export type MessageTypes<M> = { [T in keyof M]: MessageType };

/** The message types of an application of which nothing is known. */
export interface AnyMessages {
	[type: string]: { params: any; reply: any; progress: any };
}

type TypeName<M> = Extract<keyof M, string>;
type Member<T, K extends keyof MessageType, Else> = K extends keyof T ? T[K] : Else;
type ParamsOf<M, T extends keyof M> = Member<M[T], "params", undefined>;
type ReplyOf<M, T extends keyof M> = Member<M[T], "reply", any>;
type ProgressOf<M, T extends keyof M> = Member<M[T], "progress", any>;
type Arguments<P> = undefined extends P ?
    [params?: P, options?: CallOptions] : [params: P, options?: CallOptions];

/** Whether the handler has run, as far as is known. `"no"`: calling again is safe. */
export type Ran = "no" | "maybe" | "yes";

/** Codes of usher's own errors, and those of the client: `application_error`, `closed`. */
export type ErrorCode =
    | "application_error" | "bad_message" | "cancelled" | "closed" | "handler_error" | "internal"
    | "invalid_token" | "link_down" | "link_lost" | "loop" | "method_not_allowed" | "no_handler"
    | "no_route" | "no_token" | "not_allowed" | "overloaded" | "reply_too_big" | "session_revoked"
    | "stopping" | "timeout" | "token_expired" | "too_big" | "too_many" | "worker_lost"
    | (string & {});

/** How a call fails; an aborted one fails with its signal's reason, an `AbortError` by default. */
export class UsherError extends Error {
	constructor(text: string, members?: {
		code?: ErrorCode; ran?: Ran; status?: number; by?: string; request?: string;
		retryAfterMs?: number; details?: unknown;
	});
	readonly name: "UsherError";
	/** What went wrong.  `application_error`: the handler itself answered with an `error`. */
	readonly code: ErrorCode;
	readonly ran: Ran;
	/** What it would be as a status of HTTP. */
	readonly status?: number;
	/** The node that made the error. */
	readonly by?: string;
	/** The request's name in the nodes' logs. */
	readonly request?: string;
	/** How long to wait before calling again, where the server says so. */
	readonly retryAfterMs?: number;
	/** The whole reply, with whatever else a handler put beside its `error`. */
	readonly details?: any;
}

export interface CallOptions {
	/** Cancels the call, at the handler too. */
	signal?: AbortSignal;
	/** Milliseconds for all of it, waiting for a connection included. */
	deadline?: number;
	/** More members of the message, beside `params`; door `qewd` only. */
	fields?: Record<string, unknown>;
}

/** The promise of the final reply, and what happens before. */
export interface Call<Reply = any, Progress = any> extends Promise<Reply> {
	/** Tells the call from all others of this client. */
	readonly id: string;
	/**
	 * The intermediate replies, from the first on, each given once; the iteration ends with the
	 * call and throws what it fails with.  Leaving it early does not touch the call.
	 */
	readonly progress: AsyncIterable<Progress>;
	/** Ends the call, at the handler too, with `reason` or an `AbortError`. */
	cancel(reason?: unknown): void;
}

/** The intermediate replies of a call.  Leaving the iteration early cancels the call. */
export interface Stream<Reply = any, Progress = any> extends AsyncIterable<Progress> {
	readonly id: string;
	readonly final: Promise<Reply>;
	cancel(reason?: unknown): void;
}

/** Where the token outlives the page.  All three may be asynchronous. */
export interface TokenStorage {
	get(): string | null | undefined | Promise<string | null | undefined>;
	set(token: string): void | Promise<void>;
	clear(): void | Promise<void>;
}

/** A storage in `localStorage` or `sessionStorage`, under `key` (`usher-token`). */
export function webStorage(storage: {
	getItem(key: string): string | null;
	setItem(key: string, value: string): void;
	removeItem(key: string): void;
}, key?: string): TokenStorage;

/** What the client needs of a socket of socket.io-client, of any version. */
export interface SocketLike {
	connected: boolean;
	on(...eventAndListener: any[]): unknown;
	off(...eventAndListener: any[]): unknown;
	emit(...eventAndValues: any[]): unknown;
}

export interface ConnectOptions {
	/** The application that messages are for. */
	application: string;
	/** `qewd` (default): QEWD's messages.  `events`: plain Socket.IO, `APPLICATION/TYPE`. */
	door?: "qewd" | "events";
	/** The `io` function of socket.io-client, if it is not to be the one installed beside. */
	io?: (url: string, options?: any) => unknown;
	/** More options for it, such as `transports` (default `["websocket"]`) and `path`. */
	socketOptions?: Record<string, unknown>;
	/** Milliseconds for each call that does not say otherwise (65,000); `Infinity`: none. */
	deadline?: number;
	/** The token to begin with; default: the storage's, or a new session. */
	token?: string;
	/** Where the token is kept besides; default: nowhere. */
	storage?: TokenStorage;
	/** Bytes of a message above which it is not sent (1,000,000, the server's default). */
	maxMessage?: number;
	/** Calls that may wait for a connection (1,000). */
	maxWaiting?: number;
}

export interface UsherEvents {
	/** Calls are served.  `resumed`: the session goes on; else it is a new one. */
	connect: (info: { resumed: boolean }) => void;
	disconnect: (reason: string) => void;
	/** The session has ended, and a new one begins: nobody is logged in any more. */
	lost: (error: UsherError) => void;
	/** There is another token; `undefined`: none. */
	token: (token: string | undefined) => void;
	/** The server sends what nobody asked for. */
	push: (type: string, message: any) => void;
	/** What no call can tell: a refused registration, a storage that fails. */
	error: (error: Error) => void;
}

export interface Usher<M extends MessageTypes<M> = AnyMessages> {
	call<T extends TypeName<M>>(type: T, ...rest: Arguments<ParamsOf<M, T>>):
	    Call<ReplyOf<M, T>, ProgressOf<M, T>>;
	stream<T extends TypeName<M>>(type: T, ...rest: Arguments<ParamsOf<M, T>>):
	    Stream<ReplyOf<M, T>, ProgressOf<M, T>>;
	/** Gives the function that takes the listener away again. */
	on<E extends keyof UsherEvents>(event: E, listener: UsherEvents[E]): () => void;
	off<E extends keyof UsherEvents>(event: E, listener: UsherEvents[E]): void;
	/** When calls are served. */
	ready(): Promise<void>;
	/** Whether calls are served now; if not, they wait. */
	readonly connected: boolean;
	readonly token: string | undefined;
	/** What the token says in public; `undefined` without one. */
	readonly claims: Record<string, any> | undefined;
	readonly socket: any;
	/** Forgets the token and begins a new session: a logout. */
	reset(): Promise<void>;
	/** Open calls fail with code `closed`.  A socket that was brought along stays open. */
	close(): void;
}

/** Connects to a URL, or uses a socket of socket.io-client that there is. */
export function connect<M extends MessageTypes<M> = AnyMessages>(
    target: string | URL | SocketLike, options: ConnectOptions): Usher<M>;
