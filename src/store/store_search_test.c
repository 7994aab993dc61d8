/*
 * The word index against looking into every message: whatever was indexed, joined, deleted or left
 * waiting, it never says no where the text is, nor yes where it is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "mail/charset.h"
#include "mail/header.h"
#include "mail/search_text.h"
#include "mail/search_word.h"
#include "store/search_index.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/store_search.h"
#include "store/test_account.h"
#include "store/test_letters.h"

enum { INBOX = 1, BUDGET_MS = 20, MESSAGE_MAX = 1 << 20, NEEDLES = 150, HOUR_MS = 3600 * 1000 };

static struct test_account t;

static void deliver(struct store *s, unsigned n)
{
	struct buf m CLEANUP(buf_done) = BUF_MAX(MESSAGE_MAX);
	size_t n_taken;

	for (unsigned i = 0; i < n; i++) {
		test_make_letter(&m);
		test_deliver(&t, buf_str(&m));
	}
	test_check(store_ingest(s, &n_taken));
}

static void work_to_the_end(struct store *s)
{
	bool more = true;

	while (more)
		test_check(store_search_work(s, BUDGET_MS, &more));
	assert_null(s->search_work);
}

struct brute {
	unsigned classes;
	struct str needle;
	bool found;
};

static bool look(void *ctx, const struct search_text *text)
{
	struct brute *b = ctx;
	bool names = (b->classes & STORE_SEARCH_BIT(SEARCH_CLASS_NAME)) != 0;
	struct str in = names ? text->joined : text->text;

	if ((b->classes & STORE_SEARCH_BIT(text->class)) != 0)
		b->found |= str_find(in, b->needle) < in.len;
	return true;
}

/* Whether a message has the needle, by looking. */
static bool has(struct store *s, uint32_t message, unsigned classes, struct str needle)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 24);
	struct search_texts texts CLEANUP(search_texts_done) = {0};
	struct brute b = {.classes = classes, .needle = needle};
	struct store_body *body = NULL;
	struct mime_part *root;
	struct str whole, header, rest;

	test_check(store_body_open(s, message, &body));
	test_check(store_body_all(body, &whole));
	test_check(mime_parse(whole, &a, &root));
	struct mail_source source = mail_source_of(whole);
	header_split(whole, &header, &rest);
	(void)search_text_header(&texts, header, STR(""), &a, look, &b);
	test_check(search_text_body(&texts, &source, root, look, &b) < 0);
	store_body_close(body);
	return b.found;
}

static struct store_view *open_inbox(struct store *s)
{
	struct store_view *v = NULL;

	test_check(store_view_open(s, INBOX, true, &v));
	return v;
}

/* How many the index could not tell. */
static unsigned compare(struct store *s, unsigned classes, struct str needle)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct store_search_answer answer;
	struct store_view *v = open_inbox(s);
	unsigned n_maybe = 0;

	test_check(store_search_find(s, classes, needle, &a, &answer));
	for (size_t i = 0; i < v->n; i++) {
		uint32_t message = store_view_entry(v, i).message;
		enum store_search_says says = store_search_says(&answer, message);
		n_maybe += says == STORE_SEARCH_MAYBE;
		if (says != STORE_SEARCH_MAYBE)
			assert_int_equal(
			    says == STORE_SEARCH_YES, has(s, message, classes, needle));
	}
	store_view_close(v);
	return n_maybe;
}

static void compare_many(struct store *s)
{
	static const unsigned sets[] = {STORE_SEARCH_BIT(SEARCH_N_CLASSES) - 1,
	    STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STORE_SEARCH_BIT(SEARCH_CLASS_SUBJECT),
	    STORE_SEARCH_BIT(SEARCH_CLASS_FROM), STORE_SEARCH_BIT(SEARCH_CLASS_TO),
	    STORE_SEARCH_BIT(SEARCH_CLASS_HEADER), STORE_SEARCH_BIT(SEARCH_CLASS_MIME)};
	struct buf raw CLEANUP(buf_done) = BUF_MAX(TEST_NEEDLE_MAX);
	struct buf needle CLEANUP(buf_done) = BUF_MAX(2 * TEST_NEEDLE_MAX);

	for (unsigned i = 0; i < NEEDLES; i++) {
		test_random_needle(&raw);
		buf_clear(&needle);
		charset_search_key(buf_str(&raw), &needle);
		(void)compare(s, sets[i % ARRAY_LEN(sets)], buf_str(&needle));
	}
}

