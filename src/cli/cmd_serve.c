/* gatepost serve */
#include <fcntl.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/cli.h"
#include "supervisor/supervisor.h"

int cmd_serve(int argc, char **argv)
{
	static const struct cli_spec spec = {"serve", "",
	    "Runs the server in the foreground until SIGTERM or SIGINT. The log goes to standard\n"
	    "error, one line an event.",
	    0, 0, CLI_CONFIG};
	bool allow_no_landlock = false;
	const char *ready = NULL;
	const struct cli_option options[] = {
	    {"--allow-no-landlock", NULL,
	        "start even where the kernel has no landlock: files are then guarded by users and "
	        "seccomp alone",
	        NULL, &allow_no_landlock},
	    {"--ready-fd", "N", "write a byte to this descriptor when all roles are ready", &ready,
	        NULL},
	};
	struct cli_arguments arguments;
	int status = cli_read_arguments(&spec, options, ARRAY_LEN(options), argc, argv, &arguments);
	if (status != CLI_GO_ON)
		return status;
	uint64_t ready_fd = 0;
	if (ready && (!num_parse(str_of_cstr(ready), INT16_MAX, &ready_fd) ||
	                 fcntl((int)ready_fd, F_GETFD) < 0)) {
		cli_fail("--ready-fd %s: not a descriptor that is open", ready);
		return CLI_USAGE;
	}
	const char *path = cli_config_path(arguments.config);
	struct config config;
	status = cli_load_config(path, &config);
	if (status != CLI_GO_ON)
		return status;
	struct supervisor_options supervisor = {
	    .config_path = path,
	    .allow_no_landlock = allow_no_landlock,
	    .ready_fd = ready ? (int)ready_fd : -1,
	};
	return supervisor_main(&supervisor);
}
