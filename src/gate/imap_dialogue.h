/*
 * gate/imap_dialogue.h: IMAP before sign-in: the state of a gate's dialogue.
 *
 * The gate knows the few commands that are allowed here, asks the directory about a credential, and
 * from then on only carries bytes: it never speaks IMAP for somebody who is signed in.
 */
#ifndef GATE_IMAP_DIALOGUE_H
#define GATE_IMAP_DIALOGUE_H

#include "gate/gate.h"
#include "gate/sign_in.h"
#include "imap/capability.h"
#include "imap/command.h"
#include "imap/reader.h"

enum {
	IMAP_GATE_ERRORS_MAX = 20,    /* BAD commands, then BYE */
	IMAP_GATE_COMMANDS_MAX = 200, /* without a sign-in, then BYE */
	IMAP_GATE_ARENA_MAX = 64 * 1024,
};

struct imap_dialogue {
	struct gate *g;
	struct imap_reader *reader;
	struct arena arena;
	struct gate_tries tries;
	unsigned n_errors, n_commands; /* since the connection began, or was given back */
	bool ending;
	bool served; /* the session had the last word */
	int broken;  /* the connection's error: it can say no more */
	int stream;  /* signed in: the session's end, until it is given to the pump; else -1 */
};

static inline struct imap_offer imap_gate_offer(const struct gate *g)
{
	return (struct imap_offer){.append_limit = g->config->message_size,
	    .unauthenticate = g->config->sign_in_anew != 0,
	    .message_limit = (uint32_t)g->config->messages_per_command};
}

static inline enum imap_stage imap_gate_stage(const struct gate *g)
{
	return g->tls != NULL ? IMAP_STAGE_TLS : IMAP_STAGE_PLAIN;
}

/* Appends a tagged response. */
void imap_gate_answer(
    struct imap_dialogue *d, struct str tag, const char *status, const char *text);

/*
 * The next line or command is in the reader: 0, or the connection's error. What is refused is
 * answered here.
 */
MUST_USE int imap_gate_read(struct imap_dialogue *d);

/* imap_sign_in.c: LOGIN and AUTHENTICATE, with their answers. */
void imap_gate_login(struct imap_dialogue *d, const struct imap_command *c);
void imap_gate_authenticate(struct imap_dialogue *d, const struct imap_command *c);

#endif
