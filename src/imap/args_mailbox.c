/* Arguments of the commands on mailboxes and on the connection. */
#include "imap/command_args.h"

/*
 * id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil (RFC 2971 §4). The
 * values are checked and not kept: nobody here needs to know which client it is.
 */
bool imap_parse_id(struct imap_parser *p, struct imap_command *c)
{
	struct str word;

	(void)c;
	if (!imap_parse_space(p))
		return false;
	if (imap_skip_word(p, STR("NIL")))
		return true;
	if (!imap_parse_char(p, '('))
		return false;
	if (imap_skip(p, ')'))
		return true;
	for (size_t i = 0; i < IMAP_ID_PAIRS_MAX; i++) {
		if (!imap_parse_string(p, &word) || !imap_parse_space(p) ||
		    !imap_parse_nstring(p, &word))
			return false;
		if (!imap_skip(p, ' '))
			return imap_parse_char(p, ')');
	}
	return imap_fail(p, "fewer ID fields");
}

/* authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp], initial-resp = base64 / "=" */
bool imap_parse_authenticate(struct imap_parser *p, struct imap_command *c)
{
	if (!imap_parse_space(p) || !imap_parse_atom(p, &c->mechanism))
		return false;
	if (c->mechanism.len > IMAP_MECHANISM_LEN_MAX)
		return imap_fail(p, "a shorter mechanism name");
	if (!imap_skip(p, ' '))
		return true;
	c->has_initial = true;
	return imap_parse_atom(p, &c->initial);
}

/* enable = "ENABLE" 1*(SP capability) */
bool imap_parse_enable(struct imap_parser *p, struct imap_command *c)
{
	c->words = ARENA_NEW_ARRAY(p->arena, struct str, IMAP_ENABLE_MAX);
	if (c->words == NULL)
		return imap_fail_size(p);
	if (!imap_parse_space(p))
		return false;
	do {
		if (c->n_words == IMAP_ENABLE_MAX)
			return imap_fail(p, "fewer capabilities");
		if (!imap_parse_atom(p, &c->words[c->n_words++]))
			return false;
	} while (imap_skip(p, ' '));
	return true;
}

bool imap_parse_name(struct imap_parser *p, struct imap_command *c)
{
	return imap_parse_space(p) && imap_parse_astring(p, &c->name);
}

bool imap_parse_two_names(struct imap_parser *p, struct imap_command *c)
{
	return imap_parse_name(p, c) && imap_parse_space(p) && imap_parse_astring(p, &c->name2);
}

static const struct {
	struct str word;
	enum imap_status_item item;
} status_items[] = {
    {STR_INIT("MESSAGES"), STATUS_MESSAGES},
    {STR_INIT("RECENT"), STATUS_RECENT},
    {STR_INIT("UIDNEXT"), STATUS_UIDNEXT},
    {STR_INIT("UIDVALIDITY"), STATUS_UIDVALIDITY},
    {STR_INIT("UNSEEN"), STATUS_UNSEEN},
    {STR_INIT("DELETED"), STATUS_DELETED},
    {STR_INIT("SIZE"), STATUS_SIZE},
    {STR_INIT("HIGHESTMODSEQ"), STATUS_HIGHESTMODSEQ},
    {STR_INIT("APPENDLIMIT"), STATUS_APPENDLIMIT},
    {STR_INIT("MAILBOXID"), STATUS_MAILBOXID},
    {STR_INIT("DELETED-STORAGE"), STATUS_DELETED_STORAGE},
};

struct str imap_status_item_name(enum imap_status_item item)
{
	for (size_t i = 0; i < ARRAY_LEN(status_items); i++)
		if (status_items[i].item == item)
			return status_items[i].word;
	return STR("");
}

static bool parse_status_item(struct imap_parser *p, unsigned *items)
{
	for (size_t i = 0; i < ARRAY_LEN(status_items); i++) {
		if (!imap_skip_word(p, status_items[i].word))
			continue;
		*items |= status_items[i].item;
		return true;
	}
	return imap_fail(p, "a STATUS item");
}

