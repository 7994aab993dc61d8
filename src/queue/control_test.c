#include "base/num.h"
#include "queue/control.h"
#include "queue/key.h"
#include "queue/test_courier.h"
#include "queue/test_submit.h"

enum { MINUTE_MS = 60000, MANY = 2 * CONTROL_PIECE + 5 };

static int connect_control(struct world *w)
{
	int ends[2];
	assert_int_equal(ipc_pair(ends), 0);
	struct ipc_queue_control m = {.channel = ends[1]};
	say(w, w->directory, IPC_QUEUE_CONTROL, &m);
	close(ends[1]);
	assert_int_equal(fd_set_nonblocking(ends[0], true), 0);
	return ends[0];
}

/* The value of a column in a row; empty where it has none. */
static struct str cell(const struct ipc_control_row *row, const char *name)
{
	for (size_t i = 0; i < row->names.n; i++)
		if (str_eq(row->names.v[i], str_of_cstr(name)))
			return row->values.v[i];
	return STR("");
}

static void ask(struct world *w, int control, enum queue_verb verb, uint64_t message)
{
	struct ipc_queue_ask m = {.verb = (uint8_t)verb, .message = message};
	say(w, control, IPC_QUEUE_ASK, &m);
}

static void expect_done(int control, int error)
{
	struct ipc_received m;
	world_expect(control, IPC_CONTROL_DONE, &m);
	assert_int_equal(((struct ipc_control_done *)m.msg)->error, error);
	ipc_received_done(&m);
}

static void expect_row(int control, const char *column, const char *value)
{
	struct ipc_received m;
	world_expect(control, IPC_CONTROL_ROW, &m);
	struct str got = cell(m.msg, column);
	if (!str_eq(got, str_of_cstr(value)))
		fail_msg("%s is \"%.*s\"", column, STR_FMT(got));
	ipc_received_done(&m);
}

static void what_waits_is_listed(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w), control = connect_control(w);
	ask(w, control, QUEUE_LIST, 0);
	expect_done(control, 0);
	uint64_t id = submit_one(w, submitter, "bob@example.net", 0);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "greylisted");
	ask(w, control, QUEUE_LIST, 0);
	struct ipc_received m;
	world_expect(control, IPC_CONTROL_ROW, &m);
	assert_true(str_eq(cell(m.msg, "from"), STR("ann@example.org")));
	assert_true(str_eq(cell(m.msg, "to"), STR("bob@example.net")));
	assert_true(str_eq(cell(m.msg, "state"), STR("waiting")));
	assert_true(str_eq(cell(m.msg, "received"), STR("2027-01-15T08:00:00Z")));
	assert_true(str_starts(cell(m.msg, "reason"),
	    STR("mx.example.net answered 450 greylisted, tried once, next try in ")));
	ipc_received_done(&m);
	expect_done(control, 0);
	ask(w, control, QUEUE_SHOW, id);
	expect_row(control, "submitter", "ann@example.org");
	expect_done(control, 0);
	ask(w, control, QUEUE_RECIPIENTS, id);
	expect_row(control, "attempts", "1");
	expect_done(control, 0);
	ask(w, control, QUEUE_SHOW, id + 1);
	expect_done(control, ENOENT);
	close(control);
	close(submitter);
}

static void held_released_retried_removed(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w), control = connect_control(w);
	uint64_t id = submit_one(w, submitter, "bob@example.net", 0);
	ask(w, control, QUEUE_REMOVE, id);
	expect_done(control, EBUSY);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "greylisted");
	ask(w, control, QUEUE_HOLD, id);
	expect_done(control, 0);
	world_wait(w, 7 * MINUTE_MS);
	world_expect_nothing(w->dispatcher);
	/* It does not grow old meanwhile. */
	world_wait(w, 6 * 24 * 60 * (uint64_t)MINUTE_MS);
	assert_int_equal(world_count(w), 1);
	ask(w, control, QUEUE_RELEASE, id);
	expect_done(control, 0);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "greylisted");
	world_expect_nothing(w->dispatcher);
	ask(w, control, QUEUE_RETRY, id);
	expect_done(control, 0);
	carry_one(w, "bob@example.net", CARRY_LATER, 450, "4.7.1", "greylisted");
	ask(w, control, QUEUE_REMOVE, id);
	expect_done(control, 0);
	assert_int_equal(world_count(w), 0);
	ask(w, control, QUEUE_RETRY, id);
	expect_done(control, ENOENT);
	close(control);
	close(submitter);
}

