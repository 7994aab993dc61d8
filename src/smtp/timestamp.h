/*
 * smtp/timestamp.h: the moments of RFC 3339 §5.6, as HOLDUNTIL has them (RFC 4865, with its erratum
 * 2040).
 *
 * Years 1970 to 9999. A leap second (:60) counts as the next second; fractions of a second are
 * dropped. It never asks for the current time.
 */
#ifndef SMTP_TIMESTAMP_H
#define SMTP_TIMESTAMP_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { SMTP_TIMESTAMP_LEN = 20 }; /* of what smtp_timestamp_format writes */

/* All of `s`, into seconds since 1970; false where that is no such moment. */
MUST_USE bool smtp_timestamp_parse(struct str s, uint64_t *ret_epoch_s);

/* Appends "2026-11-23T13:05:04Z"; false when it does not fit, or the year has five digits. */
bool smtp_timestamp_format(uint64_t epoch_s, struct buf *out);

#endif