/* "(" status-att *(SP status-att) ")" */
static bool parse_status_items(struct imap_parser *p, unsigned *items)
{
	if (!imap_parse_char(p, '('))
		return false;
	do {
		if (!parse_status_item(p, items))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/* status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" */
bool imap_parse_status(struct imap_parser *p, struct imap_command *c)
{
	return imap_parse_name(p, c) && imap_parse_space(p) && parse_status_items(p, &c->status);
}

/* lsub = "LSUB" SP mailbox SP list-mailbox */
bool imap_parse_lsub(struct imap_parser *p, struct imap_command *c)
{
	struct imap_list *list = &c->list;

	list->patterns = ARENA_NEW(p->arena, struct str);
	list->n_patterns = 1;
	list->options = LIST_SUBSCRIBED;
	if (list->patterns == NULL)
		return imap_fail_size(p);
	return imap_parse_space(p) && imap_parse_astring(p, &list->reference) &&
	       imap_parse_space(p) && imap_parse_list_mailbox(p, list->patterns);
}

struct option {
	struct str word;
	enum imap_list_option option;
};

static const struct option select_options[] = {
    {STR_INIT("SUBSCRIBED"), LIST_SUBSCRIBED},
    {STR_INIT("REMOTE"), LIST_REMOTE},
    {STR_INIT("RECURSIVEMATCH"), LIST_RECURSIVEMATCH},
    {STR_INIT("SPECIAL-USE"), LIST_SPECIAL_USE},
    {STR_INIT(""), 0},
};

static const struct option return_options[] = {
    {STR_INIT("SUBSCRIBED"), LIST_RETURN_SUBSCRIBED},
    {STR_INIT("CHILDREN"), LIST_RETURN_CHILDREN},
    {STR_INIT("SPECIAL-USE"), LIST_RETURN_SPECIAL_USE},
    {STR_INIT("STATUS"), LIST_RETURN_STATUS},
    {STR_INIT("MYRIGHTS"), LIST_RETURN_MYRIGHTS},
    {STR_INIT("METADATA"), LIST_RETURN_METADATA},
    {STR_INIT(""), 0},
};

static bool parse_option(
    struct imap_parser *p, const struct option *options, struct imap_list *list)
{
	for (const struct option *o = options; o->option != 0; o++) {
		if (!imap_skip_word(p, o->word))
			continue;
		list->options |= o->option;
		if (o->option == LIST_RETURN_STATUS)
			return imap_parse_space(p) && parse_status_items(p, &list->status);
		if (o->option == LIST_RETURN_METADATA)
			return imap_parse_space(p) &&
			       imap_parse_metadata_entries(p, &list->metadata);
		return true;
	}
	return imap_fail(p, "a LIST option");
}

/* "(" [option *(SP option)] ")" */
static bool parse_options(
    struct imap_parser *p, const struct option *options, struct imap_list *list)
{
	list->extended = true;
	if (!imap_parse_char(p, '('))
		return false;
	if (imap_skip(p, ')'))
		return true;
	do {
		if (!parse_option(p, options, list))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/* mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")" */
static bool parse_patterns(struct imap_parser *p, struct imap_list *list)
{
	list->patterns = ARENA_NEW_ARRAY(p->arena, struct str, IMAP_PATTERNS_MAX);
	if (list->patterns == NULL)
		return imap_fail_size(p);
	if (!imap_skip(p, '('))
		return imap_parse_list_mailbox(p, &list->patterns[list->n_patterns++]);
	list->extended = true;
	do {
		if (list->n_patterns == IMAP_PATTERNS_MAX)
			return imap_fail(p, "fewer patterns");
		if (!imap_parse_list_mailbox(p, &list->patterns[list->n_patterns++]))
			return false;
	} while (imap_skip(p, ' '));
	return imap_parse_char(p, ')');
}

/*
 * list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
 * RECURSIVEMATCH is an error without SUBSCRIBED (RFC 9051 §6.3.9.1).
 */
bool imap_parse_list(struct imap_parser *p, struct imap_command *c)
{
	struct imap_list *list = &c->list;

	if (!imap_parse_space(p))
		return false;
	if (imap_peek(p) == '(' &&
	    (!parse_options(p, select_options, list) || !imap_parse_space(p)))
		return false;
	if ((list->options & LIST_RECURSIVEMATCH) != 0 && (list->options & LIST_SUBSCRIBED) == 0)
		return imap_fail(p, "SUBSCRIBED with RECURSIVEMATCH before this");
	if (!imap_parse_astring(p, &list->reference) || !imap_parse_space(p) ||
	    !parse_patterns(p, list))
		return false;
	if (!imap_skip(p, ' '))
		return true;
	if (!imap_skip_word(p, STR("RETURN")))
		return imap_fail(p, "RETURN");
	return imap_parse_space(p) && parse_options(p, return_options, list);
}
