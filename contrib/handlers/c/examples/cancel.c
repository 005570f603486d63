/* SPDX-License-Identifier: ISC */
/* The cancel example: a long count that stops when nobody waits for it any more. */
#include <poll.h>
#include <stddef.h>

#include <usher_handler.h>

static void
count(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);
	double to = 600;

	usher_get_number(usher_message(r), "params.to", &to);
	for (int i = 1; i <= to; i++) {
		usher_put_number(reply, "count", i);
		if (usher_is_cancelled(r)) {
			usher_log(r, USHER_INFO, "cancelled at %d", i);
			usher_fail(r, "cancelled");
			return;
		}
		usher_send(r, usher_text(reply));
		poll(NULL, 0, 100);	/* the work */
	}
	usher_finish(r, "{\"done\":true}");
}

int
main(void)
{
	usher_handle("count", count);
	return usher_run();
}
