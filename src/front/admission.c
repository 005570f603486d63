/* SPDX-License-Identifier: ISC */
/*
 * Counts by address in a seeded table; an address without connections takes no room.
 */
#include "front/admission.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"

struct admission {
	uint64_t n, in_all_max, per_address_max;
	struct strmap *by_address;	/* address -> count, as a pointer's value */
};

struct admission *
admission_new(uint64_t in_all_max, uint64_t per_address_max)
{
	struct admission *a = xcalloc(1, sizeof(*a));

	a->in_all_max = in_all_max;
	a->per_address_max = per_address_max;
	a->by_address = strmap_new();
	return a;
}

void
admission_free(struct admission *a)
{
	if (a == NULL)
		return;
	strmap_free(a->by_address, NULL);
	free(a);
}

const char *
admission_take(struct admission *a, const char *address, bool by_address)
{
	uintptr_t n = (uintptr_t)strmap_find(a->by_address, address, strlen(address));

	if (a->n >= a->in_all_max)
		return "limits.sessions";
	if (by_address && n >= a->per_address_max)
		return "limits.sessions_per_address";
	a->n++;
	*strmap_at(a->by_address, address, strlen(address)) = (void *)(n + 1);
	return NULL;
}

void
admission_release(struct admission *a, const char *address)
{
	uintptr_t n = (uintptr_t)strmap_find(a->by_address, address, strlen(address));

	a->n--;
	if (n > 1)
		*strmap_at(a->by_address, address, strlen(address)) = (void *)(n - 1);
	else
		strmap_remove(a->by_address, address, strlen(address));
}
