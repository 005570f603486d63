/* SPDX-License-Identifier: ISC */
/*
 * How much each address sends a second, whatever the number of its sessions.
 *
 * An address that has sent nothing for a second has all of its second's worth again, so that
 * there is nothing to remember of it: the table holds those of the last second alone.
 */
#ifndef FRONT_ADDRESS_RATES_H
#define FRONT_ADDRESS_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_rates;
struct conf_limits;

/* For all loops of a node: any thread may take. */
struct address_rates	*address_rates_new(void);
void			 address_rates_free(struct address_rates *);	/* NULL is fine */

/*
 * One more message of so many bytes from there.  false: that is more than
 * limits.messages_per_second_per_address or limits.bytes_per_second_per_address.
 */
bool			 address_rates_take(struct address_rates *, const struct conf_limits *,
			    const char *address, uint64_t bytes, uint64_t now_ms);

size_t			 address_rates_count(const struct address_rates *);

#endif
