#!/usr/bin/python3
"""What is deleted gives its space back to the disk: records, large messages, and the index over them, by itself."""

import time

import prelude  # noqa: F401

from harness import expect, expect_equal, run_tests, test
from instance import Instance

MESSAGES = 3000
KEPT = 10
AT_ONCE = 250
SETTLED_SECONDS = 60
SLOW_SECONDS = 3  # in which another connection is answered, under sanitizers and load


def letter(n):
    """A short message of which much stands in the index."""
    references = "\r\n".join(f" <{n}.{k}.{'x' * 40}@example.test>" for k in range(24))
    return f"From: {n}@example.test\r\nSubject: letter {n}\r\nReferences:\r\n{references}\r\n\r\ntext {n}\r\n".encode()


def used(server, pattern="accounts/1/**/*"):
    return sum(p.stat().st_blocks * 512 for p in server.data.glob(pattern) if p.is_file())


def sizes(server):
    return {p.name: p.stat().st_blocks * 512 for p in server.data.glob("accounts/1/**/*") if p.is_file()}


def fill(c):
    for first in range(0, MESSAGES, AT_ONCE):
        parts = ["APPEND INBOX "]
        for n in range(first, first + AT_ONCE):
            parts += [letter(n), " "]
        c.ok(*parts[:-1])
    c.ok("APPEND INBOX ", b"Subject: large\r\n\r\n" + b"\r\n".join(b"%064d" % (n * 7919**4) for n in range(60000)))


def settle(server, other, limit):
    """Waits until the account is so small, while another connection goes on; its longest wait."""
    until, longest = time.monotonic() + SETTLED_SECONDS, 0
    while used(server) > limit:
        expect(time.monotonic() < until, f"{used(server)} octets are still used, {limit} were hoped for:", sizes(server))
        began = time.monotonic()
        other.ok("APPEND Drafts ", b"Subject: meanwhile\r\n\r\n")
        other.ok("STATUS INBOX (MESSAGES)")
        longest = max(longest, time.monotonic() - began)
        time.sleep(1.5)  # a quiet moment
    return longest


@test(seconds=600)
def expunging_shrinks_the_account(server):
    with server.imap_client(select="INBOX") as c, server.imap_client() as other:
        before = used(server)
        fill(c)
        expect_equal(len(other.ok("STATUS INBOX (MESSAGES)").all(rb"MESSAGES %d" % (MESSAGES + 1))), 1)
        full = used(server)
        expect(full > before + (15 << 20), (before, full))
        index = used(server, "accounts/1/mailbox.db*")
        c.ok(rf"STORE {KEPT + 1}:* +FLAGS.SILENT (\Deleted)")
        c.ok("EXPUNGE")
        longest = settle(server, other, before + (full - before) // 5)
        print(f"{full >> 10} KiB, the index {index >> 10}; now {used(server) >> 10}, "
              f"{used(server, 'accounts/1/mailbox.db*') >> 10}; others waited {longest:.2f} s at most")
        expect(used(server, "accounts/1/mailbox.db*") < index // 2, index)
        expect(longest < SLOW_SECONDS, longest)
        for n in range(KEPT):
            expect_equal(c.fetch_message(n + 1), letter(n))


@test(seconds=300)
def what_is_left_is_whole(server):
    with_key = ("--account", server.address, "--password-stdin")
    expect_equal([r["state"] for r in server.json("verify", *with_key, stdin=server.password + "\n")], ["ok"])
    server.kill()
    server.start()
    with server.imap_client(select="INBOX") as c:
        for n in range(KEPT):
            expect_equal(c.fetch_message(n + 1), letter(n))
    expect_equal([r["state"] for r in server.json("verify", *with_key, stdin=server.password + "\n")], ["ok"])


if __name__ == "__main__":
    run_tests(Instance)
