/* SPDX-License-Identifier: ISC */
/*
 * usherd --dev: one handler, tried in a browser while it is being written.
 *
 * A configuration of its own (loopback, a throw-away secret, application "dev"), a page
 * with a form, every message printed, and the worker replaced when a file changes.
 */
#ifndef DEV_DEV_H
#define DEV_DEV_H

#include <stddef.h>
#include <stdint.h>

#include "worker/pool.h"

struct conf;
struct dev;
struct loop;

/*
 * Writes a configuration for this command (NULL-terminated) to a folder that goes with
 * dev_free().  Gives.  Fails by an error message and the end of the process.
 */
struct dev	*dev_new(char *const *command, uint16_t port);
void		 dev_free(struct dev *);	/* NULL is fine */
const char	*dev_conf_path(const struct dev *);
void		 dev_forget_conf(struct dev *);	/* it was read: its secret need not lie about */

/*
 * Watches the folder we were started in and those in it, also new ones; calls on_change(arg)
 * when files in them changed.
 */
void		 dev_watch(struct dev *, struct loop *, void (*on_change)(void *), void *arg);

void		 dev_unwatch(struct dev *);	/* before the loop ends; NULL is fine */

/* Prints messages of workers, and notes when they start and end (pool_env.show). */
void		 dev_show(enum pool_sight, const char *worker, const char *type, size_t type_len,
		    const char *text, size_t len, void *dev);

#endif
