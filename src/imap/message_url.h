/*
 * imap/message_url.h: URLs of messages and their parts, relative to the signed-in connection
 * (RFC 5092 §7, as CATENATE uses them: RFC 4469 §3).
 *
 *   /mailbox[;UIDVALIDITY=n]/;UID=n[/;SECTION=s][/;PARTIAL=o[.l]]
 *   ;UID=n[/;SECTION=s][/;PARTIAL=o[.l]]                             in the selected mailbox
 *
 * It does not know schemes, servers, users, nor URLs that carry an authorisation (RFC 4467): such
 * are no URL here.
 *
 * Limits: MESSAGE_URL_LEN_MAX bytes.
 */
#ifndef IMAP_MESSAGE_URL_H
#define IMAP_MESSAGE_URL_H

#include "base/arena.h"
#include "imap/fetch_item.h"

enum { MESSAGE_URL_LEN_MAX = 4096 };

struct message_url {
	bool has_mailbox;   /* false: the selected one */
	struct str mailbox; /* UTF-8 */
	bool has_uidvalidity;
	uint32_t uidvalidity;
	uint32_t uid;
	struct imap_fetch_item item; /* BODY.PEEK[section]<partial> */
};

/* False: it is none. Results are in the arena. */
MUST_USE bool message_url_parse(struct str text, struct arena *a, struct message_url *ret_url);

#endif
