#include "imap/mailbox_name.h"
#include "session/imap/commands.h"
#include "session/imap/list_tree.h"
#include "session/imap/rights.h"

struct listing {
	struct imap_session *s;
	const struct imap_list *list;
	bool lsub;
	struct str patterns[IMAP_PATTERNS_MAX]; /* with the reference in front, kept form */
	size_t n_patterns;
	int error; /* of reading annotations, or -ETIME */
};

struct str imap_special_use_name(enum store_special_use use)
{
	static const struct str names[STORE_N_USES] = {
	    [STORE_NO_USE] = STR_INIT(""),
	    [STORE_ALL] = STR_INIT("\\All"),
	    [STORE_ARCHIVE] = STR_INIT("\\Archive"),
	    [STORE_DRAFTS] = STR_INIT("\\Drafts"),
	    [STORE_FLAGGED_USE] = STR_INIT("\\Flagged"),
	    [STORE_JUNK] = STR_INIT("\\Junk"),
	    [STORE_SENT] = STR_INIT("\\Sent"),
	    [STORE_TRASH] = STR_INIT("\\Trash"),
	};

	return use < STORE_N_USES ? names[use] : STR("");
}

static bool has(const struct listing *l, enum imap_list_option option)
{
	return (l->list->options & option) != 0;
}

/* False too when the command is to end: a long pattern costs much for each long name. */
static bool matches(struct listing *l, struct str name)
{
	for (size_t i = 0; i < l->n_patterns; i++) {
		if (l->error == 0)
			l->error = imap_effort_spend(l->s, EFFORT_MESSAGE);
		if (l->error < 0)
			return false;
		if (imap_pattern_matches(l->patterns[i], name))
			return true;
	}
	return false;
}

static void write_attribute(struct str name, bool *first, struct buf *out)
{
	if (name.len == 0)
		return;
	if (!*first)
		buf_add_c(out, ' ');
	*first = false;
	buf_add(out, name);
}

/* mbx-list-flags (RFC 9051 §7.3.1) */
static void write_attributes(const struct listing *l, const struct list_node *node, struct buf *out)
{
	bool exists = list_node_exists(node), first = true;
	bool modern = l->s->rev2 || l->list->extended;

	if (!exists)
		write_attribute(modern ? STR("\\NonExistent") : STR("\\Noselect"), &first, out);
	write_attribute(
	    node->has_children ? STR("\\HasChildren") : STR("\\HasNoChildren"), &first, out);
	if (list_node_subscribed(node) &&
	    (has(l, LIST_SUBSCRIBED) || has(l, LIST_RETURN_SUBSCRIBED)))
		write_attribute(STR("\\Subscribed"), &first, out);
	if (exists)
		write_attribute(imap_special_use_name(node->mailbox->use), &first, out);
}

/* What stands behind a mailbox's line: MYRIGHTS (RFC 8440); STATUS (RFC 5819 §2) and METADATA (RFC
 * 9590) where it may be read. */
static void write_returns(struct listing *l, const struct store_mailbox *mailbox)
{
	const unsigned any = LIST_RETURN_MYRIGHTS | LIST_RETURN_STATUS | LIST_RETURN_METADATA;
	uint64_t longest;
	unsigned rights = 0;

	if ((l->list->options & any) == 0)
		return;
	if (authorize_rights(l->s->store, &l->s->subject, mailbox->id, &rights) < 0)
		return;
	if (has(l, LIST_RETURN_MYRIGHTS))
		imap_my_rights_write(l->s, mailbox->name, rights);
	if (has(l, LIST_RETURN_STATUS) && (rights & STORE_RIGHT_READ) != 0)
		imap_status_write(l->s, mailbox, l->list->status, &l->s->out.buf);
	if (has(l, LIST_RETURN_METADATA) && (rights & STORE_RIGHT_READ) != 0 && l->error == 0)
		l->error = imap_metadata_write(l->s, mailbox, &l->list->metadata, &longest);
}

