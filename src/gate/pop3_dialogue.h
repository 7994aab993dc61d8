/*
 * gate/pop3_dialogue.h: POP3 before sign-in (RFC 1939 §4): the state of a gate's dialogue.
 *
 * The gate knows CAPA, STLS, USER, PASS, AUTH and QUIT, asks the directory about a credential, and
 * from then on only carries bytes. No credential is taken in the clear.
 *
 * As RFC 1939 §3 says, it goes silently when nobody signed in in time.
 */
#ifndef GATE_POP3_DIALOGUE_H
#define GATE_POP3_DIALOGUE_H

#include "gate/gate.h"
#include "gate/sign_in.h"
#include "pop3/capability.h"
#include "pop3/command.h"

enum {
	POP3_GATE_ERRORS_MAX = 20,    /* lines that are no command here, then the end */
	POP3_GATE_COMMANDS_MAX = 200, /* without a sign-in, then the end */
};

struct pop3_dialogue {
	struct gate *g;
	struct gate_tries tries;
	char user[IPC_ADDRESS_MAX]; /* of USER, for PASS */
	size_t user_len;            /* 0: none */
	unsigned n_errors, n_commands;
	bool ending;
	int broken; /* the connection's error: it can say no more */
	int stream; /* signed in: the session's end, until it is given to the pump; else -1 */
};

/* Appends "-ERR text". */
void pop3_gate_error(struct pop3_dialogue *d, const char *text);

/*
 * The next line, consumed, borrowed until the next one is read: 0, or the connection's error.
 * -EMSGSIZE: it is too long, which was answered, and the dialogue is ending.
 */
MUST_USE int pop3_gate_read(struct pop3_dialogue *d, struct str *ret_line);

/* pop3_sign_in.c: with their answers. */
void pop3_gate_user(struct pop3_dialogue *d, const struct pop3_command *c);
void pop3_gate_pass(struct pop3_dialogue *d, const struct pop3_command *c);
void pop3_gate_auth(struct pop3_dialogue *d, const struct pop3_command *c);

#endif
