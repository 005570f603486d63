/* SPDX-License-Identifier: ISC */
/*
 * Builds a struct conf from a tree that was checked value by value, and checks
 * here what spans several options: secrets, files that must be there, addresses given
 * twice.  What is routed where is in conf_services.c.
 *
 * It goes on after faults, to find as many as possible in one run; values found
 * bad are passed over.
 */
#include "conf/conf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_fill.h"
#include "conf/conf_int.h"
#include "conf/conf_value.h"

#define SECRET_MIN	 32
#define SECRET_FILE_MAX	 65536
#define UNIX_PATH_MAX	 107

static void	 build(struct conf *, struct conf_node *, struct conf_faults *);
static void	 conf_free(struct conf *);

struct conf *
conf_load(const char *path, char **error)
{
	struct conf_faults faults = { 0 };
	struct conf *conf = xcalloc(1, sizeof(*conf));
	struct conf_tree *tree;

	conf->refs = 1;
	conf->path = xstrdup(path);
	if ((tree = conf_tree_load(path, &faults)) != NULL) {
		conf_check_tree(tree->root, &faults);
		if (!faults.has_more)	/* else not every value was looked at */
			build(conf, tree->root, &faults);
		conf_tree_free(tree);
	}
	*error = NULL;
	if (faults.n > 0) {
		*error = conf_faults_take(&faults);
		conf_free(conf);
		return NULL;
	}
	return conf;
}

void
conf_warn(const struct conf *conf)
{
	for (size_t i = 0; i < conf->jwt.n_secrets; i++)
		if (conf->jwt.secrets[i].loose_file != NULL)
			log_warnx("secret_file: the group of %s can change it: chmod 640 it",
			    conf->jwt.secrets[i].loose_file);
}

struct conf *
conf_ref(struct conf *conf)
{
	/* The one object that several loops hold. */
	__atomic_add_fetch(&conf->refs, 1, __ATOMIC_RELAXED);
	return conf;
}

void
conf_unref(struct conf *conf)
{
	if (conf != NULL && __atomic_sub_fetch(&conf->refs, 1, __ATOMIC_ACQ_REL) == 0)
		conf_free(conf);
}

char *
conf_text_of(const struct conf_node *map, const char *key)
{
	const struct conf_node *node = conf_node_get(map, key);

	return node != NULL && node->kind == CONF_SCALAR && !node->is_bad ?
	    xstrdup(node->text) : NULL;
}

/* The entries of a list, or of nothing. */
static size_t
count_of(const struct conf_node *list)
{
	return list != NULL && list->kind == CONF_LIST ? list->n : 0;
}

static const struct conf_application *
find_application(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_applications; i++)
		if (strcmp(conf->applications[i].name, name) == 0)
			return &conf->applications[i];
	return NULL;
}

static char *
host_name(void)
{
	char name[256];

	if (gethostname(name, sizeof(name) - 1) != 0)
		return xstrdup("localhost");
	name[sizeof(name) - 1] = '\0';
	return xstrdup(*name != '\0' ? name : "localhost");
}

/* The other parts count on a slash at the end. */
static void
end_with_slash(char **path)
{
	size_t len = strlen(*path);
	char *longer;

	if (len > 0 && (*path)[len - 1] == '/')
		return;
	longer = xasprintf("%s/", *path);
	free(*path);
	*path = longer;
}

/* Entries of bad kind stay as empty structs: the configuration is refused anyway. */
static struct conf_node *
entry_of(const struct conf_node *list, size_t i)
{
	return list->item[i]->kind == CONF_MAP ? list->item[i] : NULL;
}

static void
resolve_listener(struct conf_listener *listener, const struct conf_node *entry,
    struct conf_faults *faults)
{
	struct conf_node *node = conf_node_get(entry, "address");
	char *absolute;

	if (listener->address == NULL || conf_value_listener(listener->address, listener) != NULL)
		return;		/* noted by the check of this value */
	if (listener->unix_path == NULL)
		return;
	absolute = conf_file_absolute(node->source, listener->unix_path);
	free(listener->unix_path);
	listener->unix_path = absolute;
	if (strlen(absolute) > UNIX_PATH_MAX)
		conf_node_fault(node, faults,
		    "listen[].address: the path %s is longer than %d bytes", absolute,
		    UNIX_PATH_MAX);
}

