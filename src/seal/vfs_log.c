/*
 * The write-ahead log, sealed.
 *
 * On disk it has SQLite's shape: a header of 32 bytes, then frames of a header (24) and a page. The
 * page is sealed and its trailer repeats, authenticated, what the frame's header says. SQLite's
 * running checksum of the plain pages, which stands in the header's last 8 bytes, would tell about
 * their content; a random mark stands there instead. Each frame names the mark of the one before
 * it, and this chain does what the checksum does: left-overs of an abandoned transaction do not
 * continue it. When SQLite wants to see a checksum (after a crash, and when it rewrites frames of
 * one transaction), it is computed again.
 */
#include <endian.h>
#include <string.h>

#include "seal/vfs_file.h"

enum {
	/* In the log's header. */
	HEADER_AT_SALTS = 16,
	HEADER_AT_SUM = 24,
	/* In a frame's header. */
	FRAME_AT_PAGE = 0,
	FRAME_AT_N_PAGES = 4,
	FRAME_AT_SALTS = 8,
	FRAME_AT_SUM = 16, /* on disk: the mark */
	SUM_LEN = 8,
	SUMMED_HEADER_LEN = 8, /* of a frame's header, page and n_pages are summed */
	LOG_MAGIC = 0x377f0682,
	LOG_FORMAT = 3007000,
};

static uint32_t get_big32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_big32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* fileformat2 §4.2. Always little-endian words: the magic number we let pass says so. */
static void log_sum(uint32_t sum[2], const uint8_t *p, size_t len)
{
	uint32_t s0 = sum[0], s1 = sum[1];

	for (size_t i = 0; i < len; i += 8) {
		uint32_t words[2];
		memcpy(words, p + i, sizeof(words));
		s0 += le32toh(words[0]) + s1;
		s1 += le32toh(words[1]) + s0;
	}
	sum[0] = s0;
	sum[1] = s1;
}

static sqlite3_int64 log_offset(uint32_t frame)
{
	return LOG_HEADER_LEN + (sqlite3_int64)(frame - 1) * LOG_FRAME_LEN;
}

static int real_read(struct vfs_file *log, void *p, int len, sqlite3_int64 at)
{
	return log->real->pMethods->xRead(log->real, p, len, at);
}

static int real_write(struct vfs_file *log, const void *p, int len, sqlite3_int64 at)
{
	return log->real->pMethods->xWrite(log->real, p, len, at);
}

/* How many whole frames the file has. */
static int log_n_frames(struct vfs_file *log, uint32_t *ret_n)
{
	sqlite3_int64 size;
	int rc = log->real->pMethods->xFileSize(log->real, &size);

	if (rc == SQLITE_OK)
		*ret_n =
		    size < LOG_HEADER_LEN ? 0 : (uint32_t)((size - LOG_HEADER_LEN) / LOG_FRAME_LEN);
	return rc;
}

/* A frame as it lies there: its header, the place its page claims, the page opened. */
struct log_frame {
	uint8_t header[LOG_FRAME_HEADER_LEN];
	struct page_place place;
	bool blank;     /* nothing was ever written there */
	bool authentic; /* the page, whatever it belongs to */
	bool current;   /* and it belongs here: generation and frame */
};

static bool bytes_are_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Reads frame number `number` to `bytes` (LOG_FRAME_LEN) and opens its page there. */
static int log_load(
    struct vfs_file *log, uint32_t number, uint8_t *bytes, struct log_frame *ret_frame)
{
	struct log_frame frame = {0};
	uint8_t *page = bytes + LOG_FRAME_HEADER_LEN;
	int rc = real_read(log, bytes, LOG_FRAME_LEN, log_offset(number));

	if (rc != SQLITE_OK)
		return rc;
	memcpy(frame.header, bytes, LOG_FRAME_HEADER_LEN);
	frame.blank = bytes_are_zero(page, VFS_PAGE_LEN);
	bool claims =
	    page_decode(page + PAGE_CONTENT_LEN, &frame.place) == 0 && frame.place.role == PAGE_LOG;
	frame.authentic = page_open(log->database->page_key->bytes, page) && claims;
	frame.current = frame.authentic && frame.place.frame == number &&
	                memcmp(frame.place.salts, log->log.salts, PAGE_SALTS_LEN) == 0;
	*ret_frame = frame;
	return SQLITE_OK;
}

