/* SPDX-License-Identifier: ISC */
/*
 * The command that sets the level of the log while the daemon runs.
 */
#include "admin/admin_log.h"

#include <stdio.h>
#include <string.h>

#include "admin/admin_command.h"
#include "admin/admin_json.h"
#include "admin/admin_memory.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/log.h"

#define BACK "default"		/* to what the configuration and the command line say */

static struct admin_setting *
find(struct admin_memory *m, const char *what)
{
	for (size_t i = 0; i < m->n_log; i++)
		if (strcmp(m->log[i].what, what) == 0)
			return &m->log[i];
	return NULL;
}

/* Whoever set it first stays. */
static void
note(struct admin_ask *a, const char *what)
{
	struct admin_memory *m = a->view->memory;
	struct admin_setting *s;

	if (find(m, what) != NULL || m->n_log == sizeof(m->log) / sizeof(m->log[0]))
		return;
	s = &m->log[m->n_log++];
	snprintf(s->what, sizeof(s->what), "%s", what);
	admin_who_text(&a->who, s->by);
	s->since_ms = clock_wall_ms();
}

static void
forget(struct admin_memory *m, const char *what)
{
	struct admin_setting *s = find(m, what);

	if (s != NULL)
		*s = m->log[--m->n_log];
}

static void
set_area(struct admin_ask *a, enum log_level level, const char *area)
{
	if (strlen(area) >= ADMIN_AREA_MAX || !log_has_area(area)) {
		admin_refuse(a, "bad_request", "there is no area \"%.40s\" of the log: usherd(8) "
		    "lists them under -D", area);
		return;
	}
	if (level == LOG_LEVEL_DEBUG) {
		(void)log_add_area(area);
		note(a, area);
	} else {
		log_remove_area(area);
		forget(a->view->memory, area);
	}
	admin_json_text(&a->out, "text", level == LOG_LEVEL_DEBUG ?
	    "its debug lines are shown from now on" : "its debug lines are not shown any more");
	admin_done(a);
}

static void
set_back(struct admin_ask *a)
{
	struct admin_memory *m = a->view->memory;

	for (size_t i = 0; i < m->n_log; i++)
		if (m->log[i].what[0] != '\0')
			log_remove_area(m->log[i].what);
	m->n_log = 0;
	log_end_override();
	admin_json_text(&a->out, "text", "the log is as the configuration has it");
	admin_done(a);
}

void
admin_loglevel(struct admin_ask *a)
{
	char who[ADMIN_WHO_MAX];
	enum log_level level;

	admin_who_text(&a->who, who);
	if (strcmp(a->arg[0], BACK) != 0 && !log_level_from_name(a->arg[0], &level)) {
		admin_refuse(a, "bad_request", "a level is error, warn, info, debug, or " BACK
		    ": as the configuration has it");
		return;
	}
	log_info("%s: loglevel %s%s%s", who, a->arg[0], a->n_args > 1 ? " " : "",
	    a->n_args > 1 ? a->arg[1] : "");
	if (strcmp(a->arg[0], BACK) == 0) {
		set_back(a);
	} else if (a->n_args > 1) {
		set_area(a, level, a->arg[1]);
	} else {
		log_override_level(level);
		note(a, "");
		admin_json_text(&a->out, "text", "the level counts from now on, also after a "
		    "reload; \"loglevel " BACK "\" ends it");
		admin_done(a);
	}
}

void
admin_log_add_status(struct admin_ask *a)
{
	const struct admin_memory *m = a->view->memory;
	int64_t now_ms = clock_wall_ms();

	admin_json_text(&a->out, "log_level", log_level_name(log_get_level()));
	if (m->n_log == 0)
		return;
	admin_json_open(&a->out, "log_set", '[');
	for (size_t i = 0; i < m->n_log; i++) {
		const struct admin_setting *s = &m->log[i];

		admin_json_open(&a->out, NULL, '{');
		admin_json_text(&a->out, "log", s->what[0] != '\0' ? s->what : "level");
		admin_json_text(&a->out, "set_to", s->what[0] != '\0' ? "debug" :
		    log_level_name(log_get_level()));
		admin_json_text(&a->out, "by", s->by);
		admin_json_u64(&a->out, "since_ms", now_ms > s->since_ms ?
		    (uint64_t)(now_ms - s->since_ms) : 0);
		admin_json_close(&a->out, '}');
	}
	admin_json_close(&a->out, ']');
}
