/* SPDX-License-Identifier: ISC */
/*
 * A program is looked for as posix_spawnp(3) will: by its path from the application's directory,
 * or by its name in PATH.
 */
#include "conf/conf_programs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf.h"

#define QEWD_WORKER KITDIR "/node/usher-qewd-worker.js"

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool
is_below(const char *folder, size_t len, const char *name)
{
	char *path = xasprintf("%.*s/%s", (int)len, folder, name);
	bool is_there = is_program(path);

	free(path);
	return is_there;
}

static bool
is_in_path(const char *name)
{
	const char *p = getenv("PATH");

	for (size_t len; p != NULL; p = p[len] == ':' ? p + len + 1 : NULL) {
		len = strcspn(p, ":");
		if (is_below(len > 0 ? p : ".", len > 0 ? len : 1, name))
			return true;
	}
	return false;
}

/* The variable of its own environment counts where the pool sets it. */
static bool
has_own_path(const struct conf_application *app)
{
	for (char **v = app->environment; v != NULL && *v != NULL; v++)
		if (strncmp(*v, "PATH=", 5) == 0)
			return true;
	return false;
}

static bool
is_there(const struct conf_application *app)
{
	const char *name = app->command[0];

	if (name[0] == '/')
		return is_program(name);
	if (strchr(name, '/') != NULL)
		return is_below(app->directory, strlen(app->directory), name);
	return has_own_path(app) || is_in_path(name);
}

void
conf_programs_check(const struct conf *conf, struct buf *lines)
{
	for (size_t i = 0; i < conf->n_applications; i++) {
		const struct conf_application *app = &conf->applications[i];

		if (!is_there(app))
			buf_printf(lines, "%s: warning: applications.%s: there is no program %s%s; "
			    "its workers will not start\n", conf->path, app->name, app->command[0],
			    strchr(app->command[0], '/') != NULL ? "" : " in PATH");
		else if (app->qewd && app->command[1] != NULL &&
		    strcmp(app->command[1], QEWD_WORKER) == 0 && access(QEWD_WORKER, R_OK) != 0)
			buf_printf(lines, "%s: warning: applications.%s: qewd: true runs " QEWD_WORKER
			    ", which is not there; install the handler kits (make install, or the "
			    "package usher-handlers), or name a command\n", conf->path, app->name);
	}
}
