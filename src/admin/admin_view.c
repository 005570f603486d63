/* SPDX-License-Identifier: ISC */
/*
 * Looking at several loops as if there were one.
 */
#include "admin/admin_view.h"

void
admin_hold(const struct admin_view *v)
{
	if (v->hold != NULL)
		v->hold(v->arg);
}

void
admin_release(const struct admin_view *v)
{
	if (v->release != NULL)
		v->release(v->arg);
}
