/* SPDX-License-Identifier: ISC */
/*
 * Every option.  Defaults are text and take the same way through the parser as a
 * user's value.  `usherd --defaults`, conf/full.yaml and the list in
 * usher.yaml(5) are checked against this table by tests/unit/check_conf.c.
 */
#include "conf/conf_table.h"

#include <string.h>

#include "base/compiler.h"
#include "conf/conf.h"
#include "conf/conf_value.h"

#define MS_MAX	    (24 * 3600 * 1000u)		/* 24h */
#define SECONDS_MAX (365 * 24 * 3600u)		/* 8760h */
#define BYTES_MAX   (1024 * 1024 * 1024u)	/* 1024MiB */
#define COUNT_MAX   1000000000u
#define TEXT_MAX    4096

#define AT(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define APART	    0, 0		/* fetched by conf_apply.c */

#define REQUIRED     CONF_F_REQUIRED
#define OFF	     CONF_F_OFF

/* A key that is known, and refused because its feature is not built. */
#define LATER(name, feature) { name, CONF_T_LATER, 0, NULL, 0, 0, APART, feature, NULL, NULL }

static const struct conf_word audiences[] = {
	{ "browsers", CONF_FOR_BROWSERS, false },
	{ "nodes", CONF_FOR_NODES, false },
	{ "both", CONF_FOR_BOTH, false },
	{ NULL, 0, false }
};
static const struct conf_word protocols[] = {
	{ "auto", CONF_PROTOCOL_AUTO, false },
	{ "qewd", CONF_PROTOCOL_QEWD, false },
	{ "usher", CONF_PROTOCOL_USHER, false },
	{ NULL, 0, false }
};
static const struct conf_word leaves[] = {
	{ "keep", 0, false },
	{ "cancel", 1, false },
	{ NULL, 0, false }
};
static const struct conf_word http_errors[] = {
	{ "usher", 0, false },
	{ "qewd", 1, false },
	{ NULL, 0, false }
};
static const struct conf_word log_formats[] = {
	{ "text", LOG_FORMAT_TEXT, false },
	{ "json", LOG_FORMAT_JSON, false },
	{ NULL, 0, false }
};
static const struct conf_word log_levels[] = {
	{ "error", LOG_LEVEL_ERROR, false },
	{ "warn", LOG_LEVEL_WARN, false },
	{ "info", LOG_LEVEL_INFO, false },
	{ "debug", LOG_LEVEL_DEBUG, false },
	{ NULL, 0, false }
};

