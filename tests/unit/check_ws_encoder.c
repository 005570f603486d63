/* SPDX-License-Identifier: ISC */
/*
 * WebSocket frames out, byte for byte.
 */
#include "codec/ws_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "unit.h"

static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

START_TEST(the_frames_of_the_rfc_are_written)
{
	struct buf b = { 0 };

	ws_encode_frame(&b, WS_TEXT, "Hello", 5, NULL);
	ck_assert_uint_eq(b.len, 7);
	ck_assert_mem_eq(b.data, "\x81\x05Hello", 7);
	ws_encode_frame(&b, WS_TEXT, "Hello", 5, mask);
	ck_assert_uint_eq(b.len, 18);
	ck_assert_mem_eq(b.data + 7, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	buf_free(&b);
}
END_TEST

static const struct {
	uint64_t len;
	size_t n;
	const char *head;
} heads[] = {
	{ 0, 2, "\x82\x00" },
	{ 125, 2, "\x82\x7d" },
	{ 126, 4, "\x82\x7e\x00\x7e" },
	{ 65535, 4, "\x82\x7e\xff\xff" },
	{ 65536, 10, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" },
	{ UINT64_C(0x123456789abcde), 10, "\x82\x7f\x00\x12\x34\x56\x78\x9a\xbc\xde" },
};

START_TEST(a_length_is_written_in_its_shortest_form)
{
	uint8_t head[WS_HEAD_MAX];

	ck_assert_uint_eq(ws_encode_head(head, WS_BINARY, heads[_i].len, NULL), heads[_i].n);
	ck_assert_mem_eq(head, heads[_i].head, heads[_i].n);
}
END_TEST

START_TEST(a_client_puts_the_mask_behind_the_length)
{
	uint8_t head[WS_HEAD_MAX];

	ck_assert_uint_eq(ws_encode_head(head, WS_BINARY, heads[_i].len, mask), heads[_i].n + 4);
	ck_assert_uint_eq(head[1], (uint8_t)heads[_i].head[1] | 0x80);
	ck_assert_mem_eq(head + 2, heads[_i].head + 2, heads[_i].n - 2);
	ck_assert_mem_eq(head + heads[_i].n, mask, 4);
}
END_TEST

/* The payload may be there already. */
START_TEST(behind_its_head_nothing_is_written)
{
	uint8_t frame[WS_HEAD_MAX + 16];

	for (int is_masked = 0; is_masked < 2; is_masked++) {
		size_t n = ws_head_len(heads[_i].len, is_masked);

		memset(frame, 0xa5, sizeof(frame));
		ck_assert_uint_eq(ws_encode_head(frame, WS_BINARY, heads[_i].len,
		    is_masked ? mask : NULL), n);
		for (size_t i = n; i < sizeof(frame); i++)
			ck_assert_uint_eq(frame[i], 0xa5);
	}
}
END_TEST

START_TEST(masking_goes_on_anywhere_and_undoes_itself)
{
	uint8_t plain[160], data[160];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 7);
	/* All alignments, lengths and places in the payload. */
	for (size_t start = 0; start < 8; start++) {
		for (size_t len = 0; start + len <= 150; len += 1 + len / 40 * 6) {
			memcpy(data, plain, sizeof(data));
			ws_mask(data + start, len, mask, (size_t)_i);
			for (size_t i = 0; i < sizeof(data); i++) {
				bool inside = i >= start && i < start + len;
				size_t at = (size_t)_i + i - start;

				ck_assert_uint_eq(data[i],
				    inside ? plain[i] ^ mask[at % 4] : plain[i]);
			}
			ws_mask(data + start, len, mask, (size_t)_i);
			ck_assert_mem_eq(data, plain, sizeof(data));
		}
	}
}
END_TEST

/* Long ones are masked in longer steps. */
START_TEST(all_of_a_long_payload_is_masked)
{
	static uint8_t data[1500];

	for (size_t len = 1000; len <= sizeof(data); len += 31) {
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(i * 5);
		(void)ws_mask(data, len, mask, 3);
		for (size_t i = 0; i < len; i++)
			ck_assert_uint_eq(data[i], (uint8_t)(i * 5) ^ mask[(i + 3) % 4]);
		memset(data, 'a', len);
		(void)ws_mask(data, len, mask, 2);
		ck_assert(ws_mask(data, len, mask, 2));
		(void)ws_mask(data, len, mask, 2);
		data[len / 3] ^= 0x80;
		ck_assert(!ws_mask(data, len, mask, 2));
	}
}
END_TEST

/* Where the vectors end; nothing before and behind it is touched. */
START_TEST(payloads_of_every_length_are_masked)
{
	for (size_t len = 0; len <= 300; len++) {
		uint8_t *data = malloc(len + 2);

		for (size_t i = 0; i < len + 2; i++)
			data[i] = (uint8_t)(i * 11);
		(void)ws_mask(data + 1, len, mask, (size_t)_i);
		ck_assert_uint_eq(data[0], 0);
		ck_assert_uint_eq(data[len + 1], (uint8_t)((len + 1) * 11));
		for (size_t i = 0; i < len; i++)
			ck_assert_uint_eq(data[i + 1],
			    (uint8_t)((i + 1) * 11) ^ mask[(i + (size_t)_i) % 4]);
		free(data);
	}
}
END_TEST

/* Whatever it was before: what counts is what is there afterwards. */
START_TEST(unmasking_tells_whether_it_is_ascii)
{
	static const uint8_t any[] = { 0x80, 0x01, 0xff, 0x7f };
	uint8_t data[300];

	for (size_t len = 0; len < sizeof(data); len += 1 + len / 9) {
		memset(data, 'a', len);
		(void)ws_mask(data, len, any, 1);
		ck_assert(ws_mask(data, len, any, 1));
		for (size_t at = 0; at < len; at++) {
			(void)ws_mask(data, len, any, 1);
			data[at] ^= 0x80;
			ck_assert(!ws_mask(data, len, any, 1));
			data[at] ^= 0x80;
		}
	}
}
END_TEST

START_TEST(a_close_frame_carries_code_and_reason)
{
	struct buf b = { 0 };

	ws_encode_close(&b, 0, "not sent", NULL);
	ck_assert_uint_eq(b.len, 2);
	ck_assert_mem_eq(b.data, "\x88\x00", 2);
	b.len = 0;
	ws_encode_close(&b, 1000, NULL, NULL);
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "\x88\x02\x03\xe8", 4);
	b.len = 0;
	ws_encode_close(&b, 1009, "big", NULL);
	ck_assert_uint_eq(b.len, 7);
	ck_assert_mem_eq(b.data, "\x88\x05\x03\xf1" "big", 7);
	b.len = 0;
	ws_encode_close(&b, 1001, "", mask);
	ck_assert_uint_eq(b.len, 8);
	ck_assert_mem_eq(b.data, "\x88\x82\x37\xfa\x21\x3d\x34\x13", 8);
	buf_free(&b);
}
END_TEST

