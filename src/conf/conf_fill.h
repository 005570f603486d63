/* SPDX-License-Identifier: ISC */
/*
 * Puts checked values, or their defaults, into the fields of struct conf.
 */
#ifndef CONF_CONF_FILL_H
#define CONF_CONF_FILL_H

#include "conf/conf_yaml.h"

/*
 * Sets every field that the table knows for the section ("" for the top,
 * "destinations.*") from this map, or by default where the map (or NULL) does not
 * have it or has a bad value.  object is the struct that the table's
 * fields belong to; what it gets is its own.  Texts without default become NULL.
 */
void	 conf_fill(const char *section, const struct conf_node *map, void *object);

/* The same for many maps: what the table says of the section is looked up once. */
struct conf_section;

MUST_USE struct conf_section	*conf_section_new(const char *section);
void				 conf_section_fill(const struct conf_section *,
				    const struct conf_node *map, void *object);
void				 conf_section_free(struct conf_section *);

#endif
