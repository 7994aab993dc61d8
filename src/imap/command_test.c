#include "imap/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "imap/capability.h"
#include "imap/sasl_plain.h"

static const struct imap_limits limits = {.text_len = IMAP_TEXT_LEN_MAX,
    .literal_len = IMAP_LITERAL_LEN_MAX,
    .message_len = 1 << 20,
    .messages_len = 1 << 20};

struct parsed {
	struct imap_reader *reader;
	struct arena arena;
	struct imap_parser parser;
	struct imap_command c;
	bool good;
};

static void parse(const char *text, struct parsed *ret)
{
	struct str rest = str_of_cstr(text);
	enum imap_read result;

	ret->reader = imap_reader_new(&limits);
	ret->arena = ARENA_MAX(IMAP_COMMAND_ARENA_MAX);
	do
		result = imap_reader_feed(ret->reader, &rest);
	while (result == IMAP_READ_CONTINUE || (result == IMAP_READ_MORE && rest.len > 0));
	assert_int_equal(result, IMAP_READ_COMMAND);
	ret->parser = imap_parser_of(imap_reader_text(ret->reader), &ret->arena);
	ret->good = imap_command_parse(&ret->parser, &ret->c);
}

static void done(struct parsed *p)
{
	imap_reader_free(p->reader);
	arena_done(&p->arena);
}

static void test_accepted(void **state)
{
	static const char *const good[] = {
	    "a CAPABILITY\r\n",
	    "a noop\r\n",
	    "a ID NIL\r\n",
	    "a ID (\"name\" \"x\" \"version\" NIL)\r\n",
	    "a ID ()\r\n",
	    "a LOGIN joe {3+}\r\nabc\r\n",
	    "a LOGIN \"jo\\\"e\" pass]word\r\n",
	    "a AUTHENTICATE PLAIN\r\n",
	    "a AUTHENTICATE PLAIN AGpvZQBwdw==\r\n",
	    "a AUTHENTICATE PLAIN =\r\n",
	    "a ENABLE IMAP4rev2 CONDSTORE\r\n",
	    "a SELECT INBOX\r\n",
	    "a SELECT \"a b\" (CONDSTORE)\r\n",
	    "a EXAMINE {1}\r\nx\r\n",
	    "a RENAME a b\r\n",
	    "a LIST \"\" *\r\n",
	    ("a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"a\" %) "
	     "RETURN (CHILDREN STATUS (MESSAGES SIZE))\r\n"),
	    "a LIST () \"\" \"\"\r\n",
	    "a LSUB \"\" %\r\n",
	    "a STATUS x (UIDNEXT MESSAGES UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT)\r\n",
	    "a APPEND x {3}\r\nabc\r\n",
	    "a APPEND x (\\Seen $Label1) \" 1-Jul-1996 02:44:25 -0700\" ~{3+}\r\nabc\r\n",
	    "a APPEND x {3}\r\nabc (\\Seen) {3}\r\ndef\r\n",
	    "a UID EXPUNGE 1:*\r\n",
	    "a EXPUNGE\r\n",
	    "a SEARCH ALL\r\n",
	    "a SEARCH RETURN (MIN MAX COUNT ALL SAVE) CHARSET utf-8 OR FROM x NOT (SEEN 1:3)\r\n",
	    "a SEARCH RETURN () $ UNSEEN\r\n",
	    "a UID SEARCH SINCE 1-Feb-1994 SENTON \"01-Feb-1994\" HEADER x \"\"\r\n",
	    "a SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338\r\n",
	    "a FETCH 1 ALL\r\n",
	    "a SEARCH RETURN (PARTIAL 1:500) UNDELETED\r\n",
	    "a UID SEARCH RETURN (PARTIAL -1:-100 COUNT SAVE) ALL\r\n",
	    "a SORT (REVERSE SUBJECT DISPLAYFROM) utf-8 FROM x 1:5\r\n",
	    "a uid sort return (min max count all) (arrival) \"us-ascii\" all\r\n",
	    "a SORT RETURN (PARTIAL 1:2) (DATE SIZE TO CC FROM DISPLAYTO) x ALL\r\n",
	    "a THREAD REFERENCES utf-8 ALL\r\n",
	    "a UID THREAD orderedsubject utf-8 SINCE 5-MAR-2000\r\n",
	    "a ESEARCH UNSEEN\r\n",
	    "a ESEARCH IN (selected) RETURN (SAVE) ALL\r\n",
	    "a ESEARCH IN (mailboxes \"folder1\" subtree folder2) unseen\r\n",
	    "a ESEARCH IN (inboxes personal subscribed mailboxes (a \"b\") subtree-one c) RETURN "
	    "(COUNT) CHARSET utf-8 TEXT x\r\n",
	    "a FETCH 1:*,3 (FLAGS BODY[1.2.HEADER.FIELDS (From \"To\")]<0.100> BINARY.SIZE[1])\r\n",
	    "a UID FETCH 5 BODY.PEEK[] (CHANGEDSINCE 12345)\r\n",
	    "a SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))\r\n",
	    "a EXAMINE x (QRESYNC (1 2) CONDSTORE)\r\n",
	    "a SELECT x (QRESYNC (1 2 (1,3 4,7)))\r\n",
	    "a UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)\r\n",
	    "a UID FETCH 1:* FLAGS (VANISHED PARTIAL -1:-100 CHANGEDSINCE 1)\r\n",
	    "a FETCH 1 BODY[1.MIME]\r\n",
	    "a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n",
	    "a STORE 1 (UNCHANGEDSINCE 3) -FLAGS \\Seen x\r\n",
	    "a STORE 1 FLAGS ()\r\n",
	    "a UID MOVE 1,2:4 x\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct parsed p;
		parse(good[i], &p);
		if (!p.good)
			fail_msg("%s: expected %s", good[i], p.parser.error);
		done(&p);
	}
}

