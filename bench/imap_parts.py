"""The parts of bench/imap: what is asked of each server, in which order, and what must have come back.

The mailbox is INBOX of user1, filled in the same order with every server, so that message numbers mean the same. A part
leaves it as it was, but for flags that nobody searches for; what is copied, moved and expunged is in other folders.
"""
import contextlib
import imaplib
import json
import subprocess
import time

import machine
from machine import PASSWORD, say

SIZE = 4096
USER = f"user1@{machine.DOMAIN}"
LIST = "FETCH 1:* (FLAGS UID RFC822.SIZE ENVELOPE)"
ONE_BY_ONE_S = 3  # of a measurement that counts commands per second
TAKE_IN_S = 300  # at most, until all that was delivered is there
SESSIONS = 10     # held open to weigh their processes
RANGES = 40       # of one set
SLOW_MS = 2000    # what takes longer is not asked twice to be warm
SETTLE_S, SETTLE_MAX_S, SETTLED_CPU = 3, 1800, 0.1  # a server is done when it uses less than this of a core so long
GENERATOR_SHARE = 0.5  # of the time: beyond it the generator is what is measured


class Lab:
    """The servers with their mailbox, and the generator."""

    def __init__(self, load, servers, figures, options):
        self.load, self.servers, self.figures, self.options = load, servers, figures, options
        self.n = options.messages
        self.many = max(1, self.n // 10)
        self.corpus = json.loads(subprocess.run([load, "corpus", str(self.n)], check=True, capture_output=True).stdout)
        self.announced = {}

    def generate(self, *args, timeout=7200):
        done = subprocess.run([self.load, *map(str, args)], capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"imap_load {' '.join(map(str, args))[:150]}: {done.stderr[-300:]} {done.stdout[-300:]}")
        return json.loads(done.stdout)

    def ask(self, server, *args, user=USER, tls=True):
        return self.generate(server.imaps if tls else server.imap, "tls" if tls else "plain", user, PASSWORD, *args)

    def run(self, server, *commands, mailbox="INBOX", user=USER, tls=True):
        """The answers of these commands, after SELECT; SELECT's own comes first."""
        answers = self.ask(server, "run", *([f"SELECT {mailbox}"] if mailbox else []), *commands, user=user, tls=tls)
        for a, command in zip(answers, ([None] if mailbox else []) + list(commands)):
            if not a["ok"]:
                raise RuntimeError(f"{server.name}: {(command or 'SELECT')[:80]}: {a['text']}")
        return answers

    @contextlib.contextmanager
    def held(self, server, sessions, *commands):
        """So many connections, open and silent after these commands."""
        command = [self.load, server.imaps, "tls", USER, PASSWORD, "hold", sessions, *commands]
        holder = subprocess.Popen(list(map(str, command)),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if holder.stdout.readline().strip() != "held":
                raise RuntimeError(f"{server.name}: the sessions could not be opened")
            yield
        finally:
            holder.stdin.close()
            holder.wait()

    def has(self, server, word):
        return word in self.announced[server.name]

    def fill(self):
        for server in self.servers:
            self.announced[server.name] = self.ask(server, "capability")["capability"].split()
            say(f"  filling {self.n} messages into {server.name}")
            got = self.ask(server, "fill", "INBOX", 0, self.n, SIZE)
            self.figures.note(server.name, "fill the mailbox, MULTIAPPEND of 50", got["done"] / got["seconds"],
                              "per s", True)
        self.figures.show(["fill the mailbox, MULTIAPPEND of 50"])

    def measure(self, name, part):
        """A part by rounds, servers by turns. One that fails at a server is shown and does not take others with it."""
        say(f"{name} …")
        before = {n: sum(map(len, r.values.values())) for n, r in self.figures.rows.items()}
        broken = set()
        for round_number in range(1 if part in ONCE else self.options.rounds):
            for server in self.servers:
                if server.name in broken:
                    continue
                try:
                    part(self, server, round_number)
                except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
                    print(f"{name}: FAILED: {problem}", flush=True)
                    self.figures.failed = True
                    broken.add(server.name)
        changed = [n for n, r in self.figures.rows.items() if sum(map(len, r.values.values())) != before.get(n)]
        self.figures.show(changed)

    def note_ms(self, server, row, answer, want=None):
        """The time of one answer, and whether as many FETCH lines came as must."""
        if want is not None and answer["fetches"] != want:
            self.figures.warn(f"{row}: {server.name} sent {answer['fetches']} FETCH lines, not {want}")
        if answer["generator_ms"] > GENERATOR_SHARE * answer["ms"] > 50:
            self.figures.warn(f"{row}: {server.name}: the generator itself took {answer['generator_ms']:.0f} ms of "
                              f"{answer['ms']:.0f}")
        self.figures.note(server.name, row, answer["ms"])

    def note_rate(self, server, row, per_second, unit="per s"):
        self.figures.note(server.name, row, per_second, unit, True)

    def note_found(self, server, row, answer, want=None):
        self.note_ms(server, row, answer)
        self.figures.compare(server.name, row, f"{answer['hits']} ({answer['digest']})")
        if want is not None and answer["hits"] != want:
            self.figures.warn(f"{row}: {server.name} found {answer['hits']}, the corpus has {want}")


def first(lab, server, _):
    """What has never been asked: caches are built now, if they were not when the messages came."""
    select, fetch = lab.run(server, LIST)
    lab.note_ms(server, "SELECT, first", select)
    lab.note_ms(server, "list (FLAGS UID SIZE ENVELOPE), first", fetch, lab.n)
    _, fetch = lab.run(server, "FETCH 1:* BODYSTRUCTURE")
    lab.note_ms(server, "BODYSTRUCTURE, first", fetch, lab.n)


def scan(lab, server, _):
    """A search of texts before any server had a quiet moment to make an index."""
    mark = lab.corpus["rare"]
    lab.note_found(server, "SEARCH BODY rare word, mail just in", lab.run(server, f"SEARCH BODY {mark['text']}")[1],
                   mark["hits"])


def settle(lab, server, _):
    """A connection that says nothing is there until the server has done what it does while nobody waits."""
    begin, cpu = time.time(), machine.cpu_seconds(server.pids())
    with lab.held(server, 1, "SELECT INBOX"):
        done = begin
        while time.time() - begin < SETTLE_MAX_S:
            before = machine.cpu_seconds(server.pids())
            time.sleep(SETTLE_S)
            if machine.cpu_seconds(server.pids()) - before < SETTLED_CPU * SETTLE_S:
                break
            done = time.time()
        else:
            lab.figures.warn(f"{server.name} was still at work {SETTLE_MAX_S} s after the mail came")
        lab.figures.note(server.name, "work in a quiet moment after that, time", done - begin, "s")
        cpu = machine.cpu_seconds(server.pids()) - cpu
        lab.figures.note(server.name, "work in a quiet moment after that, CPU", cpu, "s")


def select_part(lab, server, _):
    lab.run(server)
    lab.note_ms(server, "SELECT, warm", lab.run(server)[0])
    machine.drop_caches()
    lab.note_ms(server, "SELECT, cold", lab.run(server)[0])


def list_part(lab, server, _):
    rows = ((LIST, "list (FLAGS UID SIZE ENVELOPE)"), ("FETCH 1:* FLAGS", "FLAGS"),
            ("FETCH 1:* BODYSTRUCTURE", "BODYSTRUCTURE"))
    machine.drop_caches()
    lab.note_ms(server, f"{rows[0][1]}, cold", lab.run(server, LIST)[1], lab.n)
    for command, row in rows:
        lab.run(server, command)
        lab.note_ms(server, f"{row}, warm", lab.run(server, command)[1], lab.n)


def bodies(lab, server, _):
    for row, tls in (("BODY[] of all, plain", False), ("BODY[] of all, TLS", True)):
        if not tls and "LOGINDISABLED" in plain_capability(server):
            lab.note_rate(server, row, None, "MB/s")  # no passwords without TLS, on purpose
            continue
        answer = lab.run(server, "FETCH 1:* BODY.PEEK[]", tls=tls)[1]
        if answer["fetches"] != lab.n:
            lab.figures.warn(f"{row}: {server.name} sent {answer['fetches']} FETCH lines, not {lab.n}")
        if answer["generator_ms"] > GENERATOR_SHARE * answer["ms"]:
            lab.figures.warn(f"{row}: {server.name}: the generator itself took {answer['generator_ms']:.0f} ms of "
                             f"{answer['ms']:.0f}")
        lab.figures.compare(server.name, "BODY[] of all", f"{answer['literal_bytes']} bytes")
        lab.note_rate(server, row, answer["literal_bytes"] / answer["ms"] / 1e3, "MB/s")
    got = lab.ask(server, "fetch-one", "INBOX", lab.n, ONE_BY_ONE_S)
    lab.note_rate(server, "one BODY[] at random", got["per_second"])


def plain_capability(server):
    with imaplib.IMAP4("127.0.0.1", server.imap) as client:
        return client.capabilities


def search(lab, server, _):
    marks = lab.corpus
    rows = [(f"SUBJECT {marks['subject']['text']}", "SEARCH SUBJECT word", marks["subject"]["hits"]),
            ("UNSEEN", "SEARCH UNSEEN", marks["unseen"]),
            (f"BODY {marks['common']['text']}", "SEARCH BODY common word", marks["common"]["hits"]),
            (f"BODY {marks['rare']['text']}", "SEARCH BODY rare word", marks["rare"]["hits"]),
            (f"BODY {marks['substring']['text']}", "SEARCH BODY rare substring", marks["substring"]["hits"])]
    for keys, row, want in rows:
        answer = lab.run(server, f"SEARCH {keys}")[1]
        if answer["ms"] < SLOW_MS:
            answer = lab.run(server, f"SEARCH {keys}")[1]
        lab.note_found(server, row, answer, want)


def sort(lab, server, _):
    rows = (("SORT", "SORT (DATE) UTF-8 ALL", "SORT by date"), ("SORT", "SORT (SUBJECT) UTF-8 ALL", "SORT by subject"),
            ("THREAD=REFERENCES", "THREAD REFERENCES UTF-8 ALL", "THREAD by references"),
            ("THREAD=ORDEREDSUBJECT", "THREAD ORDEREDSUBJECT UTF-8 ALL", "THREAD by subject"))
    for word, command, row in rows:
        if not lab.has(server, word):
            lab.figures.note(server.name, row, None)
            continue
        lab.run(server, command)
        lab.note_found(server, row, lab.run(server, command)[1], lab.n)


def store(lab, server, _):
    got = lab.ask(server, "store-one", "INBOX", lab.n, ONE_BY_ONE_S)
    lab.note_rate(server, "STORE one flag of one message", got["per_second"])
    for what, row in (("1:*", "STORE 1:* +FLAGS"), (f"{lab.many}:{lab.many * 2 - 1}", f"STORE {lab.many} +FLAGS")):
        lab.run(server, "STORE 1:* -FLAGS.SILENT (\\Answered)")
        answer = lab.run(server, f"STORE {what} +FLAGS (\\Answered)")[1]
        lab.note_ms(server, row, answer, lab.n if what == "1:*" else lab.many)


def append(lab, server, round_number):
    folder = f"Appended{round_number}"
    count = max(200, lab.n // 25)
    for accounts, owners in ((1, "one account"), (10, "10 accounts")):
        row = f"APPEND 4 KB, 10 connections, {owners}"
        for i in range(1, accounts + 1):
            lab.run(server, f"CREATE {folder}-{accounts}", mailbox=None, user=f"user{i}@{machine.DOMAIN}")
        got = lab.ask(server, "append", f"{folder}-{accounts}", 10, count, SIZE, accounts,
                      user=f"user%u@{machine.DOMAIN}")
        lab.note_rate(server, row, got["per_second"])
        there = lab.run(server, mailbox=f"{folder}-{accounts}")[0]["exists"]
        if there != count // 10 * 10 // accounts:
            lab.figures.warn(f"{row}: {server.name} has {there} messages after it")


def every_second_ten(n):
    """STORE commands that mark half of n messages, ten of twenty."""
    ranges = [f"{at}:{min(at + 9, n)}" for at in range(1, n + 1, 20)]
    return [f"STORE {','.join(ranges[i:i + RANGES])} +FLAGS.SILENT (\\Deleted)" for i in range(0, len(ranges), RANGES)]


def copy(lab, server, round_number):
    many, to, moved, half = lab.many, *(f"{name}{round_number}" for name in ("Copied", "Moved", "Half"))
    lab.run(server, *(f"CREATE {folder}" for folder in (to, moved, half)), mailbox=None)
    lab.note_ms(server, f"COPY {many} to another folder", lab.run(server, f"COPY 1:{many} {to}")[1])
    answer = lab.run(server, f"MOVE 1:{many} {moved}", mailbox=to)[1]
    lab.note_ms(server, f"MOVE {many} to another folder", answer)
    there = lab.run(server, mailbox=moved)[0]["exists"]
    if there != many or answer["expunges"] != many:
        lab.figures.warn(f"MOVE: {server.name} has {there} messages after it and told of {answer['expunges']}")
    lab.run(server, f"COPY 1:* {half}")
    marks = every_second_ten(lab.n)
    lab.run(server, *marks, mailbox=half)
    answer = lab.run(server, "EXPUNGE", mailbox=half)[1]
    lab.note_ms(server, "EXPUNGE half of the mailbox", answer)
    gone = sum(min(10, lab.n - at + 1) for at in range(1, lab.n + 1, 20))
    if answer["expunges"] != gone:
        lab.figures.warn(f"EXPUNGE: {server.name} told of {answer['expunges']}, not {gone}")
    lab.run(server, *(f"DELETE {folder}" for folder in (to, moved, half)), mailbox=None)


def resync(lab, server, round_number):
    row = "QRESYNC after 10 changes"
    if not lab.has(server, "QRESYNC"):
        lab.figures.note(server.name, row, None)
        return
    before = lab.run(server, "ENABLE QRESYNC", "SELECT INBOX", mailbox=None)[1]
    sign = "+-"[round_number % 2]
    lab.run(server, *(f"STORE {1 + i * lab.n // 10} {sign}FLAGS (\\Draft $Changed)" for i in range(10)))
    answer = lab.run(server, "ENABLE QRESYNC",
                     f"SELECT INBOX (QRESYNC ({before['uidvalidity']} {before['highestmodseq']}))", mailbox=None)[1]
    lab.note_ms(server, row, answer, 10)


def memory(lab, server, _):
    """Of a server that was started anew: what ten sessions of the mailbox add to its processes."""
    for commands, row in (([], "PSS of a connection, mailbox selected"), ([LIST], "the same after the list")):
        server.stop()
        server.start()
        lab.run(server, "NOOP")  # what is only loaded once
        time.sleep(1)
        before = machine.pss_kb(server.pids())
        with lab.held(server, SESSIONS, "SELECT INBOX", *commands):
            time.sleep(3)
            lab.figures.note(server.name, row, (machine.pss_kb(server.pids()) - before) / SESSIONS / 1024, "MiB")


def takein(lab, server, _):
    """Mail as it comes, and the first look at it: what delivery leaves for later is paid here."""
    user = f"user12@{machine.DOMAIN}"
    port, protocol = (server.smtp, "smtp") if hasattr(server, "smtp") else (server.lmtp, "lmtp")
    got = lab.generate("deliver", port, protocol, user, 4, lab.many // 4 * 4, SIZE)
    lab.note_rate(server, f"delivery of {lab.many} messages (SMTP, the peers: LMTP)", got["per_second"])
    many = lab.many // 4 * 4
    select = lab.run(server, user=user)[0]
    lab.note_ms(server, f"SELECT, first since {lab.many} were delivered", select)
    took, began = select["ms"], time.monotonic()
    while select["exists"] < many and time.monotonic() - began < TAKE_IN_S:
        select = lab.run(server, user=user)[0]  # a mailbox may grow after SELECT
        took += select["ms"]
    lab.figures.note(server.name, f"SELECT until it tells of all {lab.many}", took)
    lab.note_ms(server, f"list, first since {lab.many} were delivered", lab.run(server, LIST, user=user)[1], many)


PARTS = {"first": first, "scan": scan, "settle": settle, "select": select_part, "list": list_part, "bodies": bodies,
         "search": search, "sort": sort, "store": store, "append": append, "copy": copy, "resync": resync,
         "memory": memory, "takein": takein}
ONCE = (first, scan, settle, memory, takein)
