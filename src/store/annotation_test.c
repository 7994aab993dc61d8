/* Annotations: their limits, who is told, and a database made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/store_annotation.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/store_private.h"
#include "store/store_usage.h"
#include "store/test_account.h"

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(16 << 20);

static int set_up(void **state UNUSED)
{
	test_account_make(&t);
	s = test_open(&t);
	return 0;
}

static int tear_down(void **state UNUSED)
{
	store_close(s);
	arena_done(&arena);
	test_account_remove(&t);
	clock_simulate(0);
	return 0;
}

static int set(uint64_t mailbox, const char *entry, struct str value)
{
	struct store_annotation a = {str_of_cstr(entry), value.p != NULL, value};
	uint64_t modseq;
	return store_annotations_set(s, mailbox, &a, 1, &modseq);
}

static size_t count(uint64_t mailbox, const char *entry, enum store_annotation_depth depth)
{
	const struct store_annotation *list;
	size_t n;
	assert_int_equal(
	    store_annotations_get(s, mailbox, str_of_cstr(entry), depth, &arena, &list, &n), 0);
	return n;
}

static struct str value_of(uint64_t mailbox, const char *entry)
{
	const struct store_annotation *list;
	size_t n;
	assert_int_equal(store_annotations_get(
	                     s, mailbox, str_of_cstr(entry), ANNOTATION_ALONE, &arena, &list, &n),
	    0);
	return n > 0 ? list[0].value : str_of(NULL, 0);
}

static void test_depth(void **state UNUSED)
{
	assert_int_equal(set(1, "/private/a", STR("1")), 0);
	assert_int_equal(set(1, "/private/a/b", STR("2")), 0);
	assert_int_equal(set(1, "/private/a/b/c", STR("3")), 0);
	assert_int_equal(set(1, "/private/ab", STR("4")), 0);
	assert_int_equal(set(2, "/private/a", STR("5")), 0);
	assert_int_equal(count(1, "/private/a", ANNOTATION_ALONE), 1);
	assert_int_equal(count(1, "/private/a", ANNOTATION_CHILDREN), 2);
	assert_int_equal(count(1, "/private/a", ANNOTATION_ALL_BELOW), 3);
	assert_int_equal(count(1, "/private", ANNOTATION_ALL_BELOW), 4);
	assert_true(str_eq(value_of(2, "/private/a"), STR("5")));
}

static void test_limits(void **state UNUSED)
{
	static char large[STORE_ANNOTATION_LEN_MAX + 1];
	const struct store_annotation *list;
	uint64_t used, id;
	size_t n, n_set = 0;
	memset(large, 'x', sizeof(large));
	assert_int_equal(set(1, "/private/a", str_of(large, sizeof(large))), -EFBIG);
	assert_int_equal(set(77, "/private/a", STR("x")), -ENOENT);
	int error = 0;
	for (uint64_t box = 1; error == 0; box++) {
		char name[32];
		snprintf(name, sizeof(name), "Box %" PRIu64, box);
		assert_int_equal(store_mailbox_create(s, str_of_cstr(name), STORE_NO_USE, &id), 0);
		for (unsigned i = 0; error == 0 && i < STORE_ANNOTATIONS_MAX; i++, n_set++) {
			snprintf(name, sizeof(name), "/private/%u", i);
			error = set(id, name, str_of(large, STORE_ANNOTATION_LEN_MAX));
		}
	}
	assert_int_equal(error, -EDQUOT);
	assert_int_equal(store_annotations_usage(s, &used), 0);
	assert_true(used <= STORE_ANNOTATION_STORAGE_MAX &&
	            used > STORE_ANNOTATION_STORAGE_MAX - STORE_ANNOTATION_LEN_MAX - 32);
	assert_true(n_set > STORE_ANNOTATIONS_MAX);
	struct arena small CLEANUP(arena_done) = ARENA_MAX(1000);
	assert_int_equal(
	    store_annotations_get(s, id, STR("/private"), ANNOTATION_ALL_BELOW, &small, &list, &n),
	    -E2BIG);
}

/* A removal is news too, and is forgotten a day later. */
static void test_changes(void **state UNUSED)
{
	const struct store_annotation_change *list;
	uint64_t seen = UINT64_MAX, own;
	size_t n;
	assert_int_equal(store_annotations_changed(s, &seen, 0, &arena, &list, &n), 0);
	assert_int_equal(n, 0);
	uint64_t before = seen;
	assert_int_equal(set(1, "/private/a", STR("x")), 0);
	assert_int_equal(set(1, "/private/a", (struct str){NULL, 0}), 0);
	struct store_annotation a = {STR("/private/mine"), true, STR("x")};
	assert_int_equal(store_annotations_set(s, 0, &a, 1, &own), 0);
	assert_int_equal(store_annotations_changed(s, &seen, own, &arena, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_true(str_eq(list[0].mailbox, STR("INBOX")));
	assert_true(str_eq(list[0].entry, STR("/private/a")));
	assert_int_equal(store_annotations_changed(s, &seen, own, &arena, &list, &n), 0);
	assert_int_equal(n, 0);
	clock_simulate(clock_wall_ms() + 25 * 3600 * 1000);
	assert_int_equal(set(1, "/private/b", STR("x")), 0);
	assert_int_equal(store_annotations_changed(s, &before, 0, &arena, &list, &n), 0);
	assert_int_equal(n, 2); /* mine and b */
}

/* Whoever sets and removes all day long fills nothing; the latest removals are told. */
static void test_many_removed(void **state UNUSED)
{
	enum { ROUNDS = 30, EACH = 100, KEPT = 1000 };
	static char names[EACH][32];
	const struct store_annotation_change *list;
	struct store_annotation a[EACH];
	uint64_t modseq, start = 0;
	size_t n;
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < EACH; i++) {
			snprintf(names[i], sizeof(names[i]), "/private/%u", round * EACH + i);
			a[i] = (struct store_annotation){.entry = str_of_cstr(names[i])};
		}
		assert_int_equal(store_annotations_set(s, 1, a, EACH, &modseq), 0);
	}
	assert_int_equal(store_annotations_changed(s, &start, 0, &arena, &list, &n), 0);
	assert_int_equal(n, KEPT);
	start = modseq - 1;
	assert_int_equal(store_annotations_changed(s, &start, 0, &arena, &list, &n), 0);
	assert_int_equal(n, EACH);
}

