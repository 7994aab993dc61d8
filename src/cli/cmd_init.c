/*
 * gatepost init: a new instance: its folder, keys, certificate, directory, the first domain and
 * account, and last of all the configuration, whose presence says that everything else is there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fd.h"
#include "base/num.h"
#include "cli/cli.h"
#include "cli/init.h"
#include "mail/charset.h"
#include "seal/cipher.h"

enum { FOLDER_MODE = 0755, PRIVATE_MODE = 0700 };

static const char about[] =
    "Makes a new instance in a folder that is empty or not there yet: keys, a certificate that\n"
    "vouches for itself, an empty directory, and gatepost.conf.\n\n"
    "It prints the organisation's recovery key, once. Whoever has it can give any account a new\n"
    "password. Write it down and keep it away from the server: it is stored nowhere.";

/* True for a folder that is empty, or could be made. */
static int make_folder(const char *path)
{
	if (mkdir(path, FOLDER_MODE) == 0)
		return CLI_GO_ON;
	if (errno != EEXIST)
		return cli_fail(
		    "%s: cannot be made (%s); make its parent folder first", path, strerror(errno));
	DIR *folder = opendir(path);
	if (!folder)
		return cli_fail("%s: cannot be opened (%s)", path, strerror(errno));
	int n = 0;
	while (readdir(folder))
		n++;
	closedir(folder);
	if (n > 2)
		return cli_fail("%s: there is something in this folder already; an instance needs "
		                "an empty one. Choose another with --data",
		    path);
	return CLI_GO_ON;
}

static int make_parts(int data)
{
	static const struct {
		const char *name;
		mode_t mode;
	} parts[] = {{"run", FOLDER_MODE}, {"tls", FOLDER_MODE}, {"directory", PRIVATE_MODE},
	    {"queue", PRIVATE_MODE}, {"ledger", PRIVATE_MODE}, {"accounts", PRIVATE_MODE}};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (mkdirat(data, parts[i].name, parts[i].mode) < 0 ||
		    fchmodat(data, parts[i].name, parts[i].mode, 0) < 0)
			return cli_fail("%s: cannot be made (%s)", parts[i].name, strerror(errno));
	return CLI_GO_ON;
}

static bool is_host_name(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > 253 || name[0] == '-' || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alpha(name[i]) && !ascii_is_digit(name[i]) && name[i] != '-' &&
		    name[i] != '.')
			return false;
	return true;
}

static int choose_hostname(struct init *init, char own[static HOST_NAME_MAX + 1])
{
	if (!init->hostname) {
		if (gethostname(own, HOST_NAME_MAX + 1) < 0 || !is_host_name(own))
			return cli_fail(
			    "this machine has no usable name; give one with --hostname");
		init->hostname = own;
	}
	if (!is_host_name(init->hostname))
		return cli_fail("--hostname %s: not a host name; write it like mail.example.org",
		    init->hostname);
	return CLI_GO_ON;
}

/* --- what is printed --- */

