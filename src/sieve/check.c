#include "sieve/check.h"

#include <errno.h>

#include "sieve/encoded_character.h"
#include "sieve/variables.h"

bool sieve_checker_has(const struct sieve_checker *checker, enum sieve_extension extension)
{
	return extension == SIEVE_EXTENSION_BASE ||
	       (checker->required & UINT64_C(1) << extension) != 0;
}

bool sieve_checker_is_constant(struct sieve_checker *checker, const struct sieve_text *text)
{
	if (text->pieces == NULL)
		return true;
	sieve_checker_tell(checker, text->place, "no variables may stand in this string");
	return false;
}

/* What a problem calls a call: "header test". */
static const char *kind_of(const struct sieve_type *type)
{
	return type->is_test ? "test" : "command";
}

/* The type of that name, of the kind that is wanted where there are both. */
static const struct sieve_type *find_type(sieve_types types, struct str name, bool as_test)
{
	const struct sieve_type *found = NULL;

	for (; *types != NULL; types++)
		if (str_eq((*types)->name, name) && (found == NULL || (*types)->is_test == as_test))
			found = *types;
	return found;
}

static void *taken(struct sieve_checker *checker, struct sieve_place place, void *memory)
{
	if (memory == NULL)
		sieve_checker_tell(
		    checker, place, "the script needs more memory than a script may take");
	return memory;
}

/* --- arguments --- */

static struct sieve_text *check_texts(
    struct sieve_checker *checker, const struct sieve_string *strings)
{
	struct sieve_text *first = NULL, **tail = &first;

	for (const struct sieve_string *s = strings; s != NULL; s = s->next) {
		struct sieve_text *text = ARENA_NEW(checker->arena, struct sieve_text);
		if (taken(checker, s->place, text) == NULL)
			return first;
		text->place = s->place;
		text->text = s->text;
		*tail = text;
		tail = &text->next;
		int result = sieve_checker_has(checker, SIEVE_EXTENSION_ENCODED_CHARACTER)
		                 ? sieve_decode_characters(s->text, checker->arena, &text->text)
		                 : 0;
		if (result == -EINVAL)
			sieve_checker_tell(checker, s->place,
			    "a number in this string names no character of Unicode (0 to D7FF, "
			    "E000 to 10FFFF)");
		if (result == -E2BIG)
			(void)taken(checker, s->place, NULL);
		if (result == 0 && sieve_checker_has(checker, SIEVE_EXTENSION_VARIABLES))
			sieve_variables_find(checker, text);
	}
	return first;
}

static const char *name_of_argument(const struct sieve_argument *argument)
{
	switch (argument->kind) {
	case SIEVE_ARGUMENT_NUMBER:
		return "a number";
	case SIEVE_ARGUMENT_TAG:
		return "a tag";
	case SIEVE_ARGUMENT_STRINGS:
		break;
	}
	return argument->is_list ? "a string list" : "a string";
}

static const char *name_of_type(enum sieve_argument_type type)
{
	switch (type) {
	case SIEVE_NUMBER:
		return "a number";
	case SIEVE_STRING:
		return "a string";
	case SIEVE_STRINGS:
		return "a string list";
	case SIEVE_NOTHING:
		break;
	}
	return "nothing";
}

/* A string stands where a list is wanted, and a list of one where a string is (RFC 5228 §2.4.2.1
 * has only the first; a list that is written as such is none). */
static bool argument_fits(const struct sieve_argument *argument, enum sieve_argument_type type)
{
	switch (type) {
	case SIEVE_NUMBER:
		return argument->kind == SIEVE_ARGUMENT_NUMBER;
	case SIEVE_STRING:
		return argument->kind == SIEVE_ARGUMENT_STRINGS && !argument->is_list;
	case SIEVE_STRINGS:
		return argument->kind == SIEVE_ARGUMENT_STRINGS;
	case SIEVE_NOTHING:
		break;
	}
	return false;
}

static struct sieve_given_tag *group_given(const struct sieve_call *call, unsigned group)
{
	return (struct sieve_given_tag *)sieve_call_tag(call, group);
}

