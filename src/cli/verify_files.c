/*
 * The ledger, and the files that are the operator's own: what they held when the server last began
 * with them stands in the ledger, as digests.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fd.h"
#include "cli/verify.h"
#include "keyholder/dkim_keys.h"
#include "ledger/record.h"
#include "sandbox/role.h"

enum { FILE_MAX = 1 << 20 };

/* The digests that were noted last; empty: none. */
struct noted {
	struct digest_text config, certificate, key, keyholder;
};

static void take_word(struct str line, struct str word, struct digest_text *digest)
{
	size_t at = str_find(line, word);
	struct str value = str_first(str_from(line, at + word.len), DIGEST_TEXT_LEN);
	if (at == line.len || value.len != DIGEST_TEXT_LEN)
		return;
	memcpy(digest->text, value.p, DIGEST_TEXT_LEN);
	digest->text[DIGEST_TEXT_LEN] = '\0';
}

/* "sequence time kind sender …" (ledger/record.h). Who reads a file says what it holds: a broken
 * role cannot vouch for a file of another's. */
static void on_line(void *ctx, struct str line)
{
	struct noted *noted = ctx;
	struct str rest = line;
	str_cut(&rest, ' ');
	str_cut(&rest, ' ');
	if (!str_eq(str_cut(&rest, ' '), str_of_cstr(record_kind_name(LEDGER_FILES))))
		return;
	struct str sender = str_cut(&rest, ' ');
	if (str_eq(sender, str_of_cstr(role_row(ROLE_SUPERVISOR)->name)))
		take_word(rest, STR("gatepost.conf="), &noted->config);
	if (!str_eq(sender, str_of_cstr(role_row(ROLE_KEYHOLDER)->name)))
		return;
	take_word(rest, STR("certificate="), &noted->certificate);
	take_word(rest, STR(" key="), &noted->key);
	take_word(rest, STR(" keyholder="), &noted->keyholder);
}

static void judge_ledger(struct verify *v, const struct record_check *check)
{
	static const char *const name = "ledger/ledger.log";
	char problem[128];
	if (check->first_wrong != 0) {
		snprintf(problem, sizeof(problem), "the chain is broken at line %" PRIu64,
		    check->first_wrong);
		verify_row(v, name, "damaged", NULL, problem);
	} else if (check->torn > 0 || check->open_end) {
		snprintf(problem, sizeof(problem),
		    "%" PRIu64 " lines without a whole hash: crashes, or somebody changed them",
		    check->torn + check->open_end);
		verify_row(v, name, "torn", NULL, problem);
	} else {
		verify_row(v, name, "ok", NULL, "");
	}
}

/* Without a ledger no server ever began here. */
static void read_ledger(struct verify *v, struct noted *noted)
{
	struct record_lines lines = {on_line, noted};
	struct record_check check = {0};
	int fd CLEANUP(fd_close) =
	    openat(v->data_fd, "ledger/ledger.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	int error = fd < 0 ? -errno : record_check_file(fd, &lines, &check);
	if (error == -ENOENT)
		verify_row(v, "ledger/ledger.log", "ok", NULL, "");
	else if (error)
		verify_failed(v, "ledger/ledger.log", error);
	else
		judge_ledger(v, &check);
}

/* `path` is the file, `name` what it is called in the report. */
static void compare(struct verify *v, int dir_fd, const char *path, const char *name,
    const struct digest_text *noted)
{
	char *content = NULL;
	size_t len = 0;
	int error = fd_read_file(dir_fd, path, FILE_MAX, &content, &len);
	if (error) {
		verify_failed(v, name, error);
		return;
	}
	struct digest_text now = digest_of(str_of(content, len));
	if (len > 0)
		explicit_bzero(content, len);
	free(content);
	if (noted->text[0] == '\0')
		verify_row(v, name, "ok", NULL, "no server has begun with it yet");
	else if (strcmp(now.text, noted->text) == 0)
		verify_row(v, name, "ok", NULL, "");
	else
		verify_row(v, name, "changed", NULL, "not what the server last began with");
}

/* An instance from before there was one gets it at its next start. */
static bool has_keyholder_key(const struct verify *v, const struct noted *noted)
{
	struct stat st;
	return noted->keyholder.text[0] != '\0' ||
	       fstatat(v->data_fd, DKIM_KEYS_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Its checksum tells of damage; another whole key in its place only the ledger does. */
static void look_at_keyholder_key(struct verify *v, const struct noted *noted)
{
	if (!has_keyholder_key(v, noted))
		return;
	int error = dkim_keys_check_key(v->data_fd);
	if (error == -ENOKEY)
		verify_damage(v, DKIM_KEYS_FILE, 0, "does not match its checksum");
	else if (error == -ENOENT)
		verify_damage(v, DKIM_KEYS_FILE, 0, "is missing");
	else if (error)
		verify_failed(v, DKIM_KEYS_FILE, error);
	else
		compare(v, v->data_fd, DKIM_KEYS_FILE, DKIM_KEYS_FILE, &noted->keyholder);
}

void verify_files(struct verify *v)
{
	struct noted noted = {0};
	read_ledger(v, &noted);
	compare(v, AT_FDCWD, v->config_path, "gatepost.conf", &noted.config);
	compare(v, v->data_fd, v->config->certificate, v->config->certificate, &noted.certificate);
	compare(v, v->data_fd, v->config->key, v->config->key, &noted.key);
	look_at_keyholder_key(v, &noted);
	v->had_queue = noted.keyholder.text[0] != '\0';
}
