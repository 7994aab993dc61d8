/*
 * session/imap/effort.h: the time that one command may take, and telling the client how far it is
 * (RFC 9585).
 *
 * A command that goes through many messages says so, message by message. When it has used more CPU
 * than EFFORT_CPU_MS, and EFFORT_BYTES_PER_MS bytes of answers have not earned it more, it is told
 * to end: `NO [LIMIT]`. While it goes on for long, the client gets an untagged INPROGRESS every
 * EFFORT_TELL_MS: call it only between responses.
 */
#ifndef SESSION_IMAP_EFFORT_H
#define SESSION_IMAP_EFFORT_H

#include "base/attr.h"
#include "base/str.h"

struct imap_session;

enum {
	EFFORT_CPU_MS = 60 * 1000,
	EFFORT_BYTES_PER_MS = 10 * 1024, /* answers of 10 MB/s are worth their time */
	EFFORT_TELL_MS = 10 * 1000,
	EFFORT_ENTRY = 1, /* costs: a look at flags and numbers */
	EFFORT_ROW = 8,
	EFFORT_MESSAGE = 256,       /* its bytes are opened */
	EFFORT_LOOK = 4096,         /* after so much the clock is looked at */
	EFFORT_PAUSE_MS = 3,        /* longer than those who wait for the database look away */
	EFFORT_PAUSE_EVERY_MS = 50, /* they wait no longer than this and one transaction */
};

struct imap_effort {
	struct str tag; /* of the command under way, borrowed; it may be gone after that */
	uint64_t cpu_from_ms, bytes_from;
	uint64_t tell_at_ms; /* by clock_ms */
	uint64_t pause_at_ms;
	uint64_t done, goal; /* steps; goal 0: not known */
	unsigned since_look;
};

/* A command begins; without a tag: something that no command asked for, of which nobody is told. */
void imap_effort_begin(struct imap_session *s, struct str tag);

/* It will take so many steps (calls of imap_effort_step). */
void imap_effort_goal(struct imap_session *s, uint64_t steps);

/* One step is done. 0, or -ETIME: the command is to end. */
MUST_USE int imap_effort_step(struct imap_session *s, unsigned cost);

/* Between two transactions of a command: others get at the database, when they had to wait for long
 * enough to be noticed. 0 or -ETIME. */
MUST_USE int imap_effort_pause(struct imap_session *s);

/* The same within a step. */
MUST_USE int imap_effort_spend(struct imap_session *s, unsigned cost);

#endif
