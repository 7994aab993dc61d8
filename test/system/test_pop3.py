#!/usr/bin/python3
"""POP3 with programs that know nothing of us (poplib, curl, fetchmail, mpop, getmail), beside IMAP, and through crashes."""

import os
import poplib
import random
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path

import prelude  # noqa: F401

import messages
import wire
from harness import Skip, expect, expect_equal, full, run_tests, test, wait_until
from instance import Instance

MANY = 20_000 if full else 2_000
SESSION_MIB_MAX = 30
CLIENTS = ["bob", "carol", "dan", "erin", "frank", "grace"]


def make_server():
    server = Instance()
    for name in CLIENTS:
        server.add_account(f"{name}@{server.domain}")
    return server


def account(server, name):
    return f"{name}@{server.domain}"


def pop(server, address=None, secure="tls"):
    """A signed-in poplib client."""
    address = address or server.address
    context = wire.tls_context()
    if secure == "tls":
        client = poplib.POP3_SSL("127.0.0.1", server.pop3s, context=context, timeout=60)
    else:
        client = poplib.POP3("127.0.0.1", server.pop3, timeout=60)
        client.stls(context)
    client.user(address)
    client.pass_(server.passwords[address])
    return client


def fill(server, address, how_many, seed):
    """Appends messages to an INBOX; their bytes."""
    sent = [messages.message(n, seed) for n in range(how_many)]
    with server.imap_client(address) as c:
        for m in sent:
            c.append("INBOX", m)
    return sent


def joined(lines):
    return b"".join(line + b"\r\n" for line in lines)


def run(*command, folder, check=True, timeout=100):
    env = dict(os.environ, LC_ALL="C.UTF-8", HOME=str(folder), FETCHMAILHOME=str(folder))
    done = subprocess.run([str(c) for c in command], capture_output=True, timeout=timeout, env=env)
    if check and done.returncode != 0:
        raise AssertionError(f"{command[0]}: status {done.returncode}\n{done.stdout.decode(errors='replace')[-2000:]}"
                             f"{done.stderr.decode(errors='replace')[-2000:]}")
    return done


def need(program):
    found = shutil.which(program)
    if found is None:
        raise Skip(f"{program} is not installed")
    return found


def home():
    return tempfile.TemporaryDirectory(prefix="gatepost-pop3-")


def same_messages(got, want):
    """Whatever a client adds on top or to the end, each message of ours is within one of its."""
    expect_equal(len(got), len(want))
    strip = lambda m: m.replace(b"\r\n", b"\n").rstrip(b"\n")  # noqa: E731
    left = [strip(m) for m in got]
    for message in map(strip, want):
        body = message.partition(b"\n\n")[2]
        found = next((m for m in left if m.endswith(body)), None)
        expect(found is not None, "missing:", message[:200])
        left.remove(found)


# --- the protocol ---------------------------------------------------------------------------------------------------


@test
def what_poplib_reads_is_what_was_sent(server):
    sent = fill(server, server.address, 40, 1)
    for secure in ("tls", "stls"):
        client = pop(server, secure=secure)
        capabilities = client.capa()
        for name in ("TOP", "UIDL", "USER", "SASL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE", "IMPLEMENTATION"):
            expect(name in capabilities, name, "is not in", capabilities)
        expect("STLS" not in capabilities, capabilities)
        n, octets = client.stat()
        expect_equal((n, octets), (40, sum(map(len, sent))))
        listed = [tuple(map(int, line.split())) for line in client.list()[1]]
        expect_equal(listed, [(i + 1, len(m)) for i, m in enumerate(sent)])
        for i, message in enumerate(sent):
            expect_equal(joined(client.retr(i + 1)[1]), message)
        top = joined(client.top(3, 2)[1])
        header, _, body = sent[2].partition(b"\r\n\r\n")
        expect_equal(top, header + b"\r\n\r\n" + b"".join(body.splitlines(keepends=True)[:2]))
        client.quit()