/* The header that belongs to a frame: as it lies on disk, the mark where SQLite has its sum. */
static void log_frame_header(const struct page_place *place, uint8_t *header)
{
	put_big32(header + FRAME_AT_PAGE, place->page);
	put_big32(header + FRAME_AT_N_PAGES, place->n_pages);
	memcpy(header + FRAME_AT_SALTS, place->salts, PAGE_SALTS_LEN);
	memcpy(header + FRAME_AT_SUM, place->mark, PAGE_MARK_LEN);
}

static void log_header_sum(const uint8_t *header, uint32_t ret_sum[2])
{
	ret_sum[0] = ret_sum[1] = 0;
	log_sum(ret_sum, header, HEADER_AT_SUM);
}

static bool log_header_is_valid(const uint8_t *header)
{
	uint32_t sum[2];

	log_header_sum(header, sum);
	return get_big32(header) == LOG_MAGIC && get_big32(header + 4) == LOG_FORMAT &&
	       get_big32(header + 8) == VFS_PAGE_LEN &&
	       get_big32(header + HEADER_AT_SUM) == sum[0] &&
	       get_big32(header + HEADER_AT_SUM + 4) == sum[1];
}

static void log_make_header(const uint8_t *salts, uint8_t *header)
{
	uint32_t sum[2];

	put_big32(header, LOG_MAGIC);
	put_big32(header + 4, LOG_FORMAT);
	put_big32(header + 8, VFS_PAGE_LEN);
	put_big32(header + 12, 0); /* counts checkpoints; nothing depends on it */
	memcpy(header + HEADER_AT_SALTS, salts, PAGE_SALTS_LEN);
	log_header_sum(header, sum);
	put_big32(header + HEADER_AT_SUM, sum[0]);
	put_big32(header + HEADER_AT_SUM + 4, sum[1]);
}

/*
 * A header that is not one, although the log has frames: without it SQLite would take the log for
 * empty. The first frame knows what it said.
 */
static int log_mend_header(struct vfs_file *log, uint8_t *header)
{
	struct log_frame first;
	uint32_t n_frames;
	int rc = log_n_frames(log, &n_frames);

	if (rc != SQLITE_OK || n_frames == 0)
		return rc;
	rc = log_load(log, 1, log->frame, &first);
	if (rc != SQLITE_OK)
		return rc;
	bool known = first.authentic && first.place.frame == 1;
	if (known) {
		log_make_header(first.place.salts, header);
		rc = real_write(log, header, LOG_HEADER_LEN, 0);
	}
	vfs_report(log, known ? SEAL_DAMAGE_LOG_MENDED : SEAL_DAMAGE_LOG_TAIL, 0);
	return rc;
}

/* Reads the header, mended where needed, and remembers its salts. */
static int log_load_header(struct vfs_file *log, uint8_t *header)
{
	int rc = real_read(log, header, LOG_HEADER_LEN, 0);

	if (rc == SQLITE_OK && !log_header_is_valid(header))
		rc = log_mend_header(log, header);
	if (rc == SQLITE_OK)
		memcpy(log->log.salts, header + HEADER_AT_SALTS, PAGE_SALTS_LEN);
	return rc;
}

/* Begins to read frames from the first on: checksum and mark as the header leaves them. */
static int log_begin_chain(struct vfs_file *log, uint8_t *header)
{
	int rc = log_load_header(log, header);

	log->log.n_summed = 0;
	log_header_sum(header, log->log.sum);
	memset(log->log.mark, 0, PAGE_MARK_LEN);
	return rc;
}

