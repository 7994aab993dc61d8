#include "delivery/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "seal/record.h"
#include "store/blob_file.h"
#include "store/io.h"
#include "store/metadata.h"
#include "store/room.h"
#include "store/store.h"

struct batch {
	struct accounts *accounts;
	struct delivery *v[BATCH_MESSAGES_MAX];
	size_t n;
	struct account *open[ACCOUNTS_MAX]; /* all of its accounts, ascending */
	size_t n_open;
	struct buf record;
	uint64_t now_ms;
};

static void fail(
    struct delivery *d, enum deliver_result result, uint64_t account, const char *detail, int error)
{
	d->result = result;
	d->at_account = account;
	d->detail = detail;
	d->error = error;
}

/* The machine's errors by what the sender shall hear. */
static void fail_with(struct delivery *d, uint64_t account, const char *detail, int error)
{
	bool full = error == -ENOSPC || error == -EDQUOT;
	fail(d, full ? DELIVER_FULL : DELIVER_TEMPORARY, account, detail, error);
}

static bool is_alive(const struct delivery *d)
{
	return d->result == DELIVER_OK;
}

static size_t total_len(const struct delivery *d)
{
	return d->reverse_path.len + d->trace.len + d->message.len;
}

/* Opens a message's accounts and pins them to the batch. False: they do not fit into this one. */
static bool open_accounts(struct batch *b, struct delivery *d)
{
	d->open = ARENA_NEW_ARRAY(&d->arena, struct account *, d->n_accounts);
	assert(d->open);
	for (size_t i = 0; i < d->n_accounts; i++) {
		struct account *a = NULL;
		int error = accounts_get(b->accounts, d->accounts[i], &a);
		if (error == -EMFILE && b->n > 0)
			return false;
		if (error) {
			fail_with(
			    d, d->accounts[i], "the account's folder cannot be opened", error);
			return true;
		}
		d->open[i] = a;
		if (a->pinned)
			continue;
		a->pinned = true;
		a->failed = false;
		b->open[b->n_open++] = a;
	}
	return true;
}

/* A message counts with its length until it is known what it takes on disk. */
static void reserve(struct delivery *d, bool on)
{
	for (size_t i = 0; i < d->n_accounts; i++)
		d->open[i]->used += on ? total_len(d) : -total_len(d);
	d->reserved = on;
}

static void check_quotas(struct delivery *d)
{
	for (size_t i = 0; i < d->n_accounts && is_alive(d); i++) {
		const struct account *a = d->open[i];
		uint64_t quota = a->keys.quota_bytes;
		if (quota > 0 && (a->used > quota || total_len(d) > quota - a->used))
			fail(d, DELIVER_QUOTA, a->id, "over its quota", 0);
	}
	if (is_alive(d))
		reserve(d, true);
}

static bool is_large(const struct delivery *d)
{
	return d->message.len > BLOB_FILE_MIN ||
	       (d->n_accounts >= BATCH_LARGE_RECIPIENTS && d->message.len > BATCH_LARGE_LEN);
}

/* Leaves room for the users to sign in and delete. */
static void check_room(struct batch *b, struct delivery *d)
{
	uint64_t len = total_len(d) * (is_large(d) ? 1 : d->n_accounts);
	int error = room_check(b->accounts->folder_fd, len);
	if (error)
		fail_with(d, d->accounts[0], "the disk has no room for mail", error);
}

/* Takes a large message's file out of the first `n` of its accounts. */
static void remove_blobs(struct batch *b, struct delivery *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd;
		mode_t mode;
		if (accounts_blobs(d->open[i], b->accounts->folder_fd, &fd, &mode) == 0)
			blob_file_remove(fd, &d->body);
	}
}

