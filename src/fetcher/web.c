#include "fetcher/web.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "dns/address_policy.h"
#include "dns/rdata.h"

enum {
	CA_FILE_MAX = 8 << 20,
	HOST_MAX = 256,
	RESOLVE_MAX = 2048,
	URL_MAX = 4096,
	CONNECT_SECONDS = 30
};

#define FUNCTIONS(f)                                                                               \
	f(curl_global_init) f(curl_easy_init) f(curl_easy_setopt) f(curl_easy_perform)             \
	    f(curl_easy_getinfo) f(curl_easy_cleanup) f(curl_easy_strerror) f(curl_slist_append)   \
	        f(curl_slist_free_all) f(curl_url) f(curl_url_set) f(curl_url_get)                 \
	            f(curl_url_cleanup) f(curl_free)
#define MEMBER(name) __typeof__(name) *name;

struct web {
	struct {
		FUNCTIONS(MEMBER)
	} curl;
	char *authorities; /* PEM */
	size_t authorities_len;
};

/* --- before the sandbox --- */

static int fail(const char *what, const char *error)
{
	log_event(LOG_ERROR, "fetcher.cannot_start", "what=%s error=%s",
	    log_quote(str_of_cstr(what)).text, log_quote(str_of_cstr(error)).text);
	return -EINVAL;
}

