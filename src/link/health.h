/* SPDX-License-Identifier: ISC */
/*
 * Is a URL of a destination fit to be used?  What its requests came to decides, and it has no
 * clock: it is told the time.
 *
 * good -> ejected, after failures -> on trial, with one request -> returning, with a share that
 * grows -> good.  A failure on trial or while it returns ejects it again, for twice as long.
 */
#ifndef LINK_HEALTH_H
#define LINK_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define HEALTH_FULL_SHARE 100

/* What a destination says of it; UINT64_MAX: not for that. */
struct health_limits {
	uint64_t failures;		/* that eject it, with no answer between them */
	uint64_t failure_percent;	/* of the last requests that eject it */
	uint64_t eject_ms;		/* for the first time; then twice as long each time ... */
	uint64_t eject_max_ms;		/* ... at most */
	uint64_t slow_start_ms;		/* until it has its whole share; UINT64_MAX: at once */
};

enum health_state { HEALTH_GOOD, HEALTH_EJECTED, HEALTH_TRIAL, HEALTH_RETURNING };

/* Zero-initialised it is good, and always was. */
struct health {
	enum health_state state;
	uint64_t since_ms;		/* it has been in this state */
	bool is_watched;		/* since it was ejected: one failure ejects it again */
	uint64_t eject_ms;		/* the last ejection */
	uint64_t good_since_ms;		/* after it; 0: it is not over */
	uint64_t n_failures;		/* without an answer between them */
	uint64_t answered;		/* by the URL, when the last failure was counted */
	uint64_t lost_ms;		/* when the last loss of a connection was counted */
	uint64_t window_ms;		/* failure_percent: since when failures are counted, */
	uint64_t window_failed;		/* how many there were, */
	uint64_t window_answered;	/* and what had been answered before */
	bool is_tried;			/* the one request of a trial is under way, */
	uint64_t tried_ms;		/* since then */
	uint64_t trial_answered;	/* and what had been answered before */
	uint64_t n_ejections;		/* in all */
};

/* "good", "ejected", "trial", "returning": for the log, the metrics and whoever looks on. */
const char	*health_state_name(enum health_state);

/* Time has passed, and the URL has answered so many requests in all.  Did the state change? */
bool		 health_look(struct health *, const struct health_limits *, uint64_t now_ms,
		    uint64_t answered);

/*
 * How much of a URL's share it may have now, of HEALTH_FULL_SHARE; 0: nothing.  On trial it is
 * the whole, once.  Call health_look() first.
 */
unsigned	 health_share(const struct health *, const struct health_limits *,
		    uint64_t now_ms);

/*
 * The one request of its trial is on its way; a request that went to the URL at handed_ms has
 * ended, and shows nothing: if it was that one, another may try.  So it may if nobody says for a
 * while how that one ended.
 */
void		 health_begin_trial(struct health *, uint64_t now_ms, uint64_t answered);
void		 health_end_trial(struct health *, uint64_t handed_ms);

/*
 * A request had no answer; it went to the URL at handed_ms.  may_eject: somebody else can take its
 * share.  Is it ejected now?
 */
MUST_USE bool	 health_fail(struct health *, const struct health_limits *, uint64_t now_ms,
		    uint64_t handed_ms, uint64_t answered, bool may_eject);

/* The same for a connection that was lost, however many requests were lost with it. */
MUST_USE bool	 health_lose(struct health *, const struct health_limits *, uint64_t now_ms,
		    uint64_t handed_ms, uint64_t answered, bool may_eject);

/* Neither failures nor their rate ever eject. */
bool		 health_is_off(const struct health_limits *);
/* At once, because it said itself that it does not serve. */
void		 health_eject(struct health *, const struct health_limits *, uint64_t now_ms);

/* It was away and is there again: it begins slowly, if it was good. */
void		 health_return(struct health *, const struct health_limits *, uint64_t now_ms);

/* Milliseconds until it is tried again; 0: it is not ejected. */
uint64_t	 health_ejected_ms(const struct health *, uint64_t now_ms);

#endif
