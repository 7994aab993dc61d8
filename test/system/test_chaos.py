#!/usr/bin/python3
"""Random but repeatable dialogues: commands made of the grammar's pieces, whole and damaged, on several connections at
once. Whatever is sent, no process may crash, and what the clients see must stay consistent."""

import random
import re
import threading
import time

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, full, run_tests, test
from instance import Instance

SECONDS = 200 if full else 20

BOXES = ["INBOX", "a", "a/b", "c", '"x y"', "Trash", "nosuch", '"&U,BTFw-"', "%", "*", '""', "a/", "/a", "inbox"]
SETS = ["1", "1:*", "*", "2:4", "*:1", "1,3,5:9", "0", "999999999", "4294967295:4294967294", "$", "1:*,1:*", ","]
FLAGS = ["\\Seen", "\\Deleted", "\\Flagged", "$Junk", "word", "\\Recent", "\\Foo", "()", "a" * 300, "NIL"]
ITEMS = ["FLAGS", "UID", "ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822", "RFC822.SIZE", "INTERNALDATE", "BODY[]", "BODY.PEEK[]<0.10>", "MODSEQ",
         "BODY.PEEK[HEADER]", "BODY.PEEK[1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[2.1.HEADER]", "BODY.PEEK[9.9.9.TEXT]", "BINARY.PEEK[1]", "BINARY.SIZE[2]",
         "BINARY[]<5.1>", "BODY.PEEK[HEADER.FIELDS (From To X)]", "BODY.PEEK[HEADER.FIELDS.NOT (Subject)]<3.7>", "ALL", "FULL", "RFC822.TEXT", "BODY[", "X", "SAVEDATE", "EMAILID",
         "THREADID", "PREVIEW", "PREVIEW (LAZY)", "PREVIEW (X)"]
KEYS = ["ALL", "SEEN", "UNSEEN", "DELETED", "KEYWORD word", "SUBJECT a", 'TEXT "e"', "BODY the", 'FROM "ada"', "HEADER Message-ID gen", "LARGER 1000", "SMALLER 9",
        "SINCE 1-Jan-2020", "SENTBEFORE 1-Jan-2020", "UID 1:5", "1:3", "NOT SEEN", "OR SEEN FLAGGED", "(ALL SEEN)", "$", "MODSEQ 1", "YOUNGER 5", "BODY \"\"",
        "SUBJECT \"\xff\"", "CHARSET UTF-8 TEXT é", "CHARSET KOI8-R ALL", "NEW", "OLD", "RECENT", "HEADER X \"\"", "SAVEDSINCE 1-Jan-2020", "SAVEDATESUPPORTED",
        "EMAILID M12", "THREADID Txyz"]
ENTRIES = ["/private/comment", "/shared/comment", "/private/a/b", "/private", "/shared/x*", "comment", "/private/specialuse"]
URLS = ['";UID=1"', '";UID=2/;SECTION=TEXT"', "/INBOX/;UID=3/;PARTIAL=1.5", "/Nowhere/;UID=1", "imap://x/INBOX/;UID=1", '";UID=*"', '""']
RETURNS = ["", "RETURN () ", "RETURN (MIN) ", "RETURN (MAX COUNT) ", "RETURN (ALL) ", "RETURN (SAVE) ", "RETURN (SAVE MIN) ", "RETURN (X) "]


