/* SPDX-License-Identifier: ISC */
/*
 * The table behind err.h; every column comes from err.def.
 */
#include "base/err.h"

#include <assert.h>

static const struct {
	const char *code;
	const char *text;
	const char *ran;
	int http_status;
	int ws_close;
	bool is_fault;
} table[ERR_N] = {
	[ERR_NONE] = { "ok", "no error", "yes", 200, 1000, false },
#define ERR(name, code, fault, status, ws, ran, text) \
	[ERR_##name] = { code, text, ran, status, ws, fault },
#include "base/err.def"
#undef ERR
};

const char *
err_code(enum err e)
{
	assert(e < ERR_N);
	return table[e].code;
}

const char *
err_text(enum err e)
{
	assert(e < ERR_N);
	return table[e].text;
}

const char *
err_ran(enum err e)
{
	assert(e < ERR_N);
	return table[e].ran;
}

bool
err_is_fault(enum err e)
{
	assert(e < ERR_N);
	return table[e].is_fault;
}

int
err_http_status(enum err e)
{
	assert(e < ERR_N);
	return table[e].http_status;
}

int
err_ws_close(enum err e)
{
	assert(e < ERR_N);
	return table[e].ws_close;
}
