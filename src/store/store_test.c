/* The store as a session uses it: taking in, folders, views, changes, appending. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>

#include "store/store_append.h"
#include "store/store_change.h"
#include "store/store_ingest.h"
#include "store/store_mailbox.h"
#include "store/store_message.h"
#include "store/store_view.h"
#include "store/test_account.h"

static struct test_account t;
static struct store *s;
static struct arena arena = ARENA_MAX(64 << 20);

static int setup(void **state UNUSED)
{
	test_account_make(&t);
	s = test_open(&t);
	return 0;
}

static int teardown(void **state UNUSED)
{
	store_close(s);
	s = NULL;
	arena_done(&arena);
	test_account_remove(&t);
	return 0;
}

static void reopen(void)
{
	store_close(s);
	s = test_open(&t);
}

static size_t ingest(void)
{
	size_t n = 0;
	assert_int_equal(store_ingest(s, &n), 0);
	return n;
}

static struct store_mailbox mailbox(const char *name)
{
	struct store_mailbox m = {0};
	assert_int_equal(store_mailbox_find(s, str_of_cstr(name), &arena, &m), 0);
	return m;
}

static struct store_view *view(const char *name)
{
	struct store_view *v = NULL;
	assert_int_equal(store_view_open(s, mailbox(name).id, false, &v), 0);
	return v;
}

static struct store_changes refresh(struct store_view *v)
{
	struct store_changes c;
	assert_int_equal(store_view_refresh(v, false, &arena, &c), 0);
	return c;
}

static struct str body_of(uint32_t message)
{
	struct store_body *b = NULL;
	struct str bytes, copy;
	assert_int_equal(store_body_open(s, message, &b), 0);
	assert_int_equal(store_body_all(b, &bytes), 0);
	assert_int_equal(bytes.len, store_body_len(b));
	assert_true(arena_dup(&arena, bytes, &copy));
	store_body_close(b);
	return copy;
}

static bool holds_number(struct store_view *v, size_t at, unsigned number)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	return str_eq(body_of(store_view_entry(v, at).message), test_message(number, &buf));
}

static void test_default_mailboxes(void **state UNUSED)
{
	struct store_mailbox *list;
	size_t n;
	assert_int_equal(store_mailbox_list(s, &arena, &list, &n), 0);
	assert_int_equal(n, 6);
	assert_true(str_eq(list[0].name, STR("INBOX")));
	assert_int_equal(mailbox("inbox").id, list[0].id);
	assert_int_equal(mailbox("Sent").use, STORE_SENT);
	assert_true(mailbox("Trash").subscribed);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].uidnext, 1);
		assert_true(list[i].uidvalidity > 0);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(list[i].uidvalidity, list[j].uidvalidity);
	}
}

static void test_ingest(void **state UNUSED)
{
	for (unsigned i = 0; i < 450; i++)
		test_deliver_number(&t, i);
	assert_int_equal(ingest(), 450);
	assert_int_equal(ingest(), 0);
	struct store_mailbox inbox = mailbox("INBOX");
	assert_int_equal(inbox.n_messages, 450);
	assert_int_equal(inbox.n_unseen, 450);
	assert_int_equal(inbox.n_recent, 450);
	assert_int_equal(inbox.uidnext, 451);
	struct store_view *v = view("INBOX");
	assert_int_equal(v->n, 450);
	assert_int_equal(v->n_recent, 450);
	for (unsigned i = 0; i < 450; i += 50) {
		assert_int_equal(store_view_entry(v, i).uid, i + 1);
		assert_true(holds_number(v, i, i));
	}
	store_view_close(v);
	reopen();
	assert_int_equal(ingest(), 0);
	v = view("INBOX");
	assert_int_equal(v->n_recent, 0);
	assert_true(holds_number(v, 449, 449));
	store_view_close(v);
}

static void test_scan(void **state UNUSED)
{
	for (unsigned i = 0; i < 20; i++)
		test_deliver_number(&t, i);
	ingest();
	struct store_view *v = view("INBOX");
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	for (unsigned columns = 0; columns <= STORE_COLUMNS_ALL; columns++) {
		struct store_scan *scan;
		struct store_row row;
		assert_int_equal(store_scan_open(v, 3, 17, columns, &scan), 0);
		size_t at = 3;
		int more;
		while ((more = store_scan_next(scan, &row)) > 0) {
			assert_int_equal(row.at, at);
			assert_int_equal(row.entry.uid, at + 1);
			size_t len = columns & 8 ? test_message((unsigned)at, &buf).len : 0;
			assert_int_equal(row.size, len);
			bool dated = row.internal_at == 1700000000;
			assert_int_equal(dated, columns >= STORE_COLUMN_DATES);
			buf_clear(&buf);
			buf_printf(&buf, "\"Letter %zu\"", at);
			bool has = str_find(row.envelope, buf_str(&buf)) < row.envelope.len;
			assert_int_equal(has, (columns & STORE_COLUMN_ENVELOPE) != 0);
			has = row.bodystructure.len > 0;
			assert_int_equal(has, (columns & STORE_COLUMN_STRUCTURE) != 0);
			assert_int_equal(row.has_sent, (columns & STORE_COLUMN_ORDER) != 0);
			if (columns & STORE_COLUMN_ORDER) {
				assert_true(row.sent_at == 1795424400 && row.sent_zone == 60);
				assert_true(str_starts(row.subject, STR("Letter ")));
				assert_true(str_ends(row.message_id, STR("@example.test")));
			}
			at++;
		}
		assert_int_equal(more, 0);
		assert_int_equal(at, 17);
		store_scan_close(scan);
	}
	store_view_close(v);
}

/* A scan reads rows of before; that a message's bytes are gone since is no damage. */
static void test_body_expunged_during_scan(void **state UNUSED)
{
	for (unsigned i = 0; i < 5; i++)
		test_deliver_number(&t, i);
	ingest();
	struct store_view *v = view("INBOX");
	struct store *other = test_open(&t);
	struct store_mailbox inbox = mailbox("INBOX");
	struct store_view *others;
	assert_int_equal(store_view_open(other, inbox.id, false, &others), 0);
	struct store_scan *scan;
	struct store_row row;
	assert_int_equal(store_scan_open(v, 0, 5, STORE_COLUMNS_ALL, &scan), 0);
	assert_int_equal(store_scan_next(scan, &row), 1);

	const uint32_t uids[] = {2, 3};
	const struct store_flag_change change = {.mode = STORE_FLAGS_ADD, .flags = STORE_DELETED};
	struct store_flag_result result;
	struct store_uids removed;
	assert_int_equal(
	    store_flags(others, (struct store_uids){uids, 2}, &change, &arena, &result), 0);
	assert_int_equal(store_expunge(others, (struct store_uids){0}, true, &arena, &removed), 0);
	assert_int_equal(removed.n, 2);

	struct store_body *b;
	assert_int_equal(store_body_open(s, store_view_entry(v, 1).message, &b), -ENOENT);
	assert_int_equal(t.n_damage, 0);
	assert_true(str_eq(row.subject, STR("Letter 0")));
	assert_int_equal(store_scan_next(scan, &row), 1);
	assert_int_equal(row.entry.uid, 4);
	assert_true(str_eq(row.subject, STR("Letter 3")));
	assert_int_equal(store_body_open(s, store_view_entry(v, 2).message, &b), -ENOENT);
	assert_int_equal(store_scan_next(scan, &row), 1);
	assert_int_equal(row.entry.uid, 5);
	assert_int_equal(store_scan_next(scan, &row), 0);
	assert_int_equal(t.n_damage, 0);
	store_scan_close(scan);
	store_view_close(others);
	store_close(other);
	store_view_close(v);
}

