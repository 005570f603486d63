/* SPDX-License-Identifier: ISC */
/* The cancel example: a long count that stops when nobody waits for it any more. */
#include <usher_handler.h>

static void
count(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);
	double to = 600;

	usher_get_number(usher_message(r), "params.to", &to);
	for (int n = 1; n <= to; n++) {
		usher_put_number(reply, "count", n);
		usher_send(r, usher_text(reply));
		if (usher_wait_cancelled(r, 100)) {	/* the work */
			usher_log(r, USHER_INFO, "cancelled at %d", n);
			usher_fail(r, "cancelled");
			return;
		}
	}
	usher_finish(r, "{\"done\":true}");
}

/* Work that does not sleep: asking costs one system call, so not in each round. */
static void
sum(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);
	double to = 0, total = 0;

	usher_get_number(usher_message(r), "params.to", &to);
	for (long n = 1; n <= to; n++) {
		if (n % 100000 == 0 && usher_is_cancelled(r)) {
			usher_fail(r, "cancelled");
			return;
		}
		total += (double)n;
	}
	usher_put_number(reply, "total", total);
	usher_finish(r, usher_text(reply));
}

int
main(void)
{
	usher_handle("count", count);
	usher_handle("sum", sum);
	return usher_run();
}
