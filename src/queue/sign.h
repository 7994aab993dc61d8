/*
 * queue/sign.h: signs what this server itself wrote, notices and reports, when it leaves the house:
 * for other servers to see that it is no forgery (RFC 8460 §3 asks for that, DMARC looks for it).
 *
 * It takes the way of a submission: a scribe, which has only this message, makes the fields and the
 * hashes of the signatures (a notice quotes a message of strangers), and the keyholder signs. The
 * domain is that of the message's author, which the queue itself chose (`user`); where directory
 * has no keys for it the message goes unsigned, and so it does where a scribe refuses the message
 * or dies over it: a notice without a signature is better than none. It is signed anew at each
 * attempt, and never for recipients of this server.
 */
#ifndef QUEUE_SIGN_H
#define QUEUE_SIGN_H

#include "queue/state.h"

enum { SIGN_TIMEOUT_MS = 60000 }; /* of a scribe */

struct signing;

/* 0 and the signed message as a sealed memory file (given), or -1 where it goes as it is; or
 * -errno: a partner is missing, later. */
typedef void (*sign_done)(void *ctx, int error, int message);

/* `message`: sealed, borrowed until `done`, which is called once, not within this function. NULL
 * where it cannot begin: a partner is missing. */
struct signing *sign_begin(
    struct queue *q, const struct queued_message *m, int message, sign_done done, void *ctx);
/* Without `done`. */
void sign_free(struct signing *s);

/* Appends a field that ends in "b=" with its signature behind it, folded (RFC 6376 §3.2), and CRLF.
 */
MUST_USE bool sign_add_field(struct buf *out, struct str field, struct str signature);

#endif
