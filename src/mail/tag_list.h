/*
 * mail/tag_list.h: lists of tags as DKIM writes them (RFC 6376 §3.2); ARC and the key records in
 * the DNS do the same.
 *
 *   tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
 *   tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
 *   tag-name = ALPHA *ALNUMPUNC     tag-value = [ tval *( 1*(WSP / FWS) tval ) ]
 *   tval     = 1*VALCHAR            ; 0x21 to 0x3a, 0x3c to 0x7e
 *
 * Beyond the grammar UTF-8 is taken in values (RFC 8616 §5). What the values mean is the caller's.
 *
 * Limits: TAG_LIST_MAX tags, TAG_COMMENT_DEPTH_MAX comments in each other.
 */
#ifndef MAIL_TAG_LIST_H
#define MAIL_TAG_LIST_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum { TAG_LIST_MAX = 32, TAG_COMMENT_DEPTH_MAX = 8 };

struct tag {
	struct str name;
	struct str value; /* without white space at its ends; folds within are left */
};

struct tag_list {
	struct tag v[TAG_LIST_MAX];
	size_t n;
};

/* Borrows from `text`. False for what is no such list, for a tag that is there twice, and for too
 * many. */
MUST_USE bool tag_list_parse(struct str text, struct tag_list *ret_list);

/* The value of a tag; names differ by case. False, and an empty value, where it is not there. */
bool tag_list_find(const struct tag_list *list, struct str name, struct str *ret_value);

/* Appends `value` without any white space, as the values of lists and of base64 are read. */
bool tag_list_squeeze(struct str value, struct buf *out);

/*
 * True when `word` stands in a value that is a list with colons between (`h=`, `t=`, `s=`), in any
 * case.
 */
bool tag_list_has_word(struct str value, struct str word);

/*
 * Skips folding white space and comments (CFWS, RFC 5322 §3.2.2), which ARC and
 * Authentication-Results have between their words. False: a comment that does not end, or more than
 * TAG_COMMENT_DEPTH_MAX in each other.
 */
MUST_USE bool tag_list_skip_comments(struct str *rest);

#endif
