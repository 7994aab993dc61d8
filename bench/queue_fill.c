/*
 * bench/queue_fill.c: fills the queue of a stopped server, through the queue's own database layer.
 *
 *   queue_fill FOLDER COUNT SIZE DOMAINS
 *
 * FOLDER is the instance's `queue`. COUNT messages of SIZE bytes, each from one of 50 accounts to
 * one recipient at one of DOMAINS domains, due within the next day, none within the next half hour.
 * By submission it would take as many minutes as this takes seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mail/charset.h"
#include "queue/database_private.h"
#include "seal/cipher.h"

enum { BATCH = 500, ACCOUNTS = 50, TEXT_LEN = 128, MINUTE_MS = 60000, DAY_MINUTES = 1440 };

static void must(int error, const char *what)
{
	if (error == 0)
		return;
	fprintf(stderr, "queue_fill: %s: %s\n", what, strerror(-error));
	exit(1);
}

static void add(struct queue_db *db, uint64_t n, struct str bytes, unsigned domains, uint64_t now)
{
	char from[TEXT_LEN], to[TEXT_LEN], domain[TEXT_LEN];
	uint64_t id = 0, account = 1000 + n % ACCOUNTS;
	snprintf(from, sizeof(from), "user%u@example.test", (unsigned)account);
	snprintf(domain, sizeof(domain), "d%u.example.net", (unsigned)(n * 2654435761u % domains));
	snprintf(to, sizeof(to), "x%u@%s", (unsigned)n, domain);
	struct queued_message m = {.account = account,
	    .origin = ORIGIN_SUBMITTED,
	    .peer = STR("192.0.2.1"),
	    .user = str_of_cstr(from),
	    .mail = {.reverse_path = str_of_cstr(from)},
	    .received_at = now,
	    .expires_at = now + 5ull * DAY_MINUTES * MINUTE_MS,
	    .look_at = now + 4ull * 60 * MINUTE_MS + n};
	struct queued_recipient r = {
	    .address = str_of_cstr(to), .next_at = now + (30 + n % (DAY_MINUTES - 30)) * MINUTE_MS};
	must(queue_db_add(db, &m, &bytes, 1, &id), "a message");
	r.message = id;
	must(queue_db_add_recipient(db, &r, str_of_cstr(domain)), "a recipient");
}

int main(int argc, char **argv)
{
	struct queue_db *db;
	struct timespec t;
	if (argc != 5 || chdir(argv[1]) < 0) {
		fprintf(stderr, "usage: queue_fill FOLDER COUNT SIZE DOMAINS\n");
		return 2;
	}
	uint64_t count = strtoull(argv[2], NULL, 10), size = strtoull(argv[3], NULL, 10);
	unsigned domains = (unsigned)strtoul(argv[4], NULL, 10);
	char *bytes = malloc(size + 1);
	if (!bytes || size == 0 || domains == 0)
		return 2;
	for (uint64_t i = 0; i < size; i++)
		bytes[i] = (char)(i % 78 == 76 ? '\r' : i % 78 == 77 ? '\n' : 'a' + i % 26);
	cipher_init();
	charset_init();
	clock_gettime(CLOCK_REALTIME, &t);
	uint64_t now = (uint64_t)t.tv_sec * 1000;
	must(queue_db_open(&db), "queue.db");
	/* The role has far less of both, and does not take in a million at once. */
	must(sqlite3_exec(db->handle, "PRAGMA cache_size=-400000; PRAGMA wal_autocheckpoint=20000",
	         NULL, NULL, NULL),
	    "its cache");
	for (uint64_t n = 0; n < count;) {
		must(queue_db_begin(db, false), "a transaction");
		for (uint64_t end = n + BATCH; n < end && n < count; n++)
			add(db, n, str_of(bytes, size), domains, now);
		must(queue_db_commit(db), "a transaction");
	}
	queue_db_close(db);
	free(bytes);
	return 0;
}