static void test_flags(void **state UNUSED)
{
	for (unsigned i = 0; i < 5; i++)
		test_deliver_number(&t, i);
	ingest();
	struct store_view *v = view("INBOX"), *other = view("INBOX");
	uint64_t before = v->highest_modseq, keyword;
	assert_int_equal(store_keyword(s, STR("$Forwarded"), false, &keyword), 0);
	assert_int_equal(keyword, 0);
	assert_int_equal(store_keyword(s, STR("$Forwarded"), true, &keyword), 0);
	assert_int_equal(keyword, (uint64_t)1 << STORE_KEYWORD_FIRST);
	assert_int_equal(store_keyword(s, STR("no atom"), true, &keyword), -EINVAL);
	const uint32_t uids[] = {2, 3, 9};
	struct store_flag_change change = {STORE_FLAGS_ADD, STORE_SEEN | keyword, false, 0, 0};
	struct store_flag_result result;
	assert_int_equal(store_flags(v, (struct store_uids){uids, 3}, &change, &arena, &result), 0);
	assert_int_equal(result.n_changed, 2);
	assert_int_equal(result.changed[1], 2);
	assert_int_equal(store_view_entry(v, 1).flags & ~STORE_RECENT, STORE_SEEN | keyword);
	assert_true(store_view_entry(v, 1).modseq > before);
	assert_int_equal(mailbox("INBOX").n_unseen, 3);
	/* The other client hears of it, this one does not. */
	assert_int_equal(refresh(v).n_changed, 0);
	struct store_changes c = refresh(other);
	assert_int_equal(c.n_changed, 2);
	assert_true(c.keywords);
	assert_int_equal(store_view_entry(other, 1).flags & ~STORE_RECENT, STORE_SEEN | keyword);
	/* The same again changes nothing. */
	assert_int_equal(store_flags(v, (struct store_uids){uids, 3}, &change, &arena, &result), 0);
	assert_int_equal(result.n_changed, 0);
	/* UNCHANGEDSINCE: message 2 has changed since, message 1 has not. */
	const uint32_t both[] = {1, 2};
	change = (struct store_flag_change){STORE_FLAGS_SET, STORE_FLAGGED, true, before, 0};
	assert_int_equal(store_flags(v, (struct store_uids){both, 2}, &change, &arena, &result), 0);
	assert_int_equal(result.n_changed, 1);
	assert_int_equal(result.changed[0], 0);
	assert_int_equal(result.modified.n, 1);
	assert_int_equal(result.modified.v[0], 2);
	change = (struct store_flag_change){STORE_FLAGS_REMOVE, keyword, false, 0, 0};
	assert_int_equal(store_flags(v, (struct store_uids){uids, 1}, &change, &arena, &result), 0);
	assert_int_equal(store_view_entry(v, 1).flags & ~STORE_RECENT, STORE_SEEN);
	store_view_close(v);
	store_view_close(other);
	reopen();
	assert_true(
	    str_eq(store_keyword_name(s, (uint64_t)1 << STORE_KEYWORD_FIRST), STR("$Forwarded")));
}

