/* SPDX-License-Identifier: ISC */
/*
 * jwt.issuers: who else signs tokens, with which keys, and what of them is whose.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "codec/public_key.h"
#include "conf/conf.h"
#include "conf/conf_check.h"
#include "conf/conf_file.h"
#include "conf/conf_fill.h"
#include "conf/conf_int.h"

#define KEYS_FILE_MAX (1u << 20)
#define ISSUERS_MAX   16

static void
read_keys(struct conf_issuer *issuer, const struct conf_node *entry, struct conf_faults *faults)
{
	struct conf_node *file = conf_node_get(entry, "keys_file");
	struct public_keys keys;
	const char *why;

	if (file == NULL || file->is_bad || issuer->keys_file == NULL)
		return;
	issuer->keys = conf_file_read(issuer->keys_file, KEYS_FILE_MAX, &issuer->keys_len, &why);
	if (issuer->keys == NULL) {
		conf_node_fault(file, faults, "jwt.issuers[].keys_file: %s cannot be read: %s",
		    issuer->keys_file, why);
		return;
	}
	why = public_keys_read(&keys, issuer->keys, issuer->keys_len);
	if (why != NULL)
		conf_node_fault(file, faults, "jwt.issuers[].keys_file: %s: %s", issuer->keys_file,
		    why);
	public_keys_cleanup(&keys);
}

/* What the session must be sure of itself is nobody else's to say. */
static void
check_claims(const struct conf_issuer *issuer, const struct conf_node *entry,
    struct conf_faults *faults)
{
	static const char *const ours[] = {
		"exp", "iat", "nbf", "iss", "application", "timeout", "qewd", "jti"
	};

	for (char *const *map = issuer->claims; map != NULL && *map != NULL; map++) {
		const char *name = strchr(*map, '=') + 1;

		if (*name == '\0')
			conf_node_fault(conf_node_get(entry, "claims"), faults,
			    "jwt.issuers[].claims: a claim of the session must have a name");
		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			if (strcmp(name, ours[i]) == 0)
				conf_node_fault(conf_node_get(entry, "claims"), faults,
				    "jwt.issuers[].claims: \"%s\" of a session is usher's own", name);
	}
}

void
conf_issuers_build(struct conf *conf, const struct conf_node *root, struct conf_faults *faults)
{
	struct conf_node *list = conf_node_get(conf_node_get(root, "jwt"), "issuers");

	if (list == NULL || list->kind != CONF_LIST)
		return;
	if (list->n > ISSUERS_MAX) {
		conf_node_fault(list, faults, "jwt.issuers: must have at most 16 entries");
		return;
	}
	conf->jwt.issuers = xcalloc(list->n, sizeof(*conf->jwt.issuers));
	for (size_t i = 0; i < list->n; i++) {
		struct conf_issuer *issuer = &conf->jwt.issuers[conf->jwt.n_issuers++];
		struct conf_node *entry = list->item[i];

		if (entry->kind != CONF_MAP)
			continue;
		conf_fill("jwt.issuers[]", entry, issuer);
		read_keys(issuer, entry, faults);
		check_claims(issuer, entry, faults);
		for (size_t k = 0; k < i && issuer->name != NULL; k++)
			if (conf->jwt.issuers[k].name != NULL &&
			    strcmp(conf->jwt.issuers[k].name, issuer->name) == 0)
				conf_node_fault(entry, faults, "jwt.issuers[].issuer: \"%s\" is "
				    "given twice", issuer->name);
	}
}

void
conf_issuers_cleanup(struct conf_jwt *jwt)
{
	for (size_t i = 0; i < jwt->n_issuers; i++) {
		struct conf_issuer *issuer = &jwt->issuers[i];

		for (char **c = issuer->claims; c != NULL && *c != NULL; c++)
			free(*c);
		free(issuer->claims);
		free(issuer->name);
		free(issuer->audience);
		free(issuer->application);
		free(issuer->keys_file);
		free(issuer->keys);
	}
	free(jwt->issuers);
}
