/* SPDX-License-Identifier: ISC */
/*
 * Pieces of a page that browsers ask for by name: type ewd-fragment (protocol reference
 * section 14), from the folder of their application or of a service.
 */
#ifndef FRONT_FRAGMENT_H
#define FRONT_FRAGMENT_H

#include <stdint.h>

struct gate;
struct gate_sender;
struct request;

#define FRAGMENT_MAX 1000000	/* bytes of a file */

/* A checked message, whose type no route names; ends the request, or lets QEWD's own worker serve it. */
void	fragment_serve(const struct gate *, struct request *, const struct gate_sender *,
	    uint64_t left_ms);

#endif
