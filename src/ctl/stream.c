/* SPDX-License-Identifier: ISC */
/*
 * A line for each event of a trace; the message alone for each reply to a call.
 */
#include "ctl/stream.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "ctl/table.h"

#define ID_SHOWN 8

static void
print_call(const char *text, struct json_value result)
{
	char *message = table_cell(FORMAT_TEXT, text, json_member_of(text, result, "message"));

	printf("%s\n", message);
	free(message);
}

/* The time of day, as people here have it. */
static void
print_time(uint64_t wall_ms)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	char text[16];

	localtime_r(&s, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03u", text, (unsigned)(wall_ms % 1000));
}

static void
print_member(const char *text, struct json_value result, const char *name, const char *before,
    enum format format)
{
	struct json_value v = json_member_of(text, result, name);
	char *cell;

	if (v.kind == JSON_NONE || v.kind == JSON_NULL)
		return;
	cell = table_cell(format, text, v);
	if (strcmp(name, "request") == 0 && strlen(cell) > ID_SHOWN)
		cell[ID_SHOWN] = '\0';
	printf("%s%s", before, cell);
	free(cell);
}

/* 12:00:01.234  final  4bf92f35  job  destination far  at ws://...  after 12ms  31 bytes */
static void
print_trace(const char *text, struct json_value result)
{
	uint64_t wall_ms = 0;

	if (!json_number_u64(text, json_member_of(text, result, "at_ms"), &wall_ms))
		return;		/* the first line says no more than that it has begun */
	print_time(wall_ms);
	print_member(text, result, "event", "  ", FORMAT_TEXT);
	print_member(text, result, "request", "  ", FORMAT_TEXT);
	print_member(text, result, "type", "  ", FORMAT_TEXT);
	print_member(text, result, "session", "  of ", FORMAT_TEXT);
	print_member(text, result, "destination", "  to ", FORMAT_TEXT);
	print_member(text, result, "at", " at ", FORMAT_TEXT);
	print_member(text, result, "age_ms", "  after ", FORMAT_AGE);
	print_member(text, result, "bytes", "  bytes ", FORMAT_NUMBER);
	print_member(text, result, "code", "  ", FORMAT_TEXT);
	print_member(text, result, "dropped", "  and lines that were not read in time: ",
	    FORMAT_NUMBER);
	print_member(text, result, "payload", "\n    ", FORMAT_TEXT);
	printf("\n");
}

static const struct {
	const char *command;
	void (*print)(const char *text, struct json_value result);
} streams[] = {
	{ "call", print_call },
	{ "trace", print_trace },
};

bool
stream_print(const char *command, const char *text, struct json_value result)
{
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		if (strcmp(streams[i].command, command) == 0) {
			streams[i].print(text, result);
			return true;
		}
	}
	return false;
}