const struct conf_option conf_options[] = {
	/* name, type, flags, default, minimum, maximum, field, help, words, check */
	{ "node", CONF_T_TEXT, 0, NULL, 1, 256, AT(struct conf, node),
	    "name in logs, answers and on links; without it: the host name", NULL,
	    conf_check_name },
	{ "include", CONF_T_TEXTS, 0, "[]", 0, 64, APART,
	    "more files to read, as patterns", NULL, NULL },
	{ "threads", CONF_T_THREADS, 0, "1", 1, CONF_THREADS_MAX, AT(struct conf, threads),
	    "event loops, a thread each; auto: one for each processor", NULL, NULL },

	{ "listen[].address", CONF_T_TEXT, REQUIRED, NULL, 1, TEXT_MAX,
	    AT(struct conf_listener, address),
	    "where to listen: address:port, [address]:port or unix:/path", NULL,
	    conf_check_address },
	{ "listen[].for", CONF_T_CHOICE, 0, "browsers", 0, 0, AT(struct conf_listener, audience),
	    "who may connect here: browsers, nodes or both", audiences, NULL },
	{ "listen[].origins", CONF_T_TEXTS, 0, "[]", 0, 1024, AT(struct conf_listener, origins),
	    "pages of other origins that may connect", NULL, conf_check_origin },
	{ "listen[].trusted_proxies", CONF_T_TEXTS, 0, "[]", 0, 1024,
	    AT(struct conf_listener, trusted_proxies),
	    "proxies that may say for whom they ask: networks, addresses, or unix:", NULL,
	    conf_check_network },
	{ "listen[].tls", CONF_T_ENTRIES, 0, NULL, 1, 64, APART,
	    "TLS: a certificate, or a list of them, for several names", NULL, NULL },
	{ "listen[].tls[].certificate", CONF_T_PATH, REQUIRED, NULL, 1, TEXT_MAX,
	    AT(struct conf_tls_server, certificate),
	    "file of the certificate and of its chain, in PEM form", NULL, NULL },
	{ "listen[].tls[].key", CONF_T_PATH, REQUIRED, NULL, 1, TEXT_MAX,
	    AT(struct conf_tls_server, key), "file of its private key, in PEM form", NULL, NULL },
	{ "listen[].tls[].client_ca", CONF_T_PATH, 0, NULL, 1, TEXT_MAX,
	    AT(struct conf_tls_server, client_ca),
	    "clients must have a certificate of a CA in this file", NULL, NULL },
	{ "listen[].nodes", CONF_T_TEXTS, 0, "[]", 0, 1024,
	    AT(struct conf_listener, node_addresses),
	    "addresses of nodes, with for: nodes or both; without it: any", NULL,
	    conf_check_network },

	{ "jwt.secret", CONF_T_TEXT, 0, NULL, 1, TEXT_MAX, APART,
	    "the secret of all nodes, as text; 32 bytes or more", NULL, NULL },
	{ "jwt.secret_file", CONF_T_PATH, 0, NULL, 1, TEXT_MAX, APART,
	    "the file that holds the secret", NULL, NULL },
	{ "jwt.secrets[].id", CONF_T_TEXT, 0, NULL, 1, 256, AT(struct conf_secret, id),
	    "name of a secret in the log; without it: its number", NULL, conf_check_name },
	{ "jwt.secrets[].secret", CONF_T_TEXT, 0, NULL, 1, TEXT_MAX, APART,
	    "one of several secrets; the first signs, all verify", NULL, NULL },
	{ "jwt.secrets[].secret_file", CONF_T_PATH, 0, NULL, 1, TEXT_MAX, APART,
	    "the file that holds it", NULL, NULL },
	{ "jwt.algorithms", CONF_T_TEXTS, 0, "[HS256]", 1, 16, APART,
	    "accepted signature algorithms", NULL, conf_check_algorithm },
	{ "jwt.allow_short_secret", CONF_T_BOOL, 0, "false", 0, 0, APART,
	    "take secrets of fewer than 32 bytes", NULL, NULL },
	{ "jwt.lifetime", CONF_T_SECONDS, 0, "300s", 1, SECONDS_MAX,
	    AT(struct conf, jwt.lifetime_s),
	    "how long a new session lives without a message", NULL, NULL },

	{ "jwt.user_claim", CONF_T_TEXT, 0, NULL, 1, 256, AT(struct conf, jwt.user_claim),
	    "claim, public or secret, that names the user; for usherctl revoke and kick", NULL,
	    conf_check_name },
	{ "jwt.revoked_file", CONF_T_PATH, 0, NULL, 1, TEXT_MAX, AT(struct conf, jwt.revoked_file),
	    "file that keeps what usherctl revoke has revoked", NULL, NULL },
	{ "jwt.revoked_keep", CONF_T_SECONDS, 0, "24h", 1, SECONDS_MAX,
	    AT(struct conf, jwt.revoked_keep_s),
	    "for how long it stays revoked: as long as tokens live at most", NULL, NULL },

	{ "jwt.issuers[].issuer", CONF_T_TEXT, REQUIRED, NULL, 1, 1024,
	    AT(struct conf_issuer, name),
	    "who else signs tokens (RS256, ES256): their \"iss\"", NULL, conf_check_name },
	{ "jwt.issuers[].keys_file", CONF_T_PATH, REQUIRED, NULL, 1, TEXT_MAX,
	    AT(struct conf_issuer, keys_file),
	    "file of its public keys, in PEM form or as a key set", NULL, NULL },
	{ "jwt.issuers[].audience", CONF_T_TEXT, 0, NULL, 1, 1024,
	    AT(struct conf_issuer, audience),
	    "that must be in their \"aud\"; without it: any", NULL, conf_check_name },
	{ "jwt.issuers[].application", CONF_T_TEXT, 0, NULL, 1, 256,
	    AT(struct conf_issuer, application),
	    "application of their sessions; without it: they must be registered", NULL,
	    conf_check_name },
	{ "jwt.issuers[].claims", CONF_T_VARIABLES, 0, NULL, 0, 256,
	    AT(struct conf_issuer, claims),
	    "claims of theirs, and what they are called in the session", NULL, NULL },

	{ "socketio.path", CONF_T_TEXT, 0, "/socket.io/", 1, 1024, AT(struct conf, socketio.path),
	    "where Socket.IO is served", NULL, conf_check_path },
	{ "socketio.ping_interval", CONF_T_DURATION, 0, "25s", 10, MS_MAX,
	    AT(struct conf, socketio.ping_interval_ms), "time between heart-beats", NULL, NULL },
	{ "socketio.ping_timeout", CONF_T_DURATION, 0, "20s", 10, MS_MAX,
	    AT(struct conf, socketio.ping_timeout_ms),
	    "how late a heart-beat may be", NULL, NULL },
	{ "socketio.connect_timeout", CONF_T_DURATION, 0, "45s", 10, MS_MAX,
	    AT(struct conf, socketio.connect_timeout_ms),
	    "time for a client to connect to the namespace", NULL, NULL },
	{ "socketio.upgrade_timeout", CONF_T_DURATION, 0, "10s", 10, MS_MAX,
	    AT(struct conf, socketio.upgrade_timeout_ms),
	    "time for a client to change from polling to a WebSocket", NULL, NULL },
	{ "socketio.cookie", CONF_T_TEXT, OFF, "io", 1, 64, AT(struct conf, socketio.cookie),
	    "name of the cookie that tells a load balancer the session", NULL,
	    conf_check_cookie },

	{ "destinations.*.application", CONF_T_TEXT, 0, NULL, 1, 256,
	    AT(struct conf_destination, application),
	    "name of the application at the remote node", NULL, conf_check_name },
	{ "destinations.*.urls", CONF_T_TEXTS, 0, NULL, 1, 256, APART,
	    "where it is served: ws://host:port or wss://host:port", NULL, conf_check_url },
	{ "destinations.*.protocol", CONF_T_CHOICE, 0, "auto", 0, 0,
	    AT(struct conf_destination, protocol),
	    "what the remote node is: auto, qewd or usher", protocols, NULL },
	{ "destinations.*.links", CONF_T_COUNT, 0, "8", 1, 1024,
	    AT(struct conf_destination, links), "connections to each stock node at most", NULL,
	    NULL },
	{ "destinations.*.link_idle", CONF_T_DURATION, OFF, "1m", 10, MS_MAX,
	    AT(struct conf_destination, link_idle_ms),
	    "a connection to a stock node that is not needed for so long ends; one stays", NULL,
	    NULL },
	{ "destinations.*.node_links", CONF_T_COUNT, 0, "1", 1, 64,
	    AT(struct conf_destination, node_links),
	    "connections to each usher node, of each event loop", NULL, NULL },
	{ "destinations.*.retry_percent", CONF_T_COUNT, 0, "20", 0, 100,
	    AT(struct conf_destination, retry_percent),
	    "of its requests, that may be sent again when a link is lost", NULL, NULL },
	{ "destinations.*.health.failures", CONF_T_COUNT, OFF, "5", 1, COUNT_MAX,
	    AT(struct conf_destination, health.failures),
	    "failures in a row after which a URL is ejected", NULL, NULL },
	{ "destinations.*.health.failure_percent", CONF_T_COUNT, OFF, "50", 1, 100,
	    AT(struct conf_destination, health.failure_percent),
	    "of its requests in 10s, 20 or more, that fail, after which it is ejected", NULL,
	    NULL },
	{ "destinations.*.health.eject", CONF_T_DURATION, 0, "10s", 10, MS_MAX,
	    AT(struct conf_destination, health.eject_ms),
	    "for how long at first; then twice as long each time", NULL, NULL },
	{ "destinations.*.health.eject_max", CONF_T_DURATION, 0, "5m", 10, MS_MAX,
	    AT(struct conf_destination, health.eject_max_ms), "for how long at most", NULL, NULL },
	{ "destinations.*.health.slow_start", CONF_T_DURATION, OFF, "10s", 10, MS_MAX,
	    AT(struct conf_destination, health.slow_start_ms),
	    "time in which a URL that is back gets its whole share again", NULL, NULL },
	{ "destinations.*.timeout", CONF_T_DURATION, 0, NULL, 1, MS_MAX,
	    AT(struct conf_destination, timeout_ms),
	    "deadline of its requests; without it: timeouts.request", NULL, NULL },
	{ "destinations.*.queue", CONF_T_COUNT, OFF, "10000", 0, COUNT_MAX,
	    AT(struct conf_destination, queue), "requests that may wait for a link", NULL, NULL },
	{ "destinations.*.queue_bytes", CONF_T_SIZE, OFF, "64MB", 0, BYTES_MAX,
	    AT(struct conf_destination, queue_bytes), "their bytes", NULL, NULL },
	{ "destinations.*.tls.ca", CONF_T_PATH, 0, NULL, 1, TEXT_MAX,
	    AT(struct conf_destination, tls.ca),
	    "file of the CAs that its nodes are trusted by; without it: those of the system",
	    NULL, NULL },
	{ "destinations.*.tls.certificate", CONF_T_PATH, 0, NULL, 1, TEXT_MAX,
	    AT(struct conf_destination, tls.certificate),
	    "file of the certificate that is shown to them", NULL, NULL },
	{ "destinations.*.tls.key", CONF_T_PATH, 0, NULL, 1, TEXT_MAX,
	    AT(struct conf_destination, tls.key), "file of its private key", NULL, NULL },
	{ "destinations.*.tls.name", CONF_T_TEXT, 0, NULL, 1, 253,
	    AT(struct conf_destination, tls.name),
	    "name their certificates must have; without it: the host of the URL", NULL,
	    conf_check_host },
	{ "destinations.*.tls.verify", CONF_T_BOOL, 0, "true", 0, 0,
	    AT(struct conf_destination, tls.verify),
	    "false: take any certificate, so that anybody can be in between", NULL, NULL },
	{ "destinations.*.destinations", CONF_T_TEXTS, 0, NULL, 1, 256, APART,
	    "instead of application and urls: a group, all of which a REST request asks", NULL,
	    conf_check_name },

	{ "u_services[].application", CONF_T_TEXT, 0, NULL, 1, 256, APART,
	    "application of the messages that this entry routes", NULL, conf_check_name },
	{ "u_services[].types.*.url", CONF_T_TEXT, 0, NULL, 1, TEXT_MAX, APART,
	    "the remote node of this type: ws:// or wss://host:port", NULL, conf_check_url },
	{ "u_services[].types.*.application", CONF_T_TEXT, 0, NULL, 1, 256, APART,
	    "name of the application there; without it: the entry's", NULL, conf_check_name },
	{ "u_services[].types.*.destination", CONF_T_TEXT, 0, NULL, 1, 256, APART,
	    "instead of url: a destination or a local application", NULL, conf_check_name },
	{ "u_services[].types.*.timeout", CONF_T_DURATION, 0, NULL, 1, MS_MAX,
	    AT(struct conf_route, timeout_ms),
	    "deadline of this type; without it: the destination's", NULL, NULL },
	{ "u_services[].types.*.idempotent", CONF_T_BOOL, 0, "false", 0, 0,
	    AT(struct conf_route, is_idempotent),
	    "running it twice does no harm: it is sent again when its link is lost", NULL, NULL },
	{ "u_services[].types.*.on_leave", CONF_T_CHOICE, 0, "keep", 0, 0,
	    AT(struct conf_route, cancel_on_leave),
	    "when whoever asked leaves: keep (for timeouts.resume) or cancel", leaves, NULL },
	{ "u_services[].path", CONF_T_TEXT, 0, NULL, 1, 1024,
	    AT(struct conf_rest_route, path),
	    "instead of application and types: HTTP requests, by a template of their path", NULL,
	    conf_check_template },
	{ "u_services[].method", CONF_T_TEXT, 0, NULL, 1, 32,
	    AT(struct conf_rest_route, method), "their method; without it: any", NULL,
	    conf_check_method },
	{ "u_services[].destination", CONF_T_TEXT, 0, NULL, 1, 256, APART,
	    "who serves them: a destination, a group or a local application", NULL,
	    conf_check_name },
	{ "u_services[].timeout", CONF_T_DURATION, 0, NULL, 1, MS_MAX,
	    AT(struct conf_rest_route, timeout_ms),
	    "their deadline; without it: the destination's", NULL, NULL },
	{ "u_services[].bypassJWTCheck", CONF_T_BOOL, 0, "false", 0, 0,
	    AT(struct conf_rest_route, bypass_jwt_check),
	    "pass the caller's token on without a look at it", NULL, NULL },
	{ "u_services[].on_leave", CONF_T_CHOICE, 0, "keep", 0, 0,
	    AT(struct conf_rest_route, cancel_on_leave),
	    "when the caller leaves: keep (until it is answered) or cancel", leaves, NULL },
	{ "u_services[].idempotent", CONF_T_BOOL, 0, "false", 0, 0,
	    AT(struct conf_rest_route, is_idempotent),
	    "running them twice does no harm: they are sent again when a link is lost", NULL,
	    NULL },
	LATER("u_services[].onRequest", "functions of QEWD's master"),
	LATER("u_services[].onResponse", "functions of QEWD's master"),

	{ "u_services.destinations.*.application", CONF_T_TEXT, 0, NULL, 1, 256, APART,
	    "QEWD's form: name of the application at the remote node", NULL, conf_check_name },
	{ "u_services.destinations.*.host", CONF_T_TEXT, 0, NULL, 1, TEXT_MAX, APART,
	    "QEWD's form: the remote node, http://host:port", NULL, conf_check_url },
	{ "u_services.destinations.*.url", CONF_T_TEXT, 0, NULL, 1, TEXT_MAX, APART,
	    "QEWD's form: another word for host", NULL, conf_check_url },
	{ "u_services.destinations.*.destinations", CONF_T_TEXTS, 0, NULL, 1, 256, APART,
	    "QEWD's form: instead of both, a group", NULL, conf_check_name },
	{ "u_services.routes", CONF_T_ROUTES, 0, NULL, 0, 0, APART,
	    "QEWD's form: the entries, as those of u_services[]", NULL, NULL },

	{ "applications.*.command", CONF_T_TEXTS, 0, NULL, 1, 1024,
	    AT(struct conf_application, command),
	    "program and arguments of a worker process", NULL, NULL },
	{ "applications.*.directory", CONF_T_PATH, 0, NULL, 1, TEXT_MAX,
	    AT(struct conf_application, directory),
	    "where it starts; without it: the folder of the file", NULL, NULL },
	{ "applications.*.environment", CONF_T_VARIABLES, 0, "{}", 0, 1024,
	    AT(struct conf_application, environment), "variables set for it", NULL, NULL },
	{ "applications.*.pass_environment", CONF_T_TEXTS, 0, "[]", 0, 1024,
	    AT(struct conf_application, pass_environment),
	    "names of variables passed on to it", NULL, conf_check_variable },
	{ "applications.*.pool.size", CONF_T_COUNT, 0, "2", 1, 256,
	    AT(struct conf_application, pool_size), "worker processes at most", NULL, NULL },
	{ "applications.*.pool.concurrency", CONF_T_COUNT, 0, "1", 1, 65536,
	    AT(struct conf_application, pool_concurrency),
	    "requests at a time in one worker process that allows it", NULL, NULL },
	{ "applications.*.pool.queue", CONF_T_COUNT, OFF, "10000", 0, COUNT_MAX,
	    AT(struct conf_application, pool_queue),
	    "requests that may wait for a worker", NULL, NULL },
	{ "applications.*.pool.queue_bytes", CONF_T_SIZE, OFF, "64MB", 0, BYTES_MAX,
	    AT(struct conf_application, pool_queue_bytes), "their bytes", NULL, NULL },
	{ "applications.*.pool.deadline", CONF_T_DURATION, 0, "55s", 1, MS_MAX,
	    AT(struct conf_application, pool_deadline_ms),
	    "time for a handler to finish a request", NULL, NULL },
	{ "applications.*.pool.start_timeout", CONF_T_DURATION, 0, "30s", 1, MS_MAX,
	    AT(struct conf_application, pool_start_timeout_ms),
	    "time for a worker to be ready", NULL, NULL },
	{ "applications.*.pool.stop_grace", CONF_T_DURATION, 0, "10s", 1, MS_MAX,
	    AT(struct conf_application, pool_stop_grace_ms),
	    "time for a worker to end by itself", NULL, NULL },
	{ "applications.*.pool.prefork", CONF_T_BOOL, 0, "false", 0, 0,
	    AT(struct conf_application, pool_prefork),
	    "start all workers at once, and keep them", NULL, NULL },
	{ "applications.*.pool.idle", CONF_T_DURATION, OFF, "1h", 1, MS_MAX,
	    AT(struct conf_application, pool_idle_ms),
	    "a worker without work for so long is ended", NULL, NULL },
	{ "applications.*.pool.hang", CONF_T_DURATION, 0, "10s", 10, MS_MAX,
	    AT(struct conf_application, pool_hang_ms),
	    "time for a worker with concurrency to answer a ping", NULL, NULL },
	{ "applications.*.pool.max_messages", CONF_T_COUNT, OFF, "off", 1, COUNT_MAX,
	    AT(struct conf_application, pool_max_messages),
	    "requests after which a worker is replaced", NULL, NULL },
	{ "applications.*.pool.max_memory", CONF_T_SIZE, OFF, "off", 1000000, BYTES_MAX,
	    AT(struct conf_application, pool_max_memory),
	    "resident memory above which a worker is replaced", NULL, NULL },
	{ "applications.*.qewd", CONF_T_BOOL, 0, "false", 0, 0,
	    AT(struct conf_application, qewd),
	    "run QEWD's own workers, which get the secret", NULL, NULL },
	{ "applications.*.settings", CONF_T_SETTINGS, 0, "{}", 0, 0,
	    AT(struct conf_application, settings),
	    "for QEWD's own workers: what a QEWD startup file says", NULL, NULL },

	{ "applications.*.rest", CONF_T_TEXT, 0, NULL, 2, 1024,
	    AT(struct conf_application, rest),
	    "HTTP requests to PREFIX/TYPE are messages of this type to it", NULL,
	    conf_check_path },
	{ "applications.*.services", CONF_T_TEXTS, 0, "[]", 0, 1024,
	    AT(struct conf_application, services),
	    "applications that its messages may name as their service", NULL,
	    conf_check_name },
	{ "applications.*.fragments", CONF_T_PATH, 0, NULL, 1, TEXT_MAX,
	    AT(struct conf_application, fragments),
	    "folder of the files that ewd-fragment messages get", NULL, NULL },
	{ "applications.*.reload_on", CONF_T_TEXTS, 0, "[]", 0, 256,
	    AT(struct conf_application, reload_on),
	    "files: a reload replaces the workers if one of them has changed", NULL, NULL },

	{ "permit_application_switch.*.*", CONF_T_BOOL, 0, NULL, 0, 0, APART,
	    "true: finals of the first application may lead to the second", NULL, NULL },

	{ "clients.events.*", CONF_T_TEXTS, CONF_F_ONE, NULL, 1, 1024, APART,
	    "types that Socket.IO events APPLICATION/TYPE may call; \"*\": all", NULL,
	    conf_check_pattern },

	{ "static[].path", CONF_T_TEXT, REQUIRED, NULL, 1, 1024, AT(struct conf_static, path),
	    "path that browsers ask for", NULL, conf_check_path },
	{ "static[].file", CONF_T_PATH, 0, NULL, 1, TEXT_MAX, AT(struct conf_static, file),
	    "the file they get", NULL, NULL },
	{ "static[].root", CONF_T_PATH, 0, NULL, 1, TEXT_MAX, AT(struct conf_static, root),
	    "instead of file: the folder of what is below that path", NULL, NULL },

	{ "limits.sessions", CONF_T_COUNT, OFF, "65536", 1, COUNT_MAX,
	    AT(struct conf, limits.sessions), "sessions at once", NULL, NULL },
	{ "limits.sessions_per_address", CONF_T_COUNT, OFF, "1024", 1, COUNT_MAX,
	    AT(struct conf, limits.sessions_per_address),
	    "sessions at once from one address", NULL, NULL },
	{ "limits.in_flight_per_session", CONF_T_COUNT, 0, "64", 1, 65536,
	    AT(struct conf, limits.in_flight_per_session),
	    "unanswered requests of a session", NULL, NULL },
	{ "limits.messages_per_second", CONF_T_COUNT, OFF, "1000", 1, COUNT_MAX,
	    AT(struct conf, limits.messages_per_second),
	    "messages of a session in a second", NULL, NULL },
	{ "limits.bytes_per_second", CONF_T_SIZE, OFF, "10MB", 1000, BYTES_MAX,
	    AT(struct conf, limits.bytes_per_second),
	    "bytes of a session in a second", NULL, NULL },
	{ "limits.messages_per_second_per_address", CONF_T_COUNT, OFF, "off", 1, COUNT_MAX,
	    AT(struct conf, limits.messages_per_address),
	    "messages from one address in a second", NULL, NULL },
	{ "limits.bytes_per_second_per_address", CONF_T_SIZE, OFF, "off", 1000, BYTES_MAX,
	    AT(struct conf, limits.bytes_per_address),
	    "bytes from one address in a second", NULL, NULL },
	{ "limits.in_flight", CONF_T_COUNT, OFF, "65536", 1, COUNT_MAX,
	    AT(struct conf, limits.in_flight), "unanswered requests in all", NULL, NULL },
	{ "limits.message", CONF_T_SIZE, 0, "1MB", 1000, BYTES_MAX,
	    AT(struct conf, limits.message), "a message of a client", NULL, NULL },
	{ "limits.reply", CONF_T_SIZE, 0, "32MB", 1000, BYTES_MAX,
	    AT(struct conf, limits.reply), "a reply of a remote node or handler", NULL, NULL },
	{ "limits.handler_message", CONF_T_SIZE, 0, "64MB", 1000, BYTES_MAX,
	    AT(struct conf, limits.handler_message),
	    "a line that a worker process writes", NULL, NULL },
	{ "limits.send_queue", CONF_T_SIZE, 0, "4MB", 1000, BYTES_MAX,
	    AT(struct conf, limits.send_queue),
	    "bytes that wait for a peer to read them", NULL, NULL },
	{ "limits.between_loops", CONF_T_SIZE, 0, "64MB", 1000, BYTES_MAX,
	    AT(struct conf, limits.between_loops),
	    "bytes that wait for an event loop, of what others have got", NULL, NULL },
	{ "limits.http_head", CONF_T_SIZE, 0, "16KiB", 512, 1024 * 1024,
	    AT(struct conf, limits.http_head), "request line and header fields", NULL, NULL },
	{ "limits.http_body", CONF_T_SIZE, 0, "1MB", 1000, BYTES_MAX,
	    AT(struct conf, limits.http_body), "the body of an HTTP request", NULL, NULL },
	{ "limits.json_depth", CONF_T_COUNT, 0, "64", 4, 512,
	    AT(struct conf, limits.json_depth),
	    "objects and arrays inside one another", NULL, NULL },

	{ "timeouts.http_head", CONF_T_DURATION, 0, "10s", 1, MS_MAX,
	    AT(struct conf, timeouts.http_head_ms),
	    "for a client to send an HTTP head", NULL, NULL },
	{ "timeouts.http_body", CONF_T_DURATION, 0, "30s", 1, MS_MAX,
	    AT(struct conf, timeouts.http_body_ms),
	    "for a client to send the body behind it", NULL, NULL },
	{ "timeouts.handshake", CONF_T_DURATION, 0, "10s", 1, MS_MAX,
	    AT(struct conf, timeouts.handshake_ms),
	    "for the handshakes of a link", NULL, NULL },
	{ "timeouts.dial", CONF_T_DURATION, 0, "10s", 1, MS_MAX,
	    AT(struct conf, timeouts.dial_ms),
	    "for a connection to a remote node", NULL, NULL },
	{ "timeouts.idle", CONF_T_DURATION, 0, "75s", 1, MS_MAX,
	    AT(struct conf, timeouts.idle_ms),
	    "of an HTTP connection between requests", NULL, NULL },
	{ "timeouts.request", CONF_T_DURATION, 0, "60s", 1, MS_MAX,
	    AT(struct conf, timeouts.request_ms), "for a request to be answered", NULL, NULL },
	{ "timeouts.send", CONF_T_DURATION, 0, "30s", 10, MS_MAX,
	    AT(struct conf, timeouts.send_ms),
	    "for a client that has to read to read some more", NULL, NULL },
	{ "timeouts.drain", CONF_T_DURATION, 0, "30s", 1, MS_MAX,
	    AT(struct conf, timeouts.drain_ms),
	    "for requests in flight when the daemon stops", NULL, NULL },
	{ "timeouts.resume", CONF_T_DURATION, OFF, "30s", 1, MS_MAX,
	    AT(struct conf, timeouts.resume_ms),
	    "for a browser that lost its connection to come back", NULL, NULL },

	{ "drain.keep_listening", CONF_T_DURATION, OFF, "off", 1, MS_MAX,
	    AT(struct conf, drain.keep_listening_ms),
	    "serve on for so long before draining, while /readyz says no", NULL, NULL },
	{ "drain.sessions_per_second", CONF_T_COUNT, OFF, "1000", 1, COUNT_MAX,
	    AT(struct conf, drain.sessions_per_second),
	    "how many sessions are told to go in a second", NULL, NULL },

	{ "http.ajax", CONF_T_BOOL, 0, "true", 0, 0, AT(struct conf, http_ajax),
	    "serve POST /ajax", NULL, NULL },
	{ "http.errors", CONF_T_CHOICE, 0, "usher", 0, 0, AT(struct conf, http_errors_qewd),
	    "HTTP statuses of errors: usher, or qewd as stock QEWD has them", http_errors, NULL },

	{ "log.format", CONF_T_CHOICE, 0, "text", 0, 0, AT(struct conf, log_format),
	    "format of its lines: text, or json for programs", log_formats, NULL },
	{ "log.file", CONF_T_PATH, 0, NULL, 1, TEXT_MAX, AT(struct conf, log_file),
	    "the file it goes to; without it: standard error", NULL, NULL },
	{ "log.level", CONF_T_CHOICE, 0, "info", 0, 0, AT(struct conf, log_level),
	    "least level that is logged: error, warn, info or debug", log_levels, NULL },
	{ "log.slow", CONF_T_DURATION, OFF, "2s", 1, MS_MAX, AT(struct conf, log_slow_ms),
	    "requests that take longer are logged", NULL, NULL },

	{ "admin.socket", CONF_T_PATH, 0, NULL, 1, 107, AT(struct conf, admin.socket),
	    "the UNIX socket of usherctl", NULL, NULL },
	{ "admin.group", CONF_T_TEXT, 0, NULL, 1, TEXT_MAX, AT(struct conf, admin.group),
	    "a group of users who may use the socket as well", NULL, NULL },
	{ "admin.trace_payloads", CONF_T_BOOL, 0, "false", 0, 0, AT(struct conf, admin.trace_payloads),
	    "usherctl trace --payloads may show what messages carry", NULL, NULL },
	{ "admin.http", CONF_T_TEXT, 0, NULL, 1, TEXT_MAX, AT(struct conf, admin.http.address),
	    "metrics and health over HTTP: a loopback address and a port", NULL,
	    conf_check_loopback },
};

