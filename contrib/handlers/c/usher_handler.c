/* SPDX-License-Identifier: ISC */
/*
 * The handler protocol for programs in C: one connection, one request at a time.
 *
 * Lines of the daemon are taken one after another; while a handler runs they are
 * looked at only when it asks (usher_is_cancelled, usher_call).  What concerns the
 * running request is then done at once, all else waits in a queue.
 */
#include "usher_handler.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "usher_json.h"

#define KIT		"c/1"
#define PROTOCOL	1
#define READ_SIZE	65536

/* A line of the daemon, without its end. */
struct line {
	struct line *next;
	size_t len;
	char text[];
};

/* Members of the daemon's lines; the rest is ignored. */
enum field {
	OP, PROTOCOL_VERSION, ID, APPLICATION, TYPE, MESSAGE, SESSION, SECRET, DEADLINE_MS, CALL,
	FINISHED, N_FIELDS
};

static const char *const field_name[N_FIELDS] = {
	[OP]			= "op",
	[PROTOCOL_VERSION]	= "protocol",
	[ID]			= "id",
	[APPLICATION]		= "application",
	[TYPE]			= "type",
	[MESSAGE]		= "message",
	[SESSION]		= "session",
	[SECRET]		= "secret",
	[DEADLINE_MS]		= "deadline_ms",
	[CALL]			= "call",
	[FINISHED]		= "finished",
};

struct fields {
	struct usher_slice of[N_FIELDS];
};

/* Memory that lives as long as the request. */
struct block {
	struct block *next;
	void *data;
};

/* A member of an object being built. */
struct member {
	char *name;	/* as written in JSON, with its quotes */
	char *value;	/* JSON */
};

struct usher_object {
	struct usher_object *next;	/* of the same request */
	struct member *members;
	size_t n;
	struct usher_buf text;
};

struct usher_request {
	const struct line *line;
	char *id;		/* as the daemon wrote it */
	char *type;
	char *application;
	char *message;
	struct usher_object *session;
	struct usher_object *secret;	/* the names; the values are true */
	char *session_before;	/* the tail of a finish that would change nothing */
	struct block *blocks;
	struct usher_object *objects;
	long long deadline_ms;	/* on our clock; below 0: unknown */
	bool is_open;
	bool is_cancelled;
};

/* A reply to a call of the running request, until the handler takes it. */
struct reply {
	struct reply *next;
	double call;
	bool is_final;
	char *message;
};

/* The life of the process. */
static struct worker {
	struct route {
		char *type;
		usher_handler handler;
	} *routes;
	size_t n_routes;
	int in;
	int out;
	bool is_connected;	/* in and out are set */
	bool is_daemon;		/* else a try by hand */
	bool is_ended;		/* end of file was read */
	bool is_stopping;
	struct usher_buf input;	/* read, but no whole line yet */
	size_t input_seen;	/* of it, known to hold no end of a line */
	struct line *first;	/* lines that wait */
	struct line **last;
	struct usher_request *request;	/* the one being served */
	struct reply *replies;
} worker = { .in = -1, .out = -1, .last = &worker.first };

static void	 on_hello(const struct line *, const struct fields *);
static void	 on_request(const struct line *, const struct fields *);
static void	 on_reply(const struct line *, const struct fields *);
static void	 on_cancel(const struct line *, const struct fields *);
static void	 on_stop(const struct line *, const struct fields *);
static void	 on_ping(const struct line *, const struct fields *);

/* What the daemon may say; what is not for the running request waits for its end. */
static const struct op {
	const char *name;
	bool waits;
	void (*on)(const struct line *, const struct fields *);
} ops[] = {
	{ "hello",	true,	on_hello },
	{ "request",	true,	on_request },
	{ "reply",	false,	on_reply },
	{ "cancel",	false,	on_cancel },
	{ "stop",	false,	on_stop },
	{ "ping",	false,	on_ping },
};

