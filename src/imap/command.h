/*
 * imap/command.h: one IMAP command as a tree (RFC 9051 §6, RFC 3501 §6, and the extensions of
 * imap/capability.h).
 *
 * Names of mailboxes and search strings stay as the client wrote them. Strings are borrowed from
 * the command's text or lie in the arena.
 *
 * It does not know states: which command is allowed when is said in the tables of the gate and of
 * the session.
 */
#ifndef IMAP_COMMAND_H
#define IMAP_COMMAND_H

#include "imap/fetch_item.h"
#include "imap/flags.h"
#include "imap/mailbox_filter.h"
#include "imap/parse.h"
#include "imap/partial.h"
#include "imap/search_key.h"
#include "imap/set.h"
#include "mail/date.h"

enum {
	IMAP_PATTERNS_MAX = 100,
	IMAP_ENABLE_MAX = 20,
	IMAP_USES_MAX = 20,
	IMAP_CAT_PARTS_MAX = 200,
	IMAP_QUOTA_RESOURCES_MAX = 20,
	IMAP_METADATA_ENTRIES_MAX = 100,
	IMAP_METADATA_NAME_MAX = 255,
	IMAP_ID_PAIRS_MAX = 30,
	IMAP_MECHANISM_LEN_MAX = 20,
	IMAP_SORT_KEYS_MAX = 20,
	/* A ceiling that holds the tree of every command that keeps the other limits. */
	IMAP_COMMAND_ARENA_MAX = 4 * 1024 * 1024,
};

enum imap_command_id {
	IMAP_CAPABILITY,
	IMAP_NOOP,
	IMAP_LOGOUT,
	IMAP_ID,
	IMAP_STARTTLS,
	IMAP_LOGIN,
	IMAP_AUTHENTICATE,
	IMAP_ENABLE,
	IMAP_SELECT,
	IMAP_EXAMINE,
	IMAP_CREATE,
	IMAP_DELETE,
	IMAP_RENAME,
	IMAP_SUBSCRIBE,
	IMAP_UNSUBSCRIBE,
	IMAP_LIST,
	IMAP_LSUB,
	IMAP_NAMESPACE,
	IMAP_STATUS,
	IMAP_APPEND,
	IMAP_IDLE,
	IMAP_CHECK,
	IMAP_CLOSE,
	IMAP_UNSELECT,
	IMAP_EXPUNGE,
	IMAP_SEARCH,
	IMAP_FETCH,
	IMAP_STORE,
	IMAP_COPY,
	IMAP_MOVE,
	IMAP_COMPRESS,
	IMAP_NOTIFY,
	IMAP_REPLACE,
	IMAP_GETQUOTA,
	IMAP_GETQUOTAROOT,
	IMAP_SETQUOTA,
	IMAP_GETMETADATA,
	IMAP_SETMETADATA,
	IMAP_SORT,
	IMAP_THREAD,
	IMAP_ESEARCH,
	IMAP_SETACL,
	IMAP_DELETEACL,
	IMAP_GETACL,
	IMAP_LISTRIGHTS,
	IMAP_MYRIGHTS,
	IMAP_UNAUTHENTICATE,
	N_IMAP_COMMANDS
};

enum imap_status_item {
	STATUS_MESSAGES = 1,
	STATUS_RECENT = 2,
	STATUS_UIDNEXT = 4,
	STATUS_UIDVALIDITY = 8,
	STATUS_UNSEEN = 16,
	STATUS_DELETED = 32,
	STATUS_SIZE = 64,
	STATUS_HIGHESTMODSEQ = 128,
	STATUS_APPENDLIMIT = 256,
	STATUS_MAILBOXID = 512,        /* RFC 8474 */
	STATUS_DELETED_STORAGE = 1024, /* RFC 9208 */
	STATUS_LAST = STATUS_DELETED_STORAGE,
};

/* RFC 5465 §5; AnnotationChange is not there, since annotations of messages are not. */
enum imap_event {
	EVENT_MESSAGE_NEW = 1,
	EVENT_MESSAGE_EXPUNGE = 2,
	EVENT_FLAG_CHANGE = 4,
	EVENT_MAILBOX_NAME = 8,
	EVENT_SUBSCRIPTION = 16,
	EVENT_MAILBOX_METADATA = 32,
	EVENT_SERVER_METADATA = 64,
	EVENT_UNKNOWN = 128,
};

enum imap_list_option {
	LIST_SUBSCRIBED = 1, /* selection */
	LIST_REMOTE = 2,
	LIST_RECURSIVEMATCH = 4,
	LIST_SPECIAL_USE = 8,
	LIST_RETURN_SUBSCRIBED = 16, /* return */
	LIST_RETURN_CHILDREN = 32,
	LIST_RETURN_SPECIAL_USE = 64,
	LIST_RETURN_STATUS = 128,
	LIST_RETURN_MYRIGHTS = 256, /* RFC 8440 */
	LIST_RETURN_METADATA = 512, /* RFC 9590 */
};

enum imap_search_return {
	RETURN_MIN = 1,
	RETURN_MAX = 2,
	RETURN_ALL = 4,
	RETURN_COUNT = 8,
	RETURN_SAVE = 16,
	RETURN_PARTIAL = 32,   /* excludes ALL */
	RETURN_RELEVANCY = 64, /* RFC 6203 */
};

