/*
 * Accounts that earlier versions wrote (test/formats/) open in this one, with everything that is in
 * them. Run from the root of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/num.h"
#include "store/store_annotation.h"
#include "store/store_ingest.h"
#include "store/store_object.h"
#include "store/store_ranks.h"
#include "store/store_rights.h"
#include "store/store_search.h"
#include "store/test_account.h"
#include "store/test_expect.h"
#include "store/test_sample.h"

enum { PATH_LEN_MAX = 256 };

static struct test_account t;
static struct arena arena = ARENA_MAX(1 << 20);

struct expected {
	uint32_t uid;
	unsigned number; /* of test_message; 0xffff: the large one */
};

struct seen {
	const struct expected *expected;
	size_t n, at;
};

static void compare(void *ctx, uint32_t uid, struct str bytes)
{
	struct seen *s = ctx;
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	assert_true(s->at < s->n);
	assert_int_equal(uid, s->expected[s->at].uid);
	if (s->expected[s->at].number == 0xffff)
		assert_true(str_starts(bytes, STR("Subject: large\r\n\r\nline 18\r\n")) &&
		            bytes.len >= 300000);
	else
		assert_true(str_eq(bytes, test_message(s->expected[s->at].number, &buf)));
	s->at++;
}

static void expect(struct store *s, const char *name, const struct expected *expected, size_t n)
{
	struct store_mailbox m = {0};
	assert_int_equal(store_mailbox_find(s, str_of_cstr(name), &arena, &m), 0);
	struct seen seen = {expected, n, 0};
	test_each_message(s, m.id, compare, &seen);
	assert_int_equal(seen.at, n);
	test_consistent(s, name);
}

static void test_version_1(void **state UNUSED)
{
	static const struct expected inbox[] = {{1, 0}, {4, 3}, {5, 4}, {6, 0xffff}, {7, 50}};
	static const struct expected archive[] = {{1, 1}}, plans[] = {{1, 100}};
	char before[PATH_LEN_MAX];
	assert_non_null(getcwd(before, sizeof(before)));
	test_sample_open(&t, "test/formats/1");
	struct store *s = test_open(&t);
	size_t n;
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(n, 1); /* delivered, and not taken in by that version */
	expect(s, "INBOX", inbox, ARRAY_LEN(inbox));
	expect(s, "Archive", archive, ARRAY_LEN(archive));
	expect(s, "Work/Pl\xc3\xa4ne", plans, ARRAY_LEN(plans));
	struct store_mailbox m = {0};
	struct store_view *v = NULL;
	struct store_scan *scan = NULL;
	struct store_row row;
	assert_int_equal(store_mailbox_find(s, STR("Work/Pl\xc3\xa4ne"), &arena, &m), 0);
	assert_int_equal(store_view_open(s, m.id, true, &v), 0);
	assert_int_equal(store_view_entry(v, 0).flags & STORE_SYSTEM_FLAGS, STORE_SEEN);
	assert_true(str_eq(store_keyword_name(s, 1 << STORE_KEYWORD_FIRST), STR("$Later")));
	assert_true(store_view_entry(v, 0).flags & 1 << STORE_KEYWORD_FIRST);
	assert_int_equal(
	    store_scan_open(v, 0, 1, STORE_COLUMN_ENVELOPE | STORE_COLUMN_DATES, &scan), 0);
	assert_int_equal(store_scan_next(scan, &row), 1);
	assert_true(row.internal_at == 1000000 && row.internal_zone == -330);
	assert_true(str_find(row.envelope, STR("\"Letter 100\"")) < row.envelope.len);
	store_scan_close(scan);
	store_view_close(v);
	store_close(s);
	assert_int_equal(t.n_damage, 0);
	test_account_remove(&t);
	arena_done(&arena);
	assert_int_equal(chdir(before), 0);
}

static void test_version_2(void **state UNUSED)
{
	static const struct expected inbox[] = {
	    {1, 0}, {4, 3}, {5, 4}, {6, 5}, {7, 0xffff}, {8, 50}};
	static const struct expected archive[] = {{1, 1}, {2, 4}}, plans[] = {{1, 100}};
	char before[PATH_LEN_MAX];
	assert_non_null(getcwd(before, sizeof(before)));
	test_sample_open(&t, "test/formats/2");
	struct store *s = test_open(&t);
	size_t n;
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(n, 1); /* delivered, and not taken in by that version */
	expect(s, "INBOX", inbox, ARRAY_LEN(inbox));
	expect(s, "Archive", archive, ARRAY_LEN(archive));
	expect(s, "Work/Pl\xc3\xa4ne", plans, ARRAY_LEN(plans));
	struct store_mailbox m = {0};
	struct store_view *v = NULL;
	const uint32_t *uids;
	bool complete;
	assert_int_equal(store_mailbox_find(s, STR("INBOX"), &arena, &m), 0);
	assert_int_equal(store_view_open(s, m.id, true, &v), 0);
	assert_int_equal(
	    store_view_entry(v, 3).flags & STORE_SYSTEM_FLAGS, STORE_FLAGGED | STORE_ANSWERED);
	struct store_object_ids ids;
	assert_int_equal(store_object_ids(s, store_view_entry(v, 3).message, &ids), 0);
	assert_int_equal(strlen(ids.email), STORE_OBJECT_TEXT_LEN);
	assert_int_equal(store_view_vanished(v, 1, &arena, &uids, &n, &complete), 0);
	assert_true(n == 2 && uids[0] == 2 && uids[1] == 3 && complete);
	store_view_close(v);
	store_close(s);
	assert_int_equal(t.n_damage, 0);
	test_account_remove(&t);
	arena_done(&arena);
	assert_int_equal(chdir(before), 0);
}

