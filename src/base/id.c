/* SPDX-License-Identifier: ISC */
/*
 * Random names, from the kernel's generator.
 *
 * One system call fetches enough for many names; the rest is kept per thread.
 */
#include "base/id.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

#define STORE_BYTES 1024

static _Thread_local unsigned char store[STORE_BYTES];
static _Thread_local size_t store_left;

static void
fill(void *p, size_t n)
{
	unsigned char *at = p;

	while (n > 0) {
		ssize_t part = getrandom(at, n, 0);

		if (part < 0 && errno != EINTR)
			fatal("getrandom");
		if (part < 0)
			continue;
		at += part;
		n -= (size_t)part;
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

/* n letters as a number. */
static unsigned
number_of(const char *letters, size_t n)
{
	unsigned number = 0;

	for (size_t i = 0; i < n; i++) {
		const char *at = strchr(letter, letters[i]);

		number = number << 6 | (at != NULL ? (unsigned)(at - letter) : 0);
	}
	return number;
}

/* And back. */
static void
set_number(char *letters, size_t n, unsigned number)
{
	for (; n > 0; number >>= 6)
		letters[--n] = letter[number & 63];
}

/* Two letters are the part, as the rest of a division; the four behind them a mark of all others. */
#define PART_LEN 2
#define MARK_LEN 4

static unsigned
mark_of(const char *sid, const struct id_parts *parts)
{
	char rest[ID_SID_LEN - MARK_LEN];

	memcpy(rest, sid, PART_LEN);
	memcpy(rest + PART_LEN, sid + PART_LEN + MARK_LEN, sizeof(rest) - PART_LEN);
	return (unsigned)siphash(&parts->key, rest, sizeof(rest)) & ((1u << 6 * MARK_LEN) - 1);
}

void
id_sid_in(char sid[ID_SID_LEN + 1], const struct id_parts *parts, unsigned part)
{
	unsigned number;

	id_sid(sid);
	number = number_of(sid, PART_LEN);
	number = number - number % parts->n + part;
	if (number >= 1u << 6 * PART_LEN)
		number -= parts->n;
	set_number(sid, PART_LEN, number);
	set_number(sid + PART_LEN, MARK_LEN, mark_of(sid, parts));
}

bool
id_sid_part(const char *sid, const struct id_parts *parts, unsigned *part)
{
	if (strlen(sid) != ID_SID_LEN ||
	    number_of(sid + PART_LEN, MARK_LEN) != mark_of(sid, parts))
		return false;
	*part = number_of(sid, PART_LEN) % parts->n;
	return true;
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
	unsigned char r[16] = { 0 };
	uint64_t digits;

	for (size_t at = 0; at < n_bytes; at += sizeof(r)) {
		size_t i, n = n_bytes - at < sizeof(r) ? n_bytes - at : sizeof(r);

		id_random(r, n);
		for (i = 0; i + 4 <= n; i += 4) {
			digits = digits_of(r + i);
			memcpy(hex + 2 * (at + i), &digits, sizeof(digits));
		}
		if (i < n) {
			digits = digits_of(r + i);
			memcpy(hex + 2 * (at + i), &digits, 2 * (n - i));
		}
	}
	hex[2 * n_bytes] = '\0';
}
