/* SPDX-License-Identifier: ISC */
/*
 * How many connections there are, in all and from each address.
 */
#ifndef FRONT_ADMISSION_H
#define FRONT_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admission;

struct admission	*admission_new(uint64_t in_all_max, uint64_t per_address_max);
void			 admission_free(struct admission *);

/*
 * One more from this address?  NULL: yes, and it counts until admission_release().
 * Otherwise the name of the setting that refuses.  Where by_address is false only the limit
 * on all counts.
 */
const char		*admission_take(struct admission *, const char *address, bool by_address);
void			 admission_release(struct admission *, const char *address);

#endif
