/* SPDX-License-Identifier: ISC */
/*
 * A short list for each client, and one table of all.
 */
#include "front/qewd_sids.h"

#include <stdlib.h>
#include <string.h>

#include "base/strmap.h"
#include "base/xmalloc.h"

static void
remove_at(struct strmap *by_sid, struct qewd_sids *s, unsigned i)
{
	strmap_remove(by_sid, s->sid[i], ID_SID_LEN);
	s->n--;
	memmove(s->sid[i], s->sid[i + 1], (s->n - i) * sizeof(s->sid[0]));
}

void
qewd_sids_add(struct strmap *by_sid, struct qewd_sids *s, const char *sid, void *client)
{
	void **at;

	if (strlen(sid) != ID_SID_LEN)
		return;
	at = strmap_at(by_sid, sid, ID_SID_LEN);
	if (*at == client)
		return;
	*at = client;
	if (s->n == SIDS_MAX)
		remove_at(by_sid, s, 1);
	s->sid = xreallocarray(s->sid, s->n + 1, sizeof(s->sid[0]));
	memcpy(s->sid[s->n++], sid, sizeof(s->sid[0]));
}

void
qewd_sids_move(struct strmap *by_sid, struct qewd_sids *from, struct qewd_sids *to, void *client)
{
	for (unsigned i = 0; i < from->n; i++)
		qewd_sids_add(by_sid, to, from->sid[i], client);
	free(from->sid);
	*from = (struct qewd_sids){ 0 };
}

void
qewd_sids_clear(struct strmap *by_sid, struct qewd_sids *s)
{
	for (unsigned i = 0; i < s->n; i++)
		strmap_remove(by_sid, s->sid[i], ID_SID_LEN);
	free(s->sid);
	*s = (struct qewd_sids){ 0 };
}
