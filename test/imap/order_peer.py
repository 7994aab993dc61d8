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
import random
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import dovecot_imap  # noqa: E402
import wire  # noqa: E402
from instance import Instance  # noqa: E402

VECTORS = Path(os.environ.get("GATEPOST_MIME_VECTORS", HERE.parent.parent.parent / "shared/vectors/mime"))
KEYS = ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO")


class Peer:
    """Dovecot, in a folder of its own."""

    def __init__(self):
        self.dovecot = dovecot_imap.Dovecot()
        self.connection = self.dovecot.connect()
        self.connection.settimeout(60)
        self.file = self.connection.makefile("rwb")
        greeting = self.file.readline()
        if b"PREAUTH" not in greeting:
            raise RuntimeError(f"dovecot says {greeting!r}: {self.dovecot.log()}")
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
        self.file.write(out + b"\r\n")
        self.file.flush()
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise RuntimeError("dovecot has ended")
            if line.startswith(tag + b" "):
                return line[len(tag) + 1:].strip(), lines
            lines.append(line.strip())

    def close(self):
        self.file.close()
        self.connection.close()
        self.dovecot.close()


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
    if not dovecot_imap.is_there():
        print("skip  dovecot-imapd is not there")
        return 0
    failed = 0
    with Instance() as server:
        peer, ours = Peer(), Ours(server)
        try:
            fill(ours, peer, "drawn", list(drawn(options.seed, options.drawn)))
            failed += compare(ours, peer, "drawn", options.v)
            published = list(vectors())
            if published:
                fill(ours, peer, "vectors", published)
                failed += compare(ours, peer, "vectors", options.v)
        finally:
            peer.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
