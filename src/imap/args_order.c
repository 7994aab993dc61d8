/* Arguments of SORT, THREAD and ESEARCH, and what all searches may return. */
#include "imap/command_args.h"

/* search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" / "PARTIAL" SP partial-range */
static bool parse_return_option(struct imap_parser *p, struct imap_search *search)
{
	static const struct {
		struct str word;
		enum imap_search_return option;
	} options[] = {
	    {STR_INIT("MIN"), RETURN_MIN},
	    {STR_INIT("MAX"), RETURN_MAX},
	    {STR_INIT("ALL"), RETURN_ALL},
	    {STR_INIT("COUNT"), RETURN_COUNT},
	    {STR_INIT("SAVE"), RETURN_SAVE},
	    {STR_INIT("RELEVANCY"), RETURN_RELEVANCY},
	};

	/* RFC 9394 §3.1: one PARTIAL or one ALL. */
	if ((search->return_options & (RETURN_ALL | RETURN_PARTIAL)) == 0 &&
	    imap_skip_word(p, STR("PARTIAL"))) {
		search->return_options |= RETURN_PARTIAL;
		return imap_parse_space(p) && imap_parse_partial(p, &search->partial);
	}
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		bool excluded = options[i].option == RETURN_ALL &&
		                (search->return_options & RETURN_PARTIAL) != 0;
		if (excluded || !imap_skip_word(p, options[i].word))
			continue;
		search->return_options |= options[i].option;
		return true;
	}
	return imap_fail(p, "MIN, MAX, COUNT, SAVE, RELEVANCY, and one of ALL and PARTIAL");
}

