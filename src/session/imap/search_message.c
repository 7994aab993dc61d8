#include "session/imap/search_message.h"

#include "mail/charset.h"
#include "mail/header.h"

void search_message_init(struct search_message *m, struct store *store)
{
	*m = (struct search_message){.arena = ARENA_MAX(MIME_ARENA_MAX)};
	m->message.store = store;
	m->message.arena = &m->arena;
}

void search_message_done(struct search_message *m)
{
	fetch_message_done(&m->message);
	arena_done(&m->arena);
	search_texts_done(&m->texts);
}

void search_message_next(struct search_message *m, uint32_t id)
{
	fetch_message_done(&m->message);
	arena_clear(&m->arena);
	m->message.id = id;
	m->error = 0;
}

/* What is looked for, and whether it was found. */
struct looking {
	struct str word;
	struct buf seam; /* of a text that comes in pieces, the end of what was looked at */
	bool subject;    /* only in the Subject that the envelope has */
	bool body;       /* not in the headers of parts */
	bool found;
};

static bool holds(struct str text, struct str word)
{
	return word.len == 0 || str_find(text, word) < text.len;
}

/*
 * Whether a piece of a text holds the word, or begins with the rest of one. So much of each piece
 * is kept as the beginning of the word can be.
 */
static bool piece_holds(struct looking *l, struct str text, bool goes_on)
{
	size_t keep = l->word.len > 0 ? l->word.len - 1 : 0;

	if (!goes_on)
		buf_clear(&l->seam);
	if (holds(text, l->word))
		return true;
	buf_add(&l->seam, str_first(text, keep));
	if (goes_on && holds(buf_str(&l->seam), l->word))
		return true;
	if (text.len >= keep) {
		buf_clear(&l->seam);
		buf_add(&l->seam, str_from(text, text.len - keep));
	} else if (l->seam.len > keep) {
		buf_consume(&l->seam, l->seam.len - keep);
	}
	return false;
}

static bool in_value(void *ctx, const struct search_text *text)
{
	struct looking *l = ctx;

	if (!l->subject || text->class == SEARCH_CLASS_SUBJECT)
		l->found = holds(text->text, l->word);
	return !l->found;
}

static bool in_all(void *ctx, const struct search_text *text)
{
	struct looking *l = ctx;

	if (!l->body || text->class == SEARCH_CLASS_BODY)
		l->found = piece_holds(l, text->joined, text->goes_on);
	return !l->found;
}

static bool header_matches(
    struct search_message *m, struct looking *l, struct str field, search_text_fn fn)
{
	struct str header;

	m->error = fetch_message_header(&m->message, &header);
	if (m->error == 0)
		(void)search_text_header(&m->texts, header, field, &m->arena, fn, l);
	return l->found;
}

static bool body_matches(struct search_message *m, struct looking *l)
{
	const struct mime_part *root;
	int r = fetch_message_structure(&m->message, &root);

	if (r == 0)
		r = search_text_body(&m->texts, &m->message.bytes, root, in_all, l);
	m->error = r < 0 ? r : 0;
	return l->found;
}

static void looking_done(struct looking *l)
{
	buf_done(&l->seam);
}

bool search_message_matches(struct search_message *m, const struct imap_search_key *key)
{
	struct looking l CLEANUP(looking_done) = {
	    .word = key->text, .seam = BUF_MAX(2 * key->text.len)};

	if (m->error < 0 || (key->op == SEARCH_HEADER && key->field.len == 0))
		return false;
	switch (key->op) {
	case SEARCH_HEADER:
		l.subject = search_class_of(key->field) == SEARCH_CLASS_SUBJECT;
		return header_matches(m, &l, key->field, in_value);
	case SEARCH_BODY:
		l.body = true;
		return body_matches(m, &l);
	default:
		return header_matches(m, &l, STR(""), in_all) ||
		       (m->error == 0 && body_matches(m, &l));
	}
}

bool search_message_holds(struct search_message *m, struct str text, struct str folded_word)
{
	struct buf *folded = &m->texts.folded;

	folded->max = SEARCH_TEXT_FOLDED_MAX;
	buf_clear(folded);
	charset_search_key(text, folded);
	return holds(buf_str(folded), folded_word);
}