/* Adds a frame that continues the chain, and writes SQLite's checksum into its header. */
static void log_extend_chain(struct vfs_file *log, const struct log_frame *frame, uint8_t *bytes)
{
	struct vfs_log *state = &log->log;

	log_frame_header(&frame->place, bytes);
	log_sum(state->sum, bytes, SUMMED_HEADER_LEN);
	log_sum(state->sum, bytes + LOG_FRAME_HEADER_LEN, VFS_PAGE_LEN);
	put_big32(bytes + FRAME_AT_SUM, state->sum[0]);
	put_big32(bytes + FRAME_AT_SUM + 4, state->sum[1]);
	memcpy(state->mark, frame->place.mark, PAGE_MARK_LEN);
	state->n_summed = frame->place.frame;
}

/* A way on from a broken frame: which mark its follower must name, and whether it was a commit. */
struct log_way {
	uint8_t mark[PAGE_MARK_LEN];
	bool unknown; /* the mark: any frame of this generation may be the next that is whole */
	bool committed;
	bool open;
};

/* Whether a frame continues the way; a broken one does not end a way that knows no mark. */
static bool log_way_continues(const struct log_way *way, const struct log_frame *frame)
{
	if (!frame->current)
		return way->unknown;
	return way->unknown || memcmp(frame->place.previous, way->mark, PAGE_MARK_LEN) == 0;
}

/*
 * Follows the chain behind a broken frame. True when a transaction was committed and another
 * written after it: SQLite had synced the first one then, so what broke it was no crash.
 */
static int log_find_later_commit(
    struct vfs_file *log, uint32_t broken, struct log_way way, bool *ret_found)
{
	uint32_t n_frames;
	struct log_frame frame;
	int rc = log_n_frames(log, &n_frames);

	for (uint32_t i = broken + 1; rc == SQLITE_OK && way.open && i <= n_frames; i++) {
		rc = log_load(log, i, log->frame, &frame);
		if (rc != SQLITE_OK)
			break;
		way.open = log_way_continues(&way, &frame);
		if (!way.open || !frame.current)
			continue;
		if (way.committed) {
			*ret_found = true;
			break;
		}
		way.unknown = false;
		way.committed = frame.place.n_pages != 0;
		memcpy(way.mark, frame.place.mark, PAGE_MARK_LEN);
	}
	return rc;
}

/*
 * Whether something committed stands behind a broken frame. Three ways lead on from it: what its
 * header says, what its trailer says, and, where neither is to be believed, the next whole frame.
 * Left-overs of an abandoned transaction are no way: they have at most one commit, at their end.
 */
static int log_is_lost(
    struct vfs_file *log, const struct log_frame *frame, uint32_t number, bool *ret_lost)
{
	struct log_way ways[3] = {{.open = true}, {.open = true}, {.unknown = true}};
	int rc = SQLITE_OK;

	memcpy(ways[0].mark, frame->header + FRAME_AT_SUM, PAGE_MARK_LEN);
	ways[0].committed = get_big32(frame->header + FRAME_AT_N_PAGES) != 0;
	ways[0].open = memcmp(frame->header + FRAME_AT_SALTS, log->log.salts, PAGE_SALTS_LEN) == 0;
	memcpy(ways[1].mark, frame->place.mark, PAGE_MARK_LEN);
	ways[1].committed = frame->place.n_pages != 0;
	ways[1].open =
	    !frame->authentic && memcmp(frame->place.salts, log->log.salts, PAGE_SALTS_LEN) == 0;
	ways[2].open = !frame->authentic;
	/* No write puts a frame where another belongs. */
	*ret_lost = frame->authentic && frame->place.frame != number;
	for (size_t i = 0; rc == SQLITE_OK && !*ret_lost && i < ARRAY_LEN(ways); i++)
		rc = log_find_later_commit(log, number, ways[i], ret_lost);
	return rc;
}

/*
 * What stands where the chain ends. Whole pages of an older time, or nothing at all, are the
 * ordinary end. Anything else is a write that a crash cut short, or damage: reported, and an error
 * when more was committed behind it.
 */
static int log_judge_end(struct vfs_file *log, const struct log_frame *frame, uint32_t number)
{
	bool lost;
	int rc = log_is_lost(log, frame, number, &lost);

	if (rc != SQLITE_OK)
		return rc;
	if (lost) {
		vfs_report(log, SEAL_DAMAGE_LOG, number);
		return SQLITE_IOERR_DATA;
	}
	if (!frame->authentic && !frame->blank)
		vfs_report(log, SEAL_DAMAGE_LOG_TAIL, number);
	return SQLITE_OK;
}