@test
def names_of_messages_stay(server):
    first = pop(server)
    names = [line.split()[1] for line in first.uidl()[1]]
    expect_equal(len(set(names)), 40)
    expect(all(re.fullmatch(rb"[\x21-\x7e]{1,70}", n) for n in names), names)
    second = pop(server)
    first.dele(1)
    first.dele(7)
    expect_equal(first.stat()[0], 38)
    first.rset()
    expect_equal(first.stat()[0], 40)
    first.dele(1)
    first.dele(7)
    first.quit()
    # the other one's maildrop is as it was
    expect_equal([line.split()[1] for line in second.uidl()[1]], names)
    try:
        second.retr(7)
        raise AssertionError("what is removed was retrieved")
    except poplib.error_proto as e:
        expect(b"removed" in e.args[0], e)
    second.quit()
    third = pop(server)
    expect_equal([line.split()[1] for line in third.uidl()[1]], names[1:6] + names[7:])
    third.quit()


@test
def imap_hears_what_pop3_does(server):
    address = account(server, "bob")
    fill(server, address, 4, 2)
    with server.imap_client(address, select="INBOX") as c:
        client = pop(server, address)
        client.top(1, 0)
        client.retr(2)
        client.dele(3)
        expect_equal(c.ok("NOOP").untagged, [], "before QUIT")
        client.quit()
        expect_equal(c.ok("STATUS INBOX (MESSAGES UNSEEN)").one(rb"MESSAGES (\d+) UNSEEN (\d+)").groups(), (b"3", b"2"))
        seen = lambda: c.ok("SEARCH SEEN").one(rb"SEARCH ?([\d ]*)").group(1).split()  # noqa: E731
        wait_until(lambda: c.ok("NOOP") and seen() == [b"2"], 10, "that what was retrieved, and nothing else, is read")


@test
def no_password_in_the_clear(server):
    with wire.Wire(server.pop3) as w:
        expect(w.line().startswith(b"+OK"))
        for command in (b"USER alice@example.test", b"PASS x", b"AUTH PLAIN AHgAeA==", b"AUTH LOGIN"):
            w.send(command + b"\r\n")
            expect(w.line().startswith(b"-ERR Use STLS first"))
        w.send(b"STLS\r\nCAPA\r\n")  # what is sent behind it in the clear is not obeyed
        expect(w.line().startswith(b"+OK"))
        w.start_tls()
        w.send(b"QUIT\r\n")
        expect_equal(w.line(), b"+OK Good-bye\r\n")


@test
def wrong_passwords(server):
    with wire.Wire(server.pop3s, tls=True) as w:
        w.line()
        start = time.monotonic()
        for _ in range(2):
            w.send(b"USER carol@example.test\r\nPASS wrong\r\n")
            expect(w.line().startswith(b"+OK"))
            expect(w.line().startswith(b"-ERR [AUTH]"))
        expect(time.monotonic() - start > 1.0, "two wrong passwords were not slowed")


@test
def a_message_cannot_forge_an_answer(server):
    """Binary mail has LF without CR; to poplib, which ends lines at LF, none of it may look like the end."""
    address = account(server, "carol")
    whole = b"Subject: forged\r\n\r\nbefore\n.\n+OK 9 octets\nSubject: not there\n.\n\xff\x00after"
    with server.smtp_client() as s:
        s.send(b"MAIL FROM:<c@client.example> BODY=BINARYMIME\r\nRCPT TO:<" + address.encode() + b">\r\nBDAT %d LAST\r\n" % len(whole) + whole)
        for _ in range(3):
            expect_equal(s.reply()[0], 250)
    client = pop(server, address)
    size = client.stat()[1]
    for _ in range(2):
        lines = client.retr(1)[1]
        expect_equal(size, sum(len(line) + 2 for line in lines))
        expect(lines[-1].endswith(b"\xff\x00after"), lines[-1])
        expect(b"." in lines and b"Subject: not there" in lines, lines)
    client.dele(1)
    client.quit()


