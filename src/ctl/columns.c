/* SPDX-License-Identifier: ISC */
/*
 * The columns of what the daemon answers, by command.  What has none here is printed as it comes.
 */
#include "ctl/columns.h"

#include <string.h>

#include "base/compiler.h"

static const struct column status_rows[] = {
	{ "node", "node", FORMAT_TEXT },
	{ "version", "version", FORMAT_TEXT },
	{ "state", "state", FORMAT_TEXT },
	{ "up for", "uptime_ms", FORMAT_AGE },
	{ "process", "pid", FORMAT_NUMBER },
	{ "configuration", "configuration", FORMAT_TEXT },
	{ "sessions", "sessions", FORMAT_NUMBER },
	{ "sessions away", "sessions_away", FORMAT_NUMBER },
	{ "open requests", "requests", FORMAT_NUMBER },
	{ "event loops", "loops", FORMAT_NUMBER },
	{ "sessions of each", "sessions_of_loops", FORMAT_TEXT },
	{ "destinations", "destinations", FORMAT_NUMBER },
	{ "destinations up", "destinations_up", FORMAT_NUMBER },
	{ "applications", "applications", FORMAT_NUMBER },
	{ "workers ready", "workers_ready", FORMAT_NUMBER },
	{ "log level", "log_level", FORMAT_TEXT },
	{ "revoked", "revoked", FORMAT_NUMBER },
};

static const struct column set_columns[] = {
	{ "SET", "state", FORMAT_TEXT },
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "URL", "url", FORMAT_TEXT },
	{ "BY", "by", FORMAT_TEXT },
	{ "FOR", "since_ms", FORMAT_AGE },
};

static const struct column log_columns[] = {
	{ "LOG", "log", FORMAT_TEXT },
	{ "SET TO", "set_to", FORMAT_TEXT },
	{ "BY", "by", FORMAT_TEXT },
	{ "FOR", "since_ms", FORMAT_AGE },
};

static const struct column route_columns[] = {
	{ "KIND", "kind", FORMAT_TEXT },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "METHOD", "method", FORMAT_TEXT },
	{ "PATTERN", "pattern", FORMAT_TEXT },
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "TIMEOUT", "timeout_ms", FORMAT_AGE },
	{ "REQUESTS", "requests", FORMAT_NUMBER },
	{ "ERRORS", "errors", FORMAT_NUMBER },
	{ "P50", "p50_ms", FORMAT_AGE },
	{ "P99", "p99_ms", FORMAT_AGE },
	{ "STATE", "why", FORMAT_FAULT },
};

static const struct column destination_columns[] = {
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "PROTOCOL", "protocol", FORMAT_TEXT },
	{ "UP", "up", FORMAT_YES },
	{ "STATE", "state", FORMAT_TEXT },
	{ "URLS", "urls", FORMAT_NUMBER },
	{ "QUEUE", "queue", FORMAT_NUMBER },
	{ "BYTES", "queue_bytes", FORMAT_BYTES },
	{ "MAX", "queue_max", FORMAT_NUMBER },
};

static const struct column link_columns[] = {
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "URL", "url", FORMAT_TEXT },
	{ "LOOP", "loop", FORMAT_NUMBER },
	{ "#", "number", FORMAT_NUMBER },
	{ "STATE", "state", FORMAT_TEXT },
	{ "FOR", "since_ms", FORMAT_AGE },
	{ "HEALTH", "health", FORMAT_TEXT },
	{ "USE", "use", FORMAT_TEXT },
	{ "PROTOCOL", "protocol", FORMAT_TEXT },
	{ "NODE", "node", FORMAT_TEXT },
	{ "IN FLIGHT", "in_flight", FORMAT_NUMBER },
	{ "TIMES UP", "times_up", FORMAT_NUMBER },
	{ "LAST ERROR", "last_error", FORMAT_TEXT },
};

static const struct column pool_columns[] = {
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "STATE", "state", FORMAT_TEXT },
	{ "FAILING", "failing", FORMAT_YES },
	{ "SIZE", "size", FORMAT_NUMBER },
	{ "STARTING", "starting", FORMAT_NUMBER },
	{ "IDLE", "idle", FORMAT_NUMBER },
	{ "BUSY", "busy", FORMAT_NUMBER },
	{ "UNREADY", "unready", FORMAT_NUMBER },
	{ "LEAVING", "leaving", FORMAT_NUMBER },
	{ "IN FLIGHT", "in_flight", FORMAT_NUMBER },
	{ "QUEUE", "queue", FORMAT_NUMBER },
	{ "STARTED", "started", FORMAT_NUMBER },
	{ "LOST", "lost", FORMAT_NUMBER },
	{ "TYPES", "types", FORMAT_LIST },
};

static const struct column worker_columns[] = {
	{ "WORKER", "worker", FORMAT_TEXT },
	{ "PROCESS", "pid", FORMAT_NUMBER },
	{ "STATE", "state", FORMAT_TEXT },
	{ "IN FLIGHT", "in_flight", FORMAT_NUMBER },
	{ "FINISHED", "finished", FORMAT_NUMBER },
	{ "MEMORY", "memory", FORMAT_BYTES },
};

