/*
 * pop3/command.h: one line of a POP3 client, read into a command (RFC 1939 §9, RFC 2449 §3).
 *
 * Pure: the gate asks it before sign-in, the session after. It does not know which command is
 * allowed when, and not whether a message of that number exists.
 *
 * Lines end with CRLF; LF alone is taken too, because some devices send it. A NUL, or a CR within
 * the line, is refused.
 *
 * Limits: POP3_LINE_MAX (RFC 2449 §4: at least 255 octets; a session) and POP3_SIGN_IN_LINE_MAX
 * (before sign-in, for passwords and SASL), CRLF included. Numbers beyond 32 bits are refused.
 */
#ifndef POP3_COMMAND_H
#define POP3_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum {
	POP3_LINE_MAX = 512,
	POP3_SIGN_IN_LINE_MAX = 5 * 1024,
};

enum pop3_command_id {
	POP3_CAPA,
	POP3_STLS,
	POP3_USER,
	POP3_PASS,
	POP3_AUTH,
	POP3_QUIT,
	POP3_NOOP,
	POP3_STAT,
	POP3_LIST,
	POP3_UIDL,
	POP3_RETR,
	POP3_TOP,
	POP3_DELE,
	POP3_RSET,
	N_POP3_COMMANDS
};

/* All slices borrow from the line. */
struct pop3_command {
	enum pop3_command_id id;
	struct str argument;  /* USER, PASS: all behind the one space; may hold spaces */
	bool has_message;     /* LIST, UIDL */
	uint32_t message;     /* LIST, UIDL, RETR, TOP, DELE: from 1 */
	uint32_t lines;       /* TOP */
	struct str mechanism; /* AUTH; empty: asks which there are */
	bool has_initial;
	struct str initial; /* AUTH: base64; "=" stands for the empty response (RFC 5034 §4) */
};

/* Cuts the first line off `*pending` (without its end). */
enum pop3_line { POP3_LINE_MORE, POP3_LINE_WHOLE, POP3_LINE_TOO_LONG };
MUST_USE enum pop3_line pop3_line_cut(struct str *pending, size_t max, struct str *ret_line);

/* False when it is none: then `*ret_error` (static) says what is wrong. */
MUST_USE bool pop3_command_parse(
    struct str line, struct pop3_command *ret_command, const char **ret_error);

#endif
