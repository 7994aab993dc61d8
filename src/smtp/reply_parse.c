#include "smtp/reply_parse.h"

#include <stdio.h>

#include "base/num.h"
#include "base/utf8.h"

enum { CODE_LEN = 3, STATUS_DIGITS_MAX = 3 };

/* --- replies --- */

static bool parse_code(struct str line, uint16_t *ret_code)
{
	if (line.len < CODE_LEN || line.p[0] < '2' || line.p[0] > '5' ||
	    !ascii_is_digit(line.p[1]) || !ascii_is_digit(line.p[2]))
		return false;
	*ret_code =
	    (uint16_t)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
	return true;
}

/* "1", "12" or "123" up to `end`, which it skips; at the end of the text where `end` is 0. */
static bool cut_number(struct str *rest, char end, uint16_t *ret_number)
{
	size_t len = 0;
	uint64_t value;

	while (len < rest->len && ascii_is_digit(rest->p[len]))
		len++;
	if (len > STATUS_DIGITS_MAX || !num_parse(str_first(*rest, len), UINT16_MAX, &value))
		return false;
	*rest = str_from(*rest, len);
	if (end != '\0') {
		if (rest->len == 0 || rest->p[0] != end)
			return false;
		*rest = str_from(*rest, 1);
	}
	*ret_number = (uint16_t)value;
	return true;
}

/* Cuts a status code of that class off the front of a line's text, and the space behind it. */
static bool cut_status(
    struct str *text, unsigned class, uint16_t *ret_subject, uint16_t *ret_detail)
{
	struct str rest = *text;
	uint16_t first, subject, detail;

	if (!cut_number(&rest, '.', &first) || first != class ||
	    !cut_number(&rest, '.', &subject) || !cut_number(&rest, '\0', &detail))
		return false;
	if (rest.len > 0 && rest.p[0] != ' ')
		return false;
	*text = str_from(rest, rest.len > 0);
	*ret_subject = subject;
	*ret_detail = detail;
	return true;
}

struct str smtp_answer_cut(struct str *rest)
{
	return str_from(str_cut_line(rest), CODE_LEN + 1);
}

/* One line of a reply whose code is `code` (0: it is the first). */
static bool check_line(struct str line, uint16_t *code, bool *ret_is_last)
{
	uint16_t own;

	if (!parse_code(line, &own) || (*code != 0 && own != *code))
		return false;
	if (line.len > CODE_LEN && line.p[CODE_LEN] != ' ' && line.p[CODE_LEN] != '-')
		return false;
	*code = own;
	*ret_is_last = line.len == CODE_LEN || line.p[CODE_LEN] == ' ';
	return true;
}

/* What is there of a line that has not ended: a stranger is told from its first bytes on. */
static bool can_become_line(struct str part, uint16_t code)
{
	bool is_last;
	const char first = (char)('0' + (code != 0 ? code / 100 : 2));
	char whole[] = {first, (char)('0' + code / 10 % 10), (char)('0' + code % 10), ' '};

	memcpy(whole, part.p, num_min(part.len, sizeof(whole)));
	if (whole[CODE_LEN] == '\r')
		whole[CODE_LEN] = ' ';
	return check_line(str_of(whole, sizeof(whole)), &code, &is_last);
}

enum smtp_answer_result smtp_answer_parse(
    struct str bytes, struct smtp_answer *ret_answer, size_t *ret_len)
{
	struct str rest = bytes;
	uint16_t code = 0;
	bool is_last = false;

	for (size_t n = 0; !is_last; n++) {
		size_t end = str_index(rest, '\n');
		size_t before = bytes.len - rest.len;
		if (n == SMTP_ANSWER_LINES_MAX || num_min(end, rest.len) >= SMTP_ANSWER_LINE_MAX ||
		    before + end >= SMTP_ANSWER_MAX)
			return SMTP_ANSWER_ENDLESS;
		if (end == rest.len)
			return can_become_line(rest, code) ? SMTP_ANSWER_PARTIAL
			                                   : SMTP_ANSWER_GARBAGE;
		if (!check_line(str_cut_line(&rest), &code, &is_last))
			return SMTP_ANSWER_GARBAGE;
	}
	struct smtp_answer answer = {.code = code, .lines = str_first(bytes, bytes.len - rest.len)};
	struct str lines = answer.lines, text = smtp_answer_cut(&lines);
	answer.enhanced = cut_status(&text, code / 100u, &answer.subject, &answer.detail);
	*ret_answer = answer;
	*ret_len = answer.lines.len;
	return SMTP_ANSWER_COMPLETE;
}

/* --- for people --- */

