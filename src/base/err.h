/* SPDX-License-Identifier: ISC */
/*
 * The one list of what can go wrong or come to an end (err.def).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

enum err {
	ERR_NONE = 0,
#define ERR(name, code, fault, status, ws, ran, text) ERR_##name,
#include "base/err.def"
#undef ERR
	ERR_N
};

const char	*err_code(enum err);		/* "link_lost" */
const char	*err_text(enum err);		/* for people */
const char	*err_ran(enum err);		/* "no", "maybe", "yes" */
bool		 err_is_fault(enum err);	/* worth a warning in the log */
int		 err_http_status(enum err);	/* 0: has none */
int		 err_ws_close(enum err);	/* RFC 6455 section 7.4; 0: has none */

#endif
