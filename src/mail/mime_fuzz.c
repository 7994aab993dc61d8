/*
 * Any bytes as a message: children lie inside their parents, in order, and every part is found; and
 * the tree is the same when the message lies in small windows.
 */
#include <assert.h>
#include <stdint.h>

#include "mail/mime.h"
#include "mail/test_windows.h"
#include "mail/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_part(struct str message, const struct mime_part *part)
{
	struct buf name CLEANUP(buf_done) = BUF_MAX(4096);
	size_t at = part->body_at, end = part->body_at + part->body_len, n = 0;

	assert(part->header_at + part->header_len == part->body_at && end <= message.len);
	assert(part->n_lines <= part->body_len);
	for (const struct mime_part *child = part->first_child; child != NULL;
	     child = child->next) {
		assert(child->header_at >= at && child->parent == part && child->number == ++n);
		at = child->body_at + child->body_len;
		assert(at <= end || child->body_len == 0);
	}
	assert(n == part->n_children && (!part->message || n == 1));
	assert(n == 0 || part->multipart || part->message);
	(void)mime_filename(part, &name);
}

static void check_numbers(const struct mime_part *root, const struct mime_part *part)
{
	uint32_t numbers[MIME_DEPTH_MAX + 2];
	size_t n = 0;

	for (const struct mime_part *p = part; p->parent != NULL; p = p->parent) {
		if (!p->parent->message || !p->multipart)
			numbers[n++] = p->number;
	}
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t swap = numbers[i];
		numbers[i] = numbers[n - 1 - i];
		numbers[n - 1 - i] = swap;
	}
	/* A message that is the root itself has the number 1 for itself. */
	if (!root->message && !(part->multipart && mime_is_message_root(part)))
		assert(mime_find(root, numbers, n) == part);
}

static void check_texts(struct mail_source *message, const struct mime_part *root)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1000);

	for (const struct mime_part *part = root; part != NULL; part = mime_next(part)) {
		buf_clear(&text);
		assert(text_of_part(message, part, &text) == 0 && text.len <= 1000);
	}
}

static void check_same(const struct mime_part *x, const struct mime_part *y)
{
	assert(x->header_at == y->header_at && x->header_len == y->header_len);
	assert(x->body_at == y->body_at && x->body_len == y->body_len);
	assert(x->n_lines == y->n_lines && x->n_children == y->n_children);
	assert(x->multipart == y->multipart && x->message == y->message);
	assert(str_eq(x->type, y->type) && str_eq(x->subtype, y->subtype));
	assert(x->type_params.n == y->type_params.n && x->encoding == y->encoding);
	for (size_t i = 0; i < x->type_params.n; i++)
		assert(str_eq(x->type_params.list[i].value, y->type_params.list[i].value));
	assert(str_eq(x->description, y->description) && str_eq(x->disposition, y->disposition));
}

static void check_windows(struct str message, const struct mime_part *root)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct test_windows w CLEANUP(test_windows_done) = {message, 1 + message.len % 17, NULL, 0};
	struct mail_source source = test_windows_source(&w);
	struct mime_part *other;

	assert(mime_read(&source, &a, &other) == 0);
	const struct mime_part *part = other;
	for (; root != NULL && part != NULL; root = mime_next(root), part = mime_next(part))
		check_same(root, part);
	assert(root == NULL && part == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str message = str_of(data, len);
	struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
	struct mail_source source = mail_source_of(message);
	struct mime_part *root;
	size_t n = 0;

	assert(mime_parse(message, &a, &root) == 0);
	for (const struct mime_part *part = root; part != NULL; part = mime_next(part)) {
		check_part(message, part);
		check_numbers(root, part);
		n++;
	}
	assert(n <= MIME_PARTS_MAX);
	check_texts(&source, root);
	check_windows(message, root);
	return 0;
}