/* search-return-opts = "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" */
bool imap_parse_search_return(struct imap_parser *p, struct imap_search *search)
{
	search->extended = true;
	if (!imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	if (imap_skip(p, ')')) {
		search->return_options = RETURN_ALL; /* RFC 9051 §6.4.4 */
		return true;
	}
	do
		if (!parse_return_option(p, search))
			return false;
	while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/* RFC 6203 §4, §6: neither RETURN (RELEVANCY) nor SORT (RELEVANCY) without FUZZY. */
static bool check_relevancy(
    struct imap_parser *p, const struct imap_search *search, const struct imap_order *order)
{
	bool asked = (search->return_options & RETURN_RELEVANCY) != 0;

	for (size_t i = 0; order != NULL && i < order->n_keys; i++)
		asked |= order->keys[i].by == SORT_RELEVANCY;
	if (asked && !imap_search_is_fuzzy(search->key))
		return imap_fail(p, "FUZZY with RELEVANCY");
	return true;
}

/* search-program = ["CHARSET" SP charset SP] search-key *(SP search-key) */
bool imap_parse_search_program(struct imap_parser *p, struct imap_search *search)
{
	if (imap_skip_word(p, STR("CHARSET"))) {
		if (!imap_parse_space(p) || !imap_parse_astring(p, &search->charset) ||
		    !imap_parse_space(p))
			return false;
	}
	return imap_parse_search_keys(p, &search->key) && check_relevancy(p, search, NULL);
}

/* search-criteria = charset 1*(SP search-key) (RFC 5256 §5) */
static bool parse_criteria(struct imap_parser *p, struct imap_search *search)
{
	return imap_parse_astring(p, &search->charset) && imap_parse_space(p) &&
	       imap_parse_search_keys(p, &search->key);
}

/*
 * sort-criterion = ["REVERSE" SP] sort-key
 * sort-key = "ARRIVAL" / "CC" / "DATE" / "FROM" / "SIZE" / "SUBJECT" / "TO" /
 *            "DISPLAYFROM" / "DISPLAYTO" (RFC 5957 §5) / "RELEVANCY" (RFC 6203 §7)
 */
static bool parse_criterion(struct imap_parser *p, struct imap_sort_key *ret_key)
{
	static const struct str words[] = {
	    [SORT_ARRIVAL] = STR_INIT("ARRIVAL"),
	    [SORT_CC] = STR_INIT("CC"),
	    [SORT_DATE] = STR_INIT("DATE"),
	    [SORT_FROM] = STR_INIT("FROM"),
	    [SORT_SIZE] = STR_INIT("SIZE"),
	    [SORT_SUBJECT] = STR_INIT("SUBJECT"),
	    [SORT_TO] = STR_INIT("TO"),
	    [SORT_DISPLAY_FROM] = STR_INIT("DISPLAYFROM"),
	    [SORT_DISPLAY_TO] = STR_INIT("DISPLAYTO"),
	    [SORT_RELEVANCY] = STR_INIT("RELEVANCY"),
	};
	struct imap_sort_key key = {.reverse = imap_skip_word(p, STR("REVERSE"))};
	size_t by = 0;

	if (key.reverse && !imap_parse_space(p))
		return false;
	while (by < ARRAY_LEN(words) && !imap_skip_word(p, words[by]))
		by++;
	if (by == ARRAY_LEN(words))
		return imap_fail(p, "ARRIVAL, CC, DATE, FROM, SIZE, SUBJECT, TO, DISPLAYFROM, "
		                    "DISPLAYTO or RELEVANCY");
	key.by = (enum imap_sort_by)by;
	*ret_key = key;
	return true;
}

/* sort-criteria = "(" sort-criterion *(SP sort-criterion) ")" */
static bool parse_sort_criteria(struct imap_parser *p, struct imap_order *order)
{
	if (!imap_parse_char(p, '('))
		return false;
	do {
		if (order->n_keys == IMAP_SORT_KEYS_MAX)
			return imap_fail(p, "fewer sort keys");
		if (!parse_criterion(p, &order->keys[order->n_keys]))
			return false;
		order->n_keys++;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/* sort = "SORT" [SP search-return-opts] SP sort-criteria SP search-criteria (RFC 5267 §5) */
bool imap_parse_sort(struct imap_parser *p, struct imap_command *c)
{
	c->order = ARENA_NEW(p->arena, struct imap_order);
	if (c->order == NULL)
		return imap_fail_size(p);
	if (!imap_parse_space(p))
		return false;
	if (imap_skip_word(p, STR("RETURN")) &&
	    (!imap_parse_search_return(p, &c->search) || !imap_parse_space(p)))
		return false;
	return parse_sort_criteria(p, c->order) && imap_parse_space(p) &&
	       parse_criteria(p, &c->search) && check_relevancy(p, &c->search, c->order);
}

/* thread = "THREAD" SP ("ORDEREDSUBJECT" / "REFERENCES") SP search-criteria */
bool imap_parse_thread(struct imap_parser *p, struct imap_command *c)
{
	c->order = ARENA_NEW(p->arena, struct imap_order);
	if (c->order == NULL)
		return imap_fail_size(p);
	if (!imap_parse_space(p))
		return false;
	c->order->by_references = imap_skip_word(p, STR("REFERENCES"));
	if (!c->order->by_references && !imap_skip_word(p, STR("ORDEREDSUBJECT")))
		return imap_fail(p, "REFERENCES or ORDEREDSUBJECT");
	return imap_parse_space(p) && parse_criteria(p, &c->search);
}

/* esearch-source-opts = "IN" SP "(" filter-mailboxes *(SP filter-mailboxes) ")" */
static bool parse_sources(struct imap_parser *p, struct imap_search *search)
{
	struct imap_mailbox_filter **to = &search->sources;
	unsigned n = 0;

	if (!imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	do {
		if (++n > IMAP_FILTERS_MAX)
			return imap_fail(p, "fewer mailboxes");
		if (!imap_parse_mailbox_filter(p, to))
			return false;
		if ((*to)->kind == FILTER_SELECTED_DELAYED) /* RFC 7377 §2.2 */
			return imap_fail(p, "selected instead of selected-delayed before this");
		to = &(*to)->next;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/* RFC 7377 §2.2: a result can only be saved of the selected mailbox. */
static bool can_save(const struct imap_search *search)
{
	for (const struct imap_mailbox_filter *f = search->sources; f != NULL; f = f->next)
		if (f->kind != FILTER_SELECTED)
			return false;
	return true;
}

/* esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program */
bool imap_parse_esearch(struct imap_parser *p, struct imap_command *c)
{
	struct imap_search *search = &c->search;

	if (!imap_parse_space(p))
		return false;
	if (imap_skip_word(p, STR("IN")) && (!parse_sources(p, search) || !imap_parse_space(p)))
		return false;
	if (imap_skip_word(p, STR("RETURN")) &&
	    (!imap_parse_search_return(p, search) || !imap_parse_space(p)))
		return false;
	if ((search->return_options & RETURN_SAVE) != 0 && !can_save(search))
		return imap_fail(
		    p, "RETURN without SAVE for other mailboxes than the selected one");
	return imap_parse_search_program(p, search);
}
