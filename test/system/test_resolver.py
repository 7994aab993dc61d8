#!/usr/bin/python3
"""The resolver against signed, unsigned and wrongly signed zones, dead servers and askers that ask too much: its own process in its own
sandbox, with the test in the place of queue and dispatcher, in a network of its own."""

import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

import prelude  # noqa: F401

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "internet"))

import ipc
import zones as internet_zones
from harness import expect, expect_equal, run_tests, test
from role_process import RoleProcess, enter_network

OTHER_PORT = 5354
NAME_SERVER, DEAD, REFUSING = "127.53.0.1", "127.53.0.2", "127.53.0.3"
RESULT = {n: c for c, n in ipc.enum("dns_result", "outgoing.h").items()}
SECURITY = {n: c for c, n in ipc.enum("dns_security", "outgoing.h").items()}
A, CNAME, PTR, MX, TXT, AAAA, TLSA = 1, 5, 12, 15, 16, 28, 52
LIMITS = Path(__file__).resolve().parent.parent.parent / "src/resolver/resolver.h"


def limit(name):
    return int(LIMITS.read_text().split(f"{name} = ")[1].split(",")[0])


class World(RoleProcess):
    """The resolver, and the little DNS it finds."""

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="gatepost-resolver-"))
        self.base.chmod(0o755)
        self.zones = internet_zones.Zones(self.base / "zones", NAME_SERVER, also_at=[f"{NAME_SERVER}@{OTHER_PORT}"])
        self.add_domains()
        self.zones.start()
        # one that never answers: what comes is not even read
        self.dead = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.dead.bind((DEAD, 53))
        super().__init__("resolver", folder=self.base / "role", settings={
            ("outbound", "trust_anchor"): self.zones.trust_anchor, ("outbound", "root_hints"): self.zones.root_hints})
        self.queue = self.join("ROLE_QUEUE")
        self.dispatcher = self.join("ROLE_DISPATCHER")
        self.number = 0

    def add_domains(self):
        add = self.zones.add_domain
        add("secure.test", mx=[(10, "mx"), (20, "Other.plain.test.")], addresses={"mx": ["192.0.2.1", "2001:db8::1"]},
            txt={"_mta-sts": ["v=STSv1; id=1"], "several": [["one;", "two", "three"], "another"], "long": [["x" * 255] * 5, "short"]},
            tlsa={"_25._tcp.mx": ["3 1 1 " + "ab" * 32], "_25._tcp.long": ["3 0 0 " + "ab" * 1500]}, cname={"alias": "mx", "far": "mx.plain.test.", "nowhere": "missing"})
        add("plain.test", signed=False, mx=[(0, ".")], addresses={"mx": ["192.0.2.2"]}, txt={"": ["plain"]},
            cname={"alias": "mx.secure.test."})
        add("expired.test", broken="expired", mx=[(10, "mx")])
        add("wrong.test", broken="wrong-ds", mx=[(10, "mx")])
        add("stripped.test", broken="stripped", mx=[(10, "mx")])
        add("dead.test", server=DEAD, signed=False)
        add("refusing.test", server=REFUSING, signed=False)
        add("many.test", txt={"": [f"{n:03}" for n in range(100)]})

    def ask(self, name, kind, channel=None):
        """Sends a question; its number."""
        self.number += 1
        (channel or self.queue).send("dns", request=self.number, name=name.encode(), type=kind)
        return self.number

    def answer(self, name, kind, channel=None, seconds=40):
        number = self.ask(name, kind, channel)
        kind, fields = (channel or self.queue).receive(seconds)
        expect_equal((kind, fields["request"]), ("dns_answer", number))
        return fields

    def asker(self):
        ours, theirs = ipc.pair()
        theirs.setblocking(False)
        self.dispatcher.send("asker", channel=theirs.fileno())
        theirs.close()
        self.channels.append(ours)
        return ours

    def close(self):
        super().close()
        self.zones.stop()
        self.dead.close()
        shutil.rmtree(self.base, ignore_errors=True)


def expect_answer(fields, result, security, records=None):
    expect_equal((RESULT[fields["result"]], SECURITY[fields["security"]]), (result, security), fields["detail"].decode())
    if records is not None:
        expect_equal(sorted(fields["records"]), sorted(records))


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


