#include "mail/outgoing_message.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/mailbox_list.h"

static void PRINTF(2, 3) refuse(struct outgoing_found *f, const char *fmt, ...)
{
	va_list args;

	if (f->verdict != OUTGOING_OK)
		return;
	f->verdict = OUTGOING_MALFORMED;
	va_start(args, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, args);
	va_end(args);
}

/* --- lines --- */

struct scan {
	bool has_8bit, has_nul, has_bare;
	size_t longest;
};

/* One line without its end: what is in it beyond plain text. */
static void scan_line(struct str line, struct scan *s)
{
	unsigned char all = 0;

	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];
		all |= c;
		s->has_nul |= c == 0;
		s->has_bare |= c == '\r';
	}
	s->has_8bit |= (all & 0x80) != 0;
	if (line.len > s->longest)
		s->longest = line.len;
}

/* The next line without its end. */
static struct str next_line(struct str *rest, struct scan *s)
{
	size_t end = str_index(*rest, '\n');
	struct str line = str_first(*rest, end);
	bool is_ended = end < rest->len;

	*rest = str_from(*rest, end + 1);
	if (line.len > 0 && line.p[line.len - 1] == '\r' && is_ended)
		line.len--;
	else
		s->has_bare |= is_ended;
	scan_line(line, s);
	return line;
}

/* A part that says that it is binary may go only where that is known (RFC 2045 §6.2, RFC 3030 §3),
 * whatever is in it. */
static bool is_binary_label(struct str line)
{
	return str_skip_nocase(&line, STR("Content-Transfer-Encoding:")) &&
	       str_eq_nocase(str_trim(line), STR("binary"));
}

static bool has_binary_label(struct str header)
{
	while (header.len > 0)
		if (is_binary_label(str_cut_line(&header)))
			return true;
	return false;
}

/* What no body may have that is not declared binary. */
static void judge_line(struct outgoing_found *f, const struct scan *s, size_t n, bool complete)
{
	if (s->has_bare)
		refuse(f, "line %zu of the body has a CR or LF that is no line end", n);
	else if (s->has_nul && complete)
		refuse(f, "line %zu of the body has a NUL byte", n);
	else if (s->longest > OUTGOING_LINE_MAX && complete)
		refuse(f, "line %zu of the body is longer than %d octets", n, OUTGOING_LINE_MAX);
}

static void scan_body(struct outgoing_found *f, bool complete, enum outgoing_body declared)
{
	struct str rest = f->text;
	struct scan s = {0};
	size_t n = 0;
	bool may_be_binary = declared == OUTGOING_BINARY;
	bool is_labelled = may_be_binary && has_binary_label(f->header);

	while (rest.len > 0 && f->verdict == OUTGOING_OK) {
		struct str line = next_line(&rest, &s);
		n++;
		if (may_be_binary)
			is_labelled |= is_binary_label(line);
		else
			judge_line(f, &s, n, complete);
	}
	bool is_binary = is_labelled || s.has_bare || s.has_nul || s.longest > OUTGOING_LINE_MAX;
	if (is_binary && may_be_binary)
		f->body = OUTGOING_BINARY;
	else if (s.has_8bit)
		f->body = OUTGOING_8BIT;
}

