#include "mail/dsn.h"

#include "base/num.h"
#include "mail/date.h"
#include "mail/transfer.h"

enum { LINE_LEN = 76, WORD_LEN_MAX = 500 };

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool dsn_needs_smtputf8(const struct dsn *dsn)
{
	return !is_ascii(dsn->to);
}

/* --- single values --- */

/* One line of somebody else's: no control characters; bytes that are no ASCII only where the part
 * is declared for them. */
static void add_clean(struct buf *out, struct str value, bool utf8)
{
	value = str_first(value, DSN_TEXT_LEN_MAX);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.p[i];
		bool fine = (c >= ' ' && c < 0x7f) || (utf8 && c >= 0x80);
		buf_add_c(out, fine ? (char)c : c == '\t' || c == '\r' || c == '\n' ? ' ' : '?');
	}
}

/* Words of `value` in lines, each further one beginning with `indent`. No line comes near the 998
 * bytes of RFC 5322 §2.1.1: what is no word is cut. */
static void add_folded(
    struct buf *out, struct str value, struct str indent, size_t column, bool utf8)
{
	value = str_trim(str_first(value, DSN_TEXT_LEN_MAX));
	for (bool first = true; value.len > 0; first = false) {
		struct str word = str_first(str_cut(&value, ' '), WORD_LEN_MAX);
		if (word.len == 0)
			continue;
		if (!first && column + 1 + word.len > LINE_LEN) {
			buf_add(out, STR("\r\n"));
			buf_add(out, indent);
			column = indent.len;
		} else if (!first) {
			buf_add_c(out, ' ');
			column++;
		}
		add_clean(out, word, utf8);
		column += word.len;
	}
}

static void add_date(struct buf *out, struct str name, int64_t at_s)
{
	if (at_s == 0)
		return;
	buf_add(out, name);
	buf_add(out, STR(": "));
	date_format((struct date){.epoch_s = at_s}, out);
	buf_add(out, STR("\r\n"));
}

/* --- the first part: for people --- */

static const struct {
	struct str subject, sentence;
} of_action[N_DSN_ACTIONS] = {
    [DSN_FAILED] = {STR_INIT("Not delivered"), STR_INIT("could not be delivered to")},
    [DSN_DELAYED] = {STR_INIT("Delayed"), STR_INIT("has not been delivered yet to")},
    [DSN_DELIVERED] = {STR_INIT("Delivered"), STR_INIT("was delivered to")},
    [DSN_RELAYED] = {STR_INIT("Handed on"),
        STR_INIT("was handed to a server that will send no further notice, for")},
    [DSN_EXPANDED] = {STR_INIT("Delivered to a list"), STR_INIT("was delivered to the list")},
};

/* What somebody can do about it, by the enhanced status code (RFC 3463); the first that fits. */
static const struct {
	struct str status, advice;
} advices[] = {
    {STR_INIT("5.1.1"),
        STR_INIT("This mailbox does not exist there. Check the address for a typing error.")},
    {STR_INIT("5.1.2"), STR_INIT("There is no such mail domain. Check what stands behind the @.")},
    {STR_INIT("5.1.10"),
        STR_INIT("This domain takes no mail at all. Check what stands behind the @.")},
    {STR_INIT("5.1.3"), STR_INIT("The address is not written correctly.")},
    {STR_INIT("5.1.6"), STR_INIT("The mailbox has moved. Ask for the new address.")},
    {STR_INIT("5.1."), STR_INIT("Check the address for a typing error.")},
    {STR_INIT("5.2.2"), STR_INIT("The mailbox is full. Tell its owner in another way.")},
    {STR_INIT("5.2.3"),
        STR_INIT("The message is larger than this mailbox takes. Send a smaller one.")},
    {STR_INIT("5.2."), STR_INIT("The mailbox takes no mail at present.")},
    {STR_INIT("5.3.4"),
        STR_INIT("The message is larger than that server takes. Send a smaller one.")},
    {STR_INIT("5.4.6"), STR_INIT("The message went round in a circle. The administrators of the "
                                 "two sides have to look at it.")},
    {STR_INIT("5.4.7"),
        STR_INIT(
            "It was tried again and again until the time was over. Nothing more will be tried.")},
    {STR_INIT("5.4."), STR_INIT("Their server could not be reached. Nothing more will be tried; "
                                "you can send it again later.")},
    {STR_INIT("5.6.7"), STR_INIT("The address or header has letters that the other server does not "
                                 "know. Use an address of plain letters.")},
    {STR_INIT("5.6."), STR_INIT("The other server does not take messages of this form.")},
    {STR_INIT("5.7.10"),
        STR_INIT("You asked for encryption on the whole way, and it could not be had.")},
    {STR_INIT("5.7."), STR_INIT("The other server refuses it by its rules. Its answer above may "
                                "say why; else ask the recipient in another way.")},
    {STR_INIT("4."), STR_INIT("You need not do anything: it will be tried again by itself.")},
    {STR_INIT("5."), STR_INIT("Nothing more will be tried.")},
};

