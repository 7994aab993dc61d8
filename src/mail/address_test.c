#include "mail/address.h"

#include <errno.h>

#include "mail/expect.h"

/* "name|route|mailbox|host" of each entry, groups as "name:" and ";", joined by spaces. */
static void expect_list(struct str value, const char *want)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct address *address;

	assert_int_equal(address_list_parse(value, &a, &address), 0);
	for (; address != NULL; address = address->next) {
		if (text.len > 0)
			buf_add_c(&text, ' ');
		if (address->kind == ADDRESS_MAILBOX)
			buf_printf(&text, "%.*s|%.*s|%.*s|%.*s", STR_FMT(address->name),
			    STR_FMT(address->route), STR_FMT(address->mailbox),
			    STR_FMT(address->host));
		else if (address->kind == ADDRESS_GROUP_START)
			buf_printf(&text, "%.*s:", STR_FMT(address->name));
		else
			buf_add_c(&text, ';');
	}
	expect_buf(text, want);
}

static void address_reads_plain_ones(void **state)
{
	(void)state;
	expect_list(STR(""), "");
	expect_list(STR("ada@example.test"), "||ada|example.test");
	expect_list(STR("Ada Lovelace <ada@example.test>, bob@b.test"),
	    "Ada Lovelace||ada|example.test ||bob|b.test");
	expect_list(STR("John Q. Public <j@e.test>"), "John Q. Public||j|e.test");
	expect_list(STR("Ada\r\n <a@b>,\r\n\tc@d"), "Ada||a|b ||c|d");
}

static void address_reads_quoted_strings(void **state)
{
	(void)state;
	expect_list(STR("\"Lovelace, \\\"Ada\\\"\" <a@b>"), "Lovelace, \"Ada\"||a|b");
	expect_list(STR("\"a b\"@c.test"), "||a b|c.test");
	expect_list(STR("\"\" <a@b>"), "||a|b");
	expect_list(STR("\"a\".\"b\"@c"), "||a.b|c");
}

static void address_knows_an_empty_name(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 16);
	struct address *address;

	assert_int_equal(address_list_parse(STR("\"\" <a@b>"), &a, &address), 0);
	assert_true(address->has_name);
	assert_int_equal(address_list_parse(STR("<a@b>"), &a, &address), 0);
	assert_false(address->has_name);
}

static void address_takes_a_name_from_a_comment(void **state)
{
	(void)state;
	expect_list(STR("ada@b.test (Ada (the) \\(first)"), "Ada (the) (first||ada|b.test");
	expect_list(STR("<ada@b.test> (Ada)"), "Ada||ada|b.test");
	expect_list(STR("Ada <ada@b.test> (not this)"), "Ada||ada|b.test");
	expect_list(STR("ada (x) . l @ b (y) . test"), "||ada.l|b.test");
}

static void address_reads_groups(void **state)
{
	(void)state;
	expect_list(STR("Friends: a@b, C <c@d>;, e@f"), "Friends: ||a|b C||c|d ; ||e|f");
	expect_list(STR("undisclosed-recipients:;"), "undisclosed-recipients: ;");
	expect_list(STR("g: a@b"), "g: ||a|b ;");
	expect_list(STR("g1:;, g2: (c) ;"), "g1: ; g2: ;");
	expect_list(STR("g: x: <a@b>;"), "g: x:||a|b ;");
}

static void address_reads_obsolete_syntax(void **state)
{
	(void)state;
	expect_list(STR("<@one.test,@two.test:a@b>"), "|@one.test,@two.test|a|b");
	expect_list(STR("<@route:user@domain>"), "|@route|user|domain");
	expect_list(STR("a@b,,c@d, ,"), "||a|b ||c|d");
	expect_list(
	    STR("Pete(nice \\) chap) <pete(his)@silly.test(host)>"), "Pete||pete|silly.test");
}

static void address_reads_literals(void **state)
{
	(void)state;
	expect_list(
	    STR("a@[192.0.2.1], b@[IPv6:2001:db8::1]"), "||a|[192.0.2.1] ||b|[IPv6:2001:db8::1]");
}

static void address_reads_utf8(void **state)
{
	(void)state;
	expect_list(
	    STR("J\u00f6rg <j\u00f6rg@b\u00fccher.test>"), "J\u00f6rg||j\u00f6rg|b\u00fccher.test");
}

static void address_keeps_encoded_words(void **state)
{
	(void)state;
	expect_list(STR("=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_M?= <j@m>"),
	    "=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_M?=||j|m");
}

