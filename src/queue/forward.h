/*
 * queue/forward.h: what mail that is forwarded needs beside its scribe: keys out of the DNS for the
 * validation of its signatures, and two signatures of its ARC set (RFC 8617).
 *
 * A scribe has a stranger's message and may be in that stranger's hands. It names what it wants
 * looked up, and may name nothing but keys (mail/key_names.h); it has a text signed, and that may
 * be nothing but the text of an ARC field (mail/arc_seal.h): it gets no signature of DKIM.
 *
 * Limits: FORWARD_SCRIBES_MAX scribes for such mail at once, so that strangers leave some to our
 * users: others wait for one. FORWARD_QUESTIONS_MAX questions of a message at once, and
 * FORWARD_KEYS_MS for all of them: what did not come by then counts as not to be had now.
 */
#ifndef QUEUE_FORWARD_H
#define QUEUE_FORWARD_H

#include "queue/submit_private.h"

enum {
	FORWARD_SCRIBES_MAX = 32,
	FORWARD_QUESTIONS_MAX = 8,
	FORWARD_KEYS_MS = 10000,
	FORWARD_RECORDS_MAX = 4, /* of one name that are handed on */
};

/* May a scribe be asked for? False: it waits, and submit_start_scribe is called when one may. */
bool forward_may_start(struct submitter *s);
/* Its scribe is not needed any more. */
void forward_release(struct submitter *s);

/* IPC_KEYS_WANTED and IPC_SEAL, of a scribe: 0, or -EPROTO. */
int forward_on_keys_wanted(struct loop_entry *from, void *msg, void *ctx);
int forward_on_seal(struct loop_entry *from, void *msg, void *ctx);

/* Does a scribe that says IPC_FINISHED break the rules? */
bool forward_is_sealing(const struct submitter *s);

/* Gives up keys that take too long; once a second. */
void forward_check(struct submitter *s);

#endif