START_TEST(a_long_reason_is_cut_between_characters)
{
	char reason[200];
	struct buf b = { 0 };

	memset(reason, 'r', sizeof(reason));
	reason[150] = '\0';
	ws_encode_close(&b, 1000, reason, NULL);
	ck_assert_uint_eq(b.len, 2 + 125);
	/* A character of three bytes over the edge: none of it is sent. */
	for (size_t over = 1; over <= 2; over++) {
		b.len = 0;
		memcpy(reason + 123 - over, "\xe2\x82\xac", 3);
		ws_encode_close(&b, 1000, reason, NULL);
		ck_assert_uint_eq(b.len, 2 + 125 - over);
		ck_assert_uint_eq((uint8_t)b.data[1], 125 - over);
		memset(reason, 'r', 150);
	}
	/* One that ends at the edge is. */
	b.len = 0;
	memcpy(reason + 120, "\xe2\x82\xac", 3);
	ws_encode_close(&b, 1000, reason, NULL);
	ck_assert_uint_eq(b.len, 2 + 125);
	buf_free(&b);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("ws_encoder");
	TCase *tc = tcase_create("ws_encoder");

	tcase_add_test(tc, the_frames_of_the_rfc_are_written);
	tcase_add_loop_test(tc, a_length_is_written_in_its_shortest_form, 0, ARRAY_LEN(heads));
	tcase_add_loop_test(tc, a_client_puts_the_mask_behind_the_length, 0, ARRAY_LEN(heads));
	tcase_add_loop_test(tc, behind_its_head_nothing_is_written, 0, ARRAY_LEN(heads));
	tcase_add_loop_test(tc, masking_goes_on_anywhere_and_undoes_itself, 0, 9);
	tcase_add_loop_test(tc, payloads_of_every_length_are_masked, 0, 4);
	tcase_add_test(tc, all_of_a_long_payload_is_masked);
	tcase_add_test(tc, unmasking_tells_whether_it_is_ascii);
	tcase_add_test(tc, a_close_frame_carries_code_and_reason);
	tcase_add_test(tc, a_long_reason_is_cut_between_characters);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN_STATELESS(make_suite)
