/* Arguments: one table is the parser and the text of --help. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"

enum { HELP_COLUMN = 26 };

int cli_fail(const char *fmt, ...)
{
	va_list args;
	fputs("gatepost: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return CLI_FAILED;
}

static int wrong_usage(const struct cli_spec *spec, const char *what, const char *which)
{
	fprintf(stderr, "gatepost %s: %s%s; see `gatepost %s --help`\n", spec->name, what, which,
	    spec->name);
	return CLI_USAGE;
}

static void print_option(const char *name, const char *value, const char *help)
{
	int len = printf("  %s%s%s", name, value ? " " : "", value ? value : "");
	printf("%*s%s\n", len < HELP_COLUMN ? HELP_COLUMN - len : 1, "", help);
}

static void print_help(
    const struct cli_spec *spec, const struct cli_option *options, size_t n_options)
{
	bool has_options = n_options > 0 || spec->takes;
	printf("usage: gatepost %s%s%s%s\n\n%s\n", spec->name, has_options ? " [OPTION]…" : "",
	    spec->operands[0] ? " " : "", spec->operands, spec->about);
	fputs("\nOptions:\n", stdout);
	for (size_t i = 0; i < n_options; i++)
		print_option(options[i].name, options[i].value, options[i].help);
	if (spec->takes & CLI_CONFIG)
		print_option("-c, --config", "FILE",
		    "the configuration (default /etc/gatepost/gatepost.conf, then "
		    "./data/gatepost.conf)");
	if (spec->takes & CLI_JSON)
		print_option("--json", NULL, "print JSON");
	print_option("--help", NULL, "print this");
}

/* The value of an option: behind "=", or the next word, which is then skipped. */
static const char *take_value(const char *word, size_t name_len, int argc, char **argv, int *i)
{
	if (word[name_len] == '=')
		return word + name_len + 1;
	return *i + 1 < argc ? argv[++*i] : NULL;
}

static bool is_option(const char *word, const char *name)
{
	size_t len = strlen(name);
	return strncmp(word, name, len) == 0 && (word[len] == '\0' || word[len] == '=');
}

/* Reads argv[*i], which begins with "-". CLI_GO_ON, or the exit status. */
static int read_option(const struct cli_spec *spec, const struct cli_option *options,
    size_t n_options, int argc, char **argv, int *i, struct cli_arguments *arguments)
{
	const char *word = argv[*i];
	const struct cli_option common[] = {
	    {"-c", "FILE", NULL, &arguments->config, NULL},
	    {"--config", "FILE", NULL, &arguments->config, NULL},
	    {"--json", NULL, NULL, NULL, &arguments->json},
	};
	size_t from = spec->takes & CLI_CONFIG ? 0 : 2;
	size_t to = spec->takes & CLI_JSON ? 3 : 2;
	const struct cli_option *found = NULL;
	for (size_t k = 0; k < n_options; k++)
		if (is_option(word, options[k].name))
			found = &options[k];
	for (size_t k = from; k < to; k++)
		if (is_option(word, common[k].name))
			found = &common[k];
	if (!found)
		return wrong_usage(spec, "unknown option ", word);
	size_t name_len = strlen(found->name);
	if (!found->value) {
		if (word[name_len] == '=')
			return wrong_usage(spec, "this option takes no value: ", found->name);
		*found->flag = true;
		return CLI_GO_ON;
	}
	*found->text = take_value(word, name_len, argc, argv, i);
	return *found->text ? CLI_GO_ON
	                    : wrong_usage(spec, "this option takes a value: ", found->name);
}

int cli_read_arguments(const struct cli_spec *spec, const struct cli_option *options,
    size_t n_options, int argc, char **argv, struct cli_arguments *ret_arguments)
{
	struct cli_arguments arguments = {.operands = argv};
	bool only_operands = false;
	for (int i = 1; i < argc; i++) {
		if (!only_operands && strcmp(argv[i], "--") == 0) {
			only_operands = true;
			continue;
		}
		if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[arguments.n++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--help") == 0) {
			print_help(spec, options, n_options);
			return CLI_OK;
		}
		int status = read_option(spec, options, n_options, argc, argv, &i, &arguments);
		if (status != CLI_GO_ON)
			return status;
	}
	if (arguments.n < spec->least)
		return wrong_usage(spec, "what is missing: ", spec->operands);
	if (arguments.n > spec->most)
		return wrong_usage(spec, "too much: ", argv[spec->most]);
	*ret_arguments = arguments;
	return CLI_GO_ON;
}

static void print_actions(FILE *to, const char *command, const struct cli_action *actions, size_t n)
{
	fprintf(to, "usage: gatepost %s ACTION …\n\n", command);
	for (size_t i = 0; i < n; i++) {
		int len = fprintf(
		    to, "  gatepost %s %s %s", command, actions[i].name, actions[i].operands);
		fprintf(to, "%*s%s\n", len < 44 ? 44 - len : 1, "", actions[i].about);
	}
	fprintf(to, "\n`gatepost %s ACTION --help` says more of each.\n", command);
}

int cli_run_action(
    const char *command, const struct cli_action *actions, size_t n, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		print_actions(stdout, command, actions, n);
		return CLI_OK;
	}
	for (size_t i = 0; argc > 1 && i < n; i++)
		if (strcmp(argv[1], actions[i].name) == 0)
			return actions[i].run(argc - 1, argv + 1);
	if (argc > 1)
		fprintf(stderr, "gatepost %s: no such action: %s\n", command, argv[1]);
	print_actions(stderr, command, actions, n);
	return CLI_USAGE;
}

bool cli_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	struct str digits = str_of_cstr(text);
	unsigned shift = 0;
	if (digits.len > 1) {
		const char *unit = strchr(units, ascii_upper(digits.p[digits.len - 1]));
		if (unit && *unit) {
			shift = 10 * (unsigned)(unit - units + 1);
			digits.len--;
		}
	}
	uint64_t value;
	if (!num_parse(digits, (uint64_t)INT64_MAX >> shift, &value))
		return false;
	*ret_bytes = value << shift;
	return true;
}
