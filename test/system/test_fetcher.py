#!/usr/bin/python3
"""The fetcher against web servers with good, bad and no policies, wrong certificates, endless answers and silence: its own process in its
own sandbox, with the test in the place of the queue, in a network of its own."""

import fcntl
import gzip
import http.server
import os
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import threading
from pathlib import Path

import prelude  # noqa: F401

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "internet"))

import ipc
from authority import Authority
from harness import expect, expect_equal, run_tests, test, wait_until
from instance import ROOT
from role_process import RoleProcess, enter_network

FETCHED = {n: c for c, n in ipc.enum("fetched", "outgoing.h").items()}
MODE = {n: c for c, n in ipc.enum("sts_mode", "outgoing.h").items()}
GOOD, SILENT, NOBODY = "127.80.0.1", "127.80.0.2", "127.80.0.3"
STRANGER, EXPIRED, OTHER = "127.80.0.4", "127.80.0.5", "127.80.0.6"
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.example\r\nmx: *.example.net\r\nmax_age: 86400\r\n"
WEB_SECONDS = 60
AT_ONCE = int((ROOT / "src/fetcher/fetcher.h").read_text().split("FETCHES_MAX = ")[1].split(",")[0])

# what the web server says for mta-sts.DOMAIN: status, fields, content
PAGES = {
    "good.test": (200, {"Content-Type": "text/plain"}, POLICY),
    "charset.test": (200, {"Content-Type": "Text/Plain; charset=utf-8"}, POLICY.replace("enforce", "testing")),
    "none.test": (200, {"Content-Type": "text/plain"}, "version: STSv1\nmode: none\nmax_age: 1\n"),
    "html.test": (200, {"Content-Type": "text/html"}, POLICY),
    "untyped.test": (200, {}, POLICY),
    "broken.test": (200, {"Content-Type": "text/plain"}, POLICY.replace("mode: enforce\r\n", "")),
    "missing.test": (404, {"Content-Type": "text/plain"}, POLICY),
    "moved.test": (301, {"Content-Type": "text/plain", "Location": "https://mta-sts.good.test/.well-known/mta-sts.txt"}, ""),
    "large.test": (200, {"Content-Type": "text/plain"}, POLICY + "x: 234567\r\n" * 6600),
    "long.test": (200, {"Content-Type": "text/plain"}, POLICY + "x: 23456\r\n" * 6400),
}
NAMES = [f"mta-sts.{domain}" for domain in PAGES] + ["endless.test", "mta-sts.endless.test", "reports.test"]


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET
    daemon_threads = True
    request_queue_size = 200

    def __init__(self, address, certificate, folder):
        super().__init__((address, 443), Handler)
        self.posted = []
        chain = Path(folder) / f"{address}.pem"
        chain.write_text(certificate.certificate + certificate.key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        request.settimeout(70)
        try:
            with self.context.wrap_socket(request, server_side=True) as wrapped:
                Handler(wrapped, client_address, self)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        domain = self.headers["Host"].removeprefix("mta-sts.")
        if domain == "endless.test":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
            for _ in range(10000):
                self.wfile.write(b"x: " + b"y" * 996 + b"\n")
            return
        status, fields, text = PAGES[domain] if self.path == "/.well-known/mta-sts.txt" else (404, {}, "")
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, self.headers["Content-Type"], content))
        self.send_response(500 if "fails" in self.path else 201)
        self.end_headers()

    def log_message(self, *_):
        pass


