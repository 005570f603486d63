/* SPDX-License-Identifier: ISC */
/*
 * query: of any text an object of texts and lists of texts is made, in which no name comes twice, and
 * which does not grow out of proportion.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "codec/query.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

/* How many pairs it stands for. */
static size_t
count(const json_t *value)
{
	if (json_is_string(value))
		return 1;
	require(json_is_array(value) && json_array_size(value) > 1);
	for (size_t i = 0; i < json_array_size(value); i++)
		require(json_is_string(json_array_get(value, i)));
	return json_array_size(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf b = { 0 };
	json_error_t error;
	json_t *object, *value;
	const char *name;
	size_t n = 0;

	query_add_json(&b, (const char *)data, len);
	/* A byte is six at most ("\\u0000"), a pair has ten around it. */
	require(b.len <= 2 + 6 * len + 10 * QUERY_PAIRS_MAX);
	object = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	/* jansson has no names with a NUL. */
	if (object == NULL && json_error_code(&error) == json_error_null_byte_in_key) {
		buf_free(&b);
		return 0;
	}
	require(json_is_object(object));
	json_object_foreach(object, name, value)
		n += count(value);
	require(n <= QUERY_PAIRS_MAX);
	json_decref(object);
	buf_free(&b);
	return 0;
}
