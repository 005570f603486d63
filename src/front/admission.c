/* SPDX-License-Identifier: ISC */
/*
 * Counts by address in seeded tables; an address that has nothing takes no room.
 */
#include "front/admission.h"

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

struct admission *
admission_new(uint64_t in_all_max, uint64_t per_address_max)
{
	struct admission *a = xcalloc(1, sizeof(*a));

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
	free(a);
}

static const char *
take(struct places *p, const char *address, bool by_address)
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

static void
give_back(struct places *p, const char *address)
{
	uintptr_t n = (uintptr_t)strmap_find(p->by_address, address, strlen(address));

	p->n--;
	if (n > 1)
		*strmap_at(p->by_address, address, strlen(address)) = (void *)(n - 1);
	else
		strmap_remove(p->by_address, address, strlen(address));
}

const char *
admission_take(struct admission *a, const char *address, bool by_address)
{
	return take(&a->connections, address, by_address);
}

void
admission_release(struct admission *a, const char *address)
{
	give_back(&a->connections, address);
}

const char *
admission_take_session(struct admission *a, const char *address, bool by_address)
{
	return take(&a->sessions, address, by_address);
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
	if (a->has_warned || !is_near(&a->sessions, address) || !address_is_private(address))
		return false;
	a->has_warned = true;
	return true;
}

void
admission_release_session(struct admission *a, const char *address)
{
	give_back(&a->sessions, address);
}
