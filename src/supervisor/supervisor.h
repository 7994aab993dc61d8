/*
 * supervisor/supervisor.h: `gatepost serve`: starts the roles, joins them, replaces those that die,
 * ends them in order.
 *
 * It parses nothing from the network and holds no mail and no key. docs/architecture.md has the
 * edges between roles and the rules of restart.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>

struct supervisor_options {
	const char *config_path;
	bool allow_no_landlock;
	int ready_fd; /* one byte is written here when all roles are ready; -1: none */
};

/* Runs the server until SIGTERM or SIGINT. The exit status: 0 stopped in order, 1 could not start
 * (the reason is on standard error). */
int supervisor_main(const struct supervisor_options *options);

#endif
