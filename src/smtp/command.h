/*
 * smtp/command.h: one line of an SMTP client, cut into verb and argument, and how long it may be.
 *
 * A line is complete and without its CRLF. Nothing here knows what a command does, or when it may
 * come: that is the dialogue's table.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "base/attr.h"
#include "base/str.h"

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_STARTTLS,
	SMTP_AUTH,
	N_SMTP_VERBS
};

/*
 * RFC 5321 §4.5.3.1.4: 512 bytes with CRLF, and what the extensions add to MAIL (SIZE 26, BODY 17,
 * SMTPUTF8 10, RET and ENVID 116, AUTH 500, BY 17, HOLDFOR or HOLDUNTIL 34, REQUIRETLS 11, and the
 * longer local part of smtp/path.h) and to RCPT (NOTIFY and ORCPT 536, and the same); RFC 4954 §4
 * for the lines of AUTH. No line of any command is longer than SMTP_LINE_MAX.
 */
enum {
	SMTP_COMMAND_LINE_MAX = 512,
	SMTP_MAIL_LINE_MAX = 1600,
	SMTP_RCPT_LINE_MAX = 1280,
	SMTP_AUTH_LINE_MAX = 12288,
	SMTP_LINE_MAX = SMTP_AUTH_LINE_MAX,
};

struct smtp_command {
	enum smtp_verb verb;
	struct str keyword;  /* as it stands there */
	struct str argument; /* without the space before it and those at the end; "" for none */
};

/* Always gives a command; what is no verb of ours is SMTP_UNKNOWN. Borrowed from `line`. */
struct smtp_command smtp_command_parse(struct str line);

/* How long a line with this verb may be, CRLF included. */
size_t smtp_command_line_max(enum smtp_verb verb);

/*
 * Only what a line may hold: no control character but tabs, and bytes above 127 only as UTF-8
 * (RFC 5321 §4.1.1, RFC 6531 §3.1).
 */
MUST_USE bool smtp_line_is_clean(struct str line);

/* "MAIL FROM:" and "RCPT TO:" in front of the path; a space after the colon is let pass. */
MUST_USE bool smtp_skip_from(struct str *argument);
MUST_USE bool smtp_skip_to(struct str *argument);

/*
 * The argument of BDAT (RFC 3030 §2):
 *
 *   bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CR LF
 *   chunk-size = 1*DIGIT
 *   end-marker = "LAST"
 */
MUST_USE bool smtp_bdat_parse(struct str argument, uint64_t *ret_size, bool *ret_last);

#endif
