#!/usr/bin/python3
"""Keys of DKIM: made with a domain, printed for the DNS, replaced in three steps, there again after a restart."""

import re
import smtplib
import ssl
import subprocess
from pathlib import Path

import prelude  # noqa: F401

from harness import Skip, expect, expect_equal, run_tests, test, wait_until
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


# --- OpenDKIM ---------------------------------------------------------------------------------------------------------


def signed_message(server):
    """One that was submitted here, as it is found in the mailbox."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions, local_hostname="laptop", timeout=30, context=context) as client:
        client.login(server.address, server.password)
        text = f"From: Alice <{server.address}>\r\nTo: {server.address},\r\n\tBob  <bob@other.example>\r\nSubject:  for   OpenDKIM\r\n\r\na  line \r\n\r\n.dot\r\n\r\n\r\n"
        client.sendmail(server.address, [server.address], text.encode())
    with server.imap_client(select="INBOX") as c:
        wait_until(lambda: c.ok("NOOP") and c.ok('SEARCH SUBJECT "OpenDKIM"').one(rb"SEARCH(.*)").group(1).split(), 20, "the message")
        number = c.ok('SEARCH SUBJECT "OpenDKIM"').one(rb"SEARCH(.*)").group(1).split()[-1]
        return c.fetch_message(int(number))


def opendkim_says(server, message, name):
    """What OpenDKIM's filter finds, with the keys that `domain dns` prints: [(verdict, algorithm), …]."""
    folder = server.folder / "opendkim"
    folder.mkdir(exist_ok=True)
    records = keys(server, server.domain)
    (folder / "keys").write_text("".join(f"{s}._domainkey.{server.domain} {r['value']}\n" for s, r in records.items()))
    (folder / "conf").write_text(f"Mode v\nTestPublicKeys {folder}/keys\nRequireSafeKeys no\nSyslog no\nAlwaysAddARHeader yes\n")
    (folder / name).write_bytes(message)
    done = subprocess.run(["/usr/sbin/opendkim", "-x", str(folder / "conf"), "-vv", "-t", str(folder / name)], capture_output=True, text=True, timeout=30)
    found = re.findall(r"dkim=(\w+).*?header\.a=(\S+)", done.stdout, re.S)
    expect(found, done.stdout[-2000:], done.stderr[-2000:])
    return sorted(found)


@test
def opendkim_verifies_what_is_signed_here(server):
    if not Path("/usr/sbin/opendkim").exists():
        raise Skip("opendkim is not installed")
    message = signed_message(server)
    expect_equal(opendkim_says(server, message, "good"), [("pass", "ed25519-sha256"), ("pass", "rsa-sha256")])
    changed = {"body": message.replace(b"a  line", b"another"), "subject": message.replace(b"for   Open", b"from Open"),
               "added": message.replace(b"\r\nSubject:", b"\r\nCc: eve@elsewhere.example\r\nSubject:")}
    for name, data in changed.items():
        expect({verdict for verdict, _ in opendkim_says(server, data, name)} == {"fail"}, name, opendkim_says(server, data, name))


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
