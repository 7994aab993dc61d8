#!/usr/bin/python3
"""SMTP as strangers speak it, byte by byte: what must be taken, what must be refused, and what becomes of it."""

import re
import smtplib
import socket
import time

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, run_tests, test, wait_until
from instance import Instance

BOB = "bob@example.test"
MESSAGE_SIZE = 2_000_000


def make_server():
    server = Instance(settings={("limits", "message_size"): MESSAGE_SIZE, ("limits", "smtp_errors"): 10})
    server.add_account(BOB)
    server.gatepost("alias", "add", "team@example.test", server.address, BOB)
    return server


_fetched = {}


def inbox(server, address=None):
    """All messages of an account's INBOX; each is fetched once."""
    with server.imap_client(address, select="INBOX") as c:
        uids = c.ok("UID SEARCH ALL").one(rb"^\* SEARCH ?(.*)").group(1).split()
        for uid in uids:
            if (address, uid) not in _fetched:
                _fetched[address, uid] = c.fetch_message(uid.decode(), uid=True)
    return [_fetched[address, uid] for uid in uids]


def with_subject(server, subject, address=None):
    line = f"Subject: {subject}\r\n".encode()
    return [m for m in inbox(server, address) if line in m.partition(b"\r\n\r\n")[0] + b"\r\n"]


def stored_once(server, message, address=None):
    """The stored form of the one message in the INBOX that ends with `message`."""
    found = [m for m in inbox(server, address) if m.endswith(message)]
    expect_equal(len(found), 1, "messages stored")
    return found[0]


@test
def greets_and_announces(server):
    with server.smtp_client(hello=None) as s:
        expect_equal(s.greeting[0], 220)
        expect("ESMTP" in s.greeting[1], s.greeting)
        code, text = s.command("EHLO client.example")
        expect_equal(code, 250)
        words = [line.split()[0] for line in text.split("\n")[1:]]
        for want in ("SIZE", "PIPELINING", "8BITMIME", "SMTPUTF8", "STARTTLS", "CHUNKING", "BINARYMIME",
                     "ENHANCEDSTATUSCODES", "DSN", "LIMITS"):
            expect(want in words, want, "is not announced:", words)
        expect(f"SIZE {MESSAGE_SIZE}" in text, text)
        expect("AUTH" not in words, "AUTH on port 25")
    with server.smtp_client(hello=None) as s:
        expect_equal(s.command("HELO client.example")[0], 250)
        expect_equal(s.command("NOOP")[0], 250)
        expect_equal(s.command("RSET")[0], 250)
        expect(s.command("VRFY alice")[0] in (252, 502, 550), "VRFY")
        expect(s.command("EXPN team")[0] in (252, 502, 550), "EXPN")
        expect(s.command("HELP")[0] in (211, 214, 502), "HELP")
        expect_equal(s.command("QUIT")[0], 221)
        expect_equal(s.until_closed(), b"")


@test
def stores_with_trace_on_top(server):
    message = messages.short("trace", "body\r\n")
    server.deliver(message, sender="Some.One@client.example")
    stored = stored_once(server, message)
    trace = stored[: -len(message)].decode()
    lines = re.sub(r"\r\n[ \t]+", " ", trace).split("\r\n")
    expect_equal(lines[0], "Return-Path: <Some.One@client.example>")
    expect(lines[1].startswith("Received: from client.example"), trace)
    expect("127.0.0.1" in lines[1] and " with ESMTP " in lines[1] + " ", trace)
    expect(re.search(r"; \w{3}, +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", lines[1]), trace)
    expect_equal(lines[2:], [""], "trace fields")


@test
def starttls_gives_tls_and_forgets_what_came_before(server):
    with server.smtp_client() as s:
        expect_equal(s.command("MAIL FROM:<a@b.example>")[0], 250)
        s.secure(hello=None)
        expect_equal(s.command("RCPT TO:<alice@example.test>")[0], 503, "the transaction before STARTTLS")
        code, text = s.command("EHLO client.example")
        expect("STARTTLS" not in text, "STARTTLS announced inside TLS")
        expect(s.command("STARTTLS")[0] in (503, 502, 554), "STARTTLS twice")
        message = messages.short("intls")
        code, text = s.deliver("a@client.example", server.address, message)
        expect_equal(code, 250, text)
    stored = stored_once(server, message)
    expect(b"with ESMTPS" in stored, stored[:600])


