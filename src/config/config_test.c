#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>

#define LEAST "[server]\nhostname = mail.example.test\n"

static struct config config;
static struct config_error error;

static int parse(const char *text)
{
	error.text[0] = '\0';
	return config_parse(str_of_cstr(text), "gatepost.conf", &config, &error);
}

static void least_gives_all_defaults(void **state UNUSED)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);

	assert_int_equal(parse(LEAST), 0);
	assert_string_equal(config.hostname, "mail.example.test");
	assert_string_equal(config.data, ".");
	assert_int_equal(config.smtp, 25);
	for (size_t i = 0; i < n; i++) {
		const char *at = (const char *)&config + keys[i].offset;
		if (strcmp(keys[i].section, CONFIG_RELAY_SECTION) == 0)
			continue;
		if (keys[i].type == CONFIG_NUMBER)
			assert_memory_equal(at, &keys[i].number, sizeof(uint64_t));
		else if (keys[i].text != NULL)
			assert_string_equal(at, keys[i].text);
		assert_true(strlen(keys[i].help) > 0);
	}
}

static void every_key_is_taken_and_bounded(void **state UNUSED)
{
	size_t n;
	const struct config_key *keys = config_keys(&n);
	char text[512];

	for (size_t i = 0; i < n; i++) {
		const struct config_key *k = &keys[i];
		if (k->type != CONFIG_NUMBER || strcmp(k->section, CONFIG_RELAY_SECTION) == 0)
			continue;
		snprintf(text, sizeof(text), LEAST "[%s]\n%s = %llu\n", k->section, k->name,
		    (unsigned long long)k->most);
		assert_int_equal(parse(text), 0);
		assert_memory_equal((const char *)&config + k->offset, &k->most, sizeof(k->most));
		snprintf(text, sizeof(text), LEAST "[%s]\n%s = %llu0\n", k->section, k->name,
		    (unsigned long long)k->most);
		assert_int_equal(parse(text), -EINVAL);
		if (k->least == 0)
			continue;
		snprintf(text, sizeof(text), LEAST "[%s]\n%s = %llu\n", k->section, k->name,
		    (unsigned long long)k->least - 1);
		assert_int_equal(parse(text), -EINVAL);
		assert_non_null(strstr(error.text, k->name));
	}
}

static void errors_name_file_line_and_remedy(void **state UNUSED)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
	    {"", "gatepost.conf: server.hostname is missing"},
	    {LEAST "[limits]\nrecipients = many\n", "gatepost.conf:4: limits.recipients: `many`"},
	    {LEAST "[limits]\nrecipients = -1\n", "gatepost.conf:4: limits.recipients"},
	    {LEAST "[limits]\nrecipents = 5\n", "gatepost.conf:4: [limits] has no key `recipents`"},
	    {LEAST "[limit]\nrecipent = 5\n", "gatepost.conf:4: there is no section [limit]"},
	    {LEAST "smtp = 5\n", "gatepost.conf:3: `smtp` does not belong into [server]; write it "
	                         "below [listen]"},
	    {LEAST "hostname = b\n", "gatepost.conf:3: server.hostname stands here a second time"},
	    {LEAST "what is this\n", "gatepost.conf:3: this is neither"},
	    {LEAST "data =\n", "gatepost.conf:3: server.data is empty"},
	    {"[server]\nhostname = a\n  b\n", "gatepost.conf:3: the line begins with a space"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(cases[i].text), -EINVAL);
		if (strstr(error.text, cases[i].expect) != error.text)
			fail_msg("case %zu: %s", i, error.text);
	}
}

static void long_lines_and_nul_are_refused(void **state UNUSED)
{
	char text[CONFIG_LINE_MAX + 64];
	size_t head = sizeof("[server]\nhostname = ") - 1;

	memset(text, 'a', sizeof(text));
	memcpy(text, "[server]\nhostname = ", head);
	size_t longest = sizeof("[server]\n") - 1 + CONFIG_LINE_MAX;
	assert_int_equal(config_parse(str_of(text, longest), "c", &config, &error), 0);
	assert_int_equal(strlen(config.hostname), longest - head);
	assert_int_equal(config_parse(str_of(text, longest + 1), "c", &config, &error), -EINVAL);
	text[head + 3] = '\0';
	assert_int_equal(config_parse(str_of(text, longest), "c", &config, &error), -EINVAL);
	assert_string_equal(error.text, "c:2: there is a NUL byte in this line; remove it");
}

