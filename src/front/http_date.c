/* SPDX-License-Identifier: ISC */
/*
 * strftime() and strptime(), held to one form; the daemon is in the C locale.
 */
#include "front/http_date.h"

#include <string.h>

static const char form[] = "%a, %d %b %Y %H:%M:%S GMT";

void
http_date_format(time_t t, char out[HTTP_DATE_LEN + 1])
{
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -900 || tm.tm_year > 8099) {
		t = 0;	/* a year that does not have four digits */
		gmtime_r(&t, &tm);
	}
	strftime(out, HTTP_DATE_LEN + 1, form, &tm);
}

bool
http_date_parse(struct http_text text, time_t *t)
{
	char exact[HTTP_DATE_LEN + 1], again[HTTP_DATE_LEN + 1];
	struct tm tm = { 0 };

	if (text.len != HTTP_DATE_LEN)
		return false;
	memcpy(exact, text.p, HTTP_DATE_LEN);
	exact[HTTP_DATE_LEN] = '\0';
	if (strptime(exact, form, &tm) == NULL)
		return false;
	*t = timegm(&tm);
	http_date_format(*t, again);	/* not the 31st of February, nor a wrong weekday */
	return strcmp(exact, again) == 0;
}
