/* SPDX-License-Identifier: ISC */
/*
 * From a checked request to its destination.
 */
#include "request/forward.h"

#include <stdlib.h>

#include "base/log.h"
#include "request/journal.h"
#include "request/request.h"
#include "request/service.h"

void
forward_by(const struct route *route, struct request *r, uint64_t timeout_ms, uint64_t left_ms)
{
	size_t len;

	if (r->hops > USHER_HOPS_MAX) {
		request_fail(r, ERR_LOOP, NULL);
		return;
	}
	if (route->timeout_ms != 0)
		timeout_ms = route->timeout_ms;
	else if (route->destination->timeout_ms != 0)
		timeout_ms = route->destination->timeout_ms;
	r->cancel_on_leave = route->cancel_on_leave;
	r->is_idempotent = route->is_idempotent;
	if (*route->number == 0)
		*route->number = journal_route(r->all->journal, route->name);
	r->route = (uint16_t)*route->number;
	log_debug_of("request", request_subject(r, NULL), "type %s of %s goes to %s", r->type,
	    request_application(r, &len), route->destination->name);
	request_submit(r, route->destination, left_ms < timeout_ms ? left_ms : timeout_ms);
}

void
forward(const struct service_table *services, struct request *r, uint64_t timeout_ms,
    uint64_t left_ms)
{
	const struct route *route;
	const char *application;
	size_t len;
	char *text;

	application = request_application(r, &len);
	route = service_find(services, application, len, r->type, r->type_len);
	if (route != NULL) {
		forward_by(route, r, timeout_ms, left_ms);
		return;
	}
	text = request_no_handler_text(r, application);
	request_fail(r, ERR_NO_HANDLER, text);
	free(text);
}