@test
def starttls_injection_is_discarded(server):
    with server.smtp_client() as s:
        s.send(b"STARTTLS\r\nMAIL FROM:<inject@evil.example>\r\nRCPT TO:<alice@example.test>\r\n")
        try:
            code, _ = s.reply()
            if code == 220:
                s.pending = b""
                s.start_tls()
                expect(s.quiet_for(0.5), "an answer to what was sent before TLS:", s.pending)
                expect_equal(s.command("EHLO client.example")[0], 250)
                expect_equal(s.command("RCPT TO:<alice@example.test>")[0], 503)
            else:
                expect(code >= 500, code)
        except wire.Ended:
            pass


@test
def pipelining(server):
    message = messages.short("pipelined")
    with server.smtp_client() as s:
        s.send(b"MAIL FROM:<p@client.example>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody-here@example.test>\r\n"
               b"RCPT TO:<bob@example.test>\r\nDATA\r\n")
        codes = [s.reply()[0] for _ in range(5)]
        expect_equal(codes, [250, 250, 550, 250, 354])
        s.send(message + b".\r\nRSET\r\nNOOP\r\nQUIT\r\n")
        expect_equal([s.reply()[0] for _ in range(4)], [250, 250, 250, 221])
    stored_once(server, message)
    stored_once(server, message, BOB)


@test
def reception_of_every_message_of_the_generator(server):
    with server.smtp_client() as s:
        sent = []
        for n in range(30):
            m = messages.message(n, 77)
            code, text = s.deliver("g@client.example", BOB, m, " BODY=8BITMIME")
            expect_equal(code, 250, text)
            sent.append(m)
    found = inbox(server, BOB)
    for m in sent:
        expect_equal(sum(f.endswith(m) for f in found), 1, "copies")


@test
def dots_are_unstuffed(server):
    message = messages.short("dots", ".\r\n..\r\n.x\r\n...\r\nend\r\n")
    server.deliver(message)
    stored_once(server, message)


@test
def refuses_unknown_and_foreign_recipients(server):
    with server.smtp_client() as s:
        expect_equal(s.command("MAIL FROM:<x@client.example>")[0], 250)
        code, text = s.command("RCPT TO:<nobody@example.test>")
        expect_equal((code, text.split()[0]), (550, "5.1.1"))
        code, text = s.command("RCPT TO:<someone@elsewhere.example>")
        expect_equal((code, text.split()[0]), (550, "5.7.1"))
        for bad in ("<>", "<@>", "alice@example.test", "<alice@example.test", "<a b@example.test>", "<alice@@example.test>"):
            code, _ = s.command(f"RCPT TO:{bad}")
            expect(500 <= code < 600, bad, code)
        for relay in ("<victim%elsewhere.example@example.test>", "<elsewhere.example!victim@example.test>",
                      '<"victim@elsewhere.example"@example.test>', "<@example.test:victim@elsewhere.example>"):
            code, _ = s.command(f"RCPT TO:{relay}")
            expect(500 <= code < 600, relay, code)
        code, _ = s.command("DATA")
        expect(code in (503, 554), "DATA without recipients", code)


@test
def takes_every_way_to_write_a_recipient(server):
    subjects = {}
    for n, r in enumerate(("ALICE@example.test", "alice@EXAMPLE.TEST", "alice+tag@example.test", '"alice"@example.test',
                           "@relay.example:alice@example.test", "alice+a+b@example.test")):
        subjects[r] = f"way{n}"
        with server.smtp_client() as s:
            code, text = s.deliver("w@client.example", r, messages.short(subjects[r]))
            expect_equal(code, 250, f"{r}: {text}")
    for r, subject in subjects.items():
        expect_equal(len(with_subject(server, subject)), 1, r)


@test
def alias_and_postmaster(server):
    server.deliver(messages.short("toteam"), "team@example.test")
    expect_equal((len(with_subject(server, "toteam")), len(with_subject(server, "toteam", BOB))), (1, 1))
    server.deliver(messages.short("twice"), "team@example.test", server.address, "alice+x@example.test")
    expect_equal((len(with_subject(server, "twice")), len(with_subject(server, "twice", BOB))), (1, 1))
    for r in ("postmaster@example.test", "POSTMASTER@example.test", "Postmaster", "abuse@example.test", "Abuse+x@example.test"):
        with server.smtp_client() as s:
            s.command("MAIL FROM:<x@client.example>")
            expect_equal(s.command(f"RCPT TO:<{r}>")[0], 250, r)


@test
def null_sender(server):
    message = messages.short("bounce")
    server.deliver(message, sender="")
    expect(stored_once(server, message).startswith(b"Return-Path: <>\r\n"))


