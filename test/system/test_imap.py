#!/usr/bin/python3
"""IMAP: signing in, every command, several clients of one account at once."""

import base64
import imaplib
import re
import statistics
import time

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, run_tests, test
from instance import Instance

BOB = "bob@example.test"
CAPABILITIES = """IMAP4REV1 IMAP4REV2 LITERAL+ IDLE UIDPLUS MOVE ENABLE NAMESPACE ID SASL-IR UNSELECT ESEARCH SEARCHRES
    LIST-EXTENDED LIST-STATUS SPECIAL-USE STATUS=SIZE BINARY CHILDREN MULTIAPPEND""".split()


def make_server():
    server = Instance()
    server.add_account(BOB)
    return server


def fresh(server, name, *bodies):
    """A connection with the new mailbox `name` selected, holding one message per body."""
    c = server.imap_client()
    c.command(f"DELETE {name}")
    c.ok(f"CREATE {name}")
    for n, body in enumerate(bodies):
        c.append(name, messages.short(f"{name}{n}", body + "\r\n"))
    c.ok(f"SELECT {name}")
    return c


def search(c, words):
    return [int(n) for n in c.ok(f"SEARCH {words}").one(rb"^\* SEARCH ?(.*)").group(1).split()]


def flags_of(c, n):
    found = c.ok(f"FETCH {n} FLAGS").all(rb"^\* \d+ FETCH \(.*FLAGS \(([^)]*)\)")
    return set(found[-1].group(1).decode().split()) - {"\\Recent"}


@test
def no_sign_in_without_tls(server):
    with wire.Imap(server.imap, tls=False) as c:
        expect(c.greeting.startswith(b"* OK"), c.greeting)
        words = c.ok("CAPABILITY").one(rb"^\* CAPABILITY (.*)").group(1).decode().upper().split()
        expect("LOGINDISABLED" in words and "STARTTLS" in words, words)
        expect(not any(w.startswith("AUTH=") for w in words), words)
        expect_equal(c.command(f"LOGIN {server.address} {{3+}}\r\nabc").status, "NO")
        token = base64.b64encode(f"\0{server.address}\0{server.password}".encode()).decode()
        expect(c.command(f"AUTHENTICATE PLAIN {token}").status in ("NO", "BAD"))
        expect(c.command("SELECT INBOX").status in ("BAD", "NO"))
        c.ok("STARTTLS")
        c.start_tls()
        words = c.ok("CAPABILITY").one(rb"^\* CAPABILITY (.*)").group(1).decode().upper().split()
        expect("LOGINDISABLED" not in words and "STARTTLS" not in words and "AUTH=PLAIN" in words, words)
        expect_equal(c.command("STARTTLS").status, "BAD")
        c.sign_in(server.address, server.password)
        c.ok("SELECT INBOX")


@test
def starttls_injection_is_discarded(server):
    with wire.Imap(server.imap, tls=False) as c:
        c.send(b"a STARTTLS\r\nb CAPABILITY\r\n")
        try:
            if c.response().startswith(b"a OK"):
                c.pending = b""
                c.start_tls()
                expect(c.quiet_for(0.5), "an answer to what was sent before TLS:", c.pending)
                c.ok("NOOP")
        except wire.Ended:
            pass


@test
def wrong_passwords(server):
    with wire.Imap(server.imaps) as c:
        expect_equal(c.command(f'LOGIN {BOB} "wrong"').status, "NO")
        reply = c.command('LOGIN nobody@example.test "wrong"')
        expect_equal(reply.status, "NO")
        expect("AUTHENTICATIONFAILED" in reply.text, reply.text)
        expect_equal(c.command("AUTHENTICATE PLAIN !!!").status in ("BAD", "NO"), True)
        expect_equal(c.command("AUTHENTICATE UNKNOWN").status, "NO")
        c.send(b"x AUTHENTICATE PLAIN\r\n")
        expect(c.response().startswith(b"+"))
        c.send(b"*\r\n")
        expect(c.response().startswith(b"x BAD"))
        c.send(b"y AUTHENTICATE PLAIN\r\n")
        c.response()
        c.send(base64.b64encode(f"\0{BOB}\0{server.passwords[BOB]}".encode()) + b"\r\n")
        while (line := c.response()).startswith(b"*"):
            pass
        expect(line.startswith(b"y OK"), line)


