/* cli/init.h: the steps of `gatepost init`, each in the new data folder. */
#ifndef CLI_INIT_H
#define CLI_INIT_H

#include "cli/cli.h"
#include "seal/recovery.h"

enum { INIT_PORT_BASE_MAX = 64000 };

struct init {
	const char *data, *hostname, *domain, *account, *address;
	uint64_t port_base;
	char password[CLI_PASSWORD_MAX + 1];
	char recovery[RECOVERY_TEXT_LEN + 1]; /* made by init_directory */
};

/* Each CLI_GO_ON, or CLI_FAILED after an error. */
MUST_USE int init_certificate(int data_fd, const struct init *init);
MUST_USE int init_directory(int data_fd, struct init *init);
MUST_USE int init_config(int data_fd, const struct init *init);

#endif
