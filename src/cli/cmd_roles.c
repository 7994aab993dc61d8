/* gatepost roles: the table of sandbox/role.c, and what the kernel says of the running processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/fd.h"
#include "base/num.h"
#include "cli/cli.h"
#include "sandbox/filter.h"
#include "sandbox/role.h"
#include "sandbox/sandbox.h"
#include "supervisor/processes.h"

/* --- words --- */

static void add_word(struct buf *b, const char *word)
{
	buf_printf(b, "%s%s", b->len > 0 ? " " : "", word);
}

static void name_calls(unsigned calls, struct buf *b)
{
	for (unsigned bit = 0; filter_family_name(bit) != NULL; bit++)
		if ((calls & 1u << bit) != 0)
			add_word(b, filter_family_name(bit));
}

static void name_files(unsigned files, struct buf *b)
{
	static const char *const names[] = {"read", "write", "list", "make", "remove", "link"};

	for (unsigned bit = 0; bit < ARRAY_LEN(names); bit++)
		if ((files & 1u << bit) != 0)
			add_word(b, names[bit]);
	if (files == 0)
		add_word(b, "none");
}

static void name_capabilities(uint64_t set, struct buf *b)
{
	static const char *const names[] = {
	    [2] = "dac_read_search", [5] = "kill", [6] = "setgid", [7] = "setuid", [8] = "setpcap"};

	for (unsigned bit = 0; bit < 64; bit++) {
		if ((set >> bit & 1) == 0)
			continue;
		if (bit < ARRAY_LEN(names) && names[bit] != NULL)
			add_word(b, names[bit]);
		else
			buf_printf(b, "%s%u", b->len > 0 ? " " : "", bit);
	}
	if (set == 0)
		add_word(b, "none");
}

static void name_size(uint64_t bytes, struct buf *b)
{
	if (bytes == 0)
		add_word(b, "-");
	else if (bytes >> 30 << 30 == bytes)
		buf_printf(b, "%" PRIu64 "G", bytes >> 30);
	else
		buf_printf(b, "%" PRIu64 "M", bytes >> 20);
}

/* --- tables --- */

enum { WORD_MAX = 256 };

/* Adds a cell to the row that is being made; the bytes of `b` are given to it. */
static void add_cell(struct cli_rows *rows, size_t column, struct buf *b)
{
	rows->cells[rows->n_rows][column] = strndup(b->len > 0 ? b->p : "", b->len);
	buf_clear(b);
}

static void begin(struct cli_rows *rows, const char *const *columns, size_t n, size_t n_rows)
{
	*rows = (struct cli_rows){.n_columns = n};
	for (size_t c = 0; c < n; c++)
		rows->columns[c] = strdup(columns[c]);
	rows->cells = calloc(n_rows > 0 ? n_rows : 1, sizeof(*rows->cells));
	if (rows->cells == NULL)
		abort();
}

static void add_rule(struct cli_rows *rows, enum role role)
{
	const struct role_row *row = role_row(role);
	struct buf b CLEANUP(buf_done) = BUF_MAX(WORD_MAX);

	add_word(&b, row->name);
	add_cell(rows, 0, &b);
	add_word(&b, row->user);
	add_cell(rows, 1, &b);
	add_word(&b, row->folder != NULL ? row->folder : "-");
	add_cell(rows, 2, &b);
	if (role == ROLE_SUPERVISOR)
		add_word(&b, "all, in the data folder");
	else
		name_files(row->files, &b);
	add_cell(rows, 3, &b);
	name_size(row->memory, &b);
	add_cell(rows, 4, &b);
	buf_printf(&b, row->cpu > 0 ? "%" PRIu64 "s" : "-", row->cpu);
	add_cell(rows, 5, &b);
	buf_printf(&b, row->descriptors_each > 0 ? "%" PRIu64 "+%" PRIu64 "n" : "%" PRIu64,
	    row->descriptors, row->descriptors_each);
	add_cell(rows, 6, &b);
	name_calls(row->calls, &b);
	if (row->shares_parents_rules)
		add_word(&b, "(under its parent's filter)");
	add_cell(rows, 7, &b);
	rows->n_rows++;
}

static void print_rules(void)
{
	static const char *const columns[] = {
	    "ROLE", "USER", "FOLDER", "FILES IN IT", "MEMORY", "CPU", "OPEN", "SYSTEM CALLS"};
	struct cli_rows rows CLEANUP(cli_rows_done);

	begin(&rows, columns, ARRAY_LEN(columns), N_ROLES);
	for (enum role role = 0; role < N_ROLES; role++)
		add_rule(&rows, role);
	cli_print_rows(&rows, false, false);
	printf("\nn: connections of the configuration. A parent is also held to what its children "
	       "need.\nWho controls a role, has:\n");
	for (enum role role = 0; role < N_ROLES; role++)
		printf("  %-16s %s\n", role_row(role)->name, role_row(role)->holds);
}

static void add_user(struct buf *b, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	if (user != NULL)
		add_word(b, user->pw_name);
	else
		buf_printf(b, "%u", (unsigned)uid);
}

