/* store_check.h: every byte of an account, step by step. */
#include "store/store_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "seal/blob.h"
#include "seal/vfs.h"
#include "store/io.h"
#include "store/store_private.h"

enum {
	PAGES_AT_ONCE = 8,
	PIECE_LEN = 128 << 10,
	COVERED_MAX = 64 << 20, /* ids of blobs; behind that they are looked at twice */
	RECORD_COST = 4096,     /* of opening one, as if it were so many bytes longer */
	PLACE_FINISHED = 0,
	PLACE_DATABASE = 1,
	PLACE_SEGMENT = 1, /* plus its number */
};

enum stage { STAGE_KEYS, STAGE_LOG, STAGE_PAGES, STAGE_RECORDS, STAGE_BLOBS, STAGE_DONE };

struct store_check {
	struct store *s;
	enum stage stage;
	bool remembers;
	uint64_t remembered_at;
	uint64_t bytes, of_bytes, n_files;
	uint32_t page;
	struct letterbox_reader *reader;
	uint32_t segment; /* that is being read */
	/* The blob of the record at hand. */
	int blob_fd;
	struct blob_reader *blob;
	char blob_path[STORE_FILE_NAME_MAX];
	struct buf covered; /* ids of blobs that were read whole through their records */
	bool sorted;
	DIR *blobs;
	char *piece;
};

/* --- beginning and end --- */

static uint64_t size_of(const struct store *s, const char *name)
{
	struct stat st;
	return fstatat(s->folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)st.st_size;
}

struct store_check *store_check_new(struct store *s)
{
	struct store_check *c = calloc(1, sizeof(*c));
	uint64_t used = 0;
	if (!c || !(c->piece = malloc(PIECE_LEN)))
		abort();
	c->s = s;
	c->page = 1;
	c->blob_fd = -1;
	c->covered = BUF_MAX(COVERED_MAX);
	if (letterbox_used(s->letterbox, &used) < 0)
		used = 0; /* it is only for showing how far it is */
	c->of_bytes = used + size_of(s, "keys");
	if (s->db.handle)
		c->of_bytes += size_of(s, STORE_DB_NAME) + size_of(s, STORE_DB_NAME "-wal");
	return c;
}

static void leave_blob(struct store_check *c)
{
	blob_reader_free(&c->blob);
	fd_close(&c->blob_fd);
}

void store_check_free(struct store_check *c)
{
	if (!c)
		return;
	leave_blob(c);
	letterbox_reader_free(&c->reader);
	if (c->blobs)
		closedir(c->blobs);
	buf_done(&c->covered);
	free(c->piece);
	free(c);
}

void store_check_progress(const struct store_check *c, struct store_check_progress *ret_progress)
{
	*ret_progress = (struct store_check_progress){
	    .bytes = c->bytes < c->of_bytes ? c->bytes : c->of_bytes,
	    .of_bytes = c->of_bytes,
	    .n_files = c->n_files,
	    .n_damaged = c->s->n_reported,
	};
}

/* --- remembering --- */

static int remember(struct store_check *c, uint64_t place)
{
	if (!c->remembers)
		return 0;
	int error = db_begin(&c->s->db);
	if (error)
		return error;
	c->remembered_at = clock_wall();
	c->s->db.state.checked_at = c->remembered_at;
	c->s->db.state.check_place = place;
	return db_end(&c->s->db, 0);
}

static bool is_due(const struct db_state *state, uint64_t now)
{
	uint64_t wait =
	    state->check_place == PLACE_FINISHED ? STORE_CHECK_INTERVAL_S : STORE_CHECK_ABANDONED_S;
	/* A clock that was put back does not keep it away. */
	return state->checked_at > now || now - state->checked_at >= wait;
}

static int claim(struct store *s, uint64_t *ret_place)
{
	uint64_t now = clock_wall();
	int error = db_begin_read(&s->db);
	if (error)
		return error;
	bool due = is_due(&s->db.state, now);
	db_end_read(&s->db);
	if (!due)
		return -EALREADY;
	error = db_begin(&s->db);
	if (error)
		return error;
	if (!is_due(&s->db.state, now))
		return db_end(&s->db, -EALREADY);
	if (s->db.state.check_place == PLACE_FINISHED)
		s->db.state.check_place = PLACE_DATABASE;
	*ret_place = s->db.state.check_place;
	s->db.state.checked_at = now;
	return db_end(&s->db, 0);
}

int store_check_claim(struct store *s, struct store_check **ret_check)
{
	uint64_t place = PLACE_DATABASE;
	int error = claim(s, &place);
	if (error && error != -EALREADY)
		return error;
	*ret_check = NULL;
	if (error)
		return 0;
	struct store_check *c = store_check_new(s);
	c->remembers = true;
	c->remembered_at = clock_wall();
	if (place > PLACE_DATABASE && place - PLACE_SEGMENT <= SEGMENT_NUMBER_MAX) {
		c->stage = STAGE_RECORDS;
		c->segment = (uint32_t)(place - PLACE_SEGMENT);
	}
	*ret_check = c;
	return 0;
}

