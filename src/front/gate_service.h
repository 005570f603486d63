/* SPDX-License-Identifier: ISC */
/*
 * Messages that name a "service": another local application, whose handlers and fragments
 * they get with the session they have (protocol reference section 14).
 */
#ifndef FRONT_GATE_SERVICE_H
#define FRONT_GATE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct conf_application;
struct gate;
struct request;

/* The local application of this name; NULL: there is none. */
const struct conf_application	*gate_find_application(const struct gate *, const char *name,
				    size_t len);

/*
 * The application that a checked message, which no route names, is for: its own, or the service
 * that it names and may use.  NULL: none here.  false: the request has ended.
 */
MUST_USE bool	gate_find_service(const struct gate *, struct request *,
		    const struct conf_application **, bool *is_service);

#endif
