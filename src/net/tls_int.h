/* SPDX-License-Identifier: ISC */
/*
 * What tls.c and tls_context.c share.  Not for other files.
 */
#ifndef NET_TLS_INT_H
#define NET_TLS_INT_H

#include <openssl/ssl.h>

#include "net/tls.h"

/*
 * TLS on a new connection.  Takes the SSL, whose role and context are set; let_go(owner) is
 * called when it is freed.
 */
struct tls	*tls_new(SSL *, void (*let_go)(void *owner), void *owner);

/* What OpenSSL has to say about the last failure, and forgets.  Borrowed until the next one. */
const char	*tls_error_text(void);

#endif
