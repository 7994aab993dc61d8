/* EMAILID, THREADID and previews, through restarts and through a database made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/store_append.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/store_object.h"
#include "store/store_preview.h"
#include "store/test_account.h"
#include "store/test_expect.h"

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(1 << 20);

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
	return 0;
}

/* Delivers a message of these fields and takes it in. */
static void deliver(const char *fields)
{
	struct buf message CLEANUP(buf_done) = BUF_MAX(65536);
	size_t n;
	buf_printf(&message, "%s\r\nText\r\n", fields);
	test_deliver(&t, buf_str(&message));
	assert_int_equal(store_ingest(s, &n), 0);
	assert_int_equal(n, 1);
}

static struct store_view *open_view(const char *name)
{
	struct store_mailbox m = {0};
	struct store_view *v = NULL;
	assert_int_equal(store_mailbox_find(s, str_of_cstr(name), &arena, &m), 0);
	assert_int_equal(store_view_open(s, m.id, false, &v), 0);
	return v;
}

static struct store_object_ids ids_of(const char *name, size_t at)
{
	struct store_view *v = open_view(name);
	struct store_object_ids ids;
	assert_true(at < v->n);
	assert_int_equal(store_object_ids(s, store_view_entry(v, at).message, &ids), 0);
	store_view_close(v);
	return ids;
}

static bool same_thread(size_t a, size_t b)
{
	return strcmp(ids_of("INBOX", a).thread, ids_of("INBOX", b).thread) == 0;
}

static void deliver_thread(void)
{
	deliver("Subject: Plans\r\nMessage-ID: <1@x>\r\n");
	deliver("Subject: Re: plans\r\nMessage-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n");
	deliver("Subject: Plans\r\nMessage-ID: <3@x>\r\n");
	deliver("Subject: Other\r\nMessage-ID: <4@x>\r\nReferences: <1@x>\r\n");
	deliver(
	    "Subject: Fwd: Re: [list] Plans\r\nMessage-ID: <5@x>\r\nReferences: <9@x> <2@x>\r\n");
	deliver("Subject: Re: Plans\r\nMessage-ID: <6@x>\r\nReferences: <9@x>\r\n");
}

/* RFC 8621 §3: a shared identifier and equal base subjects. */
static void test_threads(void **state UNUSED)
{
	deliver_thread();
	assert_true(same_thread(0, 1));
	assert_false(same_thread(0, 2)); /* the same subject alone is none */
	assert_false(same_thread(0, 3)); /* nor is a reference under another subject */
	assert_true(same_thread(0, 4));
	assert_true(same_thread(0, 5)); /* by a message that nobody has */
	assert_string_not_equal(ids_of("INBOX", 0).email, ids_of("INBOX", 1).email);
	assert_int_equal(ids_of("INBOX", 0).email[0], 'M');
	assert_int_equal(ids_of("INBOX", 0).thread[0], 'T');
}

/* Who joins two threads gets the older one's id, and theirs stay. */
static void test_joining(void **state UNUSED)
{
	deliver("Subject: a\r\nMessage-ID: <1@x>\r\n");
	struct store_object_ids first = ids_of("INBOX", 0);
	deliver("Subject: a\r\nMessage-ID: <2@x>\r\n");
	struct store_object_ids second = ids_of("INBOX", 1);
	deliver("Subject: Re: a\r\nMessage-ID: <3@x>\r\nReferences: <2@x> <1@x>\r\n");
	assert_string_equal(ids_of("INBOX", 0).thread, first.thread);
	assert_string_equal(ids_of("INBOX", 1).thread, second.thread);
	struct str third = str_of_cstr(ids_of("INBOX", 2).thread);
	assert_true(
	    str_eq(third, str_of_cstr(first.thread)) || str_eq(third, str_of_cstr(second.thread)));
}

/* No identifier at all is a thread of its own; so many that only some count are no harm. */
static void test_odd_references(void **state UNUSED)
{
	struct buf many CLEANUP(buf_done) = BUF_MAX(65536);
	deliver("Subject: a\r\n");
	deliver("Subject: a\r\n");
	assert_false(same_thread(0, 1));
	buf_printf(&many, "Subject: m\r\nReferences:");
	for (unsigned i = 0; i < 900; i++)
		buf_printf(&many, " <%u@x>\r\n", i);
	buf_add_c(&many, '\0');
	deliver(many.p);
	deliver("Subject: m\r\nMessage-ID: <0@x>\r\n");
	deliver("Subject: m\r\nMessage-ID: <899@x>\r\n");
	deliver("Subject: m\r\nMessage-ID: <450@x>\r\n");
	assert_true(same_thread(2, 3) && same_thread(2, 4));
	assert_false(same_thread(2, 5)); /* in the middle: beyond THREAD_REFERENCES_MAX */
}

