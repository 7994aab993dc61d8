#!/usr/bin/python3
"""Real clients through a long session: one account that changes all the while, and what they have is what the server has.

mbsync, offlineimap and neomutt are the programs themselves; the telephone is what K-9 and its kin say, spoken by the
test. All connect through a recorder: at the end no command of a real client was answered BAD or NO.
"""

import mailbox
import random
import re
import shutil
import time
from collections import Counter

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, full, run_tests, test, wait_until
from instance import Instance
from life import Life, fill
from programs import Program, mbsync, mbsync_config, modified_utf7, need, run, without_trace
from recorder import Recorder
from terminal import Terminal

ALICE = Instance.address
FOLDERS = ["INBOX", "Work", "Lists/friends", "日本語"]
N_MESSAGES = 2_000 if full else 500
ROUNDS = 20 if full else 2
LETTERS = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R", "\\Draft": "D"}
ADDED_HEADERS = re.compile(rb"(?mi)^X-(?:TUID|OfflineIMAP): [^\n]*\n")
ADDED_HEADERS_CRLF = re.compile(rb"(?mi)^X-TUID: [^\r\n]*\r\n")  # mbsync leaves it in what it appends
MESSAGE_ID = re.compile(rb"(?mi)^Message-ID:\s+<([^>]+)>")


def make_server():
    server = Instance()
    server.recorder = Recorder(server)
    fill(server, ALICE, FOLDERS, N_MESSAGES)
    return server


def unrefused(server, since):
    """The words that the recorder heard since then, after seeing that nothing of it was refused."""
    bad = [r for r in server.recorder.refusals(since) if not r[1].startswith("* BYE")]
    expect_equal(bad, [], "what the client was refused")
    return ", ".join(f"{w} {n}" for w, n in sorted(server.recorder.words(since).items()))


def folders_of(c):
    """The names of all mailboxes that can be selected, as the server writes them."""
    return [m.group(1).strip(b'"').decode() for m in c.ok('LIST "" *').all(rb'^\* LIST \((?!.*\\NonExistent).*\) "/" ("[^"]*"|\S+)$')]


def far_state(server, bodies=True):
    """{folder: Counter of (message or its Message-ID, letters of its flags)} by the server."""
    state = {}
    with server.imap_client() as c:
        for name in folders_of(c):
            state[name] = Counter()
            if c.ok(f'EXAMINE "{name}"').one(rb"(\d+) EXISTS").group(1) == b"0":
                continue
            wanted = "BODY.PEEK[]" if bodies else "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
            for r in c.ok(f"FETCH 1:* (FLAGS {wanted})").untagged:
                letters = "".join(sorted(v for k, v in LETTERS.items() if k.encode() in r.partition(b"BODY[")[0]))
                m = re.search(rb"\{(\d+)\}\r\n", r)
                text = r[m.end() : m.end() + int(m.group(1))]
                state[name][(ADDED_HEADERS_CRLF.sub(b"", text, count=1) if bodies else MESSAGE_ID.search(text).group(1), letters)] += 1
    return state


def near_state(maildir, bodies=True):
    """The same by a tree of maildirs."""
    state = {}
    for folder in [p.parent for p in maildir.rglob("cur") if p.is_dir()]:
        kept = state[str(folder.relative_to(maildir))] = Counter()
        for path in [p for sub in ("cur", "new") for p in (folder / sub).iterdir()]:
            letters = "".join(sorted(set(path.name.rpartition(":2,")[2]) & set("SFRD"))) if ":2," in path.name else ""
            data = path.read_bytes()
            if bodies:
                kept[(ADDED_HEADERS.sub(b"", data, count=1).replace(b"\n", b"\r\n"), letters)] += 1
            else:
                kept[(MESSAGE_ID.search(data).group(1), letters)] += 1
    return state


def expect_same(near, far, what):
    expect_equal(sorted(near), sorted(far), f"{what}: folders")
    for name in far:
        lacking, excess = far[name] - near[name], near[name] - far[name]
        expect(not lacking and not excess, f"{what}: {name}: lacks {len(lacking)}, has too much {len(excess)}:",
               [(k[0][:300], k[1]) for k in list(lacking)[:2]], [(k[0][:300], k[1]) for k in list(excess)[:2]])
    return sum(c.total() for c in far.values())