/* Why a file cannot be read; NULL if it can. */
static const char *
fault_of_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 || access(path, R_OK) != 0)
		return strerror(errno);
	return S_ISREG(st.st_mode) ? NULL : "it is no regular file";
}

void
conf_check_file(const struct conf_node *map, const char *key, const char *path, const char *shown,
    struct conf_faults *faults)
{
	const char *why = path != NULL ? fault_of_file(path) : NULL;

	if (why != NULL)
		conf_node_fault(conf_node_get(map, key), faults, "%s.%s: %s cannot be read: %s",
		    shown, key, path, why);
}

static void
add_certificate(struct conf_listener *listener, struct conf_node *entry,
    struct conf_faults *faults)
{
	struct conf_tls_server *tls = &listener->tls[listener->n_tls++];

	if (entry == NULL)
		return;
	conf_fill("listen[].tls[]", entry, tls);
	conf_check_file(entry, "certificate", tls->certificate, "listen[].tls", faults);
	conf_check_file(entry, "key", tls->key, "listen[].tls", faults);
	conf_check_file(entry, "client_ca", tls->client_ca, "listen[].tls", faults);
	for (size_t i = 0; i + 1 < listener->n_tls && tls->client_ca != NULL; i++)
		if (listener->tls[i].client_ca != NULL)
			conf_node_fault(conf_node_get(entry, "client_ca"), faults,
			    "listen[].tls[].client_ca: is given twice: it is for the address, "
			    "whichever name a client asks for");
}

static void
build_listener_tls(struct conf_listener *listener, const struct conf_node *entry,
    struct conf_faults *faults)
{
	struct conf_node *tls = conf_node_get(entry, "tls");
	bool is_one = tls != NULL && tls->kind == CONF_MAP;
	size_t n = is_one ? 1 : count_of(tls);

	if (tls == NULL || tls->is_bad)
		return;
	listener->tls = xcalloc(n, sizeof(*listener->tls));
	for (size_t i = 0; i < n; i++)
		add_certificate(listener, is_one ? tls : entry_of(tls, i), faults);
}

/* Port 0 is another one each time. */
static bool
is_same_address(const struct conf_listener *a, const struct conf_listener *b)
{
	if (a->unix_path != NULL && b->unix_path != NULL)
		return strcmp(a->unix_path, b->unix_path) == 0;
	return a->host != NULL && b->host != NULL && a->port != 0 && a->port == b->port &&
	    strcmp(a->host, b->host) == 0;
}

/* Texts that were found bad stay out: the configuration is refused anyway. */
static struct address_net *
networks_of(char *const *texts, size_t *n)
{
	struct address_net *nets;
	size_t n_texts = 0;

	while (texts != NULL && texts[n_texts] != NULL)
		n_texts++;
	nets = xcalloc(n_texts, sizeof(*nets));
	for (size_t i = 0; i < n_texts; i++)
		*n += address_net_parse(texts[i], &nets[*n]) == NULL;
	return nets;
}

static void
build_networks(struct conf_listener *listener, const struct conf_node *entry,
    struct conf_faults *faults)
{
	listener->proxies = networks_of(listener->trusted_proxies, &listener->n_proxies);
	listener->nodes = networks_of(listener->node_addresses, &listener->n_nodes);
	if (listener->n_nodes > 0 && listener->audience == CONF_FOR_BROWSERS)
		conf_node_fault(conf_node_get(entry, "nodes"), faults, "listen[].nodes: an address "
		    "for browsers has no nodes; write for: nodes, or for: both, beside it");
	for (char **text = listener->trusted_proxies; text != NULL && *text != NULL; text++)
		if (strlen(*text) > 2 && strcmp(*text + strlen(*text) - 2, "/0") == 0)
			conf_node_fault(conf_node_get(entry, "trusted_proxies"), faults,
			    "listen[].trusted_proxies: %s is everybody, who could then say to be "
			    "anybody; name the addresses of the proxies", *text);
}

