/*
 * dns/name.h: names of hosts and domains, as text and as DNS has them on the wire.
 *
 *   wire:  *( length octets ) 0          (RFC 1035 §3.1), here always without compression
 *   text:  label *( "." label ), without the last dot; "" is the root
 *
 * A label of text is letters, digits, "-" and "_": what a mail server meets as a host, and the
 * labels in front of TLSA and policy records. A wire name with other bytes in it is no such name,
 * and is refused. A domain with other characters is asked for by its A-labels, which the caller
 * makes. Text comes out in lower case, so that two names are the same when their texts are.
 *
 * Limits: DNS_LABEL_MAX, DNS_WIRE_NAME_MAX (RFC 1035 §2.3.4).
 */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

enum { DNS_LABEL_MAX = 63, DNS_WIRE_NAME_MAX = 255, DNS_TEXT_NAME_MAX = 253 };

struct dns_name {
	char text[DNS_TEXT_NAME_MAX + 1]; /* terminated */
};

/* From text, with or without the last dot; "." is the root, "" is no name. False when it is none.
 */
MUST_USE bool dns_name_parse(struct str text, struct dns_name *ret_name);

/* Cuts a wire name off the front of `*rest`. False, and `*rest` untouched, when none stands there.
 */
MUST_USE bool dns_name_cut(struct str *rest, struct dns_name *ret_name);

/* Appends the wire form of a name that one of the above made. */
bool dns_name_add(const struct dns_name *name, struct buf *out);

#endif
