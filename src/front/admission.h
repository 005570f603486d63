/* SPDX-License-Identifier: ISC */
/*
 * How many connections and how many sessions there are, in all and from each address.
 *
 * All loops of a node share it: all may call at any time.
 *
 * The two are counted apart, since a session that polls has now no connection and now
 * several.  A session that is a WebSocket takes one place of each.
 */
#ifndef FRONT_ADMISSION_H
#define FRONT_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a session may need: its poll, its post and the WebSocket that it changes to. */
#define ADMISSION_CONNECTIONS 3

struct admission;

/* The limits of sessions; those of connections are ADMISSION_CONNECTIONS times as much. */
struct admission	*admission_new(uint64_t in_all_max, uint64_t per_address_max);
void			 admission_free(struct admission *);
/* Other limits; whoever is in stays. */
void			 admission_set(struct admission *, uint64_t in_all_max,
			    uint64_t per_address_max);

/*
 * One more connection from this address?  NULL: yes, and it counts until
 * admission_release().  Otherwise the name of the setting that refuses.  Where by_address is
 * false only the limit on all counts.
 */
const char		*admission_take(struct admission *, const char *address, bool by_address);
void			 admission_release(struct admission *, const char *address);

/* The same for a session. */
const char		*admission_take_session(struct admission *, const char *address,
			    bool by_address);
void			 admission_release_session(struct admission *, const char *address);

/*
 * True once in a life: sessions of this address, which is of a private network, come near the
 * limit of an address.  It may be a proxy that nobody named.
 */
bool			 admission_suspects(struct admission *, const char *address);

#endif