@test
def ways_to_sign_in(server):
    for user in (server.address, server.address.upper(), "alice"):
        with wire.Imap(server.imaps) as c:
            c.ok(f'LOGIN {user} "{server.password}"')
            c.ok("SELECT INBOX")
    with wire.Imap(server.imaps) as c:
        c.ok("LOGIN ", server.address.encode(), " ", server.password.encode())
        expect_equal(c.command("LOGIN a b").status, "BAD")


@test
def announces_what_it_must(server):
    with server.imap_client() as c:
        words = c.ok("CAPABILITY").one(rb"^\* CAPABILITY (.*)").group(1).decode().upper().split()
        for w in CAPABILITIES:
            expect(w in words, w, "is not announced:", words)
        expect(any(w.startswith("APPENDLIMIT=") for w in words), words)
        expect(c.ok("NAMESPACE").one(rb'^\* NAMESPACE \(\(""') is not None)
        c.ok('ID ("name" "test")').one(rb"^\* ID \(")
        c.ok("ID NIL").one(rb"^\* ID ")
        c.ok("ENABLE IMAP4rev2 UNKNOWN").one(rb"^\* ENABLED( IMAP4rev2)$")
        c.ok("NOOP")
        expect(c.command("LOGOUT").one(rb"^\* BYE") is not None)
        expect_equal(c.until_closed(), b"")


@test
def mailboxes(server):
    with server.imap_client() as c:
        for name in ("Work", "Work/2026", "Work/2026/Q1", '"With Space"', '"Entw&APw-rfe"'):
            c.ok(f"CREATE {name}")
        expect_equal(c.command("CREATE Work").status, "NO")
        expect_equal(c.command("CREATE inbox").status, "NO")
        names = [m.group(1) for m in c.ok('LIST "" "Work*"').all(rb'^\* LIST \([^)]*\) "/" "?([^"]*)"?$')]
        expect_equal(sorted(names), [b"Work", b"Work/2026", b"Work/2026/Q1"])
        names = [m.group(1) for m in c.ok('LIST "" "Work/%"').all(rb'^\* LIST \([^)]*\) "/" "?([^"]*)"?$')]
        expect_equal(names, [b"Work/2026"])
        c.ok("RENAME Work Done")
        names = [m.group(1) for m in c.ok('LIST "" "Done*"').all(rb'"/" "?([^"]*)"?$')]
        expect_equal(sorted(names), [b"Done", b"Done/2026", b"Done/2026/Q1"])
        expect_equal(c.command("DELETE Done/2026/Q2").status, "NO")
        c.ok("DELETE Done/2026/Q1")
        c.ok("SUBSCRIBE Done/2026")
        c.ok('LSUB "" *').one(rb'^\* LSUB \([^)]*\) "/" "?Done/2026"?$')
        c.ok('LIST (SUBSCRIBED) "" *').one(rb"Done/2026")
        c.ok("UNSUBSCRIBE Done/2026")
        expect_equal(len(c.ok('LSUB "" *').all(rb"Done/2026")), 0)
        special = c.ok('LIST (SPECIAL-USE) "" *')
        for use in (b"Sent", b"Trash", b"Drafts", b"Junk"):
            expect(any(b"\\" + use in u for u in special.untagged), use, special)
        c.ok('LIST "" "Done*" RETURN (STATUS (MESSAGES UIDNEXT))').one(rb'^\* STATUS "?Done"? \(')
        status = c.ok("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE)").one(rb"^\* STATUS \"?INBOX\"? \((.*)\)")
        expect_equal(len(status.group(1).split()), 10)
        expect_equal(c.command("DELETE INBOX").status, "NO")


@test
def names_of_every_kind(server):
    names = ["Ä Ö", "日本/語", "a&b", "quote\"d", "back\\slash", "tab.dot", "x" * 200, "ﬁ ligature", "~home", "#news"]
    with server.imap_client() as c:
        c.ok("ENABLE IMAP4rev2")
        for name in names:
            reply = c.command("CREATE ", name.encode())
            expect(reply.status == "OK", name, reply)
            reply = c.command("APPEND ", name.encode(), " ", messages.short("inthere"))
            expect(reply.status == "OK", name, reply)
            got = c.ok("STATUS ", name.encode(), " (MESSAGES)").one(rb"MESSAGES (\d+)").group(1)
            expect_equal(got, b"1", name)
            reply = c.command("DELETE ", name.encode())
            expect(reply.status == "OK", name, reply)
        for bad in (b"", b"a//b", b"nul\x01", b"\xff\xfe", b"x" * 5000):
            expect(c.command("CREATE ", bad).status in ("NO", "BAD"), bad)