struct refused {
	const char *text;
	size_t column;
};

static void expect_refused(const struct refused *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct parsed p;
		parse(bad[i].text, &p);
		if (p.good || p.parser.error_at != bad[i].column)
			fail_msg("%s: good %d, column %zu (%s)", bad[i].text, p.good,
			    p.parser.error_at, p.parser.error ? p.parser.error : "");
		done(&p);
	}
}

static void test_refused(void **state)
{
	static const struct refused bad[] = {
	    {"\r\n", 0},
	    {"a\r\n", 1},
	    {"+ NOOP\r\n", 0},
	    {"a FLY\r\n", 2},
	    {"a NOOP x\r\n", 6},
	    {"a UID NOOP\r\n", 6},
	    {"a LOGIN joe\r\n", 11},
	    {"a LOGIN \"joe pw\r\n", 8},
	    {"a LOGIN \"\xff\" pw\r\n", 8},
	    {"a LOGIN {3}\r\nabc{3}\r\nabc\r\n", 13},
	    {"a SELECT a(b\r\n", 10},
	    {"a LIST (RECURSIVEMATCH) \"\" *\r\n", 24},
	    {"a LIST \"\" * RETURN (FOO)\r\n", 20},
	    {"a STATUS x ()\r\n", 12},
	    {"a APPEND x abc\r\n", 11},
	    {"a APPEND x (\\Recent) {1}\r\nx\r\n", 12},
	    {"a SEARCH\r\n", 8},
	    {"a SEARCH (ALL\r\n", 13},
	    {"a SEARCH SINCE 31-Foo-2000\r\n", 26},
	    {"a SEARCH 0\r\n", 9},
	    {"a FETCH 1:4294967296 FLAGS\r\n", 10},
	    {"a FETCH 1,,2 FLAGS\r\n", 10},
	    {"a FETCH 1 BODY[MIME]\r\n", 19},
	    {"a FETCH 1 BODY[1.]\r\n", 17},
	    {"a FETCH 1 BINARY[1.TEXT]\r\n", 19},
	    {"a FETCH 1 BODY[]<1>\r\n", 18},
	    {"a FETCH 1 BODY[HEADER.FIELDS ()]\r\n", 30},
	    {"a SELECT x (QRESYNC (0 2))\r\n", 21},
	    {"a SELECT x (QRESYNC (1))\r\n", 22},
	    {"a SELECT x (QRESYNC (1 2 1:*))\r\n", 28},
	    {"a SELECT x (QRESYNC (1 2 $))\r\n", 26},
	    {"a SELECT x (QRESYNC (1 2 (1)))\r\n", 27},
	    {"a SELECT x (CONDSTORE CONDSTORE)\r\n", 22},
	    {"a SELECT x ()\r\n", 12},
	    {"a UID FETCH 1 FLAGS (VANISHED)\r\n", 30},
	    {"a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)\r\n", 41},
	    {"a FETCH 1 FLAGS (PARTIAL 1:2)\r\n", 29},
	    {"a UID FETCH 1 FLAGS (PARTIAL 1:-2)\r\n", 31},
	    {"a UID FETCH 1 FLAGS (PARTIAL 0:2)\r\n", 29},
	    {"a STORE 1 FLAGS (\\Foo)\r\n", 17},
	    {"a STORE 1 FLAG x\r\n", 10},
	    {"a MOVE 1 \r\n", 9},
	};

	(void)state;
	expect_refused(bad, ARRAY_LEN(bad));
}

