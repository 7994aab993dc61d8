/*
 * store/store_annotation.h: notes that clients keep at mailboxes and at the account (METADATA, RFC
 * 5464).
 *
 * An entry is named by a path in small letters ("/private/comment"); a value is any bytes. Those of
 * mailbox 0 belong to the account. A mailbox's go with it, and move with it when it is renamed.
 * Each change has a MODSEQ, so that other clients can be told.
 *
 * The caller has checked names (imap's grammar); the store compares bytes.
 *
 * Limits: STORE_ANNOTATION_LEN_MAX bytes of a value, STORE_ANNOTATIONS_MAX entries of a mailbox,
 * STORE_ANNOTATION_STORAGE_MAX bytes of names and values in the account.
 */
#ifndef STORE_STORE_ANNOTATION_H
#define STORE_STORE_ANNOTATION_H

#include "base/arena.h"
#include "base/attr.h"
#include "store/store.h"

enum {
	STORE_ANNOTATION_NAME_MAX = 255,
	STORE_ANNOTATION_LEN_MAX = 32 * 1024,
	STORE_ANNOTATIONS_MAX = 100,
	STORE_ANNOTATION_STORAGE_MAX = 8 << 20,
};

struct store_annotation {
	struct str entry;
	bool has_value; /* false: to be removed */
	struct str value;
};

/*
 * Sets them all or none, durably; `*ret_modseq` is the change's. -ENOENT: no such mailbox; -EFBIG a
 * value is too long; -E2BIG too many entries; -EDQUOT too much in the account.
 */
MUST_USE int store_annotations_set(struct store *s, uint64_t mailbox,
    const struct store_annotation *list, size_t n, uint64_t *ret_modseq);

enum store_annotation_depth { ANNOTATION_ALONE, ANNOTATION_CHILDREN, ANNOTATION_ALL_BELOW };

/* The entry and those below it that have values, by name; in the arena (-E2BIG). */
MUST_USE int store_annotations_get(struct store *s, uint64_t mailbox, struct str entry,
    enum store_annotation_depth depth, struct arena *a, const struct store_annotation **ret_list,
    size_t *ret_n);

struct store_annotation_change {
	struct str mailbox; /* its name; empty: the account's */
	struct str entry;
};

/*
 * What changed after `*modseq`, but for the change `but`; moves `*modseq` to now. By mailbox; in
 * the arena (-E2BIG). A removal is remembered for a day.
 */
MUST_USE int store_annotations_changed(struct store *s, uint64_t *modseq, uint64_t but,
    struct arena *a, const struct store_annotation_change **ret_list, size_t *ret_n);

/* Bytes of names and values in the account. */
MUST_USE int store_annotations_usage(struct store *s, uint64_t *ret_used);

#endif
