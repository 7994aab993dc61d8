/* gmime_dump FILE...: the structure of messages as GMime 3 reads them; see dump.h. */
#include "dump.h"

#include <gmime/gmime.h>
#include <stdlib.h>

enum { PATH_LEN_MAX = 1024, TEXT_LEN_MAX = 65536 };

static void dump_cstr(const char *path, const char *key, const char *value)
{
	dump_value(path, key, value != NULL ? value : "", value != NULL ? strlen(value) : 0);
}

static void dump_lower(const char *path, const char *key, const char *value)
{
	char *lower = g_ascii_strdown(value != NULL ? value : "", -1);

	dump_cstr(path, key, lower);
	g_free(lower);
}

static void dump_addresses(const char *path, const char *key, InternetAddressList *list)
{
	for (int i = 0; i < internet_address_list_length(list); i++) {
		InternetAddress *address = internet_address_list_get_address(list, i);
		const char *name = internet_address_get_name(address);
		char text[TEXT_LEN_MAX];
		if (INTERNET_ADDRESS_IS_GROUP(address)) {
			snprintf(text, sizeof(text), "%s:", name != NULL ? name : "");
			dump_cstr(path, key, text);
			dump_addresses(path, key,
			    internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)));
			dump_cstr(path, key, ";");
			continue;
		}
		InternetAddressMailbox *mailbox = INTERNET_ADDRESS_MAILBOX(address);
		snprintf(text, sizeof(text), "%s <%s>", name != NULL ? name : "",
		    internet_address_mailbox_get_addr(mailbox));
		dump_cstr(path, key, text);
	}
}

static void dump_message(const char *path, GMimeMessage *message)
{
	dump_cstr(path, "subject", g_mime_message_get_subject(message));
	dump_addresses(path, "from", g_mime_message_get_from(message));
	dump_addresses(path, "to", g_mime_message_get_to(message));
	dump_addresses(path, "cc", g_mime_message_get_cc(message));
}

static void dump_params(const char *path, const char *key, GMimeParamList *params)
{
	for (int i = 0; i < g_mime_param_list_length(params); i++) {
		GMimeParam *param = g_mime_param_list_get_parameter_at(params, i);
		char name[256];
		snprintf(name, sizeof(name), "%s:%s", key, g_mime_param_get_name(param));
		char *lower = g_ascii_strdown(name, -1);
		dump_cstr(path, lower, g_mime_param_get_value(param));
		g_free(lower);
	}
}

static void dump_leaf(const char *path, GMimePart *part)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *stream = g_mime_stream_mem_new();

	dump_cstr(path, "filename", g_mime_part_get_filename(part));
	if (content != NULL)
		g_mime_data_wrapper_write_to_stream(content, stream);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
	dump_body(path, (const char *)bytes->data, bytes->len);
	g_object_unref(stream);
}

static void dump_object(const char *path, GMimeObject *object);

static void dump_children(const char *path, GMimeMultipart *multipart)
{
	for (int i = 0; i < g_mime_multipart_get_count(multipart); i++) {
		char below[PATH_LEN_MAX];
		snprintf(below, sizeof(below), "%s.%d", path, i + 1);
		dump_object(below, g_mime_multipart_get_part(multipart, i));
	}
}

static void dump_object(const char *path, GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	GMimeContentDisposition *disposition = g_mime_object_get_content_disposition(object);

	dump_lower(path, "type", g_mime_content_type_get_media_type(type));
	dump_lower(path, "subtype", g_mime_content_type_get_media_subtype(type));
	dump_params(path, "type-param", g_mime_content_type_get_parameters(type));
	dump_lower(path, "disposition", g_mime_object_get_disposition(object));
	if (disposition != NULL)
		dump_params(path, "disposition-param",
		    g_mime_content_disposition_get_parameters(disposition));
	if (GMIME_IS_PART(object)) {
		dump_leaf(path, GMIME_PART(object));
	} else if (GMIME_IS_MULTIPART(object)) {
		dump_children(path, GMIME_MULTIPART(object));
	} else if (GMIME_IS_MESSAGE_PART(object)) {
		GMimeMessage *message = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
		char below[PATH_LEN_MAX];
		snprintf(below, sizeof(below), "%s.1", path);
		if (message == NULL)
			return;
		dump_message(below, message);
		dump_object(below, g_mime_message_get_mime_part(message));
	}
}

static int dump_file(const char *file, GMimeParserOptions *options)
{
	GMimeStream *stream = g_mime_stream_file_open(file, "r", NULL);

	printf("== %s\n", file);
	if (stream == NULL)
		return 1;
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, options);
	if (message != NULL) {
		dump_message("0", message);
		if (g_mime_message_get_mime_part(message) != NULL)
			dump_object("0", g_mime_message_get_mime_part(message));
		g_object_unref(message);
	}
	g_object_unref(parser);
	g_object_unref(stream);
	return 0;
}

int main(int argc, char **argv)
{
	const char *charsets[] = {"utf-8", "windows-1252", NULL};
	int failed = 0;

	g_mime_init();
	GMimeParserOptions *options = g_mime_parser_options_new();
	g_mime_parser_options_set_fallback_charsets(options, charsets);
	for (int i = 1; i < argc; i++)
		failed |= dump_file(argv[i], options);
	g_mime_parser_options_free(options);
	return failed;
}
