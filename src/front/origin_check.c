/* SPDX-License-Identifier: ISC */
/*
 * Origins compared as scheme, host and port.
 */
#include "front/origin_check.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "conf/conf.h"
#include "front/client.h"
#include "front/http_exchange.h"

struct parts {
	struct http_text scheme, host, port;
};

static bool
same(struct http_text a, struct http_text b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

/* "host", "host:port" or "[v6]:port"; a port that is the scheme's own counts as absent. */
static struct parts
split_host(struct http_text scheme, struct http_text authority)
{
	struct parts parts = { .scheme = scheme, .host = authority };
	const char *colon = NULL;

	for (size_t i = authority.len; i > 0 && authority.p[i - 1] != ']'; i--)
		if (authority.p[i - 1] == ':') {
			colon = authority.p + i - 1;
			break;
		}
	if (colon != NULL) {
		parts.host.len = (size_t)(colon - authority.p);
		parts.port.p = colon + 1;
		parts.port.len = authority.len - parts.host.len - 1;
	}
	if ((http_text_is(scheme, "http") && http_text_is(parts.port, "80")) ||
	    (http_text_is(scheme, "https") && http_text_is(parts.port, "443")))
		parts.port.len = 0;
	return parts;
}

static bool
split(struct http_text origin, struct parts *parts)
{
	const char *sep = memmem(origin.p, origin.len, "://", 3);
	struct http_text scheme, authority;

	if (sep == NULL)
		return false;
	scheme.p = origin.p;
	scheme.len = (size_t)(sep - origin.p);
	authority.p = sep + 3;
	authority.len = origin.len - scheme.len - 3;
	if (authority.len == 0 || memchr(authority.p, '/', authority.len) != NULL ||
	    memchr(authority.p, '@', authority.len) != NULL)
		return false;
	*parts = split_host(scheme, authority);
	return true;
}

/*
 * A name, or a numeric address in brackets.  Browsers send nothing else; what two readers could
 * take for two hosts is none.
 */
static bool
is_host(struct http_text host)
{
	bool is_v6 = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';

	if (host.len == 0 || host.p[0] == '.' || host.p[host.len - 1] == '.')
		return false;
	for (size_t i = is_v6; i < host.len - is_v6; i++) {
		char c = host.p[i];

		if ((c == '.' && host.p[i - 1] == '.') || (!isalnum((unsigned char)c) &&
		    strchr(is_v6 ? ":." : ".-_", c) == NULL))
			return false;
	}
	return true;
}

static bool
host_fits(struct http_text pattern, struct http_text host)
{
	size_t tail;

	if (pattern.len < 2 || memcmp(pattern.p, "*.", 2) != 0)
		return same(pattern, host);
	tail = pattern.len - 1;	/* ".example.org" */
	return host.len > tail &&
	    strncasecmp(host.p + host.len - tail, pattern.p + 1, tail) == 0;
}

/* Other schemes are not pages of a web server: an app's "app://localhost" is not ours. */
static bool
is_scheme(struct http_text scheme, enum client_scheme came_by)
{
	return (came_by != CLIENT_HTTPS && http_text_is(scheme, "http")) ||
	    (came_by != CLIENT_HTTP && http_text_is(scheme, "https"));
}

static bool
is_own(const struct parts *o, const struct http_text *host, enum client_scheme came_by)
{
	struct parts own;

	if (host == NULL || !is_scheme(o->scheme, came_by))
		return false;
	own = split_host(o->scheme, *host);
	return same(own.host, o->host) && same(own.port, o->port);
}

bool
origin_check(struct http_text origin, const struct http_text *host, enum client_scheme came_by,
    char *const *list, size_t n)
{
	struct parts o, entry;

	if (!split(origin, &o) || !is_host(o.host))
		return false;
	if (is_own(&o, host, came_by))
		return true;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], "*") == 0)
			return true;
		if (split((struct http_text){ list[i], strlen(list[i]) }, &entry) &&
		    same(entry.scheme, o.scheme) &&
		    (http_text_is(entry.port, "*") || same(entry.port, o.port)) &&
		    host_fits(entry.host, o.host))
			return true;
	}
	return false;
}

bool
origin_is_clean(const struct http_head *head)
{
	size_t n;
	const struct http_text *origin = http_find(head, "Origin", &n);

	for (size_t i = 0; origin != NULL && i < origin->len; i++)
		if ((unsigned char)origin->p[i] <= 0x20 || (unsigned char)origin->p[i] >= 0x7f)
			return false;
	return n <= 1;
}

bool
origin_is_permitted(const struct http_head *head, const struct client *client)
{
	const struct conf_listener *l = client->listener;
	const struct http_text *origin = http_find(head, "Origin", NULL);

	return origin == NULL || (!client->is_node && origin_is_clean(head) &&
	    origin_check(*origin, http_find(head, "Host", NULL), client->scheme, l->origins,
	    l->n_origins));
}

/* Old clients send credentials, so that the origin must be named. */
bool
origin_allow_headers(struct buf *b, const struct http_head *head, const struct client *client)
{
	const struct http_text *origin = http_find(head, "Origin", NULL);

	if (origin == NULL)
		return false;
	buf_add_str(b, "Vary: Origin\r\n");
	if (!origin_is_permitted(head, client))
		return false;
	buf_printf(b, "Access-Control-Allow-Origin: %.*s\r\n"
	    "Access-Control-Allow-Credentials: true\r\n", (int)origin->len, origin->p);
	return true;
}

void
origin_refuse_body(struct http_exchange *x, int status, const char *text, void *arg UNUSED)
{
	struct buf extra = { 0 };

	origin_allow_headers(&extra, http_exchange_head(x), http_exchange_client(x));
	http_exchange_refuse(x, status, buf_str(&extra), text);
	buf_free(&extra);
}
