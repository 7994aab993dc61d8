/*
 * ipc/outgoing.h: the messages between the roles through which mail goes out (their numbers stand
 * in enum ipc_type, their fields with maxima in outgoing.c).
 *
 * A message goes: submitter → queue → scribe (checked, completed, hashed) → queue (signed by the
 * keyholder, durable, then the submitter hears) → courier → another server; for recipients of this
 * server delivery takes the courier's place.
 *
 * Who submits is never in a message of the submitter: the queue knows it from the directory
 * (IPC_SUBMITTER, after a sign-in) or from gatekeeper-smtp (IPC_GATE: somebody who is not signed in
 * and may only have mail forwarded that an alias sends out of the house).
 *
 * What the queue and its scribes say to each other stands in ipc/scribing.h.
 *
 * Times are milliseconds since 1970 (clock_wall_ms), 0: none.
 */
#ifndef IPC_OUTGOING_H
#define IPC_OUTGOING_H

#include <stdint.h>

#include "ipc/message.h"
#include "ipc/scribing.h"

enum {
	OUTGOING_ENVELOPE_ID_MAX = 100,        /* RFC 3461 §4.4, decoded */
	OUTGOING_ORIGINAL_RECIPIENT_MAX = 500, /* RFC 3461 §4.2: "type;address", decoded */
	OUTGOING_AUTHORS_MAX = 16,             /* addresses in From: */
	OUTGOING_SIGNATURES_MAX = 4,
	OUTGOING_OUTSIDE_MAX = 100, /* addresses of other servers that an alias leads to */
	OUTGOING_SHA256_LEN = 32,
	OUTGOING_KEYS_MAX = 64,    /* records that one forwarded message can need */
	OUTGOING_RECORDS_MAX = 64, /* of one DNS answer */
	OUTGOING_STS_MX_MAX = 32,
	DKIM_SELECTOR_MAX = 63,
	DNS_NAME_MAX = 255,
};

/* What is said of a message beside its addresses: the parameters of MAIL. */
struct ipc_outgoing {
	struct str reverse_path; /* "" for the null sender */
	struct str envelope_id;  /* ENVID; may be empty */
	uint8_t ret;             /* enum outgoing_return */
	uint8_t body;            /* 0 7BIT, 1 8BITMIME, 2 BINARYMIME */
	uint8_t smtputf8;
	uint8_t require_tls; /* RFC 8689 §2 */
	uint8_t by_mode;     /* enum outgoing_by, RFC 2852 */
	uint8_t by_trace;
	uint64_t deliver_by; /* when it must be delivered */
};

enum outgoing_return { RETURN_UNSAID, RETURN_FULL, RETURN_HEADERS, N_OUTGOING_RETURNS };
enum outgoing_by { BY_NONE, BY_RETURN, BY_NOTIFY, N_OUTGOING_BYS };
enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

/* directory → queue: somebody signed in to submit, and the channel that they do it over */
struct ipc_submitter {
	uint64_t account;
	uint64_t connection;
	struct str peer;
	struct str user; /* the address signed in with */
	int channel;
};

/* submitter → queue, in the order of the SMTP dialogue; each is answered by IPC_SUBMIT_ANSWER.
 * MAIL begins anew and forgets what was before it. */
struct ipc_submit_mail {
	struct ipc_outgoing mail;
	uint64_t hold_until; /* RFC 4865 */
	uint64_t size;       /* as announced, or 0 */
};

struct ipc_submit_rcpt {
	struct str recipient;
	struct str original_recipient; /* ORCPT, decoded; may be empty */
	uint8_t notify;                /* NOTIFY_…; 0: unsaid */
};

struct ipc_submit_data {
	struct str trace; /* Received: field to stand on top, CRLF lines */
	int message;      /* sealed memfd: the message as received, CRLF lines */
};

struct ipc_submit_cancel {
	uint64_t message; /* the number that IPC_SUBMIT_ANSWER gave; of the same account */
};

