/*
 * mail/base_subject.h: the subject without "Re:", "Fwd:", "[list]", "(fwd)" (RFC 5256 §2.1): what
 * SORT and THREAD compare.
 *
 * The algorithm is the document's, to the letter, so that a client that sorts by itself comes to
 * the same order. It does not know the reply marks of other languages ("AW:", "SV:").
 *
 * Time is linear in the subject's length.
 */
#ifndef MAIL_BASE_SUBJECT_H
#define MAIL_BASE_SUBJECT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

/*
 * The base subject of a decoded subject (mail/encoded_word.h): a part of what is appended to
 * `space`, whose ceiling cuts it; borrowed until that changes. `*ret_is_reply` says whether it is a
 * reply or forward (RFC 5256 §3): a mark other than a "[blob]" was removed.
 */
struct str base_subject(struct str decoded, struct buf *space, bool *ret_is_reply);

#endif
