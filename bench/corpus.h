/*
 * bench/corpus.h: the mail of the benchmark, the same with every run and every server.
 *
 * Message `number` (from 0) depends on nothing but its number and the size wanted: subjects,
 * addresses, dates and texts vary, two of five are replies to a message before them, and of twenty
 * twelve are plain text, two quoted-printable, four have an HTML alternative and two an attachment.
 * Words come from a made-up language with a few common and many rare ones; the words that searches
 * ask for are in no other message than those that corpus_has names.
 */
#ifndef BENCH_CORPUS_H
#define BENCH_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

enum { CORPUS_ROOM = 8192, CORPUS_DATE_LEN = 40 }; /* beyond the size wanted */

enum corpus_mark {
	CORPUS_SUBJECT,   /* a word of about one subject in 100 */
	CORPUS_COMMON,    /* a word of the body of one message in 5 */
	CORPUS_RARE,      /* a word of the body of one message in 5,000 */
	CORPUS_SUBSTRING, /* the inside of a word of the body of one message in 5,000 */
	CORPUS_MARKS,
};

/* The text to search for. */
const char *corpus_mark_text(enum corpus_mark mark);
bool corpus_has(enum corpus_mark mark, unsigned number);
/* Seven of ten messages are read. */
bool corpus_is_seen(unsigned number);
/* The flags for APPEND, in parentheses. */
const char *corpus_flags(unsigned number);
/* Writes `number`'s time of arrival as APPEND takes it (RFC 9051 §9, date-time), in quotes. */
void corpus_internal_date(unsigned number, char *to, size_t room);

/* Writes message `number` of about `size` bytes to `to`, which has room for `size` and CORPUS_ROOM.
 * No line starts with a dot. Returns its length. */
size_t corpus_message(unsigned number, size_t size, char *to);

#endif
