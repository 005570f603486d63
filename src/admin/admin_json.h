/* SPDX-License-Identifier: ISC */
/*
 * Writing objects and arrays of JSON: commas come by themselves.
 *
 * A name is NULL for what is in an array and for the outermost value.
 */
#ifndef ADMIN_ADMIN_JSON_H
#define ADMIN_ADMIN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void	admin_json_open(struct buf *, const char *name, char bracket);	/* '{' or '[' */
void	admin_json_close(struct buf *, char bracket);			/* '}' or ']' */

void	admin_json_text(struct buf *, const char *name, const char *text);	/* NULL: null */
void	admin_json_bytes(struct buf *, const char *name, const char *text, size_t len);
void	admin_json_u64(struct buf *, const char *name, uint64_t);
void	admin_json_limit(struct buf *, const char *name, uint64_t);	/* CONF_NO_LIMIT: null */
void	admin_json_bool(struct buf *, const char *name, bool);

/*
 * What stands from this place on is a peer's JSON: its line breaks, which are between tokens,
 * become blanks, for a line of ours ends with one.
 */
void	admin_json_one_line(struct buf *, size_t from);

#endif
