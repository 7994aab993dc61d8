#!/usr/bin/python3
"""Messages of nearly the largest size that is taken, by SMTP and APPEND: all of it arrives and is found, and the session that serves it
stays small. What every role needs at most is said; only release builds are held to it, since sanitizers take much themselves."""

import hashlib
import os
import re
import smtplib
import threading
import time
from pathlib import Path

import prelude  # noqa: F401

import wire
from harness import expect, expect_equal, run_tests, test, wait_until
from instance import BINARY, Instance

SANITIZED = b"__asan_init" in BINARY.read_bytes()
SIZE = (8 if SANITIZED else 49) << 20
SESSION_KIB = 30 << 10
PIECE = 4 << 20
EVERY_S = 0.05
INDEXED_S = 3
SESSION = "session"


class Watch:
    """The peak of each role's processes, as the machine counts it, and of what is theirs alone."""

    def __init__(self, server):
        self.root, self.peaks, self.own, self.stopped = server.process.pid, {}, {}, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def run(self):
        while not self.stopped.wait(EVERY_S):
            self.look()

    def look(self):
        family = {self.root}
        for entry in sorted((int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())):
            try:
                status = Path(f"/proc/{entry}/status").read_text()
            except OSError:
                continue
            fields = dict(re.findall(r"^(\w+):\s*(\S+)", status, re.MULTILINE))
            if int(fields["PPid"]) not in family:
                continue
            family.add(entry)
            name = fields["Name"]
            self.peaks[name] = max(self.peaks.get(name, 0), int(fields.get("VmHWM", 0)))
            self.own[name] = max(self.own.get(name, 0), int(fields.get("RssAnon", 0)))

    def report(self):
        return ", ".join(f"{name} {self.peaks[name] >> 10} ({self.own[name] >> 10})" for name in sorted(self.peaks)) + " MiB"


def attachment(name, word):
    """One text and one attachment that does not pack."""
    head = (f"From: a@client.example\r\nTo: b@example.test\r\nSubject: {name}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            f"--b\r\n\r\n{word}\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n").encode()
    tail = b"--b--\r\n"
    noise = os.urandom(1 << 20).hex().encode()
    lines = b"".join(noise[i:i + 76] + b"\r\n" for i in range(0, len(noise) - 76, 76))
    body = (lines * (SIZE // len(lines) + 1))[: (SIZE - len(head) - len(tail)) // 78 * 78]
    return head + body + tail


def long_text(name, word):
    """One text; the word is its last."""
    head = f"From: a@client.example\r\nTo: b@example.test\r\nSubject: {name}\r\n\r\n".encode()
    line = b"seventy-eight bytes of text in each line, and so on and on until it is all\r\n"
    return head + line * ((SIZE - len(head)) // len(line) - 1) + word.encode() + b"\r\n"


def make_server():
    return Instance()


def fetch_in_pieces(client, number, length):
    whole = hashlib.sha256()
    for at in range(0, length, PIECE):
        m = client.ok(f"FETCH {number} BODY.PEEK[]<{at}.{PIECE}>").one(rb"BODY\[\]<\d+> \{(\d+)\}\r\n")
        whole.update(m.string[m.end() : m.end() + int(m.group(1))])
    return whole.hexdigest()


def stored_size(client, number):
    return int(client.ok(f"FETCH {number} RFC822.SIZE").one(rb"RFC822\.SIZE (\d+)").group(1))


def found(client, word):
    return client.ok(f"SEARCH BODY {word}").one(rb"^\* SEARCH(.*)").group(1).split()


def submit(server, message):
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions, local_hostname="laptop.lan", context=wire.tls_context(), timeout=120) as client:
        client.login(server.address, server.password)
        client.sendmail(server.address, [server.address], message.replace(b"a@client.example", server.address.encode(), 1))


@test(seconds=300)
def large_mail_arrives_whole_and_is_found(server):
    sent = [attachment("first", "zebra"), long_text("second", "giraffe")]
    with Watch(server) as watch:
        for message in sent:
            with server.smtp_client() as s:
                s.socket.settimeout(120)
                expect_equal(s.deliver("a@client.example", [server.address], message)[0], 250)
        with server.imap_client(select="INBOX") as c:
            c.socket.settimeout(120)
            wait_until(lambda: c.exists() == 2 or stored_size(c, 2) > 0, 60)
            for number, message in enumerate(sent, 1):
                added = stored_size(c, number) - len(message)
                expect(0 < added < 4096, "trace fields of", added)
                m = c.ok(f"FETCH {number} BODY.PEEK[]<0.{added}>").one(rb"BODY\[\]<0> \{(\d+)\}\r\n")
                trace = m.string[m.end() : m.end() + int(m.group(1))]
                expect_equal(fetch_in_pieces(c, number, added + len(message)), hashlib.sha256(trace + message).hexdigest())
            expect_equal(found(c, "zebra"), [b"1"])
            expect_equal(found(c, "giraffe"), [b"2"])
            c.append("Archive", sent[0])
            time.sleep(INDEXED_S)
            expect_equal(found(c, "giraffe"), [b"2"])
            submit(server, long_text("third", "ostrich"))
            wait_until(lambda: c.exists() == 3 or found(c, "ostrich") == [b"3"], 120)
            expect_equal(found(c, "ostrich"), [b"3"])
    expect(SANITIZED or 0 < watch.peaks.get(SESSION, 0) < SESSION_KIB, watch.report())
    return watch.report()


if __name__ == "__main__":
    run_tests(make_server)