/* One frame for SQLite's recovery, which reads them all from the first on. */
static int log_recover_frame(struct vfs_file *log, uint32_t number, uint8_t *bytes)
{
	struct log_frame frame;
	uint8_t header[LOG_HEADER_LEN], expected[LOG_FRAME_HEADER_LEN];
	int rc = number == 1 ? log_begin_chain(log, header) : SQLITE_OK;

	if (rc == SQLITE_OK)
		rc = log_load(log, number, bytes, &frame);
	if (rc != SQLITE_OK)
		return rc;
	bool continues = log->log.n_summed == number - 1 && frame.current &&
	                 memcmp(frame.place.previous, log->log.mark, PAGE_MARK_LEN) == 0;
	if (!continues) {
		memset(bytes, 0, LOG_FRAME_LEN); /* page 0: the end, for SQLite */
		return log_judge_end(log, &frame, number);
	}
	log_frame_header(&frame.place, expected);
	if (memcmp(expected, frame.header, sizeof(expected)) != 0)
		vfs_report(log, SEAL_DAMAGE_LOG_MENDED, number);
	log_extend_chain(log, &frame, bytes);
	return SQLITE_OK;
}

/* One frame while SQLite rewrites checksums: it wants the page, and has no use for the old sum. */
static int log_reread_frame(struct vfs_file *log, uint32_t number, uint8_t *bytes)
{
	struct log_frame frame;
	int rc = log_load(log, number, bytes, &frame);

	if (rc != SQLITE_OK)
		return rc;
	if (!frame.current) {
		vfs_report(log, SEAL_DAMAGE_LOG, number);
		return SQLITE_IOERR_DATA;
	}
	log_frame_header(&frame.place, bytes);
	log->log.rewritten = number;
	return SQLITE_OK;
}

/* SQLite's checksum after frame `number` (0: of the header), computed from the first frame on. */
static int log_read_sum(struct vfs_file *log, uint32_t number, uint8_t *ret_sum)
{
	uint8_t header[LOG_HEADER_LEN];
	struct log_frame frame;
	int rc = log_begin_chain(log, header);

	for (uint32_t i = 1; rc == SQLITE_OK && i <= number; i++) {
		rc = log_load(log, i, log->frame, &frame);
		if (rc == SQLITE_OK && !frame.current) {
			vfs_report(log, SEAL_DAMAGE_LOG, i);
			rc = SQLITE_IOERR_DATA;
		}
		if (rc == SQLITE_OK)
			log_extend_chain(log, &frame, log->frame);
	}
	if (rc != SQLITE_OK)
		return rc;
	put_big32(ret_sum, log->log.sum[0]);
	put_big32(ret_sum + 4, log->log.sum[1]);
	log->log.rewriting = true;
	return SQLITE_OK;
}

/* A page by its frame: what readers and checkpoints do. */
static int log_read_page(struct vfs_file *log, uint32_t number, void *p, int len)
{
	struct log_frame frame;
	uint8_t header[LOG_HEADER_LEN];
	int rc = log_load(log, number, log->frame, &frame);

	if (rc == SQLITE_OK && !frame.current) {
		/* Another process may have begun a new generation since the header was read. */
		rc = log_load_header(log, header);
		if (rc == SQLITE_OK)
			rc = log_load(log, number, log->frame, &frame);
	}
	if (rc == SQLITE_OK && !frame.current) {
		vfs_report(log, SEAL_DAMAGE_LOG, number);
		rc = SQLITE_IOERR_DATA;
	}
	if (rc == SQLITE_OK)
		memcpy(p, log->frame + LOG_FRAME_HEADER_LEN, (size_t)len);
	return rc;
}