static void delete_uids(struct store_view *v, const uint32_t *uids, size_t n)
{
	struct store_flag_change change = {STORE_FLAGS_ADD, STORE_DELETED, false, 0, 0};
	struct store_flag_result result;
	assert_int_equal(store_flags(v, (struct store_uids){uids, n}, &change, &arena, &result), 0);
	assert_int_equal(result.n_changed, n);
}

static void test_expunge(void **state UNUSED)
{
	for (unsigned i = 0; i < 6; i++)
		test_deliver_number(&t, i);
	ingest();
	struct store_view *v = view("INBOX"), *other = view("INBOX");
	uint64_t before = v->highest_modseq;
	const uint32_t uids[] = {1, 3, 4};
	struct store_uids removed;
	assert_int_equal(
	    store_expunge(v, (struct store_uids){uids, 3}, false, &arena, &removed), 0);
	assert_int_equal(removed.n, 0);
	delete_uids(v, uids, 3);
	assert_int_equal(
	    store_expunge(v, (struct store_uids){uids + 1, 1}, false, &arena, &removed), 0);
	assert_int_equal(removed.n, 1);
	assert_int_equal(store_expunge(v, (struct store_uids){0}, true, &arena, &removed), 0);
	assert_int_equal(removed.n, 2);
	assert_int_equal(removed.v[1], 4);
	assert_int_equal(mailbox("INBOX").n_messages, 3);
	assert_int_equal(mailbox("INBOX").n_deleted, 0);
	/* While FETCH runs, the gone are kept; then they go. */
	test_deliver_number(&t, 6);
	ingest();
	struct store_changes c;
	assert_int_equal(store_view_refresh(other, true, &arena, &c), 0);
	assert_int_equal(c.n_gone, 0);
	assert_int_equal(c.n_new, 1);
	assert_int_equal(other->n, 7);
	assert_int_equal(other->n_gone, 3);
	assert_true(store_view_entry(other, 2).flags & STORE_GONE);
	struct store_body *b;
	assert_int_equal(store_body_open(s, store_view_entry(other, 2).message, &b), -ENOENT);
	c = refresh(other);
	assert_int_equal(c.n_gone, 3);
	assert_int_equal(c.gone[1], 2);
	assert_int_equal(c.gone_uids[2], 4);
	assert_int_equal(other->n, 4);
	assert_true(holds_number(other, 0, 1) && holds_number(other, 1, 4));
	assert_true(holds_number(other, 3, 6));
	const uint32_t *vanished;
	size_t n;
	bool complete;
	assert_int_equal(store_view_vanished(other, before, &arena, &vanished, &n, &complete), 0);
	assert_true(complete && n == 3 && vanished[0] == 1 && vanished[2] == 4);
	assert_int_equal(t.n_damage, 0);
	store_view_close(v);
	store_view_close(other);
}

