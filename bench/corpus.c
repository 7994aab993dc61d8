#include "corpus.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	WORDS = 6000,
	WORD_LEN = 16,
	NAMES = 400,
	COLUMNS = 72,
	ANCESTORS_MAX = 8,
	SUBJECT_PERIOD = 100,
	COMMON_PERIOD = 5,
	RARE_PERIOD = 5000,
	FIRST_DAY = 1704067200, /* 2024-01-01 */
	MESSAGE_EVERY_S = 420,
	KINDS = 20,
};

enum kind { PLAIN, QUOTED, ALTERNATIVE, ATTACHMENT };

struct out {
	char *to;
	size_t len;
	uint64_t random;
	unsigned column;
};

static const struct {
	const char *text, *written;
} marks[CORPUS_MARKS] = {
    [CORPUS_SUBJECT] = {"budget", "budget"},
    [CORPUS_COMMON] = {"meeting", "meeting"},
    [CORPUS_RARE] = {"quarterdeck", "quarterdeck"},
    [CORPUS_SUBSTRING] = {"rzyxoli", "prerzyxolimate"},
};

/* splitmix64: the same everywhere, and good enough to look irregular */
static uint64_t mixed(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static unsigned pick(struct out *o, unsigned below)
{
	o->random = mixed(o->random);
	return (unsigned)(o->random >> 33) % below;
}

__attribute__((format(printf, 2, 3))) static void put(struct out *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(o->to + o->len, 1024, format, args);
	va_end(args);
	assert(len >= 0 && len < 1024);
	o->len += (size_t)len;
}

/* A word of the made-up language: consonant and vowel by turns, so that no mark is among them. */
static const char *word(unsigned index)
{
	static char words[WORDS][WORD_LEN];
	char *w = words[index];

	if (w[0] == '\0') {
		uint64_t random = mixed(index + 1000003u);
		unsigned syllables = 1 + (index > 60) + (index > 600) + (unsigned)(random & 1),
		         n = 0;
		for (unsigned s = 0; s < syllables; s++) {
			random = mixed(random);
			w[n++] = "bdfgklmnprstv"[random % 13];
			w[n++] = "aeiou"[(random >> 8) % 5];
		}
		if (random >> 63)
			w[n++] = "nrs"[(random >> 16) % 3];
	}
	return w;
}

/* A few words are most of a text: about as Zipf has it. */
static const char *any_word(struct out *o)
{
	double u = (double)pick(o, 1u << 20) / (1u << 20);

	return word((unsigned)(u * u * u * u * WORDS));
}

static bool is_reply(unsigned number)
{
	return number > 0 && mixed(number * 7919u) % 5 < 2;
}

static unsigned parent_of(unsigned number)
{
	unsigned back = 1 + (unsigned)(mixed(number * 104729u) % 60);

	return back > number ? number - 1 : number - back;
}

static unsigned root_of(unsigned number)
{
	while (is_reply(number))
		number = parent_of(number);
	return number;
}

const char *corpus_mark_text(enum corpus_mark mark)
{
	return marks[mark].text;
}

bool corpus_has(enum corpus_mark mark, unsigned number)
{
	switch (mark) {
	case CORPUS_SUBJECT:
		return root_of(number) % SUBJECT_PERIOD == 7;
	case CORPUS_COMMON:
		return number % COMMON_PERIOD == 3;
	case CORPUS_RARE:
		return number % RARE_PERIOD == 777;
	case CORPUS_SUBSTRING:
		return number % RARE_PERIOD == 1234;
	case CORPUS_MARKS:
		break;
	}
	return false;
}

bool corpus_is_seen(unsigned number)
{
	return mixed(number + 77) % 10 < 7;
}

const char *corpus_flags(unsigned number)
{
	bool flagged = mixed(number + 99) % 20 == 0;

	if (corpus_is_seen(number))
		return flagged ? "(\\Seen \\Flagged)" : "(\\Seen)";
	return flagged ? "(\\Flagged)" : "()";
}

/* When it was written; it arrives up to two days later, in another order. */
static time_t written_at(unsigned number)
{
	return FIRST_DAY + (time_t)number * MESSAGE_EVERY_S +
	       (time_t)(mixed(number + 5) % (2 * 86400));
}

static void put_date(unsigned number, const char *format, char *to, size_t room)
{
	time_t at = written_at(number);
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(to, room, format, &tm);
}

void corpus_internal_date(unsigned number, char *to, size_t room)
{
	time_t at = FIRST_DAY + (time_t)number * MESSAGE_EVERY_S + 2 * 86400;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(to, room, "\"%d-%b-%Y %H:%M:%S +0000\"", &tm);
}

static void put_address(struct out *o, unsigned person)
{
	const char *first = word(700 + person % NAMES), *last = word(1500 + person * 7 % NAMES);

	put(o, "%c%s %c%s <%s.%s@%s.example>", first[0] - 32, first + 1, last[0] - 32, last + 1,
	    first, last, word(3000 + person % 90));
}

static void put_subject(struct out *o, unsigned number)
{
	unsigned root = root_of(number);
	struct out subject = {.random = root * 31u + 1, .to = o->to, .len = o->len};
	unsigned words = 3 + pick(&subject, 5);

	put(&subject, "Subject: %s", root != number ? "Re: " : "");
	if (corpus_has(CORPUS_SUBJECT, root))
		put(&subject, "%s ", marks[CORPUS_SUBJECT].written);
	for (unsigned i = 0; i < words; i++)
		put(&subject, "%s ", any_word(&subject));
	put(&subject, "%u\r\n", root);
	o->len = subject.len;
}

static void put_message_id(struct out *o, unsigned number)
{
	put(o, "<%u.%llx@%s.example>", number, (unsigned long long)mixed(number) >> 20,
	    word(3000 + number % 90));
}

static void put_references(struct out *o, unsigned number)
{
	unsigned ancestors[ANCESTORS_MAX], n = 0;

	if (!is_reply(number))
		return;
	for (unsigned at = number; is_reply(at) && n < ANCESTORS_MAX; n++)
		at = ancestors[n] = parent_of(at);
	put(o, "In-Reply-To: ");
	put_message_id(o, ancestors[0]);
	put(o, "\r\nReferences:");
	while (n > 0) {
		put(o, "%s", " ");
		put_message_id(o, ancestors[--n]);
		put(o, "%s", n > 0 ? "\r\n" : "");
	}
	put(o, "\r\n");
}

static void put_base64(struct out *o, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len / 4 * 4; i++) {
		o->to[o->len++] = digits[pick(o, 64)];
		if (i % 76 == 75)
			put(o, "\r\n");
	}
	put(o, "\r\n");
}

