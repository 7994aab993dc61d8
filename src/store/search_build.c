/* The words of new messages, gathered in memory until they are a segment. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "mail/header.h"
#include "mail/search_word.h"
#include "store/search_index.h"
#include "store/store_message.h"

enum {
	HASH_FIRST = 1 << 12,
	TEXT_MAX = 64 << 20, /* far above SEARCH_BATCH_LEN and the words of one message */
	LIST_MAX = 8 * SEARCH_BATCH_MESSAGES,
};

struct word {
	uint32_t at; /* in `text` */
	uint16_t len;
	uint8_t class;
	uint32_t last; /* the message that had it last */
	uint32_t n;    /* how many have it */
	uint32_t from; /* while writing: its first in `sorted` */
};

struct pair {
	uint32_t word, message;
};

struct search_builder {
	struct buf text;
	struct word *words;
	size_t n_words, words_cap;
	uint32_t *hash; /* index of `words` + 1; a power of two */
	size_t hash_len;
	struct pair *pairs;
	size_t n_pairs, pairs_cap;
	uint32_t first, message, n_messages;
	size_t words_before, pairs_before; /* this message */
	bool too_many;
	struct search_texts texts;
};

struct search_builder *search_builder_new(void)
{
	struct search_builder *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->text = BUF_MAX(TEXT_MAX);
	b->hash_len = HASH_FIRST;
	b->hash = calloc(b->hash_len, sizeof(*b->hash));
	if (!b->hash)
		abort();
	return b;
}

void search_builder_free(struct search_builder *b)
{
	if (!b)
		return;
	buf_done(&b->text);
	free(b->words);
	free(b->hash);
	free(b->pairs);
	search_texts_done(&b->texts);
	free(b);
}

uint32_t search_builder_first(const struct search_builder *b)
{
	return b->first;
}

uint32_t search_builder_n(const struct search_builder *b)
{
	return b->n_messages;
}

bool search_builder_is_full(const struct search_builder *b)
{
	size_t len = b->text.len + b->n_words * sizeof(*b->words) + b->hash_len * sizeof(*b->hash) +
	             b->n_pairs * sizeof(*b->pairs);

	return b->n_messages >= SEARCH_BATCH_MESSAGES || len >= SEARCH_BATCH_LEN;
}

static struct str word_text(const struct search_builder *b, const struct word *word)
{
	return str_of(b->text.p + word->at, word->len);
}

