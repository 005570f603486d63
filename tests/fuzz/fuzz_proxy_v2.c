/* SPDX-License-Identifier: ISC */
/*
 * PROXY protocol headers: what is whole at once is whole byte by byte, wants no more than it
 * has, and its address is one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/proxy_v2.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
require(bool is_true)
{
	if (!is_true)
		abort();
}

static void
check_whole(const struct proxy_v2 *h, size_t len)
{
	char again[ADDRESS_TEXT_MAX];

	require(h->fault == NULL && h->need >= PROXY_V2_FIXED && h->need <= PROXY_V2_MAX &&
	    h->need <= len);
	if (h->has_address && strcmp(h->address, ADDRESS_UNIX) != 0)
		require(address_parse(h->address, strlen(h->address), again) &&
		    strcmp(h->address, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum proxy_v2_state state, cut = PROXY_V2_MORE;
	struct proxy_v2 h, part;
	size_t n = 0;

	state = proxy_v2_decode(data, len, &h);
	if (state == PROXY_V2_WHOLE)
		check_whole(&h, len);
	else
		require((state == PROXY_V2_BAD) == (h.fault != NULL));
	for (; n <= len && cut == PROXY_V2_MORE; n++)
		cut = proxy_v2_decode(data, n, &part);
	require(cut == state);
	return 0;
}