/* With rights, an annotation, a word index, and what SORT compares by. */
static void test_version_11(void **state UNUSED)
{
	static const struct expected inbox[] = {{1, 0}, {4, 3}, {6, 5}, {7, 0xffff}, {8, 50}};
	static const struct expected archive[] = {{1, 4}}, plans[] = {{1, 100}};
	char before[PATH_LEN_MAX];
	assert_non_null(getcwd(before, sizeof(before)));
	test_sample_open(&t, "test/formats/11");
	struct store *s = test_open(&t);
	size_t n;
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(n, 1); /* delivered, and not taken in by that version */
	expect(s, "INBOX", inbox, ARRAY_LEN(inbox));
	expect(s, "Archive", archive, ARRAY_LEN(archive));
	expect(s, "Work/Pl\xc3\xa4ne", plans, ARRAY_LEN(plans));
	struct store_mailbox m = {0};
	const struct store_annotation *notes;
	unsigned rights;
	assert_int_equal(store_mailbox_find(s, STR("Work/Pl\xc3\xa4ne"), &arena, &m), 0);
	assert_int_equal(store_rights_get(s, m.id, STR("fred@example.test"), &rights), 0);
	assert_int_equal(rights, STORE_RIGHT_LOOKUP | STORE_RIGHT_READ);
	assert_int_equal(store_annotations_get(s, m.id, STR("/private/comment"), ANNOTATION_ALONE,
	                     &arena, &notes, &n),
	    0);
	assert_true(n == 1 && str_eq(notes[0].value, STR("plans of ours")));
	store_close(s);
	assert_int_equal(t.n_damage, 0);
	test_account_remove(&t);
	arena_done(&arena);
	assert_int_equal(chdir(before), 0);
}

/* The index itself says that this message has the word. */
static bool index_finds(struct store *s, const char *word, uint32_t message)
{
	struct store_search_answer answer;
	assert_int_equal(store_search_find(s, STORE_SEARCH_BIT(SEARCH_CLASS_BODY),
	                     str_of_cstr(word), &arena, &answer),
	    0);
	return answer.indexed >= message && store_search_says(&answer, message) == STORE_SEARCH_YES;
}

/* What 11 had, and INBOX's list as one value. In 12 the word index is to be made anew; since 14 its
 * messages have ranks. */
static void expect_list_and_index(const char *sample, bool has_index, bool has_ranks)
{
	static const struct expected inbox[] = {{2, 0}, {5, 3}, {7, 5}, {8, 0xffff}, {9, 50}};
	static const struct expected archive[] = {{1, 4}}, plans[] = {{1, 100}};
	char before[PATH_LEN_MAX];
	assert_non_null(getcwd(before, sizeof(before)));
	test_sample_open(&t, sample);
	struct store *s = test_open(&t);
	size_t n;
	bool more = true;
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(n, 1); /* delivered, and not taken in by that version */
	expect(s, "INBOX", inbox, ARRAY_LEN(inbox));
	expect(s, "Archive", archive, ARRAY_LEN(archive));
	expect(s, "Work/Pl\xc3\xa4ne", plans, ARRAY_LEN(plans));
	struct store_view *v = NULL;
	assert_int_equal(store_view_open(s, 1, true, &v), 0);
	assert_false(v->list_is_wrong);
	assert_int_equal(store_view_entry(v, 1).flags & STORE_SYSTEM_FLAGS, STORE_FLAGGED);
	uint32_t last = store_view_entry(v, 2).message;
	assert_true(index_finds(s, "number", last) == has_index);
	uint32_t ranked = 0;
	assert_int_equal(store_ranks_look(v, STORE_ORDER_BY_DATE, &ranked), 0);
	assert_int_equal(ranked, has_ranks ? 9 : 0);
	while (more)
		assert_int_equal(store_search_work(s, 1000, &more), 0);
	assert_true(index_finds(s, "number", last));
	store_view_close(v);
	store_close(s);
	assert_int_equal(t.n_damage, 0);
	test_account_remove(&t);
	arena_done(&arena);
	assert_int_equal(chdir(before), 0);
}

static void test_version_12(void **state UNUSED)
{
	expect_list_and_index("test/formats/12", false, false);
}

static void test_version_13(void **state UNUSED)
{
	expect_list_and_index("test/formats/13", true, false);
}

static void test_version_14(void **state UNUSED)
{
	expect_list_and_index("test/formats/14", true, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_version_1),
	    cmocka_unit_test(test_version_2), cmocka_unit_test(test_version_11),
	    cmocka_unit_test(test_version_12), cmocka_unit_test(test_version_13),
	    cmocka_unit_test(test_version_14)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
