#include <stdlib.h>

#include "session/imap/commands.h"
#include "session/imap/search.h"

struct answering {
	struct imap_session *s;
	const struct imap_command *c;
	const struct search_found *found;
	bool modseq;
};

static uint32_t number_at(const struct answering *a, size_t i)
{
	uint32_t at = a->found->positions[i];

	return a->c->uid ? store_view_entry(a->s->view, at).uid : at + 1;
}

/* "* SEARCH 2 3 6", the form of RFC 3501, with MODSEQ as RFC 7162 §3.1.6. */
static void write_plain(const struct answering *a, struct imap_output *out)
{
	buf_add(&out->buf, STR("* SEARCH"));
	for (size_t i = 0; i < a->found->n; i++) {
		buf_add_c(&out->buf, ' ');
		buf_add_u64(&out->buf, number_at(a, i));
		imap_output_room(out);
	}
	if (a->modseq && a->found->n > 0)
		buf_printf(
		    &out->buf, " (MODSEQ %llu)", (unsigned long long)a->found->highest_modseq);
	buf_add(&out->buf, STR("\r\n"));
}

static void write_all(const struct answering *a, struct buf *out)
{
	struct imap_set_builder set CLEANUP(imap_set_builder_done) = {0};

	for (size_t i = 0; i < a->found->n; i++)
		imap_set_builder_add(&set, number_at(a, i));
	struct imap_set whole = imap_set_builder_set(&set);
	buf_add(out, STR(" ALL "));
	imap_set_write(&whole, out);
}

static uint64_t modseq_at(const struct answering *a, size_t i)
{
	return store_view_entry(a->s->view, a->found->positions[i]).modseq;
}

/* RFC 7162 §3.1.10: of MIN and MAX alone it is that of those messages. */
static uint64_t extended_modseq(const struct answering *a, unsigned options)
{
	uint64_t first = modseq_at(a, 0), last = modseq_at(a, a->found->n - 1);

	switch (options & (RETURN_MIN | RETURN_MAX | RETURN_ALL | RETURN_COUNT)) {
	case RETURN_MIN:
		return first;
	case RETURN_MAX:
		return last;
	case RETURN_MIN | RETURN_MAX:
		return first > last ? first : last;
	default:
		return a->found->highest_modseq;
	}
}

/* esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data) */
static void write_extended(const struct answering *a, unsigned options, struct buf *out)
{
	size_t n = a->found->n;

	buf_printf(out, "* ESEARCH (TAG \"%.*s\")", STR_FMT(a->c->tag));
	if (a->c->uid)
		buf_add(out, STR(" UID"));
	if ((options & RETURN_MIN) != 0 && n > 0)
		buf_printf(out, " MIN %u", number_at(a, 0));
	if ((options & RETURN_MAX) != 0 && n > 0)
		buf_printf(out, " MAX %u", number_at(a, n - 1));
	if ((options & RETURN_ALL) != 0 && n > 0)
		write_all(a, out);
	if ((options & RETURN_COUNT) != 0)
		buf_printf(out, " COUNT %zu", n);
	if (a->modseq && n > 0)
		buf_printf(out, " MODSEQ %llu", (unsigned long long)extended_modseq(a, options));
	buf_add(out, STR("\r\n"));
}

/* RFC 9051 §6.4.4.1: with MIN or MAX alone, those are what is saved. */
static void save(const struct answering *a, unsigned options)
{
	struct imap_set_builder set = {0};
	const struct search_found *found = a->found;
	bool whole = (options & (RETURN_MIN | RETURN_MAX)) == 0 ||
	             (options & (RETURN_ALL | RETURN_COUNT)) != 0;

	for (size_t i = 0; i < found->n; i++) {
		bool first = i == 0 && (options & RETURN_MIN) != 0;
		bool last = i + 1 == found->n && (options & RETURN_MAX) != 0;
		if (whole || first || last)
			imap_set_builder_add(
			    &set, store_view_entry(a->s->view, found->positions[i]).uid);
	}
	free(a->s->saved);
	a->s->saved = set.ranges;
	a->s->n_saved = set.n;
}

static void forget_saved(struct imap_session *s)
{
	free(s->saved);
	s->saved = NULL;
	s->n_saved = 0;
}

static void write_result(const struct answering *a)
{
	const struct imap_search *search = &a->c->search;
	unsigned options = search->return_options;

	if ((options & RETURN_SAVE) != 0)
		save(a, options);
	if (!search->extended && !a->s->rev2)
		write_plain(a, &a->s->out);
	else if (!search->extended)
		write_extended(a, RETURN_ALL, &a->s->out.buf);
	else if ((options & ~(unsigned)RETURN_SAVE) != 0)
		write_extended(a, options, &a->s->out.buf);
}

struct imap_result imap_cmd_search(struct imap_session *s, const struct imap_command *c)
{
	struct answering a = {.s = s, .c = c};
	struct search_found found;
	struct imap_result result;
	bool saves = (c->search.return_options & RETURN_SAVE) != 0;

	a.modseq = search_asks_modseq(c->search.key);
	if (!search_prepare(s, c->search.charset, c->search.key, &result)) {
		if (saves)
			forget_saved(s);
		return result;
	}
	if (a.modseq)
		imap_enable_condstore(s);
	int r = search_run(s, c->search.key, &found);
	if (r < 0) {
		if (saves)
			forget_saved(s);
		return imap_store_error(s, r);
	}
	a.found = &found;
	write_result(&a);
	if (found.n_damaged > 0)
		return IMAP_RESULT_NO("CORRUPTION", "Some messages are damaged; it was reported");
	return IMAP_RESULT_OK("SEARCH done");
}