/* A copy is the same message; removed from everywhere it is gone, its thread is not. */
static void test_copy_and_removal(void **state UNUSED)
{
	const uint32_t one[] = {1};
	struct store_copy_result copied;
	struct store_mailbox archive = {0};
	deliver("Subject: a\r\nMessage-ID: <1@x>\r\n");
	struct store_object_ids ids = ids_of("INBOX", 0);
	struct store_view *v = open_view("INBOX");
	uint32_t message = store_view_entry(v, 0).message;
	assert_int_equal(store_mailbox_find(s, STR("Archive"), &arena, &archive), 0);
	assert_int_equal(store_copy(v, (struct store_uids){one, 1}, archive.id, STORE_MOVE,
	                     STORE_FLAGS_MASK, &arena, &copied),
	    0);
	store_view_close(v);
	assert_string_equal(ids_of("Archive", 0).email, ids.email);
	assert_int_equal(store_mailbox_delete(s, STR("Archive")), 0);
	struct store_object_ids gone;
	assert_int_equal(store_object_ids(s, message, &gone), -ENOENT);
	struct buf preview CLEANUP(buf_done) = BUF_MAX(1000);
	assert_int_equal(store_preview(s, message, &preview), -ENOENT);
	deliver("Subject: Re: a\r\nMessage-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n");
	assert_string_equal(ids_of("INBOX", 0).thread, ids.thread);
}

static void test_find(void **state UNUSED)
{
	const uint32_t *messages;
	size_t n;
	deliver_thread();
	struct store_object_ids ids = ids_of("INBOX", 1);
	assert_int_equal(store_object_find(s, str_of_cstr(ids.thread), &arena, &messages, &n), 0);
	assert_int_equal(n, 4);
	for (size_t i = 1; i < n; i++)
		assert_true(messages[i] > messages[i - 1]);
	assert_int_equal(store_object_find(s, str_of_cstr(ids.email), &arena, &messages, &n), 0);
	assert_int_equal(n, 1);
	static const char *const odd[] = {
	    "", "M", "NIL", "T", "M00", "X0000000000000000000000000000"};
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		assert_int_equal(
		    store_object_find(s, str_of_cstr(odd[i]), &arena, &messages, &n), 0);
		assert_int_equal(n, 0);
	}
	struct arena small CLEANUP(arena_done) = ARENA_MAX(16);
	assert_int_equal(
	    store_object_find(s, str_of_cstr(ids.thread), &small, &messages, &n), -E2BIG);
}

/* Closes the account, loses its database (all of it, or one page), and opens it again. */
static void rebuild(bool all)
{
	store_close(s);
	if (all)
		assert_int_equal(truncate("mailbox.db", 8192), 0);
	else
		test_flip("mailbox.db", 100);
	s = test_open(&t);
	assert_true(t.n_damage > 0);
}

/* Nothing but the letterbox is left: ids are made of it alone. */
static void test_rebuilt(void **state UNUSED)
{
	struct store_object_ids before[6];
	deliver_thread();
	for (size_t i = 0; i < 6; i++)
		before[i] = ids_of("INBOX", i);
	rebuild(true);
	for (size_t i = 0; i < 6; i++) {
		assert_string_equal(ids_of("INBOX", i).email, before[i].email);
		assert_string_equal(ids_of("INBOX", i).thread, before[i].thread);
	}
}

/* Another process noted damage, and the old database can still be read: a thread whose first
 * message is gone keeps its id. */
static void test_salvaged(void **state UNUSED)
{
	const uint32_t one[] = {1};
	struct store_flag_change change = {STORE_FLAGS_ADD, STORE_DELETED, false, 0, 0};
	struct store_flag_result flagged;
	struct store_uids removed;
	deliver_thread();
	struct store_object_ids ids = ids_of("INBOX", 1);
	struct store_view *v = open_view("INBOX");
	assert_int_equal(store_flags(v, (struct store_uids){one, 1}, &change, &arena, &flagged), 0);
	assert_int_equal(store_expunge(v, (struct store_uids){0}, true, &arena, &removed), 0);
	store_view_close(v);
	store_close(s);
	int fd = open("mailbox.db.is-damaged", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0 && close(fd) == 0);
	s = test_open(&t);
	assert_int_equal(access("mailbox.db.is-damaged", F_OK), -1);
	assert_string_equal(ids_of("INBOX", 0).email, ids.email);
	assert_string_equal(ids_of("INBOX", 0).thread, ids.thread);
	/* The identifier of the message that is gone still leads there. */
	deliver("Subject: Re: Plans\r\nMessage-ID: <8@x>\r\nIn-Reply-To: <1@x>\r\n");
	assert_string_equal(ids_of("INBOX", 5).thread, ids.thread);
}

static void test_preview(void **state UNUSED)
{
	struct buf preview CLEANUP(buf_done) = BUF_MAX(1000);
	deliver("Subject: a\r\n");
	struct store_view *v = open_view("INBOX");
	assert_int_equal(store_preview(s, store_view_entry(v, 0).message, &preview), 0);
	store_view_close(v);
	assert_true(str_eq(buf_str(&preview), STR("Text")));
}

int main(void)
{
#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    STORE_TEST(test_threads),
	    STORE_TEST(test_joining),
	    STORE_TEST(test_odd_references),
	    STORE_TEST(test_copy_and_removal),
	    STORE_TEST(test_find),
	    STORE_TEST(test_rebuilt),
	    STORE_TEST(test_salvaged),
	    STORE_TEST(test_preview),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
