#include "session/imap/rights.h"

#include <errno.h>

#include "imap/mailbox_name.h"

static const struct {
	char letter;
	unsigned rights;
} letters[] = {
    {'l', STORE_RIGHT_LOOKUP},
    {'r', STORE_RIGHT_READ},
    {'s', STORE_RIGHT_SEEN},
    {'w', STORE_RIGHT_WRITE},
    {'i', STORE_RIGHT_INSERT},
    {'p', STORE_RIGHT_POST},
    {'k', STORE_RIGHT_CREATE},
    {'x', STORE_RIGHT_REMOVE},
    {'t', STORE_RIGHT_DELETE},
    {'e', STORE_RIGHT_EXPUNGE},
    {'a', STORE_RIGHT_ADMINISTER},
    /* Of RFC 2086: never stored, told where any member is there. */
    {'c', STORE_RIGHT_CREATE | STORE_RIGHT_REMOVE},
    {'d', STORE_RIGHT_DELETE | STORE_RIGHT_EXPUNGE},
};

bool imap_rights_read(struct str text, unsigned *ret_rights)
{
	unsigned rights = 0;

	for (size_t i = 0; i < text.len; i++) {
		size_t at = 0;
		while (at < ARRAY_LEN(letters) && letters[at].letter != text.p[i])
			at++;
		if (at == ARRAY_LEN(letters))
			return false;
		rights |= letters[at].rights;
	}
	*ret_rights = rights;
	return true;
}

void imap_rights_write(unsigned rights, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if ((rights & letters[i].rights) != 0)
			buf_add_c(out, letters[i].letter);
}

char imap_right_letter(enum store_right right)
{
	size_t at = 0;

	while (letters[at].rights != right)
		at++;
	return letters[at].letter;
}

static struct imap_result no_right(void)
{
	return IMAP_RESULT_NO("NOPERM", "You have no right to do that here");
}

bool imap_may(
    struct imap_session *s, unsigned rights, uint64_t mailbox, struct imap_result *ret_result)
{
	unsigned has = 0;
	int r = authorize_rights(s->store, &s->subject, mailbox, &has);

	if (r == 0 && (has & rights) == rights)
		return true;
	if (r < 0)
		*ret_result = imap_store_error(s, r);
	else if ((has & STORE_RIGHT_LOOKUP) == 0)
		*ret_result = imap_store_error(s, -ENOENT);
	else
		*ret_result = no_right();
	return false;
}

bool imap_find_permitted(struct imap_session *s, struct str name, unsigned rights,
    struct store_mailbox *ret_mailbox, struct imap_result *ret_result)
{
	return imap_find_mailbox(s, name, false, ret_mailbox, ret_result) &&
	       imap_may(s, rights, ret_mailbox->id, ret_result);
}

bool imap_find_target(struct imap_session *s, struct str name, struct store_mailbox *ret_mailbox,
    struct imap_result *ret_result)
{
	if (!imap_find_mailbox(s, name, true, ret_mailbox, ret_result))
		return false;
	if (imap_may(s, STORE_RIGHT_INSERT, ret_mailbox->id, ret_result))
		return true;
	if (str_eq(ret_result->code, STR("NONEXISTENT")))
		*ret_result = IMAP_RESULT_NO("TRYCREATE", "There is no such mailbox");
	return false;
}

/* The right to the nearest mailbox above that is there: 0, -EACCES, -errno. */
static int may_below(struct imap_session *s, struct str name)
{
	struct store_mailbox above;

	for (size_t i = name.len; i > 0; i--) {
		if (name.p[i - 1] != IMAP_DELIMITER)
			continue;
		int r = store_mailbox_find(s->store, str_first(name, i - 1), &s->arena, &above);
		if (r == 0)
			return authorize_mailbox(
			    s->store, &s->subject, STORE_RIGHT_CREATE, above.id);
		if (r != -ENOENT)
			return r;
	}
	return s->subject.is_owner ? 0 : -EACCES;
}

/* That there is none above sounds like one above that may not be seen. */
bool imap_may_create(struct imap_session *s, struct str name, struct imap_result *ret_result)
{
	int r = may_below(s, name);

	if (r == -EACCES)
		*ret_result = no_right();
	else if (r < 0)
		*ret_result = imap_store_error(s, r);
	return r == 0;
}

uint64_t imap_rights_flags(unsigned rights)
{
	uint64_t others = STORE_FLAGS_MASK & ~(uint64_t)(STORE_SEEN | STORE_DELETED);

	return ((rights & STORE_RIGHT_SEEN) != 0 ? STORE_SEEN : 0) |
	       ((rights & STORE_RIGHT_DELETE) != 0 ? STORE_DELETED : 0) |
	       ((rights & STORE_RIGHT_WRITE) != 0 ? others : 0);
}

void imap_my_rights_write(struct imap_session *s, struct str name, unsigned rights)
{
	struct buf *out = &s->out.buf;

	buf_add(out, STR("* MYRIGHTS "));
	imap_mailbox_name_write(name, s->utf8, out);
	buf_add_c(out, ' ');
	imap_rights_write(rights, out);
	buf_add(out, STR("\r\n"));
}
