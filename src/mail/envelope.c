#include "mail/envelope.h"

#include <errno.h>

#include "base/arena.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/imap_string.h"

/*
 * RFC 9051 §9:
 *   envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
 *              env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"
 *   env-from = "(" 1*address ")" / nil
 *   address  = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
 */
enum slot {
	SLOT_DATE,
	SLOT_SUBJECT,
	SLOT_FROM,
	SLOT_SENDER,
	SLOT_REPLY_TO,
	SLOT_TO,
	SLOT_CC,
	SLOT_BCC,
	SLOT_IN_REPLY_TO,
	SLOT_MESSAGE_ID,
	N_SLOTS,
};

static const struct str slot_names[N_SLOTS] = {
    [SLOT_DATE] = STR_INIT("Date"),
    [SLOT_SUBJECT] = STR_INIT("Subject"),
    [SLOT_FROM] = STR_INIT("From"),
    [SLOT_SENDER] = STR_INIT("Sender"),
    [SLOT_REPLY_TO] = STR_INIT("Reply-To"),
    [SLOT_TO] = STR_INIT("To"),
    [SLOT_CC] = STR_INIT("Cc"),
    [SLOT_BCC] = STR_INIT("Bcc"),
    [SLOT_IN_REPLY_TO] = STR_INIT("In-Reply-To"),
    [SLOT_MESSAGE_ID] = STR_INIT("Message-ID"),
};

struct fields {
	bool present[N_SLOTS];
	struct str value[N_SLOTS];
};

/* Where a field stands twice, the first one counts. */
static void collect(struct str header, struct fields *fields)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;

	while (header_next(&reader, &field)) {
		for (size_t i = 0; i < N_SLOTS; i++) {
			if (field.name.len != slot_names[i].len || fields->present[i] ||
			    !str_eq_nocase(field.name, slot_names[i]))
				continue;
			fields->present[i] = true;
			fields->value[i] = field.value;
		}
	}
}

/* A field that is there but empty is "", one that is missing is NIL (RFC 9051 §7.5.2). */
static void write_text(const struct fields *fields, enum slot slot, struct buf *out)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(HEADER_LEN_MAX);

	if (!fields->present[slot]) {
		imap_nstring_write(NULL, out);
		return;
	}
	header_unfold(fields->value[slot], &text);
	imap_string_write(buf_str(&text), out);
}

/*
 * Groups: "(NIL NIL name NIL)" opens one, "(NIL NIL NIL NIL)" closes it. So the host of a mailbox
 * is never NIL, even where there is none.
 */
static void write_address(const struct address *address, struct buf *out)
{
	buf_add_c(out, '(');
	if (address->kind == ADDRESS_MAILBOX) {
		imap_nstring_write_nonempty(address->name, out);
		buf_add_c(out, ' ');
		imap_nstring_write_nonempty(address->route, out);
		buf_add_c(out, ' ');
		imap_string_write(address->mailbox, out);
		buf_add_c(out, ' ');
		imap_string_write(address->host, out);
	} else {
		buf_add(out, STR("NIL NIL "));
		imap_nstring_write(
		    address->kind == ADDRESS_GROUP_START ? &address->name : NULL, out);
		buf_add(out, STR(" NIL"));
	}
	buf_add_c(out, ')');
}

/* Holds the longest list that a header can have, whose text is in it once more. */
enum { LIST_ARENA_MAX = ADDRESS_LIST_MAX * 256 + 4 * HEADER_LEN_MAX };

static int write_addresses(const struct fields *fields, enum slot slot, struct buf *out)
{
	struct arena scratch CLEANUP(arena_done) = ARENA_MAX(LIST_ARENA_MAX);
	struct address *first = NULL;
	int r = address_list_parse(fields->value[slot], &scratch, &first);

	if (r < 0)
		return r;
	if (first == NULL) {
		buf_add(out, STR("NIL"));
		return 0;
	}
	buf_add_c(out, '(');
	for (const struct address *address = first; address != NULL; address = address->next)
		write_address(address, out);
	buf_add_c(out, ')');
	return 0;
}

/* Sender and Reply-To take From's place holders when they hold no address (RFC 9051 §7.5.2). */
static int write_defaulted(const struct fields *fields, enum slot slot, struct buf *out)
{
	size_t before = out->len;
	int r = write_addresses(fields, slot, out);

	if (r < 0 || !str_eq(str_from(buf_str(out), before), STR("NIL")))
		return r;
	out->len = before;
	return write_addresses(fields, SLOT_FROM, out);
}

int envelope_write(struct str header, struct buf *out)
{
	struct fields fields = {0};

	collect(header, &fields);
	buf_add_c(out, '(');
	write_text(&fields, SLOT_DATE, out);
	buf_add_c(out, ' ');
	write_text(&fields, SLOT_SUBJECT, out);
	for (enum slot slot = SLOT_FROM; slot <= SLOT_BCC; slot++) {
		bool defaulted = slot == SLOT_SENDER || slot == SLOT_REPLY_TO;
		buf_add_c(out, ' ');
		int r = defaulted ? write_defaulted(&fields, slot, out)
		                  : write_addresses(&fields, slot, out);
		if (r < 0)
			return r;
	}
	buf_add_c(out, ' ');
	write_text(&fields, SLOT_IN_REPLY_TO, out);
	buf_add_c(out, ' ');
	write_text(&fields, SLOT_MESSAGE_ID, out);
	buf_add_c(out, ')');
	return buf_failed(out) ? -E2BIG : 0;
}
