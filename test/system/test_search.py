#!/usr/bin/python3
"""Searching in a server as it runs: the word index is made inside the session's sandbox, and lies sealed."""

import re
import time

import prelude  # noqa: F401

import messages
from harness import expect, expect_equal, run_tests, test
from instance import Instance

N_MESSAGES = 300
INDEX_SECONDS = 20
SEARCHES = [
    ("SUBJECT {}", "letter 17", 11),
    ("BODY {}", "quiznak7x", 1),
    ("BODY {}", "uiznak", N_MESSAGES),
    ("TEXT {}", "common words", N_MESSAGES),
    ("FROM {}", "sender@", N_MESSAGES),
    ("TEXT {}", "nowherefound", 0),
    ("BODY {}", "\u6771\u4eac\u90fd", N_MESSAGES),
    ("NOT BODY {}", "quiznak1", 189),
]


def make_server():
    return Instance()


def count(client, program, text):
    data = text.encode()
    found = client.ok("SEARCH RETURN (COUNT) " + program.format(f"{{{len(data)}+}}\r\n{text}")).one(rb"COUNT (\d+)")
    return int(found.group(1))


def database_len(server):
    return sum(p.stat().st_size for p in server.data.rglob("mailbox.db*"))


def wait_until_still(server, size):
    """Until the database has grown, and then not any more."""
    end = time.monotonic() + INDEX_SECONDS
    while time.monotonic() < end:
        time.sleep(1)
        now = database_len(server)
        if now == size[-1] and now > size[0]:
            return
        size.append(now)
    expect(False, "no index was made:", size)


@test
def an_idle_session_makes_the_index(server):
    with server.imap_client() as c:
        c.ok("SELECT INBOX")
        pids = server.role_pids("session")
        for n in range(N_MESSAGES):
            text = f"common words quiznak{n}x \u6771\u4eac\u90fd and {n * 7919 % 1000003} more\r\n"
            c.append("INBOX", messages.short(f"letter {n}", text))
        size = [database_len(server)]
        before = [count(c, program, text) for program, text, _ in SEARCHES]
        wait_until_still(server, size)
        after = [count(c, program, text) for program, text, _ in SEARCHES]
        expect_equal(before, [wanted for _, _, wanted in SEARCHES])
        expect_equal(after, before)
        expect_equal(server.role_pids("session"), pids, "the session is another one")
    for path in server.data.rglob("*"):
        if path.is_file():
            expect(b"quiznak" not in path.read_bytes(), path)
    expect(not re.search(r"\balarm\b", server.log()), server.log_tail())


if __name__ == "__main__":
    run_tests(make_server)
