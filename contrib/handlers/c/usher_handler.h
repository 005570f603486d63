/* SPDX-License-Identifier: ISC */
/*
 * Handlers for usher in C: the handler protocol, version 1, without dependencies.
 *
 *	static void
 *	hello(struct usher_request *r)
 *	{
 *		usher_finish(r, "{\"text\":\"Hello\"}");
 *	}
 *
 *	int
 *	main(void)
 *	{
 *		usher_handle("hello", hello);
 *		return usher_run();
 *	}
 *
 * usherd starts the program and talks to it on the descriptor named in USHER_FD,
 * never on stdout, so printf() is harmless and ends in the daemon's log.  Without
 * USHER_FD the program reads requests from stdin and writes replies to stdout, and
 * printf() goes to stderr.  The protocol itself is described in usher-handler(7).
 *
 * JSON goes in and out as text, so a number stays as the client wrote it.  All
 * text is UTF-8 and ends with a NUL.  What a function gives belongs to the request
 * and is gone when its handler returns; what a function is given it copies.
 *
 * A worker serves one request at a time, in one thread: the functions below are
 * called from the handler's thread only.  Out of memory ends the process.
 */
#ifndef USHER_HANDLER_H
#define USHER_HANDLER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define USHER_PRINTF(n_format, n_first)	__attribute__((format(printf, n_format, n_first)))
#else
#define USHER_PRINTF(n_format, n_first)
#endif

struct usher_request;
struct usher_object;

/*
 * Serves one request: answers it by usher_finish() or usher_fail() before it
 * returns.  If it does neither, the request fails with "handler_error".
 */
typedef void (*usher_handler)(struct usher_request *);

/* The handler serves messages of that type; a second one for a type replaces the first. */
void	usher_handle(const char *type, usher_handler);

/*
 * Serves requests until the daemon says stop or closes the connection.  Returns the
 * status to exit with; a broken connection ends the process from inside.
 */
int	usher_run(void);

/* What is asked: the client's whole object without its token, and what came with it. */
const char	*usher_type(const struct usher_request *);
const char	*usher_application(const struct usher_request *);
const char	*usher_message(const struct usher_request *);
const char	*usher_envelope(const struct usher_request *);	/* the daemon's whole line */
long long	 usher_deadline_ms(const struct usher_request *); /* left; below 0: unknown */

/*
 * A member of a JSON text by its path: "params.items.0.name"; "" is the text
 * itself, and a dot that belongs to a name is written "\\.".  NULL or false: the
 * member is missing or of another kind, and the value is left alone.
 *
 * A string with a NUL character in it counts as no string, since C would see
 * another one.  usher_get_json gives the member as it is written.
 */
const char	*usher_get_string(struct usher_request *, const char *json, const char *path);
const char	*usher_get_json(struct usher_request *, const char *json, const char *path);
bool		 usher_get_number(const char *json, const char *path, double *);
bool		 usher_get_bool(const char *json, const char *path, bool *);

/*
 * Builds an object.  A put replaces the member of that name.  A NULL string and a
 * number that is not finite are written as null; bytes that are no UTF-8 as U+FFFD.
 * usher_put_json returns false, and puts nothing, if the text is no JSON.
 */
struct usher_object	*usher_object(struct usher_request *);
void			 usher_put_string(struct usher_object *, const char *name, const char *);
void			 usher_put_number(struct usher_object *, const char *name, double);
void			 usher_put_bool(struct usher_object *, const char *name, bool);
bool			 usher_put_json(struct usher_object *, const char *name, const char *json);
void			 usher_remove(struct usher_object *, const char *name);
const char		*usher_text(struct usher_object *);	/* until the next put */

/*
 * The session: the claims of the client's token.  What is put into it or removed
 * goes back with the final reply.  A secret value is encrypted in the token: other
 * nodes can read it, the browser cannot.
 */
struct usher_object	*usher_session(struct usher_request *);
void			 usher_make_secret(struct usher_request *, const char *name);
void			 usher_make_public(struct usher_request *, const char *name);
bool			 usher_is_secret(const struct usher_request *, const char *name);

/*
 * Answers: any number of intermediate replies, under another type if one is given,
 * then one usher_finish() or usher_fail().  What comes later is dropped.  A NULL
 * counts as an empty object.  A text that is no JSON fails the request.
 */
void	usher_send(struct usher_request *, const char *json);
void	usher_send_as(struct usher_request *, const char *type, const char *json);
void	usher_finish(struct usher_request *, const char *json);
void	usher_fail(struct usher_request *, const char *text);

/* Finishes with {"error":text}, an answer like any other: no session goes back. */
void	usher_refuse(struct usher_request *, const char *text);

/*
 * True when nobody waits for the answer any more.  A long handler asks now and then
 * and, if so, leaves; what it answers is thrown away.  Costs one system call.
 */
bool	usher_is_cancelled(struct usher_request *);

/* Sleeps, but not longer than somebody waits; true if nobody does any more. */
bool	usher_wait_cancelled(struct usher_request *, long ms);

/*
 * Asks another service through this node, with the session of the request, and waits
 * for its final reply.  json is an object; on_reply, which may be NULL, gets the
 * intermediate ones.  Returns NULL if the request was cancelled meanwhile.
 */
typedef void (*usher_on_reply)(struct usher_request *, const char *json, void *arg);
const char	*usher_call(struct usher_request *, const char *application, const char *type,
		    const char *json, usher_on_reply on_reply, void *arg);

/* Sends a message nobody asked for: to a browser's connection, an application's, to all. */
void	usher_push_to_socket(const char *socket, const char *type, const char *json);
void	usher_push_to_application(const char *application, const char *type, const char *json);
void	usher_push_to_all(const char *type, const char *json);

/* Writes to the daemon's log, with the request it is about if that is not NULL. */
enum usher_level { USHER_ERROR, USHER_WARN, USHER_INFO, USHER_DEBUG };
void	usher_log(const struct usher_request *, enum usher_level, const char *format, ...)
	    USHER_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif

#endif
