/* Any bytes as a script: what is read is written, read again, and written the same. */
#include <assert.h>
#include <stdint.h>

#include "sieve/lex.h"
#include "sieve/test_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned depth_of(const struct sieve_node *node)
{
	unsigned deepest = 0;

	for (; node != NULL; node = node->next) {
		unsigned tests = depth_of(node->tests), block = depth_of(node->block);
		deepest = tests > deepest ? tests : deepest;
		deepest = block > deepest ? block : deepest;
	}
	return deepest + 1;
}

static bool read(struct str script, struct arena *arena, struct sieve_problems *problems,
    struct sieve_node **ret_commands)
{
	bool is_right = sieve_parse(script, arena, problems, ret_commands);

	assert(is_right == (problems->n == 0));
	for (size_t i = 0; i < sieve_problems_kept(problems); i++)
		assert(problems->first[i].place.line > 0 && problems->first[i].place.column > 0 &&
		       problems->first[i].text[0] != '\0');
	return is_right;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena CLEANUP(arena_done) = ARENA_MAX(SIEVE_TREE_LEN_MAX);
	struct arena again CLEANUP(arena_done) = ARENA_MAX(SIEVE_TREE_LEN_MAX);
	struct buf one CLEANUP(buf_done) = BUF_MAX(8 * SIEVE_SCRIPT_LEN_MAX);
	struct buf two CLEANUP(buf_done) = BUF_MAX(8 * SIEVE_SCRIPT_LEN_MAX);
	struct sieve_problems problems = {0};
	struct sieve_node *commands = NULL;

	if (!read(str_of(data, len), &arena, &problems, &commands))
		return 0;
	assert(depth_of(commands) <= SIEVE_DEPTH_MAX + 2);
	write_commands(commands, &one);
	if (buf_failed(&one) || one.len > SIEVE_SCRIPT_LEN_MAX)
		return 0;
	assert(read(buf_str(&one), &again, &problems, &commands));
	write_commands(commands, &two);
	assert(str_eq(buf_str(&one), buf_str(&two)));
	return 0;
}
