/*
 * store/search_index.h: how the word index lies in the database. Private to src/store.
 *
 * Segments, each over some messages that no other has; written once, never changed. A segment has
 * pages, sorted by class and word; a page is words of one class, and for each of them its messages:
 *
 *   words     LF (word LF)*: so that one search through the bytes finds a string in all words,
 *             at their start ("LF abc") or end ("abc LF") too
 *   postings  for each word: the length of what follows in bytes; the message ids, ascending, each
 *             as the difference to the one before, the first to the segment's first id; all numbers
 *             as LEB128
 *
 * SEARCH_FAN segments of one level in a row are joined into one of the next level.
 *
 * All that writes goes through `search_begin`: only one session at a time works on the index.
 */
#ifndef STORE_SEARCH_INDEX_H
#define STORE_SEARCH_INDEX_H

#include "base/buf.h"
#include "store/store_private.h"
#include "store/store_search.h"

enum {
	SEARCH_FAN = 8,
	SEARCH_SEGMENT_FULL = 32768,     /* messages: such a segment is not joined any more */
	SEARCH_PAGE_WORDS = 60 << 10,    /* bytes of words that end a page … */
	SEARCH_PAGE_POSTINGS = 60 << 10, /* … or of postings */
	SEARCH_BATCH_MESSAGES = 256,     /* of a first segment … */
	SEARCH_BATCH_LEN = 2 << 20,      /* … and bytes of memory that end it before */
	SEARCH_CLAIM_MS = 30 * 1000, /* without a word for so long, another session takes over */
	SEARCH_PRUNE_MS = 60 * 60 * 1000, /* so often it is asked how much of a segment is dead */
};

enum segment_state { SEGMENT_LIVE, SEGMENT_IN_MAKING, SEGMENT_DEAD };

struct search_segment {
	uint64_t id;
	uint32_t level, first, last, n_messages;
};

/* The row of search_state. */
struct search_state {
	uint32_t indexed; /* all messages up to it are in segments or left out */
	uint64_t owner, until_ms;
	uint64_t next_segment;
	uint64_t pruned_ms; /* when it was last asked what is dead */
};

/* A statement of our own, for one use; finalised by search_sql_done. */
MUST_USE int search_sql(struct store *s, const char *sql, sqlite3_stmt **ret_stmt);
void search_sql_done(sqlite3_stmt **stmt);
/* Runs one that has only integers and no rows. */
MUST_USE int search_run_ints(struct store *s, const char *sql, const int64_t *values, size_t n);
#define search_run(s, sql, ...)                                                                    \
	search_run_ints((s), (sql), (const int64_t[]){__VA_ARGS__},                                \
	    sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

MUST_USE int search_state_load(struct store *s, struct search_state *ret_state);
MUST_USE int search_state_save(struct store *s, const struct search_state *state);

/* Takes the write lock for the session that has claimed the work: -EAGAIN when it has it no more.
 */
MUST_USE int search_begin(struct store *s, uint64_t owner, struct search_state *ret_state);

/* The ids of a class's pages lie between these. */
static inline int64_t search_page_id(uint64_t segment, unsigned class, uint32_t page)
{
	return (int64_t)(segment << 28 | (uint64_t) class << 24 | page);
}

/* --- writing --- */

/* Fills pages, within a transaction. */
struct search_writer {
	struct store *store;
	uint64_t segment;
	unsigned class;
	uint32_t page;
	struct buf words, postings;
};

void search_writer_init(struct search_writer *w, struct store *s, uint64_t segment);
void search_writer_done(struct search_writer *w);
/* Words come in order; `list` is what stands behind the length. */
MUST_USE int search_writer_add(
    struct search_writer *w, unsigned class, struct str word, struct str list);
/* Writes what is left. */
MUST_USE int search_writer_flush(struct search_writer *w);

/* --- numbers of the postings --- */

void search_put_number(struct buf *b, uint64_t number);

/* False at the end, or where none stands. Here, because a search calls it for every posting. */
static inline MUST_USE bool search_next_number(struct str *rest, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < rest->len && i < 9; i++) {
		unsigned char c = (unsigned char)rest->p[i];
		number |= (uint64_t)(c & 0x7f) << 7 * i;
		if (c < 0x80) {
			*rest = (struct str){rest->p + i + 1, rest->len - i - 1};
			*ret_number = number;
			return true;
		}
	}
	return false;
}

/* --- the words of new messages, in memory --- */

struct search_builder;

struct search_builder *search_builder_new(void);
/* Nothing for NULL. */
void search_builder_free(struct search_builder *b);
/* Reads a message and adds its words. -EFBIG: it has too many, and none was added. */
MUST_USE int search_builder_add(struct search_builder *b, struct store *s, uint32_t message);
bool search_builder_is_full(const struct search_builder *b);
/* Writes them as a segment; `ret_segment` without id and level. */
MUST_USE int search_builder_write(struct search_builder *b, struct search_writer *w);
uint32_t search_builder_first(const struct search_builder *b);
uint32_t search_builder_n(const struct search_builder *b);

/* --- joining segments --- */

struct search_merge;

/* Of `n` segments in the order of their ids into one; `segment` is what it is called. */
MUST_USE int search_merge_new(struct store *s, const struct search_segment *from, size_t n,
    uint64_t segment, struct search_merge **ret_merge);
void search_merge_free(struct search_merge *m);
/* Goes on until `until_ms`, within a transaction. 1: there is more; 0: all is written. */
MUST_USE int search_merge_step(struct search_merge *m, uint64_t until_ms);
/* What came out. */
struct search_segment search_merge_result(const struct search_merge *m);
/* What it was made of. */
const struct search_segment *search_merge_sources(const struct search_merge *m, size_t *ret_n);

#endif