@test
def signed_records_are_secure(world):
    fields = world.answer("secure.test", MX)
    expect_answer(fields, "DNS_FOUND", "DNS_SECURE", [b"\0\x0a" + wire("mx.secure.test"), b"\0\x14" + wire("other.plain.test")])
    expect(0 < fields["ttl"] <= internet_zones.TTL, "ttl", fields["ttl"])
    expect_equal(fields["canonical"], b"")
    expect_answer(world.answer("MX.Secure.TEST.", A), "DNS_FOUND", "DNS_SECURE", [bytes([192, 0, 2, 1])])
    expect_answer(world.answer("mx.secure.test", AAAA), "DNS_FOUND", "DNS_SECURE", [socket.inet_pton(socket.AF_INET6, "2001:db8::1")])
    expect_answer(world.answer("_25._tcp.mx.secure.test", TLSA), "DNS_FOUND", "DNS_SECURE", [b"\x03\x01\x01" + b"\xab" * 32])


@test
def what_is_too_long_to_be_read_is_not_absent(world):
    """A server whose TLSA record is longer than is taken would otherwise be spoken with as one that has none."""
    fields = world.answer("_25._tcp.long.secure.test", TLSA)
    expect_answer(fields, "DNS_FAILED", "DNS_SECURE")
    expect(b"longer" in fields["detail"], fields["detail"])


@test
def unsigned_records_are_insecure(world):
    expect_answer(world.answer("mx.plain.test", A), "DNS_FOUND", "DNS_INSECURE", [bytes([192, 0, 2, 2])])
    expect_answer(world.answer("plain.test", MX), "DNS_FOUND", "DNS_INSECURE", [b"\0\0\0"])


@test
def wrongly_signed_records_are_bogus_and_never_handed_out(world):
    for name in ("expired.test", "wrong.test", "stripped.test"):
        fields = world.answer(name, MX)
        expect_answer(fields, "DNS_FAILED", "DNS_BOGUS", [])
        expect(fields["detail"], "no reason")


@test
def what_is_not_there_is_proven(world):
    expect_answer(world.answer("missing.secure.test", MX), "DNS_NO_NAME", "DNS_SECURE", [])
    fields = world.answer("mx.secure.test", TXT)
    expect_answer(fields, "DNS_NO_DATA", "DNS_SECURE", [])
    expect(0 <= fields["ttl"] <= internet_zones.NEGATIVE_TTL, "as long as the zone says, not", fields["ttl"])
    expect_answer(world.answer("missing.plain.test", MX), "DNS_NO_NAME", "DNS_INSECURE", [])
    expect_answer(world.answer("mx.plain.test", TXT), "DNS_NO_DATA", "DNS_INSECURE", [])
    expect_answer(world.answer("no-such-domain", MX), "DNS_NO_NAME", "DNS_SECURE", [])


@test
def aliases_are_followed_and_as_secure_as_their_weakest_part(world):
    fields = world.answer("alias.secure.test", A)
    expect_answer(fields, "DNS_FOUND", "DNS_SECURE", [bytes([192, 0, 2, 1])])
    expect_equal(fields["canonical"], b"mx.secure.test")
    for name, canonical in (("far.secure.test", b"mx.plain.test"), ("alias.plain.test", b"mx.secure.test")):
        fields = world.answer(name, A)
        expect_answer(fields, "DNS_FOUND", "DNS_INSECURE")
        expect_equal(fields["canonical"], canonical)
    fields = world.answer("nowhere.secure.test", A)
    expect_answer(fields, "DNS_NO_NAME", "DNS_SECURE", [])
    expect_equal(fields["canonical"], b"missing.secure.test")
    expect_answer(world.answer("alias.secure.test", CNAME), "DNS_FOUND", "DNS_SECURE", [wire("mx.secure.test")])


@test
def strings_come_as_they_are(world):
    fields = world.answer("several.secure.test", TXT)
    expect_answer(fields, "DNS_FOUND", "DNS_SECURE", [b"\x04one;\x03two\x05three", b"\x07another"])
    # longer than a record in a message may be: left out, not cut
    expect_answer(world.answer("long.secure.test", TXT), "DNS_FOUND", "DNS_SECURE", [b"\x05short"])
    expect_equal(len(world.answer("many.test", TXT)["records"]), 64)


@test
def what_can_be_no_name_is_none(world):
    for name in ("", "a..b", "x" * 64 + ".test", "sp ace.test", "m\xfcller.test"):
        expect_answer(world.answer(name, MX), "DNS_NO_NAME", "DNS_INSECURE", [])
    expect_answer(world.answer(".", MX), "DNS_NO_DATA", "DNS_SECURE", [])