def imap_command(rng):
    box, numbers = rng.choice(BOXES), rng.choice(SETS)
    uid = rng.choice(["", "", "UID "])
    flags = "(" + " ".join(rng.sample(FLAGS, rng.randint(0, 3))) + ")"
    return rng.choice([
        lambda: f"SELECT {box}", lambda: f"SELECT {box}", lambda: f"EXAMINE {box}", lambda: f"CREATE {box}", lambda: f"DELETE {box}",
        lambda: f"RENAME {box} {rng.choice(BOXES)}", lambda: f"SUBSCRIBE {box}", lambda: f"UNSUBSCRIBE {box}",
        lambda: f'LIST "" {box}', lambda: f'LIST (SUBSCRIBED) "" {box} RETURN (CHILDREN STATUS (MESSAGES UNSEEN SIZE))', lambda: f'LSUB {box} *',
        lambda: f"STATUS {box} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT SIZE DELETED HIGHESTMODSEQ)",
        lambda: f"{uid}FETCH {numbers} ({' '.join(rng.sample(ITEMS, rng.randint(1, 4)))})", lambda: f"{uid}FETCH {numbers} {rng.choice(ITEMS)}",
        lambda: f"{uid}FETCH {numbers} FLAGS", lambda: f"{uid}STORE {numbers} {rng.choice(['', '+', '-'])}FLAGS{rng.choice(['', '.SILENT'])} {flags}",
        lambda: f"{uid}SEARCH {rng.choice(RETURNS)}{' '.join(rng.sample(KEYS, rng.randint(1, 3)))}",
        lambda: f"{uid}COPY {numbers} {box}", lambda: f"{uid}MOVE {numbers} {box}", lambda: "EXPUNGE", lambda: f"UID EXPUNGE {numbers}",
        lambda: "NOOP", lambda: "CHECK", lambda: "CLOSE", lambda: "UNSELECT", lambda: "CAPABILITY", lambda: "NAMESPACE", lambda: "ENABLE IMAP4rev2 CONDSTORE",
        lambda: f"GETMETADATA {box} {rng.choice(['', '(DEPTH infinity) ', '(MAXSIZE 3) '])}({rng.choice(ENTRIES)} {rng.choice(ENTRIES)})",
        lambda: f"SETMETADATA {box} ({rng.choice(ENTRIES)} {rng.choice(['NIL', 'x', chr(34) * 2, '{3+}' + chr(13) + chr(10) + 'abc'])})",
        lambda: f"GETQUOTAROOT {box}", lambda: 'GETQUOTA ""', lambda: "ENABLE METADATA UTF8=ACCEPT", lambda: f"STATUS {box} (MAILBOXID DELETED-STORAGE)",
        lambda: f'LIST "" {box} RETURN (METADATA ({rng.choice(ENTRIES)}))', lambda: f"CREATE {box} (USE (\\Archive))",
        lambda: f"APPEND {box} CATENATE (URL {rng.choice(URLS)} TEXT {{5+}}\r\nabc\r\n URL {rng.choice(URLS)})",
        lambda: f"{uid}REPLACE {numbers} {box} {flags} {{12+}}\r\nSubject: r\r\n", lambda: f"{uid}REPLACE {numbers} {box} CATENATE (URL {rng.choice(URLS)})",
        lambda: "ID NIL", lambda: 'ID ("a" "b" "c" NIL)',
    ])()


def command_of_a_line(rng):
    """One without literals: a damaged length would ask for more than is ever sent."""
    while "{" in (command := imap_command(rng)):
        pass
    return command


def damaged(rng, data):
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        kind = rng.random()
        if kind < 0.4 and at < len(out):
            out[at] = rng.choice(b'()[]{}"\\*%<>~$\0\xff 09a')
        elif kind < 0.7:
            out[at:at] = rng.choice([b"(", b")", b'"', b"{5}", b"{3+}", b"~{1}", b" ", b"\\", b"NIL", b"[", b"]", b"<1.2>", b"99999999999"])
        else:
            del out[at : at + rng.randint(1, 5)]
    return bytes(c for c in out if c not in b"\r\n")


def drive(server, rng, end, counts):
    """One connection until the server ends it or time is up."""
    with server.imap_client() as c:
        c.socket.settimeout(15)
        try:
            while time.monotonic() < end:
                counts["commands"] += 1
                if rng.random() < 0.06:
                    m = messages.message(rng.randrange(60), 11)
                    status = c.command(f"APPEND {rng.choice(BOXES)} ({rng.choice(['', chr(92) + 'Seen', 'word'])}) ", m[:20000]).status
                elif rng.random() < 0.04:
                    tag = c.start("IDLE")
                    if c.response().startswith(b"+"):
                        c.send(b"DONE\r\n")
                        status = c.finish(tag).status
                elif rng.random() < 0.25:
                    c.send(b"z " + damaged(rng, command_of_a_line(rng).encode("utf-8", "replace")) + b"\r\n")
                    status = finish_damaged(c)
                else:
                    status = c.command(imap_command(rng)).status
                counts[status] = counts.get(status, 0) + 1
        except wire.Ended:
            counts["ended"] = counts.get("ended", 0) + 1


