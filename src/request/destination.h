/* SPDX-License-Identifier: ISC */
/*
 * The seam towards whatever can serve a request: a pool of worker processes, the
 * links to a remote application, later a back-end of another kind.
 */
#ifndef REQUEST_DESTINATION_H
#define REQUEST_DESTINATION_H

#include <stdint.h>

#include "base/err.h"

struct destination;
struct request;

struct destination_ops {
	/*
	 * Serve it: any number of request_reply(), then one request_finish() or
	 * request_fail(), now or later.
	 */
	void (*submit)(struct destination *, struct request *);
	/* The request is over (why: its deadline, a cancellation): forget it. */
	void (*cancel)(struct destination *, struct request *, enum err why);
	/* For those who look on: what request->served_by is, and its name.  May be NULL. */
	const char *server_kind;
	const char *(*server_name)(const struct request *);
};

/* First member of everything that is one. */
struct destination {
	const struct destination_ops *ops;
	const char *name;		/* borrowed from the configuration */
	const char *application;	/* its name there; borrowed */
	uint64_t timeout_ms;		/* 0: timeouts.request counts */
};

#endif
