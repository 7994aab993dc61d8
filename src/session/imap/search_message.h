/*
 * session/imap/search_message.h: looking into one message itself for what a SEARCH key asks, where
 * nothing else could tell.
 *
 * The message is opened with the first key that needs it, and only its header where that is enough.
 */
#ifndef SESSION_IMAP_SEARCH_MESSAGE_H
#define SESSION_IMAP_SEARCH_MESSAGE_H

#include "imap/search_key.h"
#include "mail/search_text.h"
#include "session/imap/fetch_section.h"

/* The message that is looked into. */
struct search_message {
	struct fetch_message message;
	struct arena arena; /* of its structure */
	struct search_texts texts;
	int error; /* reading it failed: what was answered means nothing */
};

void search_message_init(struct search_message *m, struct store *store);
void search_message_done(struct search_message *m);

/* Goes to another message. */
void search_message_next(struct search_message *m, uint32_t id);

/* Whether it has what the key, one of HEADER, BODY and TEXT, asks for. */
bool search_message_matches(struct search_message *m, const struct imap_search_key *key);

/* True when `text` (not folded) holds the folded word. */
bool search_message_holds(struct search_message *m, struct str text, struct str folded_word);

#endif
