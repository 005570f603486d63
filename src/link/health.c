/* SPDX-License-Identifier: ISC */
/*
 * Answers are not told one by one, which would cost every request something: whoever asks says
 * how many there have been in all, and the difference shows whether there was one.
 */
#include "link/health.h"

#include "base/compiler.h"

#define WINDOW_MS     10000	/* failure_percent is of the requests of so long */
#define WINDOW_MIN    20	/* and says nothing of fewer */
#define LOSS_MS	      1000	/* connections lost within it are one loss */
#define TRIAL_MS      30000	/* whoever tries longer does not keep others from it */
#define FIRST_SHARE   10	/* of HEALTH_FULL_SHARE, when it begins to return */

static const char *const state_name[] = {
	[HEALTH_GOOD] = "good",
	[HEALTH_EJECTED] = "ejected",
	[HEALTH_TRIAL] = "trial",
	[HEALTH_RETURNING] = "returning",
};

const char *
health_state_name(enum health_state state)
{
	return state_name[state];
}

/* The only place that assigns h->state. */
static void
set_state(struct health *h, enum health_state next, uint64_t now_ms)
{
	h->state = next;
	h->since_ms = now_ms;
	h->is_tried = false;
	h->n_failures = h->window_failed = 0;
	if (next != HEALTH_GOOD)
		return;
	h->good_since_ms = now_ms;
	h->is_watched = false;
}

bool
health_look(struct health *h, const struct health_limits *limits, uint64_t now_ms,
    uint64_t answered)
{
	switch (h->state) {
	case HEALTH_GOOD:
		return false;
	case HEALTH_EJECTED:
		if (now_ms - h->since_ms < h->eject_ms)
			return false;
		set_state(h, HEALTH_TRIAL, now_ms);
		return true;
	case HEALTH_TRIAL:
		if (!h->is_tried)
			return false;
		if (answered == h->trial_answered) {
			h->is_tried = now_ms - h->tried_ms < TRIAL_MS;
			return false;
		}
		set_state(h, limits->slow_start_ms == UINT64_MAX ? HEALTH_GOOD : HEALTH_RETURNING,
		    now_ms);
		return true;
	case HEALTH_RETURNING:
		if (now_ms - h->since_ms < limits->slow_start_ms)
			return false;
		set_state(h, HEALTH_GOOD, now_ms);
		return true;
	}
	return false;
}

unsigned
health_share(const struct health *h, const struct health_limits *limits, uint64_t now_ms)
{
	switch (h->state) {
	case HEALTH_EJECTED:
		return 0;
	case HEALTH_TRIAL:
		return h->is_tried ? 0 : HEALTH_FULL_SHARE;
	case HEALTH_RETURNING:
		if (now_ms - h->since_ms >= limits->slow_start_ms)
			return HEALTH_FULL_SHARE;
		return FIRST_SHARE + (unsigned)((HEALTH_FULL_SHARE - FIRST_SHARE) *
		    (now_ms - h->since_ms) / limits->slow_start_ms);
	default:
		return HEALTH_FULL_SHARE;
	}
}

void
health_begin_trial(struct health *h, uint64_t now_ms, uint64_t answered)
{
	h->is_tried = true;
	h->tried_ms = now_ms;
	h->trial_answered = answered;
}

void
health_end_trial(struct health *h, uint64_t handed_ms)
{
	if (handed_ms >= h->since_ms)
		h->is_tried = false;
}

bool
health_is_off(const struct health_limits *limits)
{
	return limits->failures == UINT64_MAX && limits->failure_percent == UINT64_MAX;
}

/* An ejection soon after another one is longer; one after a long good time begins anew. */
void
health_eject(struct health *h, const struct health_limits *limits, uint64_t now_ms)
{
	bool is_soon = h->n_ejections > 0 &&
	    (h->is_watched || now_ms - h->good_since_ms < h->eject_ms);

	h->eject_ms = is_soon ? 2 * h->eject_ms : limits->eject_ms;
	if (h->eject_ms > limits->eject_max_ms)
		h->eject_ms = limits->eject_max_ms;
	h->n_ejections++;
	h->is_watched = true;
	set_state(h, HEALTH_EJECTED, now_ms);
}

/* One more failure in the window; are there too many? */
static bool
is_above_rate(struct health *h, uint64_t percent, uint64_t now_ms, uint64_t answered)
{
	uint64_t n;

	if (h->window_failed == 0 || now_ms - h->window_ms >= WINDOW_MS) {
		h->window_ms = now_ms;
		h->window_failed = 0;
		h->window_answered = answered;
	}
	h->window_failed++;
	n = h->window_failed + (answered - h->window_answered);
	return percent != UINT64_MAX && n >= WINDOW_MIN && h->window_failed * 100 >= percent * n;
}

static bool
is_failing(struct health *h, const struct health_limits *limits, uint64_t now_ms,
    uint64_t answered)
{
	if (answered != h->answered)
		h->n_failures = 0;
	h->answered = answered;
	h->n_failures++;
	/* Both count: neither may be skipped because the other is enough. */
	return (unsigned)is_above_rate(h, limits->failure_percent, now_ms, answered) |
	    (unsigned)(h->n_failures >= limits->failures);
}

bool
health_fail(struct health *h, const struct health_limits *limits, uint64_t now_ms,
    uint64_t handed_ms, uint64_t answered, bool may_eject)
{
	if (h->state == HEALTH_EJECTED || health_is_off(limits))
		return false;
	/* What went to it before says nothing of how it is now, and was not the trial. */
	if (h->state != HEALTH_GOOD && handed_ms < h->since_ms)
		return false;
	if (!h->is_watched && !is_failing(h, limits, now_ms, answered))
		return false;
	h->is_tried = false;
	if (!may_eject)
		return false;
	health_eject(h, limits, now_ms);
	return true;
}

bool
health_lose(struct health *h, const struct health_limits *limits, uint64_t now_ms,
    uint64_t handed_ms, uint64_t answered, bool may_eject)
{
	if (h->lost_ms != 0 && now_ms - h->lost_ms < LOSS_MS) {
		health_end_trial(h, handed_ms);
		return false;
	}
	h->lost_ms = now_ms;
	return health_fail(h, limits, now_ms, handed_ms, answered, may_eject);
}

void
health_return(struct health *h, const struct health_limits *limits, uint64_t now_ms)
{
	if (h->state == HEALTH_TRIAL)
		h->is_tried = false;
	if (limits->slow_start_ms != UINT64_MAX &&
	    (h->state == HEALTH_GOOD || h->state == HEALTH_RETURNING))
		set_state(h, HEALTH_RETURNING, now_ms);
}

uint64_t
health_ejected_ms(const struct health *h, uint64_t now_ms)
{
	if (h->state != HEALTH_EJECTED || now_ms - h->since_ms >= h->eject_ms)
		return 0;
	return h->eject_ms - (now_ms - h->since_ms);
}
