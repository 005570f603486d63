/* SPDX-License-Identifier: ISC */
/*
 * Percent-encoding, decoded.
 */
#include "codec/percent.h"

#include "codec/utf8.h"

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The length of what p then holds, len at most; SIZE_MAX: it cannot be decoded. */
static size_t
decode(char *p, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '%') {
			p[n++] = text[i];
			continue;
		}
		if (len - i < 3 || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
			return SIZE_MAX;
		p[n++] = (char)(digit(text[i + 1]) << 4 | digit(text[i + 2]));
		i += 2;
	}
	return utf8_is_valid(p, n) ? n : SIZE_MAX;
}

bool
percent_decode(struct buf *b, const char *text, size_t len)
{
	size_t n = decode(buf_reserve(b, len), text, len);

	if (n == SIZE_MAX)
		return false;
	buf_used(b, n);
	return true;
}

void
percent_decode_form(struct buf *b, const char *text, size_t len)
{
	char *p = buf_reserve(b, len);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%' && len - i > 2 && digit(text[i + 1]) >= 0 &&
		    digit(text[i + 2]) >= 0) {
			p[n++] = (char)(digit(text[i + 1]) << 4 | digit(text[i + 2]));
			i += 2;
		} else {
			p[n++] = text[i] == '+' ? ' ' : text[i];
		}
	}
	buf_used(b, n);
}