/* Whether the tag may stand here; tells why not. */
static bool tag_may_stand(struct sieve_checker *checker, const struct sieve_call *call,
    const struct sieve_argument *argument, const struct sieve_tag *tag, bool is_behind)
{
	const struct sieve_type *type = call->type;

	if (tag == NULL) {
		sieve_checker_tell(checker, argument->place,
		    "unknown tagged argument ':%.*s' for the %.*s %s (it has none of that name)",
		    STR_FMT(argument->tag), STR_FMT(type->name), kind_of(type));
	} else if (!sieve_checker_has(checker, tag->extension)) {
		sieve_checker_tell(checker, argument->place,
		    "unknown tagged argument ':%.*s' for the %.*s %s, unless the script requires "
		    "\"%.*s\"",
		    STR_FMT(argument->tag), STR_FMT(type->name), kind_of(type),
		    STR_FMT(sieve_extension_name(tag->extension)));
	} else if (is_behind) {
		sieve_checker_tell(checker, argument->place,
		    "unexpected tagged argument ':%.*s' in the %.*s %s: tags stand in front of its "
		    "other arguments",
		    STR_FMT(argument->tag), STR_FMT(type->name), kind_of(type));
	} else if (group_given(call, tag->group) != NULL) {
		sieve_checker_tell(checker, argument->place,
		    "':%.*s' and ':%.*s' exclude each other in the %.*s %s", STR_FMT(argument->tag),
		    STR_FMT(group_given(call, tag->group)->tag->name), STR_FMT(type->name),
		    kind_of(type));
	} else {
		return true;
	}
	return false;
}

/* Takes a tag with what stands behind it; the next argument is given back. */
static const struct sieve_argument *check_tag(struct sieve_checker *checker,
    struct sieve_call *call, const struct sieve_argument *argument, bool is_behind)
{
	const struct sieve_tag *tag = sieve_tag_find(call->type, argument->tag);
	const struct sieve_argument *next = argument->next;
	bool may_stand = tag_may_stand(checker, call, argument, tag, is_behind);

	if (tag == NULL || tag->takes == SIEVE_NOTHING) {
		next = argument->next;
	} else if (next == NULL || !argument_fits(next, tag->takes)) {
		sieve_checker_tell(checker, argument->place,
		    "':%.*s' wants %s behind it, but %s is there", STR_FMT(tag->name),
		    name_of_type(tag->takes), next == NULL ? "nothing" : name_of_argument(next));
		may_stand = false;
	}
	if (!may_stand)
		return next != NULL && tag != NULL && tag->takes != SIEVE_NOTHING ? next->next
		                                                                  : next;
	struct sieve_given_tag *given = ARENA_NEW(checker->arena, struct sieve_given_tag);
	if (taken(checker, argument->place, given) == NULL)
		return NULL;
	given->tag = tag;
	given->next = call->tags;
	call->tags = given;
	if (tag->takes == SIEVE_NOTHING)
		return next;
	given->number = next->number;
	given->texts = check_texts(checker, next->strings);
	return next->next;
}

static size_t n_parameters(const struct sieve_type *type)
{
	size_t n = 0;

	while (n < SIEVE_POSITIONAL_MAX && type->parameters[n].type != SIEVE_NOTHING)
		n++;
	return n;
}

/* Takes the argument in place `at`; tells what is wrong with it. */
static void check_positional(struct sieve_checker *checker, struct sieve_call *call,
    const struct sieve_argument *argument, size_t at)
{
	const struct sieve_type *type = call->type;
	const struct sieve_parameter *parameter = &type->parameters[at];

	if (!argument_fits(argument, parameter->type)) {
		sieve_checker_tell(checker, argument->place,
		    "the %.*s %s expects %s as argument %zu (%s), but %s is found",
		    STR_FMT(type->name), kind_of(type), name_of_type(parameter->type), at + 1,
		    parameter->name, name_of_argument(argument));
		return;
	}
	call->arguments[at].number = argument->number;
	call->arguments[at].texts = check_texts(checker, argument->strings);
}

/* Those without a tag, in their places: all that the type wants, or all but an optional first. */
static void check_positionals(struct sieve_checker *checker, struct sieve_call *call,
    const struct sieve_argument *const *given, size_t n)
{
	const struct sieve_type *type = call->type;
	size_t wanted = n_parameters(type);
	size_t missing = type->is_first_optional && n + 1 == wanted ? 1 : 0;

	if (n + missing != wanted && type->is_first_optional)
		sieve_checker_tell(checker, call->place,
		    "the %.*s %s requires %zu or %zu positional arguments, but %zu %s specified",
		    STR_FMT(type->name), kind_of(type), wanted - 1, wanted, n,
		    n == 1 ? "is" : "are");
	else if (n + missing != wanted)
		sieve_checker_tell(checker, call->place,
		    "the %.*s %s requires %zu positional argument%s, but %zu %s specified",
		    STR_FMT(type->name), kind_of(type), wanted, wanted == 1 ? "" : "s", n,
		    n == 1 ? "is" : "are");
	else
		for (size_t i = 0; i < n; i++)
			check_positional(checker, call, given[i], i + missing);
}

