/* SPDX-License-Identifier: ISC */
/* The types of tests/kits/conformance.test.mjs for the C kit; fixture.sh has the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usher_handler.h>

static void
crash(struct usher_request *r)
{
	usher_fail(r, "Deliberate failure");
}

static void
silent(struct usher_request *r)
{
	(void)r;
}

static void
prints(struct usher_request *r)
{
	printf("printed by a handler\n{\"op\":\"finish\",\"id\":1,\"message\":\"not this one\"}\n");
	fprintf(stderr, "printed as an error\n");
	usher_finish(r, "{\"ok\":true}");
}

static void
twice(struct usher_request *r)
{
	usher_send_as(r, "progress", "{\"pct\":50}");
	usher_send(r, NULL);
	usher_finish(r, "[1,\r\n 2,\n 3]");
	usher_finish(r, "{\"second\":true}");
	usher_send(r, "{\"late\":true}");
	usher_fail(r, "too late");
}

static void
bad_json(struct usher_request *r)
{
	usher_finish(r, usher_get_string(r, usher_message(r), "params.json"));
}

static void
refuse(struct usher_request *r)
{
	usher_refuse(r, "Told to \"fail\"");
}

static void
change(struct usher_request *r)
{
	struct usher_object *session = usher_session(r);

	usher_put_string(session, "user", "anna \xc3\xa9 \"\\\n");
	usher_put_number(session, "half", 0.5);
	usher_put_json(session, "list", "[1, {\"a\": null}]");
	usher_remove(session, "color");
	usher_remove(session, "absent");
	usher_make_secret(r, "user");
	usher_make_secret(r, "never");
	usher_make_public(r, "authenticated");
	usher_finish(r, NULL);
}

static void
show(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);
	const char *session = usher_text(usher_session(r));

	usher_put_string(reply, "user", usher_get_string(r, session, "user"));
	usher_put_json(reply, "list", usher_get_json(r, session, "list"));
	usher_put_bool(reply, "isSecret", usher_is_secret(r, "user"));
	usher_put_bool(reply, "hasColor", usher_get_json(r, session, "color") != NULL);
	usher_put_string(reply, "address",
	    usher_get_string(r, usher_envelope(r), "client.address"));
	usher_finish(r, usher_text(reply));
}

static void
on_reply(struct usher_request *r, const char *json, void *arg)
{
	(void)arg;
	usher_send(r, json);
}

static void
ask(struct usher_request *r)
{
	const char *reply = usher_call(r, "other", "thing", "{\"n\":1}", on_reply, NULL);

	if (reply == NULL)
		usher_fail(r, "gave up");
	else
		usher_finish(r, reply);
}

static void
push(struct usher_request *r)
{
	usher_push_to_socket("socket-1", "news", "{\"n\":1}");
	usher_push_to_application("test-app", "news", "{\"n\":2}");
	usher_push_to_all("news", "{\"n\":3}");
	usher_log(r, USHER_WARN, "pushed %d", 3);
	usher_finish(r, "{\"ok\":true}");
}

static void
leave(struct usher_request *r)
{
	(void)r;
	exit(3);
}

/* What only C has: paths, numbers, strings that are no UTF-8. */
static void
values(struct usher_request *r)
{
	const char *message = usher_message(r);
	struct usher_object *reply = usher_object(r);
	double number = -1;
	bool is_on = false;

	usher_put_bool(reply, "number", usher_get_number(message, "params.n.1", &number));
	usher_put_number(reply, "n", number);
	usher_put_bool(reply, "bool", usher_get_bool(message, "params.on", &is_on) && is_on);
	usher_put_string(reply, "dotted", usher_get_string(r, message, "params.a\\.b.c\\\\"));
	usher_put_string(reply, "nul", usher_get_string(r, message, "params.nul"));
	usher_put_string(reply, "pair", usher_get_string(r, message, "params.pair"));
	usher_put_string(reply, "last", usher_get_string(r, message, "params.twice"));
	usher_put_json(reply, "raw", usher_get_json(r, message, "params.n"));
	usher_put_string(reply, "latin", "caf\xe9 \xed\xa0\x80 \xc0\xaf");
	usher_put_number(reply, "third", 1.0 / 3);
	usher_put_number(reply, "large", 1e300);
	usher_put_number(reply, "exact", 9007199254740991.0);
	usher_put_number(reply, "zero", -0.0);
	usher_put_number(reply, "none", (double)NAN);
	usher_put_bool(reply, "refused", usher_put_json(reply, "bad", "{\"a\":1,}"));
	usher_put_bool(reply, "absent", usher_get_json(r, message, "params.n.7") != NULL ||
	    usher_get_string(r, message, "params.n") != NULL ||
	    usher_get_json(r, message, "params.n.0.x") != NULL);
	usher_finish(r, usher_text(reply));
}

int
main(void)
{
	usher_handle("crash", crash);
	usher_handle("silent", silent);
	usher_handle("print", prints);
	usher_handle("twice", twice);
	usher_handle("badJson", bad_json);
	usher_handle("refuse", refuse);
	usher_handle("change", change);
	usher_handle("show", show);
	usher_handle("ask", ask);
	usher_handle("push", push);
	usher_handle("exit", leave);
	usher_handle("values", values);
	return usher_run();
}
