/* SPDX-License-Identifier: ISC */
/*
 * The table of options as a JSON Schema (draft-07), for editors: usherd --schema.
 */
#ifndef CONF_CONF_SCHEMA_H
#define CONF_CONF_SCHEMA_H

#include "base/buf.h"

/*
 * Appends the schema.  What it refuses, the loader refuses; what spans several options or needs
 * a look at files is the loader's alone.
 */
void	conf_schema_write(struct buf *);

#endif
