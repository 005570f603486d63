/* SPDX-License-Identifier: ISC */
/*
 * What is wrong with a configuration: "file:line: what is wrong and what would
 * be right", collected so that one run shows the operator all of it.
 */
#ifndef CONF_CONF_FAULT_H
#define CONF_CONF_FAULT_H

#include <stdbool.h>

#include "base/compiler.h"

#define CONF_FAULTS_MAX 20

struct conf_fault {
	char *file;		/* owned */
	char *text;		/* owned */
	unsigned line;
	unsigned file_rank;	/* files in the order of their first fault */
	unsigned rank;		/* faults in the order they were found */
};

/* Zero-initialised, it holds no fault. */
struct conf_faults {
	struct conf_fault fault[CONF_FAULTS_MAX];
	unsigned n;
	bool has_more;		/* there were more than fit */
};

/* Notes one fault; those above CONF_FAULTS_MAX are only known to exist. */
void	 conf_faults_add(struct conf_faults *, const char *file, unsigned line,
	    const char *fmt, ...) PRINTF_LIKE(4, 5);

/*
 * Gives the faults as text: a line each, by file and line, no newline behind the
 * last.  Control characters in names become '?'.  The list is then empty.
 */
char	*conf_faults_take(struct conf_faults *);

void	 conf_faults_cleanup(struct conf_faults *);

#endif
