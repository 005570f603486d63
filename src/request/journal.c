/* SPDX-License-Identifier: ISC */
/*
 * A table of routes, a ring of requests and a ring of errors.
 *
 * Errors cost more than the rest: their text is read.  They are to be rare.
 */
#include "request/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "request/reply.h"
#include "request/request.h"

#define ENTRIES 4096	/* both are powers of two */
#define ERRORS	512

struct journal {
	struct journal_route *routes;
	size_t n_routes;
	struct strmap *by_name;		/* -> its number + 1 */
	struct journal_entry *entry;	/* a ring */
	uint64_t n_entries;		/* written so far */
	struct journal_error *error;	/* a ring */
	uint64_t n_errors;
	struct journal_node nodes[JOURNAL_NODES_MAX];
	size_t n_nodes;
};

static unsigned
add_route(struct journal *j, const char *name)
{
	j->routes = xreallocarray(j->routes, j->n_routes + 1, sizeof(*j->routes));
	memset(&j->routes[j->n_routes], 0, sizeof(*j->routes));
	j->routes[j->n_routes].name = xstrdup(name);
	return (unsigned)j->n_routes++;
}

struct journal *
journal_new(void)
{
	struct journal *j = xcalloc(1, sizeof(*j));

	j->by_name = strmap_new();
	j->entry = xcalloc(ENTRIES, sizeof(*j->entry));
	j->error = xcalloc(ERRORS, sizeof(*j->error));
	journal_route(j, "none");
	journal_route(j, "registration");
	return j;
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->n_routes; i++)
		free(j->routes[i].name);
	free(j->routes);
	strmap_free(j->by_name, NULL);
	free(j->entry);
	free(j->error);
	free(j);
}

unsigned
journal_route(struct journal *j, const char *name)
{
	const void *known;
	unsigned number;

	if (j == NULL)
		return JOURNAL_NO_ROUTE;
	if ((known = strmap_find(j->by_name, name, strlen(name))) != NULL)
		return (unsigned)(uintptr_t)known - 1;
	if (j->n_routes >= JOURNAL_ROUTES_MAX)
		return JOURNAL_NO_ROUTE;
	number = add_route(j, name);
	*strmap_at(j->by_name, name, strlen(name)) = (void *)(uintptr_t)(number + 1);
	return number;
}

/* ---- the end of a request ---- */

