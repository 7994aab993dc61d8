#include "sandbox/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/num.h"
#include "sandbox/role.h"

#define CAP(name) ((uint64_t)1 << (name))

static int lookup(const struct role_row *row, struct identity *ret_id, const char **ret_missing)
{
	const struct passwd *user = getpwnam(row->user);

	if (user == NULL) {
		*ret_missing = row->user;
		return -ENOENT;
	}
	struct identity id = {.uid = user->pw_uid, .gid = user->pw_gid};
	if (row->groups != NULL) {
		const struct group *group = getgrnam(row->groups);
		if (group == NULL) {
			*ret_missing = row->groups;
			return -ENOENT;
		}
		id.group = group->gr_gid;
	}
	*ret_id = id;
	return 0;
}

int identities_lookup(struct identities *ret_ids, const char **ret_missing)
{
	struct identities ids = {0};

	for (enum role role = 0; role < N_ROLES; role++) {
		int r = lookup(role_row(role), &ids.of[role], ret_missing);
		if (r < 0)
			return r;
	}
	*ret_ids = ids;
	return 0;
}

bool identities_encode(const struct identities *ids, struct buf *out)
{
	for (enum role role = 0; role < N_ROLES; role++)
		if (!buf_printf(out, "%u:%u:%u,", ids->of[role].uid, ids->of[role].gid,
		        ids->of[role].group))
			return false;
	return true;
}

static bool cut_id(struct str *rest, char end, uint32_t *ret_id)
{
	uint64_t value;

	if (!num_parse(str_cut(rest, end), UINT32_MAX - 1, &value))
		return false;
	*ret_id = (uint32_t)value;
	return true;
}

bool identities_decode(struct str text, struct identities *ret_ids)
{
	struct identities ids;

	for (enum role role = 0; role < N_ROLES; role++)
		if (!cut_id(&text, ':', &ids.of[role].uid) ||
		    !cut_id(&text, ':', &ids.of[role].gid) ||
		    !cut_id(&text, ',', &ids.of[role].group))
			return false;
	if (text.len > 0)
		return false;
	*ret_ids = ids;
	return true;
}

static int set_capabilities(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {.permitted = (uint32_t)permitted, .effective = (uint32_t)effective},
	    {.permitted = (uint32_t)(permitted >> 32), .effective = (uint32_t)(effective >> 32)},
	};

	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* Takes from the bounding set what is not in `keep`: not even a program run as root gets it. */
static int limit_bounding_set(uint64_t keep)
{
	for (int cap = 0; cap <= 63; cap++) {
		if ((keep & CAP(cap)) != 0)
			continue;
		/* EINVAL: the kernel has no capability of that number, nor a higher one. */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EINVAL ? 0 : -errno;
	}
	return 0;
}

int identity_assume(const struct identity *id, bool becomes)
{
	uint64_t keep = becomes ? CAP(CAP_SETUID) | CAP(CAP_SETGID) : 0;
	int r = limit_bounding_set(0);

	if (r < 0)
		return r;
	if (setgroups(id->group != 0 ? 1 : 0, &id->group) < 0)
		return -errno;
	if (prctl(PR_SET_KEEPCAPS, becomes ? 1 : 0, 0, 0, 0) < 0)
		return -errno;
	if (setresgid(id->gid, id->gid, id->gid) < 0 || setresuid(id->uid, id->uid, id->uid) < 0)
		return -errno;
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return -errno;
	return set_capabilities(keep, keep);
}

int identity_drop_capabilities(void)
{
	return set_capabilities(0, 0);
}

int identity_limit_supervisor(void)
{
	/*
	 * SETUID, SETGID: roles become their users. KILL: to end roles that do not end. SETPCAP:
	 * to take the rest from the bounding set, here and in the roles. Not among them is what
	 * makes root different from any other user for files: the supervisor, and a role as long as
	 * it is root, read and write what belongs to root.
	 */
	uint64_t keep = CAP(CAP_SETUID) | CAP(CAP_SETGID) | CAP(CAP_KILL) | CAP(CAP_SETPCAP);
	int r = limit_bounding_set(keep);

	return r < 0 ? r : set_capabilities(keep, keep);
}
