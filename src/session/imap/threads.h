/*
 * session/imap/threads.h: messages as trees (RFC 5256 §3): ORDEREDSUBJECT and REFERENCES.
 *
 * Messages are added in mailbox order, then linked once, then written. It knows nothing of the
 * store; identifiers and subjects are numbers here (store/store_order.h, threads_subject).
 *
 * Nothing recurses, no tree has a cycle, and time is n log n whatever the messages refer to.
 *
 * Limits: THREADS_MESSAGES_MAX messages. Of identifiers that no message has, at most
 * THREADS_MISSING_MAX are remembered; references to others count as not there.
 */
#ifndef SESSION_IMAP_THREADS_H
#define SESSION_IMAP_THREADS_H

#include "session/imap/output.h"
#include "session/imap/thread_forest.h"

enum { THREADS_MESSAGES_MAX = 250 * 1000, THREADS_MISSING_MAX = 250 * 1000 };

struct thread_message {
	int64_t sent_at;
	uint64_t subject; /* equal for equal base subjects; 0: it is empty */
	bool is_reply;    /* a reply or forward (RFC 5256 §3) */
	/* Identifiers of 8 bytes: its own (zero: none), then its references, oldest first. */
	struct str ids;
};

struct threads;

/* Given: threads_free (nothing for NULL). Running out of memory aborts. */
struct threads *threads_new(void);
void threads_free(struct threads *t);

/* The number of a base subject: the same for the same one, in this struct. */
uint64_t threads_subject(const struct threads *t, struct str subject);

/* 0 or -E2BIG. */
MUST_USE int threads_add(struct threads *t, const struct thread_message *message);

/* Links the messages that are there, by References and subject, or by subject alone. Once. */
void threads_link_references(struct threads *t);
void threads_link_subjects(struct threads *t);

/* Appends "(2)(3 6 (4 23)(44 7 96))"; numbers[i] is that of message i. */
void threads_write(const struct threads *t, const uint32_t *numbers, struct imap_output *out);

#endif