@test
def append_and_fetch_back(server):
    with fresh(server, "appended") as c:
        for n in range(40):
            m = messages.message(n, 5)
            reply = c.append("appended", m, flags="\\Seen $Tag", date=" 5-Mar-2024 10:11:12 +0100")
            code = re.search(r"\[APPENDUID (\d+) (\d+)\]", reply.text)
            expect(code is not None, reply)
            expect_equal(c.fetch_message(code.group(2), uid=True), m)
        m = c.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)").one(rb"FETCH \((.*)\)").group(1)
        expect(re.search(rb'INTERNALDATE "[ 0]5-Mar-2024 (10:11:12 \+0100|09:11:12 \+0000)"', m), m)
        expect(b"RFC822.SIZE %d" % len(messages.message(0, 5)) in m, m)
        expect_equal(flags_of(c, 1), {"\\Seen", "$Tag"})
        expect("TRYCREATE" in c.command("APPEND nosuchbox ", messages.short()).text)


@test
def literals_of_every_kind(server):
    m = messages.short("literal")
    with fresh(server, "literals") as c:
        c.send(b"a APPEND literals {%d+}\r\n" % len(m) + m + b"\r\n")
        expect_equal(c.finish(b"a").status, "OK")
        two = messages.short("second")
        expect_equal(c.command("APPEND literals ", m, " (\\Seen) ", two).status, "OK", "MULTIAPPEND")
        expect_equal(c.exists() or 3, 3)
        reply = c.command("APPEND literals {99999999999}")
        expect(reply.status in ("NO", "BAD"), reply)
        reply = c.command("APPEND literals {4000000000}")
        expect(reply.status in ("NO", "BAD"), reply)
        expect_equal(search(c, "ALL"), [1, 2, 3])
    with fresh(server, "literals2") as c:
        binary = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\r\n"
        c.send(b"b APPEND literals2 ~{%d+}\r\n" % len(binary) + binary + b"\r\n")
        expect_equal(c.finish(b"b").status, "OK", "literal8")
        c.send(b"c APPEND literals2 {%d+}\r\n" % len(binary) + binary + b"\r\n")
        expect(c.finish(b"c").status in ("NO", "BAD"), "NUL in a literal")


@test
def flags_and_expunge(server):
    with fresh(server, "flags", *"abcdef") as c:
        expect_equal(flags_of(c, 1), set())
        c.ok("STORE 1 +FLAGS (\\Seen \\Flagged $Label)").one(rb"^\* 1 FETCH \(.*FLAGS")
        expect_equal(flags_of(c, 1), {"\\Seen", "\\Flagged", "$Label"})
        c.ok("STORE 1 -FLAGS (\\Seen)")
        expect_equal(flags_of(c, 1), {"\\Flagged", "$Label"})
        c.ok("STORE 1 FLAGS (\\Answered)")
        expect_equal(flags_of(c, 1), {"\\Answered"})
        expect_equal(c.ok("STORE 2:3 +FLAGS.SILENT (\\Deleted)").all(rb"FETCH \(.*FLAGS"), [])
        expect(c.command("STORE 1 +FLAGS (\\Recent)").status in ("BAD", "NO"), "\\Recent stored")
        reply = c.ok("EXPUNGE")
        expect(reply.untagged[:2] in ([b"* 2 EXPUNGE", b"* 2 EXPUNGE"], [b"* 3 EXPUNGE", b"* 2 EXPUNGE"]), reply)
        uid = c.ok("FETCH 2 UID").one(rb"UID (\d+)").group(1).decode()
        c.ok("STORE 2:4 +FLAGS.SILENT (\\Deleted)")
        expect_equal(c.ok(f"UID EXPUNGE {uid}").all(rb"EXPUNGE")[0].string, b"* 2 EXPUNGE")
        c.ok("UNSELECT")
        expect("MESSAGES 3" in str(c.ok("STATUS flags (MESSAGES)").untagged))
        c.ok("SELECT flags")
        c.ok("CLOSE")
        expect("MESSAGES 1" in str(c.ok("STATUS flags (MESSAGES)").untagged))
        c.ok("EXAMINE flags")
        expect_equal(c.command("STORE 1 +FLAGS (\\Seen)").status, "NO")
        expect_equal(c.command("EXPUNGE").status, "NO")


