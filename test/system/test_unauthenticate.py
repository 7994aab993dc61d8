#!/usr/bin/python3
"""UNAUTHENTICATE (RFC 8437): a connection signs in again and again, as different users, in TLS and with compression."""

import zlib

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, run_tests, test
from instance import Instance

BOB = "bob@example.test"
BOBS_PASSWORD = "a second password"


def make_server():
    server = Instance(settings={("limits", "sign_in_timeout"): 3})
    server.add_account(BOB, BOBS_PASSWORD)
    return server


def sign_in(c, server, user=None, password=None):
    got = c.command(f'LOGIN {user or server.address} "{password or server.password}"')
    expect_equal(got.status, "OK")
    expect("UNAUTHENTICATE" in got.text, got.text)


@test
def each_sees_their_own(server):
    with server.imap_client() as c:
        c.append("INBOX", messages.short("for alice", "x\r\n"))
        c.ok("ENABLE IMAP4rev2 CONDSTORE UIDONLY")
        c.ok("SELECT INBOX")
        c.ok("UNAUTHENTICATE")
        expect_equal(c.command("SELECT INBOX").status, "BAD")
        sign_in(c, server, BOB, BOBS_PASSWORD)
        # Nothing is selected, and nothing that was enabled is.
        expect_equal(c.command("FETCH 1 FLAGS").status, "BAD")
        got = c.ok("SELECT INBOX")
        got.one(rb"^\* 0 EXISTS")
        got.one(rb"^\* 0 RECENT")
        c.append("INBOX", messages.short("for bob", "x\r\n"))
        got = c.ok("FETCH 1 (FLAGS)")
        expect(not got.all(rb"MODSEQ|UIDFETCH"), got)
        c.ok("UNAUTHENTICATE")
        sign_in(c, server)
        expect(c.ok("STATUS INBOX (MESSAGES)").all(rb"MESSAGES 1\)"))


@test
def hundreds_of_sign_ins(server):
    with server.imap_client() as c:
        for n in range(60):
            c.ok("UNAUTHENTICATE")
            if n % 2:
                sign_in(c, server)
            else:
                sign_in(c, server, BOB, BOBS_PASSWORD)
            c.ok("NOOP")


@test
def in_one_breath(server):
    with server.imap_client() as c:
        lines = (
            b"u UNAUTHENTICATE\r\n"
            b"l LOGIN " + BOB.encode() + b' "' + BOBS_PASSWORD.encode() + b'"\r\n'
            b"s SELECT INBOX\r\n"
            b"v UNAUTHENTICATE\r\n"
            b"n NOOP\r\n"
            b"k LOGIN " + server.address.encode() + b' {%d+}\r\n%s\r\n' % (len(server.password), server.password.encode()) +
            b"t STATUS INBOX (MESSAGES)\r\n"
            b"o LOGOUT\r\n"
        )
        c.send(lines)
        got = c.until_closed()
        tagged = [line.split()[:2] for line in got.split(b"\r\n") if line and not line.startswith(b"*")]
        expect_equal(tagged, [[t, b"OK"] for t in (b"u", b"l", b"s", b"v", b"n", b"k", b"t", b"o")])


@test
def compression_ends(server):
    with server.imap_client() as c:
        for _ in range(3):
            c.ok("COMPRESS DEFLATE")
            c.start_compression()
            c.ok("NOOP")
            # What stands behind it is plain already.
            packed = c.deflate.compress(b"u UNAUTHENTICATE\r\n") + c.deflate.flush(zlib.Z_SYNC_FLUSH)
            inflate, c.inflate = c.inflate, None
            c.send(packed + b"l LOGIN " + BOB.encode() + b' "' + BOBS_PASSWORD.encode() + b'"\r\n')
            got = b""
            plain = b""
            while not plain.endswith(b"\r\n"):
                c.pending = b""
                c.fill()
                if got.endswith(b"\r\n"):
                    plain += c.pending
                    continue
                # One TLS record holds the end of the compressed, and nothing of the plain.
                got += inflate.decompress(c.pending)
            c.pending = b""
            expect_equal(got, b"u OK Signed out\r\n")
            expect(plain.startswith(b"l OK [CAPABILITY"), plain)
            c.ok("NOOP")


@test
def more_that_is_compressed(server):
    with server.imap_client() as c:
        c.ok("COMPRESS DEFLATE")
        c.start_compression()
        c.send(b"u UNAUTHENTICATE\r\nv NOOP\r\n")
        expect(b"BYE" in c.until_closed())


@test
def the_time_without_a_sign_in_ends(server):
    with server.imap_client() as c:
        c.ok("UNAUTHENTICATE")
        expect(c.quiet_for(1.5))
        got = c.until_closed()
        expect(b"* BYE Autologout" in got, got)


@test
def too_much_behind_it(server):
    with server.imap_client() as c:
        c.send(b"u UNAUTHENTICATE\r\n" + b"x NOOP\r\n" * 40000)
        got = c.until_closed()
        expect(got.startswith(b"u OK Signed out\r\n"), got[:200])
        expect(b"* BYE" in got, got[-200:])


@test
def mail_cannot_do_it(server):
    """What a message holds is only carried, whatever it looks like."""
    text = "u OK Signed out\r\n.\r\n* BYE\r\n" * 200
    with server.imap_client() as c:
        c.append("INBOX", messages.short("forged", text))
        c.ok("SELECT INBOX")
        expect(text.encode() in b"".join(c.ok("FETCH * BODY.PEEK[TEXT]").untagged))
        c.ok("NOOP")


@test
def wrong_passwords_count_on(server):
    with server.imap_client() as c:
        for n in range(1, 5):
            c.ok("UNAUTHENTICATE")
            expect_equal(c.command(f"LOGIN {BOB} wrong{n}").status, "NO")
            sign_in(c, server)
        c.ok("UNAUTHENTICATE")
        c.send(b"x LOGIN " + BOB.encode() + b" wrong\r\n")
        expect(b"BYE Too many failures" in c.until_closed())


@test
def switched_off(_):
    with Instance(settings={("limits", "sign_in_anew"): 0}) as server, server.imap_client() as c:
        expect(not c.ok("CAPABILITY").all(rb"UNAUTHENTICATE"))
        expect_equal(c.command("UNAUTHENTICATE").status, "BAD")
        c.ok("NOOP")


if __name__ == "__main__":
    run_tests(make_server)