static struct str advice_of(const struct dsn_recipient *r)
{
	if (r->action == DSN_FAILED || r->action == DSN_DELAYED)
		for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
			struct str status = advices[i].status;
			bool whole = status.p[status.len - 1] != '.';
			if (whole ? str_eq(r->status, status) : str_starts(r->status, status))
				return advices[i].advice;
		}
	return STR("");
}

static void add_paragraph(struct buf *out, struct str text, bool utf8)
{
	if (text.len == 0)
		return;
	buf_add(out, STR("    "));
	add_folded(out, text, STR("    "), 4, utf8);
	buf_add(out, STR("\r\n"));
}

static void add_for_people(struct buf *out, const struct dsn_recipient *r, bool utf8)
{
	buf_add(out, STR("\r\n  "));
	add_clean(out, r->recipient, utf8);
	buf_add(out, STR("\r\n"));
	if (r->reply.len > 0) {
		buf_add(out, STR("    "));
		add_clean(out, r->mta.len > 0 ? r->mta : STR("The other server"), utf8);
		buf_add(out, STR(" answered:\r\n"));
		add_paragraph(out, r->reply, utf8);
	}
	add_paragraph(out, r->reason, utf8);
	add_paragraph(out, advice_of(r), utf8);
	if (r->action == DSN_DELAYED && r->retry_until_s != 0) {
		buf_add(out, STR("    It will be tried until "));
		date_format((struct date){.epoch_s = r->retry_until_s}, out);
		buf_add(out, STR(".\r\n"));
	}
}

/* All recipients of one action together, behind one sentence. */
static void add_group(struct buf *out, const struct dsn *dsn, enum dsn_action action, bool utf8)
{
	bool any = false;

	for (size_t i = 0; i < dsn->n_recipients; i++) {
		if (dsn->recipients[i].action != action)
			continue;
		if (!any) {
			buf_add(out, STR("\r\nYour message "));
			buf_add(out, of_action[action].sentence);
			buf_add(out, STR(":\r\n"));
		}
		any = true;
		add_for_people(out, &dsn->recipients[i], utf8);
	}
}

static void add_text(struct buf *out, const struct dsn *dsn, bool utf8)
{
	buf_add(out, STR("This is the mail server "));
	add_clean(out, dsn->host, false);
	buf_add(out, STR(".\r\n"));
	for (enum dsn_action action = 0; action < N_DSN_ACTIONS; action++)
		add_group(out, dsn, action, utf8);
	buf_add(out, STR("\r\nThe parts below are for mail programs and administrators.\r\n"));
}

/* --- the second part: for programs --- */

/* "type;address"; a type that says UTF-8 where nothing is, or nothing where it is, is put right
 * (RFC 6533 §3, §4.1). */
static void add_address(struct buf *out, struct str name, struct str address)
{
	buf_add(out, name);
	buf_add(out, is_ascii(address) ? STR(": rfc822;") : STR(": utf-8;"));
	add_clean(out, address, true);
	buf_add(out, STR("\r\n"));
}

