/*
 * mail/mime_scan.h: the lines of a message and the multipart delimiters among them; a part of
 * mail/mime.c, of no use elsewhere.
 *
 * RFC 2046 §5.1.1:
 *   delimiter          = CRLF "--" boundary       close-delimiter = delimiter "--"
 *   encapsulation      = delimiter transport-padding CRLF body-part
 * A delimiter is a whole line: a boundary that begins with another one is not mistaken for it. The
 * innermost multipart whose boundary stands there has it; so parts that were never closed end.
 *
 * Lines are looked at where they lie; of one that lies in two windows only the start is put
 * together, which is all that a delimiter can have.
 */
#ifndef MAIL_MIME_SCAN_H
#define MAIL_MIME_SCAN_H

#include "base/str.h"
#include "mail/mime.h"

enum {
	SCAN_NO_LEVEL = -1,
	MIME_SCAN_BUCKETS = 256,
	/* "--" boundary "--" and one byte that is no padding */
	MIME_SCAN_START_MAX = MIME_BOUNDARY_MAX + 5,
};

/* A line. */
struct mime_line {
	struct str start; /* all of it, or as much as a delimiter could have; padding behind may be
	                     missing */
	size_t len;       /* of the whole line with its line end */
	size_t end_len;   /* of its line end: 2, 1, or 0 at the end of the message */
	bool gathered;    /* it lies in more than one window */
};

struct mime_scan {
	struct mail_source *source;
	size_t at;                 /* start of the next line */
	size_t n_lines;            /* line ends before `at` */
	struct mime_line last;     /* the one before `at`; its start means nothing */
	struct mime_line gathered; /* the last that was, so that nobody need go back for it … */
	size_t gathered_at;        /* … and where it stands */
	char start[MIME_SCAN_START_MAX];
	struct buf *header; /* unless NULL: a header's lines are put together here */
	int error;          /* reading failed: this is as good as the end */

	/*
	 * Of the multiparts that are open. A line is looked up by its hash: `buckets` has the
	 * number (from 1) of the innermost boundary in it, `next` that of the next one out.
	 */
	struct str boundaries[MIME_DEPTH_MAX];
	uint64_t hashes[MIME_DEPTH_MAX];
	unsigned char buckets[MIME_SCAN_BUCKETS], next[MIME_DEPTH_MAX];
	size_t n_boundaries;
	size_t longest; /* no boundary so far was longer */

	/* The delimiter that stands at `at`: whose it is (SCAN_NO_LEVEL at the end of it all). */
	int level;
	bool closes;
};

/* Opens and closes multiparts, the innermost last. At most MIME_DEPTH_MAX are open. */
void mime_scan_open(struct mime_scan *scan, struct str boundary);
void mime_scan_close(struct mime_scan *scan);

/* Goes on to the next delimiter of an open multipart, or the end. */
void mime_scan_to_delimiter(struct mime_scan *scan);

/* Passes the lines of a header with its empty line; false when a delimiter or the end came first.
 */
bool mime_scan_header(struct mime_scan *scan);

/* Steps over the delimiter's line. */
void mime_scan_pass_line(struct mime_scan *scan);

#endif