static void check_arguments(
    struct sieve_checker *checker, struct sieve_call *call, const struct sieve_node *node)
{
	const struct sieve_argument *argument = node->arguments, *given[SIEVE_POSITIONAL_MAX];
	size_t n = 0, known = checker->problems->n;

	while (argument != NULL) {
		if (argument->kind == SIEVE_ARGUMENT_TAG) {
			argument = check_tag(checker, call, argument, n > 0);
			continue;
		}
		if (n < SIEVE_POSITIONAL_MAX)
			given[n] = argument;
		n++;
		argument = argument->next;
	}
	if (checker->problems->n == known)
		check_positionals(checker, call, given, n);
}

/* --- matches --- */

static void check_comparator(
    struct sieve_checker *checker, struct sieve_call *call, const struct sieve_given_tag *given)
{
	static const enum sieve_extension wanted[N_SIEVE_COMPARATORS] = {
	    [SIEVE_OCTET] =
	        SIEVE_EXTENSION_BASE, /* these two are there without it, RFC 5228 §2.7.3 */
	    [SIEVE_ASCII_CASEMAP] = SIEVE_EXTENSION_BASE,
	    [SIEVE_ASCII_NUMERIC] = SIEVE_EXTENSION_COMPARATOR_ASCII_NUMERIC,
	    [SIEVE_UNICODE_CASEMAP] = SIEVE_EXTENSION_COMPARATOR_UNICODE_CASEMAP,
	};
	struct str name = given->texts->text;
	enum sieve_comparator comparator;

	if (!sieve_checker_is_constant(checker, given->texts))
		return;
	if (!sieve_comparator_find(name, &comparator)) {
		sieve_checker_tell(checker, given->texts->place, "there is no comparator \"%.*s\"",
		    STR_FMT(str_first(name, 60)));
		return;
	}
	if (!sieve_checker_has(checker, wanted[comparator])) {
		sieve_checker_tell(checker, given->texts->place,
		    "the comparator \"%.*s\" is there when the script requires \"%.*s\"",
		    STR_FMT(name), STR_FMT(sieve_extension_name(wanted[comparator])));
		return;
	}
	call->match.comparator = comparator;
}

static void check_match_type(
    struct sieve_checker *checker, struct sieve_call *call, const struct sieve_given_tag *given)
{
	call->counts = given->tag->value == SIEVE_MATCH_COUNT;
	call->match.type = call->counts ? SIEVE_VALUE : (enum sieve_match_type)given->tag->value;
	if (given->tag->takes == SIEVE_NOTHING)
		return;
	if (!sieve_relation_find(given->texts->text, &call->match.relation))
		sieve_checker_tell(checker, given->texts->place,
		    "\"%.*s\" is no relation; there are gt, ge, lt, le, eq and ne",
		    STR_FMT(str_first(given->texts->text, 60)));
}

static void check_match(struct sieve_checker *checker, struct sieve_call *call)
{
	const struct sieve_given_tag *comparator = sieve_call_tag(call, SIEVE_GROUP_COMPARATOR);
	const struct sieve_given_tag *type = sieve_call_tag(call, SIEVE_GROUP_MATCH);

	if (comparator != NULL)
		check_comparator(checker, call, comparator);
	if (type != NULL)
		check_match_type(checker, call, type);
	if (!sieve_match_is_possible(call->match))
		sieve_checker_tell(checker, call->place,
		    "the comparator \"i;ascii-numeric\" compares whole numbers: it cannot do "
		    "':%.*s'",
		    STR_FMT(type->tag->name));
}

/* --- commands and tests --- */

static struct sieve_call *check_node(
    struct sieve_checker *checker, const struct sieve_node *node, bool as_test);

/* Where a command stands for a test, a ";" was most likely forgotten; where a name without a colon
 * does, that. Tells one of these, or nothing. */
static bool tell_forgotten(
    struct sieve_checker *checker, const struct sieve_call *call, const struct sieve_node *test)
{
	const struct sieve_type *type = call->type;
	const struct sieve_type *command = find_type(checker->types, test->name, false);

	if (sieve_tag_find(type, test->name) != NULL)
		sieve_checker_tell(checker, test->place,
		    "missing colon in front of '%.*s', which is a tag of the %.*s %s",
		    STR_FMT(test->name), STR_FMT(type->name), kind_of(type));
	else if (!type->is_test && !type->has_block && command != NULL && !command->is_test)
		sieve_checker_tell(checker, test->place,
		    "missing semicolon behind the %.*s command, in front of '%.*s'",
		    STR_FMT(type->name), STR_FMT(test->name));
	else
		return false;
	return true;
}

