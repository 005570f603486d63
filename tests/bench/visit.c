/* SPDX-License-Identifier: ISC */
/*
 * usher-visit [-H LINE]... PORT TIMES: leads a server through HTTP requests, one after another on
 * one connection, as often as told, and says what the body of the last answer was.
 *
 * They are read from standard input, one a line: STATUS METHOD TARGET WANTED BODY, with a blank
 * between them.  Each answer must have that status, and in its body the text WANTED ("-": any); BODY
 * is the rest of the line.  -H gives each request one more header line.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "codec/http_parse.h"
#include "turn.h"

#define PATIENCE_S  60		/* for an answer */
#define INPUT_BYTES (1 << 20)

struct request {
	int status;
	char *wanted;
	struct buf bytes;
};

static struct request *requests;
static size_t n_requests;
static struct buf more;		/* header lines */
static struct buf input;	/* from the server, not used yet */
static uint16_t port;
static int fd = -1;

/* ---- requests ---- */

static void
add_request(char *line)
{
	char *rest = line, *word[4];
	struct request *r;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < 4; i++)
		if ((word[i] = strsep(&rest, " ")) == NULL || *word[i] == '\0')
			errx(2, "a request has a status, a method, a target and what is wanted");
	requests = xreallocarray(requests, n_requests + 1, sizeof(*requests));
	r = &requests[n_requests++];
	*r = (struct request){ .status = atoi(word[0]), .wanted = xstrdup(word[3]) };
	buf_printf(&r->bytes, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", word[1], word[2], port);
	buf_add(&r->bytes, more.data, more.len);
	if (rest != NULL)
		buf_printf(&r->bytes, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		    strlen(rest));
	buf_printf(&r->bytes, "\r\n%s", rest != NULL ? rest : "");
	buf_str(&r->bytes);	/* it is shown when it fails */
}

static void
read_requests(void)
{
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0)
		add_request(line);
	if (n_requests == 0)
		errx(2, "no request");
	free(line);
}

/* ---- the connection ---- */

static void
open_connection(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };

	fd = turn_connect(port, 0);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0)
		err(1, "setsockopt");
	input.len = 0;
}

static void
send_all(const struct buf *b)
{
	for (size_t sent = 0; sent < b->len; ) {
		ssize_t n = send(fd, b->data + sent, b->len - sent, MSG_NOSIGNAL);

		if (n < 0)
			err(1, "send");
		sent += (size_t)n;
	}
}

static void
receive(void)
{
	static char data[INPUT_BYTES];
	ssize_t n = recv(fd, data, sizeof(data), 0);

	if (n < 0)
		err(1, "recv");
	if (n == 0)
		errx(1, "the server ended the connection");
	buf_add(&input, data, (size_t)n);
}

/* ---- answers ---- */

/* The next answer, into head and body; what follows it stays. */
static void
read_answer(struct http_head *head, struct buf *body)
{
	size_t scanned = 0, end;

	while ((end = http_head_end(input.data, input.len, &scanned)) == 0)
		receive();
	body->len = 0;
	/* What head points at is gone with the input: numbers alone are used afterwards. */
	if (http_parse_response(head, input.data, end) != 0 || head->content_length < 0)
		errx(1, "an answer without a length: %.*s", (int)end, input.data);
	while (input.len < end + (size_t)head->content_length)
		receive();
	buf_add(body, input.data + end, (size_t)head->content_length);
	buf_consume(&input, end + (size_t)head->content_length);
}

static void
visit(const struct request *r, struct buf *body)
{
	struct http_head head;

	if (fd < 0)
		open_connection();
	send_all(&r->bytes);
	read_answer(&head, body);
	if (head.status != r->status ||
	    (strcmp(r->wanted, "-") != 0 && strstr(buf_str(body), r->wanted) == NULL))
		errx(1, "%d instead of %d, or no %s, for\n%s\nbut\n%s", head.status, r->status,
		    r->wanted, r->bytes.data, buf_str(body));
	if (!head.keep_alive) {
		close(fd);
		fd = -1;
	}
}

int
main(int argc, char **argv)
{
	struct buf body = { 0 };
	int c;

	while ((c = getopt(argc, argv, "H:")) != -1) {
		if (c != 'H')
			errx(2, "usage: usher-visit [-H LINE]... PORT TIMES");
		buf_printf(&more, "%s\r\n", optarg);
	}
	if (argc - optind != 2)
		errx(2, "usage: usher-visit [-H LINE]... PORT TIMES");
	port = port_of(argv[optind]);
	read_requests();
	for (long times = strtol(argv[optind + 1], NULL, 10); times > 0; times--)
		for (size_t i = 0; i < n_requests; i++)
			visit(&requests[i], &body);
	printf("%s\n", buf_str(&body));
	return 0;
}
