#include "session/imap/search_answer.h"
#include "session/imap/message_limit.h"
#include "session/imap/search_filter.h"

#include <stdlib.h>

#include "imap/mailbox_name.h"

static struct store_entry entry_at(const struct search_answer *a, size_t i)
{
	return store_view_entry(a->s->view, a->positions[i]);
}

static uint32_t number_at(const struct search_answer *a, size_t i)
{
	return a->uid ? entry_at(a, i).uid : a->positions[i] + 1;
}

/* The form of RFC 3501, with MODSEQ as RFC 7162 §3.1.6. */
void search_answer_plain(const struct search_answer *a, struct str word)
{
	struct imap_output *out = &a->s->out;

	buf_add(&out->buf, STR("* "));
	buf_add(&out->buf, word);
	for (size_t i = 0; i < a->n; i++) {
		buf_add_c(&out->buf, ' ');
		buf_add_u64(&out->buf, number_at(a, i));
		imap_output_room(out);
	}
	if (a->modseq && a->n > 0)
		buf_printf(&out->buf, " (MODSEQ %llu)", (unsigned long long)a->highest_modseq);
	buf_add(&out->buf, STR("\r\n"));
}

/*
 * Results first ≤ i < end as a set, in their order: ranges only where the numbers rise one by one
 * (RFC 5267 §3.2).
 */
static void write_set(const struct search_answer *a, size_t first, size_t end)
{
	struct imap_output *out = &a->s->out;

	for (size_t i = first; i < end;) {
		uint32_t from = number_at(a, i), to = from;
		if (i > first)
			buf_add_c(&out->buf, ',');
		for (i++; i < end && number_at(a, i) == to + 1; i++)
			to++;
		buf_add_u64(&out->buf, from);
		if (to != from) {
			buf_add_c(&out->buf, ':');
			buf_add_u64(&out->buf, to);
		}
		imap_output_room(out);
	}
}

/* "PARTIAL (1:100 2,5:7)", NIL where the range names none (RFC 9394 §3.1) */
static void write_partial(const struct search_answer *a)
{
	struct buf *out = &a->s->out.buf;
	size_t first, end;

	imap_partial_bounds(&a->search->partial, a->n, &first, &end);
	buf_add(out, STR(" PARTIAL ("));
	imap_partial_write(&a->search->partial, out);
	buf_add_c(out, ' ');
	if (first < end)
		write_set(a, first, end);
	else
		buf_add(out, STR("NIL"));
	buf_add_c(out, ')');
}

/* "RELEVANCY" SP score-list (RFC 6203 §7), of those that are told. */
static void write_relevancy(const struct search_answer *a, unsigned options)
{
	struct imap_output *out = &a->s->out;
	size_t first = 0, end = a->n;

	if ((options & RETURN_PARTIAL) != 0)
		imap_partial_bounds(&a->search->partial, a->n, &first, &end);
	buf_add(&out->buf, STR(" RELEVANCY ("));
	for (size_t i = first; i < end; i++) {
		if (i > first)
			buf_add_c(&out->buf, ' ');
		buf_add_u64(&out->buf, a->scores[a->positions[i]]);
		imap_output_room(out);
	}
	buf_add_c(&out->buf, ')');
}

/* RFC 7162 §3.1.10: of MIN and MAX alone it is that of those messages. */
static uint64_t extended_modseq(const struct search_answer *a, unsigned options)
{
	uint64_t first = entry_at(a, 0).modseq, last = entry_at(a, a->n - 1).modseq;

	switch (options & ~(unsigned)RETURN_SAVE) {
	case RETURN_MIN:
		return first;
	case RETURN_MAX:
		return last;
	case RETURN_MIN | RETURN_MAX:
		return first > last ? first : last;
	default:
		return a->highest_modseq;
	}
}

/* search-correlator = SP "(" one-correlator *(SP one-correlator) ")" (RFC 7377 §4) */
static void write_correlators(const struct search_answer *a, struct buf *out)
{
	buf_printf(out, "(TAG \"%.*s\"", STR_FMT(a->tag));
	if (a->mailbox != NULL) {
		buf_add(out, STR(" MAILBOX "));
		imap_mailbox_name_write(a->mailbox->name, a->s->utf8, out);
		buf_printf(out, " UIDVALIDITY %u", a->s->view->uidvalidity);
	}
	buf_add_c(out, ')');
}

/* esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data) */
void search_answer_extended(const struct search_answer *a, unsigned options)
{
	struct buf *out = &a->s->out.buf;

	buf_add(out, STR("* ESEARCH "));
	write_correlators(a, out);
	if (a->uid)
		buf_add(out, STR(" UID"));
	if ((options & RETURN_MIN) != 0 && a->n > 0)
		buf_printf(out, " MIN %u", number_at(a, 0));
	if ((options & RETURN_MAX) != 0 && a->n > 0)
		buf_printf(out, " MAX %u", number_at(a, a->n - 1));
	if ((options & RETURN_ALL) != 0 && a->n > 0) {
		buf_add(out, STR(" ALL "));
		write_set(a, 0, a->n);
	}
	if ((options & RETURN_PARTIAL) != 0)
		write_partial(a);
	if ((options & RETURN_RELEVANCY) != 0 && a->n > 0 && a->scores != NULL)
		write_relevancy(a, options);
	if ((options & RETURN_COUNT) != 0)
		buf_printf(out, " COUNT %zu", a->n);
	if (a->modseq && a->n > 0)
		buf_printf(out, " MODSEQ %llu", (unsigned long long)extended_modseq(a, options));
	buf_add(out, STR("\r\n"));
}

/*
 * RFC 9051 §6.4.4.1, RFC 9394 §3.2: MIN, MAX and PARTIAL save what they tell, unless ALL or COUNT
 * stands beside them or none of them is asked for.
 */
static bool is_saved(const struct search_answer *a, size_t i)
{
	unsigned options = a->search->return_options;
	size_t first, end;

	if ((options & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)) == 0 ||
	    (options & (RETURN_ALL | RETURN_COUNT)) != 0)
		return true;
	if ((options & RETURN_MIN) != 0 && i == 0)
		return true;
	if ((options & RETURN_MAX) != 0 && i + 1 == a->n)
		return true;
	if ((options & RETURN_PARTIAL) == 0)
		return false;
	imap_partial_bounds(&a->search->partial, a->n, &first, &end);
	return i >= first && i < end;
}

/* A sorted result is saved as a set, too: which positions it has, then their UIDs upwards. */
static void save(const struct search_answer *a)
{
	struct imap_session *s = a->s;
	struct imap_set_builder builder = {0};
	uint8_t *marks = calloc(s->view->n / 8 + 1, 1);

	if (marks == NULL)
		abort();
	for (size_t i = 0; i < a->n; i++)
		if (is_saved(a, i))
			marks[a->positions[i] / 8] |= (uint8_t)(1U << a->positions[i] % 8);
	for (size_t at = 0; at < s->view->n; at++)
		if ((marks[at / 8] >> at % 8 & 1) != 0)
			imap_set_builder_add(&builder, store_view_entry(s->view, at).uid);
	struct imap_set set = imap_set_builder_set(&builder);
	free(s->saved);
	s->saved = set.ranges;
	s->n_saved = set.n;
	free(marks);
}

void search_answer_write(const struct search_answer *a, struct str word)
{
	unsigned options = a->search->return_options;

	if ((options & RETURN_SAVE) != 0)
		save(a);
	if (a->search->extended) {
		bool told = a->mailbox == NULL || a->n > 0; /* RFC 7377 §2.1 */
		if (told && (options & ~(unsigned)RETURN_SAVE) != 0)
			search_answer_extended(a, options);
	} else if (a->s->rev2 && str_eq(word, STR("SEARCH"))) {
		search_answer_extended(a, RETURN_ALL);
	} else {
		search_answer_plain(a, word);
	}
}

static void forget_saved(struct imap_session *s, const struct imap_search *search)
{
	if ((search->return_options & RETURN_SAVE) == 0)
		return;
	free(s->saved);
	s->saved = NULL;
	s->n_saved = 0;
}

bool search_find(struct imap_session *s, const struct imap_search *search, enum search_limit limit,
    struct search_found *ret_found, struct imap_result *ret_result)
{
	struct str charset = search->charset;

	if (!search_expand_filters(s, search->key, &charset, ret_result) ||
	    !search_prepare(s, charset, search->key, ret_result) ||
	    (limit != SEARCH_ANY &&
	        !imap_limit_search(s, search->key, limit == SEARCH_WHOLE, ret_result))) {
		forget_saved(s, search);
		return false;
	}
	if (search_asks_modseq(search->key))
		imap_enable_condstore(s);
	int r = search_run(s, search->key, ret_found);
	if (r == 0)
		return true;
	forget_saved(s, search);
	*ret_result = imap_store_error(s, r);
	return false;
}

struct imap_result search_result(const struct search_found *found, const char *text)
{
	if (found->n_damaged > 0)
		return IMAP_RESULT_NO("CORRUPTION", "Some messages are damaged; it was reported");
	return IMAP_RESULT_OK(text);
}
