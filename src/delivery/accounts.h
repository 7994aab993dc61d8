/*
 * delivery/accounts.h: the accounts a delivery worker has at hand: public key, open letterbox, what
 * is used of the quota. A bounded cache; the least recently used goes first.
 *
 * What it remembers of the keys file and of the usage is at most ACCOUNTS_FRESH_MS old, so a
 * changed quota or a removed account is noticed by then; so is a folder that was put in the place
 * of another, as a restore does: it is opened anew.
 */
#ifndef DELIVERY_ACCOUNTS_H
#define DELIVERY_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "seal/keys.h"
#include "seal/record.h"
#include "store/letterbox.h"

enum {
	ACCOUNTS_MAX = 256,
	ACCOUNTS_FRESH_MS = 10000,
	ACCOUNTS_SENDER_MS = 1000,
	ACCOUNTS_STUCK_MS = 30000, /* so long nobody waits for a lock that was waited for in vain */
};

/* Which folders these are: the account's own, its letterbox, its blobs. */
enum { ACCOUNT_FOLDERS = 3 };
struct account_folders {
	dev_t device[ACCOUNT_FOLDERS];
	ino_t number[ACCOUNT_FOLDERS];
};

struct account {
	uint64_t id;
	struct account_folders folders; /* as they were opened */
	struct keys_public keys;
	struct record_header_key header_key; /* of the records sealed to it last */
	struct letterbox *letterbox;
	int blobs_fd;
	uint64_t used;        /* bytes, our own additions since counted in */
	uint64_t fresh_at;    /* clock_ms of reading keys and usage */
	uint64_t last_use;    /* by order of use */
	uint64_t stuck_until; /* clock_ms */
	bool pinned;          /* part of the batch under way */
	bool locked;
	bool failed;                  /* in this batch */
	struct letterbox_place start; /* of this batch's records */
};

struct accounts {
	int folder_fd; /* accounts/; borrowed */
	struct account *v[ACCOUNTS_MAX];
	size_t n;
	uint64_t n_uses;
	struct record_sender sender; /* of all that is delivered … */
	bool has_sender;             /* … since it was made */
};

/*
 * The account, open and fresh; borrowed until the next call, or while `pinned`. -ENOENT: there is
 * none; -EBADMSG: its keys file is damaged; -EMFILE: all are pinned; -errno.
 */
MUST_USE int accounts_get(struct accounts *accounts, uint64_t id, struct account **ret_account);

/* Closes one that turned out to be gone or broken; it is opened anew when it is asked for. */
void accounts_drop(struct accounts *accounts, struct account *account);

/* The folder for large messages, opened when first asked for (borrowed), and its files' mode. */
MUST_USE int accounts_blobs(
    struct account *account, int accounts_fd, int *ret_fd, mode_t *ret_mode);

/*
 * The key pair of the messages that are delivered now (borrowed), made where there is none:
 * agreeing on a key costs more than all else about a short message. Who has it can read the headers
 * of all that was sealed with it: it is forgotten after ACCOUNTS_SENDER_MS, by the caller.
 */
struct record_sender *accounts_sender(struct accounts *accounts);
void accounts_forget_sender(struct accounts *accounts);

void accounts_done(struct accounts *accounts);

#endif
