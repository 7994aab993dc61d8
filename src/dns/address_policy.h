/*
 * dns/address_policy.h: which addresses mail for strangers may go to: those of the public network
 * and no others. Who can have mail sent to a domain of theirs chooses the addresses behind it, and
 * must not use this server to reach what only it can reach.
 *
 * One table, from the registries of special addresses of IPv4 and IPv6 (RFC 6890 and what came
 * after it). An IPv6 address that stands for one of IPv4 (mapped, 6to4, NAT64) is judged by that.
 */
#ifndef DNS_ADDRESS_POLICY_H
#define DNS_ADDRESS_POLICY_H

#include "base/attr.h"
#include "base/str.h"

/* NULL for a public address, else what kind it is ("a private address"); static text. `address`:
 * 4 or 16 bytes as on the wire; of another length it is "no address". */
const char *address_policy_refuses(struct str address);

/* The same of an address as text, "192.0.2.1" or "2001:db8::1". */
const char *address_policy_refuses_text(const char *address);

#endif
