"""Raw clients for SMTP and IMAP: they send exactly the bytes they are given and keep what comes back."""

import base64
import re
import socket
import ssl
import zlib

TIMEOUT = 20


def tls_context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Ended(Exception):
    """The server closed the connection."""


class Wire:
    def __init__(self, port, host="127.0.0.1", tls=False, timeout=TIMEOUT, source=None):
        self.socket = socket.create_connection((host, port), timeout, source_address=source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""
        self.deflate = self.inflate = None
        if tls:
            self.start_tls()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def start_tls(self):
        self.socket = tls_context().wrap_socket(self.socket, server_hostname="localhost")

    def start_compression(self):
        """From here on both ways are raw deflate (RFC 4978)."""
        self.deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.inflate = zlib.decompressobj(-15)
        self.pending = self.inflate.decompress(self.pending)

    def send(self, data):
        if self.inflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as e:
            raise Ended(str(e)) from e

    def fill(self):
        try:
            got = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLZeroReturnError, ssl.SSLEOFError) as e:
            raise Ended(str(e)) from e
        if not got:
            raise Ended("end of stream")
        self.pending += self.inflate.decompress(got) if self.inflate else got

    def line(self):
        """The next line with its line end."""
        while b"\n" not in self.pending:
            self.fill()
        line, nl, self.pending = self.pending.partition(b"\n")
        return line + nl

    def exactly(self, n):
        while len(self.pending) < n:
            self.fill()
        got, self.pending = self.pending[:n], self.pending[n:]
        return got

    def quiet_for(self, seconds):
        """True when nothing comes within `seconds`."""
        if self.pending:
            return False
        self.socket.settimeout(seconds)
        try:
            self.fill()
        except (TimeoutError, ssl.SSLWantReadError):
            return True
        except Ended:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)
        return False

    def until_closed(self):
        """Everything up to the end of the stream."""
        try:
            while True:
                self.fill()
        except (Ended, ssl.SSLError, OSError):
            got, self.pending = self.pending, b""
            return got


class Smtp(Wire):
    def __init__(self, port, hello="client.example", **how):
        super().__init__(port, **how)
        self.greeting = self.reply()
        self.extensions = []
        if hello:
            code, text = self.command(f"EHLO {hello}")
            assert code == 250, (code, text)
            self.extensions = text.split("\n")[1:]

    def reply(self):
        """(code, the lines' texts joined by newlines)"""
        texts = []
        while True:
            line = self.line()
            m = re.fullmatch(rb"(\d{3})([ -])(.*)\r\n", line)
            assert m, f"not a reply line: {line!r}"
            texts.append(m.group(3).decode("utf-8", "replace"))
            if m.group(2) == b" ":
                return int(m.group(1)), "\n".join(texts)

    def command(self, line):
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def secure(self, hello="client.example"):
        code, text = self.command("STARTTLS")
        assert code == 220, (code, text)
        self.start_tls()
        if hello:
            assert self.command(f"EHLO {hello}")[0] == 250

    def envelope(self, sender, *recipients, parameters=""):
        code, text = self.command(f"MAIL FROM:<{sender}>{parameters}")
        assert code == 250, (code, text)
        for r in recipients:
            code, text = self.command(f"RCPT TO:<{r}>")
            assert code == 250, (code, text)

    def data(self, message):
        """DATA with dot-stuffing; the final reply."""
        code, text = self.command("DATA")
        if code != 354:
            return code, text
        stuffed = re.sub(rb"(?m)^\.", b"..", message)
        self.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.reply()

    def deliver(self, sender, recipients, message, parameters=""):
        self.envelope(sender, *([recipients] if isinstance(recipients, str) else recipients), parameters=parameters)
        return self.data(message)


class Reply:
    """What one IMAP command brought: its untagged responses (literals inside) and its tagged line."""

    def __init__(self, untagged, status, text):
        self.untagged, self.status, self.text = untagged, status, text

    def __repr__(self):
        return f"{self.status} {self.text!r} {self.untagged!r}"

    def all(self, pattern):
        return [m for m in (re.search(pattern, u, re.DOTALL | re.IGNORECASE) for u in self.untagged) if m]

    def one(self, pattern):
        found = self.all(pattern)
        assert len(found) == 1, f"{len(found)} responses match {pattern!r}: {self!r}"
        return found[0]


class Imap(Wire):
    def __init__(self, port, tls=True, **how):
        super().__init__(port, tls=tls, **how)
        self.count = 0
        self.greeting = self.response()

    def response(self):
        """One response with its literals, without the last CRLF."""
        got = b""
        while True:
            line = self.line()
            got += line
            m = re.search(rb"~?\{(\d+)\}\r\n$", line)
            if not m:
                assert got.endswith(b"\r\n"), f"bare LF in {got!r}"
                return got[:-2]
            got += self.exactly(int(m.group(1)))

    def start(self, *parts):
        """Sends a command; a `bytes` part is sent as a synchronising literal, `str` parts as they are. Its tag."""
        self.count += 1
        tag = f"a{self.count}"
        line = tag.encode() + b" "
        for p in parts:
            if isinstance(p, bytes):
                self.send(line + b"{%d}\r\n" % len(p))
                line = b""
                answer = self.response()
                while answer.startswith(b"* "):
                    answer = self.response()
                if not answer.startswith(b"+"):  # refused before the literal: that is the reply
                    self.pending = answer + b"\r\n" + self.pending
                    return tag.encode()
                line = p
            else:
                line += p.encode()
        self.send(line + b"\r\n")
        return tag.encode()

    def finish(self, tag):
        untagged = []
        while True:
            got = self.response()
            if got.startswith(tag + b" "):
                _, status, text = (got + b" ").split(b" ", 2)
                return Reply(untagged, status.decode().upper(), text.rstrip().decode("utf-8", "replace"))
            untagged.append(got)

    def command(self, *parts):
        return self.finish(self.start(*parts))

    def ok(self, *parts):
        reply = self.command(*parts)
        assert reply.status == "OK", f"{parts!r}: {reply!r}"
        return reply

    def sign_in(self, user, password):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.ok(f"AUTHENTICATE PLAIN {token}")

    def append(self, mailbox, message, flags="", date=""):
        words = f"APPEND {mailbox}" + (f" ({flags})" if flags else "") + (f' "{date}"' if date else "") + " "
        return self.ok(words, message)

    def fetch_message(self, number, uid=False):
        """The whole message, without setting \\Seen."""
        m = self.ok(f"{'UID ' if uid else ''}FETCH {number} BODY.PEEK[]").one(rb"BODY\[\] (?:\{(\d+)\}\r\n|\"|NIL)")
        if m.group(1) is None:
            q = re.search(rb'BODY\[\] "((?:[^"\\]|\\.)*)"', m.string, re.DOTALL)
            return re.sub(rb"\\(.)", rb"\1", q.group(1)) if q else b""
        return m.string[m.end() : m.end() + int(m.group(1))]

    def exists(self):
        """How many messages the selected mailbox has, after a NOOP."""
        reply = self.ok("NOOP")
        found = reply.all(rb"^\* (\d+) EXISTS")
        return int(found[-1].group(1)) if found else None
