/* QUOTA (RFC 9208). An account has one quota root, "", for all its mailboxes. */
#include <errno.h>

#include "imap/mailbox_name.h"
#include "session/imap/commands.h"
#include "session/imap/rights.h"
#include "store/store_annotation.h"
#include "store/store_usage.h"

enum { QUOTA_UNIT = 1024 }; /* RFC 9208 §5.1, §5.4: octets that STORAGE counts in */

static uint64_t in_units(uint64_t octets)
{
	return octets / QUOTA_UNIT + (octets % QUOTA_UNIT > 0);
}

static void write_resource(const char *name, uint64_t used, uint64_t limit, struct buf *out)
{
	buf_printf(out, " %s %llu %llu", name, (unsigned long long)used, (unsigned long long)limit);
}

/* "* QUOTA "" (STORAGE 10 512)": what is not limited is not listed (§4.2.1). */
static int write_quota(struct imap_session *s)
{
	struct buf *out = &s->out.buf;
	uint64_t used, limit, mailboxes, messages, annotations;
	int r = store_usage(s->store, &used, &limit);

	if (r == 0)
		r = store_counts(s->store, &mailboxes, &messages);
	if (r == 0)
		r = store_annotations_usage(s->store, &annotations);
	if (r < 0)
		return r;
	buf_add(out, STR("* QUOTA \"\" ("));
	size_t start = out->len;
	if (limit > 0)
		write_resource("STORAGE", in_units(used), limit / QUOTA_UNIT, out);
	write_resource("MESSAGE", messages, STORE_MESSAGES_MAX, out);
	write_resource("MAILBOX", mailboxes, STORE_MAILBOXES_MAX, out);
	write_resource("ANNOTATION-STORAGE", in_units(annotations),
	    STORE_ANNOTATION_STORAGE_MAX / QUOTA_UNIT, out);
	memmove(out->p + start, out->p + start + 1, out->len - start - 1); /* the first space */
	out->len--;
	buf_add(out, STR(")\r\n"));
	return 0;
}

struct imap_result imap_cmd_getquota(struct imap_session *s, const struct imap_command *c)
{
	if (c->name.len > 0)
		return IMAP_RESULT_NO("NONEXISTENT", "There is no such quota root");
	if (!s->subject.is_owner) /* it counts what lies in all mailboxes */
		return IMAP_RESULT_NO("NOPERM", "That is not yours to see");
	int r = write_quota(s);
	return r < 0 ? imap_store_error(s, r) : IMAP_RESULT_OK("GETQUOTA done");
}

/*
 * The mailbox need not exist (RFC 9208 §4.1.2) for the owner; one that does must be readable (§6),
 * and for others one that is not there is as one that they may not see.
 */
struct imap_result imap_cmd_getquotaroot(struct imap_session *s, const struct imap_command *c)
{
	struct store_mailbox mailbox;
	struct imap_result result;
	struct str name;

	if (!imap_read_name(s, c->name, &name, &result))
		return result;
	int r = store_mailbox_find(s->store, name, &s->arena, &mailbox);
	if (r < 0 && (r != -ENOENT || !s->subject.is_owner))
		return imap_store_error(s, r);
	if (r == 0 && !imap_may(s, STORE_RIGHT_READ, mailbox.id, &result))
		return result;
	buf_add(&s->out.buf, STR("* QUOTAROOT "));
	imap_mailbox_name_write(name, s->utf8, &s->out.buf);
	buf_add(&s->out.buf, STR(" \"\"\r\n"));
	r = write_quota(s);
	return r < 0 ? imap_store_error(s, r) : IMAP_RESULT_OK("GETQUOTAROOT done");
}

/* Limits are the administrator's: the server does not announce QUOTASET. */
struct imap_result imap_cmd_setquota(struct imap_session *s, const struct imap_command *c)
{
	(void)s;
	(void)c;
	return IMAP_RESULT_NO("NOPERM", "Quotas are set by the administrator");
}
