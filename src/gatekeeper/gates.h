/*
 * gatekeeper/gates.h: who is connected: one record for each living gate, found by process and by
 * network, and the limits over them.
 *
 * A network is an IPv4 address, or an IPv6 /64: what one subscriber is given. It knows no sockets
 * but their addresses, and makes no system call but for its memory, which is taken once and left
 * out of children: no gate learns who else is connected, and a fork copies nothing of it.
 */
#ifndef GATEKEEPER_GATES_H
#define GATEKEEPER_GATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/attr.h"
#include "gate/gate.h"

enum {
	GATES_BUCKETS = 1024, /* a power of two */
	GATES_MAX = 65536,    /* records at once, whatever `max` says */
	/* New connections of one network: so many at once, then so many a second. Not counted for
	 * the loopback, whose programs are no strangers. */
	GATES_BURST = 200,
	GATES_PER_SECOND = 20,
	/* Networks whose rate is remembered; a bucket forgets who was in it before. */
	GATES_RATES = 4096,
};

struct network {
	unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct gatekeeper;
struct loop_entry;

struct gate_record {
	struct gate_record *next_by_pid; /* of one that is free: the next free one */
	struct gate_record *next_by_network;
	pid_t pid;
	uint64_t connection;
	struct network network;
	char peer[GATE_PEER_MAX];
	uint64_t budget;  /* granted to it */
	uint64_t workers; /* delivery workers it was introduced to: a bit for each */
	bool knows_keyholder, knows_queue;
	struct loop_entry *channel; /* NULL: closed; one of IMAP closes it when it is signed in */
	uint64_t overdue_at_ms;     /* by clock_ms: it should have ended by itself; 0: never */
	struct gatekeeper *keeper;
};

struct gate_rate {
	struct network network;
	uint64_t full_at_ms; /* when its allowance will be whole again */
};

struct gates {
	size_t n;
	size_t max;
	size_t max_per_network;
	uint64_t budget; /* granted in all */
	uint64_t budget_max;
	struct gate_record *by_pid[GATES_BUCKETS];
	struct gate_record *by_network[GATES_BUCKETS];
	struct gate_rate rates[GATES_RATES];
	struct gate_record *free;
	size_t n_used; /* of `records`: the others were never touched */
	struct gate_record records[GATES_MAX];
};

enum gates_verdict { GATES_ADMIT, GATES_FULL, GATES_NETWORK_FULL, GATES_TOO_FAST };

/* Empty, all limits 0 (given: gates_free, which frees the records left in it too). */
struct gates *gates_new(void);
void gates_free(struct gates *gates);

/* The address as text, without the prefix of mapped ones, and its network. False for a family that
 * is neither IPv4 nor IPv6. */
MUST_USE bool gates_address(const struct sockaddr_storage *address,
    char ret_peer[static GATE_PEER_MAX], struct network *ret_network);

/* Whether a connection from there may be taken now; counts it for the rate. */
enum gates_verdict gates_admit(struct gates *gates, const struct network *network, uint64_t now_ms);

/* Adds a record (given: gates_remove) with pid, network and peer. */
struct gate_record *gates_add(
    struct gates *gates, pid_t pid, const struct network *network, const char *peer);
struct gate_record *gates_find(const struct gates *gates, pid_t pid);
/* Forgets and frees it; its budget is free again. */
void gates_remove(struct gates *gates, struct gate_record *record);

/* Calls `fn` for each gate that is overdue now. `fn` may change that moment, but not remove. */
void gates_each_overdue(
    struct gates *gates, uint64_t now_ms, void (*fn)(struct gate_record *record));

/* Grants a gate `bytes` in all, or not; what it had stays granted then. */
MUST_USE bool gates_grant(struct gates *gates, struct gate_record *record, uint64_t bytes);

#endif
