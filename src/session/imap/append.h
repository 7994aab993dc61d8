/* session/imap/append.h: what APPEND and REPLACE share: messages of a command into a mailbox. */
#ifndef SESSION_IMAP_APPEND_H
#define SESSION_IMAP_APPEND_H

#include "session/imap/imap_session.h"

/* A message that goes when the new one has come (REPLACE, RFC 8508). */
struct imap_replaced {
	uint64_t mailbox;
	uint32_t uid;
};

/*
 * Puts the messages of `c` into the mailbox of its name, all or none. True: they are there, and
 * `*ret_code` is "APPENDUID …" in the arena (RFC 4315 §3), empty where the UIDs are not known yet.
 * False: `*ret_result` says why. `replaced` may be NULL.
 */
MUST_USE bool imap_append(struct imap_session *s, const struct imap_command *c,
    const struct imap_replaced *replaced, struct str *ret_code, struct imap_result *ret_result);

#endif
