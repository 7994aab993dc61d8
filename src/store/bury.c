/* What is left of messages that no mailbox holds, and of blobs that no message has. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "store/changed.h"
#include "store/expunged.h"
#include "store/ingest.h"
#include "store/io.h"
#include "store/store_private.h"

enum {
	DEAD_BATCH = 250,    /* as DB_DEAD_LIST says */
	BURY_AT_ONCE = 1000, /* of what a command removed, while its client waits */
	BURY_WAIT_MS = 100,  /* deliveries go first: it is tried again */
};

struct grave {
	struct letterbox_dead record;
	char blob[2 * BODY_BLOB_ID_LEN + 1];
};

static int list_dead(struct store *s, struct grave *graves, size_t *ret_n)
{
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_DEAD_LIST, &stmt);
	if (error)
		return error;
	size_t n = 0;
	int row;
	while ((row = db_step(&s->db, stmt)) > 0 && n < DEAD_BATCH) {
		graves[n].record.place.segment = db_column_u32(stmt, 0);
		graves[n].record.place.offset = db_column_u64(stmt, 1);
		graves[n].record.len = db_column_u32(stmt, 2);
		if (str_to_cstr(db_column_str(stmt, 3), graves[n].blob, sizeof(graves[n].blob)) < 0)
			graves[n].blob[0] = '\0';
		n++;
	}
	sqlite3_reset(stmt);
	*ret_n = n;
	return row < 0 ? row : 0;
}

static int bury_blobs(struct store *s, const struct grave *graves, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (graves[i].blob[0] == '\0')
			continue;
		int error = io_unlink(s->blobs_fd, graves[i].blob, false);
		if (error && error != -ENOENT)
			return error;
	}
	return 0;
}

static int bury_records(struct store *s, const struct grave *graves, size_t n)
{
	struct letterbox_dead dead[DEAD_BATCH];
	int error = 0;
	for (size_t i = 0; !error && i < n;) {
		size_t n_dead = 0;
		uint32_t segment = graves[i].record.place.segment;
		for (; i < n && graves[i].record.place.segment == segment; i++)
			dead[n_dead++] = graves[i].record;
		error = letterbox_erase(s->letterbox, dead, n_dead, BURY_WAIT_MS);
	}
	return error;
}

static int forget_dead(struct store *s, const struct grave *graves, size_t n)
{
	int error = db_begin(&s->db);
	if (error)
		return error;
	for (size_t i = 0; !error && i < n; i++)
		error = db_run(&s->db, DB_DEAD_REMOVE, graves[i].record.place.segment,
		    (int64_t)graves[i].record.place.offset);
	return db_end(&s->db, error);
}

static void bury(struct store *s, size_t max)
{
	struct grave graves[DEAD_BATCH];
	size_t n = DEAD_BATCH, n_buried = 0;
	int error = 0;
	s->dead_left = false;
	for (; !error && n == DEAD_BATCH; n_buried += n) {
		s->dead_left = n_buried >= max;
		if (s->dead_left)
			return;
		error = list_dead(s, graves, &n);
		if (error || n == 0)
			return;
		error = bury_blobs(s, graves, n);
		if (!error)
			error = bury_records(s, graves, n);
		if (!error)
			error = forget_dead(s, graves, n);
	}
}

void store_bury_dead(struct store *s)
{
	bury(s, BURY_AT_ONCE);
}

void store_bury_all(struct store *s)
{
	bury(s, SIZE_MAX);
}

void store_tidy(struct store *s)
{
	if (s->dead_left && !store_damaged(s))
		store_bury_all(s);
}

/* True when the file is a blob that was made long ago and that no message has. */
static bool is_orphan(struct store *s, const char *name, uint64_t now)
{
	struct stat st;
	if (fstatat(s->blobs_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_mtime + STORE_ORPHAN_AGE_S > now)
		return false;
	sqlite3_stmt *stmt;
	if (db_get(&s->db, DB_BLOB_KNOWN, &stmt) < 0)
		return false;
	db_bind_str(stmt, 1, str_of_cstr(name));
	int row = db_step(&s->db, stmt);
	sqlite3_reset(stmt);
	return row == 0;
}

static void sweep_blobs(struct store *s, uint64_t now)
{
	int fd = -1;
	if (io_open(s->blobs_fd, ".", O_RDONLY | O_DIRECTORY, 0, &fd) < 0)
		return;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		fd_close(&fd);
		return;
	}
	struct dirent *entry;
	while ((entry = readdir(dir))) {
		if (!is_orphan(s, entry->d_name, now))
			continue;
		int left = io_unlink(s->blobs_fd, entry->d_name, false);
		(void)left; /* tomorrow again */
	}
	closedir(dir);
}

void store_sweep(struct store *s)
{
	uint64_t now = clock_wall();
	bool pending = true;
	/* A blob whose record is not taken in yet is no orphan. */
	if (ingest_is_pending(s, &pending) < 0 || pending)
		return;
	if (db_begin_read(&s->db) < 0)
		return;
	uint64_t swept_at = s->db.state.swept_at;
	bool skipped = s->db.state.skipped != 0;
	db_end_read(&s->db);
	/* What could not be read may name any of them. */
	if (skipped)
		return;
	if (swept_at <= now && now - swept_at < STORE_SWEEP_INTERVAL_S)
		return;
	if (db_begin(&s->db) < 0)
		return;
	s->db.state.swept_at = now;
	if (db_end(&s->db, 0) < 0 || expunged_trim_all(s) < 0 || changed_trim_all(s) < 0)
		return;
	sweep_blobs(s, now);
}
