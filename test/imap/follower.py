"""A client that believes only what it is told, and minds every contradiction (RFC 3501 §5.2, §7.4.1; RFC 7162 §3.2.10).

It keeps the UID and flags of each message of its mailbox as the server's untagged responses make them. A number out of
range, an EXISTS that shrinks, an EXPUNGE where none may come, a UID that is another than before or does not ascend: each
raises Contradiction.
"""

import re
from collections import deque

import wire

UNNUMBERED = re.compile(r"(FETCH|STORE|SEARCH|SORT|THREAD)\b", re.IGNORECASE)  # during these no EXPUNGE may come

STRING = re.compile(rb'\{(\d+)\}\r\n|"(?:[^"\\]|\\.)*"', re.DOTALL)
TRACE_LINES = 150


class Contradiction(Exception):
    pass


def uid_set(text):
    """The UIDs of a set without `*`, as the server writes it."""
    found = []
    for word in text.split(b","):
        first, _, last = word.partition(b":")
        a, b = sorted((int(first), int(last or first)))
        found.extend(range(a, b + 1))
    return found


def flags_of(text):
    return frozenset(f.lower() for f in text.split()) - {b"\\recent"}


def without_strings(line):
    """A response without the bytes of its literals and quoted strings."""
    out, at = b"", 0
    for m in iter(lambda: STRING.search(line, at), None):
        out += line[at : m.start()] + b'""'
        at = m.end() + int(m.group(1) or 0)
    return out + line[at:]


