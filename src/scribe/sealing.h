/*
 * scribe/sealing.h: the ARC set of a message that is forwarded (RFC 8617), made by its scribe.
 *
 * In this order: the chain and the names of the keys that the message's signatures need
 * (sealing_ask); the keys, as the queue brings them (sealing_take_key); validation, and the set
 * (sealing_make), whose two signatures come over the same channel.
 *
 * A key that did not come counts as one that cannot be had now: the chain fails for good (RFC 8617
 * §5.2.1), a signature of DKIM is "temperror". A chain that ended with "cv=fail", or has 50 sets,
 * is not gone on with.
 */
#ifndef SCRIBE_SEALING_H
#define SCRIBE_SEALING_H

#include "ipc/scribing.h"
#include "mail/key_names.h"

struct sealing {
	struct arena arena;
	struct arc_chain chain;
	struct key_names names;
	struct {
		bool has_come;
		uint8_t result; /* enum dns_result */
		struct str record;
	} keys[KEY_NAMES_MAX];
};

/* Reads the header as it came (borrowed until sealing_done), and asks for keys. 0 or -errno. */
MUST_USE int sealing_ask(struct sealing *s, int channel, struct str header);
/* -EPROTO: nobody asked for it. */
MUST_USE int sealing_take_key(struct sealing *s, const struct ipc_key *key);

struct sealing_message {
	struct str header, body; /* as it came */
	struct str goes;         /* the header as it goes */
	const uint8_t *body_hash;
};

/* Appends the set, the seal on top; nothing where there is none to be added. 0 or -errno. */
MUST_USE int sealing_make(struct sealing *s, int channel, const struct ipc_finish *finish,
    const struct sealing_message *message, struct buf *out);

void sealing_done(struct sealing *s);

/* Appends the header without the Authentication-Results fields that can be read as `id`'s: nobody
 * but this server says anything in its name (RFC 8601 §5). */
bool sealing_add_header(struct str header, struct str id, struct buf *out);

#endif
