#!/usr/bin/python3
"""Searching in a server as it runs: the word index is made inside the session's sandbox, and lies sealed."""

import re
import sqlite3
import sys
from contextlib import closing

import prelude  # noqa: F401

import messages
from harness import expect, expect_equal, run_tests, test, wait_until
from instance import ROOT, Instance

sys.path.insert(0, str(ROOT / "test/reader"))
import gatepost_reader  # noqa: E402
import sealed  # noqa: E402

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


def messages_not_indexed(server, account, master):
    """By the independent reader; None while the files change under it."""
    try:
        with closing(gatepost_reader.open_mailbox(server.data / "accounts" / str(account), account, master)) as db:
            return db.execute("SELECT next_message - 1 - indexed FROM state, search_state").fetchone()[0]
    except (sealed.Damage, sqlite3.Error):
        return None


@test
def an_idle_session_makes_the_index(server):
    with server.imap_client() as c:
        c.ok("SELECT INBOX")
        pids = server.role_pids("session")
        for n in range(N_MESSAGES):
            text = f"common words quiznak{n}x \u6771\u4eac\u90fd and {n * 7919 % 1000003} more\r\n"
            c.append("INBOX", messages.short(f"letter {n}", text))
        before = [count(c, program, text) for program, text, _ in SEARCHES]
        directory = gatepost_reader.open_directory(server.data / "directory")
        account, master = gatepost_reader.unlock(directory, server.address, server.password, False)
        # A few may wait for more to come.
        wait_until(lambda: messages_not_indexed(server, account, master) in range(16), INDEX_SECONDS, "an index")
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
