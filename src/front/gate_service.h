/* SPDX-License-Identifier: ISC */
/*
 * Messages for another local application than that of the token, with the session they have: those
 * that name a "service" (protocol reference section 14), and what a stock master sends on.
 */
#ifndef FRONT_GATE_SERVICE_H
#define FRONT_GATE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct conf_application;
struct gate;
struct gate_sender;
struct request;

/* The local application of this name; NULL: there is none. */
const struct conf_application	*gate_find_application(const struct gate *, const char *name,
				    size_t len);

/*
 * The application that a checked message, which no route names, is for: its own; the service
 * that it names and may use (an application of QEWD's own worker says itself what it may use,
 * unless the configuration lists it); or, if its own is not here and a stock node asks at a listener
 * for nodes, its "qewd_application".  NULL: none here.  false: the request has ended.
 */
MUST_USE bool	gate_find_service(const struct gate *, struct request *,
		    const struct gate_sender *, const struct conf_application **,
		    bool *is_other);

#endif
