/* SPDX-License-Identifier: ISC */
/*
 * Counts by address in seeded tables; an address that has nothing takes no room.
 */
#include "front/admission.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/strmap.h"
#include "base/xmalloc.h"

/* Connections, or sessions. */
struct places {
	uint64_t n, in_all_max, per_address_max;
	struct strmap *by_address;	/* address -> count, as a pointer's value */
};

struct admission {
	pthread_mutex_t lock;		/* guards what follows */
	struct places connections, sessions;
	bool has_warned;		/* admission_suspects() has said so */
};

static uint64_t
times(uint64_t n, uint64_t factor)
{
	return n > UINT64_MAX / factor ? UINT64_MAX : n * factor;
}

static void
places_init(struct places *p, uint64_t in_all_max, uint64_t per_address_max)
{
	p->in_all_max = in_all_max;
	p->per_address_max = per_address_max;
	p->by_address = strmap_new();
}

void
admission_set(struct admission *a, uint64_t in_all_max, uint64_t per_address_max)
{
	pthread_mutex_lock(&a->lock);
	a->sessions.in_all_max = in_all_max;
	a->sessions.per_address_max = per_address_max;
	a->connections.in_all_max = times(in_all_max, ADMISSION_CONNECTIONS);
	a->connections.per_address_max = times(per_address_max, ADMISSION_CONNECTIONS);
	pthread_mutex_unlock(&a->lock);
}

struct admission *
admission_new(uint64_t in_all_max, uint64_t per_address_max)
{
	struct admission *a = xcalloc(1, sizeof(*a));

	pthread_mutex_init(&a->lock, NULL);
	places_init(&a->sessions, in_all_max, per_address_max);
	places_init(&a->connections, times(in_all_max, ADMISSION_CONNECTIONS),
	    times(per_address_max, ADMISSION_CONNECTIONS));
	return a;
}

void
admission_free(struct admission *a)
{
	if (a == NULL)
		return;
	strmap_free(a->connections.by_address, NULL);
	strmap_free(a->sessions.by_address, NULL);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static const char *
take_locked(struct places *p, const char *address, bool by_address)
{
	uintptr_t n = (uintptr_t)strmap_find(p->by_address, address, strlen(address));

	if (p->n >= p->in_all_max)
		return "limits.sessions";
	if (by_address && n >= p->per_address_max)
		return "limits.sessions_per_address";
	p->n++;
	*strmap_at(p->by_address, address, strlen(address)) = (void *)(n + 1);
	return NULL;
}

static const char *
take(struct admission *a, struct places *p, const char *address, bool by_address)
{
	const char *limit;

	pthread_mutex_lock(&a->lock);
	limit = take_locked(p, address, by_address);
	pthread_mutex_unlock(&a->lock);
	return limit;
}

static void
give_back(struct admission *a, struct places *p, const char *address)
{
	uintptr_t n;

	pthread_mutex_lock(&a->lock);
	n = (uintptr_t)strmap_find(p->by_address, address, strlen(address));

	p->n--;
	if (n > 1)
		*strmap_at(p->by_address, address, strlen(address)) = (void *)(n - 1);
	else
		strmap_remove(p->by_address, address, strlen(address));
	pthread_mutex_unlock(&a->lock);
}

const char *
admission_take(struct admission *a, const char *address, bool by_address)
{
	return take(a, &a->connections, address, by_address);
}

void
admission_release(struct admission *a, const char *address)
{
	give_back(a, &a->connections, address);
}

const char *
admission_take_session(struct admission *a, const char *address, bool by_address)
{
	return take(a, &a->sessions, address, by_address);
}

/* Four fifths of what an address may have. */
static bool
is_near(const struct places *p, const char *address)
{
	uintptr_t n = (uintptr_t)strmap_find(p->by_address, address, strlen(address));

	return n >= p->per_address_max - p->per_address_max / 5;
}

bool
admission_suspects(struct admission *a, const char *address)
{
	bool is_first;

	if (!address_is_private(address))
		return false;
	pthread_mutex_lock(&a->lock);
	is_first = !a->has_warned && is_near(&a->sessions, address);
	if (is_first)
		a->has_warned = true;
	pthread_mutex_unlock(&a->lock);
	return is_first;
}

void
admission_release_session(struct admission *a, const char *address)
{
	give_back(a, &a->sessions, address);
}
