/*
 * mail/key_names.h: the names of the DNS records that the signatures of one message need.
 *
 * A process that has a message cannot ask the DNS; it names the records, and is given them. So this
 * says which names there may be: what stands in a message was written by a stranger, and must not
 * lead to any other record than a key.
 *
 *   name  = label *("." label) "._domainkey." label 1*("." label)
 *   label = 1*63( ALPHA / DIGIT / "-" / "_" ) ; a name of at most 253 bytes, in lower case
 *
 * A signature whose key has another name has no key here.
 *
 * Limit: KEY_NAMES_MAX names, each once.
 */
#ifndef MAIL_KEY_NAMES_H
#define MAIL_KEY_NAMES_H

#include "mail/arc.h"

enum { KEY_NAMES_MAX = 64, KEY_NAME_LEN_MAX = 253 };

struct key_names {
	struct str v[KEY_NAMES_MAX];
	size_t n;
};

/* Is this the name of a key, as above? */
bool key_name_is_valid(struct str name);

/*
 * Names what the message needs, in the arena: for its chain first, since a chain of which one key
 * is missing is broken for good, then for its DKIM signatures.
 */
void key_names_collect(
    struct str header, const struct arc_chain *chain, struct arena *a, struct key_names *ret_names);

/* The place of a name, in any case; `names->n` where it is not there. */
size_t key_names_find(const struct key_names *names, struct str name);

#endif
