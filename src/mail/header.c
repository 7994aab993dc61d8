#include "mail/header.h"

/*
 * RFC 5322 §2.2, §3.6.8, §4.5.8:
 *   fields     = *field            field = field-name *WSP ":" unstructured CRLF
 *   field-name = 1*%d33-57 / %d59-126
 * A line that starts with white space continues the field before it.
 */

/* The first line of `s` with its line end. */
static size_t line_len(struct str s)
{
	size_t at = str_index(s, '\n');

	return at < s.len ? at + 1 : at;
}

static bool is_empty_line(struct str s)
{
	return str_starts(s, STR("\n")) || str_starts(s, STR("\r\n"));
}

void header_split(struct str message, struct str *ret_header, struct str *ret_body)
{
	size_t at = 0;

	while (at < message.len) {
		struct str rest = str_from(message, at);
		bool last = is_empty_line(rest);
		at += line_len(rest);
		if (last)
			break;
	}
	*ret_header = str_first(message, at);
	*ret_body = str_from(message, at);
}

/* Where in a line the bytes of the next window are. */
enum line_place { LINE_START, LINE_CR, LINE_INSIDE };

/* True when the empty line ends in the window: then `*ret_len` bytes of it belong to the header. */
static bool ends_within(struct str window, enum line_place *place, size_t *ret_len)
{
	for (size_t i = 0; i < window.len; i++) {
		if (*place == LINE_INSIDE) {
			i += str_index(str_from(window, i), '\n');
			*place = i < window.len ? LINE_START : LINE_INSIDE;
			continue;
		}
		if (window.p[i] == '\n') {
			*ret_len = i + 1;
			return true;
		}
		bool cr = *place == LINE_START && window.p[i] == '\r';
		*place = cr ? LINE_CR : LINE_INSIDE;
	}
	return false;
}

int header_find_end(struct mail_source *message, uint64_t *ret_len)
{
	enum line_place place = LINE_START;
	uint64_t at = 0;
	size_t len = 0;

	while (at < message->len) {
		struct str window;
		int r = mail_source_look(message, at, &window);
		if (r < 0)
			return r;
		bool ends = ends_within(window, &place, &len);
		at += ends ? len : window.len;
		if (ends)
			break;
	}
	*ret_len = at;
	return 0;
}

static struct str strip_line_end(struct str s)
{
	if (s.len > 0 && s.p[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.p[s.len - 1] == '\r')
		s.len--;
	return s;
}

/* The lines of one field: the first one and those that start with white space. */
static size_t field_len(struct str rest)
{
	size_t len = line_len(rest);

	while (len < rest.len && (rest.p[len] == ' ' || rest.p[len] == '\t'))
		len += line_len(str_from(rest, len));
	return len;
}

static bool cut_field(struct str whole, struct header_field *field)
{
	struct str name = str_first(whole, line_len(whole));
	size_t colon = str_index(name, ':');

	if (colon == name.len)
		return false;
	name.len = colon;
	while (name.len > 0 && (name.p[name.len - 1] == ' ' || name.p[name.len - 1] == '\t'))
		name.len--;
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	}
	*field = (struct header_field){
	    .name = name, .value = strip_line_end(str_from(whole, colon + 1)), .whole = whole};
	return name.len > 0;
}

bool header_next(struct header_reader *reader, struct header_field *ret_field)
{
	struct header_field field;

	while (reader->rest.len > 0 && !is_empty_line(reader->rest)) {
		struct str whole = str_first(reader->rest, field_len(reader->rest));
		if (reader->n_read >= HEADER_FIELDS_MAX ||
		    reader->n_passed + whole.len > HEADER_LEN_MAX)
			break;
		reader->rest = str_from(reader->rest, whole.len);
		reader->n_passed += whole.len;
		if (cut_field(whole, &field)) {
			reader->n_read++;
			*ret_field = field;
			return true;
		}
	}
	reader->rest.len = 0;
	return false;
}

bool header_find(struct str header, struct str name, struct header_field *ret_field)
{
	struct header_reader reader = {.rest = header};
	struct header_field field;

	while (header_next(&reader, &field)) {
		if (str_eq_nocase(field.name, name)) {
			*ret_field = field;
			return true;
		}
	}
	return false;
}

struct str header_value(struct str header, struct str name)
{
	struct header_field field;

	return header_find(header, name, &field) ? str_trim(field.value) : STR("");
}

bool header_unfold(struct str value, struct buf *out)
{
	value = str_trim(value);
	char *to = buf_reserve(out, value.len);
	size_t len = 0;

	if (to == NULL)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];
		if (c != '\r' && c != '\n' && c != '\0')
			to[len++] = c;
	}
	buf_commit(out, len);
	return true;
}
