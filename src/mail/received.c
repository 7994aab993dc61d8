#include "mail/received.h"

#include "mail/header.h"

size_t received_count(struct str header)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;
	size_t n = 0;

	while (header_next(&reader, &field))
		n += str_eq_nocase(field.name, STR("Received"));
	return n;
}

/*
 * Values of the peer's: printable bytes that neither end a comment or a path nor fold. 8-bit bytes
 * may stand for UTF-8 (RFC 6531 §3.7.3).
 */
static void add_clean(struct buf *out, struct str value)
{
	value = str_first(value, RECEIVED_VALUE_LEN_MAX);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];
		bool clean = c > ' ' && c != 0x7f && str_index(STR("()<>\\\";,"), (char)c) == 8;
		buf_add_c(out, clean ? (char)c : '?');
	}
}

/* RFC 5321 §4.1.3: address-literal = "[" ( IPv4 / "IPv6:" … ) "]". */
static void add_peer(struct buf *out, const struct received *received)
{
	struct str name = received->peer_name;

	if (received->peer_address.len == 0)
		return;
	buf_add(out, STR(" ("));
	add_clean(out, name.len > 0 ? name : STR("unknown"));
	buf_add(out, STR(" ["));
	if (str_index(received->peer_address, ':') < received->peer_address.len)
		buf_add(out, STR("IPv6:"));
	add_clean(out, received->peer_address);
	buf_add(out, STR("])"));
}

static void add_tls(struct buf *out, struct str tls)
{
	if (tls.len == 0)
		return;
	buf_add(out, STR("\r\n\t(using "));
	for (struct str words = str_first(tls, RECEIVED_VALUE_LEN_MAX); words.len > 0;) {
		add_clean(out, str_cut(&words, ' '));
		if (words.len > 0)
			buf_add_c(out, ' ');
	}
	buf_add_c(out, ')');
}

/*
 * RFC 5321 §4.4:
 *   Time-stamp-line = "Received:" FWS Stamp <CRLF>
 *   Stamp = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
 *   Opt-info = [Via] [With] [ID] [For] [Additional-Registered-Clauses]
 */
bool received_format(const struct received *received, struct buf *out)
{
	size_t before = out->len;

	buf_add(out, STR("Received: from "));
	add_clean(out, received->helo.len > 0 ? received->helo : STR("unknown"));
	add_peer(out, received);
	add_tls(out, received->tls);
	buf_add(out, STR("\r\n\tby "));
	add_clean(out, received->by);
	buf_add(out, STR(" with "));
	add_clean(out, received->protocol);
	if (received->id.len > 0) {
		buf_add(out, STR(" id "));
		add_clean(out, received->id);
	}
	if (received->recipient.len > 0) {
		buf_add(out, STR("\r\n\tfor <"));
		add_clean(out, received->recipient);
		buf_add_c(out, '>');
	}
	buf_add(out, STR(";\r\n\t"));
	date_format(received->date, out);
	buf_add(out, STR("\r\n"));
	if (!buf_failed(out))
		return true;
	out->len = before;
	return false;
}
