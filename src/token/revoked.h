/* SPDX-License-Identifier: ISC */
/*
 * Which sessions are revoked: one by its jti, those of a user, or all that were begun before a
 * time.  It is kept for as long as tokens may live, and no longer.
 *
 * One for all loops.  They read it; it is changed only while they stand still.
 */
#ifndef TOKEN_REVOKED_H
#define TOKEN_REVOKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define REVOKED_MAX	 65536	/* entries */
#define REVOKED_NAME_MAX 1024	/* bytes of a jti or a user */
#define REVOKED_WHO_MAX	 32

struct revoked;

enum revoked_kind { REVOKED_JTI, REVOKED_USER, REVOKED_BEFORE };

struct revoked_entry {
	enum revoked_kind kind;
	const char *name;		/* of a jti or user; NULL: of neither */
	int64_t before_s;		/* tokens issued before that are meant; INT64_MAX of a jti */
	int64_t since_s, until_s;	/* it was revoked, and is forgotten */
	char who[REVOKED_WHO_MAX];	/* who did it, for those who look */
};

/* What there is to know about a session: of a token, or of the last one that a socket showed. */
struct revoked_mark {
	char *jti, *user;		/* NULL: it has none; owned by whoever keeps the mark */
	int64_t iat_s;			/* INT64_MIN: it does not say */
	char tail[8];			/* the token's last letters, which tell it from others */
};

void		 revoked_mark_cleanup(struct revoked_mark *);
/* Takes what is in from; the old one goes. */
void		 revoked_mark_move(struct revoked_mark *to, struct revoked_mark *from);

struct revoked	*revoked_new(void);
void		 revoked_free(struct revoked *);

/* "jti", "user", "before"; and back. */
const char	*revoked_kind_name(enum revoked_kind);
MUST_USE bool	 revoked_kind_find(const char *name, enum revoked_kind *);

/*
 * One more; the same once more replaces the old one.  Copies it.  false: there are too many that
 * are not over by now_s, or the name is empty or too long.
 */
MUST_USE bool	 revoked_add(struct revoked *, const struct revoked_entry *, int64_t now_s);

void		 revoked_forget_old(struct revoked *, int64_t now_s);

/* Changes with every addition.  0: there has never been any. */
uint64_t	 revoked_generation(const struct revoked *);
size_t		 revoked_count(const struct revoked *);
bool		 revoked_has_users(const struct revoked *);	/* a mark without its user is of no use */
/* Tokens are to be issued as of then, or later: all older ones are revoked.  INT64_MIN: none. */
int64_t		 revoked_all_before(const struct revoked *);

bool		 revoked_has(const struct revoked *, const struct revoked_mark *);

/* In the order in which they came. */
void		 revoked_each(const struct revoked *,
		    void (*fn)(const struct revoked_entry *, void *arg), void *arg);

/*
 * The same as lines of JSON in a file that its owner alone may read.  Saving replaces the
 * file as a whole, when it is on the disk.  NULL, or what is wrong, to be freed.  A file that is not
 * there is empty.
 */
MUST_USE char	*revoked_load(struct revoked *, const char *path, int64_t now_s);
MUST_USE char	*revoked_save(const struct revoked *, const char *path);

#endif