def finish_damaged(c):
    """The end of a damaged command: its tagged line, whatever its tag became. What it may take for a literal is given."""
    c.send(b"zz NOOP\r\n")
    status, again = "?", 0
    while True:
        try:
            c.socket.settimeout(0.3 if again < 20 else 15)
            got = c.response()
        except TimeoutError:
            if again == 20:
                raise
            again += 1
            c.send(b"zz NOOP\r\n")
            continue
        finally:
            c.socket.settimeout(15)
        if got.startswith(b"+"):
            c.send(b"xxxxx\r\nzz NOOP\r\n")
        elif got.startswith(b"zz OK"):
            return status
        elif not got.startswith(b"* ") or got.startswith(b"* BAD"):
            words = got.split(b" ")
            status = words[1].decode("latin-1") if len(words) > 1 else "?"


def snapshot(c):
    """{mailbox: [(uid, flags, size)]} as this connection sees it."""
    seen = {}
    for m in c.ok('LIST "" *').all(rb'^\* LIST \(([^)]*)\) "/" (.*)$'):
        if b"\\noselect" in m.group(1).lower() or b"\\nonexistent" in m.group(1).lower():
            continue
        name = m.group(2).decode()
        c.ok(f"EXAMINE {name}")
        rows = c.ok("UID FETCH 1:* (FLAGS RFC822.SIZE)").all(rb"FETCH \(UID (\d+) FLAGS \(([^)]*)\) RFC822.SIZE (\d+)\)")
        seen[name] = [(int(r.group(1)), tuple(sorted(set(r.group(2).split()) - {b"\\Recent"})), int(r.group(3))) for r in rows]
    return seen


@test(seconds=400)
def imap_commands_in_any_order(server):
    end, counts, errors = time.monotonic() + SECONDS, {"commands": 0}, []

    def loop(seed):
        rng = random.Random(f"imap {seed}")
        try:
            while time.monotonic() < end:
                drive(server, rng, end, counts)
        except Exception as e:  # reported below, in the main thread
            errors.append(f"{seed}: {e!r}")

    threads = [threading.Thread(target=loop, args=(n,), daemon=True) for n in range(3)]
    for t in threads:
        t.start()
    with server.smtp_client() as s:
        n = 0
        while time.monotonic() < end:
            s.deliver("chaos@client.example", server.address, messages.message(n % 60, 12)[:8000].rpartition(b"\r\n")[0] + b"\r\n", " BODY=8BITMIME")
            n += 1
            time.sleep(0.1)
    for t in threads:
        t.join(60)
    expect_equal(errors, [])
    with server.imap_client() as one, server.imap_client() as two:
        first, second = snapshot(one), snapshot(two)
        expect_equal(first, second, "two connections see different things")
        for rows in first.values():
            uids = [r[0] for r in rows]
            expect_equal(uids, sorted(set(uids)), "UIDs")
        for name, rows in first.items():
            one.ok(f"EXAMINE {name}")
            for uid, _, size in rows[:40]:
                expect_equal(len(one.fetch_message(uid, uid=True)), size, f"size of {name} {uid}")
    expect(counts.get("OK", 0) > 50, counts)
    return f"{counts}"


class Mirror:
    """What a client knows of its mailbox from what it was told without asking."""

    def __init__(self, connection):
        self.c = connection
        reply = connection.ok("SELECT mirrored")
        n = int(reply.one(rb"^\* (\d+) EXISTS").group(1))
        self.flags = [None] * n
        self.take(connection.ok("FETCH 1:* (UID FLAGS)").untagged if n else [])

    def take(self, untagged):
        for line in untagged:
            m = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)", line)
            if m is None:
                continue
            n = int(m.group(1))
            if m.group(2) == b"EXISTS":
                expect(n >= len(self.flags), "EXISTS shrinks", line)
                self.flags += [None] * (n - len(self.flags))
            elif m.group(2) == b"EXPUNGE":
                expect(1 <= n <= len(self.flags), "EXPUNGE of a number that is not there:", line)
                del self.flags[n - 1]
            else:
                expect(1 <= n <= len(self.flags), "FETCH of a number that is not there:", line)
                f = re.search(rb"FLAGS \(([^)]*)\)", line)
                if f:
                    self.flags[n - 1] = frozenset(f.group(1).split()) - {b"\\Recent"}

    def compare(self):
        """Asks for everything, and compares it with what was told."""
        truth = {}
        untagged = self.c.ok("FETCH 1:* FLAGS").untagged if self.flags else []
        for line in untagged:
            m = re.match(rb"\* (\d+) FETCH \(.*FLAGS \(([^)]*)\)", line)
            truth[int(m.group(1))] = frozenset(m.group(2).split()) - {b"\\Recent"}
        for n, known in enumerate(self.flags, 1):
            expect(known is None or truth.get(n) == known, "message", n, "told:", known, "is:", truth.get(n))
        expect_equal(sorted(truth), list(range(1, len(self.flags) + 1)), "numbers")
        self.flags = [truth[n] for n in range(1, len(self.flags) + 1)]


