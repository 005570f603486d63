/* SPDX-License-Identifier: ISC */
#include "codec/proxy_v2.h"

#include <string.h>

#include "base/compiler.h"
#include "unit.h"

#define SIGN	"\r\n\r\n\0\r\nQUIT\n"
#define V4	"\xcb\x00\x71\x09" "\x0a\x00\x00\x01" "\x15\x88" "\x1f\x90"
#define V6	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
		"\x15\x88" "\x1f\x90"
#define MAPPED	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\x00\x71\x09" "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1" \
		"\x15\x88" "\x1f\x90"
#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *address;	/* NULL: it has none */
	bool is_tls;
} good[] = {
	{ BYTES(SIGN "\x20\x00\0\0"), NULL, false },			/* LOCAL */
	{ BYTES(SIGN "\x20\x11\0\x0c" V4), NULL, false },
	{ BYTES(SIGN "\x20\x11\0\x03" "xyz"), NULL, false },
	{ BYTES(SIGN "\x20\xff\0\x03" "xyz"), NULL, false },
	{ BYTES(SIGN "\x21\x00\0\0"), NULL, false },			/* PROXY, unknown */
	{ BYTES(SIGN "\x21\x00\0\x05" "abcde"), NULL, false },
	{ BYTES(SIGN "\x21\x11\0\x0c" V4), "203.0.113.9", false },
	{ BYTES(SIGN "\x21\x21\0\x24" V6), "2001:db8::9", false },
	{ BYTES(SIGN "\x21\x21\0\x24" MAPPED), "203.0.113.9", false },
	{ BYTES(SIGN "\x21\x11\0\x0f" V4 "\x04\0\0"), "203.0.113.9", false },	/* fields */
	{ BYTES(SIGN "\x21\x11\0\x14" V4 "\xee\0\x02" "xy" "\x01\0\0"), "203.0.113.9", false },
	{ BYTES(SIGN "\x21\x11\0\x14" V4 "\x20\0\x05" "\x01\0\0\0\0"), "203.0.113.9", true },
	{ BYTES(SIGN "\x21\x11\0\x14" V4 "\x20\0\x05" "\x06\0\0\0\0"), "203.0.113.9", false },
	{ BYTES(SIGN "\x21\x11\0\x13" V4 "\x03\0\x04" "\x8d\x5e\xae\x93"), "203.0.113.9", false },
};

static const struct {
	const char *bytes;
	size_t len;
} bad[] = {
	{ BYTES("\r\n\r\nGET / HTTP/1.1") },
	{ BYTES("PROXY TCP4 203.0.113.9 10.0.0.1 5512 8080\r\n") },
	{ BYTES(SIGN "\x11\x11\0\x0c" V4) },				/* version 1 */
	{ BYTES(SIGN "\x31\x11\0\x0c" V4) },
	{ BYTES(SIGN "\x22\x11\0\x0c" V4) },				/* no such command */
	{ BYTES(SIGN "\x2f\x11\0\x0c" V4) },
	{ BYTES(SIGN "\x21\x41\0\x0c" V4) },				/* no such family */
	{ BYTES(SIGN "\x21\x13\0\x0c" V4) },				/* no such transport */
	{ BYTES(SIGN "\x21\x12\0\x0c" V4) },				/* datagrams */
	{ BYTES(SIGN "\x21\x10\0\x0c" V4) },
	{ BYTES(SIGN "\x21\x11\0\x00") },				/* no addresses */
	{ BYTES(SIGN "\x21\x11\0\x0b" V4) },
	{ BYTES(SIGN "\x21\x21\0\x0c" V4) },
	{ BYTES(SIGN "\x21\x21\0\x23" V6) },
	{ BYTES(SIGN "\x21\x31\0\x0c" V4) },				/* UNIX sockets have 216 bytes */
	{ BYTES(SIGN "\x21\x11\0\x0d" V4 "\x04") },			/* fields cut off */
	{ BYTES(SIGN "\x21\x11\0\x0e" V4 "\x04\0") },
	{ BYTES(SIGN "\x21\x11\0\x0f" V4 "\x04\0\x01") },
	{ BYTES(SIGN "\x21\x11\0\x0f" V4 "\x04\xff\xff") },
	{ BYTES(SIGN "\x21\x11\0\x10" V4 "\x20\0\x01\x01") },		/* TLS too short */
	{ BYTES(SIGN "\x21\x11\0\x12" V4 "\x03\0\x03" "\xc9\xd2\x54") },	/* a sum too short */
	{ BYTES(SIGN "\x21\x11\0\x13" V4 "\x03\0\x04" "\x8d\x5e\xae\x92") },	/* wrong */
	{ BYTES(SIGN "\x21\x11\x10\x01") },				/* too long */
	{ BYTES(SIGN "\x21\x11\xff\xff") },
	{ BYTES(SIGN "\x20\x00\xff\xff") },
};