static void
copy(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

static void
copy_text(char *to, size_t size, const char *from)
{
	copy(to, size, from, strlen(from));
}

static uint32_t
since(const struct request *r, uint64_t at_ms)
{
	return at_ms == 0 ? JOURNAL_NEVER : (uint32_t)(at_ms - r->begun_ms);
}

static void
add_entry(struct journal *j, const struct request *r, const struct reply *final, unsigned route,
    uint32_t took)
{
	struct journal_entry *e = &j->entry[j->n_entries++ % ENTRIES];

	/* All have the room for it (request.h): copies of a known size take a few moves. */
	memcpy(e->id, r->name, sizeof(e->id));
	memcpy(e->type, r->type, sizeof(e->type));
	e->type[r->type_len < sizeof(e->type) ? r->type_len : sizeof(e->type) - 1] = '\0';
	if (r->server != NULL)
		memcpy(e->server, r->server, sizeof(e->server));
	else
		e->server[0] = '\0';
	e->server[sizeof(e->server) - 1] = '\0';
	e->is_token_checked = r->token != NULL;
	e->is_away = r->is_away;
	e->is_awaited = r->origin != NULL;
	e->is_error = final->is_error;
	e->err = (unsigned char)final->err;
	e->route = (uint16_t)route;
	e->begun_ms = r->begun_ms;
	e->submitted = since(r, r->submitted_ms);
	e->queued = since(r, r->queued_ms);
	e->unqueued = since(r, r->unqueued_ms);
	e->replied = since(r, r->replied_ms);
	e->ended = took;
	e->n_replies = r->n_replies;
	e->bytes_in = (uint32_t)r->env.len;
	e->bytes_out = final->message.end - final->message.start;
	/* The ring is larger than a cache: the next place is fetched while others work. */
	e = &j->entry[j->n_entries % ENTRIES];
	for (size_t at = 0; at < sizeof(*e); at += 64)
		__builtin_prefetch((const char *)e + at, 1);
}

static void
count_node(struct journal *j, const char *name)
{
	size_t i;

	for (i = 0; i < j->n_nodes; i++)
		if (strcmp(j->nodes[i].name, name) == 0)
			break;
	if (i == JOURNAL_NODES_MAX)
		i--;
	if (i == j->n_nodes) {
		copy_text(j->nodes[i].name, sizeof(j->nodes[i].name),
		    i + 1 < JOURNAL_NODES_MAX ? name : "others");
		j->n_nodes++;
	}
	j->nodes[i].errors++;
}

/* A member of the message of an error; nothing if it is no string. */
static void
read_member(char *to, size_t size, const struct reply *final, const char *name)
{
	struct json_value v = json_member_of(final->text, final->message, name);
	struct buf text = { 0 };

	if (json_string_get(final->text, v, &text))
		copy(to, size, text.data != NULL ? text.data : "", text.len);
	buf_free(&text);
}

/* By its code: an error that another node made is known by that as well. */
static enum err
err_of(const struct reply *final)
{
	char code[32] = "";

	if (final->err != 0 || final->message.kind != JSON_OBJECT)
		return final->err;
	read_member(code, sizeof(code), final, "code");
	for (int i = 1; i < ERR_N; i++)
		if (err_http_status((enum err)i) != 0 && strcmp(code, err_code((enum err)i)) == 0)
			return (enum err)i;
	return JOURNAL_RELAYED;
}

static RARE void
add_error(struct journal *j, const struct request *r, const struct reply *final, unsigned route)
{
	struct journal_error *e = &j->error[j->n_errors++ % ERRORS];

	memset(e, 0, sizeof(*e));
	e->wall_ms = clock_wall_ms();
	e->err = err_of(final);
	e->route = (uint16_t)route;
	memcpy(e->id, r->name, sizeof(e->id));
	copy(e->type, sizeof(e->type), r->type, r->type_len);
	if (r->server != NULL)
		copy_text(e->server, sizeof(e->server), r->server);
	if (e->err != JOURNAL_RELAYED) {
		read_member(e->node, sizeof(e->node), final, "by");
		read_member(e->text, sizeof(e->text), final, "error");
	}
	if (e->node[0] == '\0')
		copy_text(e->node, sizeof(e->node), final->is_local ? r->all->node :
		    r->destination != NULL ? r->destination->name : "unknown");
	j->routes[route].errors[e->err]++;
	count_node(j, e->node);
}

void
journal_end(struct journal *j, const struct request *r, const struct reply *final, uint64_t now_ms)
{
	unsigned route = r->route;
	uint32_t took = (uint32_t)(now_ms - r->begun_ms);

	if (route == JOURNAL_NO_ROUTE && r->destination == NULL && strncmp(r->type, "ewd-", 4) == 0)
		route = JOURNAL_REGISTRATION;
	histogram_add(&j->routes[route].took, took);
	if (r->unqueued_ms != 0)
		histogram_add(&j->routes[route].queued, r->unqueued_ms - r->queued_ms);
	add_entry(j, r, final, route, took);
	if (final->is_error)
		add_error(j, r, final, route);
}

/* ---- looking ---- */

size_t
journal_n_routes(const struct journal *j)
{
	return j != NULL ? j->n_routes : 0;
}

const struct journal_route *
journal_route_at(const struct journal *j, size_t i)
{
	return &j->routes[i];
}

const struct journal_route *
journal_find_route(const struct journal *j, const char *name)
{
	const void *known = j != NULL ? strmap_find(j->by_name, name, strlen(name)) : NULL;

	return known != NULL ? &j->routes[(uintptr_t)known - 1] : NULL;
}

void
journal_each(const struct journal *j, bool (*fn)(const struct journal_entry *, void *), void *arg)
{
	uint64_t n = j == NULL ? 0 : j->n_entries < ENTRIES ? j->n_entries : ENTRIES;

	for (uint64_t i = 1; i <= n; i++)
		if (!fn(&j->entry[(j->n_entries - i) % ENTRIES], arg))
			return;
}

void
journal_each_error(const struct journal *j, bool (*fn)(const struct journal_error *, void *),
    void *arg)
{
	uint64_t n = j == NULL ? 0 : j->n_errors < ERRORS ? j->n_errors : ERRORS;

	for (uint64_t i = 1; i <= n; i++)
		if (!fn(&j->error[(j->n_errors - i) % ERRORS], arg))
			return;
}

size_t
journal_nodes(const struct journal *j, const struct journal_node **nodes)
{
	*nodes = j != NULL ? j->nodes : NULL;
	return j != NULL ? j->n_nodes : 0;
}