static void put_trace(struct out *o, unsigned number)
{
	char date[CORPUS_DATE_LEN];

	put_date(number, "%a, %d %b %Y %H:%M:%S +0000", date, sizeof(date));
	put(o,
	    "Received: from mx%u.%s.example (mx%u.%s.example [192.0.2.%u])\r\n"
	    "\tby mx.example.test with ESMTPS id %08x\r\n\tfor <user@example.test>; %s\r\n",
	    number % 4, word(3000 + number % 90), number % 4, word(3000 + number % 90),
	    number % 250, (unsigned)mixed(number), date);
	put(o,
	    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s.example; s=k1;\r\n"
	    "\th=from:to:subject:date:message-id; b=",
	    word(3000 + number % 90));
	for (unsigned line = 0; line < 5; line++)
		put(o, "%s%016llx%016llx%016llx", line ? "\r\n\t " : "",
		    (unsigned long long)mixed(o->random + line),
		    (unsigned long long)mixed(o->random + line + 9),
		    (unsigned long long)mixed(o->random + line + 18));
	put(o, "\r\n");
}

static void put_header(struct out *o, unsigned number)
{
	char date[CORPUS_DATE_LEN];
	unsigned more = pick(o, 8);

	put_trace(o, number);
	put(o, "From: ");
	put_address(o, pick(o, 5000));
	put(o, "\r\nTo: User One <user1@example.test>");
	for (unsigned i = 0; more > 4 && i < more - 4; i++) {
		put(o, ",\r\n\t");
		put_address(o, pick(o, 5000));
	}
	if (more == 1) {
		put(o, "\r\nCc: ");
		put_address(o, pick(o, 5000));
	}
	put(o, "\r\n");
	put_subject(o, number);
	put_date(number, "%a, %d %b %Y %H:%M:%S +0000", date, sizeof(date));
	put(o, "Date: %s\r\nMessage-ID: ", date);
	put_message_id(o, number);
	put(o, "\r\n");
	put_references(o, number);
	put(o, "User-Agent: Example Mail %u.%u\r\nMIME-Version: 1.0\r\n", number % 9, number % 7);
}