static void too_large_a_file_is_refused(void **state UNUSED)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);

	assert_non_null(text);
	memset(text, '\n', CONFIG_FILE_MAX + 1);
	assert_int_equal(
	    config_parse(str_of(text, CONFIG_FILE_MAX + 1), "c", &config, &error), -EINVAL);
	free(text);
}

static void failure_leaves_the_result_alone(void **state UNUSED)
{
	assert_int_equal(parse(LEAST), 0);
	assert_int_equal(parse("[server]\nhostname = other\n[x]\ny = 1\n"), -EINVAL);
	assert_string_equal(config.hostname, "mail.example.test");
}

static void comments_and_crlf_are_read(void **state UNUSED)
{
	assert_int_equal(
	    parse("; a comment\r\n# another\r\n[server]\r\nhostname = a.b ; here\r\n\r\n"), 0);
	assert_string_equal(config.hostname, "a.b");
}

static void load_resolves_the_data_folder(void **state UNUSED)
{
	char folder[] = "/tmp/config-test-XXXXXX", path[64], *text;
	size_t len;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/gatepost.conf", folder);
	assert_int_equal(config_load(path, &config, &error, NULL, NULL), -ENOENT);
	assert_non_null(strstr(error.text, "cannot be read"));
	assert_int_equal(fd_write_file(AT_FDCWD, path, STR(LEAST), 0600), 0);
	assert_int_equal(config_load(path, &config, &error, &text, &len), 0);
	assert_memory_equal(config.data, folder, strlen(folder));
	assert_int_equal(len, strlen(LEAST));
	free(text);
	assert_int_equal(fd_write_file(AT_FDCWD, path, STR(LEAST "data = mail\n"), 0600), 0);
	assert_int_equal(config_load(path, &config, &error, NULL, NULL), 0);
	assert_non_null(strstr(config.data, "/mail"));
	assert_int_equal(fd_write_file(AT_FDCWD, path, STR(LEAST "data = /srv/mail\n"), 0600), 0);
	assert_int_equal(config_load(path, &config, &error, NULL, NULL), 0);
	assert_string_equal(config.data, "/srv/mail");
	unlink(path);
	rmdir(folder);
}

/* --- relays --- */

#define RELAY "[relay a]\ndomain = Example.org\nhost = relay.example.net\n"

static const struct config_relay *relay_of(const char *domain)
{
	return config_relay_of(&config, str_of_cstr(domain));
}

static void a_senders_domain_has_its_relay(void **state UNUSED)
{
	assert_int_equal(parse(LEAST RELAY "domain = example.com\nport = 465\n[relay b.2]\n"
	                                   "domain = sub.example.org\nhost = 192.0.2.1\ntls = 0\n"),
	    0);
	assert_int_equal(config.n_relays, 3);
	const struct config_relay *a = relay_of("example.org");
	assert_non_null(a);
	assert_string_equal(a->label, "relay a");
	assert_string_equal(a->host, "relay.example.net");
	assert_int_equal(a->port, 465);
	assert_int_equal(a->tls, 1);
	assert_string_equal(a->user, "none");
	assert_ptr_equal(relay_of("example.com"), a);
	assert_string_equal(relay_of("sub.example.org")->label, "relay b.2");
	assert_int_equal(relay_of("sub.example.org")->port, 587);
	assert_int_equal(relay_of("sub.example.org")->tls, 0);
	assert_null(relay_of("a.example.org"));
	assert_null(relay_of(""));
	assert_ptr_equal(config_relay_by_label(&config, STR("relay a")), a);
	assert_null(config_relay_by_label(&config, STR("relay c")));
	assert_null(config_relay_by_label(&config, STR(CONFIG_SMARTHOST)));
}

static void the_smarthost_takes_the_rest(void **state UNUSED)
{
	assert_int_equal(
	    parse(LEAST RELAY "[outbound]\nsmarthost = smart.example.net\nsmarthost_user = u\n"
	                      "smarthost_password_file = p\n"),
	    0);
	assert_string_equal(relay_of("example.org")->label, "relay a");
	assert_string_equal(relay_of("example.net")->label, CONFIG_SMARTHOST);
	assert_string_equal(relay_of("")->host, "smart.example.net");
	assert_string_equal(relay_of("")->password_file, "p");
}

