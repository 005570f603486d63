/* SPDX-License-Identifier: ISC */
/*
 * Where token_cache.c finds tokens: by their texts, and by the texts they were rewritten from.
 *
 * A bounded table, of which the token goes first that was not used for longest.  Of those that were
 * superseded and not used since then a part stays: where each reply has a token of its own, memory
 * is used again while it is in the processor's caches.  A token that goes loses its session at once
 * (token_session.h).
 */
#ifndef TOKEN_TOKEN_TABLE_H
#define TOKEN_TOKEN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "token/token_int.h"

/*
 * Those are kept for clients that have not heard of the new token yet, or that keep the one they
 * have although replies bring others.
 */
#define TOKEN_SUPERSEDED_MAX 1024

struct token_table;

struct token_table	*token_table_new(void);
void			 token_table_free(struct token_table *);
void			 token_table_clear(struct token_table *);
size_t			 token_table_count(const struct token_table *);
size_t			 token_table_bytes(const struct token_table *);

/* Of the text of a token; keyed, so that nobody can choose tokens that collide. */
uint64_t		 token_table_hash(const struct token_table *, const char *text, size_t len);

/* The token of this text, or that stands for it.  NULL: it is not there. */
struct token		*token_table_find(const struct token_table *, uint64_t hash,
			    const char *text, size_t len);
/* The same; it is in this place (its field), perhaps, where it is found with less effort. */
struct token		*token_table_find_at(const struct token_table *, uint16_t place,
			    uint64_t hash, const char *text, size_t len);
/* What is in this place comes from memory while others work. */
void			 token_table_fetch(const struct token_table *, uint16_t place);
/* That of an application which has a form of this text; none that stands for another one. */
struct token		*token_table_find_twin(const struct token_table *, uint64_t hash,
			    const char *text, size_t len, const char *application, size_t n);

/*
 * One more, with a reference of its own; under the hash of the text it is to be found by, and
 * with its forms.  It is in none yet.
 */
void			 token_table_add(struct token_table *, struct token *, uint64_t hash);
void			 token_table_remove(struct token_table *, struct token *);
void			 token_table_remove_expired(struct token_table *, int64_t now_ms);

/* A form of a token that is in the table, or of any. */
void			 token_table_add_form(struct token_table *, struct token *,
			    struct token_form *);
void			 token_table_remove_form(struct token_table *, struct token_form *);

/*
 * It was used.  It takes other memory now: others go where a limit asks for it.  It is in the
 * table.
 */
void			 token_table_use(struct token_table *, struct token *);
void			 token_table_charge(struct token_table *, struct token *);

/* Its client has another one now. */
void			 token_table_supersede(struct token_table *, struct token *);

#endif
