/* SPDX-License-Identifier: ISC */
/*
 * Tokens made by a stock master at a known time, and what they tell: what we
 * write has to be the same, byte for byte.
 */
#ifndef TESTS_UNIT_TOKEN_VECTORS_H
#define TESTS_UNIT_TOKEN_VECTORS_H

#include "token/jwt.h"

#define VECTOR_SECRET "interop-shared-secret"

/* The secret claims of a new session. */
#define VECTOR_PLAIN \
	"{\"socketId\":\"6x8ZbhtDOtmwwI-wAAAC\",\"ipAddress\":\"::ffff:127.0.0.1\"," \
	"\"authenticated\":false}"
/* The same after the login. */
#define VECTOR_PLAIN_LOGIN \
	"{\"socketId\":\"6x8ZbhtDOtmwwI-wAAAC\",\"ipAddress\":\"::ffff:127.0.0.1\"," \
	"\"authenticated\":true,\"username\":\"rob\"}"

#define VECTOR_REGISTERED_S 1700000000
#define VECTOR_LOGIN_S	    1700000010
#define VECTOR_REFRESHED_S  1700000020

/* Registration for "kit-app". */
static const char vector_registered[] =
	"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDAzMDAsImlhdCI6MTcwMDAwMDAwMCwiaXN"
	"zIjoicWV3ZC5qd3QiLCJhcHBsaWNhdGlvbiI6ImtpdC1hcHAiLCJ0aW1lb3V0IjozMDAsInFld2QiOiJiMzdhM2U"
	"3ZTFiODUxOTdhYzlmZjhhZjgwOWI2NDFhOTNjYWYwOTNmN2IwODBiMjRjZDAwNTQ3NjA1MWRlOThjNDg2NDZjZTV"
	"hOWM4ZTAyYzllY2FmYjY5N2QzOGUzMGI1MTcxOTU2ZmRiZmYzODRiYzFiZjAwNTlmNjdmMGFkMmJjNzgyOWRlM2U"
	"zNzdhNDUxNGQwYTUyZWIwMjkzMGUxZDRkNWZkNTlkNDQxNzg2NjU4NjI2MTFiNmFkNmFhYTcifQ.iru8Ax9Gyiu3"
	"vLhzVv40yCPYbe5EIvO62dLvYPzCLws";

/* After the login: timeout 1200, userText public, username secret. */
static const char vector_login[] =
	"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDEyMTAsImlhdCI6MTcwMDAwMDAxMCwiaXN"
	"zIjoicWV3ZC5qd3QiLCJhcHBsaWNhdGlvbiI6ImtpdC1hcHAiLCJ0aW1lb3V0IjoxMjAwLCJxZXdkIjoiYjM3YTN"
	"lN2UxYjg1MTk3YWM5ZmY4YWY4MDliNjQxYTkzY2FmMDkzZjdiMDgwYjI0Y2QwMDU0NzYwNTFkZTk4YzQ4NjQ2Y2U"
	"1YTljOGUwMmM5ZWNhZmI2OTdkMzhlMzBiNTE3MTk1NmZkYmZmMzg0YmMxYmYwMDU5ZjY3ZjBhZDJiYzc4MjlkZTN"
	"lMzc3YTQ1MTRkMGE1MmViMDI5MzBlMTMwMTNkYTI5NmQ3ZDQxODE3MzAxMTZkMjRlMzc0ODI5ZTEyYmNhY2UwMjk"
	"3NzdkMTRkNGI4Y2NkYjgzM2UyMDQiLCJ1c2VyVGV4dCI6IldlbGNvbWUgUm9iIn0.NvdbVO4h90Um0w1yGAK5aLf"
	"oFOQK82Fg-gbfnoP_LQE";

/* The same ten seconds later, for "remote-app". */
static const char vector_refreshed[] =
	"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3MDAwMDEyMjAsImlhdCI6MTcwMDAwMDAyMCwiaXN"
	"zIjoicWV3ZC5qd3QiLCJhcHBsaWNhdGlvbiI6InJlbW90ZS1hcHAiLCJ0aW1lb3V0IjoxMjAwLCJxZXdkIjoiYjM"
	"3YTNlN2UxYjg1MTk3YWM5ZmY4YWY4MDliNjQxYTkzY2FmMDkzZjdiMDgwYjI0Y2QwMDU0NzYwNTFkZTk4YzQ4NjQ"
	"2Y2U1YTljOGUwMmM5ZWNhZmI2OTdkMzhlMzBiNTE3MTk1NmZkYmZmMzg0YmMxYmYwMDU5ZjY3ZjBhZDJiYzc4Mjl"
	"kZTNlMzc3YTQ1MTRkMGE1MmViMDI5MzBlMTMwMTNkYTI5NmQ3ZDQxODE3MzAxMTZkMjRlMzc0ODI5ZTEyYmNhY2U"
	"wMjk3NzdkMTRkNGI4Y2NkYjgzM2UyMDQiLCJ1c2VyVGV4dCI6IldlbGNvbWUgUm9iIn0.LfMJy3jKyMbNpN19rgh"
	"6pdrod2Uyn6xzyLnTJUSMHHg";

/* A ring of one secret. */
static inline struct jwt_ring *
vector_ring(const char *secret, size_t len)
{
	struct jwt_secret s = { "1", (const unsigned char *)secret, len };

	return jwt_ring_new(&s, 1);
}

#endif