static void
build_listeners(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	struct conf_node *list = conf_node_get(root, "listen");

	conf->listeners = xcalloc(count_of(list), sizeof(*conf->listeners));
	if (list != NULL && list->kind == CONF_LIST && (list->n == 0 || list->n > 64))
		conf_node_fault(list, faults, "listen: must have 1 to 64 entries, such as "
		    "{ address: \"127.0.0.1:8080\" }");
	for (size_t i = 0; i < count_of(list) && i < 64; i++) {
		struct conf_listener *listener = &conf->listeners[conf->n_listeners++];
		struct conf_node *entry = entry_of(list, i);

		conf_fill("listen[]", entry, listener);
		while (listener->origins[listener->n_origins] != NULL)
			listener->n_origins++;
		build_networks(listener, entry, faults);
		resolve_listener(listener, entry, faults);
		build_listener_tls(listener, entry, faults);
		for (size_t k = 0; k < i; k++)
			listener->rank += conf->listeners[k].address != NULL &&
			    listener->address != NULL &&
			    strcmp(conf->listeners[k].address, listener->address) == 0;
		for (size_t k = 0; k < i; k++)
			if (is_same_address(&conf->listeners[k], listener))
				conf_node_fault(conf_node_get(entry, "address"), faults,
				    "listen[].address: this address is given twice");
	}
}

/* Whoever can read it can be any user, so that nobody but its owner and its group may. */
static void
check_secret_mode(struct conf_secret *secret, const char *path, mode_t mode,
    struct conf_node *file, struct conf_faults *faults)
{
	if ((mode & (S_IROTH | S_IWOTH)) != 0)
		conf_node_fault(file, faults, "secret_file: every user of this machine can %s %s: "
		    "chmod 600 it, or chmod 640 with a group of usherd's own",
		    (mode & S_IROTH) != 0 ? "read" : "change", path);
	else if ((mode & S_IWGRP) != 0)
		secret->loose_file = xstrdup(path);
}

static void
read_secret_file(struct conf_secret *secret, struct conf_node *file, struct conf_faults *faults)
{
	char *path = conf_file_absolute(file->source, file->text);
	const char *why;
	mode_t mode;

	secret->bytes = (unsigned char *)conf_file_read_mode(path, SECRET_FILE_MAX, &secret->len,
	    &mode, &why);
	if (secret->bytes == NULL)
		conf_node_fault(file, faults, "secret_file: %s cannot be read: %s", path, why);
	else if (secret->len > 0 && secret->bytes[secret->len - 1] == '\n')
		secret->len--;
	if (secret->bytes != NULL)
		check_secret_mode(secret, path, mode, file, faults);
	free(path);
}

/* From the "secret" or "secret_file" of a map; exactly one of them is there. */
static void
read_secret(struct conf_secret *secret, const struct conf_node *map, bool may_be_short,
    struct conf_faults *faults)
{
	struct conf_node *text = conf_node_get(map, "secret");
	struct conf_node *node = text != NULL ? text : conf_node_get(map, "secret_file");

	if (node->is_bad)
		return;
	if (node == text) {
		secret->len = strlen(node->text);
		secret->bytes = xmemdup(node->text, secret->len);
	} else {
		read_secret_file(secret, node, faults);
	}
	if (secret->bytes == NULL)
		return;
	if (secret->len == 0)
		conf_node_fault(node, faults, "the secret is empty; "
		    "openssl rand -hex 32 makes one");
	else if (secret->len < SECRET_MIN && !may_be_short)
		conf_node_fault(node, faults, "the secret has %zu bytes: it must have %d or more, "
		    "such as \"openssl rand -hex 32\" prints (or set jwt.allow_short_secret: true)",
		    secret->len, SECRET_MIN);
}

