/* Arguments of GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §7). */
#include "imap/command_args.h"

/* setquota-resource = resource-name SP resource-limit */
static bool parse_resource(struct imap_parser *p)
{
	struct str name;
	uint64_t limit;

	return imap_parse_atom(p, &name) && imap_parse_space(p) &&
	       imap_parse_number(p, 0, INT64_MAX, &limit);
}

/*
 * setquota = "SETQUOTA" SP quota-root-name SP setquota-list
 * setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"
 *
 * The limits are checked and not kept: nobody can set them here.
 */
bool imap_parse_setquota(struct imap_parser *p, struct imap_command *c)
{
	if (!imap_parse_name(p, c) || !imap_parse_space(p) || !imap_parse_char(p, '('))
		return false;
	if (imap_skip(p, ')'))
		return true;
	for (size_t i = 0; i < IMAP_QUOTA_RESOURCES_MAX; i++) {
		if (!parse_resource(p))
			return false;
		if (!imap_skip(p, ' '))
			return imap_parse_char(p, ')');
	}
	return imap_fail(p, "fewer resources");
}