@test
def parameters_are_checked(server):
    good = [" SIZE=100", " BODY=7BIT", " BODY=8BITMIME", " BODY=BINARYMIME", " SMTPUTF8", " RET=HDRS ENVID=QQ314159",
            " body=8bitmime size=10"]
    bad = [" SIZE=abc", " SIZE=", " BODY=9BIT", " FOO=BAR", " SIZE=1 SIZE=2", " RET=SOME", " SMTPUTF8=1", " SIZE=-1"]
    with server.smtp_client() as s:
        for p in good:
            expect_equal(s.command(f"MAIL FROM:<x@client.example>{p}")[0], 250, p)
            s.command("RSET")
    for p in bad:
        with server.smtp_client() as s:
            code, _ = s.command(f"MAIL FROM:<x@client.example>{p}")
            expect(code in (501, 555, 504), p, code)
    with server.smtp_client() as s:
        s.command("MAIL FROM:<x@client.example>")
        expect_equal(s.command("RCPT TO:<alice@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;alice@example.test")[0], 250)
        expect_equal(s.command("RCPT TO:<bob@example.test> NOTIFY=NEVER")[0], 250)
        for p in ("NOTIFY=NEVER,SUCCESS", "NOTIFY=", "ORCPT=nosemicolon", "FOO=1"):
            expect(s.command(f"RCPT TO:<alice@example.test> {p}")[0] in (501, 555), p)


