/* our_dump FILE...: the structure of messages as src/mail/ reads them; see dump.h. */
#include "dump.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "mail/address.h"
#include "mail/charset.h"
#include "mail/encoded_word.h"
#include "mail/header.h"
#include "mail/mime.h"

enum { FILE_LEN_MAX = 64 << 20, PATH_LEN_MAX = 1024 };

static void dump_str(const char *path, const char *key, struct str value)
{
	dump_value(path, key, value.p, value.len);
}

static void dump_lower(const char *path, const char *key, struct str value)
{
	struct buf lower CLEANUP(buf_done) = BUF_MAX(value.len);

	for (size_t i = 0; i < value.len; i++)
		buf_add_c(&lower, ascii_lower(value.p[i]));
	dump_str(path, key, buf_str(&lower));
}

static void dump_address(const char *path, const char *key, const struct address *address)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 20);

	if (address->kind == ADDRESS_GROUP_END) {
		dump_str(path, key, STR(";"));
		return;
	}
	encoded_word_decode(address->name, &text);
	if (address->kind == ADDRESS_GROUP_START) {
		buf_add_c(&text, ':');
	} else {
		buf_add(&text, STR(" <"));
		address_local_quote(address->mailbox, &text);
		if (address->host.len > 0)
			buf_add_c(&text, '@');
		buf_add(&text, address->host);
		buf_add_c(&text, '>');
	}
	dump_str(path, key, buf_str(&text));
}

static void dump_addresses(const char *path, const char *key, struct str header, struct str name)
{
	struct arena a CLEANUP(arena_done) = ARENA_MAX(1 << 28);
	struct address *address = NULL;

	if (address_list_parse(header_value(header, name), &a, &address) < 0)
		abort();
	for (; address != NULL; address = address->next)
		dump_address(path, key, address);
}

static void dump_envelope(const char *path, struct str header)
{
	struct buf subject CLEANUP(buf_done) = BUF_MAX(1 << 24);

	encoded_word_decode(header_value(header, STR("Subject")), &subject);
	dump_str(path, "subject", buf_str(&subject));
	dump_addresses(path, "from", header, STR("From"));
	dump_addresses(path, "to", header, STR("To"));
	dump_addresses(path, "cc", header, STR("Cc"));
}

/* An earlier parameter, or section of one, has this name too. */
static bool is_repeated(const struct mime_params *params, size_t at, struct str base)
{
	for (size_t i = 0; i < at; i++) {
		struct str name = params->list[i].name;
		if (str_eq_nocase(str_first(name, str_index(name, '*')), base))
			return true;
	}
	return false;
}

/* "KEY:name" and the decoded value, once for each parameter, sections of RFC 2231 joined. */
static void dump_params(const char *path, const char *key, const struct mime_params *params)
{
	for (size_t i = 0; i < params->n; i++) {
		struct buf value CLEANUP(buf_done) = BUF_MAX(1 << 20);
		char name[256];
		struct str base = params->list[i].name;
		base = str_first(base, str_index(base, '*'));
		if (is_repeated(params, i, base))
			continue;
		snprintf(name, sizeof(name), "%s:%.*s", key, STR_FMT(base));
		for (char *c = name; *c != '\0'; c++)
			*c = ascii_lower(*c);
		mime_param(params, base, &value);
		dump_str(path, name, buf_str(&value));
	}
}

static void dump_part(const char *path, struct str message, const struct mime_part *part)
{
	struct buf text CLEANUP(buf_done) = BUF_MAX(1 << 28);

	if (mime_is_message_root(part))
		dump_envelope(path, mime_header(message, part));
	dump_lower(path, "type", part->type);
	dump_lower(path, "subtype", part->subtype);
	dump_params(path, "type-param", &part->type_params);
	dump_lower(path, "disposition", part->disposition);
	dump_params(path, "disposition-param", &part->disposition_params);
	if (part->first_child == NULL && !part->multipart) {
		mime_filename(part, &text);
		dump_str(path, "filename", buf_str(&text));
		buf_clear(&text);
		mime_decode(message, part, &text);
		dump_body(path, text.p, text.len);
	}
	for (const struct mime_part *child = part->first_child; child != NULL;
	     child = child->next) {
		char below[PATH_LEN_MAX];
		snprintf(below, sizeof(below), "%s.%u", path, child->number);
		dump_part(below, message, child);
	}
}

int main(int argc, char **argv)
{
	charset_init();
	for (int i = 1; i < argc; i++) {
		struct arena a CLEANUP(arena_done) = ARENA_MAX(MIME_ARENA_MAX);
		struct mime_part *root;
		char *p;
		size_t len;
		printf("== %s\n", argv[i]);
		if (fd_read_file(AT_FDCWD, argv[i], FILE_LEN_MAX, &p, &len) < 0 ||
		    mime_parse(str_of(p, len), &a, &root) < 0)
			return 1;
		dump_part("0", str_of(p, len), root);
		free(p);
	}
	return 0;
}
