/* SPDX-License-Identifier: ISC */
/*
 * The file is replaced as a whole, so that another inode, time or size is another list.
 */
#include "node_revoked.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "admin/admin_revoked.h"
#include "admin/admin_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "node_int.h"
#include "token/revoked.h"

#define LOOK_MS 200

struct node_revoked {
	struct node *node;
	const char *path;		/* the configuration's */
	struct stat seen;		/* the file as it was read */
	struct timer timer;
};

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What was read of a file that is no good is kept: it is revoked all the same. */
static void
take(struct node_revoked *w)
{
	struct node *n = w->node;
	int64_t now_s = clock_wall_ms() / 1000;
	struct admin_revoked_count count;
	char *why;

	admin_hold(&n->admin_view);
	why = revoked_load(n->revoked, w->path, now_s);
	admin_enforce_revoked(&n->admin_view, now_s, &count);
	admin_release(&n->admin_view);
	if (why != NULL)
		log_errorx("jwt.revoked_file: %s", why);
	free(why);
}

static void
look(void *arg)
{
	struct node_revoked *w = arg;
	struct stat st;

	if (stat(w->path, &st) == 0 && !is_same(&st, &w->seen)) {
		w->seen = st;
		take(w);
	}
	loop_timer_set(w->node->loop, &w->timer, LOOK_MS, look, w);
}

struct node_revoked *
node_revoked_watch(struct node *n)
{
	struct node_revoked *w;

	if (n->conf->jwt.revoked_file == NULL)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->node = n;
	w->path = n->conf->jwt.revoked_file;
	loop_timer_set(n->loop, &w->timer, LOOK_MS, look, w);
	return w;
}

void
node_revoked_free(struct node_revoked *w)
{
	if (w != NULL)
		loop_timer_stop(w->node->loop, &w->timer);
	free(w);
}