static void test_order_refused(void **state)
{
	static const struct refused bad[] = {
	    {"a SEARCH RETURN (ALL PARTIAL 1:2) ALL\r\n", 21},
	    {"a SEARCH RETURN (PARTIAL 1:2 ALL) ALL\r\n", 29},
	    {"a SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL\r\n", 29},
	    {"a SEARCH RETURN (PARTIAL) ALL\r\n", 24},
	    {"a SORT () utf-8 ALL\r\n", 8},
	    {"a SORT (REVERSE) utf-8 ALL\r\n", 15},
	    {"a SORT (BCC) utf-8 ALL\r\n", 8},
	    {"a SORT (DATE) utf-8\r\n", 19},
	    {"a SORT DATE utf-8 ALL\r\n", 7},
	    {"a THREAD REFS utf-8 ALL\r\n", 9},
	    {"a THREAD REFERENCES ALL\r\n", 23},
	    {"a UID ESEARCH ALL\r\n", 6},
	    {"a ESEARCH IN () ALL\r\n", 14},
	    {"a ESEARCH IN (selected-delayed) ALL\r\n", 30},
	    {"a ESEARCH IN (mailboxes ()) ALL\r\n", 25},
	    {"a ESEARCH IN (subtree) ALL\r\n", 21},
	    {"a ESEARCH IN (personal) RETURN (SAVE) ALL\r\n", 38},
	};

	(void)state;
	expect_refused(bad, ARRAY_LEN(bad));
}

static void test_sync_tree(void **state)
{
	struct parsed p;

	(void)state;
	parse("t SELECT x (QRESYNC (7 900 1:29,4 (5,75 15,27)))\r\n", &p);
	assert_true(p.good);
	const struct imap_resync *r = p.c.resync;
	assert_true(r->uidvalidity == 7 && r->modseq == 900 && r->has_known);
	assert_int_equal(r->known.n, 2);
	assert_true(r->match_numbers.n == 2 && r->match_numbers.ranges[1].first == 75);
	assert_true(r->match_uids.n == 2 && r->match_uids.ranges[0].last == 15);
	done(&p);
	parse("t UID FETCH 1:* FLAGS (PARTIAL -3:-1)\r\n", &p);
	assert_true(p.good && p.c.fetch.has_partial && p.c.fetch.partial.from_end);
	assert_true(p.c.fetch.partial.first == 3 && p.c.fetch.partial.last == 1);
	done(&p);
}

static void test_partial_bounds(void **state)
{
	static const struct {
		struct imap_partial partial;
		size_t n, first, end;
	} cases[] = {
	    {{1, 3, false}, 10, 0, 3},
	    {{3, 1, false}, 10, 0, 3},
	    {{9, 20, false}, 10, 8, 10},
	    {{11, 20, false}, 10, 10, 10},
	    {{1, 3, true}, 10, 7, 10},
	    {{9, 4000000000, true}, 10, 0, 2},
	    {{11, 12, true}, 10, 0, 0},
	    {{1, 1, false}, 0, 0, 0},
	};
	size_t first, end;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		imap_partial_bounds(&cases[i].partial, cases[i].n, &first, &end);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(end, cases[i].end);
	}
	struct buf out CLEANUP(buf_done) = BUF_MAX(100);
	imap_partial_write(&cases[6].partial, &out);
	assert_true(str_eq(buf_str(&out), STR("-11:-12")));
}