/* A number out of the database. */
static unsigned count(struct store *s, const char *sql)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;

	test_check(search_sql(s, sql, &stmt));
	assert_int_equal(db_step(&s->db, stmt), 1);
	return db_column_u32(stmt, 0);
}

static bool is_in_pages(struct store *s, const char *text)
{
	sqlite3_stmt *stmt CLEANUP(search_sql_done) = NULL;

	test_check(search_sql(s, "SELECT 1 FROM search_pages WHERE instr(words, ?1) > 0", &stmt));
	db_bind_blob(stmt, 1, str_of_cstr(text));
	return db_step(&s->db, stmt) == 1;
}

static void the_index_and_the_messages_agree(void **state)
{
	(void)state;
	test_account_make(&t);
	struct store *s = test_open(&t);
	test_seed(11);
	for (unsigned batch = 0; batch < 2 * SEARCH_FAN + 1; batch++) {
		deliver(s, STORE_SEARCH_TAIL);
		work_to_the_end(s);
		assert_int_equal(count(s, "SELECT count(*) FROM search_segments"),
		    batch % SEARCH_FAN == 7 ? (batch + 1) / SEARCH_FAN
		                            : batch / SEARCH_FAN + (batch + 1) % SEARCH_FAN);
	}
	compare_many(s);
	deliver(s, 3); /* not indexed */
	compare_many(s);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STR("apple")), 3);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_N_CLASSES) - 1, STR("apple")), 3);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_FROM), STR("@example")), 3);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_SUBJECT), STR(" \u00fc1")), 3);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STR("\u6771\u4eac")), 3);
	assert_true(count(s, "SELECT count(*) FROM search_pages") > 0);
	store_close(s);
	s = test_open(&t);
	compare_many(s);
	store_close(s);
	test_account_remove(&t);
}

/* What stands in the header of a part, and nowhere else. */
static void headers_of_parts_are_known(void **state)
{
	const unsigned all = STORE_SEARCH_BIT(SEARCH_N_CLASSES) - 1;
	struct buf m CLEANUP(buf_done) = BUF_MAX(MESSAGE_MAX);
	size_t n;

	(void)state;
	test_account_make(&t);
	struct store *s = test_open(&t);
	for (unsigned i = 0; i < 2 * STORE_SEARCH_TAIL; i++) {
		buf_clear(&m);
		buf_printf(&m,
		    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		    "Content-Description: quince%u\r\n\r\nmedlar\r\n--b--\r\n",
		    i % 3);
		test_deliver(&t, buf_str(&m));
	}
	test_check(store_ingest(s, &n));
	work_to_the_end(s);
	assert_int_equal(compare(s, all, STR("quince1")), 0);
	assert_int_equal(compare(s, all, STR("ince2")), 0);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STR("quince1")), 0);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_HEADER), STR("quince1")), 0);
	(void)compare(s, all, STR("content-description: quince0"));
	assert_true(has(s, 1, all, STR("description: quince0")));
	store_close(s);
	test_account_remove(&t);
}

/* Before version 13 they were not: the index is made anew, and says nothing wrong meanwhile. */
static void an_older_index_is_made_anew(void **state)
{
	(void)state;
	test_account_make(&t);
	struct store *s = test_open(&t);
	test_seed(5);
	deliver(s, 3 * STORE_SEARCH_TAIL);
	work_to_the_end(s);
	assert_int_equal(count(s, "SELECT count(*) FROM search_segments WHERE state = 0"), 1);
	assert_int_equal(sqlite3_exec(s->db.handle,
	                     "DROP TRIGGER ranks_gone; DROP TABLE ranks; DROP TABLE ranked;"
	                     "PRAGMA user_version = 12",
	                     NULL, NULL, NULL),
	    0);
	store_close(s);
	s = test_open(&t);
	assert_int_equal(count(s, "SELECT indexed FROM search_state"), 0);
	compare_many(s);
	work_to_the_end(s);
	assert_int_equal(count(s, "SELECT indexed FROM search_state"), 3 * STORE_SEARCH_TAIL);
	assert_int_equal(count(s, "SELECT count(*) FROM search_segments"), 1);
	compare_many(s);
	store_close(s);
	test_account_remove(&t);
}

