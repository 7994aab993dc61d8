/*
 * sieve/language.h: what a script may say: the extensions, the tags, the commands and tests, each a
 * row of a table; and a checked script, which is made of them.
 *
 * A type of command or test lives in a file of its own (cmd_*.c, test_*.c) with what it checks
 * beyond its row, and what it does when it runs. What is in no table does not exist: a script that
 * names it is told so.
 *
 * A program lies in the arena that it was checked with, and borrows from the script.
 */
#ifndef SIEVE_LANGUAGE_H
#define SIEVE_LANGUAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#include "sieve/match.h"
#include "sieve/problem.h"
#include "sieve/tree.h"

struct sieve_checker;
struct sieve_piece;
struct sieve_run;
struct sieve_type;

/* What `require` names. A tag or a type with an extension is there when the script requires it. */
enum sieve_extension {
	SIEVE_EXTENSION_BASE, /* RFC 5228 itself: always there */
	SIEVE_EXTENSION_COMPARATOR_OCTET,
	SIEVE_EXTENSION_COMPARATOR_ASCII_CASEMAP,
	SIEVE_EXTENSION_COMPARATOR_ASCII_NUMERIC,
	SIEVE_EXTENSION_COMPARATOR_UNICODE_CASEMAP,
	SIEVE_EXTENSION_COPY, /* RFC 3894 */
	SIEVE_EXTENSION_DATE, /* RFC 5260 */
	SIEVE_EXTENSION_ENCODED_CHARACTER,
	SIEVE_EXTENSION_ENVELOPE,
	SIEVE_EXTENSION_FILEINTO,
	SIEVE_EXTENSION_IMAP4FLAGS, /* RFC 5232 */
	SIEVE_EXTENSION_INDEX,      /* RFC 5260 */
	SIEVE_EXTENSION_RELATIONAL, /* RFC 5231 */
	SIEVE_EXTENSION_SUBADDRESS, /* RFC 5233 */
	SIEVE_EXTENSION_VARIABLES,  /* RFC 5229 */
	N_SIEVE_EXTENSIONS,
};

/* The name in `require`; empty for SIEVE_EXTENSION_BASE. */
struct str sieve_extension_name(enum sieve_extension extension);
/* The extension of that name (exact, as RFC 5228 §3.2 has it); false where there is none. */
bool sieve_extension_find(struct str name, enum sieve_extension *ret_extension);

/* Tags of one group exclude each other; a command says which groups it takes. */
enum sieve_group {
	SIEVE_GROUP_MATCH,
	SIEVE_GROUP_COMPARATOR,
	SIEVE_GROUP_ADDRESS_PART,
	SIEVE_GROUP_COPY,
	SIEVE_GROUP_FLAGS,
	SIEVE_GROUP_INDEX,
	SIEVE_GROUP_LAST,
	SIEVE_GROUP_OWN, /* this and the following are a type's own to number */
};

#define SIEVE_TAKES(group) (1u << (group))

/* What stands behind a tag, or in a place of a command's arguments. */
enum sieve_argument_type { SIEVE_NOTHING, SIEVE_NUMBER, SIEVE_STRING, SIEVE_STRINGS };

struct sieve_tag {
	struct str name;
	unsigned group; /* enum sieve_group */
	enum sieve_extension extension;
	enum sieve_argument_type takes;
	int value; /* which of its group it is */
};

/* The tag of that name that such a call may have, of the shared groups or its type's own, whether
 * its extension is required or not; NULL for none. */
const struct sieve_tag *sieve_tag_find(const struct sieve_type *type, struct str name);

/* The values of the groups. */
enum sieve_address_part { SIEVE_ALL, SIEVE_LOCALPART, SIEVE_DOMAIN, SIEVE_USER, SIEVE_DETAIL };
enum { SIEVE_MATCH_COUNT = N_SIEVE_MATCH_TYPES }; /* :count, beside enum sieve_match_type */

/* --- a checked script --- */

struct sieve_text {
	struct sieve_place place;
	struct str text; /* encoded characters decoded */
	/* With variables (sieve/variables.h): what it is made of. NULL: `text` is all of it. */
	struct sieve_piece *pieces;
	size_t index; /* of the variable, where the text names one (flags.c) */
	struct sieve_text *next;
};

struct sieve_given_tag {
	const struct sieve_tag *tag;
	struct sieve_text *texts;
	uint64_t number;
	struct sieve_given_tag *next;
};

enum { SIEVE_POSITIONAL_MAX = 3 };

/* A command or a test, its arguments sorted out. */
struct sieve_call {
	const struct sieve_type *type;
	struct sieve_place place;
	struct sieve_given_tag *tags;
	struct {
		struct sieve_text *texts;
		uint64_t number;
	} arguments[SIEVE_POSITIONAL_MAX];
	struct sieve_match match; /* of types with SIEVE_GROUP_MATCH */
	bool counts;              /* :count in place of the match's type */
	struct sieve_call *tests;
	struct sieve_call *block;
	struct sieve_call *next;
};

struct sieve_parameter {
	enum sieve_argument_type type;
	const char *name; /* for people: "header names" */
};

enum sieve_tests { SIEVE_NO_TEST, SIEVE_ONE_TEST, SIEVE_TEST_LIST };

struct sieve_type {
	struct str name;
	enum sieve_extension extension;
	bool is_test;
	bool has_block;
	enum sieve_tests tests;
	unsigned groups;                  /* of shared tags: SIEVE_TAKES of each */
	const struct sieve_tag *own_tags; /* up to one without a name; NULL: none */
	bool is_first_optional;           /* the first of its parameters may be missing */
	struct sieve_parameter parameters[SIEVE_POSITIONAL_MAX];
	/* Judges a call whose arguments are sorted out; tells problems. NULL: nothing beyond the
	 * row. */
	void (*check)(struct sieve_checker *checker, struct sieve_call *call);
	/* What sieve/run.h says of both. */
	int (*run)(struct sieve_run *run, const struct sieve_call *call);
};

/* A table of types, ended by NULL: the language, or more than it (the runner of published tests).
 */
typedef const struct sieve_type *const *sieve_types;

/* All of the language. */
extern const struct sieve_type *const sieve_language[];

/* The tag of that group that the call was given; NULL for none. */
const struct sieve_given_tag *sieve_call_tag(const struct sieve_call *call, unsigned group);

#endif
