/* gatepost version */
#include <stdio.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <sqlite3.h>

#include "cli/cli.h"

int cmd_version(int argc, char **argv)
{
	static const struct cli_spec spec = {"version", "",
	    "Prints the version of Gatepost and of the libraries in use.", 0, 0, CLI_JSON};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, NULL, 0, argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	const char *openssl = OpenSSL_version(OPENSSL_VERSION_STRING);
	if (!arguments.json) {
		printf("gatepost %s (OpenSSL %s, libsodium %s, SQLite %s)\n", GATEPOST_VERSION,
		    openssl, sodium_version_string(), sqlite3_libversion());
		return CLI_OK;
	}
	json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "version", GATEPOST_VERSION, "openssl",
	    openssl, "libsodium", sodium_version_string(), "sqlite", sqlite3_libversion());
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
	return CLI_OK;
}