def near_changes(maildir, names, dice, round_number):
    """What somebody does to the maildirs between two runs: flags, removals, new messages, a new folder."""
    for name in names:
        box = mailbox.Maildir(maildir / name, create=False)
        keys = sorted(box.keys())
        for key in dice.sample(keys, min(4, len(keys))):
            m = box.get_message(key)
            box_flags = dice.choice(["S", "F", "FS", "RS"])
            path = maildir / name / box._lookup(key)
            path.rename(maildir / name / "cur" / (path.name.partition(":2,")[0] + ":2," + box_flags))
            del m
        box = mailbox.Maildir(maildir / name, create=False)
        for key in dice.sample(sorted(box.keys()), min(2, len(box))):
            box.remove(key)
        box.add(mailbox.MaildirMessage(messages.message(30_000 + round_number, dice.randrange(1000)).replace(b"\r\n", b"\n")))


def sync_rounds(server, maildir, sync, what, bodies, rounds=ROUNDS):
    """Runs `sync` again and again while both sides change; then both are the same, and another run does nothing."""
    dice = random.Random(what)
    names = [modified_utf7(n) for n in FOLDERS]
    sync()
    with Life(server, ALICE, FOLDERS, seed=what, first=50_000 + len(what) * 10_000) as life:
        for n in range(rounds):
            with server.imap_client() as c:
                c.ok(f"CREATE {what}-far-{n}")
                c.append(f"{what}-far-{n}", messages.message(40_000 + n, len(what)))
            mailbox.Maildir(maildir / f"{what}-near-{n}", create=True).add(
                mailbox.MaildirMessage(messages.message(41_000 + n, len(what)).replace(b"\r\n", b"\n")))
            near_changes(maildir, names, dice, n)
            sync()
        with life.held():
            sync()
            sync()  # what both sides did to the same message is settled by now
            total = expect_same(near_state(maildir, bodies), far_state(server, bodies), what)
            before = sorted(p.name for p in maildir.rglob("*") if p.is_file())
            sync()
            expect_equal(sorted(p.name for p in maildir.rglob("*") if p.is_file()), before, "a run with nothing to do")
    return f"{total} messages, meanwhile {life.done}"


@test(seconds=300)
def mbsync_both_ways(server):
    need("mbsync")
    folder, since = server.folder / "mbsync", server.recorder.mark()
    maildir = mbsync_config(server, ALICE, folder, server.recorder.port, server.recorder.certificate)
    done = sync_rounds(server, maildir, lambda: mbsync(folder), "mbsync", True)
    return f"{done}; {unrefused(server, since)}"