/* No letterbox holds them: they come from what can still be read of the old database. */
static void test_salvaged(void **state UNUSED)
{
	uint64_t id;
	struct store_mailbox m = {0};
	assert_int_equal(store_mailbox_create(s, STR("Work"), STORE_NO_USE, &id), 0);
	assert_int_equal(set(id, "/private/comment", STR("work")), 0);
	assert_int_equal(set(0, "/private/vendor/x", STR("mine")), 0);
	assert_int_equal(set(1, "/private/gone", STR("x")), 0);
	assert_int_equal(set(1, "/private/gone", (struct str){NULL, 0}), 0);
	store_close(s);
	int fd = open("mailbox.db.is-damaged", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0 && close(fd) == 0);
	s = test_open(&t);
	assert_int_equal(store_mailbox_find(s, STR("Work"), &arena, &m), 0);
	assert_true(str_eq(value_of(m.id, "/private/comment"), STR("work")));
	assert_true(str_eq(value_of(0, "/private/vendor/x"), STR("mine")));
	assert_int_equal(count(1, "/private/gone", ANNOTATION_ALONE), 0);
}

static void test_counts(void **state UNUSED)
{
	uint64_t mailboxes, messages, id;
	assert_int_equal(store_counts(s, &mailboxes, &messages), 0);
	assert_true(mailboxes == 6 && messages == 0);
	assert_int_equal(store_mailbox_create(s, STR("Work"), STORE_NO_USE, &id), 0);
	assert_int_equal(store_counts(s, &mailboxes, &messages), 0);
	assert_int_equal(mailboxes, 7);
}

/* Of copies, which cost nothing else, there are only so many. */
static void test_count_is_limited(void **state UNUSED)
{
	struct store_copy_result copied;
	struct store_view *view;
	struct store_box box;
	size_t taken;
	const uint32_t both[] = {1, 2};
	const struct store_uids one = {both, 1}, two = {both, 2};
	test_deliver_number(&t, 1);
	test_deliver_number(&t, 2);
	assert_int_equal(store_ingest(s, &taken), 0);
	assert_int_equal(db_begin(&s->db), 0);
	assert_int_equal(store_box_load(s, 3, &box), 0);
	box.n_messages = STORE_MESSAGES_MAX - 3;
	assert_int_equal(db_end(&s->db, store_box_save(s, &box)), 0);
	assert_int_equal(store_view_open(s, 1, false, &view), 0);
	assert_int_equal(
	    store_copy(view, two, 2, STORE_COPY, UINT64_MAX, &arena, &copied), -EDQUOT);
	assert_int_equal(store_copy(view, one, 2, STORE_COPY, UINT64_MAX, &arena, &copied), 0);
	assert_int_equal(
	    store_copy(view, one, 1, STORE_COPY, UINT64_MAX, &arena, &copied), -EDQUOT);
	assert_int_equal(store_copy(view, two, 2, STORE_MOVE, UINT64_MAX, &arena, &copied), 0);
	store_view_close(view);
}

int main(void)
{
#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    STORE_TEST(test_depth),
	    STORE_TEST(test_limits),
	    STORE_TEST(test_changes),
	    STORE_TEST(test_many_removed),
	    STORE_TEST(test_salvaged),
	    STORE_TEST(test_counts),
	    STORE_TEST(test_count_is_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
