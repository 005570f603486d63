/* SPDX-License-Identifier: ISC */
/*
 * To be preloaded: the n-th call of one function fails.  The file $USHER_TEST_FAIL says which one and
 * how, and is changed by the test while the program runs; it counts the calls meanwhile.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The file, of 64 bytes. */
struct control {
	char name[32];		/* of the function; "": none */
	int32_t at;		/* which call fails; 0: none */
	int32_t error;		/* its errno */
	int32_t count;		/* calls so far */
};

extern void	*__libc_malloc(size_t);
extern void	*__libc_calloc(size_t, size_t);
extern void	*__libc_realloc(void *, size_t);

static struct control *control;

__attribute__((constructor)) static void
map_control(void)
{
	const char *path = getenv("USHER_TEST_FAIL");
	int fd = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR);
	void *page;

	if (fd < 0)
		return;
	page = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		control = page;
}

/* Is it this call's turn?  errno is set then. */
static bool
fails(const char *name)
{
	if (control == NULL || strcmp(control->name, name) != 0)
		return false;
	if (__atomic_add_fetch(&control->count, 1, __ATOMIC_RELAXED) != control->at)
		return false;
	errno = control->error;
	return true;
}

/* A function of the same name that fails with "result" when it is its turn. */
#define WRAP(type, name, result, parameters, arguments)				\
	type name parameters;							\
	type									\
	name parameters								\
	{									\
		static type (*real) parameters;					\
										\
		if (real == NULL)						\
			*(void **)&real = dlsym(RTLD_NEXT, #name);		\
		return fails(#name) ? (result) : real arguments;		\
	}

WRAP(ssize_t, read, -1, (int fd, void *to, size_t n), (fd, to, n))
WRAP(ssize_t, pread, -1, (int fd, void *to, size_t n, off_t at), (fd, to, n, at))
WRAP(ssize_t, recv, -1, (int fd, void *to, size_t n, int flags), (fd, to, n, flags))
WRAP(ssize_t, write, -1, (int fd, const void *from, size_t n), (fd, from, n))
WRAP(ssize_t, send, -1, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags))
WRAP(ssize_t, sendmsg, -1, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(int, accept4, -1, (int fd, struct sockaddr *a, socklen_t *len, int flags), (fd, a, len, flags))
WRAP(int, socket, -1, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, connect, -1, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
WRAP(int, getsockname, -1, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len))
WRAP(int, setsockopt, -1, (int fd, int level, int name, const void *v, socklen_t len),
    (fd, level, name, v, len))
WRAP(int, getsockopt, -1, (int fd, int level, int name, void *v, socklen_t *len),
    (fd, level, name, v, len))
WRAP(int, socketpair, -1, (int domain, int type, int protocol, int fd[2]),
    (domain, type, protocol, fd))
WRAP(int, pipe2, -1, (int fd[2], int flags), (fd, flags))
WRAP(int, fstat, -1, (int fd, struct stat *st), (fd, st))
WRAP(int, epoll_ctl, -1, (int epfd, int op, int fd, struct epoll_event *e), (epfd, op, fd, e))
WRAP(int, epoll_wait, -1, (int epfd, struct epoll_event *e, int n, int ms), (epfd, e, n, ms))
WRAP(int, shutdown, -1, (int fd, int how), (fd, how))
WRAP(int, posix_spawnp, errno, (pid_t *pid, const char *file,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr, char *const argv[],
    char *const env[]), (pid, file, actions, attr, argv, env))

/* These have arguments that may be absent. */
int
open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, ...);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "open");
	return fails("open") ? -1 : real(path, flags, mode);
}

int
fcntl(int fd, int command, ...)
{
	static int (*real)(int, int, ...);
	va_list ap;
	long value;

	va_start(ap, command);
	value = va_arg(ap, long);
	va_end(ap);
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fcntl");
	return fails("fcntl") ? -1 : real(fd, command, value);
}

/* All that allocates counts as malloc. */
void *
malloc(size_t n)
{
	return fails("malloc") ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails("malloc") ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails("malloc") ? NULL : __libc_realloc(p, n);
}