/* The ring of "secrets": each with one secret, under a name of its own. */
static void
build_ring(struct conf_jwt *jwt, struct conf_node *list, bool may_be_short,
    struct conf_faults *faults)
{
	if (list->n == 0 || list->n > 16) {
		conf_node_fault(list, faults, "jwt.secrets: must have 1 to 16 entries");
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		struct conf_secret *secret = &jwt->secrets[jwt->n_secrets++];
		struct conf_node *entry = list->item[i];

		conf_fill("jwt.secrets[]", entry, secret);
		if (secret->id == NULL)
			secret->id = xasprintf("%zu", i + 1);
		if (entry->kind == CONF_MAP && (conf_node_get(entry, "secret") != NULL) ==
		    (conf_node_get(entry, "secret_file") != NULL))
			conf_node_fault(entry, faults,
			    "jwt.secrets[]: must have either secret or secret_file");
		else if (entry->kind == CONF_MAP)
			read_secret(secret, entry, may_be_short, faults);
		for (size_t k = 0; k < i; k++)
			if (strcmp(jwt->secrets[k].id, secret->id) == 0)
				conf_node_fault(entry, faults,
				    "jwt.secrets[].id: \"%s\" is given twice", secret->id);
	}
}

static void
build_jwt(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	struct conf_node *jwt = conf_node_get(root, "jwt");
	struct conf_node *secret = conf_node_get(jwt, "secret");
	struct conf_node *file = conf_node_get(jwt, "secret_file");
	struct conf_node *ring = conf_node_get(jwt, "secrets");
	struct conf_node *brevity = conf_node_get(jwt, "allow_short_secret");
	bool may_be_short = brevity != NULL && brevity->kind == CONF_SCALAR &&
	    strcmp(brevity->text, "true") == 0;

	conf->jwt.secrets = xcalloc(16, sizeof(*conf->jwt.secrets));
	if (jwt == NULL || jwt->kind != CONF_MAP)
		return;
	if ((secret != NULL) + (file != NULL) + (ring != NULL) != 1) {
		conf_node_fault(jwt, faults,
		    "jwt: must have exactly one of secret, secret_file and secrets");
	} else if (ring == NULL) {
		conf->jwt.n_secrets = 1;
		conf->jwt.secrets[0].id = xstrdup("1");
		read_secret(&conf->jwt.secrets[0], jwt, may_be_short, faults);
	} else if (ring->kind == CONF_LIST) {
		build_ring(&conf->jwt, ring, may_be_short, faults);
	}
}

static bool
share_url(const struct conf_destination *a, const struct conf_destination *b)
{
	for (size_t i = 0; i < a->n_urls; i++)
		for (size_t j = 0; j < b->n_urls; j++)
			if (strcmp(a->urls[i].text, b->urls[j].text) == 0)
				return true;
	return false;
}

/* Destinations with the same URL share its links, which have one protocol. */
static void
check_protocols(const struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	const struct conf_node *map = conf_node_get(root, "destinations");

	for (size_t i = 0; i < conf->n_destinations; i++) {
		const struct conf_destination *a = &conf->destinations[i];

		for (size_t j = 0; a->protocol != CONF_PROTOCOL_AUTO && j < i; j++) {
			const struct conf_destination *b = &conf->destinations[j];

			if (b->protocol != CONF_PROTOCOL_AUTO && b->protocol != a->protocol &&
			    share_url(a, b))
				conf_node_fault(conf_node_get(conf_node_get(map, a->name),
				    "protocol"), faults, "destinations.%s.protocol: differs from "
				    "that of destinations.%s, which has the same URL", a->name,
				    b->name);
		}
	}
}

/* The worker that comes with usher for applications with "qewd: true". */
static char **
qewd_command(void)
{
	char **command = xcalloc(3, sizeof(*command));

	command[0] = xstrdup("node");
	command[1] = xstrdup(KITDIR "/node/usher-qewd-worker.js");
	return command;
}

/* Changes with what can be seen of a file from outside; FNV-1a. */
static uint64_t
stamp_of(char *const *files)
{
	uint64_t hash = 0xcbf29ce484222325;
	struct stat st;

	for (; *files != NULL; files++) {
		uint64_t seen[6] = { 0 };

		if (stat(*files, &st) == 0) {
			seen[0] = (uint64_t)st.st_mtim.tv_sec;
			seen[1] = (uint64_t)st.st_mtim.tv_nsec;
			seen[2] = (uint64_t)st.st_size;
			seen[3] = (uint64_t)st.st_ino;
			seen[4] = (uint64_t)st.st_dev;
			seen[5] = 1;
		}
		for (size_t i = 0; i < sizeof(seen); i++)
			hash = (hash ^ ((const unsigned char *)seen)[i]) * 0x100000001b3;
	}
	return hash;
}

