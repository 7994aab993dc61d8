#!/usr/bin/python3
"""SORT and THREAD beside Debian's Dovecot: the same messages, the same questions, the same answers.

  test/imap/order_peer.py [--seed N] [--drawn N] [-v]

Messages: those of the shared vectors (../shared/vectors/mime, or GATEPOST_MIME_VECTORS), and --drawn (default 400) made
ones whose subjects, dates and references are drawn from few values, so that they meet, contradict and loop. Dovecot's
imap program is run by itself (pre-authenticated, on a pipe, in a Maildir of its own); without it there is one `skip`.

Every difference is a failure: none is known.
"""

import argparse
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import wire  # noqa: E402
from instance import Instance  # noqa: E402

VECTORS = Path(os.environ.get("GATEPOST_MIME_VECTORS", HERE.parent.parent.parent / "shared/vectors/mime"))
PROGRAM = "/usr/lib/dovecot/imap"
CONF = """
protocols = imap
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
mail_location = maildir:{root}/mail
ssl = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = nogroup
"""
KEYS = ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO")


class Peer:
    """Dovecot's imap on a pipe."""

    def __init__(self, root):
        user = "nobody"
        if os.geteuid() != 0:
            user = pwd.getpwuid(os.geteuid()).pw_name
        ids = pwd.getpwnam(user)
        for name in ("run", "state", "mail"):
            os.makedirs(f"{root}/{name}")
        Path(f"{root}/dovecot.conf").write_text(CONF.format(root=root, user=user))
        as_user = []
        if os.geteuid() == 0:  # it refuses to run as root
            as_user = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]
            for path in [root, *(f"{root}/{n}" for n in ("run", "state", "mail"))]:
                os.chmod(path, 0o755)
                os.chown(path, ids.pw_uid, ids.pw_gid)
        self.process = subprocess.Popen(
            [*as_user, PROGRAM, "-c", f"{root}/dovecot.conf"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root,
            env={"USER": user, "HOME": root, "PATH": "/usr/bin:/bin"})
        greeting = self.process.stdout.readline()
        if b"PREAUTH" not in greeting:
            raise RuntimeError(f"dovecot says {greeting!r}: {Path(root, 'log').read_text() if Path(root, 'log').exists() else ''}")
        self.n = 0

    def command(self, *parts):
        self.n += 1
        tag = b"p%d" % self.n
        out = tag
        for part in parts:
            if isinstance(part, bytes):
                out += b" {%d+}\r\n" % len(part) + part
            else:
                out += b" " + part.encode()
        self.process.stdin.write(out + b"\r\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("dovecot has ended")
            if line.startswith(tag + b" "):
                return line[len(tag) + 1:].strip(), lines
            lines.append(line.strip())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Ours:
    def __init__(self, server):
        self.client = wire.Imap(server.imaps)
        self.client.sign_in(server.address, server.password)

    def command(self, *parts):
        words = " ".join(p for p in parts if isinstance(p, str))
        literals = [p for p in parts if isinstance(p, bytes)]
        answer = self.client.command(words + " ", *literals) if literals else self.client.command(words)
        return f"{answer.status} {answer.text}".encode(), answer.untagged


def drawn(seed, n):
    """Messages that have to do with each other."""
    r = random.Random(seed)
    ids = [f"<{i}@x.test>" for i in range(n // 3 + 1)]
    bases = ["Pears", "apples", "[list] Plums", "", "\u00c4pfel", "a_b", "aab", "Zebra", "[only]", "re", "(fwd)", "Pears (fwd)"]
    marks = ["", "", "", "Re: ", "RE: ", "Fwd: ", "re[2]: ", "[list] ", "[a] [b] ", "fw : ", "Re: [x] Re: "]
    names = ["", "Anna ", "\"B, o\" ", "=?utf-8?q?=C3=84nne?= ", "zed "]
    for _ in range(n):
        subject = r.choice(marks) + r.choice(bases)
        if r.random() < 0.05:
            subject = f"[Fwd: {subject}]"
        if any(ord(c) > 127 for c in subject):
            subject = "=?utf-8?q?" + "".join(f"={b:02X}" for b in subject.encode()) + "?="
        head = [f"Subject: {subject}"] if r.random() < 0.97 else []
        if r.random() < 0.9:
            head.append(f"Message-ID: {r.choice(ids)}")
        if r.random() < 0.6:
            head.append("References: " + " ".join(r.choice(ids) for _ in range(r.randint(1, 5))))
        if r.random() < 0.3:
            head.append(f"In-Reply-To: {r.choice(ids)}")
        if r.random() < 0.9:
            head.append(f"Date: {r.randint(1, 9)} Feb 2000 {r.randint(0, 23):02}:00:00 {r.choice(['+0000', '+0530', '-0800'])}")
        for field in ("From", "To", "Cc"):
            if r.random() < 0.8:
                head.append(f"{field}: {r.choice(names)}<{r.choice(['anna', 'Bob', 'c_d', 'ccd'])}@{r.choice('xy')}.test>")
        yield ("\r\n".join(head) + "\r\n\r\n" + "x" * r.randint(0, 20) + "\r\n").encode()


def vectors():
    for path in sorted(VECTORS.rglob("*")) if VECTORS.is_dir() else ():
        data = path.read_bytes() if path.is_file() else b""
        if path.suffix in (".eml", ".txt", ".msg", "") and 10 < len(data) < 200000 and b"\0" not in data and b":" in data[:200]:
            yield re.sub(rb"\r?\n", b"\r\n", data)


def questions():
    for key in KEYS:
        yield f"SORT ({key}) UTF-8 ALL"
        yield f"SORT (REVERSE {key}) UTF-8 ALL"
    for keys in ("SUBJECT DATE", "FROM REVERSE DATE", "REVERSE SUBJECT FROM SIZE", "CC TO FROM REVERSE ARRIVAL"):
        yield f"UID SORT ({keys}) UTF-8 ALL"
    for algorithm in ("ORDEREDSUBJECT", "REFERENCES"):
        yield f"THREAD {algorithm} UTF-8 ALL"
        yield f"UID THREAD {algorithm} UTF-8 NOT SUBJECT pears"
    yield "SORT RETURN (ALL COUNT MIN MAX) (SUBJECT) UTF-8 ALL"


def fill(ours, peer, mailbox, messages):
    for side in (ours, peer):
        side.command("CREATE", mailbox)
    for i, message in enumerate(messages):
        arrived = f'"{1 + i % 7:02}-Mar-2001 0{i % 5}:00:00 +0000"'
        for side in (ours, peer):
            status, lines = side.command("APPEND", mailbox, arrived, message)
            if not status.startswith(b"OK"):
                raise RuntimeError(f"message {i}: {status} {lines}")
    for side in (ours, peer):
        side.command("EXAMINE", mailbox)


def answer_of(side, question):
    status, lines = side.command(question)
    told = [x for x in lines if re.match(rb"\* (SORT|THREAD|ESEARCH)", x)]
    return status.split()[0].decode(), re.sub(rb'\(TAG "[^"]*"\)', b"", b" ".join(told)).decode().strip()


def compare(ours, peer, name, verbose):
    n_different = 0
    for question in questions():
        a, b = answer_of(ours, question), answer_of(peer, question)
        same = a == b and a[0] == "OK" and any(c.isdigit() for c in a[1])
        n_different += not same
        if same and verbose:
            print(f"        {name}: {question}")
        if not same:
            print(f"        {question}\n          ours   {a[0]} {a[1][:2000]}\n          theirs {b[0]} {b[1][:2000]}")
    print(f"{'FAIL' if n_different else 'ok  '}  {name}: {n_different} answers differ", flush=True)
    return n_different


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--drawn", type=int, default=400)
    parse.add_argument("-v", action="store_true")
    options = parse.parse_args()
    if not os.path.exists(PROGRAM):
        print("skip  dovecot-imapd is not there")
        return 0
    root = tempfile.mkdtemp(prefix="gatepost-order-")
    os.chmod(root, 0o755)
    failed = 0
    try:
        with Instance() as server:
            peer, ours = Peer(f"{root}/peer"), Ours(server)
            fill(ours, peer, "drawn", list(drawn(options.seed, options.drawn)))
            failed += compare(ours, peer, "drawn", options.v)
            published = list(vectors())
            if published:
                fill(ours, peer, "vectors", published)
                failed += compare(ours, peer, "vectors", options.v)
            peer.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
