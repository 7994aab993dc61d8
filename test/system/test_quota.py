#!/usr/bin/python3
"""QUOTA (RFC 9208) of an account with a limit, and what happens at it."""

import base64
import os
import re

import prelude  # noqa: F401

import messages
from harness import expect, expect_equal, run_tests, test
from instance import Instance

CAROL = "carol@example.test"
LIMIT = 600_000


def make_server():
    server = Instance()
    server.gatepost("account", "add", CAROL, "--password-stdin", "--quota", str(LIMIT), stdin="quota password\n")
    server.passwords[CAROL] = "quota password"
    return server


def noise(octets):
    """A message that does not shrink much."""
    return messages.short("noise", base64.encodebytes(os.urandom(octets * 3 // 4)).decode().replace("\n", "\r\n"))


def storage(c):
    found = c.ok('GETQUOTA ""').one(rb'^\* QUOTA "" \(STORAGE (\d+) (\d+) MESSAGE (\d+) ')
    return tuple(int(n) for n in found.groups())


@test
def storage_is_counted(server):
    with server.imap_client(CAROL) as c:
        used, limit, n = storage(c)
        expect_equal((limit, n), (LIMIT // 1024, 0))
        c.append("INBOX", noise(200_000))
        later, _, n = storage(c)
        expect(140 < later - used < 260 and n == 1, (used, later, n))
        root = c.ok("GETQUOTAROOT INBOX").untagged
        expect(any(re.match(rb'\* QUOTAROOT INBOX ""', line) for line in root), root)


@test
def over_quota_is_said(server):
    with server.imap_client(CAROL) as c:
        reply = c.command("APPEND INBOX ", noise(500_000))
        expect(reply.status == "NO" and "[OVERQUOTA]" in reply.text, reply)
        expect_equal(storage(c)[2], 1)


@test
def replacing_counts_the_difference(server):
    with server.imap_client(CAROL, select="INBOX") as c:
        c.append("INBOX", noise(250_000))
        c.ok("NOOP")
        reply = c.command("APPEND INBOX ", noise(250_000))
        expect(reply.status == "NO" and "[OVERQUOTA]" in reply.text, reply)
        c.ok("REPLACE 2 INBOX ", noise(250_000))
        expect_equal(storage(c)[2], 2)


if __name__ == "__main__":
    run_tests(make_server)
