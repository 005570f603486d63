/* SPDX-License-Identifier: ISC */
/*
 * Whom a push is for: {"socket":S}, {"application":A} or {"all":true}.
 */
#ifndef CODEC_PUSH_TARGET_H
#define CODEC_PUSH_TARGET_H

#include <stdbool.h>

#include "base/buf.h"
#include "codec/json_scan.h"

#define PUSH_TEXT_MAX 256	/* a socket id or an application with its NUL */

enum push_kind { PUSH_NONE, PUSH_SOCKET, PUSH_APPLICATION, PUSH_ALL };

struct push_target {
	enum push_kind kind;
	char text[PUSH_TEXT_MAX];	/* the socket or the application */
};

/* false: v, in text, is none of the three, or its text is too long. */
bool	push_target_decode(struct push_target *, const char *text, struct json_value v);
void	push_target_encode(struct buf *, const struct push_target *);

#endif
