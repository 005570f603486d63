/* SPDX-License-Identifier: ISC */
/*
 * Telling the service manager how the daemon is: the datagrams of sd_notify(3).
 *
 * Without NOTIFY_SOCKET in the environment nobody is told anything.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include "base/compiler.h"

/* A state, or several with a newline between them: "READY=1".  Never blocks. */
void	 notify(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* That it reloads, with the time as systemd wants it; READY=1 follows when it has. */
void	 notify_reloading(void);

#endif
