/* Rows as aligned tables and as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/num.h"
#include "cli/cli.h"

/* How many columns of a terminal the text takes: its code points. */
static size_t width(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_cell(const char *text, size_t column_width, bool is_last)
{
	fputs(text, stdout);
	if (!is_last)
		printf("%*s", (int)(column_width - width(text) + 2), "");
}

static void print_table(const struct cli_rows *rows)
{
	size_t widths[CLI_COLUMNS_MAX];
	bool is_terminal = isatty(STDOUT_FILENO);
	for (size_t c = 0; c < rows->n_columns; c++) {
		widths[c] = width(rows->columns[c]);
		for (size_t r = 0; r < rows->n_rows; r++)
			widths[c] = num_max(widths[c], width(rows->cells[r][c]));
	}
	if (rows->n_rows == 0)
		return;
	fputs(is_terminal ? "\033[1m" : "", stdout);
	for (size_t c = 0; c < rows->n_columns; c++)
		print_cell(rows->columns[c], widths[c], c + 1 == rows->n_columns);
	fputs(is_terminal ? "\033[0m\n" : "\n", stdout);
	for (size_t r = 0; r < rows->n_rows; r++) {
		for (size_t c = 0; c < rows->n_columns; c++)
			print_cell(rows->cells[r][c], widths[c], c + 1 == rows->n_columns);
		putchar('\n');
	}
}

static bool is_number(const char *column)
{
	static const char *const numbers[] = {"id", "quota_bytes", "accounts", "aliases", "offset"};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(column, numbers[i]) == 0)
			return true;
	return false;
}

static json_t *json_of_cell(const char *column, const char *cell)
{
	uint64_t value;
	if (is_number(column) && num_parse(str_of_cstr(cell), INT64_MAX, &value))
		return json_integer((json_int_t)value);
	return json_string(cell);
}

struct json_t *cli_json_of_row(const struct cli_rows *rows, size_t r)
{
	json_t *object = json_object();
	for (size_t c = 0; c < rows->n_columns; c++)
		json_object_set_new(
		    object, rows->columns[c], json_of_cell(rows->columns[c], rows->cells[r][c]));
	return object;
}

int cli_print_rows(const struct cli_rows *rows, bool json, bool as_one)
{
	if (!json) {
		print_table(rows);
		return CLI_OK;
	}
	json_t *all = json_array();
	for (size_t r = 0; r < rows->n_rows; r++)
		json_array_append_new(all, cli_json_of_row(rows, r));
	json_dumpf(as_one ? json_array_get(all, 0) : all, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(all);
	return CLI_OK;
}
