/* SPDX-License-Identifier: ISC */
/*
 * Sessions in tokens: what a handler gets to see of one, and the fresh token
 * after it ran (protocol reference sections 7 and 8).
 *
 * A fresh token is always signed, and its secret claims encrypted, with the first
 * secret of the ring.  Nothing limits its length here: one above JWT_MAX_BYTES
 * would be refused when it comes back, so the caller has to look.  Claims pass as
 * they are written, without being printed anew.
 */
#ifndef TOKEN_CLAIMS_H
#define TOKEN_CLAIMS_H

#include "base/buf.h"
#include "token/token.h"

struct outside_session;

/* What claims_register() puts into a new session. */
struct claims_new {
	const char *application;
	size_t application_len;
	const char *socket;		/* Engine.IO sid of the client */
	const char *address;		/* the client's address, without port */
	uint64_t lifetime_s;
	int64_t now_s;			/* wall clock */
	const struct outside_session *outside;	/* whose session it is; NULL: nobody's yet */
};

/*
 * A token for a new session: exp, iat, iss, application, timeout, qewd (socketId,
 * ipAddress, authenticated:false), and a public jti of 96 random bits.
 */
void	claims_register(struct jwt_ring *, const struct claims_new *, struct buf *token);

/*
 * A fresh token for a session that comes back on a new socket: iat and exp anew,
 * socketId and ipAddress of the new socket, all else kept (a qewd claim that cannot
 * be decrypted as well).  application and lifetime_s are used only where t has no such claim.
 */
void	claims_reregister(struct jwt_ring *, const struct token *, const struct claims_new *,
	    struct buf *token);

/*
 * The session as a handler sees it: all claims but qewd, with application set to the
 * name the application has here, and each decrypted secret unless a truthy public
 * claim has its name; and the JSON array of the names so copied.  A qewd claim that
 * cannot be decrypted gives no secrets.  Both are appended; the session is to be
 * given to jwt_wipe() when it was sent.
 */
void	claims_session(struct jwt_ring *, const struct token *, const char *application,
	    struct buf *session, struct buf *secret);

/* After a final reply without error.  Texts are JSON, NULL if absent in "finish". */
struct claims_update {
	const char *session;		/* an object: replaces the session */
	size_t session_len;
	const char *secret;		/* an array of strings */
	size_t secret_len;
	uint64_t lifetime_s;		/* where neither session nor token say a timeout */
	int64_t now_s;
};

/*
 * The fresh token: iat now, exp now + timeout, iss and jti of t, application of t.
 * session absent: qewd is kept byte for byte (re-encrypted if another secret than the
 * first verified t).  Otherwise exp iat iss application qewd jti in it are
 * ignored, timeout counts if it is a positive number (it is never encrypted: exp tells
 * it anyway), names in secret are encrypted, all else is public and old secret values
 * are gone; secret absent: the names claims_session() gives for t.  A session that no
 * token can hold (deeper than JWT_DEPTH_MAX) counts as absent and is logged; an nbf
 * that is no number is left out; a qewd that cannot be decrypted is kept unless there
 * is something to encrypt.
 */
void	claims_issue(struct jwt_ring *, const struct token *t, const struct claims_update *,
	    struct buf *token);

/*
 * A claim that is a string, public or, if there is no truthy public one, secret; appended, nothing
 * if there is none.
 */
void	claims_text(struct jwt_ring *, const struct token *, const char *name, struct buf *);

/* socketId and ipAddress among the secrets; appended, NUL behind them, nothing if absent. */
void	claims_client(struct jwt_ring *, const struct token *, struct buf *socket,
	    struct buf *address);

#endif
