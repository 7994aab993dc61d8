/*
 * The words and the arguments of each command without the command around them. The first byte
 * chooses; a literal's bytes are the rest behind the first line of it.
 */
#include <assert.h>

#include "imap/command_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool parse_words(struct imap_parser *p, struct imap_command *c)
{
	struct str word;
	uint64_t number;
	bool binary;

	(void)c;
	if (imap_parse_tag(p, &word) && imap_parse_space(p) && imap_parse_atom(p, &word) &&
	    imap_parse_space(p) && imap_parse_number(p, 1, 1000, &number) &&
	    imap_parse_char(p, '('))
		return imap_parse_nstring(p, &word) && imap_parse_space(p) &&
		       imap_parse_list_mailbox(p, &word) && imap_parse_space(p) &&
		       imap_parse_astring(p, &word) && imap_parse_literal(p, &word, &binary);
	return false;
}

static bool parse_flags(struct imap_parser *p, struct imap_command *c)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	if (!imap_parse_flag_list(p, &c->store.flags) || !imap_parse_space(p) ||
	    !imap_parse_store_flags(p, &c->store.flags))
		return false;
	assert(c->store.flags.n_keywords <= IMAP_FLAGS_MAX);
	imap_system_flags_write(c->store.flags.system, true, &out);
	return true;
}

static bool (*const parsers[])(struct imap_parser *p, struct imap_command *c) = {parse_words,
    parse_flags, imap_parse_id, imap_parse_authenticate, imap_parse_enable, imap_parse_select,
    imap_parse_two_names, imap_parse_list, imap_parse_lsub, imap_parse_status, imap_parse_append,
    imap_parse_search, imap_parse_fetch, imap_parse_store, imap_parse_set_and_name};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(IMAP_COMMAND_ARENA_MAX);
	struct imap_command c = {0};

	if (len == 0)
		return 0;
	struct str text = str_of(data + 1, len - 1);
	size_t line = str_index(text, '\n');
	const struct str literals[] = {str_from(text, line + 1), STR("another")};
	struct imap_text whole = {text, literals, ARRAY_LEN(literals)};
	struct imap_parser p = imap_parser_of(whole, &arena);
	bool good = parsers[data[0] % ARRAY_LEN(parsers)](&p, &c);
	assert(good == (p.error == NULL));
	assert(p.error_at <= text.len && p.rest.len <= text.len);
	return 0;
}