const size_t conf_n_options = ARRAY_LEN(conf_options);

const struct conf_option *
conf_option_find(const char *name)
{
	/* Asked for each line of a file: the first letter says no to nearly all. */
	for (size_t i = 0; i < conf_n_options; i++)
		if (conf_options[i].name[0] == name[0] && strcmp(conf_options[i].name, name) == 0)
			return &conf_options[i];
	return NULL;
}

bool
conf_option_is_below(const char *prefix, const char *follow)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < conf_n_options; i++)
		if ((len == 0 || conf_options[i].name[0] == prefix[0]) &&
		    strncmp(conf_options[i].name, prefix, len) == 0 &&
		    strncmp(conf_options[i].name + len, follow, strlen(follow)) == 0)
			return true;
	return false;
}

bool
conf_option_next_name(const char *section, size_t *i, char *name, size_t size)
{
	size_t len = strlen(section);

	for (; *i < conf_n_options; (*i)++) {
		const char *rest = conf_options[*i].name;

		if (strncmp(rest, section, len) != 0 || (len > 0 && rest[len] != '.'))
			continue;
		rest += len > 0 ? len + 1 : 0;
		len = strcspn(rest, ".[");
		len = len < size ? len : size - 1;
		memcpy(name, rest, len);
		name[len] = '\0';
		(*i)++;
		return true;
	}
	return false;
}

void
conf_print_defaults(FILE *out)
{
	for (const struct conf_option *o = conf_options; o < conf_options + conf_n_options; o++) {
		const char *fallback = o->fallback != NULL ? o->fallback :
		    (o->flags & CONF_F_REQUIRED) != 0 ? "(required)" : "-";

		if (o->type != CONF_T_LATER)
			fprintf(out, "%-40s %-12s %s\n", o->name, fallback, o->help);
	}
}