static void print_json(const struct init *init)
{
	json_t *object = json_object();
	json_t *ports = json_object();
	json_object_set_new(object, "config", json_sprintf("%s/gatepost.conf", init->data));
	json_object_set_new(object, "data", json_string(init->data));
	json_object_set_new(object, "hostname", json_string(init->hostname));
	json_object_set_new(object, "certificate", json_sprintf("%s/tls/cert.pem", init->data));
	json_object_set_new(
	    object, "domain", init->domain ? json_string(init->domain) : json_null());
	json_object_set_new(
	    object, "account", init->account ? json_string(init->account) : json_null());
	json_object_set_new(object, "recovery_key", json_string(init->recovery));
	json_object_set_new(ports, "smtp", json_integer((json_int_t)init->port_base + 25));
	json_object_set_new(ports, "submissions", json_integer((json_int_t)init->port_base + 465));
	json_object_set_new(ports, "submission", json_integer((json_int_t)init->port_base + 587));
	json_object_set_new(ports, "imap", json_integer((json_int_t)init->port_base + 143));
	json_object_set_new(ports, "imaps", json_integer((json_int_t)init->port_base + 993));
	json_object_set_new(ports, "pop3", json_integer((json_int_t)init->port_base + 110));
	json_object_set_new(ports, "pop3s", json_integer((json_int_t)init->port_base + 995));
	json_object_set_new(object, "ports", ports);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void print_text(const struct init *init)
{
	printf("A new instance is in %s.\n\n", init->data);
	printf("The organisation's recovery key, shown this once:\n\n    %s\n\n", init->recovery);
	fputs(
	    "Whoever has it can give any account a new password. Keep it away from the server.\n\n",
	    stdout);
	printf("Next: `gatepost serve -c %s/gatepost.conf`", init->data);
	if (!init->domain)
		fputs(", then `gatepost domain add`", stdout);
	if (!init->account)
		fputs(", then `gatepost account add`", stdout);
	fputs(".\n", stdout);
}

/* --- the steps --- */

static int make_all(struct init *init)
{
	umask(022);
	int status = make_folder(init->data);
	if (status != CLI_GO_ON)
		return status;
	int data CLEANUP(fd_close) = open(init->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data < 0)
		return cli_fail("%s: cannot be opened (%s)", init->data, strerror(errno));
	status = make_parts(data);
	if (status == CLI_GO_ON)
		status = init_certificate(data, init);
	if (status == CLI_GO_ON)
		status = init_directory(data, init);
	if (status == CLI_GO_ON)
		status = init_config(data, init);
	return status;
}

static int make_instance(struct init *init, bool json)
{
	char own_name[HOST_NAME_MAX + 1];
	cipher_init();
	charset_init();
	int status = choose_hostname(init, own_name);
	if (status == CLI_GO_ON)
		status = make_all(init);
	if (status != CLI_GO_ON)
		return status;
	if (json)
		print_json(init);
	else
		print_text(init);
	return CLI_OK;
}

static int read_password(struct init *init, bool from_stdin)
{
	if (!init->account)
		return CLI_GO_ON;
	if (!init->domain)
		return cli_fail("--account needs --domain");
	/* as root the account's folder is for the group of the roles that work on it */
	if (geteuid() == 0 && !getgrnam("gatepost-store"))
		return cli_fail("the group gatepost-store is missing; make the users of the roles "
		                "first, with packaging/users");
	return cli_read_password("New password", from_stdin, true, init->password);
}

int cmd_init(int argc, char **argv)
{
	static const struct cli_spec spec = {"init", "", about, 0, 0, CLI_JSON};
	static struct init init = {.data = "./data", .address = "127.0.0.1"};
	const char *port_base = "0";
	bool from_stdin = false;
	const struct cli_option options[] = {
	    {"--data", "DIR", "the folder (default ./data)", &init.data, NULL},
	    {"--hostname", "NAME", "the server's name in DNS (default: this machine's)",
	        &init.hostname, NULL},
	    {"--domain", "DOMAIN", "take mail for this domain", &init.domain, NULL},
	    {"--account", "ADDRESS", "add a first account", &init.account, NULL},
	    {"--password-stdin", NULL, "read its password from a line of standard input", NULL,
	        &from_stdin},
	    {"--address", "IP", "listen on this address (default 127.0.0.1)", &init.address, NULL},
	    {"--port-base", "N", "added to each well-known port (default 0)", &port_base, NULL},
	};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	if (!num_parse(str_of_cstr(port_base), INIT_PORT_BASE_MAX, &init.port_base)) {
		cli_fail(
		    "--port-base %s: not a number from 0 to %d", port_base, INIT_PORT_BASE_MAX);
		return CLI_USAGE;
	}
	status = read_password(&init, from_stdin);
	if (status == CLI_GO_ON)
		status = make_instance(&init, arguments.json);
	explicit_bzero(&init, sizeof(init));
	return status;
}
