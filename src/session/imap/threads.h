/*
 * session/imap/threads.h: messages as trees (RFC 5256 §3): ORDEREDSUBJECT and REFERENCES.
 *
 * The identifiers of all messages are added in mailbox order, then everything else that is known of
 * them in the same order (two goes, so that what only one of them needs is not there in the other),
 * then they are linked once, then written. It knows nothing of the store; identifiers and subjects
 * are numbers here (store/store_order.h, threads_subject).
 *
 * Nothing recurses, no tree has a cycle, and time is n log n whatever the messages refer to.
 *
 * Limits: THREADS_MESSAGES_MAX messages, and THREADS_NODES_MAX of messages and identifiers that no
 * message has; references to more of those count as not there. A message takes at most 50 bytes,
 * such an identifier 36: 13 MB in all.
 */
#ifndef SESSION_IMAP_THREADS_H
#define SESSION_IMAP_THREADS_H

#include "session/imap/output.h"
#include "session/imap/thread_forest.h"

enum { THREADS_MESSAGES_MAX = 250 * 1000, THREADS_NODES_MAX = 320 * 1000 };

struct thread_message {
	int64_t sent_at;
	uint64_t subject; /* equal for equal base subjects; 0: it is empty */
	bool is_reply;    /* a reply or forward (RFC 5256 §3) */
};

struct threads;

/* For `n` messages. Given: threads_free (nothing for NULL). Running out of memory aborts. */
struct threads *threads_new(size_t n);
void threads_free(struct threads *t);

/* The number of a base subject: the same for the same one, in this struct. */
uint64_t threads_subject(const struct threads *t, struct str subject);

/*
 * The next message's identifiers of 8 bytes: its own (zero or nothing: it has none), then its
 * references, oldest first. 0, or -E2BIG: one more than THREADS_MESSAGES_MAX.
 */
MUST_USE int threads_add(struct threads *t, struct str ids);
/* What else there is of the next message, once the identifiers of all were added. */
void threads_describe(struct threads *t, const struct thread_message *message);

/* Links the messages that are there, by References and subject, or by subject alone. Once. */
void threads_link_references(struct threads *t);
void threads_link_subjects(struct threads *t);

/* Appends "(2)(3 6 (4 23)(44 7 96))"; numbers[i] is that of message i. */
void threads_write(const struct threads *t, const uint32_t *numbers, struct imap_output *out);

#endif
