/* SPDX-License-Identifier: ISC */
/*
 * usher-relay PORT TO: what carrying bytes costs at least.  Each connection gets one of its own
 * to port TO, and bytes go to and fro, unread.
 */
#include <err.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "turn.h"

struct side {
	struct stream stream;	/* first, so that a stream is its side */
	struct side *other;	/* NULL: gone */
};

static uint16_t target;

static void
on_read(struct stream *s, char *data, size_t len)
{
	struct side *side = (struct side *)s;

	if (side->other == NULL)
		return;
	buf_add(&side->other->stream.out, data, len);
	stream_touch(&side->other->stream);
}

static void
on_end(struct stream *s)
{
	struct side *side = (struct side *)s;

	if (side->other == NULL)
		return;
	side->other->other = NULL;
	stream_close(&side->other->stream);
}

static void
on_gone(struct stream *s)
{
	free(s);
}

static const struct stream_events events = {
	.on_read = on_read, .on_end = on_end, .on_gone = on_gone,
};

static void
on_accept(struct turn *t, int fd)
{
	struct side *in = xcalloc(1, sizeof(*in)), *out = xcalloc(1, sizeof(*out));

	stream_open(&in->stream, t, fd, &events);
	stream_open(&out->stream, t, turn_connect(target, 0), &events);
	in->other = out;
	out->other = in;
}

int
main(int argc, char **argv)
{
	struct turn *t;

	if (argc != 3)
		errx(2, "usage: usher-relay PORT TO");
	raise_descriptors();
	target = port_of(argv[2]);
	t = turn_new();
	turn_listen(t, port_of(argv[1]), on_accept);
	for (;;)
		turn_run(t, -1);
}
