/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as a configuration: read, checked, and built as far as that needs no
 * other files.  Either there is a tree, or a fault says why not.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "conf/conf_check.h"
#include "conf/conf_fill.h"
#include "conf/conf_int.h"
#include "conf/conf_value.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct conf_source source = { (char *)"fuzz.yaml", (char *)"/" };

/* Those that options of no list have. */
static void
free_texts(struct conf *conf)
{
	free(conf->node);
	free(conf->jwt.user_claim);
	free(conf->jwt.revoked_file);
	free(conf->socketio.path);
	free(conf->socketio.cookie);
	free(conf->log_file);
	free(conf->admin.socket);
	free(conf->admin.group);
	free(conf->admin.http.address);
}

static void
build(struct conf_node *root, struct conf_faults *faults)
{
	struct conf conf = { 0 };

	conf_check_tree(root, faults);
	if (faults->has_more)
		return;		/* as conf_load does: not every value was looked at */
	conf_fill("", root, &conf);
	conf_services_build(&conf, root, faults);
	for (size_t i = 0; i < conf.n_services && faults->n == 0; i++)
		for (size_t k = 0; k < conf.services[i].n_routes; k++)
			if (conf.services[i].routes[k].target.destination == NULL)
				abort();	/* accepted, and leads nowhere */
	conf_services_cleanup(&conf);
	free_texts(&conf);
}

static void
expand(const uint8_t *data, size_t len)
{
	char *text = xmemdup(data, len);
	struct buf out = { 0 };

	free(conf_value_expand(text, &out));
	buf_free(&out);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conf_faults faults = { 0 };
	struct arena nodes = { 0 };
	struct conf_node *root = conf_yaml_parse(&nodes, &source, (const char *)data, len, &faults);

	if (root == NULL && faults.n == 0)
		abort();
	if (root != NULL && root->kind == CONF_MAP)
		build(root, &faults);
	arena_free(&nodes);
	free(conf_faults_take(&faults));
	expand(data, len);
	return 0;
}
