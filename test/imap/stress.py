#!/usr/bin/python3
"""Many clients on one account, doing everything at random, each minding every contradiction in what it is told.

  test/imap/stress.py [--minutes M] [--clients N] [--seed N] [-v]     GATEPOST_BUILD names the build folder

Flags, appends, copies, moves, expunges, searches, mailboxes made, renamed and deleted, IDLE, fetches, resynchronising,
and mail delivered meanwhile. From half of the time on sessions are killed. At the end:

  - no client was told a contradiction (follower.py), and no UID of a mailbox ever had two bodies
  - when all is quiet, each client knows what a new client sees, and one that comes back with QRESYNC learns the same
  - what STATUS counts is what is there; no MODSEQ lies above its mailbox's highest
  - `gatepost verify` finds nothing damaged
  - a client that stopped reading in the middle of its answer delayed nobody
"""

import argparse
import hashlib
import os
import random
import re
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "lib"))

import wire  # noqa: E402
from follower import Contradiction, Follower, flags_of  # noqa: E402
from instance import SANITIZER, Instance  # noqa: E402

LASTING = ["INBOX", "Archive", "Trash", "Junk"]  # never deleted
PASSING = ["p0", "p1", "p2", "p0/a", "p1/a", '"p w"']
FLAGS = ["\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "$One", "$Two"]
KEYS = ["ALL", "SEEN", "UNSEEN", "DELETED", "FLAGGED", "KEYWORD $One", "SUBJECT stress", "BODY abc", "NOT SEEN", "OR SEEN FLAGGED",
        "LARGER 2000", "1:*", "UID 1:*", "UNKEYWORD $Two SINCE 1-Jan-2020"]
CROWDED = 150  # messages; above it, clients rather take away
LARGE, LARGE_MESSAGES = 1 << 20, 24  # bytes of one, and how many: more than all buffers on the way hold
STALL_SECONDS, DELAY_SECONDS = 8, 5
REPLY_SECONDS = 90  # with sanitizers, on a machine that does other things too
IDLE_SECONDS = 0.3
KILL_EVERY = 2.0
GONE = (OSError, wire.Ended)


def body(rng, size=None):
    """Lines under a line with their hash."""
    size = rng.choice([1, 3, 10, 40, 200]) if size is None else size // 78
    text = "".join(rng.randbytes(38).hex() + "\r\n" for _ in range(size))
    return f"{hashlib.sha256(text.encode()).hexdigest()}\r\n{text}".encode()


def message(rng, size=None):
    return b"From: stress@client.example\r\nSubject: stress %d\r\n\r\n" % rng.getrandbits(30) + body(rng, size)


def is_whole(text):
    """True of a body that `body` made."""
    first, _, rest = text.partition(b"\r\n")
    return first == hashlib.sha256(rest).hexdigest().encode()


class Stress:
    def __init__(self, seed, n_clients, seconds, verbose):
        self.seed, self.n_clients, self.seconds, self.verbose = seed, n_clients, seconds, verbose
        limits = {("limits", "connections_per_network"): 500, ("limits", "sign_in_failures"): 100000}
        self.server = Instance(settings=limits)
        self.lock = threading.Lock()
        self.bodies = {}  # (mailbox id, uid) → hash
        self.counts, self.killed, self.failures = Counter(), 0, []
        self.over = threading.Event()
        self.kills_from = float("inf")  # until then no connection may end
        self.slowest = (0.0, "")

    def fails(self, who, error):
        with self.lock:
            self.failures.append(f"{who}: {error}")

    def keep_trace(self, c):
        if self.verbose and c is not None:
            for line in c.trace:
                print(f"    {c.box} {line.decode('latin-1')}")

    def counted(self, what, seconds):
        with self.lock:
            self.counts[what] += 1
            if seconds > self.slowest[0] and time.monotonic() < self.kills_from:
                self.slowest = (seconds, what)

    def saw_body(self, ident, uid, text):
        digest = hashlib.sha256(text).digest()
        with self.lock:
            before = self.bodies.setdefault((ident, uid), digest)
        if before != digest:
            raise Contradiction(f"UID {uid} of mailbox {ident.decode()} has another body than before")

    # --- the parts ------------------------------------------------------------------------------------------------

    def deliveries(self):
        rng = random.Random(f"{self.seed} smtp")
        while not self.over.is_set():
            try:
                with self.server.smtp_client() as s:
                    for _ in range(10):
                        s.deliver("stress@client.example", self.server.address, message(rng))
                        with self.lock:
                            self.counts["delivered"] += 1
                        if self.over.wait(rng.uniform(0.05, 0.6)):
                            return
            except GONE + (AssertionError,) as e:
                if time.monotonic() < self.kills_from:
                    self.fails("smtp", repr(e))
                time.sleep(0.2)

    def kill_sessions(self):
        rng = random.Random(f"{self.seed} kills")
        if self.over.wait(self.seconds / 2):
            return
        self.kills_from = time.monotonic()
        while not self.over.wait(rng.uniform(0, 2 * KILL_EVERY)):
            pids = self.server.role_pids("session")
            if pids:
                try:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    self.killed += 1
                except ProcessLookupError:
                    pass

    def run(self):
        clients = [Worker(self, n) for n in range(self.n_clients)]
        with self.server.imap_client() as c:
            c.command("CREATE Archive")
        others = [threading.Thread(target=t, daemon=True) for t in (self.deliveries, self.kill_sessions)]
        for t in clients + others:
            t.start()
        self.over.wait(self.seconds)
        self.over.set()
        for t in clients + others:
            t.join(REPLY_SECONDS)
            if t.is_alive():
                self.fails(t.name, "hangs")
        return clients


class Worker(threading.Thread):
    """One client: it comes back whenever its session was killed."""

    def __init__(self, stress, number):
        super().__init__(daemon=True, name=f"client {number}")
        self.stress, self.number = stress, number
        self.rng = random.Random(f"{stress.seed} {number}")
        self.c, self.left = None, {}  # left: mailbox id → (name, knowledge) to come back with
        self.operations = [
            (self.select, 8), (self.noop, 6), (self.store, 14), (self.append, 10), (self.copy, 5), (self.move, 6), (self.expunge, 7),
            (self.search, 7), (self.fetch_flags, 8), (self.fetch_bodies, 10), (self.idle, 5), (self.folders, 5), (self.status, 4), (self.leave, 3),
        ]

    def run(self):
        while not self.stress.over.is_set():
            try:
                self.session()
            except GONE as e:
                killing = time.monotonic() >= self.stress.kills_from
                if self.c is not None and self.c.bye:
                    self.stress.counted(self.c.bye.decode(), 0)
                elif not killing:
                    self.stress.fails(self.name, f"the connection ended: {e!r} during {self.c.asked if self.c else ''}")
                self.c = None
                time.sleep(self.rng.uniform(0.05, 0.5))
            except Exception as e:  # each kind of failure is one of the test
                asked = self.c.asked if self.c else "sign-in"
                if not (self.c is None and time.monotonic() >= self.stress.kills_from):  # killed while it signed in
                    self.stress.fails(self.name, f"{asked}: {e!r}{'' if isinstance(e, Contradiction) else chr(10) + traceback.format_exc()}")
                    self.stress.keep_trace(self.c)
                self.c = None
                time.sleep(0.2)

    def session(self):
        server = self.stress.server
        self.c = None
        self.c = Follower(server.imaps, server.address, server.password, resyncs=self.number % 2 == 1, timeout=REPLY_SECONDS)
        self.c.socket.settimeout(REPLY_SECONDS)
        while not self.stress.over.is_set():
            operation = self.rng.choices([o for o, _ in self.operations], [w for _, w in self.operations])[0]
            if self.c.box is None:
                operation = self.rng.choice([self.select, self.select, self.append, self.folders, self.status])
            elif len(self.c.uids) > CROWDED and self.rng.random() < 0.3:
                operation = self.thin_out
            start = time.monotonic()
            operation()
            self.stress.counted(operation.__name__, time.monotonic() - start)

    def command(self, *parts, may_fail=False):
        reply = self.c.command(*parts)
        if reply.status == "BAD" or (reply.status == "NO" and not may_fail and self.c.box in LASTING):
            raise Contradiction(f"{parts[0]!r}: {reply.status} {reply.text}")
        return reply

    # --- what it picks --------------------------------------------------------------------------------------------

    def a_box(self):
        return self.rng.choice(LASTING if self.rng.random() < 0.7 else PASSING)

    def some(self):
        """("", numbers) or ("UID ", UIDs) of some messages; None when there are none."""
        n = len(self.c.uids)
        if n == 0:
            return None
        if self.rng.random() < 0.5:
            first = self.rng.randint(1, n)
            return "", self.rng.choice([f"{first}", f"{first}:{min(n, first + self.rng.randint(0, 8))}", f"1:{first}" if n < 40 else f"{first}"])
        known = [u for u in self.c.uids if u is not None]
        if not known:
            return "UID ", "1:*" if n < 40 else "1"
        return "UID ", ",".join(str(u) for u in sorted(self.rng.sample(known, min(len(known), self.rng.randint(1, 6)))))

    # --- what it does ---------------------------------------------------------------------------------------------

    def select(self):
        if self.c.box is not None and self.c.resyncs and self.c.uids:
            self.c.learn()
            self.left[self.c.ident] = (self.c.box, self.c.knowledge())
        box = self.a_box()
        known = next((k for b, k in self.left.values() if b == box), None) if self.c.resyncs else None
        self.c.select(box, known if self.rng.random() < 0.7 else None)

    def noop(self):
        self.command(self.rng.choice(["NOOP", "CHECK"]))

    def store(self):
        which = self.some()
        if which:
            uid, numbers = which
            flags = " ".join(self.rng.sample(FLAGS, self.rng.randint(1, 3)))
            how = self.rng.choice(["+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT", "-FLAGS.SILENT"])
            silent = how.endswith(".SILENT")
            reply = self.command(f"{uid}STORE {numbers} {how} ({flags})", may_fail=True)
            if silent:  # what was told of these meanwhile may be older or newer than its own change
                self.doubt(uid, numbers)
            if reply.status == "NO" and "EXPUNGEISSUED" not in reply.text and self.c.box in LASTING:
                raise Contradiction(f"STORE: {reply.text}")

    def doubt(self, uid, numbers):
        """It no longer says what flags these have."""
        c = self.c
        if uid or "*" in numbers:
            c.flags = [None] * len(c.flags)
            return
        first, _, last = numbers.partition(":")
        for n in range(int(first), int(last or first) + 1):
            if n <= len(c.flags):
                c.flags[n - 1] = None

    def append(self):
        box, text = self.a_box(), message(self.rng)
        reply = self.command(f"APPEND {box} ({self.rng.choice(['', chr(92) + 'Seen', '$One'])}) ", text, may_fail=True)
        if reply.status != "OK" and box in LASTING:
            raise Contradiction(f"APPEND {box}: {reply.text}")

    def copy(self):
        which = self.some()
        if which and len(self.c.uids) < CROWDED:
            self.command(f"{which[0]}COPY {which[1]} {self.a_box()}", may_fail=True)

    def move(self):
        which = self.some()
        if which:
            self.command(f"{which[0]}MOVE {which[1]} {self.a_box()}", may_fail=True)

    def expunge(self):
        which = self.some() if self.rng.random() < 0.5 else None
        self.command(f"UID EXPUNGE {which[1]}" if which and which[0] else "EXPUNGE")

    def thin_out(self):
        n = len(self.c.uids)
        self.command(f"STORE {n // 3}:{n // 3 * 2} +FLAGS.SILENT (\\Deleted)", may_fail=True)
        self.c.flags = [None] * len(self.c.flags)
        self.command("EXPUNGE")

    def search(self):
        uid = self.rng.choice(["", "UID "])
        back = self.rng.choice(["", "", "RETURN (COUNT MIN MAX) ", "RETURN (ALL) "])
        keys = " ".join(self.rng.sample(KEYS, self.rng.randint(1, 2)))
        if self.rng.random() < 0.15:
            self.command(f"{uid}SORT (REVERSE DATE SUBJECT) UTF-8 {keys}")
        elif self.rng.random() < 0.15:
            self.command(f"{uid}THREAD REFERENCES UTF-8 {keys}")
        else:
            self.command(f"{uid}SEARCH {back}{keys}")

    def fetch_flags(self):
        if self.rng.random() < 0.5:
            self.c.learn()
        else:
            which = self.some()
            if which:
                self.command(f"{which[0]}FETCH {which[1]} (UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)", may_fail=True)

    def fetch_bodies(self):
        which = self.some()
        if not which:
            return
        reply = self.command(f"{which[0]}FETCH {which[1]} (UID BODY.PEEK[TEXT])", may_fail=True)
        for u in reply.untagged:
            m = re.match(rb"\* \d+ FETCH \(UID (\d+)(?: FLAGS \([^)]*\))?(?: MODSEQ \(\d+\))? BODY\[TEXT\] \{(\d+)\}\r\n", u)
            if m:
                text = u[m.end() : m.end() + int(m.group(2))]
                self.stress.saw_body(self.c.ident, int(m.group(1)), text)
                if not is_whole(text) and b"Gatepost" not in text:  # the server's own welcome
                    raise Contradiction(f"{self.c.box}: the body of UID {m.group(1).decode()} is not one that was sent: {text[:80]!r}")

    def idle(self):
        c = self.c
        tag = c.start("IDLE")
        end = time.monotonic() + self.rng.uniform(0, IDLE_SECONDS)
        heard = []
        while not (answer := c.response()).startswith(b"+"):
            heard.append(answer)
            if answer.startswith(tag):
                raise Contradiction(f"IDLE: {answer!r}")
        while (left := end - time.monotonic()) > 0 and not c.quiet_for(left):
            c.socket.settimeout(REPLY_SECONDS)
            heard.append(c.response())
        c.socket.settimeout(REPLY_SECONDS)
        for line in heard:
            c.take(line, "IDLE")
        c.send(b"DONE\r\n")
        c.finish(tag)

    def folders(self):
        a, b = self.rng.sample(PASSING, 2)
        words = self.rng.choice([f"CREATE {a}", f"CREATE {a}", f"DELETE {a}", f"RENAME {a} {b}", f"SUBSCRIBE {a}", 'LIST "" *',
                                 'LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES UNSEEN))'])
        self.command(words, may_fail=True)

    def status(self):
        self.command(f"STATUS {self.a_box()} (MESSAGES UNSEEN UIDNEXT SIZE HIGHESTMODSEQ)", may_fail=True)

    def leave(self):
        if self.rng.random() < 0.5 and self.c.resyncs:
            self.c.learn()
            self.left[self.c.ident] = (self.c.box, self.c.knowledge())
        self.command(self.rng.choice(["CLOSE", "UNSELECT"]))
        self.c.forget()


# --- when all is quiet ------------------------------------------------------------------------------------------------


def look(c, box):
    """{uid: flags} of a mailbox as a new client sees it; what it counts must be what is there."""
    status = c.command(f"STATUS {box} (MESSAGES UNSEEN DELETED SIZE UIDNEXT HIGHESTMODSEQ)")
    if status.status != "OK":
        return None
    counts = {k.decode(): int(v) for k, v in re.findall(rb"(\w+) (\d+)", status.one(rb"\* STATUS .* \(([^()]*)\)$").group(1))}
    c.ok(f"EXAMINE {box} (CONDSTORE)")
    rows = c.ok("UID FETCH 1:* (FLAGS RFC822.SIZE MODSEQ)").untagged if counts["MESSAGES"] else []
    seen, size, deleted, highest = {}, 0, 0, 0
    for row in rows:
        m = re.match(rb"\* \d+ FETCH ", row)
        if not m:
            continue
        flags = flags_of(re.search(rb"FLAGS \(([^)]*)\)", row).group(1))
        seen[int(re.search(rb"UID (\d+)", row).group(1))] = flags
        size += int(re.search(rb"RFC822.SIZE (\d+)", row).group(1))
        highest = max(highest, int(re.search(rb"MODSEQ \((\d+)\)", row).group(1)))
        deleted += b"\\deleted" in flags
    unseen = sum(b"\\seen" not in f for f in seen.values())
    found = dict(MESSAGES=len(seen), UNSEEN=unseen, DELETED=deleted, SIZE=size)
    for name, value in found.items():
        if counts[name] != value:
            raise Contradiction(f"STATUS {box}: {name} {counts[name]}, there are {value}")
    if highest > counts["HIGHESTMODSEQ"] or max(seen, default=0) >= counts["UIDNEXT"]:
        raise Contradiction(f"STATUS {box}: {counts}, but there is MODSEQ {highest}, UID {max(seen, default=0)}")
    return seen


def compare(told, truth, who):
    """`told` with None for what was not said."""
    if sorted(truth) != sorted(told):
        raise Contradiction(f"{who}: knows of {sorted(set(told) - set(truth))[:9]} that are gone, not of {sorted(set(truth) - set(told))[:9]}")
    for uid, flags in told.items():
        if flags is not None and flags != truth[uid]:
            raise Contradiction(f"{who}: was told that UID {uid} has {sorted(flags)}, it has {sorted(truth[uid])}")


def settle(stress, clients):
    """Each client's view, and what it learns by resynchronising, beside a new client's."""
    known = 0
    with stress.server.imap_client() as fresh:
        for w in clients:
            try:
                if w.c is not None and w.c.box is not None and w.c.command("NOOP").status == "OK":
                    c = w.c
                    if None in c.uids:  # UIDs were not told; flags are compared as they were told
                        flags = list(c.flags)
                        c.ok("UID SEARCH ALL") if not c.uids else c.ok("FETCH 1:* UID")
                        c.flags = flags
                    ident = re.search(rb"MAILBOXID \(([^)]+)\)", b"\n".join(fresh.command(f"EXAMINE {c.box}").untagged))
                    if ident and ident.group(1) == c.ident:  # not renamed
                        compare(dict(zip(c.uids, c.flags)), look(fresh, c.box), f"{w.name}, {c.box}")
                        known += 1
                for ident, (box, knowledge) in w.left.items() if w.c is not None else ():
                    if w.c.select(box, knowledge) and w.c.ident == ident:
                        compare(dict(zip(w.c.uids, w.c.flags)), look(fresh, box), f"{w.name}, {box} resynchronised")
                        known += 1
            except GONE:
                continue
            except (Contradiction, AssertionError) as e:
                stress.fails(w.name, f"at the end: {e}")
        for m in fresh.ok('LIST "" *').all(rb'^\* LIST \(([^)]*)\) "/" (.*)$'):
            if b"noselect" not in m.group(1).lower() and b"nonexistent" not in m.group(1).lower():
                look(fresh, m.group(2).decode())
    return known


def verify(stress):
    server = stress.server
    done = server.gatepost("verify", "--json", check=False, timeout=600)
    if done.returncode != 0:
        stress.fails("gatepost verify", done.stdout[-1500:] + done.stderr[-500:])
    stress.server.stop()
    done = server.gatepost("verify", "--account", server.address, "--password-stdin", stdin=server.password + "\n", check=False, timeout=600)
    if done.returncode != 0:
        stress.fails("gatepost verify --account", done.stdout[-1500:] + done.stderr[-500:])
    report = SANITIZER.search(server.log())
    if report:
        stress.fails("log", server.log()[max(0, report.start() - 200) : report.start() + 3000])


# --- one that does not read ---------------------------------------------------------------------------------------------


def slow_reader(stress):
    """The longest that others waited, in seconds, while a client read nothing of its answer."""
    server, rng = stress.server, random.Random(f"{stress.seed} slow")
    with server.imap_client() as c:
        c.ok("CREATE Large")
        text = message(rng, LARGE)
        for _ in range(LARGE_MESSAGES):
            c.append("Large", text)
    slow = server.imap_client(select="Large")
    tag = slow.start("FETCH 1:* (BODY[] FLAGS)")
    slow.exactly(1000)
    longest, end, n = 0.0, time.monotonic() + STALL_SECONDS, 0
    with server.imap_client(select="Large") as one, server.imap_client(select="INBOX") as two:
        while time.monotonic() < end:
            for words in (lambda: one.ok("STORE 1:5 +FLAGS (\\Flagged)"), lambda: one.ok("FETCH 2 BODY.PEEK[]"), lambda: one.ok("STORE 1:5 -FLAGS (\\Flagged)"),
                          lambda: two.append("Large", message(rng)), lambda: two.ok("NOOP"), lambda: server.deliver(message(rng))):
                start = time.monotonic()
                words()
                longest, n = max(longest, time.monotonic() - start), n + 1
    if longest > DELAY_SECONDS:
        stress.fails("slow reader", f"others waited {longest:.1f} s while it read nothing")
    slow.socket.settimeout(REPLY_SECONDS)
    tail = b""
    while tag + b" OK" not in tail:  # what it did not read comes whole, once it reads
        slow.pending = b""
        slow.fill()
        tail = (tail + slow.pending)[-70000:]
    slow.close()
    return longest, n


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="ten minutes")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    minutes = options.minutes or (10 if options.full else 0.2)
    stress = Stress(options.seed, options.clients, minutes * 60, options.verbose)
    try:
        longest, n = slow_reader(stress)
        print(f"while a client read nothing: {n} commands of others, the longest took {longest:.2f} s", flush=True)
        clients = stress.run()
        known = settle(stress, clients)
        verify(stress)
    finally:
        stress.server.close()
    print(f"{sum(stress.counts.values())} operations, {stress.killed} sessions killed, {len(stress.bodies)} UIDs' bodies, {known} views compared; "
          f"before that the slowest was {stress.slowest[1]}, {stress.slowest[0]:.2f} s")
    if options.verbose:
        print(dict(stress.counts))
    for line in stress.failures[:20]:
        print(f"  {line}")
    print(f"{'FAIL' if stress.failures else 'ok'}  stress, seed {options.seed}" + (f": {len(stress.failures)} failures" if stress.failures else ""))
    return 1 if stress.failures else 0


if __name__ == "__main__":
    sys.exit(main())
