/* SPDX-License-Identifier: ISC */
/*
 * Random names, from the kernel's generator.
 *
 * One system call fetches enough for many names; the rest is kept per thread.
 */
#include "base/id.h"

#include <endian.h>
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

static const char letter[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
id_sid(char sid[ID_SID_LEN + 1])
{
	unsigned char r[ID_SID_LEN];

	id_random(r, sizeof(r));
	for (size_t i = 0; i < ID_SID_LEN; i++)
		sid[i] = letter[r[i] & 63];
	sid[ID_SID_LEN] = '\0';
}

/* The first two letters are a number of twelve bits, whose remainder names the part. */
static unsigned
number_of(const char *sid)
{
	unsigned number = 0;

	for (size_t i = 0; i < 2 && sid[i] != '\0'; i++) {
		const char *at = strchr(letter, sid[i]);

		number = number << 6 | (at != NULL ? (unsigned)(at - letter) : 0);
	}
	return number;
}

void
id_sid_in(char sid[ID_SID_LEN + 1], unsigned part, unsigned n)
{
	unsigned number;

	id_sid(sid);
	if (n <= 1)
		return;
	number = number_of(sid);
	number = number - number % n + part;
	if (number >= 64 * 64)
		number -= n;
	sid[0] = letter[number >> 6];
	sid[1] = letter[number & 63];
}

unsigned
id_sid_part(const char *sid, unsigned n)
{
	return n <= 1 ? 0 : number_of(sid) % n;
}

/* The eight digits of four bytes, the first byte first. */
static uint64_t
digits_of(const unsigned char *p)
{
	uint64_t x = (uint64_t)p[0] | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 32 |
	    (uint64_t)p[3] << 48;
	uint64_t above_9;

	/* A nibble a byte, the high one first; then '0' to '9', or 39 more from 10 on. */
	x = (x >> 4 & UINT64_C(0x000f000f000f000f)) | (x & UINT64_C(0x000f000f000f000f)) << 8;
	above_9 = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
	return htole64(x + UINT64_C(0x3030303030303030) + above_9 * ('a' - '0' - 10));
}

void
id_hex(char *hex, size_t n_bytes)
{
	unsigned char r[16];
	char eight[8];
	uint64_t digits;

	for (size_t at = 0; at < n_bytes; at += sizeof(r)) {
		size_t n = n_bytes - at < sizeof(r) ? n_bytes - at : sizeof(r);

		id_random(r, sizeof(r));
		for (size_t i = 0; i < n; i += 4) {
			digits = digits_of(r + i);
			memcpy(eight, &digits, sizeof(eight));
			memcpy(hex + 2 * (at + i), eight, n - i < 4 ? 2 * (n - i) : sizeof(eight));
		}
	}
	hex[2 * n_bytes] = '\0';
}
