/*
 * sieve/tree.h: a script as the tree that its grammar makes of it (RFC 5228 §8.2).
 *
 *   argument     = string-list / number / tag
 *   arguments    = *argument [ test / test-list ]
 *   command      = identifier arguments (";" / block)
 *   test         = identifier arguments
 *
 * A tree knows form only: not which commands there are, nor what they take. Commands and tests
 * have the same form, so one struct stands for both.
 *
 * Everything lives in the arena it was read with. Lists are linked, in the script's order.
 *
 * Limits: SIEVE_DEPTH_MAX for blocks and tests in one another; the arena's ceiling for all else.
 * A list of strings has at least one.
 */
#ifndef SIEVE_TREE_H
#define SIEVE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

#include "sieve/problem.h"

enum {
	SIEVE_DEPTH_MAX = 32,
	/* What the tree of a script may take: enough for each script of SIEVE_SCRIPT_LEN_MAX that
	 * consists of something. */
	SIEVE_TREE_LEN_MAX = 8 * 1024 * 1024,
};

struct sieve_string {
	struct sieve_place place;
	struct str text;
	struct sieve_string *next;
};

enum sieve_argument_kind { SIEVE_ARGUMENT_STRINGS, SIEVE_ARGUMENT_NUMBER, SIEVE_ARGUMENT_TAG };

struct sieve_argument {
	enum sieve_argument_kind kind;
	struct sieve_place place;
	struct str tag; /* in small letters, without its colon */
	uint64_t number;
	struct sieve_string *strings;
	bool is_list; /* written with brackets */
	struct sieve_argument *next;
};

/* A command or a test. */
struct sieve_node {
	struct sieve_place place;
	struct str name; /* in small letters */
	struct sieve_argument *arguments;
	struct sieve_node *tests;
	struct sieve_node *block;
	bool has_test_list; /* its tests stand in parentheses */
	bool has_block;     /* ends with { }, which may be empty, and not with ; */
	struct sieve_node *next;
};

/*
 * Reads a script, borrowed as long as the tree is used. True when its form is right;
 * `*ret_commands` is then the first command, NULL of an empty script. False with at least one
 * problem told: reading goes on behind the command in which one stands, so that several are found.
 */
MUST_USE bool sieve_parse(struct str script, struct arena *arena, struct sieve_problems *problems,
    struct sieve_node **ret_commands);

#endif
