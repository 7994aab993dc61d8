#include <errno.h>

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

/* The next message that was found: 0 or -errno. */
static int read_row(
    struct imap_session *s, struct store_order *order, uint32_t at, struct store_order_row *row)
{
	int r = store_order_read(order, at, row);

	return r < 0 ? r : imap_effort_step(s, EFFORT_ROW);
}

/* Without `read` there is nothing to know. */
static int add_ids(
    struct imap_session *s, const struct search_found *found, bool read, struct threads *t)
{
	struct store_order *order CLEANUP(close_order) = NULL;
	struct store_order_row row = {0};
	int r = read ? store_order_open(s->view, STORE_ORDER_IDS, &order) : 0;

	for (size_t i = 0; r == 0 && i < found->n; i++) {
		if (read)
			r = read_row(s, order, found->positions[i], &row);
		if (r == 0)
			r = threads_add(t, row.ids);
	}
	return r;
}

static int describe(struct imap_session *s, const struct search_found *found, struct threads *t)
{
	struct store_order *order CLEANUP(close_order) = NULL;
	unsigned fields = 1U << STORE_ORDER_SUBJECT | STORE_ORDER_SENT | STORE_ORDER_REPLY;
	struct store_order_row row = {0};
	int r = store_order_open(s->view, fields, &order);

	for (size_t i = 0; r == 0 && i < found->n; i++) {
		r = read_row(s, order, found->positions[i], &row);
		if (r < 0)
			break;
		const struct thread_message message = {.sent_at = row.sent_at,
		    .subject = threads_subject(t, row.keys[STORE_ORDER_SUBJECT]),
		    .is_reply = row.is_reply};
		threads_describe(t, &message);
	}
	return r;
}

static int add_messages(
    struct imap_session *s, const struct search_found *found, bool ids, struct threads *t)
{
	if (found->n > THREADS_MESSAGES_MAX)
		return -E2BIG;
	int r = store_order_fill(s->store);
	if (r == 0)
		r = add_ids(s, found, ids, t);
	if (r == 0)
		r = describe(s, found, t);
	return r;
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
	struct search_found found;
	struct imap_result result;

	if (!search_find(s, &c->search, SEARCH_WHOLE, &found, &result))
		return result;
	struct threads *t CLEANUP(free_threads) = threads_new(found.n);
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
