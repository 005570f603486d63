/* SPDX-License-Identifier: ISC */
/*
 * Memory that is always there: running out ends the process, so that no code
 * path exists for it.  What a peer can make us store is bounded elsewhere.
 */
#ifndef BASE_XMALLOC_H
#define BASE_XMALLOC_H

#include <stddef.h>

#include "base/compiler.h"

/* All of these give memory for free(3) and never return NULL. */
void	*xmalloc(size_t);
void	*xcalloc(size_t n, size_t size);
void	*xrealloc(void *, size_t);
void	*xreallocarray(void *, size_t n, size_t size);
char	*xstrdup(const char *);
char	*xstrndup(const char *, size_t max);	/* stops at a NUL */
void	*xmemdup(const void *, size_t);		/* one NUL more behind the copy */
char	*xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
