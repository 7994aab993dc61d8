#!/usr/bin/python3
"""COMPRESS=DEFLATE (RFC 4978), spoken by Python's zlib: in TLS from the start and after STARTTLS."""

import imaplib
import re
import ssl
import zlib

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, run_tests, test
from instance import Instance


def make_server():
    return Instance()


def compressed(server, **how):
    c = server.imap_client(**how)
    c.ok("COMPRESS DEFLATE")
    c.start_compression()
    return c


@test
def everything_goes_through(server):
    with compressed(server) as c:
        c.ok("CREATE Packed")
        c.ok("SELECT Packed")
        text = "".join(f"line {n} of a text that shrinks well\r\n" for n in range(20000))
        c.append("Packed", messages.short("large", text))
        c.append("Packed", messages.short("small", "x\r\n"))
        got = c.ok("FETCH 1:2 (UID BODY.PEEK[TEXT])").untagged
        expect(text.encode() in b"".join(got), len(got))
        expect_equal(c.command("COMPRESS DEFLATE").status, "NO")
        expect("COMPRESSIONACTIVE" in c.command("COMPRESS DEFLATE").text)
        expect_equal(c.command("COMPRESS LZW").status, "NO")


@test
def commands_sent_behind_compress_count(server):
    c = server.imap_client()
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = deflate.compress(b"p1 NOOP\r\np2 STATUS INBOX (MESSAGES)\r\n") + deflate.flush(zlib.Z_SYNC_FLUSH)
    c.send(b"p0 COMPRESS DEFLATE\r\n" + packed)
    expect(c.response().startswith(b"p0 OK"))
    c.start_compression()
    c.deflate = deflate
    expect(c.response().startswith(b"p1 OK"))
    expect(c.response().startswith(b"* STATUS INBOX"))
    expect(c.response().startswith(b"p2 OK"))
    c.ok("NOOP")
    c.close()


@test
def idle_tells_at_once(server):
    with compressed(server) as c, server.imap_client() as other:
        c.ok("CREATE Idle")
        c.ok("SELECT Idle")
        tag = c.start("IDLE")
        expect(c.response().startswith(b"+"))
        other.append("Idle", messages.short("news", "x\r\n"))
        got = c.response()
        expect(re.match(rb"\* 1 EXISTS", got), got)
        expect(c.response().startswith(b"* 1 RECENT"))
        # Quiet for so long that memory is given back, then on.
        expect(c.quiet_for(2.5))
        c.send(b"DONE\r\n")
        c.finish(tag)
        c.ok("NOOP")


@test
def after_starttls(server):
    with wire.Imap(server.imap, tls=False) as c:
        c.ok("STARTTLS")
        c.start_tls()
        c.ok(f'LOGIN {server.address} "{server.password}"')
        c.ok("COMPRESS DEFLATE")
        c.start_compression()
        expect(b"".join(c.ok("CAPABILITY").untagged).find(b"COMPRESS=DEFLATE") > 0)


@test
def limits_hold_for_what_comes_out(server):
    with compressed(server) as c:
        c.send(b"z1 NOOP " + b"x" * 3_000_000 + b"\r\n")
        expect_equal(c.response(), b"z1 BAD line too long")
        c.send(b"z2 APPEND INBOX {900000000000}\r\n")
        expect(c.response().startswith(b"z2 NO [TOOBIG]"))
        c.ok("NOOP")


@test
def nonsense_ends_the_connection(server):
    c = compressed(server)
    c.socket.sendall(b"\x07 this is not deflate")
    expect(b"BYE" in c.until_closed())


@test
def imaplib_with_zlib(server):
    """The library of Python, which knows nothing of compression, over a file that does."""

    class Packed(imaplib.IMAP4_SSL):
        def begin(self):
            typ, data = self.xatom("COMPRESS", "DEFLATE")
            expect_equal(typ, "OK")
            self.deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            self.inflate = zlib.decompressobj(-15)
            self.unpacked = b""

        def more(self):
            self.unpacked += self.inflate.decompress(self.sock.recv(4096))

        def read(self, size):
            if not hasattr(self, "inflate"):
                return super().read(size)
            while len(self.unpacked) < size:
                self.more()
            got, self.unpacked = self.unpacked[:size], self.unpacked[size:]
            return got

        def readline(self):
            if not hasattr(self, "inflate"):
                return super().readline()
            while b"\n" not in self.unpacked:
                self.more()
            at = self.unpacked.index(b"\n") + 1
            return self.read(at)

        def send(self, data):
            if hasattr(self, "deflate"):
                data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
            super().send(data)

    imaplib.Commands["COMPRESS"] = ("AUTH", "SELECTED")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    c = Packed("127.0.0.1", server.imaps, ssl_context=context)
    c.login(server.address, server.password)
    c.begin()
    expect_equal(c.create("Library")[0], "OK")
    expect_equal(c.append("Library", None, None, messages.short("library", "text\r\n"))[0], "OK")
    expect_equal(c.select("Library"), ("OK", [b"1"]))
    typ, data = c.fetch("1", "(BODY.PEEK[])")
    expect(typ == "OK" and b"text\r\n" in data[0][1], data)
    c.logout()


if __name__ == "__main__":
    run_tests(make_server)