int vfs_log_read(struct vfs_file *log, void *p, int len, sqlite3_int64 at)
{
	if (at == 0 && len == LOG_HEADER_LEN) {
		log->log.rewriting = false;
		return log_load_header(log, p);
	}
	if (at == HEADER_AT_SUM && len == SUM_LEN)
		return log_read_sum(log, 0, p);
	if (at < LOG_HEADER_LEN)
		return SQLITE_IOERR_READ;
	uint32_t number = (uint32_t)((at - LOG_HEADER_LEN) / LOG_FRAME_LEN) + 1;
	sqlite3_int64 within = at - log_offset(number);
	if (within == FRAME_AT_SUM && len == SUM_LEN)
		return log_read_sum(log, number, p);
	if (within == 0 && len == LOG_FRAME_LEN)
		return log->log.rewriting ? log_reread_frame(log, number, p)
		                          : log_recover_frame(log, number, p);
	if (within == LOG_FRAME_HEADER_LEN && len <= VFS_PAGE_LEN)
		return log_read_page(log, number, p, len);
	return SQLITE_IOERR_READ; /* a shape that SQLite does not use */
}

/* The trailer of a frame that is on disk already; it must be of this generation. */
static int log_read_place(struct vfs_file *log, uint32_t number, struct page_place *ret_place)
{
	uint8_t trailer[VFS_RESERVE_LEN];
	int rc = real_read(log, trailer, sizeof(trailer),
	    log_offset(number) + LOG_FRAME_HEADER_LEN + PAGE_CONTENT_LEN);

	if (rc != SQLITE_OK)
		return rc;
	if (page_decode(trailer, ret_place) < 0 || ret_place->role != PAGE_LOG ||
	    ret_place->frame != number ||
	    memcmp(ret_place->salts, log->log.salts, PAGE_SALTS_LEN) != 0) {
		vfs_report(log, SEAL_DAMAGE_LOG, number);
		return SQLITE_IOERR_DATA;
	}
	return SQLITE_OK;
}

/*
 * The place of the frame before the one that is written now. While nobody else could write, that is
 * known; after a rollback another frame than the last one is asked for.
 */
static int log_previous_place(struct vfs_file *log, uint32_t number, struct page_place *ret_place)
{
	const struct vfs_file *database = log->database;
	const struct page_place *written = &log->log.written;

	if (!database->writes || log->log.written_in != database->n_writings ||
	    written->frame != number || memcmp(written->salts, log->log.salts, PAGE_SALTS_LEN) != 0)
		return log_read_place(log, number, ret_place);
	*ret_place = *written;
	return SQLITE_OK;
}

static int log_write_frame_header(struct vfs_file *log, uint32_t number, const uint8_t *header)
{
	struct page_place place = {.role = PAGE_LOG, .frame = number}, previous;

	/* Rewriting changes the checksum alone, and that is not stored. */
	if (log->log.rewriting && log->log.rewritten == number)
		return SQLITE_OK;
	place.page = get_big32(header + FRAME_AT_PAGE);
	place.n_pages = get_big32(header + FRAME_AT_N_PAGES);
	/* SQLite leaves them zero where it is going to rewrite the checksum. */
	if (!bytes_are_zero(header + FRAME_AT_SALTS, PAGE_SALTS_LEN))
		memcpy(log->log.salts, header + FRAME_AT_SALTS, PAGE_SALTS_LEN);
	memcpy(place.salts, log->log.salts, PAGE_SALTS_LEN);
	cipher_nonce(place.mark, PAGE_MARK_LEN);
	if (number > 1) {
		int rc = log_previous_place(log, number - 1, &previous);
		if (rc != SQLITE_OK)
			return rc;
		memcpy(place.previous, previous.mark, PAGE_MARK_LEN);
	}
	log->log.begun = place;
	return SQLITE_OK;
}

/* A new frame, header and page in one. */
static int log_write_frame(
    struct vfs_file *log, const struct page_place *place, const uint8_t *plain)
{
	log_frame_header(place, log->frame);
	page_seal(log->database->page_key->bytes, place, plain, log->frame + LOG_FRAME_HEADER_LEN);
	int rc = real_write(log, log->frame, LOG_FRAME_LEN, log_offset(place->frame));
	if (rc != SQLITE_OK)
		return rc;
	log->log.written = *place;
	log->log.written_in = log->database->n_writings;
	return SQLITE_OK;
}

