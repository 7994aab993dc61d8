/*
 * What accounts submitted, and how much of it is still here: asked for each message, so it is kept
 * in memory. At most QUEUE_ACCOUNTS_MAX at once; what is forgotten is read, or counted, again.
 */
#include <errno.h>
#include <stdlib.h>

#include "queue/database_memory.h"
#include "queue/database_private.h"

enum { HOUR_MS = 3600000 };

static struct queue_account **bucket_of(struct queue_db *db, uint64_t id)
{
	return &db->accounts[id % QUEUE_ACCOUNT_BUCKETS];
}

static struct queue_account *find(struct queue_db *db, uint64_t id)
{
	struct queue_account *account = *bucket_of(db, id);
	while (account && account->id != id)
		account = account->next;
	return account;
}

static struct queue_account *get(struct queue_db *db, uint64_t id)
{
	struct queue_account *account = find(db, id);
	if (account)
		return account;
	if (db->n_accounts == QUEUE_ACCOUNTS_MAX) {
		/* Not within a transaction perhaps: what was not written yet is a little less to
		 * be held against somebody. */
		queue_db_forget_accounts(db);
	}
	account = calloc(1, sizeof(*account));
	if (!account)
		abort();
	account->id = id;
	account->next = *bucket_of(db, id);
	*bucket_of(db, id) = account;
	db->n_accounts++;
	return account;
}

void queue_db_forget_accounts(struct queue_db *db)
{
	for (size_t i = 0; i < QUEUE_ACCOUNT_BUCKETS; i++)
		while (db->accounts[i]) {
			struct queue_account *account = db->accounts[i];
			db->accounts[i] = account->next;
			free(account);
		}
	db->n_accounts = 0;
}

/* --- how many wait --- */

void queue_db_count_message(struct queue_db *db, uint64_t id, bool more)
{
	struct queue_account *account = find(db, id);
	if (account && account->is_counted)
		account->waiting += more ? 1 : (uint64_t)-1;
}

void queue_db_forget_counts(struct queue_db *db)
{
	for (size_t i = 0; i < QUEUE_ACCOUNT_BUCKETS; i++)
		for (struct queue_account *account = db->accounts[i]; account;
		     account = account->next)
			account->is_counted = false;
}

int queue_db_count(struct queue_db *db, uint64_t id, uint64_t *ret_n)
{
	struct queue_account *account = get(db, id);
	if (!account->is_counted) {
		uint64_t filed = 0, fresh = 0;
		sqlite3_stmt *s = db->statements[MESSAGES_COUNT];
		queue_db_bind_u64(s, 1, id);
		int error = queue_db_number(s, &filed);
		s = db->statements[FRESH_COUNT];
		queue_db_bind_u64(s, 1, id);
		if (!error)
			error = queue_db_number(s, &fresh);
		if (error)
			return error;
		account->waiting = filed + fresh;
		account->is_counted = true;
	}
	*ret_n = account->waiting;
	return 0;
}

/* --- what was submitted --- */

static int write_rate(struct queue_db *db, struct queue_account *account)
{
	sqlite3_stmt *s = db->statements[RATE_SET];
	queue_db_bind_u64(s, 1, account->id);
	queue_db_bind_u64(s, 2, account->hour);
	queue_db_bind_u64(s, 3, account->messages);
	queue_db_bind_u64(s, 4, account->recipients);
	int error = queue_db_run(s);
	if (!error)
		account->is_dirty = false;
	return error;
}

/* Makes it be about `hour`. */
static int read_rate(struct queue_db *db, struct queue_account *account, uint64_t hour)
{
	if (account->hour == hour)
		return 0;
	int error = account->is_dirty ? write_rate(db, account) : 0;
	if (error)
		return error;
	sqlite3_stmt *s = db->statements[RATE_GET];
	queue_db_bind_u64(s, 1, account->id);
	queue_db_bind_u64(s, 2, hour);
	int result = queue_db_step(s);
	if (result > 0) {
		account->messages = queue_db_u64(s, 0);
		account->recipients = queue_db_u64(s, 1);
		account->recipients_before = queue_db_u64(s, 2);
		account->hour = hour;
	}
	queue_db_end(s);
	return result < 0 ? result : 0;
}

int queue_db_rate(struct queue_db *db, uint64_t id, uint64_t now, struct queue_rate *ret_rate)
{
	struct queue_account *account = get(db, id);
	int error = read_rate(db, account, now / HOUR_MS);
	if (!error)
		*ret_rate = (struct queue_rate){.messages_hour = account->messages,
		    .recipients_hour = account->recipients,
		    .recipients_day = account->recipients_before + account->recipients};
	return error;
}

int queue_db_rate_add(struct queue_db *db, uint64_t id, uint64_t now, uint64_t n_recipients)
{
	struct queue_account *account = get(db, id);
	int error = read_rate(db, account, now / HOUR_MS);
	if (error)
		return error;
	account->messages++;
	account->recipients += n_recipients;
	account->is_dirty = true;
	return 0;
}

int queue_db_flush_rates(struct queue_db *db)
{
	uint64_t last = 0;
	int error = 0;
	for (size_t i = 0; i < QUEUE_ACCOUNT_BUCKETS && !error; i++)
		for (struct queue_account *account = db->accounts[i]; account && !error;
		     account = account->next) {
			if (!account->is_dirty)
				continue;
			last = account->hour > last ? account->hour : last;
			error = write_rate(db, account);
		}
	if (error || last == 0)
		return error;
	sqlite3_stmt *s = db->statements[RATE_FORGET];
	queue_db_bind_u64(s, 1, last);
	return queue_db_run(s);
}