/* Whatever of a refresh fails: no number has moved, and the one that succeeds tells everything. */
static void test_refresh_fails(void **state UNUSED)
{
	for (unsigned i = 0; i < 4; i++)
		test_deliver_number(&t, i);
	ingest();
	struct store_view *v = view("INBOX"), *other = view("INBOX");
	const uint32_t first = 1, third = 3;
	struct store_flag_change seen = {STORE_FLAGS_ADD, STORE_SEEN, false, 0, 0};
	struct store_flag_result result;
	struct store_uids removed;
	delete_uids(v, &first, 1);
	assert_int_equal(store_expunge(v, (struct store_uids){0}, true, &arena, &removed), 0);
	assert_int_equal(store_flags(v, (struct store_uids){&third, 1}, &seen, &arena, &result), 0);
	test_deliver_number(&t, 4);
	ingest();
	uint32_t before[4];
	struct store_changes c;
	unsigned n_failed = 0;
	int error = -E2BIG;
	for (size_t i = 0; i < 4; i++)
		before[i] = store_view_entry(other, i).uid;
	for (size_t room = 0; error != 0; room += 16) {
		struct arena narrow CLEANUP(arena_done) = ARENA_MAX(room);
		error = store_view_refresh(other, false, &narrow, &c);
		if (error == 0)
			break;
		n_failed++;
		assert_int_equal(error, -E2BIG);
		assert_int_equal(other->n, 4);
		assert_int_equal(other->n_recent, 0);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(store_view_entry(other, i).uid, before[i]);
	}
	assert_true(n_failed > 2);
	assert_true(c.n_gone == 1 && c.n_new == 1 && c.n_changed == 1);
	assert_int_equal(other->n, 4);
	assert_true(holds_number(other, 0, 1) && holds_number(other, 3, 4));
	assert_true(store_view_entry(other, 1).flags & STORE_SEEN);
	store_view_close(v);
	store_view_close(other);
}