static void few_new_messages_wait_but_large_ones_do_not(void **state)
{
	(void)state;
	struct buf m CLEANUP(buf_done) = BUF_MAX(MESSAGE_MAX);
	size_t n;
	test_account_make(&t);
	struct store *s = test_open(&t);
	deliver(s, STORE_SEARCH_TAIL - 2);
	work_to_the_end(s);
	assert_int_equal(count(s, "SELECT indexed FROM search_state"), 0);
	assert_int_equal(
	    compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STR("apple")), STORE_SEARCH_TAIL - 2);
	buf_add(&m, STR("Subject: large\r\n\r\n"));
	test_seed(3);
	while (m.len < 2 * STORE_SEARCH_TAIL_LEN)
		buf_printf(&m, "%lx%lx%lx\r\n", test_random() % 1000, test_random(), test_random());
	test_deliver(&t, buf_str(&m));
	test_check(store_ingest(s, &n));
	work_to_the_end(s);
	assert_int_equal(count(s, "SELECT indexed FROM search_state"), STORE_SEARCH_TAIL - 1);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STR("apple")), 0);
	store_close(s);
	test_account_remove(&t);
}

static void a_message_with_too_many_words_is_left_out(void **state)
{
	(void)state;
	struct buf m CLEANUP(buf_done) = BUF_MAX(MESSAGE_MAX);
	size_t n;
	test_account_make(&t);
	struct store *s = test_open(&t);
	deliver(s, 2);
	buf_add(&m, STR("Subject: all of them\r\n\r\n"));
	for (unsigned i = 0; i <= STORE_SEARCH_WORDS_MAX; i++)
		buf_printf(&m, "%u ", i);
	test_deliver(&t, buf_str(&m));
	deliver(s, STORE_SEARCH_TAIL);
	test_check(store_ingest(s, &n));
	work_to_the_end(s);
	assert_int_equal(count(s, "SELECT count(*) FROM search_left_out"), 1);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_SUBJECT), STR("all of")), 1);
	assert_int_equal(compare(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STR("59999")), 1);
	compare_many(s);
	store_close(s);
	test_account_remove(&t);
}

static void remove_uids(struct store *s, uint32_t first, uint32_t last)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	uint32_t uids[1000];
	struct store_uids list = {.v = uids}, removed;
	struct store_view *v = open_inbox(s);

	for (uint32_t uid = first; uid <= last; uid++)
		uids[list.n++] = uid;
	test_check(store_remove(v, list, &a, &removed));
	assert_int_equal(removed.n, list.n);
	store_view_close(v);
}

static void words_of_deleted_messages_go(void **state)
{
	(void)state;
	uint64_t now = clock_wall_ms();
	test_account_make(&t);
	struct store *s = test_open(&t);
	test_deliver(&t, STR("Subject: verysecretword\r\n\r\nanothersecret\r\n"));
	deliver(s, 99);
	work_to_the_end(s);
	assert_true(is_in_pages(s, "verysecretword") && is_in_pages(s, "anothersecret"));
	remove_uids(s, 1, 40);
	clock_simulate(now + 2 * HOUR_MS);
	work_to_the_end(s);
	assert_true(is_in_pages(s, "verysecretword")); /* less than half is gone */
	remove_uids(s, 41, 50);
	clock_simulate(now + 4 * HOUR_MS);
	work_to_the_end(s);
	assert_false(is_in_pages(s, "verysecretword") || is_in_pages(s, "anothersecret"));
	assert_int_equal(count(s, "SELECT n_messages FROM search_segments"), 50);
	compare_many(s);
	remove_uids(s, 51, 100);
	clock_simulate(now + 6 * HOUR_MS);
	work_to_the_end(s);
	assert_int_equal(count(s, "SELECT count(*) FROM search_segments"), 0);
	assert_int_equal(count(s, "SELECT count(*) FROM search_pages"), 0);
	clock_simulate(0);
	store_close(s);
	test_account_remove(&t);
}

