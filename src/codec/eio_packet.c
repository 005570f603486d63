/* SPDX-License-Identifier: ISC */
/*
 * Engine.IO packets.
 */
#include "codec/eio_packet.h"

#include <string.h>

#include "codec/json_scan.h"

/* An open packet is flat; a server may add members that are not. */
#define DEPTH_MAX 16

/* What a sid of EIO_SID_MAX letters can take as JSON: quotes, all of it escaped. */
#define SID_JSON_MAX (2 + 6 * EIO_SID_MAX)

enum { SID, PING_INTERVAL, PING_TIMEOUT };

static const char *const open_name[] = {
	[SID] = "sid",
	[PING_INTERVAL] = "pingInterval",
	[PING_TIMEOUT] = "pingTimeout",
};
static const struct json_names open_names = { ARRAY_LEN(open_name), open_name };

enum err
eio_packet_decode(struct eio_packet *p, const char *data, size_t len)
{
	if (len == 0 || data[0] < '0' + EIO_OPEN || data[0] > '0' + EIO_NOOP)
		return ERR_BAD_PACKET;
	p->type = (enum eio_type)(data[0] - '0');
	p->data = data + 1;
	p->len = len - 1;
	return ERR_NONE;
}

void
eio_open_encode(struct buf *b, int revision, const struct eio_open *open, size_t max_payload)
{
	buf_add_str(b, "0{\"sid\":");
	buf_add_json_string(b, open->sid, strlen(open->sid));
	buf_add_str(b, open->can_upgrade ? ",\"upgrades\":[\"websocket\"]" : ",\"upgrades\":[]");
	buf_add_str(b, ",\"pingInterval\":");
	buf_add_u64(b, open->ping_interval_ms);
	buf_add_str(b, ",\"pingTimeout\":");
	buf_add_u64(b, open->ping_timeout_ms);
	if (revision >= 4) {
		buf_add_str(b, ",\"maxPayload\":");
		buf_add_u64(b, max_payload);
	}
	buf_add_char(b, '}');
}

static bool
is_sid_letter(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    c == '_' || c == '-';
}

static bool
get_sid(char sid[EIO_SID_MAX + 1], const char *text, struct json_value v)
{
	struct buf b = { 0 };
	bool is_good;

	if (v.kind != JSON_STRING || v.end - v.start > SID_JSON_MAX)
		return false;
	json_string_get(text, v, &b);
	is_good = b.len > 0 && b.len <= EIO_SID_MAX;
	for (size_t i = 0; is_good && i < b.len; i++)
		is_good = is_sid_letter(b.data[i]);
	if (is_good) {
		memcpy(sid, b.data, b.len);
		sid[b.len] = '\0';
	}
	buf_free(&b);
	return is_good;
}

enum err
eio_open_decode(struct eio_open *open, const char *data, size_t len)
{
	struct json_object o;
	struct json_value top;
	struct json_scan scan;

	if (len > JSON_TEXT_MAX)
		return ERR_BAD_PACKET;
	json_scan_init(&scan, data, len, DEPTH_MAX);
	if (!json_scan_members(&scan, &top, &open_names, &o, -1, NULL) || !json_scan_end(&scan) ||
	    top.kind != JSON_OBJECT)
		return ERR_BAD_PACKET;
	if (!get_sid(open->sid, data, o.member[SID].value) ||
	    !json_number_u64(data, o.member[PING_INTERVAL].value, &open->ping_interval_ms) ||
	    !json_number_u64(data, o.member[PING_TIMEOUT].value, &open->ping_timeout_ms) ||
	    open->ping_interval_ms == 0 || open->ping_timeout_ms == 0)
		return ERR_BAD_PACKET;
	open->can_upgrade = false;
	return ERR_NONE;
}