/* FNV-1a. */
static uint64_t hash_of(unsigned class, struct str text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ class;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* Where the word stands in the table, or would. */
static uint32_t *slot_of(struct search_builder *b, unsigned class, struct str text)
{
	size_t mask = b->hash_len - 1;

	for (size_t i = (size_t)hash_of(class, text) & mask;; i = (i + 1) & mask) {
		uint32_t *slot = &b->hash[i];
		if (*slot == 0)
			return slot;
		const struct word *word = &b->words[*slot - 1];
		if (word->class == class && str_eq(word_text(b, word), text))
			return slot;
	}
}

static void fill_hash(struct search_builder *b, size_t len)
{
	free(b->hash);
	b->hash_len = len;
	b->hash = calloc(len, sizeof(*b->hash));
	if (!b->hash)
		abort();
	for (size_t i = 0; i < b->n_words; i++) {
		const struct word *word = &b->words[i];
		*slot_of(b, word->class, word_text(b, word)) = (uint32_t)i + 1;
	}
}

/* Room for one more. */
static void *grown(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap ? 2 * *cap : 1024;
	p = reallocarray(p, *cap, size);
	if (!p)
		abort();
	return p;
}

static struct word *new_word(struct search_builder *b, unsigned class, struct str text)
{
	if (2 * (b->n_words + 1) > b->hash_len)
		fill_hash(b, 2 * b->hash_len);
	b->words = grown(b->words, b->n_words, &b->words_cap, sizeof(*b->words));
	struct word *word = &b->words[b->n_words];
	*word = (struct word){
	    .at = (uint32_t)b->text.len, .len = (uint16_t)text.len, .class = (uint8_t) class};
	bool fits = buf_add(&b->text, text);
	assert(fits);
	*slot_of(b, class, text) = (uint32_t)++b->n_words;
	return word;
}

static void add_word(struct search_builder *b, unsigned class, struct str text)
{
	uint32_t slot = *slot_of(b, class, text);
	struct word *word = slot != 0 ? &b->words[slot - 1] : NULL;

	if (word && word->last == b->message)
		return;
	b->too_many = b->n_pairs - b->pairs_before >= STORE_SEARCH_WORDS_MAX;
	if (b->too_many)
		return;
	if (!word)
		word = new_word(b, class, text);
	word->last = b->message;
	b->pairs = grown(b->pairs, b->n_pairs, &b->pairs_cap, sizeof(*b->pairs));
	b->pairs[b->n_pairs++] = (struct pair){(uint32_t)(word - b->words), b->message};
}

static void add_words(struct search_builder *b, unsigned class, struct str text)
{
	struct search_words words = search_words_of(class, text);
	struct str word;

	while (!b->too_many && search_word_next(&words, &word))
		add_word(b, class, word);
}

static bool on_text(void *ctx, const struct search_text *text)
{
	struct search_builder *b = ctx;

	/* The words at the seam would be lost: whoever searches has to look at such a message. */
	b->too_many |= text->torn;
	add_words(b, SEARCH_CLASS_NAME, text->name);
	add_words(b, text->class, text->text);
	return !b->too_many;
}

/* Takes back what this message brought. */
static void take_back(struct search_builder *b, size_t text_len)
{
	b->n_words = b->words_before;
	b->n_pairs = b->pairs_before;
	b->text.len = text_len;
	fill_hash(b, b->hash_len);
}

static int add_texts(struct search_builder *b, struct store *s, struct mail_source *message)
{
	struct buf room CLEANUP(buf_done) = BUF_MAX(HEADER_LOOK_LEN);
	struct mime_part *root;
	struct str header;
	size_t text_len = b->text.len;

	arena_clear(&s->parsed);
	int r = mime_read(message, &s->parsed, &root);
	if (r == 0)
		r = mail_source_slice(message, root->header_at, root->header_len, &room, &header);
	if (r < 0)
		return r == -E2BIG ? -EFBIG : r;
	b->words_before = b->n_words;
	b->pairs_before = b->n_pairs;
	b->too_many = false;
	if (search_text_header(&b->texts, header, STR(""), &s->parsed, on_text, b))
		r = search_text_body(&b->texts, message, root, on_text, b);
	if (r >= 0 && !b->too_many)
		return 0;
	take_back(b, text_len);
	return r < 0 ? r : -EFBIG;
}

static void close_body(struct store_body **body)
{
	store_body_close(*body);
}

int search_builder_add(struct search_builder *b, struct store *s, uint32_t message)
{
	struct store_body *body CLEANUP(close_body) = NULL;
	int error = store_body_open(s, message, &body);

	if (error)
		return error;
	struct mail_source bytes = store_body_source(body);
	b->message = message;
	error = add_texts(b, s, &bytes);
	if (error)
		return error;
	if (b->n_messages++ == 0)
		b->first = message;
	return 0;
}

static int compare_words(const void *x, const void *y, void *ctx)
{
	const struct search_builder *b = ctx;
	const struct word *v = &b->words[*(const uint32_t *)x],
	                  *w = &b->words[*(const uint32_t *)y];

	if (v->class != w->class)
		return v->class < w->class ? -1 : 1;
	return str_cmp(word_text(b, v), word_text(b, w));
}

/* The messages of each word side by side, by counting. */
static uint32_t *sort_pairs(struct search_builder *b)
{
	uint32_t *sorted = reallocarray(NULL, b->n_pairs + 1, sizeof(*sorted));
	uint32_t from = 0;

	if (!sorted)
		abort();
	for (size_t i = 0; i < b->n_words; i++)
		b->words[i].n = 0;
	for (size_t i = 0; i < b->n_pairs; i++)
		b->words[b->pairs[i].word].n++;
	for (size_t i = 0; i < b->n_words; i++) {
		b->words[i].from = from;
		from += b->words[i].n;
		b->words[i].n = 0;
	}
	for (size_t i = 0; i < b->n_pairs; i++) {
		struct word *word = &b->words[b->pairs[i].word];
		sorted[word->from + word->n++] = b->pairs[i].message;
	}
	return sorted;
}

static uint32_t *sort_words(struct search_builder *b)
{
	uint32_t *order = reallocarray(NULL, b->n_words + 1, sizeof(*order));

	if (!order)
		abort();
	for (size_t i = 0; i < b->n_words; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, b->n_words, sizeof(*order), compare_words, b);
	return order;
}

int search_builder_write(struct search_builder *b, struct search_writer *w)
{
	struct buf list CLEANUP(buf_done) = BUF_MAX(LIST_MAX);
	uint32_t *sorted = sort_pairs(b), *order = sort_words(b);
	int error = 0;

	for (size_t i = 0; !error && i < b->n_words; i++) {
		const struct word *word = &b->words[order[i]];
		uint32_t before = b->first;
		buf_clear(&list);
		for (uint32_t j = 0; j < word->n; j++) {
			search_put_number(&list, sorted[word->from + j] - before);
			before = sorted[word->from + j];
		}
		error = search_writer_add(w, word->class, word_text(b, word), buf_str(&list));
	}
	free(sorted);
	free(order);
	return error ? error : search_writer_flush(w);
}
