/* store_order.h: reading the table `orders`, and the dates and sizes of `entries`. */
#include <endian.h>
#include <stdlib.h>

#include "store/store_message.h"
#include "store/store_order.h"
#include "store/store_private.h"

/* So many rows that nobody asks for are stepped over before the statement is started anew. */
enum { GAP_MAX = 16, SQL_MAX = 256, PASSED_MAX = 4 * STORE_SCAN_BATCH };

/* Of `orders`, by the bit that asks for them. */
static const struct {
	unsigned field;
	const char *names;
} columns[] = {
    {1 << STORE_ORDER_SUBJECT, ", subject"},
    {1 << STORE_ORDER_FROM, ", sender"},
    {1 << STORE_ORDER_TO, ", recipient"},
    {1 << STORE_ORDER_CC, ", copied"},
    {1 << STORE_ORDER_DISPLAY_FROM, ", sender_shown"},
    {1 << STORE_ORDER_DISPLAY_TO, ", recipient_shown"},
    {STORE_ORDER_SENT, ", sent_at"},
    {STORE_ORDER_REPLY, ", is_reply"},
    {STORE_ORDER_IDS, ", ids"},
};

/* Both statements run upwards from a key: the UID in `entries`, the message in `orders`. */
struct store_order {
	struct store_view *view;
	unsigned fields;
	sqlite3_stmt *stmt;
	bool running;
	uint32_t key; /* of the row that the statement is at */
	size_t n_in_batch, n_passed;
};

static bool is_of_entries(const struct store_order *order)
{
	return (order->fields & STORE_ORDER_PLACE) != 0;
}

/* SQLite reads each column of each row: those that nobody asked for are not in the statement. */
static void write_sql(const struct store_order *order, struct buf *sql)
{
	if (is_of_entries(order)) {
		buf_add(sql, str_of_cstr(db_statements[DB_ORDER_ENTRIES_SCAN]));
	} else {
		buf_add(sql, STR("SELECT id"));
		for (size_t i = 0; i < ARRAY_LEN(columns); i++)
			if ((order->fields & columns[i].field) != 0)
				buf_add(sql, str_of_cstr(columns[i].names));
		buf_add(sql, STR(" FROM orders WHERE id >= ?1 ORDER BY id"));
	}
}

int store_order_open(struct store_view *v, unsigned fields, struct store_order **ret_order)
{
	struct buf sql CLEANUP(buf_done) = BUF_MAX(SQL_MAX);
	struct store_order *order = calloc(1, sizeof(*order));
	if (!order)
		abort();
	*order = (struct store_order){.view = v, .fields = fields};
	write_sql(order, &sql);
	assert(!buf_failed(&sql));
	int result =
	    sqlite3_prepare_v3(v->store->db.handle, sql.p, (int)sql.len, 0, &order->stmt, NULL);
	if (result != SQLITE_OK) {
		free(order);
		return store_note_error(v->store, db_error(&v->store->db, result));
	}
	*ret_order = order;
	return 0;
}

void store_order_close(struct store_order *order)
{
	if (!order)
		return;
	sqlite3_finalize(order->stmt);
	free(order);
}

/* A long way through the table comes by no page twice: those that it read go now and then. */
static void let_go(struct store_order *order)
{
	order->n_passed += order->n_in_batch;
	if (order->n_passed < PASSED_MAX)
		return;
	order->n_passed = 0;
	sqlite3_db_release_memory(order->view->store->db.handle);
}

/* 1: the statement is at the key or, where that is missing, behind it; 0: at the end. */
static int step_to(struct store_order *order, uint32_t key)
{
	if (!order->running || order->n_in_batch >= STORE_SCAN_BATCH || key < order->key ||
	    key - order->key > GAP_MAX) {
		sqlite3_reset(order->stmt);
		let_go(order);
		if (is_of_entries(order))
			db_bind(order->stmt, (int64_t)order->view->mailbox, key);
		else
			db_bind(order->stmt, key);
		order->n_in_batch = 0;
		order->key = 0;
	}
	for (;;) {
		if (order->key >= key && order->n_in_batch > 0)
			return 1;
		int row = db_step(&order->view->store->db, order->stmt);
		order->running = row > 0;
		if (row <= 0)
			return row;
		order->n_in_batch++;
		order->key = db_column_u32(order->stmt, 0);
	}
}

static void read_place(sqlite3_stmt *stmt, struct store_order_row *row)
{
	row->arrived_at = sqlite3_column_int64(stmt, 1);
	row->size = db_column_u64(stmt, 2);
}

static void read_texts(sqlite3_stmt *stmt, unsigned fields, struct store_order_row *row)
{
	int column = 1;

	for (int i = 0; i < N_STORE_ORDER_KEYS; i++)
		if ((fields & 1U << i) != 0)
			row->keys[i] = db_column_str(stmt, column++);
	if ((fields & STORE_ORDER_SENT) != 0)
		row->sent_at = sqlite3_column_int64(stmt, column++);
	if ((fields & STORE_ORDER_REPLY) != 0)
		row->is_reply = sqlite3_column_int(stmt, column++) != 0;
	if ((fields & STORE_ORDER_IDS) != 0)
		row->ids = db_column_str(stmt, column);
}

int store_order_read(struct store_order *order, size_t at, struct store_order_row *ret_row)
{
	struct store_entry entry = store_view_entry(order->view, at);
	uint32_t key = is_of_entries(order) ? entry.uid : entry.message;
	int found = step_to(order, key);
	if (found < 0)
		return store_note_error(order->view->store, found);
	found = found > 0 && order->key == key;
	if (!found)
		*ret_row = (struct store_order_row){0};
	else if (is_of_entries(order))
		read_place(order->stmt, ret_row);
	else
		read_texts(order->stmt, order->fields, ret_row);
	return found;
}

unsigned store_order_field(unsigned by)
{
	if (by < N_STORE_ORDER_KEYS)
		return 1U << by;
	return by == STORE_ORDER_BY_DATE ? STORE_ORDER_SENT : STORE_ORDER_PLACE;
}

void store_order_key(unsigned by, const struct store_order_row *row, struct buf *out)
{
	uint64_t number = row->size;

	if (by < N_STORE_ORDER_KEYS) {
		buf_add(out, row->keys[by]);
		buf_add_c(out, '\0');
		return;
	}
	/* Signed numbers as unsigned ones in the same order. */
	if (by != STORE_ORDER_BY_SIZE)
		number = (uint64_t)(by == STORE_ORDER_BY_ARRIVAL ? row->arrived_at : row->sent_at) ^
		         UINT64_C(1) << 63;
	number = htobe64(number);
	buf_add(out, str_of(&number, sizeof(number)));
}
