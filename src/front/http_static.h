/* SPDX-License-Identifier: ISC */
/*
 * The files of "static": single ones, and folders with all that is in them.
 */
#ifndef FRONT_HTTP_STATIC_H
#define FRONT_HTTP_STATIC_H

#include <stdbool.h>
#include <stddef.h>

#include "codec/http_parse.h"
#include "conf/conf.h"

struct http_service;
struct http_static;

/* Holds the configuration.  Folders are opened here, and stay the same from now on. */
struct http_static		*http_static_new(struct conf *);
/* Each serves what the other did; their services stay. */
void				 http_static_swap(struct http_static *, struct http_static *);
void				 http_static_free(struct http_static *);

/*
 * Two services, since what is served inside a folder's path comes between them: entries
 * with a file, and those with a folder.
 */
const struct http_service	*http_static_files(const struct http_static *);
const struct http_service	*http_static_roots(const struct http_static *);

#define HTTP_STATIC_PATH_MAX 4096

/*
 * The percent-decoded path, if a file may be served by it: no segment is empty (but behind
 * the last slash), "." or "..", or hidden (begins with a dot; ".well-known" is not), none holds a
 * slash, a backslash or a control character.
 */
bool				 http_static_path(struct http_text, char out[HTTP_STATIC_PATH_MAX]);

/* The entry with a file for exactly this path; NULL: none. */
const struct conf_static	*http_static_find_file(const struct conf *, const char *path);

/*
 * The entry with the folder that this path is in, the one with the longest path; *inside is
 * what is below it, without a slash in front.  NULL: none.
 */
const struct conf_static	*http_static_find_root(const struct conf *, const char *path,
				    const char **inside);

#endif
