/*
 * Random SEARCH programs over random messages: what is found is the same whether the word index
 * knows all of the messages, some, or none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "session/imap/effort.h"
#include "session/imap/search.h"
#include "session/imap/search_fuzzy.h"
#include "store/store_ingest.h"
#include "store/store_search.h"
#include "store/test_account.h"
#include "store/test_letters.h"

enum { N_PROGRAMS = 250, N_MESSAGES = 60, INBOX = 1, LETTER_MAX = 1 << 16, PROGRAM_MAX = 1 << 16 };

struct outcome {
	uint8_t found[2 * N_MESSAGES]; /* by position */
	size_t n;
};

static struct test_account t;
static struct imap_session session;
static struct buf programs[N_PROGRAMS];
static struct outcome before[N_PROGRAMS];

static void add_text(struct buf *out)
{
	struct buf needle CLEANUP(buf_done) = BUF_MAX(TEST_NEEDLE_MAX);

	test_random_needle(&needle);
	for (size_t i = 0; i < needle.len; i++)
		if (needle.p[i] == '\r' || needle.p[i] == '\n')
			needle.p[i] = ' ';
	buf_add_c(out, '"');
	buf_add(out, buf_str(&needle));
	buf_add_c(out, '"');
}

static void add_key(struct buf *out, unsigned depth)
{
	static const char *const of_text[] = {"SUBJECT ", "FROM ", "TO ", "CC ", "BODY ", "TEXT ",
	    "HEADER X-Spam-Note ", "HEADER Subject ", "FUZZY BODY ", "FUZZY SUBJECT "};
	unsigned long which = (unsigned long)test_random() % 14;

	if (depth < 3 && which < 3) {
		buf_add(out, which == 0 ? STR("NOT ") : which == 1 ? STR("OR ") : STR("("));
		add_key(out, depth + 1);
		if (which > 0) {
			buf_add_c(out, ' ');
			add_key(out, depth + 1);
		}
		if (which == 2)
			buf_add_c(out, ')');
	} else if (which < 5) {
		buf_printf(out, "SMALLER %ld", 500 + test_random() % 1500);
	} else {
		buf_add(out, str_of_cstr(of_text[(size_t)test_random() % ARRAY_LEN(of_text)]));
		add_text(out);
	}
}

static void make_programs(void)
{
	static const struct str fixed[] = {STR_INIT("HEADER X-Spam-Note \"\""),
	    STR_INIT("NOT HEADER X-Nothing \"\""), STR_INIT("BODY \"\""), STR_INIT("TEXT \"--\""),
	    STR_INIT("TEXT \": \""), STR_INIT("TEXT \"subject: a\""), STR_INIT("HEADER \"\" a")};

	for (size_t i = 0; i < N_PROGRAMS; i++) {
		programs[i] = BUF_MAX(PROGRAM_MAX);
		if (i < ARRAY_LEN(fixed))
			buf_add(&programs[i], fixed[i]);
		else
			add_key(&programs[i], 0);
	}
}

static void deliver(unsigned n)
{
	struct buf letter CLEANUP(buf_done) = BUF_MAX(LETTER_MAX);
	struct store_changes changes;
	size_t n_taken;

	while (n-- > 0) {
		test_make_letter(&letter);
		test_deliver(&t, buf_str(&letter));
	}
	test_check(store_ingest(session.store, &n_taken));
	if (session.view != NULL)
		test_check(store_view_refresh(session.view, false, &session.arena, &changes));
}

static void work(void)
{
	bool more = true;

	while (more)
		test_check(store_search_work(session.store, 20, &more));
}

static struct search_found run(struct str program)
{
	struct imap_search_key *key = NULL;
	struct search_found found = {0};
	struct imap_result result;

	arena_clear(&session.arena);
	imap_effort_begin(&session, STR("a"));
	struct imap_parser p = imap_parser_of((struct imap_text){program, NULL, 0}, &session.arena);
	assert_true(imap_parse_search_keys(&p, &key));
	assert_true(search_prepare(&session, STR(""), key, &result));
	test_check(search_run(&session, key, &found));
	assert_int_equal(found.n_damaged, 0);
	return found;
}

static struct outcome outcome_of(struct str program)
{
	struct outcome outcome = {.n = session.view->n};
	struct search_found found = run(program);

	assert_true(outcome.n <= 2 * N_MESSAGES);
	for (size_t i = 0; i < found.n; i++)
		outcome.found[found.positions[i]] = 1;
	return outcome;
}

/* Of the messages that were there, the same are found. */
static void compare_all(void)
{
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		struct outcome now = outcome_of(buf_str(&programs[i]));
		if (memcmp(now.found, before[i].found, before[i].n) != 0)
			fail_msg("%.*s", STR_FMT(buf_str(&programs[i])));
	}
}

static void begin(int pair[static 2])
{
	test_account_make(&t);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	imap_session_init(&session, test_open(&t), pair[0], -1, 100000);
}

static void end(int pair[static 2])
{
	struct store *store = session.store;

	imap_session_done(&session);
	store_close(store);
	close(pair[0]);
	close(pair[1]);
	test_account_remove(&t);
}

static void what_is_found_does_not_depend_on_the_index(void **state)
{
	(void)state;
	int pair[2];
	size_t n_found = 0;

	test_seed(4);
	begin(pair);
	deliver(N_MESSAGES);
	test_check(store_view_open(session.store, INBOX, true, &session.view));
	test_check(store_view_load(session.view));
	make_programs();
	for (size_t i = 0; i < N_PROGRAMS; i++) {
		before[i] = outcome_of(buf_str(&programs[i]));
		for (size_t at = 0; at < before[i].n; at++)
			n_found += before[i].found[at];
	}
	assert_true(n_found > N_PROGRAMS && n_found < N_PROGRAMS * (size_t)N_MESSAGES);
	work();
	compare_all();
	deliver(5);
	compare_all();
	deliver(N_MESSAGES / 2);
	work();
	compare_all();
	for (size_t i = 0; i < N_PROGRAMS; i++)
		buf_done(&programs[i]);
	end(pair);
}

static void scores_are_within_their_bounds(void **state)
{
	(void)state;
	int pair[2];

	begin(pair);
	deliver(N_MESSAGES);
	test_deliver(&t, STR("Subject: minutes of the meeting\r\n\r\nmeeting minutes\r\n"));
	deliver(0);
	work();
	test_check(store_view_open(session.store, INBOX, true, &session.view));
	test_check(store_view_load(session.view));
	struct search_found found = run(STR("FUZZY TEXT \"minutes of\""));
	assert_int_equal(found.n, 1);
	assert_int_equal(found.scores[found.positions[0]], SEARCH_SCORE_MAX);
	found = run(STR("FUZZY TEXT \"meeting of minutes\""));
	assert_int_equal(found.n, 1);
	assert_true(found.scores[found.positions[0]] < SEARCH_SCORE_MAX);
	found = run(STR("FUZZY BODY apple"));
	assert_true(found.n > 1);
	for (size_t i = 0; i < found.n; i++) {
		unsigned score = found.scores[found.positions[i]];
		assert_true(score >= 1 && score <= SEARCH_SCORE_MAX);
	}
	found = run(STR("BODY apple"));
	assert_null(found.scores);
	end(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_found_does_not_depend_on_the_index),
	    cmocka_unit_test(scores_are_within_their_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