enum submit_result {
	SUBMIT_OK,        /* of DATA: durable in the queue: 250 */
	SUBMIT_NOT_YOURS, /* MAIL: may not send as this address: 550 5.7.1 */
	SUBMIT_AUTHOR,    /* DATA: may not send as an address in From: or Sender:: 550 5.7.1 */
	SUBMIT_UNKNOWN,   /* RCPT: the domain is ours, the mailbox does not exist: 550 5.1.1 */
	SUBMIT_RELAY,     /* RCPT of one not signed in: no alias of ours: 550 5.7.1 */
	SUBMIT_TOO_MANY,  /* RCPT: 452 4.5.3 */
	SUBMIT_RATE,      /* the account's limit for now is reached: 450 4.7.1; detail says when */
	SUBMIT_MALFORMED, /* DATA: not a message that can be sent: 554 5.6.0; detail says what */
	SUBMIT_LOOP,      /* DATA: too many hops: 554 5.4.6 */
	SUBMIT_REFUSED,   /* what was asked cannot be had (hold too long, …): 550 5.7.1 */
	SUBMIT_GONE,      /* CANCEL: not there, not this account's, or on its way already */
	SUBMIT_FULL,      /* 452 4.3.1 */
	SUBMIT_TEMPORARY, /* 451 4.3.0 */
	N_SUBMIT_RESULTS
};

struct ipc_submit_answer {
	uint8_t result;    /* enum submit_result */
	uint64_t message;  /* of DATA, the queue's number of it, else 0 */
	struct str detail; /* for the person: which address, when again, …; at most IPC_TEXT_MAX */
};

/* queue → directory, with the queue's number of the question */
struct ipc_may_send {
	uint64_t request;
	uint64_t account;
	struct ipc_strs authors; /* addresses of the reverse-path or of From: */
	struct str sender;       /* of Sender:, or empty */
	struct str domain;       /* whose signers are wanted, too (as in IPC_SIGNERS), or empty */
};

enum may_send { MAY_SEND, MAY_SEND_ON_BEHALF, MAY_NOT_SEND, MAY_SEND_TEMPORARY, N_MAY_SENDS };

struct ipc_may_send_answer {
	uint64_t request;
	uint8_t result;     /* enum may_send: the weakest of what holds for the authors */
	struct str address; /* MAY_NOT_SEND: the one that is not theirs; MAY_SEND_ON_BEHALF: what
	                       Sender: must say (the account's own address) */
	struct ipc_strs selectors; /* the signers, where they were wanted and it may send */
	struct ipc_u64s algorithms;
};

struct ipc_route {
	uint64_t request;
	struct str address;
	struct str reverse_path; /* of the message, or empty: then nothing is rewritten */
};

struct ipc_route_answer {
	uint64_t request;
	uint8_t result;           /* enum rcpt_result: RCPT_NOT_LOCAL for another server's */
	struct ipc_u64s accounts; /* who gets it here */
	struct ipc_strs outside;  /* where an alias sends it to beside that */
	struct str reverse_path;  /* under which it goes there (mail/srs.h); empty: as it came */
};

struct ipc_signers {
	uint64_t request;
	struct str domain;
};

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, N_DKIM_ALGORITHMS };

struct ipc_signers_answer {
	uint64_t request;
	struct ipc_strs selectors;  /* in use for that domain; none: it is not ours */
	struct ipc_u64s algorithms; /* enum dkim_algorithm of each */
};

/* queue → keyholder */
struct ipc_dkim_sign {
	uint64_t request;
	struct str domain, selector;
	struct str hash; /* 32 bytes */
};

struct ipc_dkim_signed {
	uint64_t request;
	uint8_t ok;
	struct str signature; /* raw, at most 1024 bytes */
};

/* directory → keyholder: make a key, take one that was made, forget one */
struct ipc_dkim_make {
	uint64_t request;
	struct str domain, selector;
	uint8_t algorithm; /* enum dkim_algorithm */
};

