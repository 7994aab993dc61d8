#include "store/rebuild.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "seal/vfs.h"
#include "store/ingest.h"
#include "store/io.h"
#include "store/salvage.h"

/* The log and its index go first: a log must never meet another database. */
static const char *const parts[] = {"-wal", "-shm", ""};

#define ASIDE_PREFIX STORE_DB_NAME ".damaged-"

/*
 * The mark holds the name that the damaged database was given, until the new one is filled. So a
 * rebuilding that was cut short is taken up again with what the old database says, not with what
 * the half-made one does.
 */
static bool read_mark(struct store *s, char ret_name[static REBUILD_NAME_MAX])
{
	char *file = NULL;
	size_t len = 0;
	if (fd_read_plain_file(s->folder_fd, STORE_DAMAGE_MARK, REBUILD_NAME_MAX - 1, &file, &len) <
	    0)
		return false;
	struct str name = str_of(file, len);
	bool known = str_starts(name, STR(ASIDE_PREFIX)) && str_index(name, '/') == len &&
	             str_to_cstr(name, ret_name, REBUILD_NAME_MAX) == 0;
	free(file);
	return known;
}

/* Durable before anything is renamed. */
static int write_mark(struct store *s, const char *name)
{
	int fd CLEANUP(fd_close) = -1;
	int error =
	    io_open(s->folder_fd, STORE_DAMAGE_MARK, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd);
	if (!error)
		error = io_pwrite(fd, str_of_cstr(name), 0);
	if (!error)
		error = io_fsync(fd);
	return error ? error : io_fsync(s->folder_fd);
}

/* Gives the parts of the database their new names, or removes them: NULL. */
static int move_parts(struct store *s, const char *name)
{
	int error = 0;
	for (size_t i = 0; !error && i < ARRAY_LEN(parts); i++) {
		char from[STORE_FILE_NAME_MAX], to[STORE_FILE_NAME_MAX];
		snprintf(from, sizeof(from), STORE_DB_NAME "%s", parts[i]);
		snprintf(to, sizeof(to), "%s%s", name ? name : "", parts[i]);
		error = name ? io_rename(s->folder_fd, from, s->folder_fd, to)
		             : io_unlink(s->folder_fd, from, false);
		if (error == -ENOENT)
			error = 0;
	}
	return error ? error : io_fsync(s->folder_fd);
}

int rebuild_set_aside(struct store *s, char ret_name[static REBUILD_NAME_MAX])
{
	if (read_mark(s, ret_name)) {
		/* The database itself is moved last: where it is, all of it is. */
		bool moved = faccessat(s->folder_fd, ret_name, F_OK, 0) == 0;
		return move_parts(s, moved ? NULL : ret_name);
	}
	snprintf(ret_name, REBUILD_NAME_MAX, ASIDE_PREFIX "%" PRIu64, clock_wall_ms());
	int error = write_mark(s, ret_name);
	return error ? error : move_parts(s, ret_name);
}

/* A message as the new database has it. */
struct message {
	struct store_placement placement;
	struct letterbox_place place;
	uint64_t mailbox;
	bool placed;
};

/* A place that the old database gives to a message. */
struct old_place {
	uint64_t mailbox, flags;
	uint32_t uid;
	uint32_t message; /* index of `messages` */
};

struct filling {
	struct store *store;
	struct old_place *old;
	size_t n_old, old_cap;
	struct message *messages; /* in the order of places, as they were taken in */
	size_t n;
	struct store_box box;
	bool has_box;
	uint64_t modseq;
};

static int take_all_in(struct store *s)
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

static int list_messages(struct filling *f)
{
	struct db *db = &f->store->db;
	sqlite3_stmt *stmt;
	int error = db_get(db, DB_PLACEMENTS, &stmt);
	if (error)
		return error;
	f->messages = calloc(db->state.next_message, sizeof(*f->messages));
	if (!f->messages)
		abort();
	int row;
	while ((row = db_step(db, stmt)) > 0 && f->n < db->state.next_message) {
		f->messages[f->n++] = (struct message){
		    .place = {db_column_u32(stmt, 0), db_column_u64(stmt, 1)},
		    .mailbox = db_column_u64(stmt, 2),
		    .placement =
		        {
		            .message = db_column_u32(stmt, 3),
		            .flags = db_column_u64(stmt, 4) & STORE_FLAGS_MASK,
		            .size = db_column_u64(stmt, 5),
		            .internal_at = sqlite3_column_int64(stmt, 6),
		            .internal_zone = sqlite3_column_int(stmt, 7),
		        },
		};
	}
	sqlite3_reset(stmt);
	return row < 0 ? row : 0;
}

