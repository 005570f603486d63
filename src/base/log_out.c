/* SPDX-License-Identifier: ISC */
/*
 * A line is written with one write(2), so lines of several threads never mix.  A file that is
 * opened anew takes the number of the old one at once: nobody needs to wait for it.
 */
#include "base/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define PATIENCE_MS 100		/* for a pipe that is full and does not wait by itself */

static int log_fd = STDERR_FILENO;
static char *log_path;		/* NULL: standard error */
static bool stderr_is_journal;

/* systemd says which stream leads to the journal; a program in between may have changed that. */
void
log_init(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	stderr_is_journal = stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	    fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Not for long: a pipe nobody reads from must not stop us before it is a log again. */
static int
open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);

	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, O_APPEND);
	return fd;
}

bool
log_open(const char *path)
{
	int fd = open_log(path);

	if (fd < 0)
		return false;
	log_fd = fd;
	log_path = xstrdup(path);
	return true;
}

void
log_reopen(void)
{
	int fd;

	if (log_path == NULL)
		return;
	fd = open_log(log_path);
	if (fd < 0 || dup3(fd, log_fd, O_CLOEXEC) < 0)
		log_error("%s cannot be opened anew: the log goes on in the old file", log_path);
	if (fd >= 0)
		close(fd);
}

bool
log_out_is_journal(void)
{
	return stderr_is_journal && log_path == NULL;
}

bool
log_out_is_file(void)
{
	return log_path != NULL;
}

static void
write_to(int fd, const char *line, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, line + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && poll(&p, 1, PATIENCE_MS) > 0)
			continue;
		if (n <= 0)
			break;	/* nowhere to complain */
		done += (size_t)n;
	}
}

void
log_out_write(const char *line, size_t len)
{
	write_to(log_fd, line, len);
}

void
log_out_complain(const char *line, size_t len)
{
	write_to(STDERR_FILENO, line, len);
}