static void print_processes(const struct process *v, size_t n)
{
	static const char *const columns[] = {
	    "PID", "ROLE", "USER", "NO_NEW_PRIVS", "SECCOMP", "LANDLOCK", "PSS", "CAPABILITIES"};
	struct cli_rows rows CLEANUP(cli_rows_done);
	struct buf b CLEANUP(buf_done) = BUF_MAX(WORD_MAX);

	begin(&rows, columns, ARRAY_LEN(columns), n);
	for (size_t i = 0; i < n; i++, rows.n_rows++) {
		const struct process *p = &v[i];
		buf_printf(&b, "%d", (int)p->pid);
		add_cell(&rows, 0, &b);
		buf_printf(&b, "%s%s%s", p->role, p->state[0] != '\0' ? " " : "",
		    strcmp(p->state, "ready") == 0 ? "" : p->state);
		add_cell(&rows, 1, &b);
		add_user(&b, p->uid);
		add_cell(&rows, 2, &b);
		add_word(&b, p->no_new_privs ? "yes" : "NO");
		add_cell(&rows, 3, &b);
		buf_printf(&b, p->seccomp == 2 ? "filters: %u" : "NONE", p->filters);
		add_cell(&rows, 4, &b);
		if (p->landlock > 0)
			buf_printf(&b, "version %d", p->landlock);
		else
			add_word(&b, p->landlock == 0 ? "NONE" : "?");
		add_cell(&rows, 5, &b);
		buf_printf(&b, p->pss_kib >= 0 ? "%" PRId64 "K" : "?", p->pss_kib);
		add_cell(&rows, 6, &b);
		name_capabilities(p->capabilities, &b);
		add_cell(&rows, 7, &b);
	}
	cli_print_rows(&rows, false, false);
	puts("\nFrom /proc/PID/status; but landlock, which the kernel does not show, is what each "
	     "role said when it\nhad entered it, and what its children inherit.");
}

/* --- JSON --- */

static json_t *json_words(void (*name)(unsigned, struct buf *), unsigned set)
{
	struct buf b CLEANUP(buf_done) = BUF_MAX(WORD_MAX);
	json_t *array = json_array();

	name(set, &b);
	for (struct str rest = buf_str(&b); rest.len > 0;) {
		struct str word = str_cut(&rest, ' ');
		json_array_append_new(array, json_stringn(word.p, word.len));
	}
	return array;
}

static json_t *json_of_rule(enum role role)
{
	const struct role_row *row = role_row(role);

	return json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:i, s:s}",
	    "role", row->name, "user", row->user, "group", row->groups, "parent",
	    role_row(row->parent)->name, "folder", row->folder, "files",
	    row->files != 0 ? json_words(name_files, row->files) : json_array(), "calls",
	    json_words(name_calls, row->calls), "calls_in_force",
	    json_words(name_calls, role_calls_in_force(role)), "memory", (json_int_t)row->memory,
	    "cpu", (json_int_t)row->cpu, "descriptors", (json_int_t)row->descriptors,
	    "descriptors_each", (json_int_t)row->descriptors_each, "processes", row->processes,
	    "holds", row->holds);
}

static json_t *json_of_process(const struct process *p)
{
	struct buf caps CLEANUP(buf_done) = BUF_MAX(WORD_MAX);
	struct buf user CLEANUP(buf_done) = BUF_MAX(WORD_MAX);

	name_capabilities(p->capabilities, &caps);
	add_user(&user, p->uid);
	return json_pack("{s:i, s:i, s:s, s:s, s:s%, s:b, s:i, s:i, s:s%, s:o, s:o}", "pid", p->pid,
	    "parent", p->parent, "role", p->role, "state", p->state, "user", user.p, user.len,
	    "no_new_privs", p->no_new_privs, "seccomp", (int)p->seccomp, "seccomp_filters",
	    (int)p->filters, "capabilities", caps.p, caps.len, "landlock_told",
	    p->landlock >= 0 ? json_integer(p->landlock) : json_null(), "pss_kib",
	    p->pss_kib >= 0 ? json_integer(p->pss_kib) : json_null());
}

static void print_json(const struct process *v, size_t n, bool running)
{
	json_t *rules = json_array(), *processes = json_array();

	for (enum role role = 0; role < N_ROLES; role++)
		json_array_append_new(rules, json_of_rule(role));
	for (size_t i = 0; i < n; i++)
		json_array_append_new(processes, json_of_process(&v[i]));
	json_t *all = json_pack("{s:i, s:o, s:b, s:o}", "landlock_of_kernel",
	    sandbox_landlock_version(), "rules", rules, "running", running, "processes", processes);
	json_dumpf(all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
}

/* The processes of the server of a configuration; none, and -ESRCH, where none runs. */
static int list(const char *config_path, struct process **ret_v, size_t *ret_n)
{
	struct config config;

	/* The table is the same without any instance: a missing configuration is no error here. */
	if (cli_config_path(config_path) == NULL)
		return -ESRCH;
	int status = cli_load_config(config_path, &config);
	if (status != CLI_GO_ON)
		return -EINVAL;
	int fd CLEANUP(fd_close) = open(config.data, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : processes_list(fd, ret_v, ret_n);
	if (r < 0 && r != -ESRCH)
		cli_fail(
		    "%s: the running server cannot be found out (%s)", config.data, strerror(-r));
	return r;
}

int cmd_roles(int argc, char **argv)
{
	static const struct cli_spec spec = {"roles", "",
	    "Prints what each role may do: the one table that the sandboxes are made from. Where\n"
	    "the server runs, prints its processes with what the kernel says of each.",
	    0, 0, CLI_CONFIG | CLI_JSON};
	bool calls = false;
	const struct cli_option options[] = {{"--calls", NULL,
	    "print which system calls, with which arguments, each family has", NULL, &calls}};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);

	if (status != CLI_GO_ON)
		return status;
	if (calls) {
		filter_print(stdout);
		return CLI_OK;
	}
	struct process *v = NULL;
	size_t n = 0;
	int r = list(arguments.config, &v, &n);
	if (r < 0 && r != -ESRCH)
		return CLI_FAILED;
	if (arguments.json) {
		print_json(v, n, r == 0);
	} else {
		print_rules();
		putchar('\n');
		if (r == 0)
			print_processes(v, n);
		else
			printf("No server runs here. This kernel's landlock: version %d.\n",
			    sandbox_landlock_version());
	}
	free(v);
	return CLI_OK;
}