@test
def size_is_held(server):
    with server.smtp_client() as s:
        code, text = s.command(f"MAIL FROM:<x@client.example> SIZE={MESSAGE_SIZE + 1}")
        expect_equal((code, text.split()[0]), (552, "5.3.4"))
        expect_equal(s.command(f"MAIL FROM:<x@client.example> SIZE={MESSAGE_SIZE}")[0], 250)
        s.command("RSET")
        line = b"x" * 70 + b"\r\n"
        head = messages.short("toolarge", "")
        big = head + line * (MESSAGE_SIZE // len(line) + 10)
        code, text = s.deliver("x@client.example", server.address, big)
        expect_equal(code, 552, text)
        fits = messages.short("justfits", "")
        fits += line * ((MESSAGE_SIZE - len(fits)) // len(line))
        code, text = s.deliver("x@client.example", server.address, fits)
        expect_equal(code, 250, text)
    expect_equal(len(with_subject(server, "toolarge")), 0)
    stored_once(server, fits)


@test
def eight_bit_and_smtputf8(server):
    message = "From: x@client.example\r\nSubject: Größe\r\n\r\nGrüße ☃\r\n".encode()
    with server.smtp_client() as s:
        code, text = s.deliver("jürgen@münchen.example", server.address, message, " SMTPUTF8 BODY=8BITMIME")
        expect_equal(code, 250, text)
        stored = stored_once(server, message)
        expect("Return-Path: <jürgen@münchen.example>".encode() in stored, stored[:300])
        expect(b"with UTF8SMTP" in stored, stored[:600])
        code, _ = s.command("MAIL FROM:<jürgen@münchen.example>")
        expect(code in (550, 553, 501), "UTF-8 without SMTPUTF8", code)


@test
def chunking(server):
    whole = messages.short("bdat", "one\r\ntwo\r\n.\r\n..three\r\n")
    with server.smtp_client() as s:
        s.envelope("c@client.example", server.address)
        at = 0
        for n in (1, 30, 0, 47):
            s.send(b"BDAT %d\r\n" % n + whole[at : at + n])
            expect_equal(s.reply()[0], 250)
            at += n
        s.send(b"BDAT %d LAST\r\n" % (len(whole) - at) + whole[at:])
        expect_equal(s.reply()[0], 250)
        stored_once(server, whole)
        # All in one flight, and an empty last chunk.
        other = messages.short("bdat2")
        s.send(b"MAIL FROM:<c@client.example>\r\nRCPT TO:<alice@example.test>\r\nBDAT %d\r\n" % len(other) + other + b"BDAT 0 LAST\r\n")
        expect_equal([s.reply()[0] for _ in range(4)], [250] * 4)
        stored_once(server, other)


@test
def chunking_errors(server):
    with server.smtp_client() as s:
        s.send(b"BDAT 5 LAST\r\nhello")
        expect_equal(s.reply()[0], 503, "BDAT without a transaction")
        expect_equal(s.command("NOOP")[0], 250)
        s.envelope("c@client.example", server.address)
        s.send(b"BDAT 5\r\nhello")
        expect_equal(s.reply()[0], 250)
        expect_equal(s.command("DATA")[0], 503, "DATA after BDAT")
    for bad in ("BDAT", "BDAT x", "BDAT -1", "BDAT 5 LATE"):
        with server.smtp_client() as s:  # how many bytes follow is not known: ending the connection is right
            s.envelope("c@client.example", server.address)
            expect(s.command(bad)[0] in (501, 421), bad)
    with server.smtp_client() as s:
        s.envelope("c@client.example", server.address)
        s.send(b"BDAT %d LAST\r\n" % (MESSAGE_SIZE + 1))
        s.send(b"y" * (MESSAGE_SIZE + 1))
        expect_equal(s.reply()[0], 552, "a chunk beyond the limit")


@test
def binarymime(server):
    body = bytes(range(256)) + b"\n\r\0\r\n"
    message = (b"From: b@client.example\r\nSubject: binary\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
               b"Content-Transfer-Encoding: binary\r\n\r\n" + body)
    with server.smtp_client() as s:
        s.envelope("b@client.example", server.address, parameters=" BODY=BINARYMIME")
        expect_equal(s.command("DATA")[0], 503, "DATA with BINARYMIME")
        s.command("RSET")
        s.envelope("b@client.example", server.address, parameters=" BODY=BINARYMIME")
        s.send(b"BDAT %d LAST\r\n" % len(message) + message)
        code, text = s.reply()
        expect_equal(code, 250, text)
    with server.imap_client(select="INBOX") as c:
        uid = c.ok("UID SEARCH SUBJECT binary").one(rb"SEARCH (\d+)").group(1).decode()
        got = c.ok(f"UID FETCH {uid} BINARY.PEEK[1]").one(rb"BINARY\[1\] ~?\{(\d+)\}\r\n")
        expect_equal(got.string[got.end() : got.end() + int(got.group(1))], body)


SMUGGLED = b"MAIL FROM:<smuggler@evil.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


@test
def smuggling_never_makes_two_messages(server):
    ends = [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
            b"\n\n.\r\n", b"\r\n.\r\r\n", b"\n.\r", b"\x85.\x85", b"\r\n.\n\r\n"]
    for n, end in enumerate(ends):
        with server.smtp_client() as s:
            s.envelope("s@client.example", server.address)
            expect_equal(s.command("DATA")[0], 354)
            s.send(messages.short(f"smuggle{n}", "first\r\n")[:-2] + end + SMUGGLED)
            answers = []
            try:
                s.socket.settimeout(3)
                while len(answers) < 6:
                    answers.append(s.reply()[0])
                    if answers[-1] == 221:
                        break
            except (wire.Ended, TimeoutError):
                pass
            expect(sum(a == 250 for a in answers) <= 1 and 354 not in answers, repr(end), answers)
    expect_equal(len(with_subject(server, "smuggled")), 0, "smuggled messages")
    for m in inbox(server):
        expect(not re.search(rb"(?<!\r)\n|\r(?!\n)", m) or b"Subject: binary" in m, "bare CR or LF stored:", m[:300])


@test
def bare_line_ends_are_refused(server):
    for n, body in enumerate((b"one\ntwo\r\n", b"one\rtwo\r\n", b"one\r\r\ntwo\r\n", b"\n\r\n", b"end\r\r\n")):
        with server.smtp_client() as s:
            s.envelope("s@client.example", server.address)
            s.command("DATA")
            s.send(messages.short(f"bare{n}", "") + body + b".\r\n")
            try:
                code, text = s.reply()
                expect(500 <= code < 600, body, code, text)
            except wire.Ended:
                pass
        expect_equal(with_subject(server, f"bare{n}"), [])
    for line in (b"NOOP\n", b"NO\rOP\r\n", b"NOOP\r\r\n", b"NO\0OP\r\n"):
        with server.smtp_client() as s:
            s.send(line)
            try:
                s.socket.settimeout(2)
                expect(s.reply()[0] >= 500, line)
            except (wire.Ended, TimeoutError):
                pass


@test
def long_lines(server):
    with server.smtp_client() as s:
        expect_equal(s.command("NOOP " + "x" * 400)[0], 250)
        code, _ = s.command("NOOP " + "x" * 5000)
        expect_equal(code, 500)
        expect_equal(s.command("NOOP")[0], 250)
        local = "a" * 64
        code, _ = s.command(f"MAIL FROM:<{local}@{'d' * 60}.example>")
        expect_equal(code, 250, "a long sender")
        s.command("RSET")
        expect(s.command(f"MAIL FROM:<{'a' * 400}@client.example>")[0] in (500, 501, 553), "a sender beyond limits")
    for n, ok in ((998, True), (100_000, False)):
        with server.smtp_client() as s:
            message = messages.short(f"line{n}", "y" * n + "\r\n")
            code, text = s.deliver("l@client.example", server.address, message)
            expect((code == 250) == ok, n, code, text)


@test
def too_many_recipients(server):
    with server.smtp_client() as s:
        s.command("MAIL FROM:<r@client.example>")
        codes = []
        for n in range(250):
            codes.append(s.command(f"RCPT TO:<alice+{n}@example.test>")[0])
        taken = codes.count(250)
        expect(100 <= taken < 250, "recipients taken:", taken)
        expect_equal(set(codes[taken:]), {452}, "beyond the limit")
        code, _ = s.data(messages.short("manyrcpt"))
        expect_equal(code, 250)
    expect_equal(len(with_subject(server, "manyrcpt")), 1)


@test
def too_many_errors(server):
    with server.smtp_client() as s:
        codes = []
        try:
            for _ in range(30):
                codes.append(s.command("NONSENSE")[0])
        except wire.Ended:
            pass
        expect(len(codes) < 20 and codes[0] == 500, codes)
        expect_equal(codes[-1], 421)


@test
def loops_are_detected(server):
    received = "".join(f"Received: from h{n}.example by h{n + 1}.example; Mon, 23 Nov 2026 12:00:00 +0000\r\n" for n in range(120))
    with server.smtp_client() as s:
        code, text = s.deliver("l@client.example", server.address, received.encode() + messages.short("loop"))
        expect_equal((code, text.split()[0]), (554, "5.4.6"))
    expect_equal(with_subject(server, "loop"), [])
    few = "".join(received.splitlines(True)[:20]).encode() + messages.short("noloop")
    server.deliver(few)
    stored_once(server, few)


@test
def order_of_commands(server):
    with server.smtp_client(hello=None) as s:
        expect_equal(s.command("MAIL FROM:<x@client.example>")[0], 503, "MAIL before EHLO")
        s.command("EHLO client.example")
        expect_equal(s.command("RCPT TO:<alice@example.test>")[0], 503)
        expect_equal(s.command("DATA")[0], 503)
        s.command("MAIL FROM:<x@client.example>")
        expect_equal(s.command("MAIL FROM:<y@client.example>")[0], 503, "MAIL twice")
        s.command("EHLO client.example")
        expect_equal(s.command("RCPT TO:<alice@example.test>")[0], 503, "EHLO ends the transaction")
        expect(s.command("EHLO")[0] in (501, 500), "EHLO without a name")
        expect(s.command("AUTH PLAIN AGEAYg==")[0] in (502, 503, 500, 504), "AUTH")


@test
def nobody_is_stored_without_the_dot(server):
    with server.smtp_client() as s:
        s.envelope("h@client.example", server.address)
        s.command("DATA")
        s.send(messages.short("halfway"))
    with server.smtp_client() as s:
        s.envelope("h@client.example", server.address)
        s.send(b"BDAT 500 LAST\r\n" + messages.short("halfway"))
    time.sleep(0.3)
    expect_equal(with_subject(server, "halfway"), [])


@test
def python_smtplib(server):
    with smtplib.SMTP("127.0.0.1", server.smtp, timeout=20) as s:
        s.starttls(context=wire.tls_context())
        s.sendmail("py@client.example", [server.address, BOB], messages.short("smtplib"), ["BODY=8BITMIME"])
        try:
            s.sendmail("py@client.example", ["nobody@example.test"], b"x\r\n")
            raise AssertionError("an unknown recipient was taken")
        except smtplib.SMTPRecipientsRefused as e:
            expect_equal(e.recipients["nobody@example.test"][0], 550)
    expect_equal((len(with_subject(server, "smtplib")), len(with_subject(server, "smtplib", BOB))), (1, 1))


@test
def many_connections_are_limited_not_fatal(server):
    held, refused = [], 0
    try:
        for _ in range(150):
            s = socket.create_connection(("127.0.0.1", server.smtp), 10)
            s.settimeout(10)
            held.append(s)
        for s in held:
            try:
                line = s.recv(200)
            except ConnectionResetError:
                line = b""
            refused += not line.startswith(b"220")
        expect(refused > 0, "no limit of connections for one network within 150")
    finally:
        for s in held:
            s.close()

    def free_again():
        try:
            with server.smtp_client() as s:
                return s.greeting[0] == 220
        except (OSError, wire.Ended, AssertionError):
            return False

    wait_until(free_again, 20, "a connection after the flood")
    return f"{refused} of 150 refused"


if __name__ == "__main__":
    run_tests(make_server)
