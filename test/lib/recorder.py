"""A TLS proxy before the server's IMAPS port: real clients connect to it, and it keeps what both sides said.

    with Recorder(server) as recorder:
        recorder.port, recorder.certificate, recorder.authority     where to connect, and what to trust
        recorder.cut()                                              drops every connection, as a train in a tunnel does
        recorder.refusals()                                         every NO, BAD and BYE, with the command it answered
        recorder.said(rb"^SELECT .*QRESYNC")                        the commands that match

Its certificate is for localhost and 127.0.0.1, signed by a test authority made for the occasion. What follows a
successful COMPRESS DEFLATE is inflated when it is looked at, so commands are found either way.
"""

import asyncio
import datetime
import ipaddress
import re
import ssl
import threading
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import wire

LITERAL = re.compile(rb"~?\{(\d+)\+?\}$")


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject, issuer, key, days):
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days)))


def make_certificates(folder):
    """authority.pem, certificate.pem and key.pem in `folder`."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name("Gatepost test authority")
    root = (_builder(root_name, root_name, root_key, 30).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
            .sign(root_key, hashes.SHA256()))
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    leaf = (_builder(_name("localhost"), root_name, key, 20).add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
            .sign(root_key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(root.public_bytes(pem))
    (folder / "certificate.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


class Conversation:
    """One connection; `client` and `server` are what each sent so far."""

    def __init__(self):
        self.client, self.server = bytearray(), bytearray()

    @staticmethod
    def _lines(data):
        """The lines of a stream, literals left out of them ("{n}" stays): (line, where what follows it begins)."""
        at, line = 0, b""
        while (end := data.find(b"\r\n", at)) >= 0:
            m = LITERAL.search(data[at:end])
            line += data[at:end]
            at = end + 2
            if m:
                at += int(m.group(1))
                continue
            yield line, at
            line = b""

    def _plain(self, data, last):
        """`data`, with what comes after the line that `last` accepts inflated."""
        for line, after in self._lines(data):
            if last(line):
                try:
                    return data[:after] + zlib.decompressobj(-15).decompress(data[after:])
                except zlib.error:  # the COMPRESS was refused
                    return data
        return data

    def commands(self):
        """{tag: command line}, in the order they were given."""
        found = {}
        data = self._plain(bytes(self.client), lambda line: re.match(rb"\S+ COMPRESS DEFLATE$", line, re.IGNORECASE))
        for line, _ in self._lines(data):
            m = re.match(rb"([^\s*+]+) (.+)$", line, re.DOTALL)
            if m and not m.group(2).upper().startswith((b"LOGIN ", b"AUTHENTICATE ")):
                found[m.group(1)] = m.group(2)
            elif m:
                found[m.group(1)] = m.group(2).split(b" ")[0]
        return found

    def answers(self):
        """The server's lines, without their literals."""
        tags = [t for t, c in self.commands().items() if c.upper() == b"COMPRESS DEFLATE"]
        data = self._plain(bytes(self.server), lambda line: any(line.startswith(t + b" OK") for t in tags))
        return [line for line, _ in self._lines(data)]

    def refusals(self):
        """[(command, answer)] of every tagged NO and BAD, and of untagged ones and BYE (command empty)."""
        commands, found = self.commands(), []
        for line in self.answers():
            m = re.match(rb"(\S+) (NO|BAD|BYE)\b", line)
            if m:
                found.append((commands.get(m.group(1), b"").decode("utf-8", "replace"), line.decode("utf-8", "replace")))
        return found


class Recorder:
    def __init__(self, server):
        self.server_port = server.imaps
        self.folder = server.folder / "recorder"
        self.folder.mkdir(exist_ok=True)
        make_certificates(self.folder)
        self.authority, self.certificate = self.folder / "authority.pem", self.folder / "certificate.pem"
        self.conversations, self.writers = [], set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        if not ready.wait(10):
            raise RuntimeError("the recorder does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _run(self, ready):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.folder / "key.pem")

        async def listen():
            listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
            self.port = listener.sockets[0].getsockname()[1]
            ready.set()

        self.loop.set_exception_handler(lambda *_: None)  # connections that were cut complain
        self.loop.create_task(listen())
        self.loop.run_forever()

    async def _serve(self, reader, writer):
        conversation = Conversation()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server_port, ssl=wire.tls_context())
        except OSError:
            writer.close()
            return
        self.conversations.append(conversation)
        self.writers |= {writer, far_writer}
        await asyncio.wait([
            asyncio.ensure_future(self._pump(reader, far_writer, conversation.client)),
            asyncio.ensure_future(self._pump(far_reader, writer, conversation.server)),
        ])
        self.writers -= {writer, far_writer}

    @staticmethod
    async def _pump(reader, writer, kept):
        try:
            while data := await reader.read(65536):
                kept += data
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass  # whichever side went, the other is told by the close
        finally:
            writer.close()

    def cut(self):
        def now():
            for writer in list(self.writers):
                writer.transport.abort()

        self.loop.call_soon_threadsafe(now)

    def close(self):
        self.cut()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    # --- what was said --------------------------------------------------------------------------------------------

    def mark(self):
        """For `since`: leaves out the conversations that began before."""
        return len(self.conversations)

    def commands(self, since=0):
        return [c for conversation in self.conversations[since:] for c in conversation.commands().values()]

    def said(self, pattern, since=0):
        return [c for c in self.commands(since) if re.search(pattern, c, re.IGNORECASE)]

    def refusals(self, since=0):
        return [r for conversation in self.conversations[since:] for r in conversation.refusals()]

    def words(self, since=0):
        """{verb: how often}, the UID ones apart."""
        found = {}
        for c in self.commands(since):
            w = c.upper().split(b" ")
            verb = b" ".join(w[:2] if w[0] == b"UID" else w[:1]).decode("ascii", "replace")
            found[verb] = found.get(verb, 0) + 1
        return found