static void a_relay_that_cannot_be_meant_is_refused(void **state UNUSED)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
	    {"[relay]\nhost = a\n", "the name has up to 32"},
	    {"[relay A]\nhost = a\n", "the name has up to 32"},
	    {"[relay 123456789012345678901234567890123]\nhost = a\n", "the name has up to 32"},
	    {"[relay 1234567890123456789012345678901234567890123456]\nhost = a\n", "up to 32"},
	    {"[relay a]\nhost = b\n", "is for no domain"},
	    {"[relay a]\ndomain = example.org\n", "has no host"},
	    {RELAY "host = c\n", "relay.host stands here a second time"},
	    {RELAY "domain = EXAMPLE.ORG\n", "has a relay already, [relay a]"},
	    {RELAY "[relay b]\ndomain = example.org\n", "has a relay already, [relay a]"},
	    {RELAY "domain = a b\n", "is not the name of a domain"},
	    {RELAY "domain = .org\n", "is not the name of a domain"},
	    {RELAY "domain = b\xc3\xbc.example\n", "`xn--`"},
	    {RELAY "user = u\n", "name but no password"},
	    {RELAY "password_file = u\n", "password but no name"},
	    {RELAY "port = 0\n", "relay.port"},
	    {RELAY "tls = 2\n", "relay.tls"},
	    {RELAY "smtp = 2\n", "does not belong into [relay]; write it below [listen]"},
	    {"[outbound]\nhost = a\n", "write it below [relay NAME]"},
	};
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), LEAST "%s", cases[i].text);
		assert_int_equal(parse(text), -EINVAL);
		if (strstr(error.text, cases[i].expect) == NULL)
			fail_msg("`%s` does not say `%s`", error.text, cases[i].expect);
	}
}

static void relays_and_their_domains_are_limited(void **state UNUSED)
{
	static char text[CONFIG_FILE_MAX];
	size_t len = (size_t)snprintf(text, sizeof(text), LEAST);

	for (int i = 0; i < CONFIG_RELAYS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "[relay %d]\nhost = h\ndomain = d%d.example\n", i, i);
	assert_int_equal(parse(text), 0);
	assert_string_equal(relay_of("d15.example")->label, "relay 15");
	for (int i = CONFIG_RELAYS_MAX; i < CONFIG_ROUTES_MAX; i++)
		len +=
		    (size_t)snprintf(text + len, sizeof(text) - len, "domain = d%d.example\n", i);
	assert_int_equal(parse(text), 0);
	snprintf(text + len, sizeof(text) - len, "domain = one.more\n");
	assert_int_equal(parse(text), -EINVAL);
	assert_non_null(strstr(error.text, "more than 128 domains"));
	snprintf(text + len, sizeof(text) - len, "[relay more]\nhost = h\n");
	assert_int_equal(parse(text), -EINVAL);
	assert_non_null(strstr(error.text, "more than 16 sections"));
}

/* The page for people says what the table says. Tests run in the folder of the sources. */
static void the_documentation_has_every_key(void **state UNUSED)
{
	size_t n, len;
	const struct config_key *keys = config_keys(&n);
	char *page, line[512], most[32];

	assert_int_equal(fd_read_file(AT_FDCWD, "docs/configuration.md", 1 << 20, &page, &len), 0);
	for (size_t i = 0; i < n; i++) {
		const struct config_key *k = &keys[i];
		snprintf(most, sizeof(most), "%llu", (unsigned long long)k->most);
		if (k->type == CONFIG_NUMBER)
			snprintf(line, sizeof(line), "\n| `%s` | %llu | %llu to %s | %s |\n",
			    k->name, (unsigned long long)k->number, (unsigned long long)k->least,
			    k->most == UINT64_MAX ? "no limit" : most, k->help);
		else
			snprintf(line, sizeof(line), "\n| `%s` | %s%s%s | text | %s |\n", k->name,
			    k->text != NULL ? "`" : "", k->text != NULL ? k->text : "must be given",
			    k->text != NULL ? "`" : "", k->help);
		if (strstr(page, line) == NULL)
			fail_msg("docs/configuration.md has no line%s", line);
	}
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(least_gives_all_defaults),
	    cmocka_unit_test(every_key_is_taken_and_bounded),
	    cmocka_unit_test(errors_name_file_line_and_remedy),
	    cmocka_unit_test(long_lines_and_nul_are_refused),
	    cmocka_unit_test(too_large_a_file_is_refused),
	    cmocka_unit_test(failure_leaves_the_result_alone),
	    cmocka_unit_test(comments_and_crlf_are_read),
	    cmocka_unit_test(load_resolves_the_data_folder),
	    cmocka_unit_test(a_senders_domain_has_its_relay),
	    cmocka_unit_test(the_smarthost_takes_the_rest),
	    cmocka_unit_test(a_relay_that_cannot_be_meant_is_refused),
	    cmocka_unit_test(relays_and_their_domains_are_limited),
	    cmocka_unit_test(the_documentation_has_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
