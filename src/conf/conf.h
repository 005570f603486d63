/* SPDX-License-Identifier: ISC */
/*
 * The configuration, parsed and checked: usher.yaml(5).
 *
 * A plain, read-only tree that is shared by counting references.  conf_yaml reads
 * YAML events into values that know their file and line, conf_table knows every
 * option, conf_apply checks what spans several options and builds this.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/address.h"
#include "base/compiler.h"
#include "base/log.h"

#define CONF_NO_LIMIT	  UINT64_MAX	/* "off" */
#define CONF_THREADS_MAX  256
#define CONF_SESSIONS	  65536		/* limits.sessions, where nobody says otherwise */
#define CONF_PATTERN_ANY  "*"

enum conf_audience { CONF_FOR_BROWSERS, CONF_FOR_NODES, CONF_FOR_BOTH };

/* A certificate of a listener, for the names that are in it.  Absolute paths. */
struct conf_tls_server {
	char *certificate;		/* and what stands between it and its CA */
	char *key;
	char *client_ca;		/* clients need a certificate of it; NULL: they need none */
};

struct conf_listener {
	char *address;			/* as written: "[::]:8080", "unix:/path" */
	unsigned rank;			/* among those with the same, which has port 0 then */
	char *host;			/* NULL: a UNIX socket */
	uint16_t port;
	char *unix_path;		/* NULL: TCP */
	enum conf_audience audience;
	char **origins;			/* as written; a host may begin with "*." */
	size_t n_origins;
	char **trusted_proxies;		/* as written; proxies holds the same */
	struct address_net *proxies;	/* who may say for whom it asks */
	size_t n_proxies;
	char **node_addresses;		/* as written; nodes holds the same */
	struct address_net *nodes;	/* who is a node; none: whoever the audience says */
	size_t n_nodes;
	struct conf_tls_server *tls;	/* one at most has a client_ca, which is for all */
	size_t n_tls;			/* 0: plain */
};

struct conf_secret {
	char *id;			/* for logs: as configured, or "1", "2", ... */
	unsigned char *bytes;		/* owned, zeroed when freed */
	size_t len;
	char *loose_file;		/* it came from, if its group may change it, else NULL */
};

/* Somebody else whose tokens begin sessions here. */
struct conf_issuer {
	char *name;			/* "iss" of its tokens */
	char *audience;			/* that must be in their "aud"; NULL: any */
	char *application;		/* of sessions; NULL: they must be registered */
	char **claims;			/* NULL-terminated "theirs=ours"; public claims of a session */
	char *keys_file;		/* absolute */
	char *keys;			/* what is in it: public keys that were checked */
	size_t keys_len;
};

struct conf_jwt {
	struct conf_secret *secrets;	/* the first signs, all verify; at least one */
	size_t n_secrets;
	uint64_t lifetime_s;		/* of a new session */
	char *user_claim;		/* that names the user of a session; NULL: none does */
	char *revoked_file;		/* absolute; NULL: what is revoked is forgotten at the end */
	uint64_t revoked_keep_s;	/* for how long tokens may live */
	struct conf_issuer *issuers;
	size_t n_issuers;
};

enum conf_protocol { CONF_PROTOCOL_AUTO, CONF_PROTOCOL_QEWD, CONF_PROTOCOL_USHER };

/* A URL of a destination; equal URLs are normalised to equal texts. */
struct conf_url {
	char *text;			/* "ws://10.0.0.5:8081" */
	char *host;
	uint16_t port;
	bool is_tls;			/* "wss://" */
};

/* What links over TLS trust and show.  Absolute paths. */
struct conf_tls_client {
	char *ca;			/* NULL: those of the system */
	char *certificate, *key;	/* our own; NULL: none */
	char *name;			/* to be in the node's certificate; NULL: the URL's host */
	bool verify;
};

/* When a URL of a destination is left alone for a while; CONF_NO_LIMIT: not for that. */
struct conf_health {
	uint64_t failures;		/* in a row */
	uint64_t failure_percent;	/* of the last requests */
	uint64_t eject_ms, eject_max_ms;
	uint64_t slow_start_ms;
};