# Without compression: imaplib2 3.05 waits for its socket while what it has read is not all inflated yet, and hangs on
# text that shrinks well, whatever the server.
@test(seconds=300)
def offlineimap_both_ways(server):
    program = shutil.which("offlineimap3") or need("offlineimap")
    folder, since = server.folder / "offlineimap", server.recorder.mark()
    maildir = folder / "mail"
    maildir.mkdir(parents=True)
    (folder / "rc").write_text(
        f"[general]\naccounts = a\nmetadata = {folder}/meta\nui = basic\n[Account a]\nlocalrepository = l\nremoterepository = r\n"
        f"[Repository l]\ntype = Maildir\nlocalfolders = {maildir}\nsep = /\n[Repository r]\ntype = IMAP\nremotehost = localhost\n"
        f"remoteport = {server.recorder.port}\nssl = yes\nsslcacertfile = {server.recorder.authority}\nssl_version = tls1_2\nremoteuser = {ALICE}\n"
        f"remotepass = {server.password}\nmaxconnections = 1\nusecompression = no\n")
    done = sync_rounds(server, maildir, lambda: run(program, "-o", "-c", folder / "rc", home=folder, timeout=900), "offlineimap", False,
                       ROUNDS // 2)
    return f"{done}; {unrefused(server, since)}"


def count(c, words):
    return len(c.ok(f"UID SEARCH {words}").one(rb"SEARCH ?(.*)").group(1).split())


def neomutt_terminal(server, folder):
    """neomutt on the account's INBOX; its first line tells the folder and how many messages of each kind there are."""
    (folder / "rc").write_text(
        f"set imap_user = '{ALICE}'\nset imap_pass = '{server.password}'\nset folder = 'imaps://localhost:{server.recorder.port}/'\n"
        f"set spoolfile = '+INBOX'\nset certificate_file = '{server.recorder.authority}'\nset ssl_verify_host = no\nset sort = mailbox-order\n"
        f"set header_cache = '{folder}/headers'\nset message_cachedir = '{folder}/bodies'\nset imap_condstore = yes\nset imap_qresync = yes\n"
        "set imap_idle = yes\nset mail_check = 1\nset timeout = 2\nset status_on_top = yes\nset help = no\n"
        "set status_format = 'in:%f total:%m flagged:%F shown:%M;'\nset sidebar_visible = yes\nset imap_check_subscribed = yes\n"
        "set quit = yes\nset delete = yes\nset confirm_append = no\nset move = no\nset mark_old = no\nset beep = no\nset wrap_search = yes\n")
    return Terminal(folder, ["neomutt", "-n", "-F", folder / "rc"], {"(a)ccept": "o", "accept always": "o"})


def neomutt_in_step(server, terminal):
    """Waits until neomutt counts what the server has (nothing else may change meanwhile)."""
    with server.imap_client(select="INBOX") as c:
        total, flagged = count(c, "ALL"), count(c, "FLAGGED")
    terminal.until(f"total:{total} flagged:{flagged} ", f"{total} messages, {flagged} of them flagged", 40)


def neomutt_finds(terminal, subject):
    terminal.text(f"/~s '{subject}'")
    terminal.keys("Enter")
    terminal.until(lambda s: "Search" not in s.splitlines()[-1] if s.splitlines() else False, "the search")


def neomutt_works(server, terminal):
    terminal.until("in:", "the index", 60)
    terminal.keys("*")
    terminal.until("mutt purge", "the last messages", 60)
    neomutt_finds(terminal, "mutt flag")
    terminal.keys("Enter")
    terminal.until("The words to be flagged.", "the message")
    terminal.keys("i", "F")
    neomutt_finds(terminal, "mutt save")
    terminal.keys("s")
    terminal.until("Save to mailbox", "the question")
    terminal.keys("C-u")
    terminal.text("=Work")
    terminal.keys("Enter")
    neomutt_finds(terminal, "mutt purge")
    terminal.keys("d", "$")
    with server.imap_client(select="INBOX") as c:
        wait_until(lambda: c.ok("NOOP") and count(c, "FLAGGED SUBJECT {0}mutt flag{0}".format('"')) == 1, 20, "the flag")
        wait_until(lambda: c.ok("NOOP") and count(c, 'OR SUBJECT "mutt save" SUBJECT "mutt purge"') == 0, 20, "the purge")
    with server.imap_client(select="Work") as c:
        expect_equal(count(c, 'SUBJECT "mutt save"'), 1, "saved to Work")
    for pattern in ("=b 'to be flagged'", "=h 'X-Mutt: yes'", "=s 'mutt flag'"):
        terminal.keys("l")
        terminal.until("Limit to", "the question")
        terminal.keys("C-u")
        terminal.text(pattern)
        terminal.keys("Enter")
        terminal.until("shown:1;", pattern)
    terminal.keys("l")
    terminal.until("Limit to", "the question")
    terminal.keys("C-u")
    terminal.text("all")
    terminal.keys("Enter")


def neomutt_goes_to(terminal, name):
    terminal.keys("c")
    terminal.until("Open mailbox", "the question")
    terminal.keys("C-u")
    terminal.text(f"={name}")
    terminal.keys("Enter")
    terminal.until(lambda s: re.search(rf"in:\S*{name} total:", s), f"the folder {name}", 40)


def remove_from_inbox(server, numbers):
    with server.imap_client(select="INBOX") as c:
        c.ok(f"STORE {numbers} +FLAGS.SILENT (\\Deleted)")
        c.ok("EXPUNGE")


# Messages are removed only while nothing arrives: neomutt 2022 keeps the number of an EXISTS when a VANISHED (or EXPUNGE)
# follows before it has fetched what is new, asks for a message too many, and is told BAD, as RFC 9051 wants it.
@test(seconds=300)
def neomutt_with_its_caches(server):
    need("neomutt")
    need("tmux")
    folder, since = server.folder / "neomutt", server.recorder.mark()
    folder.mkdir()
    for word, body in (("flag", "The words to be flagged.\r\n"), ("save", "Save me.\r\n"), ("purge", "Away.\r\n")):
        server.deliver(messages.short(f"mutt {word}", body).replace(b"Subject:", b"X-Mutt: yes\r\nSubject:" if word == "flag" else b"Subject:", 1))
    with neomutt_terminal(server, folder) as terminal:
        neomutt_works(server, terminal)
        with Life(server, ALICE, FOLDERS, seed="neomutt", first=90_000, removes=False) as life:
            time.sleep(2)
            with life.held():
                neomutt_in_step(server, terminal)
                remove_from_inbox(server, "20:24")
                neomutt_in_step(server, terminal)
            # The connection goes, and neomutt is told to open another folder and to come back.
            server.recorder.cut()
            time.sleep(1)
            neomutt_goes_to(terminal, "Work")
            neomutt_goes_to(terminal, "INBOX")
            with life.held():
                neomutt_in_step(server, terminal)
        terminal.keys("q")
        terminal.until_ended()
    with server.imap_client(select="INBOX") as c:
        c.ok("STORE 3:9 +FLAGS (\\Flagged)")
    remove_from_inbox(server, "10:15")
    server.deliver(messages.short("mutt again"))
    again = server.recorder.mark()
    with neomutt_terminal(server, folder) as terminal:
        terminal.until("in:", "the index", 60)
        neomutt_in_step(server, terminal)
        terminal.keys("q")
        terminal.until_ended()
    expect(server.recorder.said(rb"^UID FETCH 1:\d+ \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)", again), "no QRESYNC", server.recorder.commands(again)[:10])
    expect(not server.recorder.said(rb"^UID FETCH 1:\d+ .*HEADER", again), "all headers again", server.recorder.words(again))
    return f"meanwhile {life.done}; {unrefused(server, since)}"


@test
def fetchmail_waits_in_idle(server):
    need("fetchmail")
    folder, since = server.folder / "fetchmail", server.recorder.mark()
    folder.mkdir()
    bob = server.add_account("bob@example.test")
    catcher = folder / "catch"
    catcher.write_text(f"#!/bin/sh\ncat >>'{folder}/caught'\necho >>'{folder}/caught'\n")
    catcher.chmod(0o755)
    rc = folder / "rc"
    rc.write_text(
        f'poll localhost service {server.recorder.port} protocol IMAP user "{bob}" password "{server.passwords[bob]}" ssl sslcertck '
        f'sslcertfile "{server.recorder.authority}" mda "{catcher}" keep idle\n')
    rc.chmod(0o600)
    with Program(["fetchmail", "-f", rc, "--nosyslog", "-i", folder / "ids", "--pidfile", folder / "pid"], folder, FETCHMAILHOME=str(folder)) as program:
        for n in range(6):
            server.deliver(messages.message(n, 21), bob, parameters=" BODY=8BITMIME")

            def caught():
                expect(program.running(), "fetchmail ended:", program.output())
                path = folder / "caught"
                return path.exists() and len(set(re.findall(rb"(?m)^Message-ID: (<\d+\.21\.0\.\S+>)", path.read_bytes()))) == n + 1

            wait_until(caught, 20, f"message {n + 1} at fetchmail")
    with server.imap_client(bob, select="INBOX") as c:
        expect_equal((count(c, "ALL"), count(c, "SEEN")), (6, 6), "kept and read")
    return unrefused(server, since)


HEADERS = "DATE SUBJECT FROM CONTENT-TYPE TO CC REPLY-TO MESSAGE-ID REFERENCES IN-REPLY-TO LIST-UNSUBSCRIBE SENDER X-K9MAIL-IDENTITY"
WINDOW = 25
PART_BYTES = 65536


class Phone(wire.Imap):
    """A mail program on a telephone: `kept` is what it knows of each folder, over all its connections."""

    def __init__(self, server, kept):
        super().__init__(server.recorder.port)
        self.kept, self.open_name = kept, None
        self.ok("CAPABILITY")
        self.sign_in(ALICE, server.password)
        announced = self.ok("CAPABILITY").one(rb"^\* CAPABILITY (.*)").group(1).split()
        expect(b"COMPRESS=DEFLATE" in announced and b"QRESYNC" in announced, announced)
        self.ok("COMPRESS DEFLATE")
        self.start_compression()
        self.ok('ID ("name" "K-9 Mail" "version" "6.804")')
        self.ok("NAMESPACE")
        self.ok("ENABLE QRESYNC")
        listed = self.ok('LIST (SUBSCRIBED) "" "*" RETURN (CHILDREN SPECIAL-USE)')
        expect(listed.all(rb"\\Sent.* Sent$") and listed.all(rb"\\Trash.* Trash$"), listed)

    def take(self, untagged):
        """Notes what the server told of the open folder."""
        known = self.kept[self.open_name]["flags"]
        for u in untagged:
            if m := re.match(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)$", u):
                for low, _, high in (r.partition(b":") for r in m.group(1).split(b",")):
                    for uid in range(int(low), int(high or low) + 1):
                        known.pop(uid, None)
            elif re.match(rb"\* \d+ FETCH ", u):
                head = u.partition(b"BODY")[0]
                uid, flags = re.search(rb"UID (\d+)", head), re.search(rb"FLAGS \(([^)]*)\)", head)
                if uid and flags:
                    known[int(uid.group(1))] = frozenset(flags.group(1).split()) - {b"\\Recent"}
            expect(not re.match(rb"\* \d+ EXPUNGE", u), "EXPUNGE after ENABLE QRESYNC", u)

    def do(self, *parts):
        reply = self.ok(*parts)
        self.take(reply.untagged)
        return reply

    def open(self, name):
        """Selects a folder and catches up: by QRESYNC where it was known; new messages in windows, the newest first."""
        known = self.kept.setdefault(name, {"validity": None, "modseq": 0, "flags": {}})
        self.open_name = name
        how = "(CONDSTORE)"
        if known["flags"]:
            how = f"(QRESYNC ({known['validity']} {known['modseq']} {min(known['flags'])}:{max(known['flags'])}))"
        reply = self.do(f'SELECT "{modified_utf7(name)}" {how}')
        validity, modseq = (int(reply.one(p).group(1)) for p in (rb"UIDVALIDITY (\d+)", rb"HIGHESTMODSEQ (\d+)"))
        expect(known["validity"] in (None, validity), "UIDVALIDITY changed")
        known.update(validity=validity, modseq=modseq)
        self.fetch_new()

    def fetch_new(self):
        known = self.kept[self.open_name]["flags"]
        above = max(known, default=0)
        found = [int(u) for u in self.do(f"UID SEARCH UID {above + 1}:* NOT DELETED").one(rb"^\* SEARCH ?(.*?)(?: \(MODSEQ \d+\))?$").group(1).split()]
        found = sorted((u for u in found if u > above), reverse=True)
        for at in range(0, len(found), WINDOW):
            window = ",".join(map(str, found[at : at + WINDOW]))
            self.do(f"UID FETCH {window} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({HEADERS})])")
        self.do(f"UID FETCH {above + 1}:* (UID FLAGS)")

    def part(self, uid, words):
        """The bytes of a section, or None where there is no such message or section."""
        for u in self.do(f"UID FETCH {uid} (UID {words})").untagged:
            m = re.search(rb"UID %d BODY\[[^\]]*\](?:<\d+>)? (?:\{(\d+)\}\r\n|\"((?:[^\"\\]|\\.)*)\")" % uid, u, re.DOTALL)
            if m:
                return u[m.end() : m.end() + int(m.group(1))] if m.group(1) else re.sub(rb"\\(.)", rb"\1", m.group(2))
        return None

    def read(self, uid):
        """Structure, the first part piece by piece, and the whole: the pieces are the part."""
        structure = self.do(f"UID FETCH {uid} (UID BODYSTRUCTURE)")
        expect(len(structure.all(rb"BODYSTRUCTURE \(")) <= 1, structure)
        whole, pieces, at = self.part(uid, "BODY.PEEK[1]"), b"", 0
        while piece := self.part(uid, f"BODY.PEEK[1]<{at}.{PART_BYTES}>"):
            expect(len(piece) <= PART_BYTES, "too much")
            pieces, at = pieces + piece, at + PART_BYTES
        if whole is not None and self.part(uid, "BODY.PEEK[1]") is not None:  # it may go while it is read
            expect(pieces == whole, f"UID {uid}: pieces of {len(pieces)} bytes, the part has {len(whole)}")

    def idle(self, seconds):
        """Listens for some seconds and says DONE; what came."""
        tag, came, end = self.start("IDLE"), [], time.monotonic() + seconds
        while not (r := self.response()).startswith(b"+"):
            came.append(r)
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                came.append(self.response())
            except TimeoutError:
                break
            finally:
                self.socket.settimeout(wire.TIMEOUT)
        self.send(b"DONE\r\n")
        reply = self.finish(tag)
        expect_equal(reply.status, "OK", reply.text)
        self.take(came + reply.untagged)
        return came + reply.untagged


def phone_day(server, phone, dice, number):
    """What one does with a telephone between two tunnels."""
    for name in FOLDERS[1:]:
        phone.open(name)
    phone.open("INBOX")
    known = phone.kept["INBOX"]["flags"]
    for uid in dice.sample(sorted(known), 4):
        phone.read(uid)
    answered, moved, gone = dice.sample(sorted(known), 3)
    phone.do(f"UID STORE {answered} +FLAGS.SILENT (\\Answered \\Seen)")
    reply = phone.do(f"UID MOVE {moved} Trash")
    expect(reply.status == "OK", reply)
    phone.do(f"UID STORE {gone} +FLAGS.SILENT (\\Deleted)")
    phone.do(f"UID EXPUNGE {gone}")
    sent = messages.message(number, 31)
    reply = phone.do('APPEND "Sent" (\\Seen) ', sent)
    expect("APPENDUID" in reply.text, reply)
    message_id = MESSAGE_ID.search(sent).group(1).decode()
    phone.open("Sent")
    found = phone.do(f'UID SEARCH HEADER MESSAGE-ID "<{message_id}>"').one(rb"^\* SEARCH (\d+)").group(1)
    expect_equal(found, re.search(r"APPENDUID \d+ (\d+)", reply.text).group(1).encode(), "the UID of what was sent")
    phone.open("INBOX")
    for _ in range(2):
        server.deliver(messages.short(f"ring {number}"), ALICE)
        came = phone.idle(1.5)
        expect(any(re.match(rb"\* \d+ EXISTS", u) for u in came), "IDLE told nothing of new mail", came)
        phone.fetch_new()
    phone.do('UID SEARCH 1:* NOT DELETED SINCE 1-Jan-2020 TEXT "ring"')


def phone_in_step(server, phone):
    """What the telephone knows, after catching up, is what the server has."""
    for name in FOLDERS:
        phone.open(name)
        with server.imap_client() as c:
            c.ok(f'EXAMINE "{modified_utf7(name)}"')
            there = {int(m.group(2)): frozenset(m.group(1).split()) - {b"\\Recent"}
                     for m in c.ok("FETCH 1:* (FLAGS UID)").all(rb"FLAGS \(([^)]*)\) UID (\d+)")}
        expect_equal(phone.kept[name]["flags"] == there, True,
                     f"{name}: " + str(list(set(phone.kept[name]["flags"].items()) ^ set(there.items()))[:6]))


@test(seconds=300)
def telephone(server):
    dice, kept, since = random.Random("telephone"), {}, server.recorder.mark()
    with Life(server, ALICE, FOLDERS, seed="telephone", first=120_000) as life:
        for n in range(ROUNDS):
            with Phone(server, kept) as phone:
                phone_day(server, phone, dice, n)
                with life.held():
                    phone_in_step(server, phone)
                if n % 2 == 0:
                    server.recorder.cut()
                else:
                    phone.ok("LOGOUT")
    return f"meanwhile {life.done}; {unrefused(server, since)}"


if __name__ == "__main__":
    run_tests(make_server)
