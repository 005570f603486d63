/* SPDX-License-Identifier: ISC */
/*
 * Memory that was used and will be used again soon, kept by size: what a message needs for
 * a moment (a request, a buffer of output) costs next to nothing then, where malloc and free of
 * such sizes would cut and join their heap each time.
 *
 * Belongs to one loop.  What is kept has a limit for each size.  Under the address sanitizer
 * nothing is kept, so that it sees every use after the end.
 */
#ifndef BASE_SPARES_H
#define BASE_SPARES_H

#include <stddef.h>

#include "base/buf.h"

struct spares;

struct spares	*spares_new(void);
void		 spares_free(struct spares *);

/* n bytes or a few more, not cleared; gives.  Goes back with the same n, or to free(). */
void		*spares_take(struct spares *, size_t n);
void		 spares_give(struct spares *, void *, size_t n);	/* takes; NULL is fine */

/*
 * Frees what was kept all the time since the call before.  To be called now and then: what a
 * crowd needed is gone after two calls that come later, what is in use again and again stays.
 */
void		 spares_trim(struct spares *);
size_t		 spares_bytes(const struct spares *);	/* that are kept */

/* Room for n bytes in an empty buf that has none; and its memory back, whatever it is by now. */
void		 spares_take_buf(struct spares *, struct buf *, size_t n);
void		 spares_give_buf(struct spares *, struct buf *);

#endif
