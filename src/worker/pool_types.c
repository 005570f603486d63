/* SPDX-License-Identifier: ISC */
/*
 * The types that the workers of a pool say they serve.
 */
#include "worker/pool_int.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/strmap.h"
#include "codec/handler_msg.h"
#include "conf/conf.h"

#define TYPES_SHOWN 400		/* bytes of the names of types in a line of the log */

/* A list of types as it is read. */
struct announced {
	struct strmap *types;
	size_t n_known;		/* how many of them were announced before */
	struct buf shown;	/* their names, as many as fit into a line of the log */
	size_t n_shown;
};

static void
add_type(struct announced *a, const struct strmap *before, const char *text, struct json_value v)
{
	struct buf name = { 0 };
	const char *key;
	void **place;

	json_string_get(text, v, &name);
	key = buf_str(&name);
	place = strmap_at(a->types, key, name.len);
	if (*place == NULL) {
		*place = a;
		a->n_known += before != NULL && strmap_find(before, key, name.len) != NULL;
		if (a->shown.len + name.len <= TYPES_SHOWN) {
			buf_printf(&a->shown, "%s%s", a->n_shown > 0 ? ", " : "", key);
			a->n_shown++;
		}
	}
	buf_free(&name);
}

/* The array was checked when the line was decoded. */
static void
read_types(struct announced *a, const struct strmap *before, const struct handler_msg *msg)
{
	struct json_value v;
	struct json_scan s;

	a->types = strmap_new();
	json_scan_init(&s, msg->text + msg->types.start, msg->types.end - msg->types.start, 2);
	(void)json_scan_take(&s, '[');
	while (json_scan_value(&s, &v)) {
		add_type(a, before, s.text, v);
		if (!json_scan_take(&s, ','))
			break;
	}
}

void
pool_set_types(struct pool *p, const struct handler_msg *msg)
{
	struct announced a = { 0 };
	size_t n, n_before = p->types != NULL ? strmap_count(p->types) : 0;

	if (msg->types.kind == JSON_ARRAY) {
		read_types(&a, p->types, msg);
		n = strmap_count(a.types);
		if (p->types == NULL || n != n_before || a.n_known != n)
			log_info("application %s: types: %s%s", p->conf->name,
			    n > 0 ? buf_str(&a.shown) : "none", a.n_shown < n ? ", ..." : "");
	} else if (p->types != NULL) {
		log_info("application %s: types: any", p->conf->name);
	}
	strmap_free(p->types, NULL);
	p->types = a.types;
	buf_free(&a.shown);
}

void
pool_each_type(const struct pool *p, void (*fn)(const char *, size_t, void *), void *arg)
{
	if (p->types != NULL)
		strmap_each_key(p->types, fn, arg);
}
