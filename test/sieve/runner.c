/*
 * runner FILE.svtest: runs a script of the published test suite (its test commands are Sieve's own
 * form, with commands beyond the language), one line a test:
 *
 *   ok NAME
 *   not NAME | reason
 *
 * and "unread REASON" for a file that asks for what is not there. Ends with 0 unless it cannot
 * read.
 *
 * Of the suite's commands it has: test, test_fail, test_set, test_script_compile, test_script_run,
 * test_error, test_result_action, test_result_execute, test_result_reset, test_message,
 * test_mailbox_create. The suite counts a line "validation failed" as one more
 * error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "mail/header.h"

#include "sieve/run.h"
#include "sieve/types.h"

enum { FILE_LEN_MAX = 1 << 20, MESSAGES_MAX = 64, TYPES_MAX = 64 };

/* All that the commands of the suite change. */
static struct {
	struct arena arena;
	struct str folder; /* of the file, for scripts beside it */
	struct sieve_message message;
	struct str failure; /* of the test that runs */
	bool has_failed;
	struct sieve_problems problems; /* of the last script */
	struct sieve_program program;
	bool has_program;
	struct sieve_result result;
	struct {
		struct str mailbox, bytes; /* of a redirect the address */
	} stored[MESSAGES_MAX];
	size_t n_stored;
} suite = {.arena = {.max = 256 << 20}};

static struct str text_of(struct sieve_run *run, const struct sieve_call *call, size_t at)
{
	struct str text;

	if (sieve_run_text(run, call->arguments[at].texts, &text) < 0)
		abort();
	return text;
}

static struct str keep_bytes(struct str bytes)
{
	struct str kept;

	if (!arena_dup(&suite.arena, bytes, &kept))
		abort();
	return kept;
}

static bool read_file(const char *path, struct str *ret_bytes)
{
	struct buf bytes CLEANUP(buf_done) = BUF_MAX(FILE_LEN_MAX);
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		return false;
	char *to = buf_reserve(&bytes, FILE_LEN_MAX);
	buf_commit(&bytes, fread(to, 1, FILE_LEN_MAX, file));
	fclose(file);
	*ret_bytes = keep_bytes(buf_str(&bytes));
	return true;
}

/* --- test, test_fail --- */

static int run_test(struct sieve_run *run, const struct sieve_call *call)
{
	struct str name = text_of(run, call, 0);

	suite.has_failed = false;
	int result = sieve_run_block(run, call->block);
	if (result == -EINVAL && !suite.has_failed) {
		suite.has_failed = true;
		suite.failure = keep_bytes(str_of_cstr(run->result->problem.text));
	}
	if (suite.has_failed)
		printf("not %.*s | %.*s\n", STR_FMT(name), STR_FMT(suite.failure));
	else
		printf("ok %.*s\n", STR_FMT(name));
	return result == -E2BIG ? result : 0;
}

static int run_fail(struct sieve_run *run, const struct sieve_call *call)
{
	suite.has_failed = true;
	suite.failure = text_of(run, call, 0);
	return sieve_run_fail(run, "a test failed");
}

static const struct sieve_type type_test = {.name = STR_INIT("test"),
    .has_block = true,
    .parameters = {{SIEVE_STRING, "name"}},
    .run = run_test};
static const struct sieve_type type_fail = {
    .name = STR_INIT("test_fail"), .parameters = {{SIEVE_STRING, "reason"}}, .run = run_fail};

/* --- what the message is --- */

static void set_message(struct sieve_run *run, struct str bytes)
{
	suite.message.bytes = bytes;
	header_split(bytes, &run->header, &run->body);
	run->has_fields = false;
	run->fields = NULL;
}

static int run_set(struct sieve_run *run, const struct sieve_call *call)
{
	struct str name = text_of(run, call, 0), value = text_of(run, call, 1);

	if (str_eq(name, STR("message")))
		set_message(run, value);
	else if (str_eq(name, STR("envelope.from")))
		suite.message.sender = value;
	else if (str_eq(name, STR("envelope.to")))
		suite.message.recipient = value;
	else if (str_eq(name, STR("envelope.auth")))
		suite.message.user = value;
	else if (!str_eq(name, STR("envelope.orig_to")))
		return sieve_run_fail(run, "test_set of %.*s is not there", STR_FMT(name));
	return 0;
}

static const struct sieve_type type_set = {.name = STR_INIT("test_set"),
    .parameters = {{SIEVE_STRING, "what"}, {SIEVE_STRING, "value"}},
    .run = run_set};

enum { SMTP = SIEVE_GROUP_OWN, FOLDER = SMTP, INDEX = SMTP + 1 };

