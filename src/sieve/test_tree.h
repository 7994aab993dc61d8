/*
 * sieve/test_tree.h: for tests and fuzz targets: a tree written as a script again, in one fixed
 * form.
 *
 *   if not header :is ["a"] ["b", "c"] { keep; }
 */
#ifndef SIEVE_TEST_TREE_H
#define SIEVE_TEST_TREE_H

#include "sieve/tree.h"

#include "base/buf.h"

static inline void write_string(struct str text, struct buf *out)
{
	buf_add_c(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add_c(out, '\\');
		buf_add_c(out, text.p[i]);
	}
	buf_add_c(out, '"');
}

static inline void write_argument(const struct sieve_argument *argument, struct buf *out)
{
	switch (argument->kind) {
	case SIEVE_ARGUMENT_NUMBER:
		buf_printf(out, " %llu", (unsigned long long)argument->number);
		return;
	case SIEVE_ARGUMENT_TAG:
		buf_printf(out, " :%.*s", STR_FMT(argument->tag));
		return;
	case SIEVE_ARGUMENT_STRINGS:
		buf_add(out, argument->is_list ? STR(" [") : STR(" "));
		for (const struct sieve_string *s = argument->strings; s != NULL; s = s->next) {
			write_string(s->text, out);
			if (s->next != NULL)
				buf_add(out, STR(", "));
		}
		buf_add(out, argument->is_list ? STR("]") : STR(""));
		return;
	}
}

/* A command or a test up to its ";" or block. */
static inline void write_node(const struct sieve_node *node, struct buf *out)
{
	buf_add(out, node->name);
	for (const struct sieve_argument *a = node->arguments; a != NULL; a = a->next)
		write_argument(a, out);
	buf_add(out, node->has_test_list ? STR(" (") : STR(""));
	for (const struct sieve_node *test = node->tests; test != NULL; test = test->next) {
		buf_add(out, node->has_test_list && test == node->tests ? STR("") : STR(" "));
		write_node(test, out);
		buf_add(out, test->next != NULL ? STR(",") : STR(""));
	}
	buf_add(out, node->has_test_list ? STR(")") : STR(""));
}

static inline void write_commands(const struct sieve_node *commands, struct buf *out)
{
	for (const struct sieve_node *node = commands; node != NULL; node = node->next) {
		write_node(node, out);
		if (!node->has_block) {
			buf_add(out, STR(";"));
		} else {
			buf_add(out, STR(" { "));
			write_commands(node->block, out);
			buf_add(out, STR("}"));
		}
		buf_add(out, STR(" "));
	}
}

#endif
