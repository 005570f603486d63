/* SPDX-License-Identifier: ISC */
/*
 * Checks a tree against the table of options, value by value.
 */
#ifndef CONF_CONF_CHECK_H
#define CONF_CONF_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "conf/conf_fault.h"
#include "conf/conf_table.h"
#include "conf/conf_yaml.h"

/*
 * Notes unknown and missing keys, values of a wrong type, out of limits or not
 * well-formed, and what is not supported yet.  Values found bad are marked; once
 * there are more faults than are told, the rest is not looked at.
 */
void		 conf_check_tree(struct conf_node *root, struct conf_faults *);

/*
 * What a scalar means to an option that is a number, a duration, a size, true or
 * false, or a word.  False: why tells what would be right.
 */
MUST_USE bool	 conf_check_number(const struct conf_option *, const struct conf_node *,
		    uint64_t *value, struct buf *why);

#endif
