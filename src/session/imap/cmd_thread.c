#include "session/imap/commands.h"
#include "session/imap/search_answer.h"
#include "session/imap/threads.h"
#include "store/store_order.h"

static void free_threads(struct threads **t)
{
	threads_free(*t);
}

static void close_order(struct store_order **order)
{
	store_order_close(*order);
}

static int add_messages(
    struct imap_session *s, const struct search_found *found, bool ids, struct threads *t)
{
	struct store_order *order CLEANUP(close_order) = NULL;
	unsigned fields =
	    1U << STORE_ORDER_SUBJECT | STORE_ORDER_SENT | (ids ? STORE_ORDER_IDS : 0);
	struct store_order_row row = {0};

	int r = store_order_fill(s->store);
	if (r == 0)
		r = store_order_open(s->view, fields, &order);
	for (size_t i = 0; r >= 0 && i < found->n; i++) {
		r = store_order_read(order, found->positions[i], &row);
		if (r >= 0)
			r = imap_effort_step(s, EFFORT_ROW);
		if (r < 0)
			break;
		const struct thread_message message = {.sent_at = row.sent_at,
		    .subject = threads_subject(t, row.keys[STORE_ORDER_SUBJECT]),
		    .is_reply = row.is_reply,
		    .ids = row.ids};
		r = threads_add(t, &message);
	}
	return r < 0 ? r : 0;
}

/* Positions become the numbers that are told. */
static void to_numbers(struct imap_session *s, bool uid, const struct search_found *found)
{
	for (size_t i = 0; i < found->n; i++) {
		uint32_t at = found->positions[i];
		found->positions[i] = uid ? store_view_entry(s->view, at).uid : at + 1;
	}
}

struct imap_result imap_cmd_thread(struct imap_session *s, const struct imap_command *c)
{
	struct threads *t CLEANUP(free_threads) = threads_new();
	struct search_found found;
	struct imap_result result;

	if (!search_find(s, &c->search, SEARCH_WHOLE, &found, &result))
		return result;
	int r = add_messages(s, &found, c->order->by_references, t);
	if (r < 0)
		return imap_store_error(s, r);
	if (c->order->by_references)
		threads_link_references(t);
	else
		threads_link_subjects(t);
	to_numbers(s, c->uid, &found);
	buf_add(&s->out.buf, found.n > 0 ? STR("* THREAD ") : STR("* THREAD"));
	threads_write(t, found.positions, &s->out);
	buf_add(&s->out.buf, STR("\r\n"));
	return search_result(&found, "THREAD done");
}
