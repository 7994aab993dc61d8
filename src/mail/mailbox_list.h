/*
 * mail/mailbox_list.h: whether an address field is written as RFC 5322 says, and nothing else.
 *
 * address.h reads what it is given, as a reader of mail must. Two such readers can differ in what
 * they make of a field that follows no grammar: `<a@x> <b@y>`, `b@y <a@x>`, `a@x b@y`. Where it is
 * decided in whose name a message goes out, a field is not read but refused when it leaves a
 * choice.
 */
#ifndef MAIL_MAILBOX_LIST_H
#define MAIL_MAILBOX_LIST_H

#include "base/attr.h"
#include "base/str.h"

/* True for the value of From (RFC 5322 §3.6.2, with the groups of RFC 6854) or Sender, folds and
 * all. Obsolete are taken: empty elements and a dot in a name; refused: routes, and comments or
 * white space within an address. */
MUST_USE bool mailbox_list_is_strict(struct str value);

#endif
