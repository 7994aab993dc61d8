/* Arguments of the commands on access control lists (RFC 4314 §7). */
#include "imap/command_args.h"

/* listrights = "LISTRIGHTS" SP mailbox SP identifier, deleteacl likewise */
bool imap_parse_name_and_identifier(struct imap_parser *p, struct imap_command *c)
{
	return imap_parse_name(p, c) && imap_parse_space(p) &&
	       imap_parse_astring(p, &c->identifier);
}

/* setacl = "SETACL" SP mailbox SP identifier SP mod-rights; mod-rights = astring */
bool imap_parse_set_acl(struct imap_parser *p, struct imap_command *c)
{
	return imap_parse_name_and_identifier(p, c) && imap_parse_space(p) &&
	       imap_parse_astring(p, &c->rights);
}