/* --- keys and database --- */

static int check_keys(struct store_check *c)
{
	struct keys_public public;
	char *file = NULL;
	size_t len = 0;
	c->stage = STAGE_LOG;
	c->n_files++;
	c->bytes += KEYS_FILE_LEN;
	int error = fd_read_plain_file(c->s->folder_fd, "keys", KEYS_FILE_LEN, &file, &len);
	if (error && error != -EFBIG && error != -ENOENT)
		return error;
	if (!error)
		error = keys_decode_public(str_of(file, len), &public);
	free(file);
	if (error || public.account_id != c->s->account_id)
		store_report(c->s, "keys", 0, "is damaged or missing");
	return 0;
}

static int check_log(struct store_check *c)
{
	c->stage = STAGE_PAGES;
	if (!c->s->db.handle) {
		c->stage = STAGE_RECORDS;
		return 0;
	}
	c->bytes += size_of(c->s, STORE_DB_NAME "-wal");
	int error = sealed_db_check_log(c->s->db.handle);
	return error == -EBADMSG ? 0 : error;
}

static int check_pages(struct store_check *c)
{
	uint32_t n_pages = 0;
	int error = sealed_db_check_pages(c->s->db.handle, c->page, PAGES_AT_ONCE, &n_pages);
	if (error && error != -EBADMSG)
		return error;
	c->page += PAGES_AT_ONCE;
	c->bytes += (uint64_t)PAGES_AT_ONCE * VFS_PAGE_LEN;
	if (c->page <= n_pages)
		return 0;
	c->n_files++;
	c->stage = STAGE_RECORDS;
	return remember(c, PLACE_SEGMENT + 1);
}

/* --- blobs of records --- */

/* True when a message has it: then it must be there. */
static bool is_known(struct store *s, const char *name)
{
	sqlite3_stmt *stmt;
	if (!s->db.handle || db_get(&s->db, DB_BLOB_KNOWN, &stmt) < 0)
		return false;
	db_bind_str(stmt, 1, str_of_cstr(name));
	int row = db_step(&s->db, stmt);
	sqlite3_reset(stmt);
	return row > 0;
}

/* What is wrong with a blob. Its file may be gone because its message was just expunged. */
static int judge_blob(struct store_check *c, int error)
{
	const char *name = c->blob_path + strlen("blobs/");
	bool gone = error == -ENOENT;
	if (!gone && error != -EBADMSG && error != -EPROTONOSUPPORT && error != -ELOOP)
		return error;
	if (!gone || is_known(c->s, name))
		store_report(c->s, c->blob_path, 0, gone ? "is missing" : "is damaged");
	return 0;
}

static int enter_blob(struct store_check *c, const struct body *body)
{
	char name[BLOB_NAME_LEN + 1];
	blob_name(body->blob_id, name);
	snprintf(c->blob_path, sizeof(c->blob_path), "blobs/%s", name);
	int error = io_open(c->s->blobs_fd, name, O_RDONLY, 0, &c->blob_fd);
	if (!error)
		error = blob_reader_new(c->blob_fd, body, &c->blob);
	if (!error) {
		buf_add(&c->covered, str_of(body->blob_id, BODY_BLOB_ID_LEN));
		return 0;
	}
	leave_blob(c);
	return judge_blob(c, error);
}

static int check_blob_piece(struct store_check *c)
{
	size_t got = 0;
	int error = blob_reader_read(c->blob, c->piece, PIECE_LEN, &got);
	c->bytes += got; /* of the message: compressed it is less */
	if (!error && got > 0)
		return 0;
	leave_blob(c);
	c->n_files += error == 0;
	return error ? judge_blob(c, error) : 0;
}

/* --- records --- */

static void on_letterbox_damage(void *ctx, struct letterbox_place place, const char *what)
{
	store_report_record(((struct store_check *)ctx)->s, place, what);
}

static int begin_records(struct store_check *c)
{
	struct letterbox_damage_report report = {on_letterbox_damage, c};
	struct letterbox_place from = {c->segment ? c->segment : 1, 0};
	int error = letterbox_reader_new(c->s->letterbox, from, report, &c->reader);
	if (!error)
		letterbox_reader_check_holes(c->reader);
	c->segment = from.segment;
	return error;
}

/* Opens what only the account's key opens. */
static int open_record(struct store_check *c, const struct letterbox_record *record)
{
	struct store *s = c->s;
	struct record_frame frame;
	struct buf metadata CLEANUP(buf_done) = BUF_MAX(RECORD_METADATA_MAX);
	struct body body;
	int error = record_open(&s->keys, record->bytes, &frame, &metadata, &body);
	if (!error && body.in_blob) {
		error = enter_blob(c, &body);
		body_wipe(&body);
		return error;
	}
	buf_clear(&s->bytes);
	if (!error)
		error = record_open_body(record->bytes, &body, &s->bytes);
	body_wipe(&body);
	if (error)
		store_report_record(s, record->place, "record does not open");
	return 0;
}

