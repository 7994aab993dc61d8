#include "queue/notices.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/log.h"
#include "queue/schedule.h"
#include "seal/cipher.h"

enum { RANDOM_LEN = 16, ID_MAX = 128 + CONFIG_STR_MAX, FIELD_MAX = 1024, FROM_MAX = 640 };

bool notice_is_wanted(const struct queued_message *m, uint8_t notify, enum dsn_action action)
{
	if (m->mail.reverse_path.len == 0 || notify == NOTIFY_NEVER)
		return false;
	switch (action) {
	case DSN_FAILED:
		return notify == 0 || (notify & NOTIFY_FAILURE) != 0;
	case DSN_DELAYED:
		return notify == 0 || (notify & NOTIFY_DELAY) != 0;
	default:
		return (notify & NOTIFY_SUCCESS) != 0;
	}
}

/* --- the message that it is about --- */

/* With the empty line at its end; all of it where there is none. */
static struct str header_of(struct str message)
{
	size_t end = str_find(message, STR("\r\n\r\n"));
	return end == message.len ? message : str_first(message, end + 2);
}

static bool has_8bit(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

/* The value of a short field, on one line; empty where it is not there or is long. */
static struct str field_of(struct str header, struct str name)
{
	while (header.len > 0) {
		struct str line = str_cut_line(&header);
		bool is_folded = header.len > 0 && (header.p[0] == ' ' || header.p[0] == '\t');
		if (str_skip_nocase(&line, name) && str_skip(&line, STR(":")))
			return is_folded || line.len > FIELD_MAX ? STR("") : str_trim(line);
	}
	return STR("");
}

/* --- what is written --- */

/* The domain of this server that a notice speaks for: the sender's, who signed in here, else that
 * of the alias by which the message was passed on, or of the recipient's own mailbox. Empty: none.
 */
static struct str domain_of(
    const struct queued_message *m, const struct queued_recipient *r, struct arena *a)
{
	struct str domain = STR("");
	struct str address = m->account > 0   ? m->mail.reverse_path
	                     : r->via.len > 0 ? r->via
	                                      : r->address;
	return queue_domain_of(address, a, &domain) && domain.p[0] != '[' ? domain : STR("");
}

/* Where mail to a domain's postmaster is answered to (RFC 5321 §4.5.1). */
static void set_from(struct queue *q, const struct queued_message *m,
    const struct queued_recipient *r, struct arena *a, struct dsn *dsn)
{
	struct buf from CLEANUP(buf_done) = BUF_MAX(FROM_MAX);
	struct str domain = domain_of(m, r, a);
	buf_add(&from, STR("postmaster@"));
	buf_add(&from, domain.len > 0 ? domain : str_of_cstr(q->config->hostname));
	if (!arena_dup(a, buf_str(&from), &dsn->from))
		dsn->from = STR("postmaster");
}

static struct dsn_recipient describe(
    const struct notice *n, const struct queued_message *m, struct arena *a)
{
	const struct queued_recipient *r = n->recipient;
	struct dsn_recipient d = {.recipient = r->address,
	    .original_recipient = r->original,
	    .action = n->action,
	    .status = r->status.len > 0 ? r->status : STR("4.0.0"),
	    .mta = r->mta,
	    .last_attempt_s = (int64_t)(r->tried_at / SCHEDULE_SECOND)};
	struct buf reply CLEANUP(buf_done) = BUF_MAX(QUEUE_TEXT_MAX + 8);
	if (r->code > 0 && buf_printf(&reply, "%" PRIu64 " ", r->code) &&
	    buf_add(&reply, str_first(r->text, QUEUE_TEXT_MAX)) &&
	    arena_dup(a, buf_str(&reply), &d.reply))
		d.reason = STR("");
	else
		d.reason = r->text;
	if (n->action == DSN_DELAYED)
		d.retry_until_s = (int64_t)(m->expires_at / SCHEDULE_SECOND);
	return d;
}

static void set_ids(struct dsn *dsn, struct buf *id, struct buf *boundary)
{
	uint8_t random[RANDOM_LEN];
	cipher_random(random, sizeof(random));
	hex_encode(str_of(random, sizeof(random)), id);
	buf_add(boundary, STR("notice-"));
	buf_add(boundary, buf_str(id));
	buf_add_c(id, '@');
	buf_add(id, dsn->host);
	dsn->message_id = buf_str(id);
	dsn->boundary = buf_str(boundary);
}

/* RFC 3461 §4.3, §6.2: the whole message comes back only for failures; never where TLS was required
 * for it (RFC 8689 §5). */
static bool returns_all(const struct queued_message *m, const struct dsn *dsn, struct str message)
{
	if (dsn->recipients[0].action != DSN_FAILED || m->mail.ret == RETURN_HEADERS ||
	    m->mail.require_tls || message.len > NOTICE_FULL_MAX || m->mail.body == 2)
		return false;
	if (m->mail.ret == RETURN_UNSAID && message.len > NOTICE_UNASKED_MAX)
		return false;
	return !has_8bit(header_of(message)) || dsn_needs_smtputf8(dsn);
}

struct content {
	struct buf encoded;
	struct str text;
};

static void choose_content(
    const struct queued_message *m, struct dsn *dsn, struct str message, struct content *c)
{
	struct str header = str_first(header_of(message), NOTICE_HEADER_MAX);
	c->text = header;
	dsn->content = DSN_HEADER;
	if (returns_all(m, dsn, message)) {
		dsn->content = DSN_MESSAGE;
		c->text = message;
	} else if (has_8bit(header) && !dsn_needs_smtputf8(dsn) &&
	           dsn_encode_header(header, &c->encoded)) {
		dsn->content = DSN_HEADER_ENCODED;
		c->text = buf_str(&c->encoded);
	}
	dsn->content_is_8bit = has_8bit(c->text);
}

static int add(struct queue *q, const struct queued_message *about, const struct dsn *dsn,
    struct str content, uint64_t now)
{
	struct buf begin CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);
	struct buf end CLEANUP(buf_done) = BUF_MAX(DSN_LEN_MAX);
	if (!dsn_write_begin(dsn, &begin) || !dsn_write_end(dsn, &end))
		return -EMSGSIZE;
	struct str parts[] = {buf_str(&begin), content, buf_str(&end)};
	uint64_t lifetime = q->config->outbound_lifetime * SCHEDULE_SECOND;
	struct queued_message m = {.origin = ORIGIN_NOTICE,
	    .user = dsn->from,
	    .mail = {.body = dsn->content_is_8bit,
	        .smtputf8 = dsn_needs_smtputf8(dsn),
	        .require_tls = about->mail.require_tls},
	    .received_at = now,
	    .expires_at = now + lifetime,
	    .look_at = now + lifetime};
	uint64_t id = 0;
	int error = queue_db_add(q->db, &m, parts, ARRAY_LEN(parts), &id);
	struct queued_recipient r = {.message = id,
	    .address = about->mail.reverse_path,
	    .notify = NOTIFY_NEVER,
	    .next_at = now};
	/* Directory says whether that is here. */
	if (!error)
		error = queue_db_add_recipient(q->db, &r, STR(QUEUE_LOCAL));
	if (!error)
		log_event(LOG_INFO, "queue.notice",
		    "message=%" PRIu64 " about=%" PRIu64 " action=%d recipients=%zu", id, about->id,
		    (int)dsn->recipients[0].action, dsn->n_recipients);
	return error;
}