static void
build_reload_on(struct conf_application *app, const struct conf_node *entry)
{
	const struct conf_node *list = conf_node_get(entry, "reload_on");

	for (size_t i = 0; app->reload_on[i] != NULL; i++) {
		char *path = conf_file_absolute(list->source, app->reload_on[i]);

		free(app->reload_on[i]);
		app->reload_on[i] = path;
	}
	app->reload_stamp = stamp_of(app->reload_on);
}

static void
build_applications(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	struct conf_node *map = conf_node_get(root, "applications");
	struct stat st;

	if (map == NULL || map->kind != CONF_MAP)
		return;
	conf->applications = xcalloc(map->n, sizeof(*conf->applications));
	for (size_t i = 0; i < map->n; i++) {
		struct conf_application *app = &conf->applications[conf->n_applications++];
		struct conf_node *entry = map->item[i];

		app->name = xstrdup(map->key[i].name);
		conf_fill("applications.*", entry, app);
		build_reload_on(app, entry);
		if (app->command == NULL && app->qewd)
			app->command = qewd_command();
		else if (app->command == NULL && conf_node_get(entry, "command") == NULL)
			conf_node_fault(entry, faults, "applications.%s: \"command\" is missing: %s",
			    app->name, conf_option_find("applications.*.command")->help);
		if (app->command != NULL && *app->command[0] == '\0')
			conf_node_fault(conf_node_get(entry, "command"), faults,
			    "applications.%s.command: the program has no name", app->name);
		if (app->directory == NULL)
			app->directory = xstrdup(entry->source->folder);
		else if (stat(app->directory, &st) != 0 || !S_ISDIR(st.st_mode))
			conf_node_fault(conf_node_get(entry, "directory"), faults,
			    "applications.%s.directory: there is no directory %s", app->name,
			    app->directory);
	}
}

/* "/docs" and "/docs/" are one folder; as files they are two. */
static bool
is_same_folder(const struct conf_static *a, const struct conf_static *b)
{
	size_t n = strlen(a->path), m = strlen(b->path);

	if (a->root != NULL && b->root != NULL) {
		n -= n > 1 && a->path[n - 1] == '/';
		m -= m > 1 && b->path[m - 1] == '/';
	}
	return n == m && memcmp(a->path, b->path, n) == 0;
}

static void
build_statics(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	struct conf_node *list = conf_node_get(root, "static");
	struct stat st;

	if (count_of(list) > 1024) {
		conf_node_fault(list, faults, "static: must have at most 1024 entries");
		return;
	}
	conf->statics = xcalloc(count_of(list), sizeof(*conf->statics));
	for (size_t i = 0; i < count_of(list); i++) {
		struct conf_static *s = &conf->statics[conf->n_statics++];
		struct conf_node *entry = entry_of(list, i);

		conf_fill("static[]", entry, s);
		if (entry != NULL && (conf_node_get(entry, "file") != NULL) ==
		    (conf_node_get(entry, "root") != NULL))
			conf_node_fault(entry, faults,
			    "static[]: must have either a file or a root, which is a folder");
		if (s->root != NULL && (stat(s->root, &st) != 0 || !S_ISDIR(st.st_mode)))
			conf_node_fault(conf_node_get(entry, "root"), faults,
			    "static[].root: there is no directory %s", s->root);
		conf_check_file(entry, "file", s->file, "static[]", faults);
		if (s->path != NULL && strcmp(s->path, conf->socketio.path) == 0)
			conf_node_fault(conf_node_get(entry, "path"), faults,
			    "static[].path: Socket.IO is served at %s", s->path);
		for (size_t k = 0; k < i && s->path != NULL; k++)
			if (conf->statics[k].path != NULL &&
			    is_same_folder(&conf->statics[k], s))
				conf_node_fault(conf_node_get(entry, "path"), faults,
				    "static[].path: %s is given twice", s->path);
	}
}