static int check_record(struct store_check *c)
{
	struct letterbox_record record;
	int error = c->reader ? 0 : begin_records(c);
	if (error)
		return error;
	int more = letterbox_reader_next(c->reader, &record);
	uint32_t segment = letterbox_reader_place(c->reader).segment;
	if (segment != c->segment) {
		c->n_files++;
		c->segment = segment;
		error = remember(c, PLACE_SEGMENT + (uint64_t)segment);
	}
	if (error || more < 0)
		return error ? error : more;
	if (more == 0) {
		letterbox_reader_free(&c->reader);
		c->n_files++;
		c->stage = STAGE_BLOBS;
		return 0;
	}
	c->bytes += record.bytes.len + RECORD_COST;
	c->of_bytes += RECORD_COST;
	return c->s->keys.private_key ? open_record(c, &record) : 0;
}

/* --- blobs in the folder --- */

static int by_id(const void *a, const void *b)
{
	return memcmp(a, b, BODY_BLOB_ID_LEN);
}

static bool is_covered(struct store_check *c, const char *name)
{
	struct buf id CLEANUP(buf_done) = BUF_MAX(BODY_BLOB_ID_LEN);
	size_t n = c->covered.len / BODY_BLOB_ID_LEN;
	if (n == 0 || !hex_decode(str_of_cstr(name), &id) || id.len != BODY_BLOB_ID_LEN)
		return false;
	if (!c->sorted)
		qsort(c->covered.p, n, BODY_BLOB_ID_LEN, by_id);
	c->sorted = true;
	return bsearch(id.p, c->covered.p, n, BODY_BLOB_ID_LEN, by_id) != NULL;
}

/* A file in blobs/: the id in it is its name, and it is whole. */
static int check_blob_file(struct store_check *c, const char *name)
{
	uint8_t id[BODY_BLOB_ID_LEN];
	char header[BLOB_HEADER_LEN], right_name[BLOB_NAME_LEN + 1];
	struct stat st;
	int fd CLEANUP(fd_close) = -1;
	snprintf(c->blob_path, sizeof(c->blob_path), "blobs/%.*s", BLOB_NAME_LEN, name);
	int error = io_open(c->s->blobs_fd, name, O_RDONLY | O_NONBLOCK, 0, &fd);
	if (error == -ENOENT)
		return 0;
	if (!error)
		error = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EBADMSG;
	if (!error)
		error = fd_pread_all(fd, header, sizeof(header), 0);
	if (!error)
		error = blob_decode_header(str_of(header, sizeof(header)), id);
	if (!error) {
		blob_name(id, right_name);
		error = strcmp(name, right_name) == 0 ? blob_check(fd) : -EBADMSG;
		c->bytes += (uint64_t)st.st_size;
	}
	c->n_files++;
	return error == -ENODATA ? judge_blob(c, -EBADMSG) : error ? judge_blob(c, error) : 0;
}

static int begin_blobs(struct store_check *c)
{
	int fd = -1;
	int error = io_open(c->s->blobs_fd, ".", O_RDONLY | O_DIRECTORY, 0, &fd);
	if (error)
		return error;
	c->blobs = fdopendir(fd);
	if (c->blobs)
		return 0;
	fd_close(&fd);
	return -ENOMEM;
}

static int check_next_file(struct store_check *c)
{
	int error = c->blobs ? 0 : begin_blobs(c);
	if (error)
		return error;
	errno = 0;
	struct dirent *entry = readdir(c->blobs);
	if (!entry && errno)
		return -errno;
	if (!entry) {
		c->stage = STAGE_DONE;
		return remember(c, PLACE_FINISHED);
	}
	/* What begins with a dot is being written. */
	if (entry->d_name[0] == '.' || is_covered(c, entry->d_name))
		return 0;
	return check_blob_file(c, entry->d_name);
}

/* --- steps --- */

static int next(struct store_check *c)
{
	if (c->blob)
		return check_blob_piece(c);
	switch (c->stage) {
	case STAGE_KEYS:
		return check_keys(c);
	case STAGE_LOG:
		return check_log(c);
	case STAGE_PAGES:
		return check_pages(c);
	case STAGE_RECORDS:
		return check_record(c);
	case STAGE_BLOBS:
		return check_next_file(c);
	case STAGE_DONE:
		break;
	}
	return 0;
}

/* Others see that somebody is at it, also while one large file takes long. */
static int keep_claim(struct store_check *c)
{
	uint64_t now = clock_wall();
	if (!c->remembers || now < c->remembered_at + STORE_CHECK_REMEMBER_S)
		return 0;
	return remember(
	    c, c->stage < STAGE_RECORDS ? PLACE_DATABASE : PLACE_SEGMENT + (uint64_t)c->segment);
}

int store_check_step(struct store_check *c, uint64_t budget)
{
	uint64_t until = c->bytes + budget;
	int error = keep_claim(c);
	while (!error && c->stage != STAGE_DONE && c->bytes < until)
		error = next(c);
	return error ? error : c->stage != STAGE_DONE;
}