static bool is_printable(int code_point)
{
	if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0))
		return false;
	/* What turns the direction of writing, or cannot be seen (BIDI controls, separators). */
	return !(code_point >= 0x200b && code_point <= 0x200f) &&
	       !(code_point >= 0x2028 && code_point <= 0x202e) &&
	       !(code_point >= 0x2060 && code_point <= 0x206f) && code_point != 0xfeff;
}

static void add_visible(struct str s, size_t room, struct buf *out)
{
	size_t start = out->len;

	while (s.len > 0) {
		struct str before = s;
		int code_point = utf8_next(&s);
		struct str bytes = str_first(before, before.len - s.len);
		if (code_point == UTF8_INVALID || !is_printable(code_point))
			bytes = STR("?");
		if (out->len - start + bytes.len > room || !buf_add(out, bytes))
			return;
	}
}

void smtp_answer_text(const struct smtp_answer *answer, struct buf *out)
{
	struct str rest = answer->lines;
	size_t start = out->len;

	while (rest.len > 0) {
		uint16_t subject, detail;
		struct str text = smtp_answer_cut(&rest);
		(void)cut_status(&text, answer->code / 100u, &subject, &detail);
		text = str_trim(text);
		size_t used = out->len - start;
		if (text.len == 0 || used + 1 >= SMTP_ANSWER_TEXT_MAX)
			continue;
		if (used > 0)
			buf_add_c(out, ' ');
		add_visible(text, SMTP_ANSWER_TEXT_MAX - used - 1, out);
	}
}

struct smtp_status smtp_answer_status(const struct smtp_answer *answer)
{
	struct smtp_status status;

	snprintf(status.text, sizeof(status.text), "%u.%u.%u", answer->code / 100u,
	    answer->enhanced ? answer->subject % 1000u : 0,
	    answer->enhanced ? answer->detail % 1000u : 0);
	return status;
}

/* --- EHLO --- */

static uint64_t number_or_zero(struct str s)
{
	uint64_t value;

	return num_parse(s, UINT64_MAX, &value) ? value : 0;
}

/* "RCPTMAX=100": RFC 9422 §3 */
static void take_limits(struct str rest, struct smtp_extensions *e)
{
	while (rest.len > 0) {
		struct str word = str_cut(&rest, ' ');
		if (str_skip_nocase(&word, STR("RCPTMAX=")))
			e->rcpt_max = number_or_zero(word);
		else if (str_skip_nocase(&word, STR("MAILMAX=")))
			e->mail_max = number_or_zero(word);
	}
}

static void take_auth(struct str rest, struct smtp_extensions *e)
{
	while (rest.len > 0) {
		struct str word = str_cut(&rest, ' ');
		e->auth_plain |= str_eq_nocase(word, STR("PLAIN"));
		e->auth_login |= str_eq_nocase(word, STR("LOGIN"));
	}
}

/* ehlo-line = ehlo-keyword *( SP ehlo-param )    (RFC 5321 §4.1.1.1) */
static void take_line(struct str line, struct smtp_extensions *e)
{
	const struct {
		struct str keyword;
		bool *flag;
	} flags[] = {
	    {STR("PIPELINING"), &e->pipelining},
	    {STR("CHUNKING"), &e->chunking},
	    {STR("BINARYMIME"), &e->binarymime},
	    {STR("8BITMIME"), &e->eight_bit},
	    {STR("SMTPUTF8"), &e->smtputf8},
	    {STR("DSN"), &e->dsn},
	    {STR("STARTTLS"), &e->starttls},
	    {STR("REQUIRETLS"), &e->requiretls},
	    {STR("DELIVERBY"), &e->deliverby},
	    {STR("SIZE"), &e->size},
	};
	struct str rest = str_trim(line);
	/* Before RFC 2554 some wrote "AUTH=LOGIN". */
	if (str_skip_nocase(&rest, STR("AUTH="))) {
		take_auth(rest, e);
		return;
	}
	struct str keyword = str_cut(&rest, ' ');
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (str_eq_nocase(keyword, flags[i].keyword))
			*flags[i].flag = true;
	if (str_eq_nocase(keyword, STR("SIZE")))
		e->size_max = number_or_zero(str_trim(rest));
	else if (str_eq_nocase(keyword, STR("DELIVERBY")))
		e->deliverby_min = number_or_zero(str_trim(str_cut(&rest, ',')));
	else if (str_eq_nocase(keyword, STR("AUTH")))
		take_auth(rest, e);
	else if (str_eq_nocase(keyword, STR("LIMITS")))
		take_limits(rest, e);
}

void smtp_extensions_parse(const struct smtp_answer *answer, struct smtp_extensions *ret_extensions)
{
	struct str rest = answer->lines;

	*ret_extensions = (struct smtp_extensions){0};
	(void)smtp_answer_cut(&rest); /* the server's name, and a greeting */
	while (rest.len > 0)
		take_line(smtp_answer_cut(&rest), ret_extensions);
}
