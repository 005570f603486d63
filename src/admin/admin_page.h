/* SPDX-License-Identifier: ISC */
/*
 * The status page: one file of HTML that needs nothing besides but /status.json.
 */
#ifndef ADMIN_ADMIN_PAGE_H
#define ADMIN_ADMIN_PAGE_H

struct admin_view;
struct buf;

/* The page.  Its script and its style run by this nonce alone (Content-Security-Policy). */
void	admin_page_write(struct buf *, const char *nonce);

/* The policy that goes with it: a header line with CR LF. */
void	admin_page_add_policy(struct buf *, const char *nonce);

/* What it draws: the answers of usherctl's commands, all of one moment. */
void	admin_page_write_status(const struct admin_view *, struct buf *);

#endif
