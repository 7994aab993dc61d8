#!/usr/bin/python3
"""Keys of DKIM: made with a domain, printed for the DNS, replaced in three steps, there again after a restart."""

import re

import prelude  # noqa: F401

from harness import expect, expect_equal, run_tests, test, wait_until
from instance import Instance


def records(server, domain):
    return server.json("domain", "dns", domain)


def keys(server, domain):
    """{selector: value} of the records below _domainkey."""
    found = {}
    for r in records(server, domain):
        m = re.fullmatch(rf"(\S+)\._domainkey\.{re.escape(domain)}\.", r["name"])
        if m:
            expect_equal(r["type"], "TXT")
            found[m.group(1)] = r
    return found


def states(server, domain):
    words = {"signed with": "active", "the next": "new", "the key before": "old"}
    return sorted(s for r in keys(server, domain).values() for w, s in words.items() if w in r["about"])


@test
def the_first_domain_has_keys(server):
    wait_until(lambda: len(keys(server, server.domain)) == 2, 20, "keys of the first domain")
    kinds = sorted(re.match(r"v=DKIM1; k=(\w+); p=\S{40,}$", r["value"]).group(1) for r in keys(server, server.domain).values())
    expect_equal(kinds, ["ed25519", "rsa"])


@test
def a_domain_that_is_added_has_keys_at_once(server):
    server.gatepost("domain", "add", "other.example")
    expect_equal(states(server, "other.example"), ["active", "active"])
    expect(not set(r["value"] for r in keys(server, "other.example").values()) & set(r["value"] for r in keys(server, server.domain).values()),
           "two domains share a key")


@test
def every_record_is_printed(server):
    all_records = {(r["name"], r["type"]): r for r in records(server, "other.example")}
    for name, kind in (("other.example.", "MX"), ("other.example.", "TXT"), ("_dmarc.other.example.", "TXT"), ("_smtp._tls.other.example.", "TXT"),
                       ("_mta-sts.other.example.", "TXT"), ("_imaps._tcp.other.example.", "SRV"), ("_submissions._tcp.other.example.", "SRV"),
                       ("autoconfig.other.example.", "CNAME"), ("autodiscover.other.example.", "CNAME")):
        expect((name, kind) in all_records, name, kind, "is missing in", sorted(all_records))
    tlsa = [r for (n, k), r in all_records.items() if k == "TLSA"]
    expect(len(tlsa) == 1 and re.fullmatch(r"3 1 1 [0-9a-f]{64}", tlsa[0]["value"]), tlsa)
    expect(any(k == "CAA" for _, k in all_records), "no CAA")
    zone = server.gatepost("domain", "dns", "other.example", "--zone").stdout
    for line in zone.splitlines():
        expect(line.startswith(";") or re.match(r"\S+\.\s+3600  IN  [A-Z]+\s+\S", line), line)
        for text in re.findall(r'"([^"]*)"', line):
            expect(len(text) <= 255, "a string too long for a TXT record:", line)
    text = server.gatepost("domain", "dns", "other.example").stdout
    expect("version: STSv1" in text and "# DKIM" in text, text)


@test
def keys_are_replaced_in_three_steps(server):
    before = keys(server, "other.example")
    refused = server.gatepost("domain", "rotate-keys", "other.example", "--switch", check=False)
    expect(refused.returncode == 1 and "no new keys" in refused.stderr, refused.stderr)
    server.gatepost("domain", "rotate-keys", "other.example")
    expect_equal(states(server, "other.example"), ["active", "active", "new", "new"])
    again = server.gatepost("domain", "rotate-keys", "other.example", check=False)
    expect(again.returncode == 1 and "already" in again.stderr, again.stderr)
    server.gatepost("domain", "rotate-keys", "other.example", "--switch")
    expect_equal(states(server, "other.example"), ["active", "active", "old", "old"])
    server.gatepost("domain", "rotate-keys", "other.example", "--retire")
    after = keys(server, "other.example")
    expect_equal(len(after), 2)
    expect(not set(before) & set(after), "a selector was used twice:", sorted(before), sorted(after))
    ledger = (server.data / "ledger/ledger.log").read_bytes()
    for word in (b'"made"', b'"switched"', b'"retired"'):
        expect(word in ledger, word, "is not in the ledger")


@test
def keys_are_there_after_a_restart(server):
    before = {s: r["value"] for s, r in keys(server, "other.example").items()}
    server.stop()
    server.start()
    expect_equal({s: r["value"] for s, r in keys(server, "other.example").items()}, before)
    expect("dkim-key-unusable" not in server.log(), "the keyholder could not use a key")
    server.gatepost("domain", "remove", "other.example")
    gone = server.gatepost("domain", "dns", "other.example", check=False)
    expect(gone.returncode == 1 and "no such domain" in gone.stderr, gone.stderr)


if __name__ == "__main__":
    run_tests(Instance)
