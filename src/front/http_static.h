/* SPDX-License-Identifier: ISC */
/*
 * Files named one by one in "static".
 */
#ifndef FRONT_HTTP_STATIC_H
#define FRONT_HTTP_STATIC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "codec/http_parse.h"
#include "conf/conf.h"

struct http_service;
struct http_static;

/* The files of the configuration, which is borrowed. */
struct http_static		*http_static_new(const struct conf *);
void				 http_static_free(struct http_static *);

/* Entries with a file. */
const struct http_service	*http_static_files(const struct http_static *);

/* The entry whose path is this one, byte for byte; NULL: none. */
const struct conf_static	*http_static_find(const struct conf *, struct http_text path);

/* Appends the whole file; false if it cannot be read (errno), or is above 64 MB. */
bool				 http_static_read(const struct conf_static *, struct buf *content);

/* The media type by the file's ending. */
const char			*http_static_type(const struct conf_static *);

#endif
