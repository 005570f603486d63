/* SPDX-License-Identifier: ISC */
/*
 * Texts of a configuration: numbers with units, ${NAME}, addresses, URLs, names.
 */
#include "conf/conf_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xmalloc.h"

#define HOST_MAX 253		/* RFC 1035 section 2.3.4, without the last dot */
#define NAME_MAX_BYTES 256

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first, which is what printing needs. */
static const struct unit durations[] = {
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};
static const struct unit sizes[] = {
	{ "MiB", 1024 * 1024 },
	{ "MB", 1000 * 1000 },
	{ "KiB", 1024 },
	{ "KB", 1000 },
	{ "", 1 },
};

bool
conf_value_bool(const char *text, bool *value)
{
	*value = strcmp(text, "true") == 0;
	return *value || strcmp(text, "false") == 0;
}

/* Digits and one of the units. */
static bool
parse_units(const char *text, const struct unit *unit, size_t n_units, uint64_t *value)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	if (p == text)
		return false;
	for (size_t i = 0; i < n_units; i++)
		if (strcmp(p, unit[i].name) == 0)
			return !__builtin_mul_overflow(v, unit[i].factor, value) &&
			    *value != CONF_NO_LIMIT;
	return false;
}

bool
conf_value_count(const char *text, uint64_t *value)
{
	static const struct unit none = { "", 1 };

	return parse_units(text, &none, 1, value);
}

/* Processors that this process may run on. */
static uint64_t
count_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (uint64_t)CPU_COUNT(&set);
	return (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);	/* more than a set of that size holds */
}

bool
conf_value_threads(const char *text, uint64_t *value)
{
	if (strcmp(text, "auto") != 0)
		return conf_value_count(text, value);
	*value = count_processors();
	if (*value > CONF_THREADS_MAX)
		*value = CONF_THREADS_MAX;
	return true;
}

bool
conf_value_duration(const char *text, uint64_t *ms)
{
	return parse_units(text, durations, ARRAY_LEN(durations), ms);
}

bool
conf_value_size(const char *text, uint64_t *bytes)
{
	return parse_units(text, sizes, ARRAY_LEN(sizes), bytes);
}

static void
add_units(struct buf *out, const struct unit *unit, uint64_t value)
{
	while (unit->factor > 1 && (value == 0 || value % unit->factor != 0))
		unit++;
	buf_add_u64(out, value / unit->factor);
	buf_add_str(out, unit->name);
}

void
conf_value_add_duration(struct buf *out, uint64_t ms)
{
	add_units(out, durations, ms);
}

void
conf_value_add_size(struct buf *out, uint64_t bytes)
{
	add_units(out, sizes, bytes);
}

bool
conf_value_is_no_text(const char *text)
{
	static const char *const words[] = {
		"", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE"
	};
	char *end;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	if (strchr("+-.0123456789", text[0]) == NULL)
		return false;
	strtod(text, &end);
	return *end == '\0';
}

/* The value of name[0..len), or NULL. */
static const char *
environment_of(const char *name, size_t len)
{
	char *copy = xstrndup(name, len);
	const char *value = getenv(copy);

	free(copy);
	return value;
}

