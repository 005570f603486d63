/* SPDX-License-Identifier: ISC */
/*
 * Random names, from OpenSSL's generator, which the kernel's seeds.
 *
 * Each thread has one, and takes enough from it for many names: the kernel's would be asked with a
 * system call, and takes four times as long for each byte.
 */
#include "base/id.h"

#include <limits.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/log.h"

#define STORE_BYTES 16384	/* a call takes as long as 5,000 bytes, besides */

static _Thread_local unsigned char store[STORE_BYTES];
static _Thread_local size_t store_left;

/* There is no going on with names that might be guessed. */
static void
fill(void *p, size_t n)
{
	if (n > INT_MAX || RAND_bytes(p, (int)n) != 1)
		fatalx("OpenSSL gives no random bytes");
}

/* n random bytes, at most STORE_BYTES, that nobody else gets; to be cleared by whoever takes them. */
static inline unsigned char *
take(size_t n)
{
	if (store_left < n) {
		fill(store, sizeof(store));
		store_left = sizeof(store);
	}
	store_left -= n;
	return store + store_left;
}

void
id_random(void *p, size_t n)
{
	unsigned char *from;

	if (n > STORE_BYTES) {
		fill(p, n);
		return;
	}
	from = take(n);
	memcpy(p, from, n);
	memset(from, 0, n);
}

void
id_mask(uint8_t mask[4])
{
	unsigned char *from = take(4);

	memcpy(mask, from, 4);
	memset(from, 0, 4);
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

/* Eight nibbles, a byte each, as digits: '0' to '9', and 39 more from 10 on. */
static inline uint64_t
digits_of(uint64_t nibbles)
{
	const uint64_t each = UINT64_C(0x0101010101010101);

	return nibbles + each * '0' + (((nibbles + each * 6) >> 4) & each) * ('a' - '0' - 10);
}

/* All are random: in which order the digits come does not matter, nor that of bytes in a word. */
void
id_hex(char *hex, size_t n_bytes)
{
	const uint64_t low_nibbles = UINT64_C(0x0f0f0f0f0f0f0f0f);
	uint64_t word, high, low;

	for (size_t n; n_bytes > 0; n_bytes -= n, hex += 2 * n) {
		unsigned char *from = take(sizeof(word));

		memcpy(&word, from, sizeof(word));
		memset(from, 0, sizeof(word));
		high = digits_of(word >> 4 & low_nibbles);
		low = digits_of(word & low_nibbles);
		n = n_bytes < sizeof(word) ? n_bytes : sizeof(word);
		if (n == sizeof(word)) {
			memcpy(hex, &high, sizeof(high));
			memcpy(hex + sizeof(high), &low, sizeof(low));
		} else {
			memcpy(hex, &high, n);
			memcpy(hex + n, &low, n);
		}
	}
	*hex = '\0';
}
