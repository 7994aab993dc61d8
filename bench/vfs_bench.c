/*
 * What sealing costs: a message sealed and opened, a password checked, and SQLite over sealed pages
 * against SQLite over plain ones with the same page size.
 *
 *   make lib-seal
 *   gcc -O2 -std=gnu17 -D_GNU_SOURCE -Isrc bench/vfs_bench.c build/release/libseal.a \
 *       build/release/libbase.a -lsqlite3 -lsodium -lcrypto -lzstd -o vfs_bench
 *   ./vfs_bench FOLDER
 *
 * Each pair of measurements alternates, five times; the least is printed. Times are of the CPU
 * (user and system), so that they mean something on a busy machine too.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "seal/record.h"
#include "seal/slot.h"
#include "seal/vfs.h"

enum { ROUNDS = 5, ROWS = 100000, UPDATES = 1000, SEALS = 2000 };

static struct secret *key;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static sqlite3 *open_database(int sealed)
{
	sqlite3 *db;
	char pragmas[300];

	if (sealed) {
		must(sealed_db_open("sealed.db", key, SEALED_DB_CREATE, &db) == 0, "open");
		return db;
	}
	must(sqlite3_open_v2("plain.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix") ==
	         SQLITE_OK,
	    "open");
	snprintf(pragmas, sizeof(pragmas),
	    "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	    "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%d; PRAGMA wal_autocheckpoint=%d;"
	    "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA secure_delete=OFF",
	    VFS_PAGE_LEN, VFS_CACHE_KIB, VFS_CHECKPOINT_PAGES);
	must(sqlite3_exec(db, pragmas, NULL, NULL, NULL) == SQLITE_OK, pragmas);
	return db;
}

/* Steps through all rows and looks at every byte, as an answer to FETCH does. */
static double run(int sealed, const char *sql, int times)
{
	sqlite3 *db = open_database(sealed);
	sqlite3_stmt *statement;
	size_t n_lines = 0;
	double start = now();

	must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
	for (int i = 0; i < times; i++) {
		int rc;
		while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
			const void *text = sqlite3_column_text(statement, 0);
			int len = sqlite3_column_bytes(statement, 0);
			n_lines += text != NULL && memchr(text, '\n', (size_t)len) != NULL;
		}
		must(rc == SQLITE_DONE, sql);
		sqlite3_reset(statement);
	}
	double took = now() - start;
	must(n_lines == 0, "reading");
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return took;
}

static void compare(const char *name, const char *sql, int times)
{
	double least[2] = {1e9, 1e9};

	for (int round = 0; round < ROUNDS; round++)
		for (int sealed = 0; sealed < 2; sealed++) {
			double took = run(sealed, sql, times);
			if (took < least[sealed])
				least[sealed] = took;
		}
	printf("%-34s plain %8.1f ms  sealed %8.1f ms  ratio %.2f\n", name, least[0] * 1e3,
	    least[1] * 1e3, least[1] / least[0]);
}

static void compare_databases(void)
{
	char rows[300];

	snprintf(rows, sizeof(rows),
	    "CREATE TABLE mail AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
	    " WHERE i < %d) SELECT i, hex(randomblob(270)) AS envelope FROM n",
	    ROWS);
	for (int sealed = 0; sealed < 2; sealed++) {
		double took = run(sealed, rows, 1);
		printf("%-34s %s %8.1f ms\n", "insert 100,000 rows (57 MB)",
		    sealed ? "sealed" : "plain ", took * 1e3);
		run(sealed, "CREATE UNIQUE INDEX mail_i ON mail(i)", 1);
	}
	compare("fetch 100,000 rows", "SELECT envelope FROM mail", 1);
	compare("sum over 100,000 rows", "SELECT sum(length(envelope)) FROM mail", 1);
	compare("1,000 durable updates",
	    "UPDATE mail SET envelope = hex(randomblob(270)) WHERE i = 1 + abs(random()) % 100000",
	    UPDATES);
	compare("1,000 look-ups by index",
	    "SELECT envelope FROM mail WHERE i = 1 + abs(random()) % 100000", UPDATES);
}

static void measure_seal(size_t len, int n_recipients)
{
	static char text[65536];
	struct buf sealed = BUF_MAX(1 << 20), out = BUF_MAX(1 << 20), metadata = BUF_MAX(1 << 20);
	struct record_frame frame;
	struct keys keys;
	struct body body;
	struct str message = str_of(text, len);
	double sealing, opening;

	keys_new(1, 0, &keys);
	for (size_t i = 0; i < len; i++)
		text[i] = "etaoin shrdlu cmfwyp vbgkqj xz\r\n"[random() % 32];
	double start = now();
	for (int i = 0; i < SEALS; i++) {
		struct record_sender sender;
		record_sender_init(&sender);
		buf_clear(&sealed);
		must(body_seal(&message, 1, &sealed, &body) == 0, "body_seal");
		for (int to = 0; to < n_recipients; to++) {
			buf_clear(&out);
			must(record_seal(&sender, &keys.public, 1, STR("metadata of a message"),
			         &body, buf_str(&sealed), &out) == 0,
			    "record_seal");
		}
		record_sender_done(&sender);
	}
	sealing = now() - start;
	start = now();
	for (int i = 0; i < SEALS; i++) {
		buf_clear(&metadata);
		must(record_open(&keys, buf_str(&out), &frame, &metadata, &body) == 0, "open");
	}
	opening = now() - start;
	start = now();
	for (int i = 0; i < SEALS; i++) {
		buf_clear(&metadata);
		must(record_open_body(buf_str(&out), &body, &metadata) == 0, "open body");
	}
	printf("%6zu bytes to %3d: seal %7.1f us, open header %6.1f us, body %6.1f us\n", len,
	    n_recipients, sealing / SEALS * 1e6, opening / SEALS * 1e6,
	    (now() - start) / SEALS * 1e6);
	buf_done(&sealed);
	buf_done(&out);
	buf_done(&metadata);
	keys_done(&keys);
}

static void measure_slot(void)
{
	uint8_t slot[SLOT_LEN];
	struct secret *opened = NULL;

	must(slot_seal_password(key, 1, STR("password"), &slot_cost_default, slot) == 0, "slot");
	double start = now();
	for (int i = 0; i < ROUNDS; i++) {
		must(slot_open_password(str_of(slot, SLOT_LEN), 1, STR("password"), &opened) == 0,
		    "slot");
		secret_free(&opened);
	}
	printf("password slot (%u MiB, %u passes)    %.1f ms\n",
	    slot_cost_default.memory_kib / 1024, slot_cost_default.passes,
	    (now() - start) / ROUNDS * 1e3);
	double token_start = now();
	slot_seal_token(key, 1, key->bytes, slot);
	for (int i = 0; i < SEALS; i++) {
		must(slot_open_token(str_of(slot, SLOT_LEN), 1, key->bytes, &opened) == 0, "token");
		secret_free(&opened);
	}
	printf("token slot                        %.1f us\n", (now() - token_start) / SEALS * 1e6);
}

int main(int argc, char **argv)
{
	must(argc == 2 && chdir(argv[1]) == 0, "chdir to FOLDER");
	key = secret_random();
	measure_seal(4096, 1);
	measure_seal(4096, 10);
	measure_seal(65536, 1);
	measure_slot();
	compare_databases();
	static const char *const files[] = {"plain.db", "plain.db-wal", "plain.db-shm", "sealed.db",
	    "sealed.db-wal", "sealed.db-shm"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(files[i]);
	secret_free(&key);
	return 0;
}