static void write_row(struct listing *l, const struct list_node *node, bool child_info)
{
	struct buf *out = &l->s->out.buf;

	if (l->lsub) {
		/* A level above subscribed ones is \Noselect (RFC 3501 §6.3.9). */
		buf_add(
		    out, list_node_subscribed(node) ? STR("* LSUB (") : STR("* LSUB (\\Noselect"));
	} else {
		buf_add(out, STR("* LIST ("));
		write_attributes(l, node, out);
	}
	buf_add(out, STR(") \"/\" "));
	imap_mailbox_name_write(node->name, l->s->utf8, out);
	if (child_info)
		buf_add(out, STR(" (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
	buf_add(out, STR("\r\n"));
	if (list_node_exists(node))
		write_returns(l, node->mailbox);
	imap_output_room(&l->s->out);
}

/* A child of `node` that is subscribed and does not match itself (RFC 9051 §6.3.9.1). */
static bool has_hidden_child(
    struct listing *l, const struct list_tree *tree, const struct list_node *node)
{
	if (!node->has_subscribed)
		return false;
	for (const struct list_node *n = node + 1; n < tree->nodes + tree->n; n++) {
		if (l->error < 0 || !str_starts(n->name, node->name))
			return false;
		if (n->name.p[node->name.len] == IMAP_DELIMITER && list_node_subscribed(n) &&
		    !matches(l, n->name))
			return l->error == 0;
	}
	return false;
}

/* With SUBSCRIBED: the names that are, and with RECURSIVEMATCH what leads to them. */
static void list_subscribed(
    struct listing *l, const struct list_tree *tree, const struct list_node *node)
{
	bool info = (l->lsub || has(l, LIST_RECURSIVEMATCH)) && has_hidden_child(l, tree, node);

	if (list_node_subscribed(node) || info)
		write_row(l, node, info && !l->lsub);
}

static void list_node(struct listing *l, const struct list_tree *tree, const struct list_node *node)
{
	if (!matches(l, node->name))
		return;
	if (has(l, LIST_SPECIAL_USE) &&
	    (!list_node_exists(node) || node->mailbox->use == STORE_NO_USE))
		return;
	if (has(l, LIST_SUBSCRIBED))
		list_subscribed(l, tree, node);
	else if (list_node_exists(node) || node->has_children)
		write_row(l, node, false);
}

/* Reference and pattern are one text (RFC 9051 §6.3.9); a pattern of bad spelling matches nothing.
 */
static bool read_patterns(struct listing *l)
{
	struct imap_session *s = l->s;

	for (size_t i = 0; i < l->list->n_patterns; i++) {
		struct buf whole CLEANUP(buf_done) = BUF_MAX(8 * IMAP_PATTERN_LEN_MAX);
		struct buf kept CLEANUP(buf_done) = BUF_MAX(8 * IMAP_PATTERN_LEN_MAX);
		buf_add(&whole, l->list->reference);
		buf_add(&whole, l->list->patterns[i]);
		if (buf_failed(&whole) ||
		    imap_mailbox_pattern_read(buf_str(&whole), s->utf8, &kept) != NULL)
			continue;
		if (!arena_dup(&s->arena, buf_str(&kept), &l->patterns[l->n_patterns]))
			return false;
		l->n_patterns++;
	}
	return true;
}

/* LIST "" "" asks for the delimiter. */
static bool asks_for_delimiter(const struct listing *l)
{
	return !l->lsub && !l->list->extended && l->list->n_patterns == 1 &&
	       l->list->patterns[0].len == 0;
}

struct imap_result imap_cmd_list(struct imap_session *s, const struct imap_command *c)
{
	struct listing l = {.s = s, .list = &c->list, .lsub = c->id == IMAP_LSUB};
	struct imap_result done = IMAP_RESULT_OK(l.lsub ? "LSUB done" : "LIST done");
	struct list_tree tree;

	if (asks_for_delimiter(&l)) {
		buf_add(&s->out.buf, STR("* LIST (\\Noselect) \"/\" \"\"\r\n"));
		return done;
	}
	if (has(&l, LIST_RETURN_STATUS)) {
		imap_take_in(s);
		if ((l.list->status & STATUS_HIGHESTMODSEQ) != 0)
			imap_enable_condstore(s);
	}
	if (!read_patterns(&l))
		return imap_too_much();
	int r = list_tree_make(s, &tree);
	if (r < 0)
		return imap_store_error(s, r);
	/* INBOX first: clients show folders in this order. */
	for (size_t i = 0; i < tree.n; i++)
		if (str_eq(tree.nodes[i].name, STR("INBOX")))
			list_node(&l, &tree, &tree.nodes[i]);
	for (size_t i = 0; i < tree.n; i++)
		if (!str_eq(tree.nodes[i].name, STR("INBOX")))
			list_node(&l, &tree, &tree.nodes[i]);
	return l.error < 0 ? imap_store_error(s, l.error) : done;
}