static void test_copy_and_move(void **state UNUSED)
{
	for (unsigned i = 0; i < 4; i++)
		test_deliver_number(&t, i);
	ingest();
	struct store_view *v = view("INBOX");
	uint64_t archive = mailbox("Archive").id;
	const uint32_t uids[] = {1, 2, 7};
	struct store_copy_result result;
	struct store_uids set = {uids, 3};
	assert_int_equal(
	    store_copy(v, set, archive, STORE_COPY, STORE_FLAGS_MASK, &arena, &result), 0);
	assert_int_equal(result.n, 2);
	assert_true(result.from[1] == 2 && result.to[1] == 2);
	assert_int_equal(result.uidvalidity, mailbox("Archive").uidvalidity);
	assert_int_equal(
	    store_copy(v, set, archive, STORE_MOVE, STORE_FLAGS_MASK, &arena, &result), 0);
	assert_true(result.n == 2 && result.to[0] == 3);
	struct store_changes c = refresh(v);
	assert_int_equal(c.n_gone, 2);
	assert_int_equal(
	    store_copy(v, set, 999, STORE_COPY, STORE_FLAGS_MASK, &arena, &result), -ENOENT);
	/* Within one mailbox. */
	const uint32_t third = 3;
	assert_int_equal(store_copy(v, (struct store_uids){&third, 1}, mailbox("INBOX").id,
	                     STORE_MOVE, STORE_FLAGS_MASK, &arena, &result),
	    0);
	assert_true(result.n == 1 && result.to[0] == 5);
	c = refresh(v);
	assert_true(c.n_gone == 1 && c.n_new == 1 && v->n == 2);
	assert_true(holds_number(v, 1, 2));
	store_view_close(v);
	/* The bytes are freed only with the last copy. */
	v = view("Archive");
	assert_int_equal(v->n, 4);
	assert_int_equal(store_view_entry(v, 0).message, store_view_entry(v, 2).message);
	const uint32_t first = 1;
	struct store_uids removed;
	delete_uids(v, &first, 1);
	assert_int_equal(store_expunge(v, (struct store_uids){0}, true, &arena, &removed), 0);
	refresh(v);
	assert_true(v->n == 3 && holds_number(v, 1, 0));
	store_view_close(v);
}

static void test_mailbox_names(void **state UNUSED)
{
	static const struct {
		const char *name, *spelled;
		int error;
	} cases[] = {
	    {"InBoX", "INBOX", 0},
	    {"inbox/x", "INBOX/x", 0},
	    {"inboxes", "inboxes", 0},
	    {"Entwu\xcc\x88rfe", "Entw\xc3\xbcrfe", 0},
	    {"a/b", "a/b", 0},
	    {"", NULL, -EINVAL},
	    {"/a", NULL, -EINVAL},
	    {"a/", NULL, -EINVAL},
	    {"a//b", NULL, -EINVAL},
	    {"a%b", NULL, -EINVAL},
	    {"a\x01", NULL, -EINVAL},
	    {"a\xff", NULL, -EINVAL},
	    {"a\xc2\x85", NULL, -EINVAL},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out CLEANUP(buf_done) = BUF_MAX(STORE_MAILBOX_NAME_MAX);
		assert_int_equal(
		    store_mailbox_name(str_of_cstr(cases[i].name), &out), cases[i].error);
		assert_true(str_eq(buf_str(&out), str_of_cstr(cases[i].spelled)));
	}
	char longest[STORE_MAILBOX_NAME_MAX + 1];
	memset(longest, 'x', sizeof(longest));
	struct buf out CLEANUP(buf_done) = BUF_MAX(2000);
	assert_int_equal(store_mailbox_name(str_of(longest, sizeof(longest)), &out), -ENAMETOOLONG);
	assert_int_equal(store_mailbox_name(str_of(longest, sizeof(longest) - 1), &out), 0);
}

