#include "sieve/lex.h"
#include "sieve/tree.h"

/*
 * A descent along the grammar with one token looked ahead. A function that has told a problem
 * returns false, up to the list of commands, which skips to where the next command begins.
 */
struct parser {
	struct sieve_lexer lexer;
	struct sieve_token token; /* the next one, not yet taken */
	unsigned depth;
};

enum { QUOTED_LEN_MAX = 60 }; /* of what a problem quotes */

static void take(struct parser *p)
{
	p->token = sieve_lex(&p->lexer);
}

static bool take_if(struct parser *p, char separator)
{
	if (!sieve_token_is(&p->token, separator))
		return false;
	take(p);
	return true;
}

/* Tells that `wanted` does not stand here. What the lexer has told is not told again. */
static bool expected(struct parser *p, const char *wanted)
{
	const struct sieve_token *token = &p->token;
	struct sieve_problems *problems = p->lexer.problems;
	struct str text = str_first(token->text, QUOTED_LEN_MAX);

	switch (token->kind) {
	case SIEVE_TOKEN_WRONG:
		break;
	case SIEVE_TOKEN_END:
		if (!p->lexer.is_over)
			sieve_problem_add(problems, token->place,
			    "expected %s, but the script ends here", wanted);
		break;
	case SIEVE_TOKEN_NUMBER:
		sieve_problem_add(problems, token->place, "expected %s, found the number %llu",
		    wanted, (unsigned long long)token->number);
		break;
	case SIEVE_TOKEN_STRING:
		sieve_problem_add(problems, token->place, "expected %s, found a string", wanted);
		break;
	case SIEVE_TOKEN_TAG:
		sieve_problem_add(
		    problems, token->place, "expected %s, found \":%.*s\"", wanted, STR_FMT(text));
		break;
	case SIEVE_TOKEN_IDENTIFIER:
	case SIEVE_TOKEN_SEPARATOR:
		sieve_problem_add(
		    problems, token->place, "expected %s, found \"%.*s\"", wanted, STR_FMT(text));
		break;
	}
	return false;
}

static bool too_large(struct parser *p)
{
	sieve_problem_add(p->lexer.problems, p->token.place,
	    "the script needs more memory than a script may take");
	p->lexer.rest = str_from(p->lexer.rest, p->lexer.rest.len);
	p->lexer.is_over = true;
	take(p);
	return false;
}

static bool too_deep(struct parser *p)
{
	sieve_problem_add(p->lexer.problems, p->token.place,
	    "blocks and tests stand more than %d deep in one another here", SIEVE_DEPTH_MAX);
	return false;
}

/* --- arguments --- */

/* string = quoted-string / multi-line */
static bool parse_string(struct parser *p, struct sieve_string ***tail)
{
	if (p->token.kind != SIEVE_TOKEN_STRING)
		return expected(p, "a string");
	struct sieve_string *string = ARENA_NEW(p->lexer.arena, struct sieve_string);
	if (string == NULL)
		return too_large(p);
	string->place = p->token.place;
	string->text = p->token.text;
	**tail = string;
	*tail = &string->next;
	take(p);
	return true;
}

/* string-list = "[" string *("," string) "]" / string */
static bool parse_strings(struct parser *p, struct sieve_argument *argument)
{
	struct sieve_string **tail = &argument->strings;

	argument->kind = SIEVE_ARGUMENT_STRINGS;
	argument->is_list = take_if(p, '[');
	if (!parse_string(p, &tail))
		return false;
	if (!argument->is_list)
		return true;
	while (take_if(p, ','))
		if (!parse_string(p, &tail))
			return false;
	return take_if(p, ']') || expected(p, "\",\" or \"]\" behind a string of a list");
}

static bool begins_argument(const struct sieve_token *token)
{
	return token->kind == SIEVE_TOKEN_NUMBER || token->kind == SIEVE_TOKEN_TAG ||
	       token->kind == SIEVE_TOKEN_STRING || sieve_token_is(token, '[');
}

/* argument = string-list / number / tag */
static bool parse_argument(struct parser *p, struct sieve_argument *argument)
{
	argument->place = p->token.place;
	switch (p->token.kind) {
	case SIEVE_TOKEN_NUMBER:
		argument->kind = SIEVE_ARGUMENT_NUMBER;
		argument->number = p->token.number;
		take(p);
		return true;
	case SIEVE_TOKEN_TAG:
		argument->kind = SIEVE_ARGUMENT_TAG;
		argument->tag = p->token.text;
		take(p);
		return true;
	default:
		return parse_strings(p, argument);
	}
}

static bool parse_test(struct parser *p, struct sieve_node ***tail);