/* Who serves something: exactly one is set. */
struct conf_target {
	const struct conf_destination *destination;
	const struct conf_application *application;
};

/*
 * A remote application.  Those written inline in u_services ({url, application})
 * become one each, named "application@url".  Or a group of targets, which are all
 * asked: it has members, and neither application nor urls.
 */
struct conf_destination {
	char *name;
	char *application;		/* NULL: a group */
	struct conf_url *urls;		/* at least one, or a group */
	size_t n_urls;
	struct conf_target *members;	/* of a group; groups may hold groups, but no cycle */
	size_t n_members;
	enum conf_protocol protocol;
	unsigned links;			/* to each URL of a stock peer, at most */
	uint64_t link_idle_ms;		/* all but one of them end; CONF_NO_LIMIT: never */
	unsigned node_links;		/* to each URL of an usher node */
	unsigned retry_percent;		/* of its requests, that may be sent again */
	struct conf_health health;
	uint64_t timeout_ms;		/* 0: not set here */
	uint64_t queue;			/* requests waiting; CONF_NO_LIMIT */
	uint64_t queue_bytes;
	struct conf_tls_client tls;	/* of its wss:// URLs */
};

/* A program here that serves one application. */
struct conf_application {
	char *name;
	char **command;			/* NULL-terminated argv, at least one word */
	char *directory;		/* absolute */
	char **environment;		/* NULL-terminated "NAME=value" */
	char **pass_environment;	/* NULL-terminated names */
	bool qewd;			/* QEWD's own workers, which get the secret */
	char *settings;			/* for them: a JSON object */
	char *rest;			/* HTTP requests below "/prefix" come here; NULL: none */
	char **services;		/* NULL-terminated applications its messages may name as "service" */
	char *fragments;		/* absolute folder of its "ewd-fragment" files; NULL: none */
	char **reload_on;		/* NULL-terminated files, absolute: workers are replaced at a reload if
					 * one of them has changed */
	uint64_t reload_stamp;		/* of these files as they were when this was read */
	unsigned pool_size;
	unsigned pool_concurrency;	/* requests at a time in a worker that allows it */
	bool pool_prefork;
	uint64_t pool_idle_ms;		/* CONF_NO_LIMIT: never ended for idling */
	uint64_t pool_hang_ms;
	uint64_t pool_max_messages;	/* CONF_NO_LIMIT: not recycled for it */
	uint64_t pool_max_memory;	/* bytes; CONF_NO_LIMIT: not recycled for it */
	uint64_t pool_queue;
	uint64_t pool_queue_bytes;
	uint64_t pool_deadline_ms;
	uint64_t pool_start_timeout_ms;
	uint64_t pool_stop_grace_ms;
};

/* One type, or pattern of types, of a u_services entry. */
struct conf_route {
	char *pattern;			/* exact type, or with one '*' as its last character */
	struct conf_target target;
	uint64_t timeout_ms;		/* 0: not set here */
	unsigned cancel_on_leave;	/* 1: whoever asked has left, so it is cancelled at once */
	bool is_idempotent;		/* to run it twice does no harm */
};

/* An entry of u_services with a path; the first that fits a request counts. */
struct conf_rest_route {
	char *path;			/* a template: "/api/user/:id" */
	char *method;			/* "GET"; NULL: any */
	struct conf_target target;	/* nobody: the template has ":destination" */
	bool bypass_jwt_check;		/* the caller's token is passed on without a look at it */
	uint64_t timeout_ms;		/* 0: not set here */
	unsigned cancel_on_leave;
	bool is_idempotent;
};

/* Finals of one application may send their request on to another ("qewd_destination"). */
struct conf_switch {
	char *from, *to;
};

/* Socket.IO events "application/TYPE" that are calls. */
struct conf_events {
	char *application;
	char **types;			/* NULL-terminated patterns, as those of routes */
};