class Follower(wire.Imap):
    """`resyncs`: with QRESYNC, told of VANISHED instead of EXPUNGE."""

    def __init__(self, port, address, password, resyncs=False, **how):
        self.prepare(None, resyncs)
        super().__init__(port, **how)
        self.sign_in(address, password)
        if resyncs:
            self.ok("ENABLE QRESYNC")

    def prepare(self, connected, resyncs):
        self.socket, self.resyncs = connected, resyncs
        self.trace = deque(maxlen=TRACE_LINES)
        self.bye = None  # what the server said before it ended the connection
        self.forget()

    def forget(self):
        self.box = self.ident = self.validity = self.highest = None
        self.uids, self.flags = [], []  # None where it was not told
        self.came = 0  # messages since the first EXISTS
        self.told_of = None  # while UIDs are learned by SELECT (QRESYNC …): {uid: flags}

    # --- what it is told --------------------------------------------------------------------------------------------

    def mind(self, condition, *words):
        if not condition:
            raise Contradiction(" ".join(str(w) for w in (self.box, *words)))

    def take(self, line, command=""):
        """One untagged response."""
        m = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)\b", line)
        if m is not None:
            n = int(m.group(1))
            {b"EXISTS": self.exists_is, b"EXPUNGE": self.expunged, b"FETCH": self.fetched}[m.group(2)](n, line, command)
        elif line.startswith(b"* OK [CLOSED]") and not command.startswith(("SELECT", "EXAMINE")):
            self.forget()  # it deleted the mailbox itself
        elif line.startswith(b"* VANISHED "):
            self.vanished(line)
        elif re.match(rb"\* SEARCH\b", line) and not command.upper().startswith("UID"):
            numbers = [int(w) for w in re.sub(rb"\(.*\)", b"", line).split()[2:]]
            self.mind(all(1 <= n <= len(self.uids) for n in numbers), command, "finds numbers that are not there:", line[:200])

    def exists_is(self, n, line, _command):
        self.mind(n >= len(self.uids), "EXISTS shrinks from", len(self.uids), line)
        more = n - len(self.uids)
        if self.uids:
            self.came += more
        self.uids += [None] * more
        self.flags += [None] * more

    def expunged(self, n, line, command):
        self.mind(not self.resyncs, "EXPUNGE after ENABLE QRESYNC", line)
        self.mind(UNNUMBERED.match(command) is None, "EXPUNGE during", command)
        self.mind(1 <= n <= len(self.uids), "EXPUNGE of a number that is not there, of", len(self.uids), line)
        del self.uids[n - 1], self.flags[n - 1]

    def vanished(self, line):
        self.mind(self.resyncs, "VANISHED without QRESYNC", line)
        earlier = line.startswith(b"* VANISHED (EARLIER) ")
        uids = uid_set(line.split()[-1])
        if earlier:
            self.mind(self.told_of is not None, "(EARLIER) where none was asked for", line[:200])
            for u in uids:
                self.told_of.pop(u, None)
            return
        for u in uids:
            if self.told_of is not None:
                self.told_of.pop(u, None)
            at = self.uids.index(u) if u in self.uids else self.unasked_place(u)
            self.mind(at is not None, "VANISHED of a UID that is not there:", u, "of", line[:200])
            del self.uids[at], self.flags[at]

    def unasked_place(self, uid):
        """One of the messages that this UID, of which it was never told, can have: they stand between its neighbours."""
        below = max((n for n, u in enumerate(self.uids) if u is not None and u < uid), default=-1)
        at = below + 1
        return at if at < len(self.uids) and self.uids[at] is None else None

    def fetched(self, n, line, command):
        self.mind(1 <= n <= len(self.uids), "FETCH of a number that is not there, of", len(self.uids), line[:200])
        bare = without_strings(line)
        uid, flags = re.search(rb"\bUID (\d+)", bare), re.search(rb"FLAGS \(([^)]*)\)", bare)
        if flags:
            self.flags[n - 1] = flags_of(flags.group(1))
        if not uid:
            asked = command.upper().startswith("FETCH")
            self.mind(asked or not self.resyncs or not flags, "FETCH of flags without a UID after ENABLE QRESYNC", line[:200])
            return
        uid = int(uid.group(1))
        if self.told_of is not None and flags:
            self.told_of[uid] = flags_of(flags.group(1))
        self.mind(self.uids[n - 1] in (None, uid), "message", n, "had the UID", self.uids[n - 1], "and has now", uid)
        self.uids[n - 1] = uid
        before = [u for u in self.uids[: n - 1] if u is not None][-1:]
        after = next((u for u in self.uids[n:] if u is not None), None)
        self.mind(not before or before[0] < uid, "UIDs do not ascend:", before, uid)
        self.mind(after is None or uid < after, "UIDs do not ascend:", uid, after)

    # --- what it does -----------------------------------------------------------------------------------------------

    def response(self):
        got = super().response()
        self.trace.append(b"S: " + got[:400])
        if got.startswith(b"* BYE"):
            self.bye = got
        return got

    def finish(self, tag):
        reply = super().finish(tag)
        for line in reply.untagged:
            self.take(line, self.asked)
        return reply

    def start(self, *parts):
        self.asked = parts[0]
        self.trace.append(b"C: " + parts[0].encode())
        return super().start(*parts)

    def select(self, box, known=None):
        """SELECT; with `known`, (validity, modseq, {uid: flags}) of before, resynchronised. True when it is selected."""
        self.forget()
        words = f"SELECT {box}"
        if known is not None:
            validity, modseq, self.told_of = known[0], known[1], dict(known[2])
            words += f" (QRESYNC ({validity} {modseq}))"
        reply = self.command(words)
        if reply.status != "OK":
            self.forget()
            return False
        codes = b"\n".join(reply.untagged)
        self.box = box
        self.validity = int(re.search(rb"UIDVALIDITY (\d+)", codes).group(1))
        self.ident = re.search(rb"MAILBOXID \(([^)]+)\)", codes).group(1)
        self.highest = int(re.search(rb"HIGHESTMODSEQ (\d+)", codes).group(1))
        if known is not None and known[0] == self.validity:
            told = self.told_of
            new = len(self.uids) - len(told)
            self.mind(0 <= new <= self.came, "after QRESYNC from", known[1], "it knows", len(told), "messages, of", len(self.uids), ";", self.came, "came meanwhile")
            self.uids = sorted(told) + [None] * new
            self.flags = [told[u] for u in self.uids[: len(told)]] + [None] * new
        self.told_of = None
        return True

    def learn(self):
        """Asks for whatever it does not know."""
        if None in self.uids or None in self.flags:
            self.ok("UID FETCH 1:* FLAGS")

    def knowledge(self):
        """(validity, modseq, {uid: flags}) to come back with."""
        return self.validity, self.highest, {u: f for u, f in zip(self.uids, self.flags) if u is not None and f is not None}