static int load(struct web *web)
{
	static const char name[] = "libcurl.so.4";
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return fail(name, dlerror());
#define FIND(function)                                                                             \
	if ((web->curl.function = dlsym(library, #function)) == NULL)                              \
		return fail(#function, "not in this libcurl");
	FUNCTIONS(FIND)
	CURLcode code = web->curl.curl_global_init(CURL_GLOBAL_ALL);
	return code == CURLE_OK ? 0 : fail(name, web->curl.curl_easy_strerror(code));
}

int web_new(const struct role_start *start, struct web **ret_web)
{
	const char *file = start->config->outbound_ca_file;
	struct web *web = calloc(1, sizeof(*web));

	assert(web != NULL);
	int r = load(web);
	if (r < 0) {
		free(web);
		return r;
	}
	r = fd_read_file(
	    start->data_fd, file, CA_FILE_MAX, &web->authorities, &web->authorities_len);
	if (r < 0)
		log_event(LOG_WARNING, "fetcher.no_authorities", "file=%s error=%s",
		    log_quote(str_of_cstr(file)).text, log_quote(str_of_cstr(strerror(-r))).text);
	*ret_web = web;
	return 0;
}

/* --- one request --- */

struct exchange {
	const struct web *web;
	const struct web_request *request;
	struct web_answer *answer;
	CURL *handle;
	char host[HOST_MAX];
	bool is_too_long;
	const char *refused; /* why an address was */
};

static size_t take_content(char *p, size_t size, size_t n, void *ctx)
{
	struct exchange *x = ctx;
	struct buf *content = x->answer->content;

	/* One byte less than was there ends the transfer. */
	if (content->len + size * n > WEB_ANSWER_MAX || !buf_add(content, str_of(p, size * n))) {
		x->is_too_long = true;
		return 0;
	}
	return size * n;
}

static struct str bytes_of(const struct curl_sockaddr *address)
{
	const void *at = &address->addr;

	if (address->family == AF_INET)
		return str_of(&((const struct sockaddr_in *)at)->sin_addr, 4);
	if (address->family == AF_INET6)
		return str_of(&((const struct sockaddr_in6 *)at)->sin6_addr, 16);
	return (struct str){0};
}

/* Every connection goes through here: whatever address libcurl may come to, it is looked at. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
	struct exchange *x = ctx;
	const char *refused = address_policy_refuses(bytes_of(to));

	if (refused != NULL && !x->request->allow_private) {
		x->refused = refused;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
}

static enum web_result refuse(struct exchange *x, const char *why)
{
	snprintf(x->answer->why, sizeof(x->answer->why), "%s", why);
	return WEB_FAILED;
}

/* Takes the host out of the URL, which must be one of HTTPS at its own port. */
static const char *check_url(struct exchange *x, const char *text)
{
	const struct web *web = x->web;
	CURLU *url = web->curl.curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL;
	const char *why = "its URL is malformed";

	if (url == NULL)
		return "no memory";
	if (web->curl.curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK &&
	    web->curl.curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    web->curl.curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    web->curl.curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		why = strcmp(scheme, "https") != 0 ? "its URL is not one of https"
		      : strcmp(port, "443") != 0   ? "its URL has another port than 443"
		      : str_to_cstr(str_of_cstr(host), x->host, sizeof(x->host)) < 0
		          ? "its host is too long"
		          : NULL;
	web->curl.curl_free(scheme);
	web->curl.curl_free(host);
	web->curl.curl_free(port);
	web->curl.curl_url_cleanup(url);
	return why;
}

static bool is_address(struct str text)
{
	unsigned char bytes[16];
	char copy[DNS_ADDRESS_TEXT_MAX];

	return str_to_cstr(text, copy, sizeof(copy)) == 0 &&
	       (inet_pton(AF_INET, copy, bytes) == 1 || inet_pton(AF_INET6, copy, bytes) == 1);
}

/* "host:443:address,address": where libcurl goes, without asking any name service. */
static struct curl_slist *addresses_of(const struct exchange *x)
{
	struct buf line CLEANUP(buf_done) = BUF_MAX(RESOLVE_MAX);
	const struct ipc_strs *addresses = &x->request->addresses;
	size_t n = 0;

	buf_printf(&line, "%s:443:", x->host);
	for (size_t i = 0; i < addresses->n && n < WEB_ADDRESSES_MAX; i++) {
		struct str address = addresses->v[i];
		bool is_ipv6 = str_index(address, ':') < address.len;
		if (!is_address(address))
			continue;
		buf_add(&line, n++ > 0 ? STR(",") : STR(""));
		buf_add(&line, is_ipv6 ? STR("[") : STR(""));
		buf_add(&line, address);
		buf_add(&line, is_ipv6 ? STR("]") : STR(""));
	}
	buf_add_c(&line, 0);
	if (n == 0 || buf_failed(&line))
		return NULL;
	return x->web->curl.curl_slist_append(NULL, line.p);
}

static struct curl_slist *fields_of(const struct exchange *x)
{
	struct buf line CLEANUP(buf_done) = BUF_MAX(256);

	if (!x->request->posts)
		return x->web->curl.curl_slist_append(NULL, "Accept: text/plain");
	buf_printf(&line, "Content-Type: %s", x->request->type);
	buf_add_c(&line, 0);
	struct curl_slist *list = x->web->curl.curl_slist_append(NULL, line.p);
	/* Without this a large content waits for a word of the server. */
	return x->web->curl.curl_slist_append(list, "Expect:");
}

static void set_options(struct exchange *x, const char *url)
{
	const struct web *web = x->web;
	struct curl_blob authorities = {
	    .data = web->authorities, .len = web->authorities_len, .flags = CURL_BLOB_NOCOPY};
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
	    {CURLOPT_NOSIGNAL, 1},
	    {CURLOPT_FOLLOWLOCATION, 0},
	    {CURLOPT_TIMEOUT, WEB_SECONDS},
	    {CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS},
	    {CURLOPT_SSL_VERIFYPEER, 1},
	    {CURLOPT_SSL_VERIFYHOST, 2},
	    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
	    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
	    {CURLOPT_MAXFILESIZE, WEB_ANSWER_MAX},
	    {CURLOPT_FORBID_REUSE, 1},
	    {CURLOPT_POST, x->request->posts},
	};
	const struct {
		CURLoption option;
		const void *value;
	} pointers[] = {
	    {CURLOPT_URL, url},
	    {CURLOPT_PROTOCOLS_STR, "https"},
	    {CURLOPT_PROXY, ""},
	    {CURLOPT_USERAGENT, "Gatepost"},
	    {CURLOPT_CAINFO, NULL},
	    {CURLOPT_CAPATH, NULL},
	    {CURLOPT_CAINFO_BLOB, &authorities},
	    {CURLOPT_WRITEDATA, x},
	    {CURLOPT_OPENSOCKETDATA, x},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		web->curl.curl_easy_setopt(x->handle, numbers[i].option, numbers[i].value);
	for (size_t i = 0; i < ARRAY_LEN(pointers); i++)
		web->curl.curl_easy_setopt(x->handle, pointers[i].option, pointers[i].value);
	web->curl.curl_easy_setopt(x->handle, CURLOPT_WRITEFUNCTION, take_content);
	web->curl.curl_easy_setopt(x->handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	if (x->request->posts) {
		web->curl.curl_easy_setopt(
		    x->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->request->content.len);
		web->curl.curl_easy_setopt(x->handle, CURLOPT_POSTFIELDS, x->request->content.p);
	}
}

/* "Text/Plain; charset=utf-8" → "text/plain" */
static void take_type(struct exchange *x)
{
	char *type = NULL;

	x->answer->type[0] = 0;
	if (x->web->curl.curl_easy_getinfo(x->handle, CURLINFO_CONTENT_TYPE, &type) != CURLE_OK)
		return;
	struct str all = str_of_cstr(type);
	struct str media = str_trim(str_cut(&all, ';'));
	if (str_to_cstr(media, x->answer->type, sizeof(x->answer->type)) == 0)
		for (char *c = x->answer->type; *c != 0; c++)
			*c = ascii_lower(*c);
}

static enum web_result judge(struct exchange *x, CURLcode code, const char *words)
{
	if (code == CURLE_OK) {
		x->web->curl.curl_easy_getinfo(
		    x->handle, CURLINFO_RESPONSE_CODE, &x->answer->status);
		take_type(x);
		return WEB_OK;
	}
	if (x->is_too_long || code == CURLE_FILESIZE_EXCEEDED)
		return refuse(x, "its answer is too long");
	if (x->refused != NULL) {
		snprintf(x->answer->why, sizeof(x->answer->why), "%s has %s", x->host, x->refused);
		return WEB_FAILED;
	}
	(void)refuse(x, words[0] != 0 ? words : x->web->curl.curl_easy_strerror(code));
	return code == CURLE_PEER_FAILED_VERIFICATION ? WEB_CERTIFICATE : WEB_FAILED;
}

enum web_result web_ask(
    const struct web *web, const struct web_request *request, struct web_answer *ret_answer)
{
	struct exchange x = {.web = web, .request = request, .answer = ret_answer};
	char url[URL_MAX], words[CURL_ERROR_SIZE] = "";

	ret_answer->why[0] = 0;
	ret_answer->status = 0;
	if (str_to_cstr(request->url, url, sizeof(url)) < 0)
		return refuse(&x, "its URL is malformed");
	const char *why = check_url(&x, url);
	if (why != NULL)
		return refuse(&x, why);
	if (web->authorities == NULL)
		return refuse(
		    &x, "there is no file of certificates (outbound.ca_file) to hold it to");
	struct curl_slist *addresses = addresses_of(&x);
	if (addresses == NULL)
		return refuse(&x, "its host has no address");
	struct curl_slist *fields = fields_of(&x);
	x.handle = web->curl.curl_easy_init();
	assert(x.handle != NULL);
	set_options(&x, url);
	web->curl.curl_easy_setopt(x.handle, CURLOPT_RESOLVE, addresses);
	web->curl.curl_easy_setopt(x.handle, CURLOPT_HTTPHEADER, fields);
	web->curl.curl_easy_setopt(x.handle, CURLOPT_ERRORBUFFER, words);
	enum web_result result = judge(&x, web->curl.curl_easy_perform(x.handle), words);
	web->curl.curl_easy_cleanup(x.handle);
	web->curl.curl_slist_free_all(addresses);
	web->curl.curl_slist_free_all(fields);
	return result;
}