static void put_word(struct out *o, const char *text)
{
	size_t before = o->len;

	put(o, "%s", text);
	o->column += (unsigned)(o->len - before) + 1;
	if (o->column > COLUMNS) {
		put(o, "\r\n");
		o->column = 0;
	} else {
		put(o, " ");
	}
}

static void put_marks(struct out *o, unsigned number)
{
	for (enum corpus_mark m = CORPUS_COMMON; m < CORPUS_MARKS; m++)
		if (corpus_has(m, number))
			put_word(o, marks[m].written);
}

/* Text of about `len` bytes; quoted: with letters of Latin in quoted-printable (RFC 2045 §6.7). */
static void put_text(struct out *o, size_t len, bool quoted)
{
	size_t end = o->len + len;

	while (o->len < end) {
		unsigned words = 4 + pick(o, 14);
		for (unsigned i = 0; i < words; i++)
			put_word(o, any_word(o));
		put_word(o, quoted ? "f=C3=BCr." : "end.");
		if (pick(o, 5) == 0) {
			put(o, "\r\n\r\n");
			o->column = 0;
		}
	}
	put(o, "\r\n");
	o->column = 0;
}

static void put_marked_text(struct out *o, unsigned number, size_t len, bool quoted)
{
	put_text(o, len / 2, quoted);
	put_marks(o, number);
	put_text(o, len / 2, quoted);
}

static void put_alternative(struct out *o, unsigned number, size_t len)
{
	put(o, "Content-Type: multipart/alternative; boundary=\"=_b%u\"\r\n\r\n--=_b%u\r\n", number,
	    number);
	put(o, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	put_marked_text(o, number, len * 4 / 10, false);
	put(o, "--=_b%u\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>\r\n",
	    number);
	put_text(o, len * 5 / 10, false);
	put(o, "</p></body></html>\r\n--=_b%u--\r\n", number);
}

static void put_attachment(struct out *o, unsigned number, size_t len)
{
	put(o, "Content-Type: multipart/mixed; boundary=\"=_b%u\"\r\n\r\n--=_b%u\r\n", number,
	    number);
	put(o, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	put_marked_text(o, number, len * 4 / 10, false);
	put(o,
	    "--=_b%u\r\nContent-Type: application/pdf; name=\"%s.pdf\"\r\n"
	    "Content-Disposition: attachment; filename=\"%s.pdf\"\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n",
	    number, any_word(o), word(number % WORDS));
	put_base64(o, len * 5 / 10);
	put(o, "--=_b%u--\r\n", number);
}

static enum kind kind_of(unsigned number)
{
	unsigned of = (unsigned)(mixed(number + 31337) % KINDS);

	return of < 12 ? PLAIN : of < 14 ? QUOTED : of < 18 ? ALTERNATIVE : ATTACHMENT;
}

size_t corpus_message(unsigned number, size_t size, char *to)
{
	struct out o = {.to = to, .random = number + 424243u};

	put_header(&o, number);
	size_t len = size > o.len + 400 ? size - o.len - 100 : 300;
	switch (kind_of(number)) {
	case PLAIN:
		put(&o, "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
		put_marked_text(&o, number, len, false);
		break;
	case QUOTED:
		put(&o, "Content-Type: text/plain; charset=utf-8\r\n"
		        "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
		put_marked_text(&o, number, len, true);
		break;
	case ALTERNATIVE:
		put_alternative(&o, number, len);
		break;
	case ATTACHMENT:
		put_attachment(&o, number, len);
		break;
	}
	return o.len;
}