struct ipc_dkim_made {
	uint64_t request;
	uint32_t error;
	struct str public_key; /* as p= of RFC 6376 §3.6.1 has it, before base64 */
	struct str sealed;     /* the private key under the keyholder's own key, for keeping */
};

struct ipc_dkim_key {
	struct str domain, selector;
	uint8_t algorithm;
	struct str sealed;
};

struct ipc_dkim_forget {
	struct str domain, selector;
};

/* queue → dispatcher: fork a courier that speaks with the queue over this */
struct ipc_courier {
	int channel;
};

/* courier → queue, once, before anything else: the process is there. Where the channel ends without
 * it, none could be started, and no message is at fault. */
struct ipc_courier_ready {
	uint8_t unused; /* 0 */
};

/* queue → courier: one message for one destination: CARRY, CARRY_RCPT for each recipient,
 * CARRY_MESSAGE. After IPC_CARRIED another may follow there; closing the channel ends it. */
struct ipc_carry {
	struct ipc_outgoing mail;
	struct str domain; /* where to: its MX hosts are looked up; or: */
	struct str host;   /* this host, a name or an address, and no MX */
	uint16_t port;
	uint8_t relay; /* `host` is a relay of the configuration: it may have a private address */
	uint8_t implicit_tls;  /* of a relay */
	struct str relay_user; /* AUTH, or empty */
	struct str relay_password;
	struct str source;      /* address to connect from, or empty */
	uint8_t tls_must;       /* of a relay: a verified certificate or nothing */
	uint8_t tls_optional;   /* RFC 8689 §5: policies do not count */
	uint8_t sts_mode;       /* enum sts_mode */
	struct ipc_strs sts_mx; /* patterns, RFC 8461 §4.1 */
	uint8_t eight_bit;      /* the content has bytes above 127 */
};

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE, N_STS_MODES };

struct ipc_carry_rcpt {
	struct str recipient;
	struct str original_recipient;
	uint8_t notify;
};

struct ipc_carry_message {
	uint16_t n_recipients; /* that were sent before */
	int message;           /* sealed memfd: the whole message, signatures and all */
};

/* courier → queue: one for each recipient, then IPC_CARRIED; IPC_TLS_RESULT in between */
enum carry_outcome { CARRY_ACCEPTED, CARRY_LATER, CARRY_NEVER, N_CARRY_OUTCOMES };

struct ipc_carried_rcpt {
	uint16_t index;
	uint8_t outcome;   /* enum carry_outcome */
	uint16_t code;     /* the SMTP reply's, 0: no reply */
	struct str status; /* "5.1.1" */
	struct str mta;    /* who said it, or who could not be reached; or empty */
	struct str text;   /* the reply, or what happened, in words; UTF-8 */
	uint8_t relayed;   /* 1: handed to a server that sends no DSN (RFC 3461 §5.2.2) */
};

struct ipc_carried {
	uint8_t reusable;    /* 1: the connection stands, another message can follow */
	uint8_t unreachable; /* 1: no server of the destination could be spoken with */
	struct str mta;      /* the server spoken with last, "name [address]" */
	struct str tls;      /* for the log: "TLSv1.3 dane", "none", … */
};

/* RFC 8460 §4.3 */
enum tls_result {
	TLS_SUCCESS,
	TLS_STARTTLS_NOT_SUPPORTED,
	TLS_CERTIFICATE_HOST_MISMATCH,
	TLS_CERTIFICATE_EXPIRED,
	TLS_CERTIFICATE_NOT_TRUSTED,
	TLS_VALIDATION_FAILURE,
	TLS_TLSA_INVALID,
	TLS_DNSSEC_INVALID,
	TLS_DANE_REQUIRED,
	TLS_STS_POLICY_FETCH_ERROR,
	TLS_STS_POLICY_INVALID,
	TLS_STS_WEBPKI_INVALID,
	N_TLS_RESULTS
};