@test(seconds=300)
def many_messages_in_little_memory(server):
    address = account(server, "grace")
    small = messages.short("many")
    with server.imap_client(address) as c:
        c.append("INBOX", small)
        c.ok("SELECT INBOX")
        n = 1
        while n < MANY:
            more = min(n, MANY - n)
            c.ok(f"COPY 1:{more} INBOX")
            n += more
        c.append("INBOX", b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * 250_000)
    client = pop(server, address)
    n, _ = client.stat()
    expect_equal(n, MANY + 1)
    expect_equal(len(client.uidl()[1]), MANY + 1)
    expect_equal(len(client.list()[1]), MANY + 1)
    expect_equal(len(client.retr(MANY + 1)[1]), 250_000 + 2)
    if "asan" not in os.environ.get("GATEPOST_BUILD", "asan"):
        peaks = [int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{p}/status").read_text()).group(1)) >> 10 for p in server.role_pids("session")]
        expect(max(peaks) < SESSION_MIB_MAX, "MiB of the sessions at their most:", peaks)
    for i in range(1, MANY, 2):
        client._putcmd(f"DELE {i}")
    for i in range(1, MANY, 2):
        client._getresp()
    start = time.monotonic()
    client.quit()
    expect(time.monotonic() - start < 60, "QUIT took", time.monotonic() - start)
    client = pop(server, address)
    expect_equal(client.stat()[0], MANY + 1 - MANY // 2)
    client.quit()


class Model:
    """What one connection must answer, from what was there at its sign-in and what is removed since."""

    def __init__(self, there, removed):
        self.there, self.removed, self.marked = list(there), removed, set()

    def counted(self):
        return [m for m in range(len(self.there)) if m not in self.marked]

    def answer(self, command, number):
        """The answer's first word, and its lines where it has some."""
        at = number - 1
        good = at < len(self.there) and at not in self.marked
        name, message = self.there[at] if at < len(self.there) else (None, b"")
        if command == "STAT":
            counted = self.counted()
            return b"+OK %d %d" % (len(counted), sum(len(self.there[m][1]) for m in counted)), None
        if command in ("LIST", "UIDL"):
            value = lambda m: b"%d" % len(self.there[m][1]) if command == "LIST" else self.there[m][0]  # noqa: E731
            if number == 0:
                return b"+OK", [b"%d %s" % (m + 1, value(m)) for m in self.counted()]
            return (b"+OK %d %s" % (number, value(at)), None) if good else (b"-ERR", None)
        if command == "RSET":
            self.marked.clear()
            return b"+OK", None
        if command == "DELE":
            if good:
                self.marked.add(at)
            return (b"+OK" if good else b"-ERR"), None
        if command in ("RETR", "TOP") and good and name not in self.removed:
            header, _, body = message.partition(b"\r\n\r\n")
            lines = body.split(b"\r\n")[:-1]
            shown = header.split(b"\r\n") + [b""] + (lines if command == "RETR" else lines[:2])
            return b"+OK", shown
        return (b"+OK" if command == "NOOP" else b"-ERR"), None


def answer_of(w, multiline):
    first = w.line().rstrip(b"\r\n")
    if not multiline or not first.startswith(b"+OK"):
        return first, None
    lines = []
    while (line := w.line()[:-2]) != b".":
        lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
    return first, lines


@test(seconds=300)
def commands_in_any_order(server):
    """Random commands on two connections at once, whole and broken, against a model of what each must answer."""
    address, rng, n_commands = account(server, "bob"), random.Random("pop3"), 0
    for _ in range(60 if full else 12):
        fill(server, address, rng.randint(1, 6), rng.randint(10, 99))
        with closing(pop(server, address)) as reader:
            names = [line.split()[1] for line in reader.uidl()[1]]
            there = [(name, joined(reader.retr(i + 1)[1])) for i, name in enumerate(names)]
        removed, open_ones = set(), []
        for _ in range(2):
            w = wire.Wire(server.pop3s, tls=True)
            w.send(b"USER %s\r\nPASS %s\r\n" % (address.encode(), server.passwords[address].encode()))
            expect_equal([w.line()[:3] for _ in range(3)], [b"+OK"] * 3)
            open_ones.append((w, Model(there, removed)))
        # sizes are learnt before anything is removed
        for w, model in open_ones:
            w.send(b"STAT\r\n")
            expect_equal(w.line().strip(), model.answer("STAT", 0)[0])
        while open_ones:
            w, model = rng.choice(open_ones)
            if rng.random() < 0.03:
                w.send(b"QUIT\r\n")
                expect(w.line().startswith(b"+OK"))
                removed |= {model.there[m][0] for m in model.marked}
                open_ones.remove((w, model))
                w.close()
                continue
            command = rng.choice(["STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET", "NOOP", "LIST 0", "FOO"])
            number = rng.randint(0, len(there) + 1)
            if command in ("RETR", "TOP", "DELE"):
                number = max(number, 1)
            words = command.split()
            if len(words) == 1 and number and command not in ("STAT", "RSET", "NOOP", "FOO"):
                words.append(str(number))
            if command == "TOP":
                words.append("2")
            w.send(" ".join(words).encode() + rng.choice([b"\r\n", b"\n", b" \r\n"]))
            want = (b"-ERR", None) if command in ("LIST 0", "FOO") else model.answer(command, number)
            got = answer_of(w, want[1] is not None)
            expect(got[0].startswith(want[0]), words, "was answered", got[0], "not", want[0])
            expect_equal(got[1], want[1], words)
            n_commands += 1
        with closing(pop(server, address)) as reader:
            left = [line.split()[1] for line in reader.uidl()[1]]
            expect_equal(left, [name for name in names if name not in removed])
    return f"{n_commands} commands"


# --- other people's programs ----------------------------------------------------------------------------------------


@test
def curl(server):
    address = account(server, "dan")
    sent = fill(server, address, 3, 3)
    user = f"{address}:{server.passwords[address]}"
    with home() as folder:
        for url, more in ((f"pop3s://127.0.0.1:{server.pop3s}", []), (f"pop3://127.0.0.1:{server.pop3}", ["--ssl-reqd"])):
            common = [need("curl"), "-sS", "-k", "-u", user, *more]
            listed = run(*common, f"{url}/", folder=folder).stdout.split()
            expect_equal(listed, [b"1", b"%d" % len(sent[0]), b"2", b"%d" % len(sent[1]), b"3", b"%d" % len(sent[2])])
            expect_equal(run(*common, f"{url}/2", folder=folder).stdout, sent[1])
            for mechanism in ("PLAIN", "LOGIN"):
                expect_equal(run(*common, "--login-options", f"AUTH={mechanism}", f"{url}/3", folder=folder).stdout, sent[2])
            run(*common, "--sasl-ir", f"{url}/1", folder=folder)
        expect(run(common[0], "-sS", "-k", "-u", f"{address}:wrong", f"{url}/", "--ssl-reqd", folder=folder, check=False).returncode == 67)
        run(*common, "-X", "DELE 1", "--list-only", f"{url}/1", folder=folder, check=False)


@test
def fetchmail(server):
    address = account(server, "erin")
    for port, tls in ((server.pop3s, "ssl no sslcertck"), (server.pop3, 'sslproto "auto" no sslcertck')):
        sent = fill(server, address, 12, 4)
        with home() as folder:
            folder = Path(folder)
            catcher, rc = folder / "catch", folder / "rc"
            catcher.write_text(f"#!/bin/sh\ncat >'{folder}'/caught.$$\n")
            catcher.chmod(0o755)
            line = f'poll 127.0.0.1 service {port} protocol POP3 {{}} user "{address}" password "{server.passwords[address]}" {tls} mda "{catcher}" {{}}\n'
            fetch = [need("fetchmail"), "-f", rc, "--nosyslog", "-i", folder / "ids", "--pidfile", folder / "pid"]
            # first leaving the mail there, told apart by UIDL; then nothing is new; then all of it, and it is removed
            for uidl, options, status, caught in (("uidl", "keep", 0, 12), ("uidl", "keep", 1, 12), ("", "fetchall no keep", 0, 24)):
                rc.write_text(line.format(uidl, options))
                rc.chmod(0o600)
                done = run(*fetch, folder=folder, check=False)
                expect_equal(done.returncode, status, (done.stdout + done.stderr).decode()[-1500:])
                expect_equal(len(list(folder.glob("caught.*"))), caught)
            got = [p.read_bytes() for p in sorted(folder.glob("caught.*"))]
            same_messages(got, sent + sent)
        client = pop(server, address)
        expect_equal(client.stat(), (0, 0))
        client.quit()


@test
def mpop(server):
    address = account(server, "frank")
    sent = fill(server, address, 10, 5)
    with home() as folder:
        folder = Path(folder)
        for port, starttls in ((server.pop3s, "off"), (server.pop3, "on")):
            got = folder / f"mail{port}"
            for sub in ("cur", "new", "tmp"):
                (got / sub).mkdir(parents=True)
            rc = folder / "rc"
            rc.write_text(
                f"account a\nhost 127.0.0.1\nport {port}\nuser {address}\npassword \"{server.passwords[address]}\"\ntls on\ntls_starttls {starttls}\n"
                f"tls_certcheck off\nauth on\ndelivery maildir {got}\nkeep {'on' if starttls == 'off' else 'off'}\nuidls_file {folder}/uidls{port}\naccount default : a\n")
            rc.chmod(0o600)
            run(need("mpop"), "-C", rc, "-Q", folder=folder)
            same_messages([p.read_bytes() for p in (got / "new").iterdir()], sent)
            run("mpop", "-C", rc, "-Q", folder=folder)
            expect_equal(len(list((got / "new").iterdir())), 10, "what was there came again")
    client = pop(server, address)
    expect_equal(client.stat(), (0, 0))
    client.quit()


@test
def getmail(server):
    address = account(server, "frank")
    sent = fill(server, address, 8, 6)
    with home() as folder:
        folder = Path(folder)
        for sub in ("cur", "new", "tmp"):
            (folder / "mail" / sub).mkdir(parents=True)
        (folder / "getmailrc").write_text(
            f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {server.pop3s}\nusername = {address}\n"
            f"password = {server.passwords[address]}\n[destination]\ntype = Maildir\npath = {folder}/mail/\n[options]\nread_all = false\ndelete = true\n"
            "delivered_to = false\nreceived = false\n")
        as_user = []
        if os.geteuid() == 0:  # it delivers nothing as root
            run("chown", "-R", "nobody", folder, folder=folder)
            as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        run(*as_user, need("getmail"), "--getmaildir", folder, folder=folder)
        # it takes messages apart and writes them anew: they are told by their names
        name = lambda m: re.search(rb"(?m)^Message-ID: (\S+)", m).group(1)  # noqa: E731
        got = [p.read_bytes() for p in (folder / "mail/new").iterdir()]
        expect_equal(sorted(map(name, got)), sorted(map(name, sent)))
    client = pop(server, address)
    expect_equal(client.stat(), (0, 0))
    client.quit()


# --- time and crashes -----------------------------------------------------------------------------------------------


@test
def quit_is_durable_and_nothing_else_removes(_server):
    with Instance() as server:
        fill(server, server.address, 6, 7)
        client = pop(server)
        client.dele(2)
        client.dele(5)
        client.quit()
        server.kill()  # the moment QUIT is answered
        server.start()
        client = pop(server)
        names = client.uidl()[1]
        expect_equal([n.split(b".")[1] for n in names], [b"1", b"3", b"4", b"6"])
        client.dele(1)
        client.stat()
        server.kill()  # without QUIT
        server.start()
        client = pop(server)
        expect_equal(client.uidl()[1], names)
        client.dele(1)
        for pid in server.role_pids("session"):
            os.kill(pid, 9)
        try:
            client.quit()
            raise AssertionError("an answer came from a session that is dead")
        except (poplib.error_proto, OSError):
            pass
        client = pop(server)
        expect_equal(client.uidl()[1], names)
        client.quit()
        server.expected_alarms = 10
        server.finish()


@test
def times_out_in_silence(_server):
    with Instance(settings={("limits", "pop3_timeout"): 2, ("limits", "sign_in_timeout"): 3}) as server:
        fill(server, server.address, 1, 8)
        for signed_in in (True, False):
            with wire.Wire(server.pop3s, tls=True) as w:
                w.line()
                if signed_in:
                    w.send(b"USER %s\r\nPASS %s\r\nDELE 1\r\n" % (server.address.encode(), server.password.encode()))
                    expect_equal([w.line()[:3] for _ in range(3)], [b"+OK"] * 3)
                start = time.monotonic()
                expect_equal(w.until_closed(), b"")
                expect(1.5 < time.monotonic() - start < 15, "ended after", time.monotonic() - start)
        client = pop(server)
        expect_equal(client.stat()[0], 1)
        client.quit()
        server.finish()


@test
def the_servers_stop_ends_it(_server):
    with Instance() as server:
        fill(server, server.address, 1, 9)
        client = pop(server)
        client.dele(1)
        expect(server.stop() < 10)
        try:
            client.noop()
            raise AssertionError("an answer came after the stop")
        except (poplib.error_proto, OSError):
            pass
        server.start()
        client = pop(server)
        expect_equal(client.stat()[0], 1)
        client.quit()
        server.finish()


if __name__ == "__main__":
    run_tests(make_server)
