/* SPDX-License-Identifier: ISC */
/*
 * Comparing values of configurations.
 */
#include "conf/conf_diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "conf/conf.h"

static bool
is_same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* NULL-terminated, as which NULL counts as well. */
static bool
is_same_list(char *const *a, char *const *b)
{
	size_t i = 0;

	if (a == NULL || b == NULL)
		return (a == NULL || *a == NULL) && (b == NULL || *b == NULL);
	for (; a[i] != NULL && b[i] != NULL; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return a[i] == b[i];
}

bool
conf_same_workers(const struct conf_application *a, const struct conf_application *b)
{
	return is_same_list(a->command, b->command) && is_same_text(a->directory, b->directory) &&
	    is_same_list(a->environment, b->environment) &&
	    is_same_list(a->pass_environment, b->pass_environment) && a->qewd == b->qewd &&
	    is_same_text(a->settings, b->settings) && a->pool_concurrency == b->pool_concurrency;
}

static bool
is_same_secret(const struct conf_secret *a, const struct conf_secret *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool
conf_same_hello(const struct conf *a, const struct conf *b)
{
	return strcmp(a->node, b->node) == 0 && a->jwt.lifetime_s == b->jwt.lifetime_s &&
	    is_same_secret(&a->jwt.secrets[0], &b->jwt.secrets[0]);
}

bool
conf_same_secrets(const struct conf *a, const struct conf *b)
{
	if (a->jwt.n_secrets != b->jwt.n_secrets)
		return false;
	for (size_t i = 0; i < a->jwt.n_secrets; i++)
		if (!is_same_secret(&a->jwt.secrets[i], &b->jwt.secrets[i]))
			return false;
	return true;
}

char *
conf_keep_fixed(struct conf *conf, const struct conf *old)
{
	struct buf names = { 0 };

	if (strcmp(conf->node, old->node) != 0) {
		buf_printf(&names, "node (stays \"%s\")", old->node);
		free(conf->node);
		conf->node = xstrdup(old->node);
	}
	if (conf->threads != old->threads) {
		buf_printf(&names, "%sthreads (stays %u)", names.len > 0 ? ", " : "",
		    old->threads);
		conf->threads = old->threads;
	}
	if (!is_same_text(conf->log_file, old->log_file)) {
		buf_printf(&names, "%slog.file (stays %s)", names.len > 0 ? ", " : "",
		    old->log_file != NULL ? old->log_file : "standard error");
		free(conf->log_file);
		conf->log_file = old->log_file != NULL ? xstrdup(old->log_file) : NULL;
	}
	if (!is_same_text(conf->jwt.revoked_file, old->jwt.revoked_file)) {
		buf_printf(&names, "%sjwt.revoked_file (stays %s)", names.len > 0 ? ", " : "",
		    old->jwt.revoked_file != NULL ? old->jwt.revoked_file : "none");
		free(conf->jwt.revoked_file);
		conf->jwt.revoked_file = old->jwt.revoked_file != NULL ?
		    xstrdup(old->jwt.revoked_file) : NULL;
	}
	return names.len > 0 ? buf_take(&names) : NULL;
}
