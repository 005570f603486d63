/* SPDX-License-Identifier: ISC */
/* The login example: what a user may see, what only nodes may see, intermediate replies. */
#include <poll.h>
#include <string.h>

#include <usher_handler.h>

static bool
is_equal(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

/* Hands the client's tag back, so that it can tell its requests apart. */
static const char *
with_tag(struct usher_request *r, struct usher_object *reply)
{
	const char *tag = usher_get_json(r, usher_message(r), "params.tag");

	if (tag != NULL)
		usher_put_json(reply, "tag", tag);
	return usher_text(reply);
}

static void
login(struct usher_request *r)
{
	const char *username = usher_get_string(r, usher_message(r), "params.username");
	const char *password = usher_get_string(r, usher_message(r), "params.password");
	struct usher_object *session = usher_session(r);
	bool is_in = false;

	usher_get_bool(usher_text(session), "authenticated", &is_in);
	if (is_in) {
		usher_refuse(r, "Already logged in");
		return;
	}
	if (!is_equal(username, "rob") || !is_equal(password, "secret")) {
		usher_refuse(r, "Invalid login attempt");
		return;
	}
	usher_put_bool(session, "authenticated", true);
	usher_put_number(session, "timeout", 1200);
	usher_put_string(session, "userText", "Welcome Rob");	/* the browser can read it */
	usher_put_string(session, "username", username);
	usher_make_secret(r, "username");	/* encrypted: for handlers only */
	usher_finish(r, "{\"ok\":true}");
}

static void
put_claim(struct usher_request *r, struct usher_object *reply, const char *name)
{
	const char *value = usher_get_json(r, usher_text(usher_session(r)), name);

	usher_put_json(reply, name, value != NULL ? value : "null");
}

static void
whoami(struct usher_request *r)
{
	struct usher_object *reply = usher_object(r);
	bool is_in = false;

	usher_get_bool(usher_text(usher_session(r)), "authenticated", &is_in);
	put_claim(r, reply, "application");
	usher_put_bool(reply, "authenticated", is_in);
	put_claim(r, reply, "username");
	put_claim(r, reply, "userText");
	put_claim(r, reply, "timeout");
	usher_put_bool(reply, "secretUsername", usher_is_secret(r, "username"));
	usher_finish(r, usher_text(reply));
}

static void
steps(struct usher_request *r)
{
	struct usher_object *step = usher_object(r), *end = usher_object(r);
	double gap_ms = 0;

	usher_get_number(usher_message(r), "params.gap", &gap_ms);
	for (int i = 1; i <= 3; i++) {
		usher_put_number(step, "step", i);
		usher_put_number(step, "of", 3);
		usher_send(r, with_tag(r, step));
		if (gap_ms > 0 && gap_ms < 60000)
			poll(NULL, 0, (int)gap_ms);
	}
	usher_put_bool(end, "done", true);
	usher_finish(r, with_tag(r, end));
}

static void
echo(struct usher_request *r)
{
	const char *params = usher_get_json(r, usher_message(r), "params");
	struct usher_object *reply = usher_object(r);

	usher_put_json(reply, "echo", params != NULL ? params : "null");
	usher_finish(r, with_tag(r, reply));
}

int
main(void)
{
	usher_handle("login", login);
	usher_handle("whoami", whoami);
	usher_handle("steps", steps);
	usher_handle("echo", echo);
	return usher_run();
}