def change(rng, c, n):
    """A random change of the mailbox by its other client."""
    some = f"{rng.randint(1, max(n, 1))}:{rng.randint(1, max(n, 1))}"
    flags = " ".join(rng.sample(["\\Seen", "\\Flagged", "\\Answered", "Label", "\\Deleted"], rng.randint(1, 3)))
    kind = rng.random()
    if kind < 0.3 or n < 3:
        return c.append("mirrored", messages.short(f"m{rng.random()}"), flags=flags)
    if kind < 0.65:
        return c.command(f"STORE {some} {rng.choice(['', '+', '-'])}FLAGS{rng.choice(['', '.SILENT'])} ({flags})")
    if kind < 0.8:
        return c.command("EXPUNGE")
    if kind < 0.9:
        return c.command(f"COPY {some} mirrored") if n < 60 else c.command("STORE 1:40 +FLAGS (\\Deleted)")
    return c.command(f"MOVE {rng.randint(1, n)} aside")


@test(seconds=400)
def clients_are_told_of_everything(server):
    rng, end, changes = random.Random("mirror"), time.monotonic() + SECONDS / 2, 0
    with server.imap_client() as maker:
        for box in ("mirrored", "aside"):
            maker.ok(f"CREATE {box}")
    with server.imap_client(select="mirrored") as one, server.imap_client() as two, server.imap_client() as three:
        watchers = [Mirror(two), Mirror(three)]
        while time.monotonic() < end:
            for _ in range(rng.randint(1, 4)):
                n = int(one.ok("STATUS mirrored (MESSAGES)").one(rb"MESSAGES (\d+)").group(1))
                change(rng, one, n)
                changes += 1
                if rng.random() < 0.3:  # answers on the way that must not disturb the numbers
                    w = rng.choice(watchers)
                    w.take(w.c.command(f"FETCH {rng.randint(1, 5)} UID").untagged)
            for w in watchers:
                w.take(w.c.ok("NOOP").untagged)
            n = int(one.ok("STATUS mirrored (MESSAGES)").one(rb"MESSAGES (\d+)").group(1))
            for w in watchers:
                expect_equal(len(w.flags), n, "messages a watcher knows of after a NOOP")
                w.compare()
    return f"{changes} changes"


SMTP = [b"EHLO x", b"HELO x", b"MAIL FROM:<>", b"MAIL FROM:<a@b.example> SIZE=5", b"RCPT TO:<alice@example.test>", b"RCPT TO:<nobody@example.test>", b"DATA",
        b"RSET", b"NOOP", b"VRFY a", b"BDAT 5", b"BDAT 3 LAST", b"hello", b".", b"Subject: x", b"", b"MAIL FROM:<a@b.example> BODY=BINARYMIME SMTPUTF8",
        b"RCPT TO:<alice+t@example.test> NOTIFY=NEVER", b"HELP", b"EXPN x"]


@test(seconds=400)
def smtp_lines_in_any_order(server):
    rng, end, connections, replies = random.Random("smtp"), time.monotonic() + SECONDS / 2, 0, 0
    while time.monotonic() < end:
        connections += 1
        with wire.Wire(server.smtp, timeout=3) as w:
            try:
                for _ in range(rng.randint(1, 60)):
                    line = rng.choice(SMTP)
                    if rng.random() < 0.2 and line:
                        line = damaged(rng, line)
                    w.send(line + rng.choice([b"\r\n"] * 12 + [b"\n", b"\r", b"", b"\0\r\n"]))
                    if rng.random() < 0.3:
                        w.socket.settimeout(0.05)
                        w.fill()
            except (wire.Ended, OSError):
                pass
            replies += len(re.findall(rb"(?m)^\d\d\d[ -]", w.pending))
            for line in w.pending.split(b"\r\n")[:-1]:
                expect(re.match(rb"[2345]\d\d[ -]", line), "not a reply:", line)
    with server.smtp_client() as s:
        expect_equal(s.greeting[0], 220)
    return f"{connections} connections, {replies} replies"


if __name__ == "__main__":
    run_tests(Instance)
