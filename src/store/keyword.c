/* Keywords: names of flags, a bit each, per account. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "store/store_private.h"

/* RFC 9051 §9: flag-keyword = atom; atom-specials, controls and space may not be in it. */
static bool is_atom(struct str name)
{
	if (name.len == 0 || name.len > STORE_KEYWORD_LEN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		if (c <= ' ' || c == 0x7f || strchr("(){%*\"\\]", c))
			return false;
	}
	return true;
}

static uint64_t bit_of(size_t index)
{
	return (uint64_t)1 << (STORE_KEYWORD_FIRST + index);
}

static uint64_t find(const struct store *s, struct str name)
{
	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++) {
		if ((s->keyword_bits & bit_of(i)) &&
		    str_eq_nocase(name, str_of_cstr(s->keywords[i])))
			return bit_of(i);
	}
	return 0;
}

int store_keywords_refresh(struct store *s)
{
	/* Generation 0 has none; a store that has just been opened knows none. */
	if (s->keyword_generation == s->db.state.keyword_generation)
		return 0;
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_KEYWORDS, &stmt);
	if (error)
		return error;
	uint64_t bits = 0;
	int row;
	while ((row = db_step(&s->db, stmt)) > 0) {
		uint64_t index = db_column_u64(stmt, 0);
		struct str name = db_column_str(stmt, 1);
		if (index >= STORE_KEYWORDS_MAX || !is_atom(name))
			continue;
		memcpy(s->keywords[index], name.p, name.len);
		s->keywords[index][name.len] = '\0';
		bits |= bit_of(index);
	}
	if (row < 0)
		return row;
	s->keyword_bits = bits;
	s->keyword_generation = s->db.state.keyword_generation;
	return 0;
}

/* Within a writing transaction. The table in memory follows with the next refresh. */
static int add(struct store *s, struct str name, uint64_t *ret_bit)
{
	size_t index = 0;
	while (index < STORE_KEYWORDS_MAX && (s->keyword_bits & bit_of(index)))
		index++;
	if (index == STORE_KEYWORDS_MAX)
		return -E2BIG;
	sqlite3_stmt *stmt;
	int error = db_get(&s->db, DB_KEYWORD_ADD, &stmt);
	if (error)
		return error;
	db_bind(stmt, (int64_t)index);
	db_bind_str(stmt, 2, name);
	error = db_finish(&s->db, stmt);
	if (error)
		return error;
	s->db.state.keyword_generation++;
	*ret_bit = bit_of(index);
	return store_keywords_refresh(s);
}

static int find_or_add(struct store *s, struct str name, uint64_t *ret_bit)
{
	int error = store_keywords_refresh(s);
	if (error)
		return error;
	*ret_bit = find(s, name);
	return *ret_bit ? 0 : add(s, name, ret_bit);
}

/* What a rolled-back transaction added is forgotten: the next refresh reads the table anew. */
static void forget(struct store *s)
{
	s->keyword_bits = 0;
	s->keyword_generation = UINT64_MAX;
}

int store_keyword(struct store *s, struct str name, bool create, uint64_t *ret_bit)
{
	if (!is_atom(name))
		return -EINVAL;
	uint64_t bit = find(s, name);
	if (!bit && create) {
		int error = db_begin(&s->db);
		if (error)
			return store_note_error(s, error);
		error = db_end(&s->db, find_or_add(s, name, &bit));
		if (error) {
			forget(s);
			return store_note_error(s, error);
		}
	}
	*ret_bit = bit;
	return 0;
}

struct str store_keyword_name(struct store *s, uint64_t bit)
{
	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++) {
		if (bit == bit_of(i) && (s->keyword_bits & bit))
			return str_of_cstr(s->keywords[i]);
	}
	return STR("");
}

uint64_t store_keywords(const struct store *s)
{
	return s->keyword_bits;
}

int store_keywords_of_names(struct store *s, struct str names, uint64_t *ret_bits)
{
	uint64_t bits = 0;
	while (names.len > 0) {
		struct str name = str_cut(&names, ' ');
		uint64_t bit = 0;
		if (!is_atom(name))
			continue;
		int error = find_or_add(s, name, &bit);
		if (error && error != -E2BIG)
			return error;
		bits |= error ? 0 : bit;
	}
	*ret_bits = bits;
	return 0;
}

void store_keywords_to_names(struct store *s, uint64_t bits, struct buf *out)
{
	for (size_t i = 0; i < STORE_KEYWORDS_MAX; i++) {
		if (bits & s->keyword_bits & bit_of(i)) {
			buf_add(out, str_of_cstr(s->keywords[i]));
			buf_add_c(out, ' ');
		}
	}
}
