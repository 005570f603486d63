/* SPDX-License-Identifier: ISC */
/* The handlers of the benchmark for the C kit: what usher-null does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usher_handler.h>

#define TYPES 512

static void
echo(struct usher_request *r)
{
	static const char before[] = "{\"echo\":";
	const char *params = usher_get_json(r, usher_message(r), "params");
	size_t len;
	char *text;

	if (params == NULL)
		params = "null";
	len = sizeof(before) + strlen(params) + 1;
	if ((text = malloc(len)) == NULL)
		abort();
	snprintf(text, len, "%s%s}", before, params);
	usher_finish(r, text);
	free(text);
}

int
main(void)
{
	static char type[TYPES][16];

	for (int i = 0; i < TYPES; i++) {
		snprintf(type[i], sizeof(type[i]), "bench-%d", i);
		usher_handle(type[i], echo);
	}
	return usher_run();
}