static void test_mailbox_create_and_delete(void **state UNUSED)
{
	uint64_t id;
	assert_int_equal(store_mailbox_create(s, STR("Work/2026/May"), STORE_NO_USE, &id), 0);
	assert_int_equal(mailbox("Work/2026/May").id, id);
	assert_true(mailbox("Work").id != 0 && mailbox("Work/2026").id != 0);
	assert_int_equal(store_mailbox_create(s, STR("Work"), STORE_NO_USE, &id), -EEXIST);
	assert_int_equal(store_mailbox_create(s, STR("INBOX"), STORE_NO_USE, &id), -EEXIST);
	assert_int_equal(store_mailbox_create(s, STR("My sent"), STORE_SENT, &id), -EEXIST);
	assert_int_equal(store_mailbox_delete(s, STR("inbox")), -EPERM);
	assert_int_equal(store_mailbox_delete(s, STR("Nothing")), -ENOENT);
	/* A mailbox of the same name is another one: new UIDVALIDITY, no messages. */
	test_deliver_number(&t, 1);
	ingest();
	struct store_view *v = view("INBOX");
	const uint32_t one = 1;
	struct store_copy_result copied;
	struct store_mailbox old = mailbox("Work/2026/May");
	assert_int_equal(store_copy(v, (struct store_uids){&one, 1}, old.id, STORE_MOVE,
	                     STORE_FLAGS_MASK, &arena, &copied),
	    0);
	store_view_close(v);
	v = view("Work/2026/May");
	assert_int_equal(store_mailbox_delete(s, STR("Work/2026/May")), 0);
	struct store_changes c;
	assert_int_equal(store_view_refresh(v, false, &arena, &c), -ENOENT);
	store_view_close(v);
	assert_int_equal(store_mailbox_create(s, STR("Work/2026/May"), STORE_NO_USE, &id), 0);
	assert_int_not_equal(id, old.id);
	assert_true(mailbox("Work/2026/May").uidvalidity > old.uidvalidity);
	assert_int_equal(mailbox("Work/2026/May").n_messages, 0);
}

static void test_mailbox_rename(void **state UNUSED)
{
	uint64_t id, id2;
	uint32_t rest = 1;
	assert_int_equal(store_mailbox_create(s, STR("a/b/c"), STORE_NO_USE, &id), 0);
	assert_int_equal(store_mailbox_create(s, STR("ab"), STORE_NO_USE, &id2), 0);
	assert_int_equal(store_mailbox_rename(s, STR("a"), STR("x/y"), &rest), 0);
	assert_int_equal(mailbox("x/y/b/c").id, id);
	assert_true(mailbox("ab").id == id2 && mailbox("x").id != 0);
	struct store_mailbox m;
	assert_int_equal(store_mailbox_find(s, STR("a"), &arena, &m), -ENOENT);
	assert_int_equal(store_mailbox_rename(s, STR("x/y"), STR("x/y/z"), &rest), -EINVAL);
	assert_int_equal(store_mailbox_rename(s, STR("ab"), STR("x/y/b"), &rest), -EEXIST);
	assert_int_equal(store_mailbox_rename(s, STR("a"), STR("b"), &rest), -ENOENT);
	/* INBOX keeps its name and its UIDVALIDITY, and never gives a UID twice. */
	for (unsigned i = 0; i < 3; i++)
		test_deliver_number(&t, i);
	ingest();
	struct store_view *v = view("INBOX");
	uint32_t uidvalidity = v->uidvalidity;
	assert_int_equal(store_mailbox_rename(s, STR("INBOX"), STR("Old"), &rest), 0);
	struct store_changes c = refresh(v);
	assert_int_equal(c.n_gone, 3);
	test_deliver_number(&t, 3);
	ingest();
	c = refresh(v);
	assert_true(
	    c.n_new == 1 && store_view_entry(v, 0).uid == 4 && v->uidvalidity == uidvalidity);
	store_view_close(v);
	v = view("Old");
	assert_true(v->n == 3 && holds_number(v, 2, 2));
	assert_int_equal(mailbox("Old").n_unseen, 3);
	store_view_close(v);
}