static int write_notice(struct queue *q, const struct queued_message *m, struct dsn *dsn,
    struct str message, uint64_t now)
{
	struct buf id CLEANUP(buf_done) = BUF_MAX(ID_MAX);
	struct buf boundary CLEANUP(buf_done) = BUF_MAX(ID_MAX);
	struct content c = {.encoded = BUF_MAX(2 * NOTICE_HEADER_MAX)};
	struct str header = header_of(message);
	dsn->host = str_of_cstr(q->config->hostname);
	dsn->to = m->mail.reverse_path;
	dsn->envelope_id = m->mail.envelope_id;
	dsn->subject = field_of(header, STR("Subject"));
	dsn->references = field_of(header, STR("Message-ID"));
	dsn->at_s = (int64_t)(now / SCHEDULE_SECOND);
	dsn->arrived_s = (int64_t)(m->received_at / SCHEDULE_SECOND);
	set_ids(dsn, &id, &boundary);
	choose_content(m, dsn, message, &c);
	int error = add(q, m, dsn, c.text, now);
	buf_done(&c.encoded);
	return error;
}

static int with_message(
    struct queue *q, const struct queued_message *m, struct dsn *dsn, uint64_t now)
{
	int fd CLEANUP(fd_close) = -1;
	size_t len = (size_t)m->size;
	int error = queue_db_content(q->db, m, &fd);
	if (error == -EBADMSG) {
		/* Its sender shall hear of that, too. */
		queue_report(q, "a message cannot be read", error);
		return write_notice(q, m, dsn, STR(""), now);
	}
	if (error || len == 0)
		return error ? error : write_notice(q, m, dsn, STR(""), now);
	void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	error = write_notice(q, m, dsn, str_of(p, len), now);
	munmap(p, len);
	return error;
}

int notices_add(
    struct queue *q, const struct queued_message *m, const struct notice *v, size_t n, uint64_t now)
{
	struct dsn_recipient recipients[DSN_RECIPIENTS_MAX];
	struct arena a CLEANUP(arena_done) =
	    ARENA_MAX(DSN_RECIPIENTS_MAX * (QUEUE_TEXT_MAX + 64) + 2 * FROM_MAX);
	struct dsn dsn = {.recipients = recipients};
	for (size_t i = 0; i < n && dsn.n_recipients < DSN_RECIPIENTS_MAX; i++) {
		if (!notice_is_wanted(m, v[i].recipient->notify, v[i].action))
			continue;
		if (dsn.n_recipients == 0)
			set_from(q, m, v[i].recipient, &a, &dsn);
		recipients[dsn.n_recipients++] = describe(&v[i], m, &a);
	}
	return dsn.n_recipients > 0 ? with_message(q, m, &dsn, now) : 0;
}