static int log_write_page(struct vfs_file *log, uint32_t number, const uint8_t *plain)
{
	struct page_place place = log->log.begun;

	/* SQLite sums up the trailer too; it must be as log_load will leave it. */
	if (!bytes_are_zero(plain + PAGE_CONTENT_LEN, VFS_RESERVE_LEN))
		return SQLITE_IOERR_WRITE;
	log->log.begun.frame = 0;
	if (place.frame == number)
		return log_write_frame(log, &place, plain);
	/* A page written again within its transaction: it keeps its frame. */
	int rc = log_read_place(log, number, &place);
	if (rc != SQLITE_OK)
		return rc;
	page_seal(log->database->page_key->bytes, &place, plain, log->frame);
	return real_write(log, log->frame, VFS_PAGE_LEN, log_offset(number) + LOG_FRAME_HEADER_LEN);
}

int vfs_log_write(struct vfs_file *log, const void *p, int len, sqlite3_int64 at)
{
	if (at == 0 && len == LOG_HEADER_LEN) {
		memcpy(log->log.salts, (const uint8_t *)p + HEADER_AT_SALTS, PAGE_SALTS_LEN);
		return real_write(log, p, len, at);
	}
	if (at < LOG_HEADER_LEN)
		return SQLITE_IOERR_WRITE;
	uint32_t number = (uint32_t)((at - LOG_HEADER_LEN) / LOG_FRAME_LEN) + 1;
	sqlite3_int64 within = at - log_offset(number);
	if (within == 0 && len == LOG_FRAME_HEADER_LEN)
		return log_write_frame_header(log, number, p);
	if (within == LOG_FRAME_HEADER_LEN && len == VFS_PAGE_LEN)
		return log_write_page(log, number, p);
	return SQLITE_IOERR_WRITE;
}

void vfs_log_synced(struct vfs_file *log)
{
	log->log.rewriting = false;
	log->log.rewritten = 0;
}

/* A frame that the log does not need: whole, of whatever generation, or never written. */
static bool log_is_left_over(const struct log_frame *frame, uint32_t number)
{
	uint8_t expected[LOG_FRAME_HEADER_LEN];

	if (!frame->authentic)
		return frame->blank && bytes_are_zero(frame->header, sizeof(frame->header));
	log_frame_header(&frame->place, expected);
	return frame->place.frame == number &&
	       memcmp(expected, frame->header, sizeof(expected)) == 0;
}

/* Checks one frame; `*chained` until the end of the chain was seen. */
static int log_check_frame(struct vfs_file *log, uint32_t number, bool *chained)
{
	struct log_frame frame;
	uint8_t expected[LOG_FRAME_HEADER_LEN];
	int rc = log_load(log, number, log->frame, &frame);

	if (rc != SQLITE_OK)
		return rc;
	bool continues = *chained && frame.current &&
	                 memcmp(frame.place.previous, log->log.mark, PAGE_MARK_LEN) == 0;
	if (continues) {
		log_frame_header(&frame.place, expected);
		if (memcmp(expected, frame.header, sizeof(expected)) != 0)
			vfs_report(log, SEAL_DAMAGE_LOG_MENDED, number);
		memcpy(log->log.mark, frame.place.mark, PAGE_MARK_LEN);
		return SQLITE_OK;
	}
	bool ends_here = *chained;
	*chained = false;
	if (ends_here && (!frame.authentic || frame.place.frame != number))
		return log_judge_end(log, &frame, number);
	if (!log_is_left_over(&frame, number))
		vfs_report(log, SEAL_DAMAGE_LOG_TAIL, number);
	/* A commit may stand behind a whole frame that is in the wrong place of the chain. */
	return ends_here ? log_judge_end(log, &frame, number) : SQLITE_OK;
}

int vfs_log_check(struct vfs_file *log)
{
	uint8_t header[LOG_HEADER_LEN];
	uint32_t n_frames;
	bool chained = true;
	int rc = log_n_frames(log, &n_frames);

	if (rc != SQLITE_OK || n_frames == 0)
		return rc;
	rc = log_begin_chain(log, header);
	for (uint32_t i = 1; rc == SQLITE_OK && i <= n_frames; i++)
		rc = log_check_frame(log, i, &chained);
	return rc;
}
