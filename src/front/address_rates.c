/* SPDX-License-Identifier: ISC */
/*
 * A seeded table, and a list in the order of last use whose head is dropped as it gets old.
 */
#include "front/address_rates.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/ratelimit.h"
#include "base/strmap.h"
#include "base/xmalloc.h"
#include "conf/conf.h"

#define KEPT_MS 1000	/* after which a bucket is full */

struct rate {
	TAILQ_ENTRY(rate) by_use;
	struct ratelimit messages, bytes;
	uint64_t used_ms;
	char address[];
};

struct address_rates {
	pthread_mutex_t lock;			/* guards what follows */
	struct strmap *by_address;
	TAILQ_HEAD(rates, rate) by_use;		/* used last comes last */
	size_t n;
};

struct address_rates *
address_rates_new(void)
{
	struct address_rates *a = xcalloc(1, sizeof(*a));

	pthread_mutex_init(&a->lock, NULL);
	a->by_address = strmap_new();
	TAILQ_INIT(&a->by_use);
	return a;
}

static void
drop(struct address_rates *a, struct rate *r)
{
	TAILQ_REMOVE(&a->by_use, r, by_use);
	strmap_remove(a->by_address, r->address, strlen(r->address));
	a->n--;
	free(r);
}

void
address_rates_free(struct address_rates *a)
{
	if (a == NULL)
		return;
	while (!TAILQ_EMPTY(&a->by_use))
		drop(a, TAILQ_FIRST(&a->by_use));
	strmap_free(a->by_address, NULL);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* What is found is put at the end of the list. */
static struct rate *
rate_of(struct address_rates *a, const char *address, uint64_t now_ms)
{
	size_t len = strlen(address);
	struct rate *r = strmap_find(a->by_address, address, len);

	if (r != NULL) {
		TAILQ_REMOVE(&a->by_use, r, by_use);
	} else {
		r = xcalloc(1, sizeof(*r) + len + 1);
		memcpy(r->address, address, len);
		*strmap_at(a->by_address, address, len) = r;
		a->n++;
	}
	if (now_ms > r->used_ms)	/* each loop has a clock of its own */
		r->used_ms = now_ms;
	TAILQ_INSERT_TAIL(&a->by_use, r, by_use);
	return r;
}

bool
address_rates_take(struct address_rates *a, const struct conf_limits *limits,
    const char *address, uint64_t bytes, uint64_t now_ms)
{
	struct rate *r;
	bool is_taken;

	if (limits->messages_per_address == CONF_NO_LIMIT &&
	    limits->bytes_per_address == CONF_NO_LIMIT)
		return true;
	pthread_mutex_lock(&a->lock);
	while ((r = TAILQ_FIRST(&a->by_use)) != NULL && r->used_ms + KEPT_MS < now_ms)
		drop(a, r);
	r = rate_of(a, address, now_ms);
	is_taken = ratelimit_take(&r->messages, limits->messages_per_address, 1, now_ms) &&
	    ratelimit_take(&r->bytes, limits->bytes_per_address, bytes, now_ms);
	pthread_mutex_unlock(&a->lock);
	return is_taken;
}

size_t
address_rates_count(const struct address_rates *a)
{
	return a->n;
}
