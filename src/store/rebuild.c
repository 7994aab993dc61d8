#include "store/rebuild.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "store/ingest.h"
#include "store/io.h"

/* The database, its log and the log's index: the log must never meet another database. */
static const char *const parts[] = {"-wal", "-shm", ""};

int rebuild_database(struct store *s, const struct secret *key UNUSED)
{
	uint64_t now = clock_wall();
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char from[STORE_FILE_NAME_MAX], to[STORE_FILE_NAME_MAX];
		snprintf(from, sizeof(from), STORE_DB_NAME "%s", parts[i]);
		snprintf(to, sizeof(to), STORE_DB_NAME ".damaged-%" PRIu64 "%s", now, parts[i]);
		int error = io_rename(s->folder_fd, from, s->folder_fd, to);
		if (error && error != -ENOENT)
			return error;
	}
	int error = io_unlink(s->folder_fd, STORE_DAMAGE_MARK, false);
	if (error && error != -ENOENT)
		return error;
	return io_fsync(s->folder_fd);
}

int rebuild_finish(struct store *s, const struct secret *key UNUSED)
{
	size_t n = 0;
	bool more = true;
	int error = 0;
	while (!error && more) {
		error = db_begin(&s->db);
		if (!error)
			error =
			    db_end(&s->db, ingest_pending(s, STORE_REBUILD_BATCH, NULL, &n, &more));
	}
	return error;
}