/* permit_application_switch: { from: { to: true } } */
static void
build_switches(struct conf *conf, const struct conf_node *root)
{
	struct conf_node *map = conf_node_get(root, "permit_application_switch");

	for (size_t i = 0; map != NULL && map->kind == CONF_MAP && i < map->n; i++) {
		struct conf_node *to = map->item[i];

		for (size_t k = 0; to->kind == CONF_MAP && k < to->n; k++) {
			bool is_permitted;

			if (to->item[k]->is_bad || to->item[k]->kind != CONF_SCALAR ||
			    !conf_value_bool(to->item[k]->text, &is_permitted) || !is_permitted)
				continue;
			conf->switches = xreallocarray(conf->switches, conf->n_switches + 1,
			    sizeof(*conf->switches));
			conf->switches[conf->n_switches++] = (struct conf_switch){
				xstrdup(map->key[i].name), xstrdup(to->key[k].name)
			};
		}
	}
}

/* clients.events: { APPLICATION: "*" or [patterns] } */
static void
build_events(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	const struct conf_node *clients = conf_node_get(root, "clients");
	struct conf_node *map = conf_node_get(clients, "events");

	if (map == NULL || map->kind != CONF_MAP)
		return;
	conf->events = xcalloc(map->n, sizeof(*conf->events));
	for (size_t i = 0; i < map->n; i++) {
		struct conf_events *e = &conf->events[conf->n_events++];
		const struct conf_node *types = map->item[i];
		bool is_one = types->kind == CONF_SCALAR;
		size_t n = types->is_bad ? 0 : is_one ? 1 : types->n;

		e->application = xstrdup(map->key[i].name);
		e->types = xcalloc(n + 1, sizeof(*e->types));
		for (size_t k = 0; k < n; k++)
			e->types[k] = xstrdup(is_one ? types->text : types->item[k]->text);
		if (strchr(e->application, '/') != NULL)
			conf_node_fault(map->item[i], faults, "clients.events.%s: the name must not "
			    "hold \"/\", which stands before the type", e->application);
	}
}

/* What applications say about one another, and about folders and paths. */
static void
check_applications(const struct conf *conf, const struct conf_node *root,
    struct conf_faults *faults)
{
	const struct conf_node *map = conf_node_get(root, "applications");
	struct stat st;

	for (size_t i = 0; i < conf->n_applications; i++) {
		const struct conf_application *app = &conf->applications[i];
		const struct conf_node *entry = map->item[i];

		for (char **s = app->services; s != NULL && *s != NULL; s++)
			if (find_application(conf, *s) == NULL)
				conf_node_fault(conf_node_get(entry, "services"), faults,
				    "applications.%s.services: there is no local application "
				    "\"%s\"", app->name, *s);
		if (app->fragments != NULL &&
		    (stat(app->fragments, &st) != 0 || !S_ISDIR(st.st_mode)))
			conf_node_fault(conf_node_get(entry, "fragments"), faults,
			    "applications.%s.fragments: there is no directory %s", app->name,
			    app->fragments);
		for (size_t k = 0; k < i && app->rest != NULL; k++)
			if (conf->applications[k].rest != NULL &&
			    strcmp(conf->applications[k].rest, app->rest) == 0)
				conf_node_fault(conf_node_get(entry, "rest"), faults,
				    "applications.%s.rest: %s has %s already", app->name,
				    conf->applications[k].name, app->rest);
	}
}

/* Faults of the values were noted one by one. */
static void
build_admin(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	const struct conf_node *admin = conf_node_get(root, "admin");
	const char *path = conf->admin.socket;

	if (path != NULL && strlen(path) > UNIX_PATH_MAX)
		conf_node_fault(conf_node_get(admin, "socket"), faults,
		    "admin.socket: the path %s is longer than %d bytes", path, UNIX_PATH_MAX);
	if (conf->admin.http.address != NULL &&
	    conf_value_listener(conf->admin.http.address, &conf->admin.http) != NULL)
		return;
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (is_same_address(l, &conf->admin.http))
			conf_node_fault(conf_node_get(admin, "http"), faults,
			    "admin.http: listen has this address already");
		if (path != NULL && l->unix_path != NULL && strcmp(l->unix_path, path) == 0)
			conf_node_fault(conf_node_get(admin, "socket"), faults,
			    "admin.socket: listen has this path already");
	}
}

