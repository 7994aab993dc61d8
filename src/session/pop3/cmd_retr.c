#include <errno.h>

#include "pop3/multiline.h"
#include "session/pop3/commands.h"
#include "store/store_message.h"

/* Writes a piece slice by slice; 1 when no more of the message is wanted, 0, or -errno. */
static int write_piece(struct pop3_session *s, struct pop3_multiline *m, struct str piece)
{
	for (; piece.len > 0; piece = str_from(piece, POP3_SLICE_LEN)) {
		if (!pop3_multiline_write(m, str_first(piece, POP3_SLICE_LEN), &s->out.buf))
			return 1;
		imap_output_room(&s->out);
		if (s->out.error != 0)
			return s->out.error;
	}
	return 0;
}

/* From the first piece, which is there already, to the end. 0 or -errno. */
static int write_message(
    struct pop3_session *s, struct pop3_multiline *m, struct store_body *body, struct str piece)
{
	uint64_t len = store_body_len(body), at = 0;

	while (at < len) {
		int r = write_piece(s, m, piece);
		if (r != 0)
			return r < 0 ? r : 0;
		at += piece.len;
		if (at < len)
			r = store_body_piece(body, at, &piece);
		if (r < 0 || (at < len && piece.len == 0))
			return r < 0 ? r : -EBADMSG;
	}
	return 0;
}

/*
 * What cannot be read on in the middle of a message cannot be said any more: the connection ends
 * without the dot, so that nobody takes a part for the whole.
 */
static void send_message(
    struct pop3_session *s, const struct pop3_command *c, size_t at, struct store_body *body)
{
	struct pop3_multiline m =
	    c->id == POP3_TOP ? POP3_MULTILINE_TOP(c->lines) : POP3_MULTILINE_WHOLE;
	struct str piece = {"", 0};
	int r = store_body_len(body) > 0 ? store_body_piece(body, 0, &piece) : 0;

	if (r < 0) {
		pop3_store_error(s, r);
		return;
	}
	if (c->id == POP3_TOP)
		buf_add(&s->out.buf, STR("+OK\r\n"));
	else
		buf_printf(&s->out.buf, "+OK %u octets\r\n", s->sizes[at]);
	if (write_message(s, &m, body, piece) < 0) {
		s->ending = true;
		return;
	}
	pop3_multiline_end(&m, &s->out.buf);
	imap_output_room(&s->out);
	if (c->id == POP3_RETR && s->out.error == 0)
		s->marks[at] |= POP3_RETRIEVED;
}

/* RETR (RFC 1939 §5) and TOP (§7). */
void pop3_cmd_retr(struct pop3_session *s, const struct pop3_command *c)
{
	struct store_body *body;
	size_t at;
	int r = pop3_load_sizes(s);

	if (r < 0) {
		pop3_store_error(s, r);
		return;
	}
	if (!pop3_find(s, c->message, &at))
		return;
	r = store_body_open(s->store, store_view_entry(s->view, at).message, &body);
	if (r < 0) {
		pop3_store_error(s, r);
		return;
	}
	send_message(s, c, at, body);
	store_body_close(body);
}