static const struct sieve_tag message_tags[] = {
    {STR_INIT("smtp"), SMTP, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
    {STR_INIT("folder"), FOLDER, SIEVE_EXTENSION_BASE, SIEVE_STRING, 0},
    {{0}, 0, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
};

/* test_message :smtp N, test_message :folder NAME N: what was sent, or stored, becomes the message.
 */
static int run_message(struct sieve_run *run, const struct sieve_call *call)
{
	const struct sieve_given_tag *where = sieve_call_tag(call, SMTP);
	struct str mailbox = where == NULL || where->texts == NULL ? STR("") : where->texts->text;
	uint64_t wanted = call->arguments[0].number;

	for (size_t i = 0; i < suite.n_stored; i++) {
		bool is_redirect =
		    memchr(suite.stored[i].mailbox.p, '@', suite.stored[i].mailbox.len) != NULL;
		if (mailbox.len == 0 ? !is_redirect : !str_eq(suite.stored[i].mailbox, mailbox))
			continue;
		if (wanted-- > 0)
			continue;
		set_message(run, suite.stored[i].bytes);
		if (mailbox.len == 0)
			suite.message.recipient = suite.stored[i].mailbox;
		return 1;
	}
	return 0;
}

static const struct sieve_type type_message_test = {.name = STR_INIT("test_message"),
    .is_test = true,
    .own_tags = message_tags,
    .parameters = {{SIEVE_NUMBER, "index"}},
    .run = run_message};

/* As a command it fails the test where there is no such message. */
static int run_message_command(struct sieve_run *run, const struct sieve_call *call)
{
	int result = run_message(run, call);

	return result == 0 ? sieve_run_fail(run, "there is no such message") : result;
}

static const struct sieve_type type_message_command = {.name = STR_INIT("test_message"),
    .own_tags = message_tags,
    .parameters = {{SIEVE_NUMBER, "index"}},
    .run = run_message_command};

static int run_nothing(struct sieve_run *run, const struct sieve_call *call)
{
	(void)run;
	(void)call;
	return 0;
}

static const struct sieve_tag create_tags[] = {
    {STR_INIT("use"), SIEVE_GROUP_OWN, SIEVE_EXTENSION_BASE, SIEVE_STRING, 0},
    {{0}, 0, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
};
static const struct sieve_type type_mailbox_create = {.name = STR_INIT("test_mailbox_create"),
    .own_tags = create_tags,
    .parameters = {{SIEVE_STRING, "mailbox"}},
    .run = run_nothing};

/* --- scripts within a script --- */

static int run_compile(struct sieve_run *run, const struct sieve_call *call)
{
	char path[4096];
	struct str script, name = text_of(run, call, 0);

	(void)snprintf(path, sizeof(path), "%.*s/%.*s", STR_FMT(suite.folder), STR_FMT(name));
	suite.problems = (struct sieve_problems){0};
	if (!read_file(path, &script))
		return sieve_run_fail(run, "%s cannot be read", path);
	suite.has_program =
	    sieve_check(script, sieve_language, &suite.arena, &suite.problems, &suite.program);
	return suite.has_program;
}

static int run_script(struct sieve_run *run, const struct sieve_call *call)
{
	(void)call;
	if (!suite.has_program)
		return sieve_run_fail(run, "there is no script to run");
	sieve_run(&suite.program, &suite.message, &suite.arena, &suite.result);
	suite.problems = (struct sieve_problems){0};
	if (suite.result.failed)
		sieve_problem_add(
		    &suite.problems, suite.result.problem.place, "%s", suite.result.problem.text);
	return !suite.result.failed;
}

static const struct sieve_type type_compile = {.name = STR_INIT("test_script_compile"),
    .is_test = true,
    .parameters = {{SIEVE_STRING, "file"}},
    .run = run_compile};
static const struct sieve_type type_run = {
    .name = STR_INIT("test_script_run"), .is_test = true, .run = run_script};

/* --- what came of it --- */

static const struct sieve_tag index_tags[] = {
    {STR_INIT("index"), INDEX, SIEVE_EXTENSION_BASE, SIEVE_NUMBER, 0},
    {{0}, 0, SIEVE_EXTENSION_BASE, SIEVE_NOTHING, 0},
};

/* One text of a list, or each: `n` texts, those that are there. */
static int match_one(struct sieve_run *run, const struct sieve_call *call, size_t n,
    struct str (*text_at)(size_t), size_t n_counted)
{
	const struct sieve_given_tag *index = sieve_call_tag(call, INDEX);
	const struct sieve_text *keys = call->arguments[0].texts;

	if (call->counts)
		return sieve_run_count(run, call, n_counted, keys);
	for (size_t i = 0; i < n; i++) {
		if (index != NULL && index->number != i + 1)
			continue;
		int result = sieve_run_match(run, call, text_at(i), keys);
		if (result != 0)
			return result;
	}
	return 0;
}

static struct str problem_at(size_t i)
{
	return str_of_cstr(suite.problems.first[i].text);
}

static int run_error(struct sieve_run *run, const struct sieve_call *call)
{
	size_t n = suite.problems.n, kept = sieve_problems_kept(&suite.problems);

	return match_one(run, call, kept, problem_at, n > 0 && !suite.result.failed ? n + 1 : n);
}

static struct str action_at(size_t i)
{
	static const struct str names[] = {[SIEVE_KEEP] = STR_INIT("keep"),
	    [SIEVE_FILEINTO] = STR_INIT("store"),
	    [SIEVE_REDIRECT] = STR_INIT("redirect")};

	return names[suite.result.actions[i].kind];
}

static int run_action(struct sieve_run *run, const struct sieve_call *call)
{
	size_t n = suite.result.n_actions;

	return match_one(run, call, n, action_at, n);
}

static int run_reset(struct sieve_run *run, const struct sieve_call *call)
{
	(void)run;
	(void)call;
	suite.result = (struct sieve_result){0};
	return 0;
}

static int run_execute(struct sieve_run *run, const struct sieve_call *call)
{
	(void)call;
	for (size_t i = 0; i < suite.result.n_actions; i++) {
		const struct sieve_action *action = &suite.result.actions[i];
		if (suite.n_stored == MESSAGES_MAX)
			return sieve_run_fail(run, "too many messages are stored");
		suite.stored[suite.n_stored].mailbox =
		    action->kind == SIEVE_KEEP ? STR("INBOX") : keep_bytes(action->target);
		suite.stored[suite.n_stored++].bytes = suite.message.bytes;
	}
	return 1;
}

#define TAKES_MATCH (SIEVE_TAKES(SIEVE_GROUP_MATCH) | SIEVE_TAKES(SIEVE_GROUP_COMPARATOR))

static const struct sieve_type type_error = {.name = STR_INIT("test_error"),
    .is_test = true,
    .groups = TAKES_MATCH,
    .own_tags = index_tags,
    .parameters = {{SIEVE_STRINGS, "key list"}},
    .run = run_error};
static const struct sieve_type type_action = {.name = STR_INIT("test_result_action"),
    .is_test = true,
    .groups = TAKES_MATCH,
    .own_tags = index_tags,
    .parameters = {{SIEVE_STRINGS, "key list"}},
    .run = run_action};
static const struct sieve_type type_reset = {
    .name = STR_INIT("test_result_reset"), .run = run_reset};
static const struct sieve_type type_execute = {
    .name = STR_INIT("test_result_execute"), .is_test = true, .run = run_execute};

/* --- a file --- */

static const struct sieve_type *const suite_types[] = {&type_test, &type_fail, &type_set,
    &type_message_test, &type_message_command, &type_mailbox_create, &type_compile, &type_run,
    &type_error, &type_action, &type_reset, &type_execute};

/* The language, and the suite's commands. */
static sieve_types all_types(void)
{
	static const struct sieve_type *types[TYPES_MAX];
	size_t n = 0;

	for (; sieve_language[n] != NULL; n++)
		types[n] = sieve_language[n];
	for (size_t i = 0; i < ARRAY_LEN(suite_types); i++)
		types[n++] = suite_types[i];
	return types;
}

/* The suite's own extension is no extension of the language: its line is made a comment. */
static struct str without_own_require(struct str script)
{
	struct str line = STR("require \"vnd.dovecot.testsuite\";");
	size_t at = str_find(script, line);

	if (at < script.len)
		memcpy((char *)script.p + at, "# the suite's own", 17);
	return script;
}

int main(int argc, char **argv)
{
	struct buf problems CLEANUP(buf_done) = BUF_MAX(1 << 16);
	struct sieve_problems found = {0};
	struct sieve_program program;
	struct sieve_result result;
	struct str script;

	if (argc != 2 || !read_file(argv[1], &script)) {
		fprintf(stderr, "usage: runner FILE.svtest\n");
		return 2;
	}
	struct str path = str_of_cstr(argv[1]);
	suite.folder = path;
	while (suite.folder.len > 0 && suite.folder.p[suite.folder.len - 1] != '/')
		suite.folder.len--;
	suite.folder =
	    suite.folder.len > 1 ? str_first(suite.folder, suite.folder.len - 1) : STR(".");
	suite.message.subaddress_separator = '+';
	suite.message.now_s = time(NULL);
	if (!sieve_check(
	        without_own_require(script), all_types(), &suite.arena, &found, &program)) {
		(void)sieve_problems_write(&found, &problems);
		printf("unread %.*s\n",
		    STR_FMT(str_first(buf_str(&problems), str_index(buf_str(&problems), '\n'))));
		return 0;
	}
	sieve_run(&program, &suite.message, &suite.arena, &result);
	if (result.failed && !suite.has_failed)
		printf("unread %s\n", result.problem.text);
	arena_done(&suite.arena);
	return 0;
}
