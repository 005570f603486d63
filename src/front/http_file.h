/* SPDX-License-Identifier: ISC */
/*
 * One file as an answer: its type, its validators, a range of it (RFC 9110 sections 8, 13
 * and 14).
 */
#ifndef FRONT_HTTP_FILE_H
#define FRONT_HTTP_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "codec/http_parse.h"

struct http_exchange;

/* Answers a GET or HEAD with this regular file; takes fd.  name tells the type. */
void		 http_file_serve(struct http_exchange *, int fd, const struct stat *,
		    const char *name);

/* The media type by the ending of a name. */
const char	*http_file_type(const char *name);

/* A strong entity tag with its quotes: the file that was changed gets another one. */
#define HTTP_FILE_TAG_LEN 70
void		 http_file_tag(const struct stat *, char out[HTTP_FILE_TAG_LEN + 1]);

/* Has the client this version of the file already, by what it says in its head? */
bool		 http_file_is_fresh(const struct http_head *, const struct stat *);

/* What is asked of a file. */
enum http_file_part {
	HTTP_FILE_WHOLE,
	HTTP_FILE_RANGE,
	HTTP_FILE_BEYOND,		/* the range is not in it */
};

/* The part that is asked for; len bytes from *at on.  What cannot be read asks for the whole. */
enum http_file_part	 http_file_part(const struct http_head *, const struct stat *,
			    uint64_t *at, uint64_t *len);

#endif