static void test_subscriptions(void **state UNUSED)
{
	assert_int_equal(store_mailbox_subscribe(s, STR("Not there"), true), 0);
	assert_int_equal(store_mailbox_subscribe(s, STR("Not there"), true), 0);
	assert_int_equal(store_mailbox_subscribe(s, STR("Trash"), false), 0);
	struct store_mailbox *list;
	size_t n, n_found = 0;
	assert_int_equal(store_mailbox_list(s, &arena, &list, &n), 0);
	assert_int_equal(n, 7);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(list[i].name, STR("Not there"))) {
			assert_true(list[i].id == 0 && list[i].subscribed);
			n_found++;
		}
	}
	assert_int_equal(n_found, 1);
	assert_false(mailbox("Trash").subscribed);
}

static struct store_append *begin_append(const char *name)
{
	struct store_append *a = NULL;
	assert_int_equal(store_append_begin(s, mailbox(name).id, &a), 0);
	return a;
}

static void test_append(void **state UNUSED)
{
	uint64_t keyword;
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	assert_int_equal(store_keyword(s, STR("$MDNSent"), true, &keyword), 0);
	test_deliver_number(&t, 0);
	struct store_append *a = begin_append("Drafts");
	for (unsigned i = 1; i <= 3; i++) {
		struct store_append_message m = {.bytes = test_message(i, &buf),
		    .flags = i == 2 ? STORE_DRAFT | keyword : 0,
		    .has_date = true,
		    .internal_at = 1000000 + i,
		    .internal_zone = -330};
		assert_int_equal(store_append_add(a, &m), 0);
	}
	uint32_t uidvalidity;
	struct store_uids uids;
	assert_int_equal(store_append_commit(a, &arena, &uidvalidity, &uids), 0);
	store_append_free(a);
	assert_true(uids.n == 3 && uids.v[0] == 1 && uids.v[2] == 3);
	assert_int_equal(uidvalidity, mailbox("Drafts").uidvalidity);
	assert_int_equal(mailbox("INBOX").n_messages, 1);
	struct store_view *v = view("Drafts");
	assert_int_equal(v->n, 3);
	assert_int_equal(store_view_entry(v, 1).flags & ~STORE_RECENT, STORE_DRAFT | keyword);
	assert_true(holds_number(v, 2, 3));
	struct store_scan *scan;
	struct store_row row;
	assert_int_equal(store_scan_open(v, 2, 3, STORE_COLUMN_DATES, &scan), 0);
	assert_int_equal(store_scan_next(scan, &row), 1);
	assert_true(row.internal_at == 1000003 && row.internal_zone == -330);
	store_scan_close(scan);
	store_view_close(v);
	/* Into a mailbox that is deleted meanwhile: nothing is stored. */
	a = begin_append("Junk");
	struct store_append_message m = {.bytes = test_message(9, &buf)};
	assert_int_equal(store_append_add(a, &m), 0);
	assert_int_equal(store_mailbox_delete(s, STR("Junk")), 0);
	assert_int_equal(store_append_commit(a, &arena, &uidvalidity, &uids), -ENOENT);
	store_append_free(a);
	assert_int_equal(ingest(), 0);
	assert_int_equal(mailbox("INBOX").n_messages, 1);
}

static struct str large_message(size_t len)
{
	char *p = arena_alloc(&arena, len);
	assert_non_null(p);
	memset(p, 'a', len);
	memcpy(p, "Subject: large\r\n\r\n", 18);
	for (size_t i = 100; i < len; i += 100) {
		cipher_random(p + i - 90, 8);
		p[i - 2] = '\r';
		p[i - 1] = '\n';
	}
	return str_of(p, len);
}

