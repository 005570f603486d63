/* SPDX-License-Identifier: ISC */
/* What lib/storm.js asks for, with the C kit. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <usher_handler.h>

static struct usher_object *
tagged(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);

	usher_put_json(reply, "tag", usher_get_json(r, usher_message(r), "params.tag"));
	return reply;
}

static void
finish_done(struct usher_request *r)
{
	struct usher_object *reply = tagged(r);

	usher_put_bool(reply, "done", true);
	usher_finish(r, usher_text(reply));
}

static void
send_step(struct usher_request *r, int step)
{
	struct usher_object *reply = tagged(r);

	usher_put_number(reply, "step", step);
	usher_send(r, usher_text(reply));
}

static void
steps(struct usher_request *r)
{
	double gap_ms = 0;

	usher_get_number(usher_message(r), "params.gap", &gap_ms);
	for (int step = 1; step <= 3; step++) {
		send_step(r, step);
		usleep((useconds_t)(gap_ms * 1000));
	}
	finish_done(r);
}

static void
flood(struct usher_request *r)
{
	double n = 0;

	usher_get_number(usher_message(r), "params.n", &n);
	for (int step = 1; step <= n; step++)
		send_step(r, step);
	finish_done(r);
}

/* The last two lines go past the kit, which drops what comes after a final. */
static void
doubled(struct usher_request *r)
{
	struct usher_object *reply = tagged(r);
	double id = 0;

	usher_get_number(usher_envelope(r), "id", &id);
	usher_put_number(reply, "n", 1);
	usher_finish(r, usher_text(reply));
	usher_send(r, "{\"tag\":\"a stray reply\"}");
	usher_finish(r, "{\"tag\":\"a stray reply\"}");
	dprintf(3, "{\"op\":\"send\",\"id\":%.0f,\"message\":{\"tag\":\"a stray reply\"}}\n", id);
	dprintf(3, "{\"op\":\"finish\",\"id\":%.0f,\"message\":{\"tag\":\"a stray reply\"}}\n", id);
}

static void
fail(struct usher_request *r)
{
	struct usher_object *reply = tagged(r);

	usher_put_string(reply, "error", "Told to fail");
	usher_finish(r, usher_text(reply));
}

static void
crash(struct usher_request *r)
{
	usher_fail(r, "Deliberate failure");
}

static void
hang(struct usher_request *r)
{
	(void)r;
	for (;;)
		pause();
}

static void
leave(struct usher_request *r)
{
	(void)r;
	_exit(3);
}

int
main(void)
{
	usher_handle("steps", steps);
	usher_handle("flood", flood);
	usher_handle("doubled", doubled);
	usher_handle("fail", fail);
	usher_handle("crash", crash);
	usher_handle("hang", hang);
	usher_handle("block", hang);
	usher_handle("leave", leave);
	return usher_run();
}
