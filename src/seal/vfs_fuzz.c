/*
 * A database and its log, damaged: whatever happens to them, no row is ever different from what was
 * written. The input is a list of changes of 4 bytes: file and offset (3), what is xor-ed (1); the
 * last may cut the log.
 */
#include <assert.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "seal/vfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROWS = 6, CHANGE_LEN = 4, FILE_MAX = 4 << 20, LOG_CUT = 0xFF };

static struct secret *key;
static struct str files[2]; /* the database and its log, whole */
static char folder[] = "/tmp/gatepost-vfs-fuzz-XXXXXX";
static char names[3][64];

static void run(sqlite3 *db, const char *sql)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	assert(rc == SQLITE_OK);
}

static struct str load(const char *name)
{
	char *p;
	size_t len;
	int r = fd_read_file(AT_FDCWD, name, FILE_MAX, &p, &len);

	assert(r == 0);
	return str_of(p, len);
}

static void remove_files(void)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(names[i]);
}

static void remove_folder(void)
{
	rmdir(folder);
	secret_free(&key);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		free((void *)(uintptr_t)files[i].p);
}

static void set_up(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	sqlite3 *db;

	if (key != NULL)
		return;
	char *made = mkdtemp(folder);
	assert(made != NULL);
	atexit(remove_folder);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		snprintf(names[i], sizeof(names[i]), "%s/f.db%s", folder, suffixes[i]);
	key = secret_new();
	int r = sealed_db_open(names[0], key, SEALED_DB_CREATE, &db);
	assert(r == 0);
	run(db, "CREATE TABLE mail(id INTEGER PRIMARY KEY, subject TEXT)");
	for (int i = 0; i < ROWS; i++) {
		if (i == 2)
			run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
		run(db, "INSERT INTO mail(subject) SELECT (1 + (SELECT count(*) FROM mail)) || "
		        "hex(zeroblob(6000))");
	}
	files[0] = load(names[0]);
	files[1] = load(names[1]);
	sqlite3_close(db);
}

static void store(const char *name, struct str content)
{
	int fd CLEANUP(fd_close) = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd >= 0 ? fd_write_all(fd, content) : -1;

	assert(r == 0);
}

static void check_rows(void)
{
	sqlite3 *db;
	sqlite3_stmt *statement = NULL;

	if (sealed_db_open(names[0], key, 0, &db) < 0)
		return;
	if (sqlite3_prepare_v2(db,
	        "SELECT subject IS id || hex(zeroblob(6000)) FROM mail ORDER BY id", -1, &statement,
	        NULL) == SQLITE_OK) {
		int n = 0;
		while (sqlite3_step(statement) == SQLITE_ROW) {
			assert(sqlite3_column_int(statement, 0) == 1);
			n++;
		}
		assert(n <= ROWS);
	}
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char copies[2][FILE_MAX];
	size_t log_len;

	set_up();
	log_len = files[1].len;
	for (int i = 0; i < 2; i++)
		memcpy(copies[i], files[i].p, files[i].len);
	for (size_t at = 0; at + CHANGE_LEN <= len; at += CHANGE_LEN) {
		uint32_t change = num_get32(data + at);
		size_t which = change & 1, offset = (change >> 1 & 0x7FFFFF) % files[which].len;
		if (change >> 24 == LOG_CUT && which == 1)
			log_len = offset;
		else
			copies[which][offset] ^= (char)(change >> 24);
	}
	store(names[0], str_of(copies[0], files[0].len));
	store(names[1], str_of(copies[1], log_len));
	check_rows();
	remove_files();
	return 0;
}
