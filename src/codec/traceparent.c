/* SPDX-License-Identifier: ISC */
/*
 * What is not exactly as the specification has it is no traceparent: then a trace begins here.
 */
#include "codec/traceparent.h"

#include <string.h>

#include "base/id.h"

#define LEN	     55
#define STEP_AT	     36
#define STEP_LEN     16
#define FLAGS_AT     53
#define FLAGS_KNOWN  0x03	/* sampled; the trace id is random */
#define DIGITS	     "0123456789abcdef"

static bool
is_hex(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] == '\0' || strchr(DIGITS, s[i]) == NULL)
			return false;
	return true;
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
	return strlen(text) == LEN && text[0] == '0' && text[1] == '0' && is_rest_valid(text);
}

bool
traceparent_read(char trace[TRACE_MAX], const char *value, size_t len)
{
	bool is_00;

	if (len < LEN || !is_hex(value, 2) || memcmp(value, "ff", 2) == 0 || !is_rest_valid(value))
		return false;
	is_00 = memcmp(value, "00", 2) == 0;
	if (len > LEN && (is_00 || value[LEN] != '-'))
		return false;
	memcpy(trace, value, LEN);
	trace[LEN] = '\0';
	if (!is_00) {
		unsigned flags = (unsigned)(strchr(DIGITS, value[LEN - 1]) - DIGITS);

		memcpy(trace, "00", 2);
		trace[FLAGS_AT] = '0';
		trace[FLAGS_AT + 1] = DIGITS[flags & FLAGS_KNOWN];
	}
	return true;
}

void
traceparent_follow(char trace[TRACE_MAX], const char *parent)
{
	char step[STEP_LEN + 1];

	if (traceparent_is_valid(parent)) {
		memmove(trace, parent, LEN + 1);
	} else {
		memcpy(trace, "00-", TRACE_ID_AT);
		id_hex(trace + TRACE_ID_AT, TRACE_ID_LEN / 2);
		memcpy(trace + STEP_AT + STEP_LEN, "-01", 4);
	}
	id_hex(step, STEP_LEN / 2);
	trace[STEP_AT - 1] = '-';
	memcpy(trace + STEP_AT, step, STEP_LEN);
}