static void
build(struct conf *conf, struct conf_node *root, struct conf_faults *faults)
{
	conf_fill("", root, conf);
	if (conf->node == NULL)
		conf->node = host_name();
	end_with_slash(&conf->socketio.path);
	build_listeners(conf, root, faults);
	build_jwt(conf, root, faults);
	conf_issuers_build(conf, root, faults);
	build_applications(conf, root, faults);
	conf_services_build(conf, root, faults);
	check_protocols(conf, root, faults);
	build_statics(conf, root, faults);
	build_switches(conf, root);
	build_events(conf, root, faults);
	check_applications(conf, root, faults);
	build_admin(conf, root, faults);
	if (conf->timeouts.resume_ms == CONF_NO_LIMIT)
		conf->timeouts.resume_ms = 0;
	if (conf->drain.keep_listening_ms == CONF_NO_LIMIT)
		conf->drain.keep_listening_ms = 0;
}

static void
free_texts(char **texts)
{
	for (char **t = texts; t != NULL && *t != NULL; t++)
		free(*t);
	free(texts);
}

/* What worker processes get may hold secrets, too. */
static void
free_secret_texts(char **texts)
{
	for (char **t = texts; t != NULL && *t != NULL; t++)
		explicit_bzero(*t, strlen(*t));
	free_texts(texts);
}

static void
free_secrets(struct conf_jwt *jwt)
{
	for (size_t i = 0; i < jwt->n_secrets; i++) {
		if (jwt->secrets[i].bytes != NULL)
			explicit_bzero(jwt->secrets[i].bytes, jwt->secrets[i].len);
		free(jwt->secrets[i].bytes);
		free(jwt->secrets[i].id);
		free(jwt->secrets[i].loose_file);
	}
	free(jwt->secrets);
	conf_issuers_cleanup(jwt);
	free(jwt->user_claim);
	free(jwt->revoked_file);
}

static void
free_applications(struct conf *conf)
{
	for (size_t i = 0; i < conf->n_applications; i++) {
		struct conf_application *app = &conf->applications[i];

		free(app->settings);
		free(app->rest);
		free(app->fragments);
		free_texts(app->services);
		free_texts(app->reload_on);
		free(app->name);
		free(app->directory);
		free_secret_texts(app->command);
		free_secret_texts(app->environment);
		free_texts(app->pass_environment);
	}
	free(conf->applications);
}

static void
free_listener_tls(struct conf_listener *listener)
{
	for (size_t i = 0; i < listener->n_tls; i++) {
		free(listener->tls[i].certificate);
		free(listener->tls[i].key);
		free(listener->tls[i].client_ca);
	}
	free(listener->tls);
}

static void
conf_free(struct conf *conf)
{
	conf_services_cleanup(conf);
	free_applications(conf);
	for (size_t i = 0; i < conf->n_switches; i++) {
		free(conf->switches[i].from);
		free(conf->switches[i].to);
	}
	free(conf->switches);
	for (size_t i = 0; i < conf->n_events; i++) {
		free(conf->events[i].application);
		free_texts(conf->events[i].types);
	}
	free(conf->events);
	free_secrets(&conf->jwt);
	for (size_t i = 0; i < conf->n_listeners; i++) {
		free(conf->listeners[i].address);
		free(conf->listeners[i].host);
		free(conf->listeners[i].unix_path);
		free_texts(conf->listeners[i].origins);
		free_texts(conf->listeners[i].trusted_proxies);
		free(conf->listeners[i].proxies);
		free_texts(conf->listeners[i].node_addresses);
		free(conf->listeners[i].nodes);
		free_listener_tls(&conf->listeners[i]);
	}
	free(conf->listeners);
	for (size_t i = 0; i < conf->n_statics; i++) {
		free(conf->statics[i].path);
		free(conf->statics[i].file);
		free(conf->statics[i].root);
	}
	free(conf->statics);
	free(conf->admin.socket);
	free(conf->admin.group);
	free(conf->log_file);
	free(conf->admin.http.address);
	free(conf->admin.http.host);
	free(conf->admin.http.unix_path);
	free(conf->socketio.path);
	free(conf->socketio.cookie);
	free(conf->node);
	free(conf->path);
	free(conf);
}