static bool is_field_line(struct str line)
{
	struct str name = str_trim(str_first(line, str_index(line, ':')));

	if (name.len == 0 || str_index(line, ':') == line.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	return true;
}

static void scan_header(struct outgoing_found *f, bool complete)
{
	struct str rest = f->header;
	struct scan s = {0};

	for (size_t n = 1; rest.len > 0 && f->verdict == OUTGOING_OK; n++) {
		struct str line = next_line(&rest, &s);
		bool continues = line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
		if (s.has_bare)
			refuse(f, "line %zu of the header has a CR or LF that is no line end", n);
		else if (s.has_nul)
			refuse(f, "line %zu of the header has a NUL byte", n);
		else if (!complete || line.len == 0)
			continue;
		else if (s.longest > OUTGOING_LINE_MAX)
			refuse(f, "line %zu of the header is longer than %d octets", n,
			    OUTGOING_LINE_MAX);
		else if (continues ? n == 1 : !is_field_line(line))
			refuse(f, "line %zu of the header is no header field", n);
	}
	f->needs_smtputf8 = s.has_8bit;
	if (s.has_8bit && complete && !utf8_is_valid(f->header))
		refuse(f, "the header has bytes that are not UTF-8");
}

/* --- fields --- */

/* RFC 5322 §3.6: at most one of each. */
static const struct str once[] = {
    STR_INIT("From"),
    STR_INIT("Sender"),
    STR_INIT("Reply-To"),
    STR_INIT("To"),
    STR_INIT("Cc"),
    STR_INIT("Subject"),
    STR_INIT("Date"),
    STR_INIT("Message-ID"),
    STR_INIT("In-Reply-To"),
    STR_INIT("References"),
    STR_INIT("MIME-Version"),
    STR_INIT("Content-Type"),
    STR_INIT("Content-Transfer-Encoding"),
};

enum { AT_FROM, AT_SENDER, AT_DATE = 6, AT_MESSAGE_ID };

struct fields {
	size_t counts[ARRAY_LEN(once)];
	struct header_field from, sender;
	struct header_field resent_from, resent_sender; /* of the last time: they stand on top */
	size_t n, n_received, n_resent_from, n_resent_sender;
};

static void note_field(struct outgoing_found *f, const struct header_field *field, struct fields *v)
{
	v->n++;
	for (size_t i = 0; i < ARRAY_LEN(once); i++)
		v->counts[i] += str_eq_nocase(field->name, once[i]);
	if (str_eq_nocase(field->name, once[AT_FROM]))
		v->from = *field;
	if (str_eq_nocase(field->name, once[AT_SENDER]))
		v->sender = *field;
	if (str_eq_nocase(field->name, STR("Resent-From")) && v->n_resent_from++ == 0)
		v->resent_from = *field;
	if (str_eq_nocase(field->name, STR("Resent-Sender")) && v->n_resent_sender++ == 0)
		v->resent_sender = *field;
	v->n_received += str_eq_nocase(field->name, STR("Received"));
	if (str_eq_nocase(field->name, STR("TLS-Required")) &&
	    str_eq_nocase(str_trim(field->value), STR("No")))
		f->tls_optional = true;
}

static bool format_address(const struct address *address, struct arena *a, struct str *ret_text)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(OUTGOING_ADDRESS_MAX);

	if (address->mailbox.len == 0 || address->host.len == 0)
		return false;
	address_local_quote(address->mailbox, &text);
	buf_add_c(&text, '@');
	buf_add(&text, address->host);
	return !buf_failed(&text) && arena_dup(a, buf_str(&text), ret_text);
}

/* The addresses of a field, groups or not: how many, or -1 when one is none or they are too many.
 * `strict`: also when somebody else could read others there. */
static int read_addresses(
    struct str value, bool strict, struct arena *a, struct str *addresses, int max)
{
	struct address *first;
	int n = 0, n_entries = 0;

	if (strict && !mailbox_list_is_strict(value))
		return -1;
	if (address_list_parse(value, a, &first) < 0)
		return -1;
	for (; first != NULL; first = first->next) {
		if (++n_entries == ADDRESS_LIST_MAX)
			return -1; /* what is behind these was not read */
		if (first->kind != ADDRESS_MAILBOX)
			continue;
		if (n == max || !format_address(first, a, &addresses[n]))
			return -1;
		n++;
	}
	return n;
}

static void read_originators(
    struct outgoing_found *f, const struct fields *v, bool complete, struct arena *a)
{
	int n = v->counts[AT_FROM] > 0
	            ? read_addresses(v->from.value, complete, a, f->authors, OUTGOING_AUTHORS)
	            : 0;
	int n_senders = v->counts[AT_SENDER] > 0
	                    ? read_addresses(v->sender.value, complete, a, &f->sender, 1)
	                    : 0;

	f->n_authors = n > 0 ? (size_t)n : 0;
	if (n_senders != 1)
		f->sender = STR("");
	if (!complete)
		return;
	if (v->counts[AT_FROM] == 0)
		refuse(f, "it has no From field");
	else if (n <= 0)
		refuse(f, "its From field does not name 1 to %d addresses like name@example.org",
		    OUTGOING_AUTHORS);
	else if (v->counts[AT_SENDER] > 0 && n_senders != 1)
		refuse(f, "its Sender field does not name one address like name@example.org");
}