class World(RoleProcess):
    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="gatepost-fetcher-"))
        self.base.chmod(0o755)
        authority, stranger = Authority(), Authority("Somebody else")
        self.ca_file = self.base / "ca.pem"
        self.ca_file.write_text(authority.root)
        self.good = Server(GOOD, authority.certificate(*NAMES), self.base)
        self.servers = [
            self.good, Server(STRANGER, stranger.certificate(*NAMES), self.base), Server(OTHER, authority.certificate("other.test"), self.base),
            Server(EXPIRED, authority.certificate(*NAMES, expired=True), self.base),
        ]
        self.silent = socket.create_server((SILENT, 443), backlog=200)
        self.number = 0
        super().__init__("fetcher", folder=self.base / "role",
                         settings={("outbound", "ca_file"): self.ca_file, ("outbound", "allow_private"): 1})
        self.queue = self.join("ROLE_QUEUE")

    def ask(self, domain, *addresses):
        self.number += 1
        self.queue.send("fetch_policy", request=self.number, domain=domain.encode(), addresses=[a.encode() for a in addresses])
        return self.number

    def fetch(self, domain, *addresses, seconds=30):
        number = self.ask(domain, *addresses)
        kind, fields = self.queue.receive(seconds)
        expect_equal((kind, fields["request"]), ("policy", number))
        return fields

    def post(self, url, content=b"report", address=GOOD):
        self.number += 1
        memory = os.memfd_create("report", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(memory, content)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, 0xF)
        self.queue.send("post_report", request=self.number, url=url.encode(), addresses=[address.encode()], report=memory)
        os.close(memory)
        kind, fields = self.queue.receive(30)
        expect_equal((kind, fields["request"]), ("posted", self.number))
        return fields

    def close(self):
        super().close()
        for server in self.servers:
            server.shutdown()
        self.silent.close()
        shutil.rmtree(self.base, ignore_errors=True)


def expect_policy(fields, result, words=""):
    expect_equal(FETCHED[fields["result"]], result, fields["detail"].decode())
    expect(words in fields["detail"].decode(), fields["detail"])
    if result != "FETCHED_OK":
        expect_equal((fields["mode"], fields["mx"], fields["max_age"]), (0, [], 0))
        expect(fields["detail"], "no reason")


@test
def a_policy_is_fetched(world):
    fields = world.fetch("good.test", GOOD)
    expect_policy(fields, "FETCHED_OK")
    expect_equal((MODE[fields["mode"]], fields["max_age"], fields["mx"]), ("STS_ENFORCE", 86400, [b"mx.example", b"*.example.net"]))
    expect_equal(MODE[world.fetch("charset.test", GOOD)["mode"]], "STS_TESTING")
    expect_equal(MODE[world.fetch("none.test", GOOD)["mode"]], "STS_NONE")
    expect_policy(world.fetch("long.test", GOOD), "FETCHED_OK")


@test
def the_next_address_is_tried(world):
    expect_policy(world.fetch("good.test", NOBODY, GOOD), "FETCHED_OK")
    expect_policy(world.fetch("good.test", "::1", GOOD), "FETCHED_OK")


@test
def what_is_no_policy_is_none(world):
    expect_policy(world.fetch("html.test", GOOD), "FETCHED_INVALID", "no text")
    expect_policy(world.fetch("untyped.test", GOOD), "FETCHED_INVALID", "no text")
    expect_policy(world.fetch("broken.test", GOOD), "FETCHED_INVALID", "no mode")
    expect_policy(world.fetch("missing.test", GOOD), "FETCHED_FAILED", "404")


@test
def no_redirect_is_followed(world):
    expect_policy(world.fetch("moved.test", GOOD), "FETCHED_FAILED", "301")


@test
def a_long_answer_is_given_up(world):
    expect_policy(world.fetch("large.test", GOOD), "FETCHED_FAILED", "too long")
    expect_policy(world.fetch("endless.test", GOOD), "FETCHED_FAILED", "too long")


@test
def certificates_count(world):
    expect_policy(world.fetch("good.test", STRANGER), "FETCHED_WEBPKI", "certificate")
    expect_policy(world.fetch("good.test", EXPIRED), "FETCHED_WEBPKI", "expired")
    expect_policy(world.fetch("good.test", OTHER), "FETCHED_WEBPKI", "")
    with RoleProcess("fetcher", {("outbound", "ca_file"): "/nonexistent.pem", ("outbound", "allow_private"): 1}) as blind:
        queue = blind.join("ROLE_QUEUE")
        queue.send("fetch_policy", request=1, domain=b"good.test", addresses=[GOOD.encode()])
        expect_policy(queue.receive()[1], "FETCHED_FAILED", "ca_file")
        blind.finish()


@test
def nobody_there_fails(world):
    expect_policy(world.fetch("good.test", NOBODY), "FETCHED_FAILED")
    expect_policy(world.fetch("good.test"), "FETCHED_FAILED", "no address")
    expect_policy(world.fetch("good.test", "localhost", "1.2.3"), "FETCHED_FAILED", "no address")