/* An entry of u_services: what this application's messages are routed by. */
struct conf_service {
	char *application;
	struct conf_route *routes;	/* as written; choosing is up to request/service */
	size_t n_routes;
};

struct conf_static {
	char *path;			/* "/index.html"; of a folder: "/" */
	char *file;			/* absolute; NULL: it is a folder */
	char *root;			/* absolute folder; NULL: it is a file */
};

struct conf_socketio {
	char *path;			/* "/socket.io/": begins and ends with a slash */
	uint64_t ping_interval_ms;
	uint64_t ping_timeout_ms;
	uint64_t connect_timeout_ms;
	uint64_t upgrade_timeout_ms;
	char *cookie;			/* its name; NULL: none is set */
};

struct conf_limits {		/* CONF_NO_LIMIT where "off" is allowed and given */
	uint64_t sessions;
	uint64_t sessions_per_address;
	uint64_t in_flight_per_session;
	uint64_t messages_per_second;
	uint64_t bytes_per_second;
	uint64_t messages_per_address;	/* a second, as the next */
	uint64_t bytes_per_address;
	uint64_t in_flight;		/* requests, in all */
	uint64_t message;
	uint64_t reply;
	uint64_t handler_message;
	uint64_t send_queue;
	uint64_t between_loops;
	uint64_t http_head;
	uint64_t http_body;
	unsigned json_depth;
};

struct conf_timeouts {
	uint64_t http_head_ms;
	uint64_t http_body_ms;
	uint64_t handshake_ms;
	uint64_t dial_ms;
	uint64_t idle_ms;
	uint64_t request_ms;
	uint64_t drain_ms;
	uint64_t resume_ms;		/* 0: off */
	uint64_t send_ms;
};

/* How the node leaves its clients; timeouts.drain bounds it all. */
struct conf_drain {
	uint64_t keep_listening_ms;	/* it serves on for so long, while /readyz says no; 0: not */
	uint64_t sessions_per_second;	/* told to go; CONF_NO_LIMIT: all at once */
};

struct conf_admin {
	char *socket;			/* of usherctl, absolute; NULL: none */
	char *group;			/* that may use it as well; NULL: none */
	bool trace_payloads;		/* usherctl trace may show them */
	struct conf_listener http;	/* of metrics, loopback; its address is NULL: none */
};

struct conf {
	unsigned refs;
	char *path;			/* of the main file, as given */
	char *node;
	unsigned threads;
	struct conf_listener *listeners;
	size_t n_listeners;
	struct conf_jwt jwt;
	struct conf_socketio socketio;
	struct conf_destination *destinations;
	size_t n_destinations;
	struct conf_service *services;
	size_t n_services;
	struct conf_rest_route *rest_routes;	/* as written */
	size_t n_rest_routes;
	struct conf_switch *switches;
	size_t n_switches;
	struct conf_events *events;
	size_t n_events;
	bool http_ajax;			/* POST /ajax is served */
	unsigned http_errors_qewd;	/* 1: QEWD's HTTP statuses, 400 for nearly everything */
	struct conf_application *applications;
	size_t n_applications;
	struct conf_static *statics;
	size_t n_statics;
	struct conf_limits limits;
	struct conf_timeouts timeouts;
	struct conf_drain drain;
	struct conf_admin admin;
	enum log_level log_level;
	enum log_format log_format;
	char *log_file;			/* absolute; NULL: standard error */
	uint64_t log_slow_ms;		/* CONF_NO_LIMIT: never */
};

/*
 * Reads and checks a file and what it includes.  NULL if it is refused: *error, to
 * be freed, then says "file:line: what is wrong and what would be right", one
 * line for each fault found (at most 20).  Gives one reference.
 */
struct conf	*conf_load(const char *path, char **error);

/* Logs what is permitted, and unwise. */
void		 conf_warn(const struct conf *);

struct conf	*conf_ref(struct conf *);
void		 conf_unref(struct conf *);	/* NULL is fine */

/* Every option with its default and one line of help: usherd --defaults. */
void		 conf_print_defaults(FILE *);

#endif
