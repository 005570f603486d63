/* SPDX-License-Identifier: ISC */
/* The types of ../table.mjs for the C kit; table.js has the same. */
#include <stddef.h>

#include <usher_handler.h>

static const char *
claim(struct usher_request *r, const char *name)
{
	const char *value = usher_get_json(r, usher_text(usher_session(r)), name);

	return value != NULL ? value : "null";
}

static void
progress(struct usher_request *r)
{
	usher_send_as(r, "progressed", "{\"pct\":50}");
	usher_send(r, "{\"pct\":100}");
	usher_finish(r, "{\"done\":true}");
}

static void
list(struct usher_request *r)
{
	usher_finish(r, "[1,[],{\"a\":null}]");
}

static void
nothing(struct usher_request *r)
{
	usher_send(r, NULL);
	usher_finish(r, NULL);
}

static void
refuse(struct usher_request *r)
{
	usher_finish(r, "{\"error\":\"Told to fail\",\"status\":{\"code\":418}}");
}

static void
crash(struct usher_request *r)
{
	usher_fail(r, "Deliberate failure");
}

static void
crash_after_send(struct usher_request *r)
{
	usher_put_string(usher_session(r), "color", "blue");
	usher_send(r, "{\"step\":1}");
	usher_fail(r, "Deliberate failure");
}

static void
twice(struct usher_request *r)
{
	usher_finish(r, "{\"n\":1}");
	usher_send(r, "{\"n\":2}");
	usher_finish(r, "{\"n\":3}");
}

static void
show(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);

	usher_put_json(reply, "user", claim(r, "user"));
	usher_put_json(reply, "color", claim(r, "color"));
	usher_put_json(reply, "list", claim(r, "list"));
	usher_put_bool(reply, "isSecret", usher_is_secret(r, "user"));
	usher_finish(r, usher_text(reply));
}

static void
change(struct usher_request *r)
{
	struct usher_object *session = usher_session(r);

	usher_put_string(session, "user", "anna \xc3\xa9 \"\\\n \xf0\x9f\x98\x80");
	usher_make_secret(r, "user");
	usher_put_string(session, "color", "red");
	usher_put_json(session, "list", "[1,{\"a\":null,\"b\":0.5}]");
	usher_finish(r, "{\"ok\":true}");
}

static void
change_inside(struct usher_request *r)
{
	usher_put_json(usher_session(r), "list", "[1,{\"a\":null,\"b\":0.5},\"more\"]");
	usher_finish(r, "{\"ok\":true}");
}

static void
change_refused(struct usher_request *r)
{
	usher_put_string(usher_session(r), "color", "green");
	usher_refuse(r, "Told to fail");
}

static void
publish(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);

	usher_make_public(r, "user");
	usher_put_bool(reply, "isSecret", usher_is_secret(r, "user"));
	usher_finish(r, usher_text(reply));
}

static void
forget(struct usher_request *r)
{
	usher_remove(usher_session(r), "color");
	usher_finish(r, "{\"ok\":true}");
}

static void
lengthen(struct usher_request *r)
{
	usher_put_number(usher_session(r), "timeout", 900);
	usher_put_bool(usher_session(r), "authenticated", true);
	usher_finish(r, "{\"ok\":true}");
}

int
main(void)
{
	usher_handle("progress", progress);
	usher_handle("list", list);
	usher_handle("nothing", nothing);
	usher_handle("refuse", refuse);
	usher_handle("crash", crash);
	usher_handle("crashAfterSend", crash_after_send);
	usher_handle("twice", twice);
	usher_handle("show", show);
	usher_handle("change", change);
	usher_handle("changeInside", change_inside);
	usher_handle("changeRefused", change_refused);
	usher_handle("publish", publish);
	usher_handle("forget", forget);
	usher_handle("lengthen", lengthen);
	return usher_run();
}
