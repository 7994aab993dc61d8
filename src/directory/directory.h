/*
 * directory/directory.h: the role that knows addresses and credentials.
 *
 * It answers to gates of SMTP who gets an address's mail (resolve.h), checks credentials for gates
 * of IMAP by opening the account's slot (work.h, key_cache.h, throttle.h) and hands the master key
 * and the connection to the registry, and does what the command line asks over the control socket
 * (control.h). A gate learns from it whether an address exists and whether a password is right;
 * never a key, a list, or another address.
 *
 * Its one loop never waits: Argon2id runs in forked workers, the registry answers later.
 *
 * SECURITY: whoever controls it holds the keys of the accounts that signed in within the last
 * minutes, and can take the password of whoever signs in next. It has no network and no mail.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "sandbox/role.h"

/* The role's process: returns its exit status. */
int directory_main(struct role_start *start);

#endif