@test
def a_dead_server_holds_nobody_up(world):
    late = {world.ask("dead.test", MX): "dead.test", world.ask("www.dead.test", A): "www.dead.test"}
    begun = time.monotonic()
    # what is not remembered yet, so that servers have to be asked
    for n in range(20):
        expect_answer(world.answer(f"n{n}.secure.test", A), "DNS_NO_NAME", "DNS_SECURE")
    expect(time.monotonic() - begun < 10, "others waited", time.monotonic() - begun)
    answers = [world.queue.receive(limit("RESOLVER_SECONDS") + 10)[1] for _ in late]
    for fields in answers:
        expect(fields["request"] in late, "another answer", fields)
        expect_answer(fields, "DNS_FAILED", "DNS_INSECURE", [])
        expect(fields["detail"], "no reason")
    expect(time.monotonic() - begun < limit("RESOLVER_SECONDS") + 5, "late")


@test
def a_server_that_is_not_there_fails(world):
    fields = world.answer("refusing.test", MX)
    expect_answer(fields, "DNS_FAILED", "DNS_INSECURE", [])
    expect(b"SERVFAIL" in fields["detail"], fields["detail"])


@test
def couriers_ask_for_themselves(world):
    first, second = world.asker(), world.asker()
    number = world.ask("secure.test", MX, first)
    other = world.ask("plain.test", MX, second)
    expect_equal(first.receive()[1]["request"], number)
    expect_equal(second.receive()[1]["request"], other)
    # one that leaves with questions open takes nothing with it
    for n in range(10):
        world.ask(f"left{n}.dead.test", A, second)
    second.close()
    world.channels.remove(second)
    expect_answer(world.answer("secure.test", MX, first), "DNS_FOUND", "DNS_SECURE")


@test
def who_asks_too_much_is_ended(world):
    ledger = world.join("ROLE_LEDGER")
    greedy, good = world.asker(), world.asker()
    for n in range(limit("RESOLVER_ASKER_MAX") + 1):
        world.ask(f"much{n}.dead.test", A, greedy)
    expect_equal(greedy.receive(), (None, None))
    kind, event = ledger.receive()
    expect_equal(kind, "ledger_event")
    expect(b"courier" in event["detail"], event)
    expect_answer(world.answer("secure.test", MX, good), "DNS_FOUND", "DNS_SECURE")
    for wrong in (0, 6, 255, 65535):
        asker = world.asker()
        world.ask("secure.test", wrong, asker)
        expect_equal(asker.receive(), (None, None), f"type {wrong}")
        ledger.receive()
    expect(world.running(), "the resolver ended")


@test
def too_much_of_the_queue_is_refused_at_once(world):
    most = limit("RESOLVER_QUEUE_MAX")
    for n in range(most + 10):
        world.ask(f"flood{n}.dead.test", A)
    refused = 0
    for _ in range(10):
        fields = world.queue.receive()[1]
        expect_answer(fields, "DNS_FAILED", "DNS_INSECURE")
        refused += b"too many" in fields["detail"]
    expect_equal(refused, 10)
    good = world.asker()
    expect_answer(world.answer("mx.secure.test", A, good), "DNS_FOUND", "DNS_SECURE")
    for _ in range(most):
        expect_answer(world.queue.receive(limit("RESOLVER_SECONDS") + 10)[1], "DNS_FAILED", "DNS_INSECURE")
    expect_answer(world.answer("secure.test", MX), "DNS_FOUND", "DNS_SECURE")


@test
def a_forwarder_is_asked_in_place_of_the_root(world):
    # an authoritative server answers what it has; nothing more is needed to see that it was asked
    for at in (NAME_SERVER, f"{NAME_SERVER}@53", f"{NAME_SERVER}@{OTHER_PORT}"):
        settings = {("outbound", "trust_anchor"): world.zones.trust_anchor, ("outbound", "resolver"): at}
        with RoleProcess("resolver", settings) as other:
            queue = other.join("ROLE_QUEUE")
            expect_answer(world.answer("mx.secure.test", A, queue), "DNS_FOUND", "DNS_SECURE", [bytes([192, 0, 2, 1])])
            # too long for UDP
            expect_equal(len(world.answer("many.test", TXT, queue)["records"]), 64)
            other.finish()


@test
def without_a_trust_anchor_it_does_not_start(world):
    settings = {("outbound", "trust_anchor"): "/nonexistent/root.key"}
    try:
        RoleProcess("resolver", settings, folder=tempfile.mkdtemp(dir=world.base)).close()
    except RuntimeError as e:
        expect("root.key" in str(e) and "No such file" in str(e), e)
    else:
        raise AssertionError("it started")


if __name__ == "__main__":
    if not enter_network():
        print("skip resolver: a network of its own cannot be made here")
        sys.exit(0)
    try:
        for tool in ("nsd", "ldns-signzone", "ldns-keygen"):
            internet_zones.program(tool)
    except internet_zones.Missing as e:
        print(f"skip resolver: {e}")
        sys.exit(0)
    run_tests(World)