/* From memory of exactly this length, so that reading behind it is seen. */
static enum proxy_v2_state
decode(const char *bytes, size_t len, struct proxy_v2 *out)
{
	uint8_t *exact = malloc(len + 1);
	enum proxy_v2_state state;

	memcpy(exact, bytes, len);
	state = proxy_v2_decode(exact, len, out);
	free(exact);
	return state;
}

START_TEST(a_header_tells_the_client)
{
	struct proxy_v2 h;

	ck_assert_int_eq(decode(good[_i].bytes, good[_i].len, &h), PROXY_V2_WHOLE);
	ck_assert_uint_eq(h.need, good[_i].len);
	ck_assert_ptr_null(h.fault);
	ck_assert_int_eq(h.has_address, good[_i].address != NULL);
	ck_assert_int_eq(h.is_tls, good[_i].is_tls);
	if (good[_i].address != NULL) {
		ck_assert_str_eq(h.address, good[_i].address);
		ck_assert_uint_eq(h.port, 5512);
	}
}
END_TEST

/* What follows is the connection's. */
START_TEST(more_is_wanted_up_to_the_end_and_no_further)
{
	struct proxy_v2 h;
	char longer[512];

	for (size_t n = 0; n < good[_i].len; n++) {
		ck_assert_int_eq(decode(good[_i].bytes, n, &h), PROXY_V2_MORE);
		ck_assert_uint_eq(h.need, n < PROXY_V2_FIXED ? PROXY_V2_FIXED : good[_i].len);
	}
	memcpy(longer, good[_i].bytes, good[_i].len);
	memcpy(longer + good[_i].len, "\x16\x03\x01", 3);
	ck_assert_int_eq(decode(longer, good[_i].len + 3, &h), PROXY_V2_WHOLE);
	ck_assert_uint_eq(h.need, good[_i].len);
}
END_TEST

START_TEST(what_is_no_header_is_bad_wherever_it_is_cut)
{
	enum proxy_v2_state state = PROXY_V2_MORE;
	struct proxy_v2 h;

	for (size_t n = 0; n <= bad[_i].len && state == PROXY_V2_MORE; n++)
		state = decode(bad[_i].bytes, n, &h);
	ck_assert_int_eq(state, PROXY_V2_BAD);
	ck_assert_ptr_nonnull(h.fault);
	ck_assert_int_eq(decode(bad[_i].bytes, bad[_i].len, &h), PROXY_V2_BAD);
}
END_TEST

START_TEST(unix_sockets_have_no_address_of_their_own)
{
	char bytes[PROXY_V2_FIXED + 216] = SIGN "\x21\x31\0\xd8" "/run/client";
	struct proxy_v2 h;

	ck_assert_int_eq(decode(bytes, sizeof(bytes), &h), PROXY_V2_WHOLE);
	ck_assert_str_eq(h.address, "unix");
}
END_TEST

START_TEST(the_longest_header_is_taken)
{
	static char bytes[PROXY_V2_MAX] = SIGN "\x21\x11\x0f\xf0" V4 "\xee\x0f\xe1";
	struct proxy_v2 h;

	ck_assert_int_eq(decode(bytes, sizeof(bytes), &h), PROXY_V2_WHOLE);
	ck_assert_uint_eq(h.need, sizeof(bytes));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("proxy_v2");
	TCase *tc = tcase_create("proxy_v2");

	tcase_add_loop_test(tc, a_header_tells_the_client, 0, (int)ARRAY_LEN(good));
	tcase_add_loop_test(tc, more_is_wanted_up_to_the_end_and_no_further, 0,
	    (int)ARRAY_LEN(good));
	tcase_add_loop_test(tc, what_is_no_header_is_bad_wherever_it_is_cut, 0,
	    (int)ARRAY_LEN(bad));
	tcase_add_test(tc, unix_sockets_have_no_address_of_their_own);
	tcase_add_test(tc, the_longest_header_is_taken);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