static struct message *find_message(struct filling *f, struct letterbox_place place)
{
	size_t low = 0, high = f->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = letterbox_place_cmp(f->messages[middle].place, place);
		if (order == 0)
			return &f->messages[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int put(struct filling *f, uint64_t mailbox, const struct store_placement *placement)
{
	int error = 0;
	if (f->has_box && f->box.id != mailbox) {
		error = store_box_save(f->store, &f->box);
		f->has_box = false;
	}
	if (!error && !f->has_box) {
		error = store_box_load(f->store, mailbox, &f->box);
		f->has_box = error == 0;
	}
	uint32_t uid;
	return error ? error : store_box_add(f->store, &f->box, placement, f->modseq, &uid);
}

/* One row of the old database: this message was in this mailbox. */
static int on_salvaged(void *ctx, const struct salvaged *old)
{
	struct filling *f = ctx;
	struct message *m = find_message(f, old->place);
	if (!m)
		return 0;
	if (f->n_old == f->old_cap) {
		f->old_cap = f->old_cap ? 2 * f->old_cap : 256;
		struct old_place *larger = reallocarray(f->old, f->old_cap, sizeof(*larger));
		if (!larger)
			abort();
		f->old = larger;
	}
	f->old[f->n_old++] =
	    (struct old_place){old->mailbox, old->flags, old->uid, (uint32_t)(m - f->messages)};
	m->placed = true;
	return 0;
}

static int by_mailbox_and_uid(const void *a, const void *b)
{
	const struct old_place *x = a, *y = b;
	if (x->mailbox != y->mailbox)
		return x->mailbox < y->mailbox ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static int put_all(struct filling *f)
{
	int error = 0;
	if (f->n_old > 0)
		qsort(f->old, f->n_old, sizeof(*f->old), by_mailbox_and_uid);
	for (size_t i = 0; !error && i < f->n_old; i++) {
		struct store_placement placement = f->messages[f->old[i].message].placement;
		placement.flags = f->old[i].flags;
		error = put(f, f->old[i].mailbox, &placement);
	}
	for (size_t i = 0; !error && i < f->n; i++) {
		if (!f->messages[i].placed)
			error = put(f, f->messages[i].mailbox, &f->messages[i].placement);
	}
	if (!error && f->has_box)
		error = store_box_save(f->store, &f->box);
	return error;
}

/* Empties the mailboxes and lifts their UIDVALIDITYs above all that the old database had. */
static int clear_mailboxes(struct store *s, const struct salvage *old)
{
	struct store_box inbox; /* the first that was made: the lowest */
	int error = store_box_load(s, 1, &inbox);
	if (error)
		return error;
	uint32_t highest = salvage_uidvalidity(old);
	uint32_t lift = highest >= inbox.uidvalidity ? highest - inbox.uidvalidity + 1 : 0;
	s->db.state.next_uidvalidity += lift;
	error = db_run_ints(&s->db, DB_ENTRIES_CLEAR, NULL, 0);
	return error ? error : db_run(&s->db, DB_MAILBOXES_CLEAR, lift);
}

/* A message keeps the thread it was in. */
static int on_thread(void *ctx, struct letterbox_place place, struct str thread_id)
{
	struct filling *f = ctx;
	struct message *m = find_message(f, place);
	sqlite3_stmt *stmt;
	if (!m)
		return 0;
	int error = db_get(&f->store->db, DB_OBJECT_THREAD, &stmt);
	if (error)
		return error;
	db_bind(stmt, m->placement.message);
	db_bind_blob(stmt, 2, thread_id);
	return db_finish(&f->store->db, stmt);
}

/* In one transaction: every message leaves its place and gets its old ones, or its own again. */
static int place_anew(struct filling *f, struct salvage *old)
{
	struct store *s = f->store;
	int error = list_messages(f);
	if (!error)
		error = salvage_mailboxes(old, s);
	if (!error)
		error = clear_mailboxes(s, old);
	if (!error)
		error = salvage_entries(old, on_salvaged, f);
	if (!error)
		error = salvage_threads(old, s, on_thread, f);
	if (!error)
		error = salvage_annotations(old, s);
	if (!error)
		error = salvage_rights(old, s);
	f->modseq = store_next_modseq(s);
	return error ? error : put_all(f);
}

int rebuild_fill(struct store *s, const char *name, const struct secret *key)
{
	int error = take_all_in(s);
	if (error)
		return error;
	struct salvage *old = salvage_open(name, key);
	if (old) {
		struct filling f = {.store = s};
		error = db_begin(&s->db);
		if (!error)
			error = db_end(&s->db, place_anew(&f, old));
		free(f.messages);
		free(f.old);
		salvage_close(old);
	}
	if (!error)
		error = io_unlink(s->folder_fd, STORE_DAMAGE_MARK, false);
	return error ? error : io_fsync(s->folder_fd);
}
