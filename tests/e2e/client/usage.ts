// SPDX-License-Identifier: ISC
// The declarations of the client, as a user meets them.  Nothing here runs: tsc must accept
// each line, and refuse each that is marked.
import { connect, webStorage, UsherError, type Call, type Ran, type Stream } from "@usher/client";
import { io, type Socket } from "socket.io-client";

interface Shop {
	login: { params: { username: string; password: string }; reply: { ok: boolean } };
	report: { params: { year: number }; reply: { rows: number[] }; progress: { percent: number } };
	ping: { reply: { at: string } };
	search: { params?: { text: string }; reply: string[] };
	anything: {};
}

const shop = connect<Shop>("https://shop.example.org", {
	application: "shop", storage: webStorage(sessionStorage), deadline: 5000, socketOptions: { path: "/x" }
});

export async function typed(): Promise<void> {
	const { ok } = await shop.call("login", { username: "rob", password: "secret" });
	const yes: boolean = ok;
	const call: Call<{ rows: number[] }, { percent: number }> = shop.call("report", { year: 2020 },
	    { signal: AbortSignal.timeout(10), deadline: Infinity, fields: { service: "x" } });
	for await (const { percent } of call.progress)
		percent.toFixed();
	(await call).rows.length;
	const stream: Stream<{ rows: number[] }, { percent: number }> = shop.stream("report", { year: 1 });
	for await (const step of stream)
		step.percent.toFixed();
	(await stream.final).rows.map((row) => row + 1);
	(await shop.call("ping")).at.trim();
	await shop.call("ping", undefined, { deadline: 1 });
	await shop.call("search");
	(await shop.call("search", { text: "x" })).join();
	(await shop.call("anything")).whatever();
	call.cancel();
	stream.cancel(new Error("enough"));
	void yes;

	// @ts-expect-error: no such type
	shop.call("logni", {});
	// @ts-expect-error: params are missing
	shop.call("login");
	// @ts-expect-error: a member is missing
	shop.call("login", { username: "rob" });
	// @ts-expect-error: a member is of another kind
	shop.call("report", { year: "2020" });
	// @ts-expect-error: the reply has no such member
	(await shop.call("ping")).on;
	// @ts-expect-error: no such option
	shop.call("ping", undefined, { timeout: 1 });
	// @ts-expect-error: no such event
	shop.on("pish", () => {});
	// @ts-expect-error: the application is missing
	connect("x", {});
	// @ts-expect-error: no such door
	connect("x", { application: "a", door: "back" });
}

export async function untyped(socket: Socket): Promise<void> {
	const usher = connect(socket, { application: "shop", door: "events" });
	const reply = await usher.call("whatever", { a: [1] });
	reply.anything.goes;
	await connect(new URL("https://x.example.org"), { application: "shop", io, token: "x" }).ready();
	const off = usher.on("lost", (error) => error.code === "token_expired");
	off();
	usher.on("connect", ({ resumed }) => resumed);
	usher.on("push", (type, message) => type.trim() + message.text);
	usher.claims?.userText;
	await usher.reset();
	usher.close();
}

interface Heard { news: (text: string) => void }
interface Said { ask: (text: string, done: (answer: number) => void) => void }
export const overTypedSocket = (socket: Socket<Heard, Said>) => connect(socket, { application: "shop" });

export function failed(error: unknown): string | undefined {
	if (!(error instanceof UsherError))
		return undefined;
	const ran: Ran = error.ran;
	if (ran === "no" && (error.code === "link_down" || error.code === "anything_else"))
		return `again in ${error.retryAfterMs ?? 1000} ms`;
	return `${error.message} ${error.status?.toFixed()} ${error.by} ${error.request} ${error.details.tip}`;
}
