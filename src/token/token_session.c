/* SPDX-License-Identifier: ISC */
/*
 * What a handler sees of a token, as one block that can be wiped.
 */
#include "token/token_session.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "token/claims.h"

static const char *
put_text(char **at, const char *text, size_t len)
{
	char *to = *at;

	memcpy(to, text, len);
	*at = to + len;
	return to;
}

struct token_session *
token_session_new(struct jwt_ring *ring, const struct token *t, const char *application)
{
	size_t application_size = strlen(application) + 1, bytes;
	struct buf session = { 0 }, secret = { 0 };
	struct token_session *s;
	char *at;

	claims_session(ring, t, application, &session, &secret);
	bytes = sizeof(*s) + application_size + session.len + secret.len;
	s = xmalloc(bytes);
	at = (char *)(s + 1);
	s->bytes = bytes;
	s->application = put_text(&at, application, application_size);
	s->session_len = session.len;
	s->session = put_text(&at, session.data, session.len);
	s->secret_len = secret.len;
	s->secret = put_text(&at, secret.data, secret.len);
	jwt_wipe(&session);
	buf_free(&secret);
	return s;
}

void
token_session_free(struct token_session *s)
{
	if (s == NULL)
		return;
	jwt_wipe_bytes(s, s->bytes);
	free(s);
}
