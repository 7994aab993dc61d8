/*
 * store/test_account.h: for tests of the store: an account in a fresh temporary folder, and letters
 * for it. Only *_test.c includes it.
 */
#ifndef STORE_TEST_ACCOUNT_H
#define STORE_TEST_ACCOUNT_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/account.h"
#include "store/blob_file.h"
#include "store/letterbox.h"
#include "store/metadata.h"
#include "store/store.h"
#include "store/store_mailbox.h"
#include "store/store_message.h"

enum { TEST_ACCOUNT = 42 };

struct test_account {
	char path[64];
	struct secret *master;
	struct keys keys;
	unsigned n_damage;
	char damaged_file[64];
	uint64_t damaged_at;
};

static inline void test_check(int error)
{
	if (error) {
		fprintf(stderr, "unexpected error %d\n", error);
		abort();
	}
}

/* Makes the account; the current directory is then its folder. */
static inline void test_account_make(struct test_account *t)
{
	store_init();
	*t = (struct test_account){0};
	/* Where syncing costs nothing: nobody pulls the plug on a test. */
	snprintf(t->path, sizeof(t->path), "%s/gatepost-store-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(t->path))
		abort();
	t->master = secret_random();
	keys_new(TEST_ACCOUNT, 0, &t->keys);
	uint8_t file[KEYS_FILE_LEN];
	keys_encode(&t->keys, t->master, file);
	int fd CLEANUP(fd_close) = open(t->path, O_RDONLY | O_DIRECTORY);
	test_check(account_create(fd, TEST_ACCOUNT, str_of(file, sizeof(file)), false));
	test_check(fchdir(fd));
	test_check(chdir("42"));
}

static inline void test_account_remove(struct test_account *t)
{
	test_check(chdir(t->path));
	int fd CLEANUP(fd_close) = open(".", O_RDONLY | O_DIRECTORY);
	test_check(account_remove(fd, TEST_ACCOUNT));
	test_check(chdir("/"));
	test_check(rmdir(t->path));
	keys_done(&t->keys);
	secret_free(&t->master);
}

static inline void test_on_damage(void *ctx, const struct store_damage *damage)
{
	struct test_account *t = ctx;
	assert(damage->file && damage->what);
	t->n_damage++;
	snprintf(t->damaged_file, sizeof(t->damaged_file), "%s", damage->file);
	t->damaged_at = damage->offset;
}

static inline struct store *test_open(struct test_account *t)
{
	struct store *s = NULL;
	struct store_watch watch = {test_on_damage, t};
	test_check(store_open(t->master, TEST_ACCOUNT, &watch, &s));
	return s;
}

/* A record with this metadata, sealed as delivery does it, appended to `out`. */
static inline void test_seal_as(
    struct test_account *t, const struct metadata *m, struct str message, struct buf *out)
{
	struct record_sender sender;
	struct body body = {0};
	struct buf sealed CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(4096);
	if (!metadata_encode(m, &metadata))
		abort();
	if (message.len > BLOB_FILE_MIN) {
		int blobs CLEANUP(fd_close) = open("blobs", O_RDONLY | O_DIRECTORY);
		test_check(blob_file_write(blobs, 0600, &message, 1, &body));
	} else {
		test_check(body_seal(&message, 1, &sealed, &body));
	}
	record_sender_init(&sender);
	test_check(record_seal(&sender, &t->keys.public, 1700000000000, buf_str(&metadata), &body,
	    buf_str(&sealed), out));
	record_sender_done(&sender);
	body_wipe(&body);
}

/* A sealed record of a delivered message, appended to `out`. */
static inline void test_seal(struct test_account *t, struct str message, struct buf *out)
{
	const struct metadata m = {.kind = METADATA_DELIVERED,
	    .reverse_path = STR("sender@example.test"),
	    .recipient = STR("you@example.test")};
	test_seal_as(t, &m, message, out);
}

/* Puts a record into the letterbox, durably, and says where it stands. */
static inline struct letterbox_place test_put(struct str record)
{
	struct letterbox *l CLEANUP(letterbox_close) = NULL;
	struct letterbox_place place;
	test_check(letterbox_open(AT_FDCWD, TEST_ACCOUNT, &l));
	test_check(letterbox_lock(l, LETTERBOX_WAIT_MS));
	test_check(letterbox_append(l, record, &place));
	test_check(letterbox_sync(l));
	letterbox_unlock(l);
	return place;
}

/* Delivers one message durably and says where its record stands. */
static inline struct letterbox_place test_deliver(struct test_account *t, struct str message)
{
	struct buf record CLEANUP(buf_done) = BUF_MAX(1 << 20);
	test_seal(t, message, &record);
	return test_put(buf_str(&record));
}

/* Message number `n`: its bytes stay in `buf`. */
static inline struct str test_message(unsigned n, struct buf *buf)
{
	buf_clear(buf);
	buf_printf(buf,
	    "From: Sender <sender@example.test>\r\nTo: you@example.test\r\n"
	    "Subject: Letter %u\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n"
	    "Message-ID: <%u@example.test>\r\n\r\nThis is letter number %u.\r\n",
	    n, n, n);
	return buf_str(buf);
}

static inline void test_deliver_number(struct test_account *t, unsigned n)
{
	struct buf buf CLEANUP(buf_done) = BUF_MAX(4096);
	test_deliver(t, test_message(n, &buf));
}

#endif
