#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/path.h"

static struct str s_of(const char *cstr)
{
	return str_of_cstr(cstr);
}

static void assert_str(struct str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.p, expected, s.len);
}

static void forward_paths(void **state)
{
	(void)state;
	static const struct {
		const char *text, *mailbox, *local, *domain, *rest;
		bool non_ascii;
	} good[] = {
	    {"<a@b.example>", "a@b.example", "a", "b.example", "", false},
	    {"<a@b> SIZE=1", "a@b", "a", "b", " SIZE=1", false},
	    {"<Joe.Blow+tag=x!@b-c.example>", "Joe.Blow+tag=x!@b-c.example", "Joe.Blow+tag=x!",
	        "b-c.example", "", false},
	    {"<\"a b\"@c>", "\"a b\"@c", "\"a b\"", "c", "", false},
	    {"<\"a\\\"@>b\"@c>", "\"a\\\"@>b\"@c", "\"a\\\"@>b\"", "c", "", false},
	    {"<\"\"@c>", "\"\"@c", "\"\"", "c", "", false},
	    {"<@x.example,@[192.0.2.1]:a@c>", "a@c", "a", "c", "", false},
	    {"<a@[192.0.2.1]>", "a@[192.0.2.1]", "a", "[192.0.2.1]", "", false},
	    {"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]", "",
	        false},
	    {"<a@[x-tag:something]>", "a@[x-tag:something]", "a", "[x-tag:something]", "", false},
	    {"<postMASTER>x", "postmaster", "postmaster", "", "x", false},
	    {"<j\xc3\xb6rg@b\xc3\xbc"
	     "cher.example>",
	        "j\xc3\xb6rg@b\xc3\xbc"
	        "cher.example",
	        "j\xc3\xb6rg",
	        "b\xc3\xbc"
	        "cher.example",
	        "", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct str rest = s_of(good[i].text);
		struct smtp_path path;
		assert_true(smtp_forward_path_cut(&rest, &path));
		assert_str(path.mailbox, good[i].mailbox);
		assert_str(path.local, good[i].local);
		assert_str(path.domain, good[i].domain);
		assert_str(rest, good[i].rest);
		assert_int_equal(path.non_ascii, good[i].non_ascii);
	}
}

static void bad_paths(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "a@b", "<a@b", "<>", "<a>", "<@b>", "<a@>", "<.a@b>",
	    "<a.@b>", "<a..b@c>", "<a b@c>", "<a@b c>", "<a@-b>", "<a@b->", "<a@b..c>", "<a@.b>",
	    "<a@b.>", "<a@b_c>", "<\"a@b>", "<\"a\"b@c>", "<\"a\x01\"@b>", "<\"a\\\x01\"@b>",
	    "<a@[192.0.2.256]>", "<a@[192.0.2.1>", "<a@[]>", "<a@[IPv6:1:2]>", "<a@[x:]>",
	    "<a@[a b]>", "<@x:>", "<@x,a@b>", "<@x:@y:a@b>", "<a@b\xff>", "<\xc3@b>", "<a@@b>",
	    "<a,b@c>", "< a@b>", "<a@b >", "<(c)a@b>"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct str rest = s_of(bad[i]);
		struct smtp_path path = {.mailbox = STR("untouched")};
		assert_false(smtp_forward_path_cut(&rest, &path));
		assert_str(rest, bad[i]);
		assert_str(path.mailbox, "untouched");
	}
}

static void reverse_paths(void **state)
{
	(void)state;
	struct smtp_path path;
	struct str rest = STR("<> BODY=7BIT");
	assert_true(smtp_reverse_path_cut(&rest, &path));
	assert_str(path.mailbox, "");
	assert_str(rest, " BODY=7BIT");
	rest = STR("<postmaster>");
	assert_false(smtp_reverse_path_cut(&rest, &path));
	rest = STR("<a@b>");
	assert_true(smtp_reverse_path_cut(&rest, &path));
	assert_str(path.mailbox, "a@b");
}

/* `local` bytes of local part at a domain of `domain` bytes in labels of 63. */
static bool path_of_lengths(size_t local, size_t domain)
{
	char text[1024];
	size_t len = 0;
	text[len++] = '<';
	memset(text + len, 'a', local);
	len += local;
	text[len++] = '@';
	for (size_t i = 0; i < domain; i++)
		text[len++] = i % 64 == 63 ? '.' : 'd';
	text[len++] = '>';
	struct str rest = str_of(text, len);
	struct smtp_path path;
	return smtp_forward_path_cut(&rest, &path);
}

static void lengths(void **state)
{
	(void)state;
	assert_true(path_of_lengths(64, 255));
	assert_false(path_of_lengths(64, 256));
	assert_true(path_of_lengths(SMTP_LOCAL_MAX, 63));
	assert_false(path_of_lengths(SMTP_LOCAL_MAX + 1, 10));
	assert_false(path_of_lengths(SMTP_LOCAL_MAX, 64)); /* ends in a dot */
	assert_false(path_of_lengths(200, 200));           /* SMTP_MAILBOX_MAX */
	char label[66];
	memset(label, 'x', sizeof label);
	assert_true(smtp_domain_is_valid(str_of(label, SMTP_LABEL_MAX)));
	assert_false(smtp_domain_is_valid(str_of(label, SMTP_LABEL_MAX + 1)));
}

static void hello_names(void **state)
{
	(void)state;
	static const char *const good[] = {"mail.example.org", "localhost", "my_host", "a.b.",
	    "[192.0.2.1]", "[IPv6:::1]", "xn--bcher-kva.example"};
	static const char *const bad[] = {"", ".", "a b", "[1.2.3]", "192.0.2.1]", "b\303\274cher",
	    "a..b", "-a", "<a>", "a\r", "a;b"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(smtp_hello_name_is_valid(s_of(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(smtp_hello_name_is_valid(s_of(bad[i])));
}

static void mailboxes(void **state)
{
	(void)state;
	assert_true(smtp_mailbox_is_valid(STR("a@b")));
	assert_true(smtp_mailbox_is_valid(STR("\"a b\"@b.example")));
	assert_false(smtp_mailbox_is_valid(STR("a@b ")));
	assert_false(smtp_mailbox_is_valid(STR("postmaster")));
	assert_false(smtp_mailbox_is_valid(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forward_paths),
	    cmocka_unit_test(bad_paths),
	    cmocka_unit_test(reverse_paths),
	    cmocka_unit_test(lengths),
	    cmocka_unit_test(hello_names),
	    cmocka_unit_test(mailboxes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
