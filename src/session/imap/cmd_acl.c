/* Access control lists (RFC 4314): SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS. */
#include <errno.h>

#include "imap/mailbox_name.h"
#include "mail/imap_string.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"

/* The identifier in its one spelling, in the arena. */
static bool read_identifier(struct imap_session *s, struct str text, struct str *ret_identifier,
    struct imap_result *ret_result)
{
	struct buf spelled CLEANUP(buf_done) = BUF_MAX(4 * STORE_IDENTIFIER_LEN_MAX);

	if (text.len > 0 && text.p[0] == '-') {
		*ret_result = IMAP_RESULT_NO("CANNOT", "Negative rights are not kept here");
		return false;
	}
	if (!authorize_spell(text, &spelled)) {
		*ret_result = IMAP_RESULT_BAD("That cannot be an identifier");
		return false;
	}
	if (arena_dup(&s->arena, buf_str(&spelled), ret_identifier))
		return true;
	*ret_result = imap_too_much();
	return false;
}

/* mod-rights = ["+" / "-"] rights */
static bool read_change(struct str text, enum store_rights_mode *ret_mode, unsigned *ret_rights)
{
	*ret_mode = STORE_RIGHTS_SET;
	if (str_skip(&text, STR("+")))
		*ret_mode = STORE_RIGHTS_ADD;
	else if (str_skip(&text, STR("-")))
		*ret_mode = STORE_RIGHTS_REMOVE;
	return imap_rights_read(text, ret_rights);
}

/*
 * What is added to or taken from the owner's rights where the list does not name them yet starts
 * from the rights they have without being named.
 */
static int change_rights(struct imap_session *s, uint64_t mailbox, struct str identifier,
    enum store_rights_mode mode, unsigned rights)
{
	unsigned has;

	if (mode == STORE_RIGHTS_SET || !s->subject.is_owner ||
	    !str_eq(identifier, s->subject.user))
		return store_rights_set(s->store, mailbox, identifier, mode, rights);
	int r = authorize_rights(s->store, &s->subject, mailbox, &has);
	if (r < 0)
		return r;
	has = mode == STORE_RIGHTS_ADD ? has | rights : has & ~rights;
	return store_rights_set(s->store, mailbox, identifier, STORE_RIGHTS_SET, has);
}

struct imap_result imap_cmd_setacl(struct imap_session *s, const struct imap_command *c)
{
	bool forget = c->id == IMAP_DELETEACL;
	enum store_rights_mode mode = STORE_RIGHTS_SET;
	struct store_mailbox mailbox;
	struct imap_result result;
	struct str identifier;
	unsigned rights = 0;

	if (!forget && !read_change(c->rights, &mode, &rights))
		return IMAP_RESULT_BAD("The rights are lrswipkxtea, and the old c and d");
	if (!read_identifier(s, c->identifier, &identifier, &result) ||
	    !imap_find_permitted(s, c->name, STORE_RIGHT_ADMINISTER, &mailbox, &result))
		return result;
	int r = forget ? store_rights_forget(s->store, mailbox.id, identifier)
	               : change_rights(s, mailbox.id, identifier, mode, rights);
	if (r < 0)
		return imap_store_error(s, r);
	imap_tell_others(s);
	return IMAP_RESULT_OK(forget ? "DELETEACL done" : "SETACL done");
}

/* rights = astring; nothing granted is an empty string. */
static void write_rights(unsigned rights, struct buf *out)
{
	if (rights == 0)
		buf_add(out, STR("\"\""));
	imap_rights_write(rights, out);
}

/* acl-data = "ACL" SP mailbox *(SP identifier SP rights) */
struct imap_result imap_cmd_getacl(struct imap_session *s, const struct imap_command *c)
{
	struct buf *out = &s->out.buf;
	struct store_mailbox mailbox;
	struct store_grant *grants;
	struct imap_result result;
	bool names_owner = false;
	size_t n;

	if (!imap_find_permitted(s, c->name, STORE_RIGHT_ADMINISTER, &mailbox, &result))
		return result;
	int r = store_rights_list(s->store, mailbox.id, &s->arena, &grants, &n);
	if (r < 0)
		return imap_store_error(s, r);
	buf_add(out, STR("* ACL "));
	imap_mailbox_name_write(mailbox.name, s->utf8, out);
	for (size_t i = 0; i < n; i++) {
		bool owner = s->subject.is_owner && str_eq(grants[i].identifier, s->subject.user);
		names_owner |= owner;
		buf_add_c(out, ' ');
		imap_string_write(grants[i].identifier, out);
		buf_add_c(out, ' ');
		write_rights(grants[i].rights | (owner ? AUTHORIZE_OWNER_ALWAYS : 0), out);
	}
	if (s->subject.is_owner && !names_owner) {
		buf_add_c(out, ' ');
		imap_string_write(s->subject.user, out);
		buf_add_c(out, ' ');
		imap_rights_write(STORE_RIGHTS_ALL, out);
	}
	buf_add(out, STR("\r\n"));
	return IMAP_RESULT_OK("GETACL done");
}

/*
 * listrights-data = "LISTRIGHTS" SP mailbox SP identifier SP rights *(SP rights): first what the
 * identifier always has, then what can be granted, no two of them tied together (RFC 4314 §3.7).
 */
struct imap_result imap_cmd_listrights(struct imap_session *s, const struct imap_command *c)
{
	struct buf *out = &s->out.buf;
	struct store_mailbox mailbox;
	struct imap_result result;
	struct str identifier;

	if (!read_identifier(s, c->identifier, &identifier, &result) ||
	    !imap_find_permitted(s, c->name, STORE_RIGHT_ADMINISTER, &mailbox, &result))
		return result;
	bool owner = s->subject.is_owner && str_eq(identifier, s->subject.user);
	unsigned always = owner ? AUTHORIZE_OWNER_ALWAYS : 0;
	buf_add(out, STR("* LISTRIGHTS "));
	imap_mailbox_name_write(mailbox.name, s->utf8, out);
	buf_add_c(out, ' ');
	imap_string_write(c->identifier, out);
	buf_add_c(out, ' ');
	write_rights(always, out);
	for (unsigned right = 1; right < STORE_RIGHTS_ALL; right <<= 1) {
		if ((always & right) != 0)
			continue;
		buf_add_c(out, ' ');
		buf_add_c(out, imap_right_letter(right));
	}
	buf_add(out, STR(" c d\r\n"));
	return IMAP_RESULT_OK("LISTRIGHTS done");
}

struct imap_result imap_cmd_myrights(struct imap_session *s, const struct imap_command *c)
{
	const unsigned any = STORE_RIGHT_LOOKUP | STORE_RIGHT_READ | STORE_RIGHT_INSERT |
	                     STORE_RIGHT_CREATE | STORE_RIGHT_REMOVE | STORE_RIGHT_ADMINISTER;
	struct store_mailbox mailbox;
	struct imap_result result;
	unsigned rights;

	if (!imap_find_mailbox(s, c->name, false, &mailbox, &result))
		return result;
	int r = authorize_rights(s->store, &s->subject, mailbox.id, &rights);
	if (r == 0 && (rights & any) == 0)
		r = -ENOENT;
	if (r < 0)
		return imap_store_error(s, r);
	imap_my_rights_write(s, mailbox.name, rights);
	return IMAP_RESULT_OK("MYRIGHTS done");
}
