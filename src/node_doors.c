/* SPDX-License-Identifier: ISC */
/*
 * Listeners by their address.
 */
#include "node_doors.h"

#include <stdlib.h>
#include <string.h>

#include "admin/admin_http.h"
#include "admin/admin_socket.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "conf/conf.h"
#include "net/activation.h"
#include "net/listener.h"
#include "net/tls_store.h"
#include "node_int.h"

/* What the sockets of the operator are called when they are passed on. */
#define ADMIN_SOCKET "admin.socket"
#define ADMIN_HTTP   "admin.http"

/* A listener and what accepted connections need to know of it. */
struct door {
	struct node *node;
	char *address;			/* as configured, and the rank among those with the same */
	unsigned rank;
	const struct conf_listener *conf;
	struct tls_server *tls;		/* borrowed; NULL: plain */
	struct listener *listener;	/* NULL: closed */
};

struct node_doors {
	struct door **door;		/* as conf->listeners */
	size_t n;
	struct admin_socket *socket;	/* NULL: not configured, as the next */
	struct admin_http *http;
	struct admin_socket *old_socket;	/* to be closed soon; NULL: none, as the next */
	struct admin_http *old_http;
};

/* ---- clients ---- */

static void
on_accept(int fd, const char *address, const char *address_port, void *arg)
{
	struct door *door = arg;

	node_accept(door->node, door->conf, door->tls, fd, address, address_port);
}

static struct door *
find_door(const struct node_doors *doors, const char *address, unsigned rank)
{
	for (size_t i = 0; doors != NULL && i < doors->n; i++)
		if (doors->door[i]->rank == rank &&
		    strcmp(doors->door[i]->address, address) == 0)
			return doors->door[i];
	return NULL;
}

static bool
has_door(const struct node_doors *doors, const struct door *door)
{
	return find_door(doors, door->address, door->rank) == door;
}

static void
door_free(struct door *door)
{
	if (door == NULL)
		return;
	listener_free(door->listener);
	free(door->address);
	free(door);
}

/* A socket that the process was started with, if there is one for it. */
static void
inherit(struct node *n, struct listener_where *where, const char *name)
{
	int fd = activation_take(n->activation, where, name, &where->is_foreign);

	if (fd >= 0)
		where->fd = fd;
}

/* It takes connections at once: what they need is there. */
static struct door *
door_new(struct node *n, const struct conf_listener *conf, struct tls_server *tls, char **error)
{
	struct listener_where where = { .host = conf->host, .port = conf->port,
		.unix_path = conf->unix_path };
	struct door *door = xcalloc(1, sizeof(*door));

	inherit(n, &where, conf->address);

	door->node = n;
	door->address = xstrdup(conf->address);
	door->rank = conf->rank;
	door->conf = conf;
	door->tls = tls;
	door->listener = listener_new(n->loop, &where, on_accept, door, error);
	if (door->listener != NULL)
		return door;
	door_free(door);
	return NULL;
}

static bool
open_doors(struct node_doors *doors, struct node *n, const struct conf *conf,
    struct tls_store *tls, char **error)
{
	char *why;

	doors->door = xcalloc(conf->n_listeners, sizeof(*doors->door));
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		doors->door[i] = find_door(n->doors, l->address, l->rank);
		if (doors->door[i] == NULL)
			doors->door[i] = door_new(n, l, tls_store_server(tls, l), &why);
		if (doors->door[i] == NULL) {
			*error = xasprintf("cannot listen on %s: %s", l->address, why);
			free(why);
			return false;
		}
		doors->n++;
	}
	return true;
}

/* ---- the operator ---- */

static bool
open_socket(struct node_doors *doors, struct node *n, const struct conf *conf, char **error)
{
	const char *path = conf->admin.socket, *before = n->conf->admin.socket;
	struct listener_where where = { .unix_path = path };
	char *why;

	if (path == NULL)
		return true;
	if (n->doors != NULL && before != NULL && strcmp(path, before) == 0) {
		doors->socket = n->doors->socket;
		return true;
	}
	inherit(n, &where, ADMIN_SOCKET);
	doors->socket = admin_socket_new(&n->admin_view, &where, conf->admin.group, &why);
	if (doors->socket != NULL)
		return true;
	*error = xasprintf("cannot listen on %s (admin.socket): %s", path, why);
	free(why);
	return false;
}

static bool
open_http(struct node_doors *doors, struct node *n, const struct conf *conf, char **error)
{
	const char *address = conf->admin.http.address, *before = n->conf->admin.http.address;
	struct listener_where where = { .host = conf->admin.http.host,
		.port = conf->admin.http.port };
	char *why;

	if (address == NULL)
		return true;
	if (n->doors != NULL && before != NULL && strcmp(address, before) == 0) {
		doors->http = n->doors->http;
		return true;
	}
	inherit(n, &where, ADMIN_HTTP);
	if ((doors->http = admin_http_new(&n->admin_view, &conf->admin.http, &where, &why)) != NULL)
		return true;
	*error = xasprintf("cannot listen on %s (admin.http): %s", address, why);
	free(why);
	return false;
}

