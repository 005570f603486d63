/* SPDX-License-Identifier: ISC */
/*
 * Random names, from the kernel's generator.
 *
 * One system call fetches enough for many names; the rest is kept per thread.
 */
#include "base/id.h"

#include <string.h>
#include <sys/random.h>

#include "base/log.h"

#define STORE_BYTES 256	/* getrandom(2) gives up to 256 bytes without a short read */

static _Thread_local unsigned char store[STORE_BYTES];
static _Thread_local size_t store_left;

static void
fill(void *p, size_t n)
{
	unsigned char *at = p;

	while (n > 0) {
		size_t part = n < STORE_BYTES ? n : STORE_BYTES;

		if (getrandom(at, part, 0) != (ssize_t)part)
			fatalx("getrandom failed");
		at += part;
		n -= part;
	}
}

void
id_random(void *p, size_t n)
{
	if (n > STORE_BYTES) {
		fill(p, n);
		return;
	}
	if (store_left < n) {
		fill(store, sizeof(store));
		store_left = sizeof(store);
	}
	store_left -= n;
	memcpy(p, store + store_left, n);
	memset(store + store_left, 0, n);
}

void
id_sid(char sid[ID_SID_LEN + 1])
{
	static const char letter[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char r[ID_SID_LEN];

	id_random(r, sizeof(r));
	for (size_t i = 0; i < ID_SID_LEN; i++)
		sid[i] = letter[r[i] & 63];
	sid[ID_SID_LEN] = '\0';
}

void
id_hex(char *hex, size_t n_bytes)
{
	static const char digit[] = "0123456789abcdef";
	unsigned char r[16];

	for (size_t i = 0; i < n_bytes; i++) {
		size_t at = i % sizeof(r);

		if (at == 0)
			id_random(r, n_bytes - i < sizeof(r) ? n_bytes - i : sizeof(r));
		hex[2 * i] = digit[r[at] >> 4];
		hex[2 * i + 1] = digit[r[at] & 15];
	}
	hex[2 * n_bytes] = '\0';
}
