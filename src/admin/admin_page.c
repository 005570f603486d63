/* SPDX-License-Identifier: ISC */
/*
 * page.html, with a nonce in it, and the JSON that it asks for.
 */
#include "admin/admin_page.h"

#include <string.h>

#include "admin/admin_commands.h"
#include "admin/admin_view.h"
#include "base/buf.h"
#include "base/compiler.h"

#define PLACE "@NONCE@"

static const char page[] =
#include "admin/page.h"
;

void
admin_page_write(struct buf *b, const char *nonce)
{
	const char *at = page, *place;

	while ((place = strstr(at, PLACE)) != NULL) {
		buf_add(b, at, (size_t)(place - at));
		buf_add_str(b, nonce);
		at = place + strlen(PLACE);
	}
	buf_add_str(b, at);
}

void
admin_page_add_policy(struct buf *b, const char *nonce)
{
	buf_printf(b, "Content-Security-Policy: default-src 'none'; script-src 'nonce-%s'; "
	    "style-src 'nonce-%s'; connect-src 'self'; img-src data:; base-uri 'none'; "
	    "form-action 'none'; frame-ancestors 'none'\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Referrer-Policy: no-referrer\r\n", nonce, nonce);
}

/* {"status":{...}} and the lists of the others, whose names are all different. */
void
admin_page_write_status(const struct admin_view *v, struct buf *b)
{
	static const char *const lists[] = { "routes", "links", "pools", "errors" };

	admin_hold(v);
	buf_add_str(b, "{\"status\":");
	admin_commands_look(v, "status", b);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct buf one = { 0 };

		admin_commands_look(v, lists[i], &one);
		buf_add_char(b, ',');
		buf_add(b, one.data + 1, one.len - 2);	/* without its braces */
		buf_free(&one);
	}
	buf_add_str(b, "}\n");
	admin_release(v);
}