@test
def private_addresses_are_refused_unless_allowed(world):
    with RoleProcess("fetcher", {("outbound", "ca_file"): world.ca_file}) as strict:
        queue = strict.join("ROLE_QUEUE")
        for number, address in enumerate((GOOD, "::1", "::ffff:127.80.0.1", "10.0.0.1", "169.254.169.254", "fe80::1")):
            queue.send("fetch_policy", request=number, domain=b"good.test", addresses=[address.encode()])
            fields = queue.receive()[1]
            expect_policy(fields, "FETCHED_FAILED", "mta-sts.good.test has ")
        strict.finish()


@test
def reports_are_posted(world):
    report = gzip.compress(b'{"organization-name": "x"}' * 2000) + os.urandom(100000)
    fields = world.post("https://reports.test/v1/tlsrpt?a=b", report)
    expect_equal((fields["ok"], fields["detail"]), (1, b""))
    expect_equal(world.good.posted[-1], ("/v1/tlsrpt?a=b", "application/tlsrpt+gzip", report))
    fields = world.post("https://reports.test/fails")
    expect_equal((fields["ok"], b"500" in fields["detail"]), (0, True), fields)


@test
def other_urls_are_refused(world):
    for url in ("http://reports.test/", "https://reports.test:8443/", "https://user:password@reports.test/", "ftp://reports.test/", "reports", "",
                "file:///etc/passwd", "https://reports.test:444", "https:///x"):
        n = len(world.good.posted)
        fields = world.post(url)
        expect_equal((fields["ok"], len(world.good.posted)), (0, n), url)
        expect(fields["detail"], "no reason")
    fields = world.post("https://reports.test/", address=STRANGER)
    expect(not fields["ok"] and b"certificate" in fields["detail"], fields)


@test(seconds=150)
def one_silent_server_holds_nobody_up_and_many_wait_for_their_turn(world):
    silent = {world.ask("good.test", SILENT) for _ in range(AT_ONCE // 2)}
    many = {world.ask("good.test", GOOD) for _ in range(2 * AT_ONCE)}
    order = []
    for _ in range(len(silent | many)):
        fields = world.queue.receive(WEB_SECONDS + 30)[1]
        order.append(fields["request"])
        if fields["request"] in silent:
            expect_policy(fields, "FETCHED_FAILED", "timeout")
        else:
            expect_policy(fields, "FETCHED_OK")
    expect_equal(set(order), silent | many)
    # even on a slow machine most of the others are through long before the silent ones are given up
    expect(sum(n in many for n in order[: AT_ONCE]) > AT_ONCE // 2, "others waited", order)


@test
def a_fetch_that_crashes_is_an_alarm_and_the_fetcher_is_replaced(world):
    with RoleProcess("fetcher", {("outbound", "ca_file"): world.ca_file, ("outbound", "allow_private"): 1}) as other:
        queue, ledger = other.join("ROLE_QUEUE"), other.join("ROLE_LEDGER")
        queue.send("fetch_policy", request=5, domain=b"good.test", addresses=[SILENT.encode()])
        children = Path(f"/proc/{other.process.pid}/task/{other.process.pid}/children")
        [child] = wait_until(lambda: children.read_text().split(), 10, "a fetch")
        wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "fetch\n", 10, "its sandbox")
        os.kill(int(child), signal.SIGKILL)
        kind, fields = queue.receive()
        expect_equal((kind, fields["request"]), ("policy", 5))
        expect_policy(fields, "FETCHED_FAILED", "without an answer")
        kind, event = ledger.receive()
        expect_equal((kind, event["kind"]), ("ledger_event", ipc.enum("ledger_kind")["LEDGER_ALARM_ROLE_CRASH"]))
        expect_equal(other.supervisor.receive()[0], "replace_me")
        # it forks nothing any more, and ends with its last fetch
        expect_equal(other.process.wait(10), 0)


@test
def what_the_queue_may_not_say_ends_its_channel(world):
    ledger = world.join("ROLE_LEDGER")
    other = world.join("ROLE_QUEUE")
    other.send("dns", request=1, name=b"x", type=1)
    expect_equal(other.receive(), (None, None))
    expect_equal(ledger.receive()[0], "ledger_event")
    expect(world.running(), "the fetcher ended")


if __name__ == "__main__":
    if not enter_network():
        print("skip fetcher: a network of its own cannot be made here")
        sys.exit(0)
    run_tests(World)
