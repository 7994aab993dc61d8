/*
 * ipc/scribing.h: the messages between the queue and those who read what goes out (their fields
 * with maxima stand in outgoing.c, with those of ipc/outgoing.h).
 *
 * queue → scribes: IPC_SCRIBE, and a scribe is there. Then for each message: IPC_PREPARE,
 * IPC_EXAMINED, IPC_FINISH, IPC_FINISHED. A scribe never learns whose message it is.
 */
#ifndef IPC_SCRIBING_H
#define IPC_SCRIBING_H

#include <stdint.h>

#include "ipc/message.h"

/*
 * queue → scribes: fork a scribe that speaks with the queue over this. It reads at most so many
 * messages: one, where they come from outside; what one submitter writes over one connection may
 * share a scribe, within these limits. Both sides hold them.
 */
struct ipc_scribe {
	int channel;
	uint8_t messages;
};

enum {
	SCRIBE_MESSAGES_MAX = 50,
	SCRIBE_LIFE_MS = 60 * 1000, /* no further message after that */
	SCRIBE_IDLE_MS = 5 * 1000,  /* between two messages */
	SCRIBES_KEPT_MAX = 64, /* that wait for the next message of their submitter, or read it */
};

/* queue → scribe; after its IPC_FINISHED, or an IPC_EXAMINED that is not OK, the next may follow */
struct ipc_prepare {
	int message;      /* sealed memfd */
	uint8_t complete; /* 1: a submission, RFC 6409 §8 holds; 0: change nothing in the header */
	uint8_t body; /* as declared: 0 7BIT, 1 8BITMIME, 2 BINARYMIME: only then may the body have
	                 bare CR and LF, NUL and lines of any length */
};

enum examined { EXAMINED_OK, EXAMINED_MALFORMED, EXAMINED_LOOP, N_EXAMINED };

/* scribe → queue */
struct ipc_examined {
	uint8_t result;          /* enum examined */
	struct str detail;       /* what is malformed */
	struct ipc_strs authors; /* From: */
	struct str sender;       /* Sender:, or empty */
	uint8_t tls_optional;    /* TLS-Required: No (RFC 8689 §5) */
	uint8_t body;            /* what the content needs: 0 7BIT, 1 8BITMIME, 2 BINARYMIME */
	uint8_t smtputf8;        /* the header needs it */
	uint32_t header_len;
};

/* queue → scribe */
struct ipc_finish {
	struct str trace;  /* goes on top, unsigned */
	struct str sender; /* to set as Sender:, or empty */
	struct str domain; /* that signs; empty: unsigned */
	struct ipc_strs selectors;
	struct ipc_u64s algorithms;
	uint64_t at;     /* for Date: and t= */
	struct str name; /* right side of a Message-ID that has to be made; the authserv-id */
	struct str peer; /* the client's address as text, of mail that is forwarded; or empty */
};

/* scribe → queue: `message` is complete but for the signatures, which go before it: each of
 * `fields` with its signature put behind it, in base64 and folded, and CRLF. */
struct ipc_finished {
	struct ipc_strs fields; /* DKIM-Signature fields that end in "b=" */
	struct ipc_strs hashes; /* what is signed for each: SHA-256, 32 bytes */
	int message;            /* sealed memfd */
};

/*
 * Mail that is forwarded (`complete` 0) is sealed (RFC 8617). Behind IPC_EXAMINED its scribe names
 * the keys that its signatures need, and the queue has them looked up: IPC_KEY for each, in any
 * order. IPC_FINISH then has the domain, one selector, of an RSA key, and no key comes any more.
 * Twice IPC_SEAL and IPC_SEALED: ARC-Message-Signature, ARC-Seal. IPC_FINISHED has no fields: they
 * stand in the message.
 */

/* scribe → queue */
struct ipc_keys_wanted {
	struct ipc_strs
	    names; /* of TXT records, each once; mail/key_names.h says which there are */
};

/* queue → scribe; one that does not come before IPC_FINISH could not be had */
struct ipc_key {
	uint16_t index;
	uint8_t result;          /* enum dns_result */
	struct ipc_strs records; /* as IPC_DNS_ANSWER has them */
};

/* scribe → queue: sign the hash of this text. It is the text and not the hash, so that the queue
 * sees that it is one of ARC (mail/arc_seal.h). */
struct ipc_seal {
	int text; /* sealed memfd */
};

/* queue → scribe */
struct ipc_sealed {
	struct str signature; /* raw, at most 1024 bytes */
};

#endif