static void one_session_works_at_a_time(void **state)
{
	(void)state;
	bool more = false;
	uint64_t now = clock_wall_ms();
	test_account_make(&t);
	struct store *a = test_open(&t), *b = test_open(&t);
	for (unsigned i = 0; i < SEARCH_FAN; i++) {
		deliver(a, STORE_SEARCH_TAIL);
		work_to_the_end(a);
	}
	deliver(a, STORE_SEARCH_TAIL);
	clock_simulate(now);
	test_check(store_search_work(a, 0, &more));
	assert_true(more);
	test_check(store_search_work(b, 0, &more));
	assert_false(more);
	/* The one that says nothing more loses the work, and what it had begun is void. */
	clock_simulate(now + 2 * SEARCH_CLAIM_MS);
	work_to_the_end(b);
	assert_int_equal(count(b, "SELECT indexed FROM search_state"), 9 * STORE_SEARCH_TAIL);
	more = true;
	while (more)
		test_check(store_search_work(a, 0, &more));
	assert_int_equal(count(a, "SELECT sum(n_messages) FROM search_segments WHERE state = 0"),
	    9 * STORE_SEARCH_TAIL);
	compare_many(a);
	clock_simulate(0);
	store_close(a);
	store_close(b);
	test_account_remove(&t);
}

/* A joining that was cut short leaves nothing behind, and is done by the next. */
static void an_unfinished_joining_is_done_anew(void **state)
{
	(void)state;
	bool more = false;
	uint64_t now = clock_wall_ms();
	test_account_make(&t);
	struct store *s = test_open(&t);
	for (unsigned i = 0; i < SEARCH_FAN; i++) {
		deliver(s, STORE_SEARCH_TAIL);
		while (count(s, "SELECT indexed FROM search_state") < (i + 1) * STORE_SEARCH_TAIL)
			test_check(store_search_work(s, BUDGET_MS, &more));
	}
	while (count(s, "SELECT count(*) FROM search_segments WHERE state = 1") == 0)
		test_check(store_search_work(s, 0, &more));
	store_close(s);
	s = test_open(&t);
	compare_many(s);
	clock_simulate(now + 2 * SEARCH_CLAIM_MS);
	work_to_the_end(s);
	assert_int_equal(count(s, "SELECT count(*) FROM search_segments"), 1);
	compare_many(s);
	clock_simulate(0);
	store_close(s);
	test_account_remove(&t);
}

static void a_rebuilt_database_is_indexed_anew(void **state)
{
	(void)state;
	test_account_make(&t);
	struct store *s = test_open(&t);
	deliver(s, 3 * STORE_SEARCH_TAIL);
	work_to_the_end(s);
	store_close(s);
	int mark = open(STORE_DAMAGE_MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(mark >= 0);
	close(mark);
	s = test_open(&t);
	assert_int_equal(count(s, "SELECT indexed FROM search_state"), 0);
	compare_many(s);
	work_to_the_end(s);
	assert_true(count(s, "SELECT indexed FROM search_state") >= 3 * STORE_SEARCH_TAIL);
	compare_many(s);
	store_close(s);
	test_account_remove(&t);
}

static void an_arena_that_is_too_small_is_said(void **state)
{
	(void)state;
	struct arena small CLEANUP(arena_done) = ARENA_MAX(8);
	struct store_search_answer answer;
	test_account_make(&t);
	struct store *s = test_open(&t);
	assert_int_equal(
	    store_search_find(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY), STR("x"), &small, &answer),
	    -E2BIG);
	store_close(s);
	test_account_remove(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_index_and_the_messages_agree),
	    cmocka_unit_test(headers_of_parts_are_known),
	    cmocka_unit_test(an_older_index_is_made_anew),
	    cmocka_unit_test(few_new_messages_wait_but_large_ones_do_not),
	    cmocka_unit_test(a_message_with_too_many_words_is_left_out),
	    cmocka_unit_test(words_of_deleted_messages_go),
	    cmocka_unit_test(one_session_works_at_a_time),
	    cmocka_unit_test(an_unfinished_joining_is_done_anew),
	    cmocka_unit_test(a_rebuilt_database_is_indexed_anew),
	    cmocka_unit_test(an_arena_that_is_too_small_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
