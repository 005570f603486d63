/* SPDX-License-Identifier: ISC */
/*
 * Times as HTTP writes them (RFC 9110 section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
 */
#ifndef FRONT_HTTP_DATE_H
#define FRONT_HTTP_DATE_H

#include <stdbool.h>
#include <time.h>

#include "codec/http_parse.h"

#define HTTP_DATE_LEN 29

void	http_date_format(time_t, char out[HTTP_DATE_LEN + 1]);

/* Of this form; the two obsolete ones are not read. */
bool	http_date_parse(struct http_text, time_t *);

#endif