static void address_makes_the_best_of_broken_ones(void **state)
{
	(void)state;
	expect_list(STR("a@b <c@d>"), "a@b||c|d");
	expect_list(STR("a@b: c <d@e>, f@g"), "a@b: c||d|e ||f|g");
	expect_list(STR("Ada a@b"), "Ada||a|b");
	expect_list(STR("nobody"), "||nobody|");
	expect_list(STR("Undisclosed <>"), "Undisclosed|||");
	expect_list(STR("<a@b"), "||a|b");
	expect_list(STR("\"open <a@b>"), "||open <a@b>|");
	expect_list(STR("a@b; c@d"), "||a|b ||c|d");
	expect_list(STR("a@b c@d, e@f"), "||a|b ||e|f");
	expect_list(STR("a@b (open"), "open||a|b");
}

static void address_leaves_nul_out(void **state)
{
	(void)state;
	expect_list(STR("a\0b@c\0d"), "||ab|cd");
}

static void address_list_stops_at_its_limit(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(64 << 20);
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);
	struct address *address;
	size_t n = 0;

	repeat(&text, "a@b,", ADDRESS_LIST_MAX + 10);
	assert_int_equal(address_list_parse(buf_str(&text), &a, &address), 0);
	for (; address != NULL; address = address->next)
		n++;
	assert_int_equal(n, ADDRESS_LIST_MAX);
}

static void address_list_tells_a_full_arena(void **state)
{
	(void)state;
	struct arena a CLEANUP(arena_done) = ARENA_MAX(100);
	struct address *address = NULL;

	assert_int_equal(address_list_parse(STR("a@b,c@d,e@f"), &a, &address), -E2BIG);
	assert_null(address);
}

static void address_comments_nest_deeply(void **state)
{
	(void)state;
	struct buf text CLEANUP(buf_done) = BUF_MAX(4 << 20);

	repeat(&text, "(", 1000000);
	repeat(&text, ")", 1000000);
	buf_add(&text, STR("a@b"));
	expect_list(buf_str(&text), "||a|b");
}

static void address_splits_at_the_unquoted_at(void **state)
{
	(void)state;
	struct str local, domain;

	assert_true(address_split(STR("a@b.test"), &local, &domain));
	expect_str(local, "a");
	expect_str(domain, "b.test");
	assert_true(address_split(STR("\"a@\\\"x\"@b"), &local, &domain));
	expect_str(local, "\"a@\\\"x\"");
	expect_str(domain, "b");
	assert_false(address_split(STR("a"), &local, &domain));
	assert_false(address_split(STR("@b"), &local, &domain));
	assert_false(address_split(STR("a@"), &local, &domain));
	assert_false(address_split(STR("\"a@b\""), &local, &domain));
}

static void address_quotes_local_parts(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(64);

	assert_true(address_local_quote(STR("a.b+c"), &out));
	expect_buf(out, "a.b+c");
	buf_clear(&out);
	assert_true(address_local_quote(STR("a \"b\""), &out));
	expect_buf(out, "\"a \\\"b\\\"\"");
	struct buf back CLEANUP(buf_done) = BUF_MAX(64);
	assert_true(address_local_unquote(buf_str(&out), &back));
	expect_buf(back, "a \"b\"");
	buf_clear(&out);
	assert_true(address_local_quote(STR(".a"), &out));
	expect_buf(out, "\".a\"");
}

static void address_cuts_subaddresses(void **state)
{
	(void)state;
	struct str user, tag;

	assert_true(address_subaddress(STR("ada+news+x"), '+', &user, &tag));
	expect_str(user, "ada");
	expect_str(tag, "news+x");
	assert_false(address_subaddress(STR("ada"), '+', &user, &tag));
	expect_str(user, "ada");
	assert_int_equal(tag.len, 0);
	assert_false(address_subaddress(STR("+x"), '+', &user, &tag));
	expect_str(user, "+x");
}

static void expect_domain(struct str domain, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(ADDRESS_DOMAIN_LEN_MAX);

	assert_int_equal(address_domain_canonical(domain, &out), want != NULL);
	expect_buf(out, want != NULL ? want : "");
}

