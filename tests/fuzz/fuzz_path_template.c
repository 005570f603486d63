/* SPDX-License-Identifier: ISC */
/*
 * path_template: any template and any path, parted by the first LF, the variables lie in the path,
 * and what is written is JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_scan.h"
#include "codec/path_template.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static void
require_object(struct buf *b)
{
	struct json_value v;

	require(json_scan_text(b->data, b->len, 16, &v) && v.kind == JSON_OBJECT);
	buf_free(b);
}

static void
match(const struct path_template *t, const char *path, size_t len)
{
	struct path_vars vars;
	struct buf b = { 0 };

	if (!path_template_match(t, path, len, &vars))
		return;
	for (size_t i = 0; i < vars.n; i++)
		require(vars.var[i].value == NULL || (vars.var[i].value >= path &&
		    vars.var[i].value + vars.var[i].len <= path + len));
	if (path_vars_add_json(&b, &vars))
		require_object(&b);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data, *fault;
	const char *lf = len > 0 ? memchr(text, '\n', len) : NULL;
	struct buf template = { 0 };
	struct path_template *t;

	if (lf == NULL)
		return 0;
	buf_add(&template, text, (size_t)(lf - text));
	if ((t = path_template_new(buf_str(&template), &fault)) != NULL)
		match(t, lf + 1, len - (size_t)(lf + 1 - text));
	path_template_free(t);
	buf_free(&template);
	return 0;
}