static bool
is_variable(const char *name, size_t len)
{
	if (len == 0 || (name[0] >= '0' && name[0] <= '9'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	return true;
}

/* One "${...}" at *text, which then points behind it.  What is wrong, or NULL. */
static char *
expand_one(const char **text, struct buf *out)
{
	const char *name = *text + 2, *end = strchr(name, '}'), *value;
	size_t len = strcspn(name, ":}");

	if (end == NULL)
		return xstrdup("\"${\" without \"}\"; write \"$${\" if it is to stay as it is");
	if (!is_variable(name, len) || (name[len] == ':' && name[len + 1] != '-'))
		return xstrdup("must be ${NAME} or ${NAME:-default}; "
		    "write \"$${\" if it is to stay as it is");
	value = environment_of(name, len);
	*text = end + 1;
	if (name[len] == ':' && (value == NULL || *value == '\0'))
		buf_add(out, name + len + 2, (size_t)(end - (name + len + 2)));
	else if (value != NULL)
		buf_add_str(out, value);
	else
		return xasprintf("the environment has no %.*s; set it, or write ${%.*s:-default}",
		    (int)len, name, (int)len, name);
	return NULL;
}

char *
conf_value_expand(const char *text, struct buf *out)
{
	char *wrong = NULL;

	while (*text != '\0' && wrong == NULL && out->len <= CONF_EXPANDED_MAX) {
		if (strncmp(text, "$${", 3) == 0) {
			buf_add_str(out, "${");
			text += 3;
		} else if (strncmp(text, "${", 2) == 0) {
			wrong = expand_one(&text, out);
		} else {
			buf_add_char(out, *text++);
		}
	}
	if (wrong == NULL && out->len > CONF_EXPANDED_MAX)
		wrong = xstrdup("the text is longer than 64 KiB");
	return wrong;
}

/* Decimal digits only, as strtoul takes signs and blanks. */
static bool
parse_port(const char *text, uint16_t *port)
{
	uint64_t v;

	if (!conf_value_count(text, &v) || v > UINT16_MAX)
		return false;
	*port = (uint16_t)v;
	return true;
}

/* "[...]" in front; *rest is behind it.  Gives the address in its shortest form. */
static char *
parse_ipv6(const char *text, const char **rest)
{
	const char *end = strchr(text, ']');
	char literal[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (*text != '[' || end == NULL || (size_t)(end - text - 1) >= sizeof(literal))
		return NULL;
	memcpy(literal, text + 1, (size_t)(end - text - 1));
	literal[end - text - 1] = '\0';
	if (inet_pton(AF_INET6, literal, &addr) != 1)
		return NULL;
	inet_ntop(AF_INET6, &addr, literal, sizeof(literal));
	*rest = end + 1;
	return xstrdup(literal);
}

static char *
parse_ipv4(const char *text, const char **rest)
{
	size_t len = strcspn(text, ":");
	struct in_addr addr;
	char *literal = xstrndup(text, len);

	if (inet_pton(AF_INET, literal, &addr) != 1) {
		free(literal);
		return NULL;
	}
	*rest = text + len;
	return literal;
}

static const char *
parse_unix(const char *path, struct conf_listener *listener)
{
	if (*path == '\0')
		return "must name a path behind \"unix:\", such as \"unix:/run/usher/web.sock\"";
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "has a path that is too long for a UNIX socket (107 bytes)";
	listener->unix_path = xstrdup(path);
	return NULL;
}

const char *
conf_value_listener(const char *text, struct conf_listener *listener)
{
	const char *rest = NULL;
	char *host;
	uint16_t port;

	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, listener);
	host = *text == '[' ? parse_ipv6(text, &rest) : parse_ipv4(text, &rest);
	if (host == NULL || *rest != ':' || !parse_port(rest + 1, &port)) {
		free(host);
		return "must be a numeric address and a port, such as \"127.0.0.1:8080\" or "
		    "\"[::]:8080\", or \"unix:/path\"";
	}
	listener->host = host;
	listener->port = port;
	return NULL;
}

static bool
is_host_name(const char *host, size_t len)
{
	if (len == 0 || len > HOST_MAX || host[0] == '-' || host[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)host[i]) && strchr("-._", host[i]) == NULL)
			return false;
	return true;
}

/* Host and, if there is one, ":port".  The host is lower case, its end is *rest. */
static char *
parse_host(const char *text, const char **rest)
{
	size_t len = strcspn(text, ":/?#");
	char *host;

	if (*text == '[')
		return parse_ipv6(text, rest);
	if (!is_host_name(text, len))
		return NULL;
	host = xstrndup(text, len);
	for (char *p = host; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	*rest = text + len;
	return host;
}

/* ":port", or nothing; *rest is behind it. */
static bool
parse_url_port(const char *text, uint16_t *port, const char **rest)
{
	size_t len = strcspn(text, "/?#");
	char *digits;
	bool is_good;

	*rest = text + len;
	if (len == 0)
		return true;
	digits = xstrndup(text + 1, len - 1);
	is_good = *text == ':' && parse_port(digits, port) && *port != 0;
	free(digits);
	return is_good;
}

/* What is behind "ws://" and the like; NULL if there is no such thing. */
static const char *
behind_scheme(const char *text, bool *is_tls)
{
	static const struct {
		const char *text;
		bool is_tls;
	} schemes[] = {
		{ "ws://", false }, { "wss://", true }, { "http://", false }, { "https://", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i].text);

		*is_tls = schemes[i].is_tls;
		if (strncasecmp(text, schemes[i].text, len) == 0)
			return text + len;
	}
	return NULL;
}

const char *
conf_value_url(const char *text, struct conf_url *url)
{
	bool is_tls;
	const char *rest = behind_scheme(text, &is_tls), *wrong = NULL;
	uint16_t port = is_tls ? 443 : 80;
	char *host;

	if (rest == NULL)
		return "must be a URL such as \"ws://10.0.0.5:8081\" or "
		    "\"wss://node.example.org:8443\"";
	if ((host = parse_host(rest, &rest)) == NULL)
		return "has no proper host name or address; write ws://host:port";
	if (!parse_url_port(rest, &port, &rest))
		wrong = "has no proper port; write ws://host:port";
	else if (*rest != '\0' && strcmp(rest, "/") != 0)
		wrong = "must not have a path: it is always /socket.io/; write ws://host:port";
	if (wrong != NULL) {
		free(host);
		return wrong;
	}
	url->text = xasprintf(strchr(host, ':') != NULL ? "%s://[%s]:%u" : "%s://%s:%u",
	    is_tls ? "wss" : "ws", host, port);
	url->host = host;
	url->port = port;
	url->is_tls = is_tls;
	return NULL;
}

const char *
conf_check_address(const char *text)
{
	struct conf_listener listener = { 0 };
	const char *wrong = conf_value_listener(text, &listener);

	free(listener.host);
	free(listener.unix_path);
	return wrong;
}

const char *
conf_check_loopback(const char *text)
{
	static const char wrong[] = "must be a loopback address and a port, such as "
	    "\"127.0.0.1:9180\" or \"[::1]:9180\"";
	struct conf_listener listener = { 0 };
	struct in6_addr v6;
	bool is_loopback;

	if (conf_value_listener(text, &listener) != NULL)
		return wrong;
	is_loopback = listener.host != NULL && (strncmp(listener.host, "127.", 4) == 0 ||
	    (inet_pton(AF_INET6, listener.host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6)));
	free(listener.host);
	free(listener.unix_path);
	return is_loopback ? NULL : wrong;
}

const char *
conf_check_url(const char *text)
{
	struct conf_url url = { 0 };
	const char *wrong = conf_value_url(text, &url);

	free(url.text);
	free(url.host);
	return wrong;
}

const char *
conf_check_host(const char *text)
{
	struct in6_addr addr;

	return is_host_name(text, strlen(text)) || inet_pton(AF_INET6, text, &addr) == 1 ? NULL :
	    "must be a host name or a numeric address";
}

const char *
conf_check_origin(const char *text)
{
	static const char wrong[] =
	    "must be \"https://host\", \"https://host:port\", \"https://host:*\", "
	    "\"https://*.domain\" or \"*\"";
	const char *rest;
	uint16_t port;
	char *host;

	if (strcmp(text, "*") == 0)
		return NULL;
	if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
		return wrong;
	rest = strstr(text, "://") + 3;
	if (strncmp(rest, "*.", 2) == 0)
		rest += 2;
	if ((host = parse_host(rest, &rest)) == NULL)
		return wrong;
	free(host);
	if (strcmp(rest, ":*") == 0)
		return NULL;
	if (!parse_url_port(rest, &port, &rest))
		return wrong;
	return *rest != '\0' ? "must end behind host and port, as browsers send it" : NULL;
}

const char *
conf_check_network(const char *text)
{
	struct address_net net;

	return address_net_parse(text, &net);
}

const char *
conf_check_name(const char *text)
{
	if (*text == '\0' || strlen(text) > NAME_MAX_BYTES)
		return "must be a name of 1 to 256 bytes";
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return "must be a name without control characters";
	return NULL;
}

const char *
conf_check_pattern(const char *text)
{
	const char *star = strchr(text, '*');

	if (star != NULL && star[1] != '\0')
		return "may have one \"*\", as its last character: \"report.*\" or \"*\"";
	return conf_check_name(text);
}

const char *
conf_check_algorithm(const char *text)
{
	static const char *const later[] = {
		"HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES256K", "ES384", "ES512", "EdDSA"
	};

	if (strcmp(text, "HS256") == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		if (strcmp(text, later[i]) == 0)
			return "not supported yet: an algorithm other than HS256";
	return "must be HS256";
}

const char *
conf_check_path(const char *text)
{
	if (*text != '/')
		return "must begin with \"/\"";
	if (strlen(text) > 1024)
		return "must be at most 1,024 bytes long";
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || strchr("?#%\\\"<>", *p) != NULL)
			return "must be printable ASCII without blanks and ? # % \\ \" < >";
	if (strstr(text, "//") != NULL || strstr(text, "/./") != NULL ||
	    strstr(text, "/../") != NULL)
		return "must not hold \"//\", \"/./\" or \"/../\"";
	return NULL;
}

const char *
conf_check_template(const char *text)
{
	const char *wrong = conf_check_path(text);
	int depth = 0;

	if (wrong != NULL)
		return wrong;
	for (const char *p = text; *p != '\0'; p++) {
		depth += (*p == '(') - (*p == ')');
		if (depth < 0 || depth > 8)
			return "must have a \")\" for each \"(\", at most 8 inside one another";
		if ((*p == ':' || *p == '*') && !(isalpha((unsigned char)p[1]) || p[1] == '_'))
			return "must have a name behind each \":\" and \"*\": "
			    "\"/api/user/:id\", \"/files/*rest\"";
	}
	return depth == 0 ? NULL : "must have a \")\" for each \"(\"";
}

const char *
conf_check_method(const char *text)
{
	static const char *const known[] = {
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(text, known[i]) == 0)
			return NULL;
	return "must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS";
}

/* A token of RFC 6265: it is written into a header as it is. */
const char *
conf_check_cookie(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f ||
		    strchr("()<>@,;:\\\"/[]?={}", *p) != NULL)
			return "must be a name of letters, digits and -._~, or off";
	return *text != '\0' ? NULL : "must be a name of letters, digits and -._~, or off";
}

const char *
conf_check_variable(const char *text)
{
	if (*text == '\0' || strchr(text, '=') != NULL)
		return "must be names of environment variables";
	if (strncmp(text, "USHER_", 6) == 0)
		return "must not name USHER_ variables, which may hold secrets of the daemon; "
		    "set them in \"environment\" if a worker really needs one";
	return NULL;
}
