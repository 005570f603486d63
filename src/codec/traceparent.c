/* SPDX-License-Identifier: ISC */
/*
 * What is not exactly as the specification has it is no traceparent: then a trace begins here.
 */
#include "codec/traceparent.h"

#include <string.h>

#include "base/id.h"

#define STEP_AT	     36
#define STEP_LEN     16
#define FLAGS_AT     53
#define FLAGS_KNOWN  0x03	/* sampled; the trace id is random */
#define DIGITS	     "0123456789abcdef"

static inline bool
is_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool
is_hex(const char *s, size_t len)
{
	bool is_all = true;

	for (size_t i = 0; i < len; i++)
		is_all &= is_digit(s[i]);
	return is_all;
}

static bool
is_zero(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] != '0')
			return false;
	return true;
}

/* Behind the version, which all have in the same form. */
static bool
is_rest_valid(const char *t)
{
	return t[2] == '-' && is_hex(t + TRACE_ID_AT, TRACE_ID_LEN) &&
	    !is_zero(t + TRACE_ID_AT, TRACE_ID_LEN) && t[STEP_AT - 1] == '-' &&
	    is_hex(t + STEP_AT, STEP_LEN) && !is_zero(t + STEP_AT, STEP_LEN) &&
	    t[FLAGS_AT - 1] == '-' && is_hex(t + FLAGS_AT, 2);
}

bool
traceparent_is_valid(const char *text)
{
	return strlen(text) == TRACE_LEN && text[0] == '0' && text[1] == '0' && is_rest_valid(text);
}

bool
traceparent_read(char trace[TRACE_MAX], const char *value, size_t len)
{
	bool is_00;

	if (len < TRACE_LEN || !is_hex(value, 2) || memcmp(value, "ff", 2) == 0 ||
	    !is_rest_valid(value))
		return false;
	is_00 = memcmp(value, "00", 2) == 0;
	if (len > TRACE_LEN && (is_00 || value[TRACE_LEN] != '-'))
		return false;
	memcpy(trace, value, TRACE_LEN);
	trace[TRACE_LEN] = '\0';
	if (!is_00) {
		unsigned flags = (unsigned)(strchr(DIGITS, value[TRACE_LEN - 1]) - DIGITS);

		memcpy(trace, "00", 2);
		trace[FLAGS_AT] = '0';
		trace[FLAGS_AT + 1] = DIGITS[flags & FLAGS_KNOWN];
	}
	return true;
}

void
traceparent_follow(char trace[TRACE_MAX], const char *parent)
{
	char fresh[TRACE_ID_LEN + STEP_LEN + 1];

	if (parent[0] != '\0' && traceparent_is_valid(parent)) {
		id_hex(fresh, STEP_LEN / 2);
		memmove(trace, parent, TRACE_LEN + 1);
		memcpy(trace + STEP_AT, fresh, STEP_LEN);
		return;
	}
	id_hex(fresh, sizeof(fresh) / 2);
	memcpy(trace, "00-", TRACE_ID_AT);
	memcpy(trace + TRACE_ID_AT, fresh, TRACE_ID_LEN);
	trace[STEP_AT - 1] = '-';
	memcpy(trace + STEP_AT, fresh + TRACE_ID_LEN, STEP_LEN);
	memcpy(trace + STEP_AT + STEP_LEN, "-01", 4);
}
