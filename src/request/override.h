/* SPDX-License-Identifier: ISC */
/*
 * What an operator has set at run time: destinations that are paused, and destinations or single
 * URLs of theirs that get no new requests.  Applications of the node are destinations here.
 *
 * It goes by names, so that it outlives the configuration it was set under, and ends only by its
 * opposite.  A node has one table; it changes while all loops stand still.
 */
#ifndef REQUEST_OVERRIDE_H
#define REQUEST_OVERRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define OVERRIDES_MAX	1000
#define OVERRIDE_BY_MAX 32

struct overrides;

enum override_kind {
	OVERRIDE_NONE,
	OVERRIDE_PAUSED,		/* requests wait; of a destination as a whole */
	OVERRIDE_DRAINED,		/* no new requests; those that have come are answered */
	OVERRIDE_DISABLED,		/* the same, and those that wait are refused */
};

struct override {
	enum override_kind kind;
	char *destination;
	char *url;			/* NULL: all of it */
	char by[OVERRIDE_BY_MAX];	/* who set it */
	int64_t since_wall_ms;
	uint64_t since_ms;		/* monotonic */
};

/* "paused", "drained", "disabled"; "serving" for none. */
const char	*override_name(enum override_kind);

struct overrides	*overrides_new(void);
void			 overrides_free(struct overrides *);

/*
 * Drained and disabled replace one another.  False: there are OVERRIDES_MAX already.
 * *is_new: it was not so before; otherwise whoever set it first stays.
 */
MUST_USE bool		 overrides_set(struct overrides *, enum override_kind,
			    const char *destination, const char *url, const char *by,
			    bool *is_new);
/* Drained and disabled are both ended by either.  Was it set? */
bool			 overrides_clear(struct overrides *, enum override_kind,
			    const char *destination, const char *url);

/* NULL table: nothing is set. */
bool			 overrides_is_paused(const struct overrides *, const char *destination);
/* OVERRIDE_DRAINED, OVERRIDE_DISABLED or OVERRIDE_NONE, of exactly this. */
enum override_kind	 overrides_use(const struct overrides *, const char *destination,
			    const char *url);

/* In the order of setting; NULL: no more. */
const struct override	*overrides_get(const struct overrides *, size_t i);

#endif
