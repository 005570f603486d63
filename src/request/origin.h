/* SPDX-License-Identifier: ISC */
/*
 * The seam towards whoever asks: a browser's socket, a remote node, later a REST
 * caller or a queue.
 */
#ifndef REQUEST_ORIGIN_H
#define REQUEST_ORIGIN_H

struct reply;
struct request;

/*
 * Called by request.c alone.  Any number of on_reply, then exactly one on_final, after
 * which the request is gone; neither is called after request_leave().
 */
struct origin_ops {
	void (*on_reply)(struct request *, const struct reply *, void *arg);
	void (*on_final)(struct request *, const struct reply *, void *arg);
	/* One of both may be near: what it touches can be fetched.  May be NULL. */
	void (*fetch)(const void *arg);
};

#endif