enum imap_sort_by {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_TO,
	SORT_DISPLAY_FROM,
	SORT_DISPLAY_TO,
	SORT_RELEVANCY, /* RFC 6203; the most relevant first */
};

enum imap_store_mode { STORE_REPLACE, STORE_ADD, STORE_REMOVE };

enum imap_metadata_depth { METADATA_DEPTH_0, METADATA_DEPTH_1, METADATA_DEPTH_INFINITY };

struct imap_metadata_entry {
	struct str name; /* as written; names are the same in any case */
	struct str value;
	bool removed; /* NIL */
};

/* RFC 5464 */
struct imap_metadata {
	bool has_max_size;
	uint64_t max_size;
	enum imap_metadata_depth depth;
	struct imap_metadata_entry *entries;
	size_t n;
};

struct imap_list {
	bool extended; /* options or several patterns were given (RFC 9051 §6.3.9.1) */
	unsigned options;
	unsigned status;               /* items of RETURN (STATUS …) */
	struct imap_metadata metadata; /* entries of RETURN (METADATA …) */
	struct str reference;
	struct str *patterns;
	size_t n_patterns;
};

struct imap_cat_part {
	bool is_url; /* TEXT or URL */
	bool binary; /* literal8 */
	struct str text;
	size_t spooled; /* as below */
};

struct imap_append_message {
	struct imap_append_message *next;
	struct imap_flags flags;
	bool has_date;
	struct date date;
	struct str message;
	size_t spooled; /* its number, where it was spooled (imap/reader.h): then only its length is
	                   here */
	bool binary;    /* literal8: may hold NUL */
	bool utf8;      /* UTF8 (~{…}) (RFC 6855 §4) */
	const struct imap_cat_part *parts; /* CATENATE (…) (RFC 4469), instead of `message` */
	size_t n_parts;                    /* 0: none */
};

struct imap_search {
	bool extended; /* RETURN stands there */
	unsigned return_options;
	struct str charset; /* empty: UTF-8 */
	struct imap_search_key *key;
	struct imap_partial partial;         /* RFC 9394 §3.1 */
	struct imap_mailbox_filter *sources; /* ESEARCH; NULL: the selected mailbox */
};

/* SORT and THREAD; what they are about is `search`. */
struct imap_order {
	struct imap_sort_key {
		enum imap_sort_by by;
		bool reverse;
	} keys[IMAP_SORT_KEYS_MAX];
	size_t n_keys;
	bool by_references; /* THREAD REFERENCES, else ORDEREDSUBJECT */
};

/* NOTIFY */
struct imap_event_group {
	struct imap_event_group *next;
	struct imap_mailbox_filter *filter;
	unsigned events;               /* enum imap_event; 0: NONE */
	struct imap_fetch_items items; /* of new messages in the selected mailbox */
};

struct imap_notify {
	bool status;
	struct imap_event_group *groups; /* NULL: NOTIFY NONE */
};

struct imap_fetch {
	struct imap_set set;
	struct imap_fetch_items items;
	bool has_changed_since;
	uint64_t changed_since;
	bool vanished; /* RFC 7162 §3.2.6 */
	bool has_partial;
	struct imap_partial partial; /* RFC 9394 §3.3 */
};

/* SELECT … (QRESYNC (…)) (RFC 7162 §3.2.5); the sets are not resolved yet. */
struct imap_resync {
	uint32_t uidvalidity;
	uint64_t modseq;
	bool has_known;
	struct imap_set known;
	struct imap_set match_numbers, match_uids; /* empty where not given */
};

struct imap_store {
	struct imap_set set;
	bool has_unchanged_since;
	uint64_t unchanged_since;
	enum imap_store_mode mode;
	bool silent;
	struct imap_flags flags;
};

struct imap_command {
	struct str tag;
	enum imap_command_id id;
	bool uid;                      /* UID FETCH, … */
	struct str name, name2;        /* mailbox; RENAME: from, to; LOGIN: user, password */
	struct str identifier, rights; /* SETACL, DELETEACL, LISTRIGHTS */
	struct str mechanism;          /* AUTHENTICATE, COMPRESS */
	bool has_initial;
	struct str initial;         /* its initial response, still base64, "=" for an empty one */
	bool condstore;             /* SELECT … (CONDSTORE) */
	struct imap_resync *resync; /* NULL: not asked */
	unsigned status;            /* STATUS: bits of enum imap_status_item */
	struct str *words;          /* ENABLE; CREATE … (USE (…)) */
	size_t n_words;
	struct imap_set set; /* COPY, MOVE, UID EXPUNGE */
	struct imap_list list;
	struct imap_append_message *messages;
	struct imap_notify *notify;
	struct imap_search search;
	struct imap_order *order;
	struct imap_fetch fetch;
	struct imap_store store;
	struct imap_metadata metadata;
};

/*
 * Parses a whole command into `*ret_command`. False: what was expected and where is in `p`
 * (imap_error_write), and `ret_command->tag` is the tag or, where that fails, "*".
 */
MUST_USE bool imap_command_parse(struct imap_parser *p, struct imap_command *ret_command);

/* Appends "FETCH: expected a FETCH item at column 12"; for the text of a BAD. */
void imap_error_write(const struct imap_parser *p, struct buf *out);

struct str imap_command_name(enum imap_command_id id);
/* "MessageNew"; empty for EVENT_UNKNOWN. */
struct str imap_event_name(enum imap_event event);
struct str imap_status_item_name(enum imap_status_item item);

#endif