/* test-list = "(" test *("," test) ")" */
static bool parse_test_list(struct parser *p, struct sieve_node *node)
{
	struct sieve_node **tail = &node->tests;

	node->has_test_list = true;
	do {
		take(p); /* the parenthesis, or a comma */
		if (!parse_test(p, &tail))
			return false;
	} while (sieve_token_is(&p->token, ','));
	return take_if(p, ')') || expected(p, "\",\" or \")\" behind a test of a list");
}

/* arguments = *argument [ test / test-list ] */
static bool parse_arguments(struct parser *p, struct sieve_node *node)
{
	struct sieve_argument **tail = &node->arguments;

	while (begins_argument(&p->token)) {
		struct sieve_argument *argument = ARENA_NEW(p->lexer.arena, struct sieve_argument);
		if (argument == NULL)
			return too_large(p);
		*tail = argument;
		tail = &argument->next;
		if (!parse_argument(p, argument))
			return false;
	}
	if (sieve_token_is(&p->token, '('))
		return parse_test_list(p, node);
	struct sieve_node **test = &node->tests;
	return p->token.kind != SIEVE_TOKEN_IDENTIFIER || parse_test(p, &test);
}

/* identifier arguments: what commands and tests begin with. The identifier stands there. */
static bool parse_node(struct parser *p, struct sieve_node ***tail)
{
	struct sieve_node *node = ARENA_NEW(p->lexer.arena, struct sieve_node);

	if (node == NULL)
		return too_large(p);
	node->place = p->token.place;
	node->name = p->token.text;
	**tail = node;
	*tail = &node->next;
	take(p);
	return parse_arguments(p, node);
}

/* test = identifier arguments */
static bool parse_test(struct parser *p, struct sieve_node ***tail)
{
	if (p->token.kind != SIEVE_TOKEN_IDENTIFIER)
		return expected(p, "a test");
	if (p->depth == SIEVE_DEPTH_MAX)
		return too_deep(p);
	p->depth++;
	bool is_right = parse_node(p, tail);
	p->depth--;
	return is_right;
}

/* --- commands --- */

static void parse_commands(struct parser *p, struct sieve_node **tail);

/* block = "{" commands "}"; the brace stands there */
static bool parse_block(struct parser *p, struct sieve_node *node)
{
	if (p->depth == SIEVE_DEPTH_MAX)
		return too_deep(p);
	take(p);
	node->has_block = true;
	p->depth++;
	parse_commands(p, &node->block);
	p->depth--;
	return take_if(p, '}') || expected(p, "a command, or the \"}\" of the block");
}

/* command = identifier arguments (";" / block) */
static bool parse_command(struct parser *p, struct sieve_node ***tail)
{
	struct sieve_node **node = *tail;

	if (p->token.kind != SIEVE_TOKEN_IDENTIFIER)
		return expected(p, "a command");
	if (!parse_node(p, tail))
		return false;
	if (sieve_token_is(&p->token, '{'))
		return parse_block(p, *node);
	return take_if(p, ';') || expected(p, "\";\" or \"{\" behind a command");
}

/*
 * Behind a problem: takes what is left of the command, up to its ";" or over its block, and stops
 * in front of a "}" that ends a block around it. One problem of a command is enough: what the lexer
 * finds on the way is not told.
 */
static void skip_command(struct parser *p)
{
	struct sieve_problems unheard = {0}, *heard = p->lexer.problems;
	size_t open = 0;

	p->lexer.problems = &unheard;
	for (; p->token.kind != SIEVE_TOKEN_END; take(p)) {
		bool is_closing = sieve_token_is(&p->token, '}');
		if (is_closing && open == 0)
			break;
		open += sieve_token_is(&p->token, '{');
		open -= is_closing;
		if (open == 0 && (is_closing || sieve_token_is(&p->token, ';'))) {
			p->lexer.problems = heard;
			take(p);
			break;
		}
	}
	p->lexer.problems = heard;
}

/* commands = *command; ends in front of a "}" or of the script's end */
static void parse_commands(struct parser *p, struct sieve_node **tail)
{
	while (p->token.kind != SIEVE_TOKEN_END) {
		if (!sieve_token_is(&p->token, '}')) {
			if (!parse_command(p, &tail))
				skip_command(p);
			continue;
		}
		if (p->depth > 0)
			return;
		(void)expected(p, "a command");
		take(p);
	}
}

bool sieve_parse(struct str script, struct arena *arena, struct sieve_problems *problems,
    struct sieve_node **ret_commands)
{
	struct sieve_node *commands = NULL;
	struct parser parser = {0};
	size_t known = problems->n;

	sieve_lexer_init(&parser.lexer, script, arena, problems);
	take(&parser);
	parse_commands(&parser, &commands);
	if (problems->n > known)
		return false;
	*ret_commands = commands;
	return true;
}