static void test_append_tree(void **state)
{
	struct parsed p;

	(void)state;
	parse("t APPEND x (\\Seen a A) \" 1-Jul-1996 02:44:25 -0700\" ~{3}\r\na\rb {2}\r\nde\r\n",
	    &p);
	assert_true(p.good);
	struct imap_append_message *m = p.c.messages;
	assert_int_equal(m->flags.system, IMAP_SEEN);
	assert_int_equal(m->flags.n_keywords, 1);
	assert_true(m->has_date && m->binary);
	assert_int_equal(m->date.zone_minutes, -420);
	assert_true(str_eq(m->message, STR("a\rb")));
	assert_true(str_eq(m->next->message, STR("de")));
	assert_null(m->next->next);
	done(&p);
}

static void test_search_tree(void **state)
{
	struct parsed p;

	(void)state;
	parse("t SEARCH OR FROM a NOT (SEEN 2) LARGER 5\r\n", &p);
	assert_true(p.good);
	struct imap_search_key * or = p.c.search.key->child;
	assert_int_equal(or->op, SEARCH_OR);
	assert_int_equal(or->child->op, SEARCH_HEADER);
	assert_int_equal(or->child->next->op, SEARCH_NOT);
	assert_int_equal(or->child->next->child->op, SEARCH_AND);
	assert_int_equal(or->child->next->child->child->next->op, SEARCH_SEQUENCE);
	assert_int_equal(or->next->op, SEARCH_LARGER);
	assert_int_equal(or->next->number, 5);
	done(&p);
}

static void test_search_depth(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(10000);
	struct parsed p;

	(void)state;
	buf_add(&text, STR("a SEARCH "));
	for (int i = 0; i < IMAP_SEARCH_DEPTH_MAX; i++)
		buf_add(&text, STR("NOT "));
	buf_add(&text, STR("SEEN\r\n"));
	buf_add_c(&text, '\0');
	parse(text.p, &p);
	assert_false(p.good);
	done(&p);
	parse(text.p + 4, &p);
	assert_false(p.good);
	done(&p);
}

static void check_label(const char *command, const char *label)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(10000);
	struct parsed p;

	parse(command, &p);
	assert_true(p.good);
	imap_fetch_label_write(&p.c.fetch.items.v[0], &out);
	assert_true(str_eq(buf_str(&out), str_of_cstr(label)));
	done(&p);
}

static void test_labels(void **state)
{
	(void)state;
	check_label("a FETCH 1 BODY.PEEK[1.2.header.fields.not (From \"a b\")]<5.9>\r\n",
	    "BODY[1.2.HEADER.FIELDS.NOT (From \"a b\")]<5>");
	check_label("a FETCH 1 BODY[]\r\n", "BODY[]");
	check_label("a FETCH 1 body[text]\r\n", "BODY[TEXT]");
	check_label("a FETCH 1 RFC822.HEADER\r\n", "RFC822.HEADER");
	check_label("a FETCH 1 BINARY.SIZE[1.2]\r\n", "BINARY.SIZE[1.2]");
	check_label("a FETCH 1 BINARY.PEEK[]<1.2>\r\n", "BINARY[]<1>");
}

static void check_plain(const char *base64, bool good)
{
	struct buf decoded CLEANUP(buf_done) = BUF_MAX(SASL_PLAIN_LEN_MAX);
	struct sasl_plain plain;

	assert_int_equal(sasl_plain_decode(str_of_cstr(base64), &decoded, &plain), good);
	if (good) {
		assert_true(str_eq(plain.user, STR("joe")));
		assert_true(str_eq(plain.password, STR("pw")));
	}
}

static void test_plain(void **state)
{
	(void)state;
	check_plain("AGpvZQBwdw==", true);
	check_plain("YQBqb2UAcHc=", true);
	check_plain("AGpvZQBwdwA=", false);
	check_plain("am9l", false);
	check_plain("AABwdw==", false);
	check_plain("!", false);
	check_plain("", false);
}