/* The one that stays is for another group, or for none. */
static bool
change_group(struct node_doors *doors, struct node *n, const struct conf *conf, char **error)
{
	const char *group = conf->admin.group, *before = n->conf->admin.group;

	if (n->doors == NULL || doors->socket == NULL || doors->socket != n->doors->socket ||
	    group == before || (group != NULL && before != NULL && strcmp(group, before) == 0))
		return true;
	return admin_socket_set_group(doors->socket, conf->admin.socket, group, error);
}

/* ---- all of them ---- */

/* Those that are the node's stay. */
static void
drop(struct node_doors *doors, const struct node_doors *kept)
{
	for (size_t i = 0; i < doors->n; i++)
		if (!has_door(kept, doors->door[i]))
			door_free(doors->door[i]);
	if (kept == NULL || doors->socket != kept->socket)
		admin_socket_free(doors->socket);
	if (kept == NULL || doors->http != kept->http)
		admin_http_free(doors->http);
	free(doors->door);
	free(doors);
}

struct node_doors *
node_doors_open(struct node *n, const struct conf *conf, struct tls_store *tls, char **error)
{
	struct node_doors *doors = xcalloc(1, sizeof(*doors));

	if (open_socket(doors, n, conf, error) && open_http(doors, n, conf, error) &&
	    open_doors(doors, n, conf, tls, error) && change_group(doors, n, conf, error))
		return doors;
	drop(doors, n->doors);
	return NULL;
}

/* What was not told yet. */
static void
announce(const struct node_doors *doors, const struct node_doors *before)
{
	if (doors->http != NULL && (before == NULL || doors->http != before->http))
		log_info("metrics and health at http://%s", admin_http_address(doors->http));
	for (size_t i = 0; i < doors->n; i++) {
		const struct door *door = doors->door[i];

		if (!has_door(before, door))
			log_info("listening on %s%s", listener_address(door->listener),
			    door->tls != NULL ? ", TLS" : "");
	}
}

static void
close_old(struct node_doors *doors, struct node_doors *old)
{
	for (size_t i = 0; i < old->n; i++) {
		if (has_door(doors, old->door[i]))
			continue;
		log_info("no longer listening on %s", listener_address(old->door[i]->listener));
		door_free(old->door[i]);
	}
	doors->old_socket = old->socket != doors->socket ? old->socket : NULL;
	doors->old_http = old->http != doors->http ? old->http : NULL;
	free(old->door);
	free(old);
}

void
node_doors_switch(struct node *n, struct node_doors *doors)
{
	for (size_t i = 0; i < doors->n; i++) {
		doors->door[i]->conf = &n->conf->listeners[i];
		doors->door[i]->tls = tls_store_server(n->tls, &n->conf->listeners[i]);
	}
	announce(doors, n->doors);
	if (n->doors != NULL)
		close_old(doors, n->doors);
	n->doors = doors;
	if (doors->http != NULL)
		admin_http_reload(doors->http, n->conf);
}

void
node_doors_forget(struct node *n)
{
	if (n->doors == NULL)
		return;
	admin_socket_free(n->doors->old_socket);
	n->doors->old_socket = NULL;
	admin_http_free(n->doors->old_http);
	n->doors->old_http = NULL;
}

void
node_doors_each(struct node *n, void (*fn)(struct listener *, const char *, void *), void *arg)
{
	struct node_doors *doors = n->doors;

	for (size_t i = 0; i < doors->n; i++)
		if (doors->door[i]->listener != NULL)
			fn(doors->door[i]->listener, doors->door[i]->address, arg);
	if (doors->socket != NULL)
		fn(admin_socket_listener(doors->socket), ADMIN_SOCKET, arg);
	if (doors->http != NULL)
		fn(admin_http_listener(doors->http), ADMIN_HTTP, arg);
}

void
node_doors_pause(struct node *n)
{
	for (size_t i = 0; i < n->doors->n; i++)
		if (n->doors->door[i]->listener != NULL)
			listener_pause(n->doors->door[i]->listener);
}

static void
pause_one(struct listener *l, const char *name UNUSED, void *arg UNUSED)
{
	listener_pause(l);
}

void
node_doors_pause_all(struct node *n)
{
	node_doors_each(n, pause_one, NULL);
}

static void
own(struct listener *l, const char *name UNUSED, void *arg UNUSED)
{
	listener_own_file(l);
}

void
node_doors_own(struct node *n)
{
	node_doors_each(n, own, NULL);
}

static void
resume(struct listener *l, const char *name UNUSED, void *arg UNUSED)
{
	listener_resume(l);
}

void
node_doors_resume_all(struct node *n)
{
	node_doors_each(n, resume, NULL);
}

void
node_doors_close(struct node *n)
{
	for (size_t i = 0; n->doors != NULL && i < n->doors->n; i++) {
		listener_free(n->doors->door[i]->listener);
		n->doors->door[i]->listener = NULL;
	}
}

void
node_doors_close_admin(struct node *n)
{
	if (n->doors == NULL)
		return;
	node_doors_forget(n);
	admin_socket_free(n->doors->socket);
	n->doors->socket = NULL;
	admin_http_free(n->doors->http);
	n->doors->http = NULL;
}

void
node_doors_free(struct node *n)
{
	if (n->doors == NULL)
		return;
	drop(n->doors, NULL);
	n->doors = NULL;
}