/* RFC 3464 §2.3; what "mta" has behind its name is a comment. */
static void add_mta(struct buf *out, struct str mta)
{
	if (mta.len == 0)
		return;
	struct str name = str_cut(&mta, ' ');
	buf_add(out, STR("Remote-MTA: dns;"));
	add_clean(out, name, false);
	if (mta.len > 0) {
		buf_add(out, STR(" ("));
		add_clean(out, mta, false);
		buf_add_c(out, ')');
	}
	buf_add(out, STR("\r\n"));
}

/* RFC 6533 §4.1: Diagnostic-Code stays ASCII, and what does not goes into a field of its own. */
static void add_diagnostic(struct buf *out, struct str reply)
{
	static const struct str name = STR_INIT("Diagnostic-Code: smtp; ");

	if (reply.len == 0)
		return;
	buf_add(out, name);
	add_folded(out, reply, STR(" "), name.len, false);
	buf_add(out, STR("\r\n"));
	if (is_ascii(reply))
		return;
	buf_add(out, STR("Localized-Diagnostic: i-default; "));
	add_folded(out, reply, STR(" "), 33, true);
	buf_add(out, STR("\r\n"));
}

static void add_for_programs(struct buf *out, const struct dsn_recipient *r)
{
	static const char *const actions[N_DSN_ACTIONS] = {
	    [DSN_FAILED] = "failed",
	    [DSN_DELAYED] = "delayed",
	    [DSN_DELIVERED] = "delivered",
	    [DSN_RELAYED] = "relayed",
	    [DSN_EXPANDED] = "expanded",
	};

	buf_add(out, STR("\r\n"));
	if (r->original_recipient.len > 0) {
		buf_add(out, STR("Original-Recipient: "));
		add_clean(out, r->original_recipient, true);
		buf_add(out, STR("\r\n"));
	}
	add_address(out, STR("Final-Recipient"), r->recipient);
	buf_add(out, STR("Action: "));
	buf_add(out, str_of_cstr(actions[r->action]));
	buf_add(out, STR("\r\nStatus: "));
	add_clean(out, r->status.len > 0 ? r->status : STR("5.0.0"), false);
	buf_add(out, STR("\r\n"));
	add_mta(out, r->mta);
	add_diagnostic(out, r->reply);
	add_date(out, STR("Last-Attempt-Date"), r->last_attempt_s);
	if (r->action == DSN_DELAYED)
		add_date(out, STR("Will-Retry-Until"), r->retry_until_s);
}

static void add_status(struct buf *out, const struct dsn *dsn)
{
	if (dsn->envelope_id.len > 0) {
		buf_add(out, STR("Original-Envelope-Id: "));
		add_clean(out, dsn->envelope_id, false);
		buf_add(out, STR("\r\n"));
	}
	buf_add(out, STR("Reporting-MTA: dns;"));
	add_clean(out, dsn->host, false);
	buf_add(out, STR("\r\n"));
	add_date(out, STR("Arrival-Date"), dsn->arrived_s);
	for (size_t i = 0; i < dsn->n_recipients; i++)
		add_for_programs(out, &dsn->recipients[i]);
}

/* --- the message --- */

static void add_delimiter(struct buf *out, const struct dsn *dsn, struct str end)
{
	buf_add(out, STR("\r\n--"));
	buf_add(out, dsn->boundary);
	buf_add(out, end);
	buf_add(out, STR("\r\n"));
}

/* The worst that is told: one failure makes it a notification of failure. */
static enum dsn_action action_of(const struct dsn *dsn)
{
	enum dsn_action action = N_DSN_ACTIONS - 1;

	for (size_t i = 0; i < dsn->n_recipients; i++)
		if (dsn->recipients[i].action < action)
			action = dsn->recipients[i].action;
	return action;
}