@test
def copy_and_move(server):
    with fresh(server, "source", "one", "two", "three") as c:
        c.command("DELETE target")
        c.ok("CREATE target")
        c.ok("STORE 2 +FLAGS (\\Flagged)")
        original = c.fetch_message(2)
        m = re.search(r"\[COPYUID \d+ (\S+) (\S+)\]", c.ok("COPY 2:3 target").text)
        expect_equal(m.groups(), ("2:3", "1:2"))
        reply = c.ok("MOVE 1 target")
        expect("COPYUID" in str(reply.untagged) and b"* 1 EXPUNGE" in reply.untagged, reply)
        expect("TRYCREATE" in c.command("COPY 1 nosuchbox").text)
        expect("TRYCREATE" in c.command("MOVE 1 nosuchbox").text)
        c.ok("SELECT target")
        expect_equal(search(c, "ALL"), [1, 2, 3])
        expect_equal(c.fetch_message(1), original)
        expect_equal(flags_of(c, 1), {"\\Flagged"})
        c.ok("UID MOVE 1:* source")
        expect_equal(search(c, "ALL"), [])


@test
def fetch_parts(server):
    text = (b"From: Joe <joe@x.example>\r\nTo: a@b.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=XX\r\n\r\npre\r\n--XX\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8gd29ybGQ=\r\n--XX\r\nContent-Type: message/rfc822\r\n\r\n"
            b"Subject: inner\r\n\r\ninner body\r\n--XX--\r\npost\r\n")
    with fresh(server, "parts") as c:
        c.append("parts", text)
        c.ok("NOOP")

        def part(item, name=None):
            m = c.ok(f"FETCH 1 {item}").one(re.escape((name or item).encode()) + rb" (?:~?\{(\d+)\}\r\n|\"([^\"]*)\")")
            return m.group(2) if m.group(1) is None else m.string[m.end() : m.end() + int(m.group(1))]

        expect_equal(part("BODY.PEEK[1]", "BODY[1]"), b"aGVsbG8gd29ybGQ=")
        expect_equal(part("BINARY.PEEK[1]", "BINARY[1]"), b"hello world")
        expect_equal(c.ok("FETCH 1 BINARY.SIZE[1]").one(rb"BINARY.SIZE\[1\] (\d+)").group(1), b"11")
        expect_equal(part("BODY.PEEK[2.TEXT]", "BODY[2.TEXT]"), b"inner body")
        expect_equal(part("BODY.PEEK[2.HEADER]", "BODY[2.HEADER]"), b"Subject: inner\r\n\r\n")
        expect_equal(part("BODY.PEEK[1.MIME]", "BODY[1.MIME]").count(b"\r\n"), 3)
        expect_equal(part("BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "BODY[HEADER.FIELDS (SUBJECT)]"),
                     b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n")
        expect_equal(part("BODY.PEEK[]<5.7>", "BODY[]<5>"), text[5:12])
        expect_equal(part("BODY.PEEK[]<100000.7>", "BODY[]<100000>"), b"")
        envelope = c.ok("FETCH 1 ENVELOPE").one(rb"ENVELOPE \((.*)\)").group(1)
        expect(b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=" in envelope and b'("Joe" NIL "joe" "x.example")' in envelope, envelope)
        structure = c.ok("FETCH 1 BODYSTRUCTURE").one(rb"BODYSTRUCTURE (.*)").group(1).lower()
        expect(b'"text" "plain"' in structure and b'"message" "rfc822"' in structure and b'"mixed"' in structure, structure)
        expect_equal(flags_of(c, 1), set())
        part("BODY[1]")
        expect_equal(flags_of(c, 1), {"\\Seen"})
        for macro in ("ALL", "FAST", "FULL"):
            c.ok(f"FETCH 1 {macro}").one(rb"RFC822.SIZE")


@test
def search_in_many_ways(server):
    with fresh(server, "find", "apples and pears", "oranges", "apples") as c:
        c.append("find", "From: Ärger <a@b.example>\r\nDate: Fri, 5 Dec 2025 10:00:00 +0100\r\nSubject: Überraschung\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nStraße\r\n".encode())
        c.ok("STORE 2 +FLAGS (\\Seen $Blue)")
        for words, want in (("BODY apples", [1, 3]), ("TEXT oranges", [2]), ("SUBJECT find1", [2]), ("SEEN", [2]), ("UNSEEN", [1, 3, 4]),
                            ("KEYWORD $Blue", [2]), ("NOT BODY apples", [2, 4]), ("OR SEEN BODY pears", [1, 2]), ("1:2 UNSEEN", [1]),
                            ("LARGER 100000", []), ("SMALLER 100000", [1, 2, 3, 4]), ("FROM sender@client", [1, 2, 3]),
                            ("HEADER Message-ID find2", [3]), ("SENTSINCE 1-Jan-2026", [1, 2, 3]), ("(SEEN 1:*)", [2]), ("UID 1:2", [1, 2]),
                            ("BODY APPLES", [1, 3]), ("ALL", [1, 2, 3, 4]), ("DELETED", [])):
            expect_equal(search(c, words), want, words)
        for words, want in ((("SEARCH CHARSET UTF-8 SUBJECT ", "überraschung".encode()), b"4"), (("SEARCH CHARSET UTF-8 BODY ", "straße".encode()), b"4")):
            expect_equal(c.ok(*words).one(rb"^\* SEARCH ?(.*)").group(1), want, words)
        expect("BADCHARSET" in c.command("SEARCH CHARSET X-NONE SUBJECT a").text)
        m = c.ok("SEARCH RETURN (MIN MAX COUNT ALL) BODY apples").one(rb"^\* ESEARCH \(TAG \"?\w+\"?\) (.*)").group(1)
        expect(b"MIN 1" in m and b"MAX 3" in m and b"COUNT 2" in m and b"ALL 1,3" in m, m)
        c.ok("SEARCH RETURN (SAVE) BODY apples")
        expect_equal(len(c.ok("FETCH $ UID").all(rb"FETCH \(UID")), 2)


@test
def malformed_commands(server):
    c = server.imap_client(select="INBOX")
    with c:
        for line in ("NONSENSE", "FETCH", "FETCH 0 UID", "FETCH 1 (", "FETCH 1 BODY[", "STORE 1 FLAGS", "SEARCH", "SEARCH KEYWORD", "LIST", "APPEND",
                     "FETCH 1:", "FETCH a UID", "FETCH 99999999999 UID", "UID", "UID NOOP", "SELECT", "STATUS INBOX", "STATUS INBOX ()", 'LIST "" "', "COPY 1",
                     "SEARCH SINCE 32-Foo-2026", "FETCH 1 BODY[0]", "SEARCH " + "(" * 300, "ENABLE", "SEARCH " + "NOT " * 2000 + "ALL"):
            try:
                reply = c.command(line)
            except wire.Ended:  # too many in one connection
                c = server.imap_client(select="INBOX")
                reply = c.command(line)
            expect_equal(reply.status, "BAD", line[:60])
    with server.imap_client() as c:
        c.send(b"\r\n")
        expect(c.response().startswith(b"* BAD"))
        c.send(b"tag\r\n")
        expect(b" BAD" in c.response())
        c.ok("NOOP")


@test
def lines_without_end(server):
    with server.imap_client() as c:
        try:
            c.send(b"a NOOP " + b"x" * 3_000_000)
            c.send(b"\r\n")
            got = c.response()
            expect(b" BAD" in got or b"BYE" in got, got[:200])
        except (wire.Ended, OSError):
            pass
    with server.imap_client() as c:
        c.ok("NOOP")


@test
def two_clients_see_each_other(server):
    with fresh(server, "shared", "a", "b", "c") as one, server.imap_client(select="shared") as two:
        one.ok("STORE 1 +FLAGS (\\Flagged)")
        two.ok("NOOP").one(rb"^\* 1 FETCH \(.*\\Flagged")
        one.append("shared", messages.short("new"))
        two.ok("NOOP").one(rb"^\* 4 EXISTS")
        one.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        one.ok("EXPUNGE")
        reply = two.command("FETCH 3 (UID)")
        expect(not reply.all(rb"EXPUNGE"), "EXPUNGE during FETCH", reply)
        two.ok("NOOP").one(rb"^\* 2 EXPUNGE")
        two.ok("STORE 1 +FLAGS (\\Seen)")
        expect_equal(flags_of(one, 1), {"\\Flagged", "\\Seen"})
        two.ok("RENAME shared renamed")
        two.ok("DELETE renamed")


@test
def idle_hears_at_once(server):
    with server.imap_client(select="INBOX") as idler, server.smtp_client() as s:
        delays = []
        for n in range(20):
            tag = idler.start("IDLE")
            expect(idler.response().startswith(b"+"))
            s.envelope("i@client.example", server.address)
            s.command("DATA")
            s.send(messages.short(f"idle{n}") + b".\r\n")
            s.socket.settimeout(20)
            expect_equal(s.reply()[0], 250)
            start = time.monotonic()
            while not re.match(rb"\* \d+ EXISTS", idler.response()):
                pass
            delays.append(time.monotonic() - start)
            idler.send(b"DONE\r\n")
            idler.finish(tag)
        expect(max(delays) < 1, delays)
    return f"EXISTS after 250: median {statistics.median(delays) * 1000:.1f} ms, worst {max(delays) * 1000:.1f} ms"


@test
def idle_hears_of_flags_and_expunges(server):
    with fresh(server, "idling", "a", "b") as one, server.imap_client(select="idling") as two:
        tag = two.start("IDLE")
        two.response()
        one.ok("STORE 1 +FLAGS (\\Flagged)")
        expect(re.match(rb"\* 1 FETCH \(.*\\Flagged", two.response()))
        one.ok("STORE 1 +FLAGS (\\Deleted)")
        two.response()
        one.ok("EXPUNGE")
        expect_equal(two.response(), b"* 1 EXPUNGE")
        two.send(b"DONE\r\n")
        two.finish(tag)


@test
def many_clients_at_once(server):
    clients = [server.imap_client(select="INBOX") for _ in range(20)]
    try:
        before = len(search(clients[0], "ALL"))
        for n, c in enumerate(clients):
            c.append("INBOX", messages.short(f"crowd{n}"))
        for c in clients:
            c.ok("NOOP")
            expect_equal(len(search(c, "ALL")), before + len(clients))
        uids = [c.ok("UID SEARCH ALL").one(rb"SEARCH (.*)").group(1) for c in clients]
        expect_equal(len(set(uids)), 1, "different UIDs")
    finally:
        for c in clients:
            c.close()


@test
def accounts_are_apart(server):
    server.deliver(messages.short("forbob"), BOB)
    with server.imap_client(BOB, select="INBOX") as c:
        expect_equal(len(search(c, "SUBJECT forbob")), 1)
        expect_equal(c.ok('LIST "" shared*').untagged, [])
    with server.imap_client(select="INBOX") as c:
        expect_equal(search(c, "SUBJECT forbob"), [])
    with wire.Imap(server.imaps) as c:
        expect_equal(c.command(f'LOGIN {BOB} "{server.password}"').status, "NO", "bob with alice's password")


@test
def python_imaplib(server):
    m = imaplib.IMAP4("127.0.0.1", server.imap)
    m.starttls(wire.tls_context())
    m.login(server.address, server.password)
    expect_equal(m.create("lib")[0], "OK")
    expect_equal(m.append("lib", "(\\Seen)", imaplib.Time2Internaldate(1700000000), messages.short("imaplib"))[0], "OK")
    expect_equal(m.select("lib"), ("OK", [b"1"]))
    expect_equal(m.search(None, "ALL"), ("OK", [b"1"]))
    status, data = m.fetch("1", "(FLAGS RFC822)")
    expect_equal(data[0][1], messages.short("imaplib"))
    expect_equal(m.store("1", "+FLAGS", "\\Flagged")[0], "OK")
    expect_equal(m.copy("1", "INBOX")[0], "OK")
    expect_equal(m.uid("SEARCH", "FLAGGED")[0], "OK")
    expect_equal(m.check()[0], "OK")
    expect_equal(m.status("lib", "(MESSAGES)"), ("OK", [b"lib (MESSAGES 1)"]))
    expect_equal(m.namespace()[0], "OK")
    expect_equal(m.close()[0], "OK")
    expect_equal(m.rename("lib", "lib2")[0], "OK")
    expect_equal(m.subscribe("lib2")[0], "OK")
    expect_equal(m.unsubscribe("lib2")[0], "OK")
    expect_equal(m.delete("lib2")[0], "OK")
    expect_equal(m.logout()[0], "BYE")


if __name__ == "__main__":
    run_tests(make_server)
