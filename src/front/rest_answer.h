/* SPDX-License-Identifier: ISC */
/*
 * What a final reply is over HTTP: status, header lines and body (protocol reference
 * section 12.3).
 */
#ifndef FRONT_REST_ANSWER_H
#define FRONT_REST_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct reply;

/* Zero-initialised, it is empty. */
struct rest_answer {
	int status;
	struct buf type;		/* Content-Type that the handler chose; empty: JSON */
	struct buf extra;		/* header lines, each with CR LF */
	struct buf body;
};

/* How to make one. */
struct rest_style {
	bool errors_qewd;		/* QEWD's statuses and its bare error bodies */
	bool keeps_lists;		/* a list is the body; else it is {"results":[...]} */
	const char *node;		/* our name */
	const char *request;		/* id of the request */
	const char *token;		/* for the body, in place of what is there; NULL: none */
	size_t token_len;
};

/* A message as a member of a group's answer. */
struct rest_entry {
	struct buf message;		/* without its token */
	struct buf error;		/* the value of "error"; empty: it is none */
	int status;
};

void	rest_answer_from_reply(struct rest_answer *, const struct rest_style *,
	    const struct reply *);
void	rest_entry_from_reply(struct rest_entry *, const struct rest_style *,
	    const struct reply *);

/* An error that ends an HTTP request before it is a request of ours. */
void	rest_answer_from_error(struct rest_answer *, const struct rest_style *, enum err,
	    const char *text, int status);

void	rest_answer_cleanup(struct rest_answer *);
void	rest_entry_cleanup(struct rest_entry *);

#endif
