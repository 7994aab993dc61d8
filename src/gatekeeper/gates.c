#include "gatekeeper/gates.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>

#include "base/num.h"

enum { MAPPED_PREFIX = 12, NETWORK_PREFIX = 8 };

struct gates *gates_new(void)
{
	struct gates *gates = mmap(NULL, sizeof *gates, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert(gates != MAP_FAILED);
	int r = madvise(gates, sizeof *gates, MADV_DONTFORK);
	assert(r == 0);
	return gates;
}

void gates_free(struct gates *gates)
{
	munmap(gates, sizeof *gates);
}

static const unsigned char mapped[MAPPED_PREFIX] = {[10] = 0xff, [11] = 0xff};

bool gates_address(const struct sockaddr_storage *address, char ret_peer[static GATE_PEER_MAX],
    struct network *ret_network)
{
	struct network whole = {{0}};
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		memcpy(whole.bytes, mapped, MAPPED_PREFIX);
		memcpy(whole.bytes + MAPPED_PREFIX, &in->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;
		memcpy(whole.bytes, &in6->sin6_addr, sizeof whole.bytes);
	} else {
		return false;
	}
	bool is_mapped = memcmp(whole.bytes, mapped, MAPPED_PREFIX) == 0;
	const void *from = is_mapped ? whole.bytes + MAPPED_PREFIX : whole.bytes;
	if (!inet_ntop(is_mapped ? AF_INET : AF_INET6, from, ret_peer, GATE_PEER_MAX))
		return false;
	if (!is_mapped && memcmp(whole.bytes, &in6addr_loopback, sizeof whole.bytes) != 0)
		memset(whole.bytes + NETWORK_PREFIX, 0, sizeof whole.bytes - NETWORK_PREFIX);
	*ret_network = whole;
	return true;
}

static bool is_loopback(const struct network *n)
{
	bool v4 = memcmp(n->bytes, mapped, MAPPED_PREFIX) == 0 && n->bytes[MAPPED_PREFIX] == 127;
	return v4 || memcmp(n->bytes, &in6addr_loopback, sizeof n->bytes) == 0;
}

static bool same(const struct network *a, const struct network *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* FNV-1a: the buckets need spread, not secrecy; a long chain costs its own network's connections,
 * of which there are few. */
static size_t hash(const void *p, size_t len)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const unsigned char *)p)[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static struct gate_record **bucket_of_pid(struct gates *gates, pid_t pid)
{
	return &gates->by_pid[hash(&pid, sizeof pid) % GATES_BUCKETS];
}

static struct gate_record **bucket_of_network(struct gates *gates, const struct network *n)
{
	return &gates->by_network[hash(n, sizeof *n) % GATES_BUCKETS];
}

static size_t count_network(struct gates *gates, const struct network *network)
{
	size_t n = 0;
	for (struct gate_record *r = *bucket_of_network(gates, network); r; r = r->next_by_network)
		n += same(&r->network, network);
	return n;
}

/* A bucket that fills with time: GATES_BURST connections deep. */
static bool take_allowance(struct gates *gates, const struct network *network, uint64_t now_ms)
{
	enum { COST_MS = 1000 / GATES_PER_SECOND, DEPTH_MS = COST_MS * GATES_BURST };
	struct gate_rate *rate = &gates->rates[hash(network, sizeof *network) % GATES_RATES];
	if (!same(&rate->network, network))
		*rate = (struct gate_rate){.network = *network};
	uint64_t full_at = num_max(rate->full_at_ms, now_ms) + COST_MS;
	if (full_at > now_ms + DEPTH_MS)
		return false;
	rate->full_at_ms = full_at;
	return true;
}

enum gates_verdict gates_admit(struct gates *gates, const struct network *network, uint64_t now_ms)
{
	if (gates->n >= gates->max || gates->n >= GATES_MAX)
		return GATES_FULL;
	if (count_network(gates, network) >= gates->max_per_network)
		return GATES_NETWORK_FULL;
	if (!is_loopback(network) && !take_allowance(gates, network, now_ms))
		return GATES_TOO_FAST;
	return GATES_ADMIT;
}

static struct gate_record *take_record(struct gates *gates)
{
	struct gate_record *record = gates->free;
	if (record)
		gates->free = record->next_by_pid;
	else
		record = &gates->records[gates->n_used++];
	assert(gates->n_used <= GATES_MAX);
	memset(record, 0, sizeof *record);
	return record;
}

struct gate_record *gates_add(
    struct gates *gates, pid_t pid, const struct network *network, const char *peer)
{
	struct gate_record *record = take_record(gates);
	struct gate_record **by_pid = bucket_of_pid(gates, pid);
	struct gate_record **by_network = bucket_of_network(gates, network);
	record->pid = pid;
	record->network = *network;
	memcpy(record->peer, peer, strnlen(peer, sizeof record->peer - 1));
	record->next_by_pid = *by_pid;
	record->next_by_network = *by_network;
	*by_pid = *by_network = record;
	gates->n++;
	return record;
}

struct gate_record *gates_find(const struct gates *gates, pid_t pid)
{
	struct gate_record *r = gates->by_pid[hash(&pid, sizeof pid) % GATES_BUCKETS];
	while (r && r->pid != pid)
		r = r->next_by_pid;
	return r;
}

void gates_remove(struct gates *gates, struct gate_record *record)
{
	struct gate_record **at = bucket_of_pid(gates, record->pid);
	while (*at != record)
		at = &(*at)->next_by_pid;
	*at = record->next_by_pid;
	at = bucket_of_network(gates, &record->network);
	while (*at != record)
		at = &(*at)->next_by_network;
	*at = record->next_by_network;
	gates->budget -= record->budget;
	gates->n--;
	record->next_by_pid = gates->free;
	gates->free = record;
}

bool gates_grant(struct gates *gates, struct gate_record *record, uint64_t bytes)
{
	uint64_t others = gates->budget - record->budget;
	if (bytes > gates->budget_max || others > gates->budget_max - bytes)
		return false;
	gates->budget = others + bytes;
	record->budget = bytes;
	return true;
}

void gates_each_overdue(
    struct gates *gates, uint64_t now_ms, void (*fn)(struct gate_record *record))
{
	for (size_t i = 0; i < GATES_BUCKETS; i++)
		for (struct gate_record *r = gates->by_pid[i]; r; r = r->next_by_pid)
			if (r->overdue_at_ms != 0 && r->overdue_at_ms <= now_ms)
				fn(r);
}