static void add_subject(struct buf *out, const struct dsn *dsn)
{
	buf_add(out, STR("Subject: "));
	buf_add(out, of_action[action_of(dsn)].subject);
	if (dsn->subject.len > 0 && (is_ascii(dsn->subject) || dsn_needs_smtputf8(dsn))) {
		buf_add(out, STR(": "));
		add_folded(out, dsn->subject, STR(" "), 24, true);
	}
	buf_add(out, STR("\r\n"));
}

static void add_header(struct buf *out, const struct dsn *dsn)
{
	add_date(out, STR("Date"), dsn->at_s);
	buf_add(out, STR("From: Mail delivery <"));
	add_clean(out, dsn->from, false);
	buf_add(out, STR(">\r\nTo: <"));
	add_clean(out, dsn->to, true);
	buf_add(out, STR(">\r\n"));
	add_subject(out, dsn);
	buf_add(out, STR("Message-ID: <"));
	add_clean(out, dsn->message_id, false);
	buf_add(out, STR(">\r\n"));
	if (dsn->references.len > 0 && is_ascii(dsn->references)) {
		buf_add(out, STR("In-Reply-To: "));
		add_clean(out, dsn->references, false);
		buf_add(out, STR("\r\nReferences: "));
		add_clean(out, dsn->references, false);
		buf_add(out, STR("\r\n"));
	}
	/* RFC 3834 §5: nobody's program answers this. */
	buf_add(out, STR("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	                 "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	                 " boundary=\""));
	buf_add(out, dsn->boundary);
	buf_add(out, STR("\"\r\n"));
}

static bool has_utf8(const struct dsn *dsn)
{
	for (size_t i = 0; i < dsn->n_recipients; i++) {
		const struct dsn_recipient *r = &dsn->recipients[i];
		if (!is_ascii(r->recipient) || !is_ascii(r->original_recipient) ||
		    !is_ascii(r->reply) || !is_ascii(r->reason))
			return true;
	}
	return false;
}

static void add_content_header(struct buf *out, const struct dsn *dsn)
{
	static const struct str types[] = {
	    [DSN_HEADER] = STR_INIT("text/rfc822-headers"),
	    [DSN_HEADER_ENCODED] = STR_INIT("message/global-headers"),
	    [DSN_MESSAGE] = STR_INIT("message/rfc822"),
	};

	buf_add(out, STR("Content-Type: "));
	buf_add(out, types[dsn->content]);
	buf_add(out, STR("\r\n"));
	if (dsn->content == DSN_HEADER_ENCODED)
		buf_add(out, STR("Content-Transfer-Encoding: base64\r\n"));
	else if (dsn->content_is_8bit)
		buf_add(out, STR("Content-Transfer-Encoding: 8bit\r\n"));
	buf_add(out, STR("\r\n"));
}

bool dsn_write_begin(const struct dsn *dsn, struct buf *out)
{
	bool utf8 = has_utf8(dsn);

	add_header(out, dsn);
	add_delimiter(out, dsn, STR(""));
	buf_add(out, utf8 ? STR("Content-Type: text/plain; charset=utf-8\r\n"
	                        "Content-Transfer-Encoding: 8bit\r\n\r\n")
	                  : STR("Content-Type: text/plain; charset=us-ascii\r\n\r\n"));
	add_text(out, dsn, utf8);
	add_delimiter(out, dsn, STR(""));
	buf_add(out, utf8 ? STR("Content-Type: message/global-delivery-status\r\n"
	                        "Content-Transfer-Encoding: 8bit\r\n\r\n")
	                  : STR("Content-Type: message/delivery-status\r\n\r\n"));
	add_status(out, dsn);
	add_delimiter(out, dsn, STR(""));
	add_content_header(out, dsn);
	return !buf_failed(out);
}

bool dsn_write_end(const struct dsn *dsn, struct buf *out)
{
	add_delimiter(out, dsn, STR("--"));
	return !buf_failed(out);
}

bool dsn_encode_header(struct str header, struct buf *out)
{
	return transfer_encode_base64(header, out);
}