static void test_capabilities(void **state)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(2000);

	(void)state;
	struct imap_offer offer = {
	    .append_limit = 10, .unauthenticate = true, .message_limit = UINT32_MAX};
	imap_capability_write(IMAP_STAGE_PLAIN, &offer, &out);
	assert_true(str_find(buf_str(&out), STR("LOGINDISABLED")) < out.len);
	assert_true(str_find(buf_str(&out), STR("AUTH=")) == out.len);
	buf_clear(&out);
	imap_capability_write(IMAP_STAGE_TLS, &offer, &out);
	assert_true(str_find(buf_str(&out), STR("AUTH=PLAIN")) < out.len);
	assert_true(str_find(buf_str(&out), STR("STARTTLS")) == out.len);
	assert_true(str_ends(buf_str(&out), STR(" APPENDLIMIT=10")));
	assert_true(str_find(buf_str(&out), STR("UNAUTHENTICATE")) == out.len);
	buf_clear(&out);
	imap_capability_write(IMAP_STAGE_SIGNED_IN, &offer, &out);
	assert_true(str_ends(buf_str(&out), STR(" UNAUTHENTICATE APPENDLIMIT=10")));
	offer.unauthenticate = false;
	offer.message_limit = 1000;
	buf_clear(&out);
	imap_capability_write(IMAP_STAGE_SIGNED_IN, &offer, &out);
	assert_true(str_find(buf_str(&out), STR("UNAUTHENTICATE")) == out.len);
	assert_true(str_ends(buf_str(&out), STR(" MESSAGELIMIT=1000 APPENDLIMIT=10")));
}

static void test_order_tree(void **state)
{
	struct parsed p;

	(void)state;
	parse("t SORT RETURN (PARTIAL -1:-9) (REVERSE SIZE DISPLAYTO) utf-8 UNSEEN\r\n", &p);
	assert_true(p.good && p.c.id == IMAP_SORT && !p.c.uid && p.c.search.extended);
	assert_int_equal(p.c.search.return_options, RETURN_PARTIAL);
	assert_true(p.c.search.partial.from_end && p.c.search.partial.last == 9);
	assert_int_equal(p.c.order->n_keys, 2);
	assert_true(p.c.order->keys[0].by == SORT_SIZE && p.c.order->keys[0].reverse);
	assert_true(p.c.order->keys[1].by == SORT_DISPLAY_TO && !p.c.order->keys[1].reverse);
	assert_true(str_eq(p.c.search.charset, STR("utf-8")));
	done(&p);
	parse("t UID THREAD REFERENCES x ALL\r\n", &p);
	assert_true(p.good && p.c.id == IMAP_THREAD && p.c.uid && p.c.order->by_references);
	done(&p);
	parse("t ESEARCH IN (personal subtree (a b)) ALL\r\n", &p);
	assert_true(p.good && p.c.id == IMAP_ESEARCH && !p.c.search.extended);
	const struct imap_mailbox_filter *f = p.c.search.sources;
	assert_true(f->kind == FILTER_PERSONAL && f->n_names == 0);
	assert_true(f->next->kind == FILTER_SUBTREE && f->next->n_names == 2);
	assert_true(str_eq(f->next->names[1], STR("b")) && f->next->next == NULL);
	done(&p);
}

static bool parses(struct buf *text)
{
	struct parsed p;

	buf_add_c(text, '\0');
	parse(text->p, &p);
	bool good = p.good;
	done(&p);
	buf_clear(text);
	return good;
}

static void add_times(struct buf *text, struct str piece, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add(text, piece);
}

static void test_order_limits(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(IMAP_TEXT_LEN_MAX);

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		buf_add(&text, STR("a SORT (DATE"));
		add_times(&text, STR(" DATE"), IMAP_SORT_KEYS_MAX - 1 + more);
		buf_add(&text, STR(") utf-8 ALL\r\n"));
		assert_int_equal(parses(&text), more == 0);
		buf_add(&text, STR("a ESEARCH IN (personal"));
		add_times(&text, STR(" personal"), IMAP_FILTERS_MAX - 1 + more);
		buf_add(&text, STR(") ALL\r\n"));
		assert_int_equal(parses(&text), more == 0);
		buf_add(&text, STR("a ESEARCH IN (mailboxes (a"));
		add_times(&text, STR(" a"), IMAP_FILTER_NAMES_MAX - 1 + more);
		buf_add(&text, STR(")) ALL\r\n"));
		assert_int_equal(parses(&text), more == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_order_refused),
	    cmocka_unit_test(test_sync_tree),
	    cmocka_unit_test(test_partial_bounds),
	    cmocka_unit_test(test_append_tree),
	    cmocka_unit_test(test_search_tree),
	    cmocka_unit_test(test_search_depth),
	    cmocka_unit_test(test_order_tree),
	    cmocka_unit_test(test_order_limits),
	    cmocka_unit_test(test_labels),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_capabilities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
