/* Any bytes as a message: the texts are what IMAP's grammar allows between parentheses. */
#include <assert.h>
#include <stdint.h>

#include "base/num.h"
#include "base/utf8.h"
#include "mail/envelope_reader.h"
#include "mail/summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void skip_quoted(struct str *rest)
{
	*rest = str_from(*rest, 1);
	while (rest->p[0] != '"') {
		if (rest->p[0] == '\\')
			*rest = str_from(*rest, 1);
		assert((unsigned char)rest->p[0] < 0x80 && rest->p[0] != '\0');
		assert(rest->p[0] != '\r' && rest->p[0] != '\n');
		*rest = str_from(*rest, 1);
		assert(rest->len > 0);
	}
	*rest = str_from(*rest, 1);
}

static void skip_literal(struct str *rest)
{
	uint64_t n;

	*rest = str_from(*rest, 1);
	assert(num_parse(str_cut(rest, '}'), rest->len, &n));
	assert(str_skip(rest, STR("\r\n")) && n <= rest->len);
	assert(str_index(str_first(*rest, n), '\0') == n);
	*rest = str_from(*rest, n);
}

/* Strings, literals, numbers, NIL and balanced parentheses, nothing else. */
static void check_text(struct str text)
{
	struct str rest = text;
	size_t depth = 0;

	assert(str_starts(text, STR("(")));
	while (rest.len > 0) {
		char c = rest.p[0];
		if (c == '"') {
			skip_quoted(&rest);
		} else if (c == '{') {
			skip_literal(&rest);
		} else if (!str_skip(&rest, STR("NIL"))) {
			assert(c == '(' || c == ')' || c == ' ' || ascii_is_digit(c));
			assert(c != ')' || depth > 0);
			depth = depth + (c == '(') - (c == ')');
			rest = str_from(rest, 1);
			assert(depth > 0 || rest.len == 0);
		}
	}
	assert(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(SUMMARY_ARENA_MAX);
	struct summary summary;

	struct mail_source source = mail_source_of(str_of(data, len));
	assert(summary_make(&source, &a, &summary) == 0);
	check_text(summary.envelope);
	check_text(summary.body);
	check_text(summary.bodystructure);
	assert(utf8_is_valid(summary.subject));
	struct envelope_firsts firsts;
	assert(envelope_read_firsts(summary.envelope, &a, &firsts));
	assert(summary.n_in_references <= summary.n_references);
	return 0;
}
