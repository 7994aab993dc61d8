/*
 * directory/authorize.h: who may do what: the one function that every access passes.
 *
 * What is not in its table is refused. It is pure: it knows no files, no connections, no database;
 * the caller says truthfully who asks (from SO_PEERCRED or an opened slot, never from a message).
 *
 * An operator runs the server: domains, accounts, aliases. An operator cannot open a mailbox; not
 * because of this table alone, but because no key for it is within reach.
 */
#ifndef DIRECTORY_AUTHORIZE_H
#define DIRECTORY_AUTHORIZE_H

#include <stdbool.h>
#include <stdint.h>

enum subject_kind {
	SUBJECT_STRANGER, /* a connection before sign-in */
	SUBJECT_ACCOUNT,  /* whoever opened a slot of this account */
	SUBJECT_OPERATOR, /* the server's owner or root, over the control socket */
	N_SUBJECT_KINDS
};

struct subject {
	enum subject_kind kind;
	uint64_t account; /* of SUBJECT_ACCOUNT, else 0 */
};

enum object_kind {
	OBJECT_SERVER,    /* the lists of domains, accounts, aliases */
	OBJECT_ACCOUNT,   /* what the directory says of an account: state, quota, slots */
	OBJECT_MAILBOX,   /* an account's mail */
	OBJECT_RECIPIENT, /* whether an address takes mail */
	OBJECT_SENDER,    /* an address that mail is sent from */
	OBJECT_QUEUE,     /* the mail that goes out */
	N_OBJECT_KINDS
};

struct object {
	enum object_kind kind;
	/* of OBJECT_ACCOUNT and OBJECT_MAILBOX; of OBJECT_SENDER whose address it is, 0: nobody's
	 * alone; else 0 */
	uint64_t account;
	unsigned granted; /* of OBJECT_SENDER: what its owner's operator granted the subject on it,
	                     a bit for each right */
};

enum right {
	RIGHT_ASK,      /* RECIPIENT: does it take mail? */
	RIGHT_LIST,     /* SERVER: see what is there */
	RIGHT_MANAGE,   /* SERVER: add and remove domains, accounts, aliases */
	RIGHT_SEE,      /* ACCOUNT: see its row */
	RIGHT_PASSWORD, /* ACCOUNT: replace its password, given what opens a slot */
	RIGHT_VERIFY,   /* SERVER, ACCOUNT: have its files checked, as far as goes without a key */
	RIGHT_REMOVE,   /* ACCOUNT: forget its keys */
	RIGHT_OPEN,     /* MAILBOX: read and change the mail */
	RIGHT_SUBMIT,   /* QUEUE: bring mail */
	RIGHT_SEND_AS,  /* SENDER: send mail from it, and nothing tells who it was */
	RIGHT_SEND_ON_BEHALF, /* SENDER: the same, with the subject's own address in Sender: */
	N_RIGHTS
};

/* True when `subject` has `right` on `object`. */
bool authorize(struct subject subject, enum right right, struct object object);

#endif
