/* SPDX-License-Identifier: ISC */
/*
 * Addresses of clients, and what they say about them: by the lists of their listener.
 */
#include "front/client.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/compiler.h"
#include "codec/http_parse.h"
#include "codec/proxy_v2.h"

_Static_assert(ADDRESS_TEXT_MAX <= ADDRESS_MAX, "an address fits");

/* A proxy that forgets to say for whom it asks must not make nodes of all its clients. */
static void
note_address(struct client *c)
{
	const struct conf_listener *l = c->listener;

	c->is_trusted = l->n_proxies > 0 && address_is_in(c->address, l->proxies, l->n_proxies);
	if (l->n_nodes > 0)
		c->is_node = !c->is_trusted && address_is_in(c->address, l->nodes, l->n_nodes);
	else
		c->is_node = l->audience == CONF_FOR_NODES;
}

size_t
client_size(const struct client *c)
{
	return offsetof(struct client, label) + strlen(c->label) + 1;
}

void
client_init(struct client *c, const struct conf_listener *l, uint64_t number, const char *address,
    const char *address_port)
{
	*c = (struct client){ .listener = l };
	snprintf(c->label, sizeof(c->label), "C-%llu %s", (unsigned long long)number,
	    address_port);
	snprintf(c->address, sizeof(c->address), "%s", address);
	c->scheme = l->n_tls > 0 ? CLIENT_HTTPS : CLIENT_ANY_SCHEME;
	note_address(c);
}

bool
client_may_come_in(const struct client *c)
{
	return c->is_node || c->listener->audience != CONF_FOR_NODES;
}

/* "C-17 10.0.0.1:5512" becomes "C-17 203.0.113.9 via 10.0.0.1:5512". */
static void
set_address(struct client *c, const char *address)
{
	char before[sizeof(c->label)], *peer;

	memcpy(before, c->label, sizeof(before));
	peer = strchr(before, ' ');
	if (strstr(before, " via ") != NULL)
		peer = strstr(before, " via ") + 4;
	snprintf(c->label, sizeof(c->label), "%.*s %s via %s",
	    (int)strcspn(before, " "), before, address, peer != NULL ? peer + 1 : "");
	snprintf(c->address, sizeof(c->address), "%s", address);
	note_address(c);
}

void
client_set_proxied(struct client *c, const struct proxy_v2 *header)
{
	if (!header->has_address)
		return;
	if (header->is_tls)
		c->scheme = CLIENT_HTTPS;
	set_address(c, header->address);
}

/* Cuts the last word off a list with commas; false: there is none. */
static bool
take_last(struct http_text *list, struct http_text *word)
{
	const char *comma;

	if (list->len == 0)
		return false;
	comma = memrchr(list->p, ',', list->len);
	word->p = comma != NULL ? comma + 1 : list->p;
	word->len = list->len - (size_t)(word->p - list->p);
	list->len = comma != NULL ? (size_t)(comma - list->p) : 0;
	while (word->len > 0 && (word->p[0] == ' ' || word->p[0] == '\t')) {
		word->p++;
		word->len--;
	}
	while (word->len > 0 && (word->p[word->len - 1] == ' ' || word->p[word->len - 1] == '\t'))
		word->len--;
	return true;
}

static void
set_scheme(struct client *c, struct http_text list)
{
	struct http_text word;

	if (!take_last(&list, &word))
		return;
	if (http_text_is(word, "https") || http_text_is(word, "wss"))
		c->scheme = CLIENT_HTTPS;
	else if (http_text_is(word, "http") || http_text_is(word, "ws"))
		c->scheme = CLIENT_HTTP;
}

/* false: the way back ends here. */
static bool
go_back(struct client *c, const char *trusted_address, char found[ADDRESS_TEXT_MAX],
    struct http_text word)
{
	const struct conf_listener *l = c->listener;

	if (!address_is_in(trusted_address, l->proxies, l->n_proxies))
		return false;
	return address_parse(word.p, word.len, found);
}

void
client_set_forwarded(struct client *c, const struct http_head *head)
{
	char address[ADDRESS_MAX], found[ADDRESS_TEXT_MAX];
	bool is_forwarded = false, goes_on = true;

	snprintf(address, sizeof(address), "%s", c->address);
	/* Several fields of a name are one list, in their order. */
	for (size_t i = head->n_fields; i-- > 0 && goes_on;) {
		struct http_text list = head->field[i].value, word;

		if (!http_text_is(head->field[i].name, "X-Forwarded-For"))
			continue;
		while (goes_on && take_last(&list, &word))
			if ((goes_on = go_back(c, address, found, word))) {
				memcpy(address, found, sizeof(found));
				is_forwarded = true;
			}
	}
	for (size_t i = head->n_fields; i-- > 0;)
		if (http_text_is(head->field[i].name, "X-Forwarded-Proto")) {
			set_scheme(c, head->field[i].value);
			break;
		}
	if (is_forwarded)
		set_address(c, address);
}