static void check_tests(
    struct sieve_checker *checker, struct sieve_call *call, const struct sieve_node *node)
{
	static const char *const wanted[] = {[SIEVE_NO_TEST] = "accepts no sub-tests",
	    [SIEVE_ONE_TEST] = "wants one test",
	    [SIEVE_TEST_LIST] = "wants tests in parentheses"};
	const struct sieve_type *type = call->type;
	struct sieve_call **tail = &call->tests;
	bool fits = node->tests == NULL
	                ? type->tests == SIEVE_NO_TEST
	                : type->tests == (node->has_test_list ? SIEVE_TEST_LIST : SIEVE_ONE_TEST);

	if (!fits && node->tests != NULL && tell_forgotten(checker, call, node->tests))
		return;
	if (!fits) {
		sieve_checker_tell(checker, node->tests != NULL ? node->tests->place : node->place,
		    "the %.*s %s %s, but %s specified", STR_FMT(type->name), kind_of(type),
		    wanted[type->tests],
		    node->tests == NULL   ? "none is"
		    : node->has_test_list ? "a list of tests is"
		                          : "one is");
		return;
	}
	for (const struct sieve_node *test = node->tests; test != NULL; test = test->next) {
		*tail = check_node(checker, test, true);
		if (*tail != NULL)
			tail = &(*tail)->next;
	}
}

static struct sieve_call *check_block(struct sieve_checker *checker, const struct sieve_node *nodes)
{
	const struct sieve_call *previous = checker->previous;
	struct sieve_call *first = NULL, **tail = &first;

	checker->previous = NULL;
	for (const struct sieve_node *node = nodes; node != NULL; node = node->next) {
		struct sieve_call *call = check_node(checker, node, false);
		checker->previous = call;
		if (call == NULL)
			continue;
		*tail = call;
		tail = &call->next;
	}
	checker->previous = previous;
	return first;
}

static void check_has_block(
    struct sieve_checker *checker, const struct sieve_call *call, const struct sieve_node *node)
{
	const struct sieve_type *type = call->type;

	if (!type->is_test && type->has_block != node->has_block)
		sieve_checker_tell(checker, node->place, "the %.*s command %s", STR_FMT(type->name),
		    type->has_block ? "wants a block, { and }, behind it"
		                    : "ends with a semicolon; it takes no block");
}

/* The type that a name stands for here, NULL with a problem told. */
static const struct sieve_type *type_of(
    struct sieve_checker *checker, const struct sieve_node *node, bool as_test)
{
	const struct sieve_type *type = find_type(checker->types, node->name, as_test);

	if (type == NULL)
		sieve_checker_tell(checker, node->place, "there is no %s '%.*s'",
		    as_test ? "test" : "command", STR_FMT(str_first(node->name, 60)));
	else if (type->is_test != as_test)
		sieve_checker_tell(checker, node->place, "cannot use %s '%.*s' as a %s",
		    kind_of(type), STR_FMT(type->name), as_test ? "test" : "command");
	else if (!sieve_checker_has(checker, type->extension))
		sieve_checker_tell(checker, node->place,
		    "the %s '%.*s' is there when the script requires \"%.*s\"", kind_of(type),
		    STR_FMT(type->name), STR_FMT(sieve_extension_name(type->extension)));
	else
		return type;
	return NULL;
}

static struct sieve_call *check_node(
    struct sieve_checker *checker, const struct sieve_node *node, bool as_test)
{
	const struct sieve_type *type = type_of(checker, node, as_test);
	size_t known = checker->problems->n;

	if (type == NULL)
		return NULL;
	struct sieve_call *call = ARENA_NEW(checker->arena, struct sieve_call);
	if (taken(checker, node->place, call) == NULL)
		return NULL;
	call->type = type;
	call->place = node->place;
	check_arguments(checker, call, node);
	if (checker->problems->n == known)
		check_tests(checker, call, node);
	if (checker->problems->n == known)
		check_match(checker, call);
	if (type->check != NULL && checker->problems->n == known)
		type->check(checker, call);
	if (checker->problems->n == known ||
	    node->has_block) /* a missing block may be a follow-on */
		check_has_block(checker, call, node);
	checker->depth++;
	call->block = check_block(checker, node->block);
	checker->depth--;
	return call;
}

bool sieve_check(struct str script, sieve_types types, struct arena *arena,
    struct sieve_problems *problems, struct sieve_program *ret_program)
{
	struct sieve_checker checker = {.arena = arena, .problems = problems, .types = types};
	struct sieve_node *nodes;
	size_t known = problems->n;

	if (!sieve_parse(script, arena, problems, &nodes))
		return false;
	struct sieve_call *commands = check_block(&checker, nodes);
	if (problems->n > known)
		return false;
	*ret_program = (struct sieve_program){.commands = commands, .extensions = checker.required};
	return true;
}
