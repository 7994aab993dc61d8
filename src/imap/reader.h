/*
 * imap/reader.h: cuts the bytes of a connection into whole commands: lines and their literals
 * (RFC 9051 §4.3, RFC 7888).
 *
 *   command = line of text, where each `{n}` at its end is followed by n bytes and another line
 *
 * It looks for line ends and literal announcements only; what the text means is imap/command.h's.
 * The driver reads from its connection, feeds, and does what the result says. A literal lies in
 * memory of its own and exactly once, so that a large message is not copied.
 *
 * A command over a limit is refused as a whole: a synchronising literal is not asked for, a
 * non-synchronising one is read and thrown away up to IMAP_DISCARD_MAX.
 *
 * Lines end with CRLF or LF. NUL and bare CR are left to the parser, which refuses them.
 */
#ifndef IMAP_READER_H
#define IMAP_READER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum {
	IMAP_TAG_LEN_MAX = 200,
	IMAP_LITERALS_MAX = 1000,            /* in one command */
	IMAP_DISCARD_MAX = 64 * 1024 * 1024, /* of refused literals that come unasked */
	IMAP_TEXT_LEN_MAX = 64 * 1024,       /* usual limits, after sign-in */
	IMAP_LITERAL_LEN_MAX = 64 * 1024,
	IMAP_TEXT_LEN_BEFORE_LOGIN_MAX = 40 * 1024, /* holds every ID of RFC 2971 §3.3 */
	IMAP_LITERAL_LEN_BEFORE_LOGIN_MAX = 4 * 1024,
};

struct imap_limits {
	size_t text_len;     /* of a command without its literals */
	size_t literal_len;  /* of all literals of a command together */
	size_t message_len;  /* of one literal of APPEND or REPLACE; 0: as other commands */
	size_t messages_len; /* of all literals of one of these together */
};

/*
 * Where long literals of APPEND and REPLACE go instead of memory, in the order of their
 * announcements.
 */
struct imap_spooler {
	size_t from;     /* literals from this length on … */
	size_t here_max; /* … and those with which a command would have more than this in memory */
	void (*begin)(void *context);                 /* another literal comes */
	void (*add)(void *context, struct str piece); /* of the one that began last */
	void (*forget)(void *context);                /* all of them: the command is done with */
	void *context;
};

/* What came of feeding. */
enum imap_read {
	IMAP_READ_MORE,     /* all input was used; the command is not complete */
	IMAP_READ_CONTINUE, /* the client waits for "+ " before it sends a literal */
	IMAP_READ_COMMAND,  /* complete: see imap_reader_text */
	IMAP_READ_REFUSED, /* over a limit: answer imap_reader_tag with BAD (`too_big`: NO [TOOBIG])
	                    */
	IMAP_READ_FATAL, /* refused, and its literal is too long to be thrown away: BYE and close */
};

/* A whole command: `literals` follow each other in the order of their announcements in `text`. */
struct imap_text {
	struct str
	    text; /* announcements stay in it, each followed by CRLF; no line end at its end */
	const struct str *literals; /* of a spooled one only the length: `p` is NULL */
	size_t n_literals;
};

struct imap_reader;

/* The limits are copied. */
struct imap_reader *imap_reader_new(const struct imap_limits *limits);
void imap_reader_free(struct imap_reader *r);
/* From the next command on; copied, its context is borrowed. */
void imap_reader_spool(struct imap_reader *r, const struct imap_spooler *spooler);

/* Uses bytes from the front of `*rest` up to the end of a command. */
MUST_USE enum imap_read imap_reader_feed(struct imap_reader *r, struct str *rest);

/*
 * Within a literal: where the next bytes of it can be read to directly, and how many (0 outside
 * of a literal). The driver tells with imap_reader_filled what it put there; the literal's end is
 * seen by the next feed.
 */
char *imap_reader_room(struct imap_reader *r, size_t *ret_len);
void imap_reader_filled(struct imap_reader *r, size_t len);

/* True between commands: nothing of the next one was fed yet. */
bool imap_reader_idle(const struct imap_reader *r);

/* The complete command, borrowed until imap_reader_reset. */
struct imap_text imap_reader_text(const struct imap_reader *r);

/* The tag of the command (complete or refused), "*" where there is none. Borrowed likewise. */
struct str imap_reader_tag(const struct imap_reader *r);
/* Of a refused command: which limit (for the answer's text), and whether a message was too big. */
const char *imap_reader_refusal(const struct imap_reader *r);
bool imap_reader_too_big(const struct imap_reader *r);

/* Forgets the command and frees its literals, to be called before the next feed. */
void imap_reader_reset(struct imap_reader *r);

#endif