enum tls_policy { TLS_POLICY_NONE, TLS_POLICY_STS, TLS_POLICY_TLSA, N_TLS_POLICIES };

struct ipc_tls_result {
	uint8_t policy;                 /* enum tls_policy */
	uint8_t result;                 /* enum tls_result */
	struct str mx;                  /* host name */
	struct str receiving;           /* its address */
	struct str sending;             /* ours */
	struct str detail;              /* failure-reason-code: a few words */
	struct ipc_strs policy_strings; /* TLSA records as text, or empty */
};

/* dispatcher → resolver: a new asker */
struct ipc_asker {
	int channel;
};

/* asker, queue → resolver */
struct ipc_dns {
	uint64_t request;
	struct str name; /* A-labels, with or without the last dot */
	uint16_t type;   /* 1 A, 5 CNAME, 12 PTR, 15 MX, 16 TXT, 28 AAAA, 52 TLSA */
};

enum dns_security { DNS_INSECURE, DNS_SECURE, DNS_BOGUS, N_DNS_SECURITIES };
enum dns_result {
	DNS_FOUND,
	DNS_NO_DATA, /* the name exists, this type does not */
	DNS_NO_NAME,
	DNS_FAILED, /* no answer to be had now: SERVFAIL, time-out, bogus */
	N_DNS_RESULTS
};

struct ipc_dns_answer {
	uint64_t request;
	uint8_t result;          /* enum dns_result */
	uint8_t security;        /* enum dns_security */
	uint32_t ttl;            /* seconds */
	struct str canonical;    /* the name behind CNAMEs, where it differs, else empty */
	struct ipc_strs records; /* rdata as on the wire, names uncompressed; each at most
	                            IPC_STRS_ITEM_MAX (longer ones are left out) */
	struct str detail;       /* why, for DNS_FAILED */
};

/* queue → fetcher */
struct ipc_fetch_policy {
	uint64_t request;
	struct str domain;         /* https://mta-sts.DOMAIN/.well-known/mta-sts.txt */
	struct ipc_strs addresses; /* of mta-sts.DOMAIN, as text */
};

enum fetched { FETCHED_OK, FETCHED_FAILED, FETCHED_INVALID, FETCHED_WEBPKI, N_FETCHED };

struct ipc_policy {
	uint64_t request;
	uint8_t result; /* enum fetched */
	uint8_t mode;   /* enum sts_mode */
	uint32_t max_age;
	struct ipc_strs mx;
	struct str detail;
};

struct ipc_post_report {
	uint64_t request;
	struct str url; /* https only */
	struct ipc_strs addresses;
	int report; /* sealed memfd: gzip */
};

struct ipc_posted {
	uint64_t request;
	uint8_t ok;
	struct str detail;
};

/* command line → directory → queue: the channel for IPC_QUEUE_ASK and its IPC_CONTROL_ROW, …_DONE
 */
struct ipc_queue_control {
	int channel;
};

/* LIST gives a row for each message (of `domain` or `account`, where given), oldest first, SHOW the
 * one of `message`, RECIPIENTS one for each of its recipients, VERIFY one for each damage. LIST and
 * RECIPIENTS go on in pieces, behind the row with `after` in its first column, until there is none.
 * The others act on `message`, or, where that is 0, on those of `domain`, or on all. */
enum queue_verb {
	QUEUE_LIST,
	QUEUE_SHOW,
	QUEUE_RECIPIENTS,
	QUEUE_RETRY,
	QUEUE_HOLD,
	QUEUE_RELEASE,
	QUEUE_REMOVE,
	QUEUE_VERIFY,
	N_QUEUE_VERBS
};

struct ipc_queue_ask {
	uint8_t verb;       /* enum queue_verb */
	uint64_t message;   /* its number, or 0 */
	uint64_t after;     /* of LIST and RECIPIENTS */
	struct str domain;  /* destination; may be empty */
	struct str account; /* LIST: address or number of the submitter's; may be empty */
};

#endif