/* Who sends it again is its author, too (RFC 5322 §3.6.6): the same rights are asked for. */
static void read_resenders(struct outgoing_found *f, const struct fields *v, struct arena *a)
{
	const struct {
		size_t n;
		const struct header_field *field;
		int most;
	} fields[] = {{v->n_resent_from, &v->resent_from, OUTGOING_AUTHORS},
	    {v->n_resent_sender, &v->resent_sender, 1}};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		int room = (int)(OUTGOING_AUTHORS - f->n_authors);
		if (fields[i].n == 0)
			continue;
		int n = read_addresses(fields[i].field->value, true, a, f->authors + f->n_authors,
		    room < fields[i].most ? room : fields[i].most);
		if (n <= 0)
			refuse(f,
			    "its %.*s field does not name addresses like name@example.org, at most "
			    "%d together with From",
			    STR_FMT(fields[i].field->name), OUTGOING_AUTHORS);
		else
			f->n_authors += (size_t)n;
	}
}

static void read_fields(struct outgoing_found *f, bool complete, struct arena *a)
{
	struct header_reader reader = {.rest = f->header};
	struct header_field field;
	struct fields v = {0};

	while (header_next(&reader, &field))
		note_field(f, &field, &v);
	for (size_t i = 0; complete && i < ARRAY_LEN(once); i++)
		if (v.counts[i] > 1)
			refuse(f, "its header has %zu %.*s fields, and may have one", v.counts[i],
			    STR_FMT(once[i]));
	if (v.n >= HEADER_FIELDS_MAX)
		refuse(f, "its header has more than %d fields", HEADER_FIELDS_MAX - 1);
	f->lacks_date = v.counts[AT_DATE] == 0;
	f->lacks_message_id = v.counts[AT_MESSAGE_ID] == 0;
	if (f->verdict == OUTGOING_OK)
		read_originators(f, &v, complete, a);
	if (f->verdict == OUTGOING_OK && complete)
		read_resenders(f, &v, a);
	if (f->verdict == OUTGOING_OK && v.n_received > OUTGOING_HOPS_MAX) {
		f->verdict = OUTGOING_LOOP;
		snprintf(f->detail, sizeof(f->detail), "it has passed %zu servers: a loop",
		    v.n_received);
	}
}

void outgoing_examine(struct str message, bool complete, enum outgoing_body declared,
    struct arena *a, struct outgoing_found *ret_found)
{
	struct outgoing_found *f = ret_found;

	*f = (struct outgoing_found){.sender = STR("")};
	header_split(message, &f->header, &f->text);
	f->lacks_empty_line =
	    !str_ends(f->header, STR("\r\n\r\n")) && !str_eq(f->header, STR("\r\n"));
	if (f->header.len > OUTGOING_HEADER_MAX)
		refuse(f, "its header is larger than %d bytes", OUTGOING_HEADER_MAX);
	else
		scan_header(f, complete);
	if (f->verdict == OUTGOING_OK)
		read_fields(f, complete, a);
	if (f->verdict == OUTGOING_OK)
		scan_body(f, complete, declared);
	if (f->needs_smtputf8 && f->body == OUTGOING_7BIT)
		f->body = OUTGOING_8BIT;
}

/* --- completing --- */

static bool is_dropped(struct str name, const struct outgoing_completion *with)
{
	return str_eq_nocase(name, STR("Bcc")) || str_eq_nocase(name, STR("Resent-Bcc")) ||
	       str_eq_nocase(name, STR("Return-Path")) ||
	       (with->sender.len > 0 && str_eq_nocase(name, STR("Sender")));
}

bool outgoing_complete(
    const struct outgoing_found *found, const struct outgoing_completion *with, struct buf *out)
{
	struct header_reader reader = {.rest = found->header};
	struct header_field field;

	if (with->sender.len > 0) {
		buf_add(out, STR("Sender: "));
		buf_add(out, with->sender);
		buf_add(out, STR("\r\n"));
	}
	if (found->lacks_date) {
		buf_add(out, STR("Date: "));
		date_format(with->date, out);
		buf_add(out, STR("\r\n"));
	}
	if (found->lacks_message_id) {
		buf_add(out, STR("Message-ID: "));
		buf_add(out, with->message_id);
		buf_add(out, STR("\r\n"));
	}
	while (header_next(&reader, &field)) {
		if (is_dropped(field.name, with))
			continue;
		buf_add(out, field.whole);
		if (!str_ends(field.whole, STR("\r\n")))
			buf_add(out, STR("\r\n"));
	}
	return !buf_failed(out);
}
