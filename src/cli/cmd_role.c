/* gatepost role NAME INDEX: a role's process, started by the supervisor and by nobody else. */
#include "cli/cli.h"
#include "courier/dispatcher.h"
#include "delivery/delivery.h"
#include "directory/directory.h"
#include "fetcher/fetcher.h"
#include "gatekeeper/gatekeeper.h"
#include "keyholder/keyholder.h"
#include "ledger/ledger.h"
#include "queue/queue.h"
#include "registry/registry.h"
#include "resolver/resolver.h"
#include "sandbox/role.h"
#include "scribe/scribes.h"

/* Gates, sessions and couriers are forked by their parents, and are not here. */
static int (*const mains[N_ROLES])(struct role_start *start) = {
    [ROLE_GATEKEEPER_SMTP] = gatekeeper_main,
    [ROLE_GATEKEEPER_IMAP] = gatekeeper_main,
    [ROLE_GATEKEEPER_POP3] = gatekeeper_main,
    [ROLE_GATEKEEPER_SUBMISSION] = gatekeeper_main,
    [ROLE_KEYHOLDER] = keyholder_main,
    [ROLE_DIRECTORY] = directory_main,
    [ROLE_REGISTRY] = registry_main,
    [ROLE_DELIVERY] = delivery_main,
    [ROLE_QUEUE] = queue_main,
    [ROLE_DISPATCHER] = dispatcher_main,
    [ROLE_SCRIBES] = scribes_main,
    [ROLE_RESOLVER] = resolver_main,
    [ROLE_FETCHER] = fetcher_main,
    [ROLE_LEDGER] = ledger_main,
};

int cmd_role(int argc, char **argv)
{
	static struct role_start start;
	if (role_enter(argc - 1, argv + 1, &start))
		return CLI_FAILED;
	if (!mains[start.role])
		return cli_fail("role %s: not a role that has a process of its own", argv[1]);
	return mains[start.role](&start);
}