static void	 connect_to_daemon(void);
static void	 serve_line(struct line *);
static struct line *next_line(void);
static void	 write_line(struct usher_buf *);
static void	 drop_replies(void);
static struct usher_object *object_of(struct usher_request *, struct usher_slice);
static void	 object_put(struct usher_object *, const char *name, char *value);
static void	 note_session(struct usher_buf *, struct usher_request *);

static void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void
die(const char *format, ...)
{
	va_list ap;

	fputs("usher: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* A copy that the caller frees. */
static char *
copy_text(const char *text, size_t len)
{
	char *copy = usher_xrealloc(NULL, len + 1);

	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static struct usher_slice
slice_of(const char *text)
{
	return (struct usher_slice){ .at = text, .len = text == NULL ? 0 : strlen(text) };
}

void
usher_handle(const char *type, usher_handler handler)
{
	for (size_t i = 0; i < worker.n_routes; i++) {
		if (strcmp(worker.routes[i].type, type) == 0) {
			worker.routes[i].handler = handler;
			return;
		}
	}
	worker.routes = usher_xrealloc(worker.routes,
	    (worker.n_routes + 1) * sizeof(*worker.routes));
	worker.routes[worker.n_routes++] = (struct route){
		.type = copy_text(type, strlen(type)), .handler = handler };
}

int
usher_run(void)
{
	struct line *line;

	connect_to_daemon();
	while (!worker.is_stopping && (line = next_line()) != NULL) {
		serve_line(line);
		free(line);
	}
	return 0;
}

/* Descriptor 3 of the daemon, or stdin and stdout moved out of the handlers' way. */
static void
connect_to_daemon(void)
{
	const char *name = getenv("USHER_FD");
	char *end;

	worker.is_daemon = name != NULL;
	if (worker.is_daemon) {
		long fd = strtol(name, &end, 10);

		if (*name == '\0' || *end != '\0' || fd < 0 || fd > 65535)
			die("USHER_FD=%s: not a number", name);
		if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
			die("USHER_FD=%s: %s", name, strerror(errno));
		worker.in = worker.out = (int)fd;
		unsetenv("USHER_FD");	/* children of a handler are no workers */
		/* The terminal sends SIGINT to everybody; what is to end says the daemon. */
		signal(SIGINT, SIG_IGN);
	} else {
		int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

		worker.in = fcntl(0, F_DUPFD_CLOEXEC, 3);
		worker.out = fcntl(1, F_DUPFD_CLOEXEC, 3);
		if (worker.in < 0 || worker.out < 0 || nothing < 0 || dup2(2, 1) < 0 ||
		    dup2(nothing, 0) < 0)
			die("stdin and stdout: %s", strerror(errno));
		close(nothing);
	}
	worker.is_connected = true;
	setvbuf(stdout, NULL, _IOLBF, 0);	/* a line is logged when it is printed */
}

/* Notes the members we know; of several of one name the last one counts. */
static void
read_fields(const struct line *line, struct fields *f)
{
	struct usher_walk w = usher_walk((struct usher_slice){ line->text, line->len });

	if (!w.is_object || !usher_json_is_valid(line->text, line->len))
		die("the daemon's line is no JSON object");
	*f = (struct fields){ 0 };
	while (usher_walk_next(&w)) {
		for (size_t i = 0; i < N_FIELDS; i++) {
			if (usher_json_equals(w.name, field_name[i], strlen(field_name[i])))
				f->of[i] = w.value;
		}
	}
}

static const struct op *
find_op(const struct fields *f)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (f->of[OP].at != NULL &&
		    usher_json_equals(f->of[OP], ops[i].name, strlen(ops[i].name)))
			return &ops[i];
	}
	return NULL;
}

static void
serve_line(struct line *line)
{
	struct fields f;
	const struct op *op;

	read_fields(line, &f);
	op = find_op(&f);
	if (op != NULL)
		op->on(line, &f);
	else
		fprintf(stderr, "usher: op %.*s is not known, ignored\n",
		    (int)(f.of[OP].len < 40 ? f.of[OP].len : 40), f.of[OP].at ? f.of[OP].at : "");
}

/* Does what the line asks if that concerns the running request, else lets it wait. */
static void
serve_or_queue(struct line *line)
{
	struct fields f;
	const struct op *op;

	read_fields(line, &f);
	op = find_op(&f);
	if (op != NULL && !op->waits) {
		op->on(line, &f);
		free(line);
		return;
	}
	*worker.last = line;
	worker.last = &line->next;
}

static void
on_hello(const struct line *line, const struct fields *f)
{
	struct usher_buf b = { 0 };
	double version;

	(void)line;
	if (!usher_json_number(f->of[PROTOCOL_VERSION], &version) || version != PROTOCOL)
		die("the daemon speaks another version of the handler protocol than %d", PROTOCOL);
	usher_buf_adds(&b, "{\"op\":\"ready\",\"types\":[");
	for (size_t i = 0; i < worker.n_routes; i++) {
		if (i > 0)
			usher_buf_adds(&b, ",");
		usher_json_add_string(&b, worker.routes[i].type);
	}
	usher_buf_adds(&b, "],\"cancel\":true,\"kit\":\"" KIT "\"}");
	write_line(&b);
}

/* What a string of the daemon says; the text itself if C cannot hold it. */
static char *
string_of(struct usher_slice s)
{
	struct usher_buf b = { 0 };

	if (s.at != NULL && usher_json_decode(&b, s))
		return b.data;
	free(b.data);
	return copy_text(s.at, s.len);
}

static long long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
request_init(struct usher_request *r, const struct line *line, const struct fields *f)
{
	struct usher_walk names = usher_walk(f->of[SECRET]);
	struct usher_buf before = { 0 };
	double left_ms;

	*r = (struct usher_request){ .line = line, .is_open = true, .deadline_ms = -1 };
	r->id = copy_text(f->of[ID].at, f->of[ID].len);
	r->type = string_of(f->of[TYPE]);
	r->application = string_of(f->of[APPLICATION]);
	r->message = f->of[MESSAGE].at == NULL ? copy_text("null", 4) :
	    copy_text(f->of[MESSAGE].at, f->of[MESSAGE].len);
	r->session = object_of(r, f->of[SESSION]);
	r->secret = usher_object(r);
	while (usher_walk_next(&names)) {
		char *name = copy_text(names.value.at, names.value.len);

		object_put(r->secret, name, copy_text("true", 4));
		free(name);
	}
	if (usher_json_number(f->of[DEADLINE_MS], &left_ms) && left_ms >= 0 && left_ms < 1e15)
		r->deadline_ms = now_ms() + (long long)left_ms;
	note_session(&before, r);
	r->session_before = before.data;
}

static void
request_free(struct usher_request *r)
{
	while (r->blocks != NULL) {
		struct block *next = r->blocks->next;

		free(r->blocks->data);
		free(r->blocks);
		r->blocks = next;
	}
	while (r->objects != NULL) {
		struct usher_object *o = r->objects;

		r->objects = o->next;
		for (size_t i = 0; i < o->n; i++) {
			free(o->members[i].name);
			free(o->members[i].value);
		}
		free(o->members);
		free(o->text.data);
		free(o);
	}
	free(r->id);
	free(r->type);
	free(r->application);
	free(r->message);
	free(r->session_before);
}

static usher_handler
find_handler(const struct usher_request *r)
{
	for (size_t i = 0; i < worker.n_routes; i++) {
		if (strcmp(worker.routes[i].type, r->type) == 0)
			return worker.routes[i].handler;
	}
	return NULL;
}

static void
fail_as(struct usher_request *r, const char *code, const char *text)
{
	struct usher_buf b = { 0 };

	if (!r->is_open)
		return;
	r->is_open = false;
	usher_buf_adds(&b, "{\"op\":\"fail\",\"id\":");
	usher_buf_adds(&b, r->id);
	usher_buf_adds(&b, ",\"code\":");
	usher_json_add_string(&b, code);
	usher_buf_adds(&b, ",\"error\":");
	usher_json_add_string(&b, text);
	usher_buf_adds(&b, "}");
	write_line(&b);
}

static void
fail_no_handler(struct usher_request *r)
{
	struct usher_buf text = { 0 };

	usher_buf_adds(&text, "Handler not defined for ");
	usher_buf_adds(&text, r->application);
	usher_buf_adds(&text, " messages of type ");
	usher_buf_adds(&text, r->type);
	fail_as(r, "no_handler", text.data);
	free(text.data);
}

static void
on_request(const struct line *line, const struct fields *f)
{
	struct usher_request r;
	usher_handler handler;

	if (f->of[ID].at == NULL)
		die("the daemon's request has no id");
	request_init(&r, line, f);
	worker.request = &r;
	handler = find_handler(&r);
	if (handler == NULL) {
		fail_no_handler(&r);
	} else {
		handler(&r);
		fail_as(&r, "handler_error", r.is_cancelled ? "cancelled" :
		    "the handler returned without an answer");
	}
	worker.request = NULL;
	drop_replies();
	request_free(&r);
}

static bool
is_for(const struct usher_request *r, struct usher_slice id)
{
	return r != NULL && id.at != NULL && strlen(r->id) == id.len &&
	    memcmp(r->id, id.at, id.len) == 0;
}

static void
on_cancel(const struct line *line, const struct fields *f)
{
	(void)line;
	if (is_for(worker.request, f->of[ID]))
		worker.request->is_cancelled = true;
}

/* Last in the list: of the replies to one call the order matters. */
static void
on_reply(const struct line *line, const struct fields *f)
{
	struct reply *reply, **last = &worker.replies;

	(void)line;
	if (worker.request == NULL)
		return;
	reply = usher_xrealloc(NULL, sizeof(*reply));
	*reply = (struct reply){ 0 };
	usher_json_number(f->of[CALL], &reply->call);
	reply->is_final = f->of[FINISHED].at == NULL || *f->of[FINISHED].at == 't';
	reply->message = f->of[MESSAGE].at == NULL ? copy_text("{}", 2) :
	    copy_text(f->of[MESSAGE].at, f->of[MESSAGE].len);
	while (*last != NULL)
		last = &(*last)->next;
	*last = reply;
}

/* Replies of calls that were given up. */
static void
drop_replies(void)
{
	while (worker.replies != NULL) {
		struct reply *next = worker.replies->next;

		free(worker.replies->message);
		free(worker.replies);
		worker.replies = next;
	}
}

static void
on_stop(const struct line *line, const struct fields *f)
{
	(void)line;
	(void)f;
	worker.is_stopping = true;
}

static void
on_ping(const struct line *line, const struct fields *f)
{
	struct usher_buf b = { 0 };

	(void)line;
	(void)f;
	usher_buf_adds(&b, "{\"op\":\"pong\"}");
	write_line(&b);
}

/* A whole line out of what was read; NULL: there is none yet. */
static struct line *
cut_line(void)
{
	struct usher_buf *in = &worker.input;
	struct line *line;
	size_t len;
	char *end;

	end = in->len == worker.input_seen ? NULL :
	    memchr(in->data + worker.input_seen, '\n', in->len - worker.input_seen);
	if (end == NULL) {
		worker.input_seen = in->len;
		return NULL;
	}
	len = (size_t)(end - in->data);
	line = usher_xrealloc(NULL, sizeof(*line) + len + 1);
	line->next = NULL;
	line->len = len;
	memcpy(line->text, in->data, len);
	line->text[len] = '\0';
	in->len -= len + 1;
	memmove(in->data, end + 1, in->len);
	worker.input_seen = 0;
	return line;
}

/* Reads once, if something comes in time; below 0 waits for ever. */
static void
read_some(int wait_ms)
{
	struct pollfd p = { .fd = worker.in, .events = POLLIN };
	char data[READ_SIZE];
	ssize_t n;

	if (worker.is_ended || (wait_ms >= 0 && poll(&p, 1, wait_ms) <= 0))
		return;
	n = read(worker.in, data, sizeof(data));
	if (n < 0 && errno == EAGAIN && wait_ms < 0) {	/* it does not block */
		poll(&p, 1, -1);
		return;
	}
	if (n > 0)
		usher_buf_add(&worker.input, data, (size_t)n);
	else if (n == 0 || errno == ECONNRESET)	/* the daemon died with a reply of ours unread */
		worker.is_ended = true;
	else if (errno != EINTR && errno != EAGAIN)
		die("connection to the daemon: %s", strerror(errno));
}

/* The next line to serve when nothing runs; NULL: there will be none. */
static struct line *
next_line(void)
{
	struct line *line = worker.first;

	if (line != NULL) {
		worker.first = line->next;
		if (worker.first == NULL)
			worker.last = &worker.first;
		return line;
	}
	while ((line = cut_line()) == NULL) {
		if (worker.is_ended)
			return NULL;
		read_some(-1);
	}
	return line;
}

/*
 * Takes in one line of the daemon while a handler runs; waits for something to come as
 * read_some() does.  False if there was none.
 */
static bool
look_at_line(int wait_ms)
{
	struct line *line = cut_line();

	if (line == NULL) {
		read_some(wait_ms);
		line = cut_line();
	}
	if (line != NULL)
		serve_or_queue(line);
	return line != NULL;
}

static ssize_t
write_some(const char *data, size_t len)
{
	ssize_t n = send(worker.out, data, len, MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(worker.out, data, len) : n;
}

/* Writes all of it, or ends the process if nobody is there to read it.  Takes the data. */
static void
write_line(struct usher_buf *b)
{
	struct pollfd p = { .fd = worker.out, .events = POLLOUT };
	size_t done = 0;

	usher_buf_adds(b, "\n");
	while (worker.is_connected && done < b->len) {
		ssize_t n = write_some(b->data + done, b->len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EPIPE || errno == ECONNRESET)
			exit(0);
		else if (errno == EAGAIN)
			poll(&p, 1, -1);
		else if (errno != EINTR)
			die("connection to the daemon: %s", strerror(errno));
	}
	free(b->data);
	*b = (struct usher_buf){ 0 };
}

const char *
usher_type(const struct usher_request *r)
{
	return r->type;
}

const char *
usher_application(const struct usher_request *r)
{
	return r->application;
}

const char *
usher_message(const struct usher_request *r)
{
	return r->message;
}

const char *
usher_envelope(const struct usher_request *r)
{
	return r->line->text;
}

long long
usher_deadline_ms(const struct usher_request *r)
{
	long long left;

	if (r->deadline_ms < 0)
		return -1;
	left = r->deadline_ms - now_ms();
	return left > 0 ? left : 0;
}

/* Gives text to the request, which frees it at its end.  Takes it. */
static const char *
keep(struct usher_request *r, char *text)
{
	struct block *block = usher_xrealloc(NULL, sizeof(*block));

	block->next = r->blocks;
	block->data = text;
	r->blocks = block;
	return text;
}

const char *
usher_get_string(struct usher_request *r, const char *json, const char *path)
{
	struct usher_slice s = usher_json_find(slice_of(json), path);
	struct usher_buf b = { 0 };

	if (s.at != NULL && usher_json_decode(&b, s))
		return keep(r, b.data);
	free(b.data);
	return NULL;
}

const char *
usher_get_json(struct usher_request *r, const char *json, const char *path)
{
	struct usher_slice s = usher_json_find(slice_of(json), path);

	return s.at == NULL ? NULL : keep(r, copy_text(s.at, s.len));
}

bool
usher_get_number(const char *json, const char *path, double *number)
{
	return usher_json_number(usher_json_find(slice_of(json), path), number);
}

bool
usher_get_bool(const char *json, const char *path, bool *value)
{
	struct usher_slice s = usher_json_find(slice_of(json), path);

	if (s.at == NULL || (*s.at != 't' && *s.at != 'f'))
		return false;
	*value = *s.at == 't';
	return true;
}

struct usher_object *
usher_object(struct usher_request *r)
{
	struct usher_object *o = usher_xrealloc(NULL, sizeof(*o));

	*o = (struct usher_object){ .next = r->objects };
	r->objects = o;
	return o;
}

static struct usher_object *
object_of(struct usher_request *r, struct usher_slice text)
{
	struct usher_object *o = usher_object(r);
	struct usher_walk w = usher_walk(text);

	while (w.is_object && usher_walk_next(&w)) {
		char *name = copy_text(w.name.at, w.name.len);

		object_put(o, name, copy_text(w.value.at, w.value.len));
		free(name);
	}
	return o;
}

/* Are two names as written in JSON the same? */
static bool
is_same_name(const char *a, const char *b)
{
	struct usher_buf plain = { 0 };
	bool is_same = strcmp(a, b) == 0;

	if (strchr(a, '\\') == NULL && strchr(b, '\\') == NULL)
		return is_same;
	if (!is_same && usher_json_decode(&plain, slice_of(b)))
		is_same = usher_json_equals(slice_of(a), plain.data, plain.len);
	free(plain.data);
	return is_same;
}

static struct member *
find_member(const struct usher_object *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++) {
		if (is_same_name(o->members[i].name, name))
			return &o->members[i];
	}
	return NULL;
}

/* The name is as written in JSON.  Takes the value. */
static void
object_put(struct usher_object *o, const char *name, char *value)
{
	struct member *m = find_member(o, name);

	if (m != NULL) {
		free(m->value);
		m->value = value;
		return;
	}
	o->members = usher_xrealloc(o->members, (o->n + 1) * sizeof(*o->members));
	o->members[o->n++] = (struct member){ copy_text(name, strlen(name)), value };
}

/* Puts a value under a name that comes from the handler.  Takes the value. */
static void
put_named(struct usher_object *o, const char *name, char *value)
{
	struct usher_buf quoted = { 0 };

	usher_json_add_string(&quoted, name);
	object_put(o, quoted.data, value);
	free(quoted.data);
}

void
usher_put_string(struct usher_object *o, const char *name, const char *value)
{
	struct usher_buf b = { 0 };

	if (value == NULL)
		usher_buf_adds(&b, "null");
	else
		usher_json_add_string(&b, value);
	put_named(o, name, b.data);
}

void
usher_put_number(struct usher_object *o, const char *name, double value)
{
	struct usher_buf b = { 0 };

	usher_json_add_number(&b, value);
	put_named(o, name, b.data);
}

void
usher_put_bool(struct usher_object *o, const char *name, bool value)
{
	const char *text = value ? "true" : "false";

	put_named(o, name, copy_text(text, strlen(text)));
}

bool
usher_put_json(struct usher_object *o, const char *name, const char *json)
{
	if (!usher_json_is_valid(json, strlen(json)))
		return false;
	put_named(o, name, copy_text(json, strlen(json)));
	return true;
}

void
usher_remove(struct usher_object *o, const char *name)
{
	struct usher_buf quoted = { 0 };
	struct member *m;

	usher_json_add_string(&quoted, name);
	m = find_member(o, quoted.data);
	free(quoted.data);
	if (m == NULL)
		return;
	free(m->name);
	free(m->value);
	o->n--;
	memmove(m, m + 1, (size_t)(o->members + o->n - m) * sizeof(*m));
}

const char *
usher_text(struct usher_object *o)
{
	o->text.len = 0;
	usher_buf_adds(&o->text, "{");
	for (size_t i = 0; i < o->n; i++) {
		if (i > 0)
			usher_buf_adds(&o->text, ",");
		usher_buf_adds(&o->text, o->members[i].name);
		usher_buf_adds(&o->text, ":");
		usher_buf_adds(&o->text, o->members[i].value);
	}
	usher_buf_adds(&o->text, "}");
	return o->text.data;
}

struct usher_object *
usher_session(struct usher_request *r)
{
	return r->session;
}

void
usher_make_secret(struct usher_request *r, const char *name)
{
	usher_put_bool(r->secret, name, true);
}

void
usher_make_public(struct usher_request *r, const char *name)
{
	usher_remove(r->secret, name);
}

bool
usher_is_secret(const struct usher_request *r, const char *name)
{
	for (size_t i = 0; i < r->secret->n; i++) {
		struct usher_slice s = slice_of(r->secret->members[i].name);

		if (usher_json_equals(s, name, strlen(name)))
			return true;
	}
	return false;
}

/* The session as a finish carries it; a secret name without a value is no name of it. */
static void
note_session(struct usher_buf *b, struct usher_request *r)
{
	const char *comma = "";

	usher_buf_adds(b, ",\"session\":");
	usher_buf_adds(b, usher_text(r->session));
	usher_buf_adds(b, ",\"secret\":[");
	for (size_t i = 0; i < r->secret->n; i++) {
		if (find_member(r->session, r->secret->members[i].name) == NULL)
			continue;
		usher_buf_adds(b, comma);
		usher_buf_adds(b, r->secret->members[i].name);
		comma = ",";
	}
	usher_buf_adds(b, "]");
}

/* Begins a line with a message; false, and the request has failed, if that is no JSON. */
static bool
begin_answer(struct usher_buf *b, struct usher_request *r, const char *op, const char *json)
{
	if (!r->is_open)
		return false;
	if (json == NULL)
		json = "{}";
	if (!usher_json_is_valid(json, strlen(json))) {
		fprintf(stderr, "usher: the answer to %s is no JSON\n", r->type);
		fail_as(r, "handler_error", "the handler's answer is no JSON");
		return false;
	}
	usher_buf_adds(b, "{\"op\":\"");
	usher_buf_adds(b, op);
	usher_buf_adds(b, "\",\"id\":");
	usher_buf_adds(b, r->id);
	usher_buf_adds(b, ",\"message\":");
	usher_json_add_line(b, json, strlen(json));
	return true;
}

void
usher_send(struct usher_request *r, const char *json)
{
	usher_send_as(r, NULL, json);
}

void
usher_send_as(struct usher_request *r, const char *type, const char *json)
{
	struct usher_buf b = { 0 };

	if (!begin_answer(&b, r, "send", json))
		return;
	if (type != NULL && *type != '\0') {
		usher_buf_adds(&b, ",\"type\":");
		usher_json_add_string(&b, type);
	}
	usher_buf_adds(&b, "}");
	write_line(&b);
}

void
usher_finish(struct usher_request *r, const char *json)
{
	struct usher_buf b = { 0 }, session = { 0 };

	if (!begin_answer(&b, r, "finish", json))
		return;
	r->is_open = false;
	note_session(&session, r);
	/* Left out when nothing changed: the daemon then keeps the encrypted part as it is. */
	if (strcmp(session.data, r->session_before) != 0)
		usher_json_add_line(&b, session.data, session.len);
	free(session.data);
	usher_buf_adds(&b, "}");
	write_line(&b);
}

void
usher_fail(struct usher_request *r, const char *text)
{
	fail_as(r, "handler_error", text);
}

void
usher_refuse(struct usher_request *r, const char *text)
{
	struct usher_object *o = usher_object(r);

	usher_put_string(o, "error", text);
	usher_finish(r, usher_text(o));
}

bool
usher_is_cancelled(struct usher_request *r)
{
	return usher_wait_cancelled(r, 0);
}

bool
usher_wait_cancelled(struct usher_request *r, long ms)
{
	long long end = now_ms() + ms, left = ms;

	do {
		int wait_ms = (int)(left < INT_MAX ? left : INT_MAX);

		if (worker.is_ended)
			poll(NULL, 0, wait_ms);
		else
			while (look_at_line(wait_ms) && !r->is_cancelled)
				wait_ms = 0;
		/* By hand the end of stdin means that nothing more will be asked, no more. */
		if (r->is_cancelled || (worker.is_daemon && worker.is_ended))
			return true;
		left = end - now_ms();
	} while (left > 0);
	return false;
}

/* The next reply to that call; NULL: the request was cancelled.  The caller frees it. */
static struct reply *
wait_for_reply(struct usher_request *r, unsigned long call)
{
	while (!r->is_cancelled) {
		for (struct reply **at = &worker.replies; *at != NULL; at = &(*at)->next) {
			struct reply *reply = *at;

			if (reply->call == (double)call) {
				*at = reply->next;
				return reply;
			}
		}
		if (!look_at_line(-1) && worker.is_ended)
			exit(0);	/* the daemon is gone, and so is the reason to be here */
	}
	return NULL;
}

static bool
send_call(struct usher_request *r, unsigned long call, const char *application, const char *type,
    const char *json)
{
	struct usher_buf b = { 0 };
	char number[24];

	if (!begin_answer(&b, r, "call", json))
		return false;
	snprintf(number, sizeof(number), "%lu", call);
	usher_buf_adds(&b, ",\"call\":");
	usher_buf_adds(&b, number);
	usher_buf_adds(&b, ",\"application\":");
	usher_json_add_string(&b, application);
	usher_buf_adds(&b, ",\"type\":");
	usher_json_add_string(&b, type);
	usher_buf_adds(&b, "}");
	write_line(&b);
	return true;
}

const char *
usher_call(struct usher_request *r, const char *application, const char *type, const char *json,
    usher_on_reply on_each, void *arg)
{
	static unsigned long last_call;
	unsigned long call = ++last_call;	/* on_each may call as well */
	struct reply *reply;

	if (json != NULL && !usher_walk(slice_of(json)).is_object) {
		fail_as(r, "handler_error", "the message of a call is no object");
		return NULL;
	}
	if (!send_call(r, call, application, type, json))
		return NULL;
	while ((reply = wait_for_reply(r, call)) != NULL) {
		const char *message = keep(r, reply->message);
		bool is_final = reply->is_final;

		free(reply);
		if (is_final)
			return message;
		if (on_each != NULL)
			on_each(r, message, arg);
	}
	return NULL;
}

static void
push(const char *to, const char *type, const char *json)
{
	struct usher_buf b = { 0 };

	if (json == NULL || !usher_json_is_valid(json, strlen(json))) {
		fprintf(stderr, "usher: what is pushed as %s is no JSON\n", type);
		return;
	}
	usher_buf_adds(&b, "{\"op\":\"push\",\"to\":");
	usher_buf_adds(&b, to);
	usher_buf_adds(&b, ",\"type\":");
	usher_json_add_string(&b, type);
	usher_buf_adds(&b, ",\"message\":");
	usher_json_add_line(&b, json, strlen(json));
	usher_buf_adds(&b, "}");
	write_line(&b);
}

static void
push_to(const char *kind, const char *name, const char *type, const char *json)
{
	struct usher_buf to = { 0 };

	usher_buf_adds(&to, "{");
	usher_json_add_string(&to, kind);
	usher_buf_adds(&to, ":");
	usher_json_add_string(&to, name);
	usher_buf_adds(&to, "}");
	push(to.data, type, json);
	free(to.data);
}

void
usher_push_to_socket(const char *socket, const char *type, const char *json)
{
	push_to("socket", socket, type, json);
}

void
usher_push_to_application(const char *application, const char *type, const char *json)
{
	push_to("application", application, type, json);
}

void
usher_push_to_all(const char *type, const char *json)
{
	push("{\"all\":true}", type, json);
}

void
usher_log(const struct usher_request *r, enum usher_level level, const char *format, ...)
{
	static const char *const level_name[] = { "error", "warn", "info", "debug" };
	struct usher_buf b = { 0 };
	char text[4096];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	usher_buf_adds(&b, "{\"op\":\"log\",\"level\":\"");
	usher_buf_adds(&b, level_name[level]);
	usher_buf_adds(&b, "\"");
	if (r != NULL) {
		usher_buf_adds(&b, ",\"id\":");
		usher_buf_adds(&b, r->id);
	}
	usher_buf_adds(&b, ",\"text\":");
	usher_json_add_string(&b, text);
	usher_buf_adds(&b, "}");
	write_line(&b);
}
