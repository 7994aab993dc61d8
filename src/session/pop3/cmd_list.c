/* STAT, LIST and UIDL: numbers, sizes and names of the messages that are not marked as deleted. */
#include "session/pop3/commands.h"

static void count(const struct pop3_session *s, size_t *ret_n, uint64_t *ret_octets)
{
	size_t n = 0;
	uint64_t octets = 0;

	for (size_t i = 0; i < s->view->n; i++)
		if (pop3_is_there(s, i)) {
			n++;
			octets += s->sizes[i];
		}
	*ret_n = n;
	*ret_octets = octets;
}

static void write_pair(struct buf *out, size_t at, uint64_t value)
{
	buf_add_u64(out, at + 1);
	buf_add_c(out, ' ');
	buf_add_u64(out, value);
}

/*   unique-id = 1*70%x21-7E (RFC 1939 §7 UIDL)
 *
 * UIDVALIDITY and UID are never given to another message (RFC 9051 §2.3.1.1). */
static void write_unique_id(struct pop3_session *s, size_t at)
{
	struct buf *out = &s->out.buf;

	write_pair(out, at, s->view->uidvalidity);
	buf_add_c(out, '.');
	buf_add_u64(out, store_view_entry(s->view, at).uid);
}

/* RFC 1939 §5: "+OK", the number of messages and their size. */
void pop3_cmd_stat(struct pop3_session *s, const struct pop3_command *c)
{
	size_t n;
	uint64_t octets;
	int r = pop3_load_sizes(s);

	(void)c;
	if (r < 0) {
		pop3_store_error(s, r);
		return;
	}
	count(s, &n, &octets);
	buf_printf(&s->out.buf, "+OK %zu %llu\r\n", n, (unsigned long long)octets);
}

static void list_one(struct pop3_session *s, const struct pop3_command *c)
{
	size_t at;

	if (!pop3_find(s, c->message, &at))
		return;
	buf_add(&s->out.buf, STR("+OK "));
	if (c->id == POP3_LIST)
		write_pair(&s->out.buf, at, s->sizes[at]);
	else
		write_unique_id(s, at);
	buf_add(&s->out.buf, STR("\r\n"));
}

static void list_all(struct pop3_session *s, const struct pop3_command *c)
{
	for (size_t i = 0; i < s->view->n; i++) {
		if (!pop3_is_there(s, i))
			continue;
		if (c->id == POP3_LIST)
			write_pair(&s->out.buf, i, s->sizes[i]);
		else
			write_unique_id(s, i);
		buf_add(&s->out.buf, STR("\r\n"));
		imap_output_room(&s->out);
	}
	buf_add(&s->out.buf, STR(".\r\n"));
}

void pop3_cmd_list(struct pop3_session *s, const struct pop3_command *c)
{
	size_t n;
	uint64_t octets;
	int r = pop3_load_sizes(s);

	if (r < 0) {
		pop3_store_error(s, r);
	} else if (c->has_message) {
		list_one(s, c);
	} else {
		count(s, &n, &octets);
		buf_printf(&s->out.buf, "+OK %zu messages (%llu octets)\r\n", n,
		    (unsigned long long)octets);
		list_all(s, c);
	}
}

/* Sizes are not needed for this; a client that keeps mail on the server asks for nothing else. */
void pop3_cmd_uidl(struct pop3_session *s, const struct pop3_command *c)
{
	if (c->has_message) {
		list_one(s, c);
		return;
	}
	buf_add(&s->out.buf, STR("+OK These are their names\r\n"));
	list_all(s, c);
}
