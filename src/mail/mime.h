/*
 * mail/mime.h: the MIME structure of a message (RFC 2045, 2046, 2183, 2231; RFC 6532's
 * message/global) as a tree of parts with byte offsets.
 *
 * One pass over the bytes, window by window (mail/source.h). The tree lies in the arena, its text
 * is borrowed from a message that is one window, and lies in the arena too otherwise. Any bytes
 * give a tree: what is broken is read the way most readers do, and what is beyond a limit becomes
 * an opaque leaf.
 *
 *   - A multipart without its close delimiter ends where an enclosing one's delimiter stands, or at
 *     the end. A delimiter is the whole line ("--" boundary, padding of white space).
 *   - A multipart without a boundary is a leaf (`multipart` false); one whose delimiter never comes
 *     has no children.
 *   - message/rfc822 and message/global with an identity encoding have one child, the message
 *     inside; with base64 or quoted-printable (RFC 2046 §5.2.1 forbids it) they are leaves.
 *   - The line end before a delimiter belongs to the delimiter.
 *
 * It does not decode bodies (mail/transfer.h, mail/charset.h) and does not judge.
 *
 * Limits: MIME_DEPTH_MAX, MIME_PARTS_MAX, MIME_PARAMS_MAX of one field, MIME_PARAMS_TOTAL_MAX,
 * MIME_BOUNDARY_MAX, MIME_TEXT_TOTAL_MAX; of each header what mail/header.h looks at. Time grows
 * linearly with the message whatever its boundaries are.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "mail/source.h"
#include "mail/transfer.h"

enum { MIME_DEPTH_MAX = 100, MIME_PARTS_MAX = 10000, MIME_PARAMS_MAX = 100 };
/* RFC 2046 §5.1.1 has 70; a multipart with a longer one than this has none that could delimit. */
enum { MIME_BOUNDARY_MAX = 1000 };
/* Parameters of all parts together; later ones are not seen. */
enum { MIME_PARAMS_TOTAL_MAX = 30 * 1000 };
/* The values of all parts' fields together; a part whose fields go beyond that has none of them. */
enum { MIME_TEXT_TOTAL_MAX = 2 * 1024 * 1024 };
/* An arena with this ceiling holds the tree of every message. */
enum { MIME_ARENA_MAX = 12 * 1024 * 1024 };

struct mime_param {
	struct str name;  /* as written: "filename", "filename*0*" */
	struct str value; /* unquoted, otherwise as written */
};

struct mime_params {
	const struct mime_param *list;
	size_t n;
};

struct mime_part {
	struct mime_part *parent, *first_child, *next;
	unsigned number;     /* among its siblings, from 1; 1 for a message's outermost part */
	unsigned n_children; /* a message/rfc822 that was looked into has 1 */
	bool multipart;      /* was looked into as multipart */
	bool message;        /* was looked into as message/rfc822 or message/global */

	size_t header_at, header_len; /* in the whole message; with the empty line */
	size_t body_at, body_len;
	size_t n_lines; /* lines of the body; a last one without line end counts */

	bool has_type;            /* a Content-Type that parses stands there */
	struct str type, subtype; /* as written; "text" "plain" (in a digest "message" "rfc822") by
	                             default */
	struct mime_params type_params;
	enum transfer_encoding encoding;
	struct str encoding_name; /* as written, "7bit" by default */
	struct str disposition;   /* as written, "attachment"; empty where there is none */
	struct mime_params disposition_params;
	/* Raw values, trimmed, still folded; empty where the field is missing. */
	struct str content_id, description, language, location, md5;
};

/*
 * Parses a whole message into a tree. 0; -E2BIG at the arena's ceiling; what reading it says.
 * The offsets count from its beginning.
 */
MUST_USE int mime_read(struct mail_source *message, struct arena *a, struct mime_part **ret_root);
/* The same of one in memory. */
MUST_USE int mime_parse(struct str message, struct arena *a, struct mime_part **ret_root);

/* Header and body of a part, of a message in memory. */
static inline struct str mime_header(struct str message, const struct mime_part *part)
{
	return str_first(str_from(message, part->header_at), part->header_len);
}

static inline struct str mime_body(struct str message, const struct mime_part *part)
{
	return str_first(str_from(message, part->body_at), part->body_len);
}

/* Type and subtype in any case; an empty `subtype` matches every one. */
bool mime_is(const struct mime_part *part, struct str type, struct str subtype);

/* True for the outermost part of the message or of a message within it. */
bool mime_is_message_root(const struct mime_part *part);

/*
 * The part that an IMAP section number names (RFC 9051 §6.4.5: in "4.2" `numbers` are 4, 2), NULL
 * where there is none. With no numbers: the root. For "4.HEADER" and "4.TEXT" take the result's
 * `first_child` (it must be `message`); for "4.MIME" its header; for "4" its body.
 */
const struct mime_part *mime_find(
    const struct mime_part *root, const uint32_t *numbers, size_t n_numbers);

/* The next part in the order of the bytes, NULL after the last: children before siblings. */
const struct mime_part *mime_next(const struct mime_part *part);

/*
 * Parses a Content-Type or Content-Disposition value's parameters from behind the first ';'.
 * At most `n_max` of them (and MIME_PARAMS_MAX); nonsense is stepped over. -E2BIG at the arena's
 * ceiling.
 */
MUST_USE int mime_params_parse(
    struct str text, struct arena *a, size_t n_max, struct mime_params *ret_params);

/* Steps over white space, folds and comments (RFC 5322 §3.2.2), which may stand between tokens. */
void mime_skip_cfws(struct str *rest);

/* The raw value of the parameter called exactly `name` (any case); false where there is none. */
bool mime_param_raw(const struct mime_params *params, struct str name, struct str *ret_value);

/*
 * Appends a parameter's value as UTF-8: RFC 2231 continuations joined and charsets decoded, and
 * encoded words decoded too (against RFC 2047 §5, but common). False where there is no such
 * parameter, or it does not fit (then `buf_failed`).
 */
bool mime_param(const struct mime_params *params, struct str name, struct buf *out);

/*
 * The file name, from Content-Disposition or else Content-Type's `name`. As the sender wrote it: it
 * may hold slashes and controls. The same errors.
 */
bool mime_filename(const struct mime_part *part, struct buf *out);

/* Appends the decoded bytes of a leaf (transfer encoding only); false when they do not fit. */
bool mime_decode(struct str message, const struct mime_part *part, struct buf *out);

#endif