static void address_domains_have_one_spelling(void **state)
{
	(void)state;
	expect_domain(STR("Example.TEST."), "example.test");
	expect_domain(STR("B\u00fccher.example"), "xn--bcher-kva.example");
	expect_domain(STR("XN--BCHER-KVA.example"), "xn--bcher-kva.example");
	expect_domain(STR("fa\u00df.de"), "xn--fa-hia.de");
	assert_true(address_domain_eq(STR("b\u00dcCHER.example"), STR("xn--bcher-kva.EXAMPLE.")));
	assert_false(address_domain_eq(STR("a.test"), STR("b.test")));
	assert_false(address_domain_eq(STR(""), STR("")));
}

static void address_domains_are_checked(void **state)
{
	(void)state;
	struct buf label CLEANUP(buf_done) = BUF_MAX(1 << 16);

	expect_domain(STR(""), NULL);
	expect_domain(STR("."), NULL);
	expect_domain(STR("a..b"), NULL);
	expect_domain(STR("-a.b"), NULL);
	expect_domain(STR("a_b.c"), NULL);
	expect_domain(STR("a b"), NULL);
	expect_domain(STR("[192.0.2.1]"), NULL);
	expect_domain(STR("192.0.2.1"), NULL);
	expect_domain(STR("1.2.3a"), "1.2.3a");
	expect_domain(STR("xn--\xff.test"), NULL);
	expect_domain(STR("xn--99999999.test"), NULL);
	repeat(&label, "a", ADDRESS_LABEL_LEN_MAX);
	assert_true(address_domain_eq(buf_str(&label), buf_str(&label)));
	repeat(&label, "a", 1);
	expect_domain(buf_str(&label), NULL);
	buf_clear(&label);
	repeat(&label, "ab.", ADDRESS_DOMAIN_LEN_MAX / 3 + 1);
	expect_domain(buf_str(&label), NULL);
	buf_clear(&label);
	repeat(&label, "\u00fc", 10000);
	expect_domain(buf_str(&label), NULL);
}

static void address_domains_are_displayed(void **state)
{
	(void)state;
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);

	assert_true(address_domain_display(STR("xn--bcher-kva.Example"), &out));
	expect_buf(out, "b\u00fccher.example");
	assert_false(address_domain_display(STR("a..b"), &out));
}

static void expect_formatted(struct str name, struct str mailbox, const char *want)
{
	struct buf out CLEANUP(buf_done) = BUF_MAX(1000);
	struct address address = {.name = name, .mailbox = mailbox, .host = STR("b.test")};

	assert_true(address_format(&address, &out));
	expect_buf(out, want);
}

static void address_formats_for_headers(void **state)
{
	(void)state;
	expect_formatted(STR(""), STR("a"), "a@b.test");
	expect_formatted(STR("Ada L"), STR("a"), "Ada L <a@b.test>");
	expect_formatted(STR("L, \"A\""), STR("a b"), "\"L, \\\"A\\\"\" <\"a b\"@b.test>");
	expect_formatted(STR("J\u00f6rg"), STR("a"), "=?UTF-8?B?SsO2cmc=?= <a@b.test>");
	expect_formatted(STR("x\r\nBcc: y"), STR("a"), "\"x  Bcc: y\" <a@b.test>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(address_reads_plain_ones),
	    cmocka_unit_test(address_reads_quoted_strings),
	    cmocka_unit_test(address_knows_an_empty_name),
	    cmocka_unit_test(address_takes_a_name_from_a_comment),
	    cmocka_unit_test(address_reads_groups),
	    cmocka_unit_test(address_reads_obsolete_syntax),
	    cmocka_unit_test(address_reads_literals),
	    cmocka_unit_test(address_reads_utf8),
	    cmocka_unit_test(address_keeps_encoded_words),
	    cmocka_unit_test(address_makes_the_best_of_broken_ones),
	    cmocka_unit_test(address_leaves_nul_out),
	    cmocka_unit_test(address_list_stops_at_its_limit),
	    cmocka_unit_test(address_list_tells_a_full_arena),
	    cmocka_unit_test(address_comments_nest_deeply),
	    cmocka_unit_test(address_splits_at_the_unquoted_at),
	    cmocka_unit_test(address_quotes_local_parts),
	    cmocka_unit_test(address_cuts_subaddresses),
	    cmocka_unit_test(address_domains_have_one_spelling),
	    cmocka_unit_test(address_domains_are_checked),
	    cmocka_unit_test(address_domains_are_displayed),
	    cmocka_unit_test(address_formats_for_headers),
	};
	return cmocka_run_group_tests_name("mail/address", tests, NULL, NULL);
}