static void many_at_once(void **state)
{
	struct world *w = *state;
	int submitter = world_submitter(w), control = connect_control(w);
	fd_close(&w->dispatcher); /* nothing leaves */
	for (int i = 0; i < MANY; i++)
		submit_one(
		    w, submitter, i % 2 ? "bob@example.net" : "eve@example.com", NOTIFY_NEVER);
	struct ipc_queue_ask m = {.verb = QUEUE_REMOVE, .domain = STR("example.com")};
	say(w, control, IPC_QUEUE_ASK, &m);
	for (int i = 0; i < 10; i++)
		world_wait(w, 10);
	expect_done(control, 0);
	uint64_t ids[MANY];
	size_t n = 0;
	uint64_t after = 0;
	bool is_last = false;
	struct queue_db_filter all = {.domain = STR("example.net")};
	assert_int_equal(queue_db_list(w->q->db, &all, &after, ids, MANY, &n, &is_last), 0);
	assert_int_equal(n, MANY / 2);
	all.domain = STR("");
	after = 0;
	assert_int_equal(queue_db_list(w->q->db, &all, &after, ids, MANY, &n, &is_last), 0);
	assert_int_equal(n, MANY / 2);
	/* Piece by piece. */
	size_t rows = 0;
	struct ipc_received row;
	m = (struct ipc_queue_ask){.verb = QUEUE_LIST};
	say(w, control, IPC_QUEUE_ASK, &m);
	while (ipc_recv(control, &row) == 0 && row.type == IPC_CONTROL_ROW) {
		rows++;
		ipc_received_done(&row);
	}
	assert_int_equal(row.type, IPC_CONTROL_DONE);
	ipc_received_done(&row);
	assert_int_equal(rows, CONTROL_ROWS_MAX);
	close(control);
	close(submitter);
}

/* Those of one sender, far between others, are looked for a piece at a time. */
static void few_among_many(void **state)
{
	struct world *w = *state;
	struct ipc_received m;
	int submitter = world_submitter(w), control = connect_control(w);
	fd_close(&w->dispatcher);
	uint64_t ids[2];
	for (size_t i = 0; i < 2; i++) {
		ids[i] = submit_one(w, submitter, "bob@example.net", NOTIFY_NEVER);
		w->q->db->next_id += 3 * QUEUE_LIST_SPAN + 7; /* as if so many were between them */
	}
	struct ipc_queue_ask list = {.verb = QUEUE_LIST, .account = STR("ann@example.org")};
	for (size_t i = 0; i < 3; i++) {
		say(w, control, IPC_QUEUE_ASK, &list);
		/* Others have their turn; nobody asks twice. */
		for (int k = 0; k < 8; k++)
			world_wait(w, 1);
		if (i < 2) {
			world_expect(control, IPC_CONTROL_ROW, &m);
			assert_true(num_parse(cell(m.msg, "message"), UINT64_MAX, &list.after));
			assert_int_equal(list.after, ids[i]);
			ipc_received_done(&m);
		}
		expect_done(control, 0);
	}
	list = (struct ipc_queue_ask){.verb = QUEUE_LIST, .account = STR("7")};
	say(w, control, IPC_QUEUE_ASK, &list);
	for (size_t i = 0; i < 2; i++) {
		world_expect(control, IPC_CONTROL_ROW, &m);
		ipc_received_done(&m);
	}
	expect_done(control, 0);
	close(control);
	close(submitter);
}

static void end_look(struct world *w, int control, size_t n_rows)
{
	struct ipc_received m;
	int got;
	while ((got = ipc_recv(control, &m)) == -EAGAIN)
		world_wait(w, 1);
	for (; n_rows > 0; n_rows--) {
		assert_int_equal(m.type, IPC_CONTROL_ROW);
		assert_true(str_eq(cell(m.msg, "file"), STR("queue/" QUEUE_KEY_FILE)));
		assert_true(str_eq(cell(m.msg, "state"), STR("damaged")));
		ipc_received_done(&m);
		while ((got = ipc_recv(control, &m)) == -EAGAIN)
			world_wait(w, 1);
	}
	assert_int_equal(got, 0);
	assert_int_equal(m.type, IPC_CONTROL_DONE);
	assert_int_equal(((struct ipc_control_done *)m.msg)->error, 0);
	ipc_received_done(&m);
}

/* Piece by piece; damage is told, and is an alarm. Who goes away meanwhile is forgotten. */
static void every_byte_is_looked_at_on_demand(void **state)
{
	struct world *w = *state;
	int control = connect_control(w), other = connect_control(w);
	ask(w, control, QUEUE_VERIFY, 0);
	ask(w, other, QUEUE_VERIFY, 0);
	close(other);
	end_look(w, control, 0);
	world_expect_nothing(w->ledger);
	assert_int_equal(truncate(QUEUE_KEY_FILE, 1), 0);
	ask(w, control, QUEUE_VERIFY, 0);
	end_look(w, control, 1);
	struct ipc_received m;
	world_expect(w->ledger, IPC_LEDGER_EVENT, &m);
	assert_int_equal(((struct ipc_ledger_event *)m.msg)->kind, LEDGER_ALARM_DAMAGE);
	ipc_received_done(&m);
	/* One thing at a time. */
	ask(w, control, QUEUE_VERIFY, 0);
	ask(w, control, QUEUE_VERIFY, 0);
	world_expect(control, IPC_CONTROL_ROW, &m);
	ipc_received_done(&m);
	assert_int_equal(ipc_recv(control, &m), -ENODATA);
	close(control);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(what_waits_is_listed),
	    TEST(held_released_retried_removed), TEST(many_at_once), TEST(few_among_many),
	    TEST(every_byte_is_looked_at_on_demand)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