/* One file in the first account's folder, links in the others', all durable. */
static int write_blob(struct batch *b, struct delivery *d, const struct str *parts, size_t n_parts)
{
	int first = -1, fd = -1;
	mode_t mode;
	int error = accounts_blobs(d->open[0], b->accounts->folder_fd, &first, &mode);
	if (!error)
		error = blob_file_write(first, mode, parts, n_parts, &d->body);
	if (error)
		return error;
	size_t n = 1;
	for (; !error && n < d->n_accounts; n++) {
		error = accounts_blobs(d->open[n], b->accounts->folder_fd, &fd, &mode);
		if (!error)
			error = blob_file_link(first, fd, &d->body);
		if (!error)
			error = io_fsync(fd);
	}
	if (!error)
		error = io_fsync(first);
	if (error)
		remove_blobs(b, d, n);
	d->in_blob = error == 0;
	return error;
}

/* Seals the body: Return-Path: and the trace stand on top (RFC 5321 §4.4). */
static void seal(struct batch *b, struct delivery *d)
{
	struct buf path CLEANUP(buf_done) = BUF_MAX(IPC_ADDRESS_MAX + 32);
	buf_add(&path, STR("Return-Path: <"));
	buf_add(&path, d->reverse_path);
	buf_add(&path, STR(">\r\n"));
	assert(!buf_failed(&path));
	struct str parts[] = {buf_str(&path), d->trace, d->message};
	int error;
	if (is_large(d))
		error = write_blob(b, d, parts, ARRAY_LEN(parts));
	else
		error = body_seal(parts, ARRAY_LEN(parts), &d->sealed, &d->body);
	if (error)
		fail_with(d, d->accounts[0], "the message cannot be sealed", error);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = (*(struct account *const *)a)->id, y = (*(struct account *const *)b)->id;
	return x < y ? -1 : x > y;
}

static void lock_account(struct account *a)
{
	int wait_ms = clock_ms() < a->stuck_until ? 0 : LETTERBOX_WAIT_MS;
	int error = letterbox_lock(a->letterbox, wait_ms);
	a->locked = error == 0;
	a->failed = error != 0;
	if (a->locked)
		a->start = letterbox_end(a->letterbox);
	else if (error == -ETIMEDOUT)
		a->stuck_until = clock_ms() + ACCOUNTS_STUCK_MS;
	else
		a->fresh_at = 0;
}

/* Appends the record for one account. */
static int append(struct batch *b, struct delivery *d, size_t i)
{
	struct account *a = d->open[i];
	struct metadata m = {.kind = METADATA_DELIVERED,
	    .reverse_path = d->reverse_path,
	    .recipient = d->recipients[i],
	    .envelope_id = d->envelope_id,
	    .body = d->body_type,
	    .smtputf8 = d->smtputf8};
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
	if (!metadata_encode(&m, &metadata))
		return -E2BIG;
	buf_clear(&b->record);
	struct record_sender *sender = accounts_sender(b->accounts);
	sender->last = a->header_key;
	int error = record_seal(sender, &a->keys, b->now_ms, buf_str(&metadata), &d->body,
	    buf_str(&d->sealed), &b->record);
	a->header_key = sender->last;
	struct letterbox_place place;
	return error ? error : letterbox_append(a->letterbox, buf_str(&b->record), &place);
}

/* Takes back what this message left in its first `n` letterboxes. */
static void take_back(struct delivery *d, const struct letterbox_place *starts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int error = letterbox_undo(d->open[i]->letterbox, starts[i]);
		if (error)
			d->open[i]->failed = true; /* nothing more goes into it in this batch */
	}
}

/* Appends a message to all of its letterboxes, or to none. */
static void append_to_all(struct batch *b, struct delivery *d)
{
	for (size_t i = 0; i < d->n_accounts; i++) {
		if (d->open[i]->failed) {
			fail(d, DELIVER_TEMPORARY, d->open[i]->id, "its letterbox is not available",
			    0);
			return;
		}
	}
	struct letterbox_place *starts =
	    ARENA_NEW_ARRAY(&d->arena, struct letterbox_place, d->n_accounts);
	assert(starts);
	for (size_t i = 0; i < d->n_accounts && is_alive(d); i++) {
		starts[i] = letterbox_end(d->open[i]->letterbox);
		int error = append(b, d, i);
		if (error) {
			fail_with(d, d->open[i]->id, "its letterbox cannot be written", error);
			take_back(d, starts, i + 1);
		}
	}
}