static const struct column session_columns[] = {
	{ "SID", "sid", FORMAT_TEXT },
	{ "STATE", "state", FORMAT_TEXT },
	{ "ADDRESS", "address", FORMAT_TEXT },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "TRANSPORT", "transport", FORMAT_TEXT },
	{ "EIO", "eio", FORMAT_NUMBER },
	{ "NODE", "node", FORMAT_TEXT },
	{ "USER", "user", FORMAT_TEXT },
	{ "JTI", "jti", FORMAT_TEXT },
	{ "LOOP", "loop", FORMAT_NUMBER },
	{ "CALLS", "calls", FORMAT_NUMBER },
	{ "IN", "bytes_in", FORMAT_BYTES },
	{ "OUT", "bytes_out", FORMAT_BYTES },
	{ "AGE", "age_ms", FORMAT_AGE },
};

static const struct column request_columns[] = {
	{ "REQUEST", "request", FORMAT_TEXT },
	{ "AGE", "age_ms", FORMAT_AGE },
	{ "LEFT", "left_ms", FORMAT_AGE },
	{ "APPLICATION", "application", FORMAT_TEXT },
	{ "TYPE", "type", FORMAT_TEXT },
	{ "DESTINATION", "destination", FORMAT_TEXT },
	{ "WHERE", "where", FORMAT_TEXT },
	{ "AT", "at", FORMAT_TEXT },
	{ "FOR", "there_ms", FORMAT_AGE },
	{ "FROM", "from", FORMAT_TEXT },
};

static const struct column error_counts[] = {
	{ "ERRORS", "errors", FORMAT_NUMBER },
	{ "OF", "name", FORMAT_TEXT },
};

static const struct column error_columns[] = {
	{ "AGO", "ago_ms", FORMAT_AGE },
	{ "CODE", "code", FORMAT_TEXT },
	{ "ROUTE", "route", FORMAT_TEXT },
	{ "NODE", "node", FORMAT_TEXT },
	{ "AT", "at", FORMAT_TEXT },
	{ "REQUEST", "request", FORMAT_TEXT },
	{ "TEXT", "text", FORMAT_TEXT },
};

static const struct column explained_columns[] = {
	{ "#", "number", FORMAT_NUMBER },
	{ "REQUEST", "request", FORMAT_TEXT },
	{ "TYPE", "type", FORMAT_TEXT },
	{ "ROUTE", "route", FORMAT_TEXT },
	{ "ENDED", "ended", FORMAT_TEXT },
	{ "TOOK", "took_ms", FORMAT_AGE },
	{ "AGO", "ago_ms", FORMAT_AGE },
	{ "IN", "bytes_in", FORMAT_BYTES },
	{ "OUT", "bytes_out", FORMAT_BYTES },
};

static const struct column step_columns[] = {
	{ "#", "number", FORMAT_NUMBER },
	{ "AT", "at_ms", FORMAT_AGE },
	{ "STEP", "step", FORMAT_TEXT },
	{ "WHAT", "what", FORMAT_TEXT },
};

static const struct column counter_columns[] = {
	{ "COUNTER", "counter", FORMAT_TEXT },
	{ "VALUE", "value", FORMAT_NUMBER },
	{ "MEANING", "help", FORMAT_TEXT },
};

#define COLUMNS(c) (c), ARRAY_LEN(c)

static const struct {
	const char *command;
	struct list list[COLUMNS_LISTS_MAX];
} table[] = {
	{ "status", {
		{ NULL, NULL, NULL, COLUMNS(status_rows) },
		{ "set", "", NULL, COLUMNS(set_columns) },
		{ "log_set", "", NULL, COLUMNS(log_columns) } } },
	{ "routes", {
		{ "routes", NULL, "no routes", COLUMNS(route_columns) } } },
	{ "links", {
		{ "destinations", NULL, "no destinations", COLUMNS(destination_columns) },
		{ "links", "", "no links", COLUMNS(link_columns) } } },
	{ "pools", {
		{ "pools", NULL, "no applications", COLUMNS(pool_columns) },
		{ "workers", "", "no workers", COLUMNS(worker_columns) } } },
	{ "sessions", {
		{ "sessions", NULL, "no sessions", COLUMNS(session_columns) } } },
	{ "requests", {
		{ "requests", NULL, "no open requests", COLUMNS(request_columns) } } },
	{ "errors", {
		{ "counts", NULL, "no errors", COLUMNS(error_counts) },
		{ "errors", "", "none is kept", COLUMNS(error_columns) } } },
	{ "explain", {
		{ "requests", NULL, "none", COLUMNS(explained_columns) },
		{ "steps", "", "none", COLUMNS(step_columns) } } },
	{ "counters", {
		{ "counters", NULL, "no counters", COLUMNS(counter_columns) } } },
};

const struct list *
columns_of(const char *command)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].command, command) == 0)
			return table[i].list;
	return NULL;
}
