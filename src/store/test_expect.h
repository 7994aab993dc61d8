/*
 * store/test_expect.h: for tests of the store: what a mailbox holds, and files that are damaged.
 * Only *_test.c includes it.
 */
#ifndef STORE_TEST_EXPECT_H
#define STORE_TEST_EXPECT_H

#include "store/test_account.h"

/* Calls `fn` with every message of a mailbox, in the order of UIDs. */
static inline void test_each_message(struct store *s, uint64_t mailbox,
    void (*fn)(void *ctx, uint32_t uid, struct str bytes), void *ctx)
{
	struct store_view *v = NULL;
	test_check(store_view_open(s, mailbox, true, &v));
	for (size_t i = 0; i < v->n; i++) {
		struct store_body *b = NULL;
		struct str bytes;
		test_check(store_body_open(s, store_view_entry(v, i).message, &b));
		test_check(store_body_all(b, &bytes));
		fn(ctx, store_view_entry(v, i).uid, bytes);
		store_body_close(b);
	}
	store_view_close(v);
}

/* A mailbox's numbers are those of its messages, and each message can be read. */
static inline void test_consistent(struct store *s, const char *name)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct store_mailbox m = {0};
	struct store_view *v = NULL;
	uint32_t n_deleted = 0, n_unseen = 0;
	uint64_t size = 0;
	test_check(store_mailbox_find(s, str_of_cstr(name), &arena, &m));
	test_check(store_view_open(s, m.id, true, &v));
	assert(v->n == m.n_messages);
	for (size_t i = 0; i < v->n; i++) {
		const struct store_entry e = store_view_entry(v, i);
		struct store_body *b = NULL;
		assert(i == 0 || e.uid > store_view_entry(v, i - 1).uid);
		assert(e.uid < v->uidnext && e.modseq <= v->highest_modseq);
		n_deleted += (e.flags & STORE_DELETED) != 0;
		n_unseen += (e.flags & STORE_SEEN) == 0;
		test_check(store_body_open(s, e.message, &b));
		size += store_body_len(b);
		store_body_close(b);
	}
	assert(n_deleted == m.n_deleted && n_unseen == m.n_unseen && size == m.size);
	store_view_close(v);
}

/* Changes one byte of a file. */
static inline void test_flip(const char *path, uint64_t offset)
{
	test_check(chmod(path, 0600)); /* blobs are read-only */
	int fd CLEANUP(fd_close) = open(path, O_RDWR | O_CLOEXEC);
	char c;
	test_check(fd_pread_all(fd, &c, 1, (off_t)offset));
	c ^= 0x20;
	test_check(fd_pwrite_all(fd, str_of(&c, 1), (off_t)offset));
}

#endif
