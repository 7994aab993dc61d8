/* cli/cmd_domain.h: actions of `gatepost domain` that stand in files of their own. */
#ifndef CLI_CMD_DOMAIN_H
#define CLI_CMD_DOMAIN_H

int domain_dns(int argc, char **argv);
int domain_rotate_keys(int argc, char **argv);

#endif
