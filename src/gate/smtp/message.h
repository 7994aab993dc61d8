/*
 * gate/smtp/message.h: a message on its way in: a short one in a buffer, a longer one in a memory
 * file.
 *
 * Bytes are added as they come. What cannot be kept (too large, no memory to be had) sets `fault`,
 * the reply that the client will get at the end; from then on bytes are only counted.
 *
 * Memory: the first SMTP_MESSAGE_FREE bytes are every gate's own; beyond, the gatekeeper is asked
 * in steps of SMTP_MESSAGE_STEP (IPC_BUDGET), so that all gates together stay within
 * limits.message_memory.
 *
 * It does not know where the message ends and changes no byte.
 */
#ifndef GATE_SMTP_MESSAGE_H
#define GATE_SMTP_MESSAGE_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "base/buf.h"
#include "smtp/reply.h"

enum {
	SMTP_MESSAGE_FREE = 64 * 1024,
	SMTP_MESSAGE_STEP = 1024 * 1024,
	SMTP_HOPS_MAX = 100, /* RFC 5321 §6.3: large, normally at least 100 */
	SMTP_HEADER_MAX = 1024 * 1024,
	SMTP_BUDGET_MS = 10 * 1000,
};

struct smtp_message {
	int fd;          /* the memory file; -1: none (yet) */
	struct buf text; /* while there is none: all of the message */
	int gatekeeper;  /* the channel for IPC_BUDGET, borrowed */
	uint64_t len;    /* bytes received */
	uint64_t size_max;
	uint64_t budget;         /* granted beyond SMTP_MESSAGE_FREE: the total that may be held */
	struct smtp_reply fault; /* code 0: none */
};

/* An empty message; what was there before must be done. */
void smtp_message_begin(struct smtp_message *m, uint64_t size_max, int gatekeeper);

/* Adds the pieces of `v`, which it may change. */
void smtp_message_add(struct smtp_message *m, struct iovec *v, size_t n);

/*
 * The message is complete: seals it and looks at it: code 0 where it may be delivered, else why
 * not (its fault, too many hops, a header without end). `check_lines`: it came in chunks and must
 * still keep to CRLF and the length of lines.
 */
struct smtp_reply smtp_message_end(struct smtp_message *m, bool check_lines);

/* Puts a short message that is complete into a memory file after all. */
MUST_USE int smtp_message_to_file(struct smtp_message *m);

/* Drops it and gives its memory back. */
void smtp_message_done(struct smtp_message *m);

#endif
