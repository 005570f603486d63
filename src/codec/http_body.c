/* SPDX-License-Identifier: ISC */
/*
 * Data is copied in one piece as it comes, all else is looked at byte by byte.
 */
#include "codec/http_body.h"

#include <assert.h>

#define DIGITS_MAX 15	/* of a size, so that it cannot overflow */

static enum err
fail(struct http_body *b, enum err why, const char *fault)
{
	b->state = HTTP_BODY_BAD;
	b->fault = fault;
	return why;
}

static enum err
bad(struct http_body *b, const char *fault)
{
	return fail(b, ERR_BAD_HTTP, fault);
}

enum err
http_body_init(struct http_body *b, const struct http_head *head, uint64_t max)
{
	*b = (struct http_body){ .max = max, .is_chunked = head->is_chunked };
	if (b->is_chunked) {
		b->state = HTTP_BODY_SIZE_FIRST;
		return ERR_NONE;
	}
	b->left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
	if (b->left > max)
		return fail(b, ERR_TOO_BIG, "body is too long");
	b->state = b->left > 0 ? HTTP_BODY_DATA : HTTP_BODY_COMPLETE;
	return ERR_NONE;
}

bool
http_body_is_complete(const struct http_body *b)
{
	return b->state == HTTP_BODY_COMPLETE;
}

/* Behind CR: LF and nothing else. */
static enum err
take_lf(struct http_body *b, char c, enum http_body_state next)
{
	if (c != '\n')
		return bad(b, "CR without LF in a chunked body");
	b->state = next;
	return ERR_NONE;
}

static enum err
take_digit(struct http_body *b, char c)
{
	int digit = http_hex_value(c);

	if (digit < 0)
		return bad(b, "chunk size is not a hexadecimal number");
	if (++b->n_digits > DIGITS_MAX)
		return bad(b, "chunk size has too many digits");
	b->left = b->left << 4 | (unsigned)digit;
	b->state = HTTP_BODY_SIZE;
	return ERR_NONE;
}

static enum err
take_first_digit(struct http_body *b, char c)
{
	b->n_digits = 0;
	b->left = 0;
	return take_digit(b, c);
}

static enum err
take_extension(struct http_body *b, char c)
{
	if (c == '\r') {
		b->state = HTTP_BODY_SIZE_LF;
		return ERR_NONE;
	}
	if (!http_is_value(c))
		return bad(b, "control character in a chunk extension");
	if (++b->n_extension > HTTP_BODY_EXTENSIONS_MAX)
		return bad(b, "chunk extensions are too long");
	return ERR_NONE;
}

static enum err
take_size(struct http_body *b, char c)
{
	if (c != '\r' && c != ';')
		return take_digit(b, c);
	b->state = HTTP_BODY_EXTENSION;
	return take_extension(b, c);
}

static enum err
end_of_size(struct http_body *b, char c)
{
	if (b->left > b->max)
		return fail(b, ERR_TOO_BIG, "body is too long");
	return take_lf(b, c, b->left > 0 ? HTTP_BODY_DATA : HTTP_BODY_TRAILER_FIRST);
}

static enum err
end_of_data(struct http_body *b, char c)
{
	if (c != '\r')
		return bad(b, "chunk is longer than its size");
	b->state = HTTP_BODY_DATA_LF;
	return ERR_NONE;
}

static enum err
take_trailer_name(struct http_body *b, char c)
{
	if (c == ':')
		b->state = HTTP_BODY_TRAILER_VALUE;
	else if (!http_is_token(c))
		return bad(b, "trailer name is not a token");
	else
		b->state = HTTP_BODY_TRAILER_NAME;
	return ERR_NONE;
}

static enum err
take_trailer_first(struct http_body *b, char c)
{
	if (c == '\r') {
		b->state = HTTP_BODY_END_LF;
		return ERR_NONE;
	}
	return c == ':' ? bad(b, "trailer name is not a token") : take_trailer_name(b, c);
}

static enum err
take_trailer_value(struct http_body *b, char c)
{
	if (c == '\r')
		b->state = HTTP_BODY_TRAILER_LF;
	else if (!http_is_value(c))
		return bad(b, "control character in a trailer");
	return ERR_NONE;
}

static enum err
take_trailer(struct http_body *b, char c)
{
	if (++b->n_trailer > HTTP_BODY_TRAILERS_MAX)
		return bad(b, "trailers are too long");
	switch (b->state) {
	case HTTP_BODY_TRAILER_FIRST:
		return take_trailer_first(b, c);
	case HTTP_BODY_TRAILER_NAME:
		return take_trailer_name(b, c);
	case HTTP_BODY_TRAILER_VALUE:
		return take_trailer_value(b, c);
	case HTTP_BODY_TRAILER_LF:
		return take_lf(b, c, HTTP_BODY_TRAILER_FIRST);
	default:
		return take_lf(b, c, HTTP_BODY_COMPLETE);
	}
}

/* One byte of what is around the data of chunks. */
static enum err
take_byte(struct http_body *b, char c)
{
	switch (b->state) {
	case HTTP_BODY_SIZE_FIRST:
		return take_first_digit(b, c);
	case HTTP_BODY_SIZE:
		return take_size(b, c);
	case HTTP_BODY_EXTENSION:
		return take_extension(b, c);
	case HTTP_BODY_SIZE_LF:
		return end_of_size(b, c);
	case HTTP_BODY_DATA_CR:
		return end_of_data(b, c);
	case HTTP_BODY_DATA_LF:
		return take_lf(b, c, HTTP_BODY_SIZE_FIRST);
	default:
		return take_trailer(b, c);
	}
}

static size_t
take_data(struct http_body *b, const char *data, size_t len, struct buf *out)
{
	size_t n = len < b->left ? len : (size_t)b->left;

	buf_add(out, data, n);
	b->left -= n;
	b->max -= n;
	if (b->left == 0)
		b->state = b->is_chunked ? HTTP_BODY_DATA_CR : HTTP_BODY_COMPLETE;
	return n;
}

enum err
http_body_feed(struct http_body *b, const char *data, size_t len, size_t *used, struct buf *out)
{
	enum err err = ERR_NONE;
	size_t at = 0;

	assert(b->state != HTTP_BODY_BAD);
	while (at < len && err == ERR_NONE && b->state != HTTP_BODY_COMPLETE) {
		if (b->state == HTTP_BODY_DATA)
			at += take_data(b, data + at, len - at, out);
		else
			err = take_byte(b, data[at++]);
	}
	*used = at;
	return err;
}
