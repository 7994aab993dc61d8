/*
 * mail/srs.h: the sender rewriting scheme: the reverse-path under which a message is forwarded.
 *
 * A message that an alias sends on to another server leaves with a reverse-path in a domain of
 * ours, so that SPF (RFC 7208) holds there; what bounces comes back to us and goes on to whoever
 * sent it. The rewritten address says by itself where that is: nothing is stored.
 *
 *   SRS0=hash=day=domain=local@ours          of local@domain
 *   SRS1=hash=domain==hash=day=…@ours        of SRS0=hash=day=…@domain, which somebody else
 * rewrote: a bounce skips who is in between
 *
 * The hash keeps others from making such addresses, with which we would send mail to anybody; an
 * address is good for SRS_DAYS days. Case gets lost on the way with some servers, so none counts
 * but that of the first sender's local part.
 *
 * It does not decide what is forwarded. Addresses are local@domain, unquoted where the local part
 * needs no quotes. Limits: SRS_LEN_MAX bytes for the result.
 */
#ifndef MAIL_SRS_H
#define MAIL_SRS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { SRS_KEY_LEN = 32, SRS_LEN_MAX = 320, SRS_DAYS = 21 };

/* True for a local part that such an address has; whether it is a good one is srs_reverse's. */
bool srs_is_rewritten(struct str local);

/*
 * Appends the reverse-path for forwarding a message that came with `reverse_path`; nothing for the
 * null sender. `day` is today, as days since 1970. -EINVAL when it is no address, -E2BIG when the
 * result would be too long.
 */
MUST_USE int srs_forward(const uint8_t key[static SRS_KEY_LEN], uint32_t day,
    struct str reverse_path, struct str our_domain, struct buf *out);

/*
 * Appends the address to which a bounce for the local part `local` of ours goes. -ENOENT when it is
 * no rewritten address, -EPERM when the hash is not ours, -ETIME when it is too old, -EINVAL when
 * nothing useful is in it.
 */
MUST_USE int srs_reverse(
    const uint8_t key[static SRS_KEY_LEN], uint32_t day, struct str local, struct buf *out);

#endif