static size_t n_blobs(void)
{
	size_t n = 0;
	DIR *dir = opendir("blobs");
	struct dirent *entry;
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static void test_large_messages(void **state UNUSED)
{
	struct str delivered = large_message(3 << 20), appended = large_message(BLOB_FILE_MIN + 1);
	test_deliver(&t, delivered);
	struct store_append *a = begin_append("INBOX");
	struct store_append_message m = {.bytes = appended};
	assert_int_equal(store_append_add(a, &m), 0);
	uint32_t uidvalidity;
	struct store_uids uids;
	assert_int_equal(store_append_commit(a, &arena, &uidvalidity, &uids), 0);
	store_append_free(a);
	assert_int_equal(uids.v[0], 2);
	struct store_view *v = view("INBOX");
	assert_int_equal(v->n, 2);
	assert_int_equal(n_blobs(), 2);
	assert_true(str_eq(body_of(store_view_entry(v, 0).message), delivered));
	assert_true(str_eq(body_of(store_view_entry(v, 1).message), appended));
	/* In pieces, forwards and back. */
	struct store_body *b;
	struct str piece;
	assert_int_equal(store_body_open(s, store_view_entry(v, 0).message, &b), 0);
	size_t at = 0;
	while (store_body_piece(b, at, &piece) == 0 && piece.len > 0) {
		assert_memory_equal(piece.p, delivered.p + at, piece.len);
		at += piece.len;
	}
	assert_int_equal(at, delivered.len);
	assert_int_equal(store_body_piece(b, 1000001, &piece), 0);
	assert_memory_equal(piece.p, delivered.p + 1000001, piece.len);
	assert_int_equal(store_body_piece(b, 7, &piece), 0);
	assert_memory_equal(piece.p, delivered.p + 7, piece.len);
	store_body_close(b);
	/* Not committed: nothing stays behind. */
	a = begin_append("INBOX");
	assert_int_equal(store_append_add(a, &m), 0);
	assert_int_equal(n_blobs(), 3);
	store_append_free(a);
	assert_int_equal(n_blobs(), 2);
	const uint32_t both[] = {1, 2};
	struct store_uids removed;
	delete_uids(v, both, 2);
	assert_int_equal(store_expunge(v, (struct store_uids){0}, true, &arena, &removed), 0);
	assert_int_equal(n_blobs(), 0);
	assert_int_equal(t.n_damage, 0);
	store_view_close(v);
}

static void test_wrong_key(void **state UNUSED)
{
	struct secret *wrong CLEANUP(secret_free) = secret_random();
	struct store *other = NULL;
	struct store_watch watch = {test_on_damage, &t};
	assert_int_equal(store_open(wrong, TEST_ACCOUNT, &watch, &other), -EACCES);
	assert_null(other);
	assert_int_equal(store_open(t.master, TEST_ACCOUNT + 1, &watch, &other), -EACCES);
}

static void test_usage(void **state UNUSED)
{
	uint64_t used, limit;
	assert_int_equal(store_usage(s, &used, &limit), 0);
	assert_true(used == 0 && limit == 0);
	test_deliver_number(&t, 1);
	assert_int_equal(store_usage(s, &used, &limit), 0);
	assert_true(used > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_default_mailboxes),
	    TEST(test_ingest),
	    TEST(test_scan),
	    TEST(test_flags),
	    TEST(test_expunge),
	    TEST(test_body_expunged_during_scan),
	    TEST(test_refresh_fails),
	    TEST(test_copy_and_move),
	    TEST(test_mailbox_names),
	    TEST(test_mailbox_create_and_delete),
	    TEST(test_mailbox_rename),
	    TEST(test_subscriptions),
	    TEST(test_append),
	    TEST(test_large_messages),
	    TEST(test_wrong_key),
	    TEST(test_usage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
