/* SPDX-License-Identifier: ISC */
/*
 * Metrics and health over HTTP, on a loopback address of their own: /metrics, /healthz,
 * /readyz and /version.
 */
#ifndef ADMIN_ADMIN_HTTP_H
#define ADMIN_ADMIN_HTTP_H

struct admin_http;
struct admin_view;
struct conf;
struct conf_listener;
struct listener;
struct listener_where;

/*
 * At this address.  Borrows the view.  NULL: it cannot
 * listen there; *error, to be freed, says why.
 */
struct admin_http	*admin_http_new(const struct admin_view *, const struct conf_listener *,
			    const struct listener_where *, char **error);
struct listener		*admin_http_listener(struct admin_http *);
/* Another configuration, with the same address. */
void			 admin_http_reload(struct admin_http *, const struct conf *);
const char		*admin_http_address(const struct admin_http *);	/* as bound */
/* NULL is fine.  Connections end; what was answered is still written. */
void			 admin_http_free(struct admin_http *);

#endif
