/* Arguments of COMPRESS. */
#include "imap/command_args.h"

/* compress = "COMPRESS" SP algorithm, algorithm = "DEFLATE" (RFC 4978 §5) */
bool imap_parse_compress(struct imap_parser *p, struct imap_command *c)
{
	return imap_parse_space(p) && imap_parse_atom(p, &c->mechanism);
}