static bool has_news(const struct account *a)
{
	return letterbox_place_cmp(letterbox_end(a->letterbox), a->start) != 0;
}

/* Makes everything durable: 0, or the first error, with the account it was at. */
static int sync_all(struct batch *b, uint64_t *ret_account)
{
	for (size_t i = 0; b->n_open > 1 && i < b->n_open; i++) {
		if (b->open[i]->locked && has_news(b->open[i]))
			letterbox_sync_begin(b->open[i]->letterbox);
	}
	for (size_t i = 0; i < b->n_open; i++) {
		struct account *a = b->open[i];
		int error = a->locked && has_news(a) ? letterbox_sync(a->letterbox) : 0;
		if (error) {
			*ret_account = a->id;
			return error;
		}
	}
	return 0;
}

/* Nobody knows what is on the disk: everything is taken back, as far as it can be. */
static void give_up(struct batch *b, uint64_t account, int error)
{
	for (size_t i = 0; i < b->n_open; i++) {
		struct account *a = b->open[i];
		if (!a->locked || !has_news(a))
			continue;
		int undone = letterbox_undo(a->letterbox, a->start);
		if (!undone)
			undone = letterbox_sync(a->letterbox);
		(void)undone; /* the sender hears of the first error */
	}
	for (size_t i = 0; i < b->n; i++) {
		if (is_alive(b->v[i]))
			fail_with(b->v[i], account, "its letterbox cannot be synced", error);
	}
}

static void count_used(struct delivery *d)
{
	for (size_t i = 0; i < d->n_accounts; i++)
		d->open[i]->used += d->in_blob ? d->body.sealed_len : d->sealed.len;
}

/* What the batch held is given back; what failed leaves no blob behind. */
static void finish(struct batch *b)
{
	for (size_t i = 0; i < b->n_open; i++) {
		letterbox_unlock(b->open[i]->letterbox);
		b->open[i]->locked = false;
		b->open[i]->pinned = false;
	}
	for (size_t i = 0; i < b->n; i++) {
		struct delivery *d = b->v[i];
		if (d->reserved)
			reserve(d, false);
		if (is_alive(d))
			count_used(d);
		else if (d->in_blob)
			remove_blobs(b, d, d->n_accounts);
		buf_done(&d->sealed);
		body_wipe(&d->body);
		d->open = NULL;
	}
	buf_done(&b->record);
}

static void gather(struct batch *b, struct delivery *first, struct delivery **ret_rest)
{
	struct delivery *d = first;
	for (; d && b->n < BATCH_MESSAGES_MAX; d = d->next) {
		d->result = DELIVER_OK;
		d->detail = "";
		d->sealed = BUF_MAX(STORE_MESSAGE_LEN_MAX);
		if (!open_accounts(b, d))
			break;
		b->v[b->n++] = d;
		if (is_alive(d))
			check_quotas(d);
		if (is_alive(d))
			check_room(b, d);
		if (is_alive(d))
			seal(b, d);
	}
	*ret_rest = d;
}

void batch_run(struct accounts *accounts, struct delivery *first, struct delivery **ret_rest)
{
	struct batch b = {
	    .accounts = accounts, .record = BUF_MAX(RECORD_LEN_MAX), .now_ms = clock_wall_ms()};
	gather(&b, first, ret_rest);
	qsort(b.open, b.n_open, sizeof(b.open[0]), by_id);
	for (size_t i = 0; i < b.n_open; i++)
		lock_account(b.open[i]);
	for (size_t i = 0; i < b.n; i++) {
		if (is_alive(b.v[i]))
			append_to_all(&b, b.v[i]);
	}
	uint64_t account = 0;
	int error = sync_all(&b, &account);
	if (error)
		give_up(&b, account, error);
	finish(&b);
}
