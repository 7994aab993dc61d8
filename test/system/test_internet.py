#!/usr/bin/python3
"""Mail to and from servers that know nothing of us, in a little internet with names, neighbours and enemies (test/internet)."""

import base64
import datetime
import email
import email.policy
import gzip
import json
import os
import smtplib
import ssl
import sys
import time
from pathlib import Path
from unittest import mock

import prelude

sys.path.insert(0, str(Path(prelude.__file__).resolve().parent.parent / "internet"))
import mtas
import network
import zones

try:
    import dkim
except ImportError:
    dkim = None
from harness import Skip, expect, expect_equal, full, run_tests, test, wait_until
from world import World

ALICE = "alice@example.test"
PACKAGES = Path(os.environ.get("GATEPOST_BUILD", "build/asan")).resolve().parent / "tools/packages"
SECONDS = 40
RELAYS = {
    (f"relay {name}", key): value
    for name, domain, host in (("provider", "relayed.test", "mx.provider.test"), ("wary", "wary.test", "mx.evil.test"))
    for key, value in (("domain", domain), ("host", host), ("user", "us"), ("password_file", "provider.password"))
}
held = {}


def trusting():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def submit(world, recipients, subject, body="hello\r\n", header="", options=(), rcpt_options=(), sender=ALICE):
    """As a mail program does it, on 465."""
    with world.house.inside():
        client = smtplib.SMTP_SSL("127.0.0.1", 465, local_hostname="laptop", timeout=60, context=trusting())
    with client:
        client.login(sender, world.house.passwords[sender])
        text = f"From: Alice <{sender}>\r\nTo: {', '.join(recipients)}\r\nSubject: {subject}\r\n{header}\r\n{body}"
        refused = client.sendmail(sender, recipients, text.encode(), options, rcpt_options)
        expect(not refused, refused)


def arrives(mailbox, subject, what):
    def look():
        return next((m for m in mailbox() if f"Subject: {subject}\n" in m.replace("\r\n", "\n")), None)

    return wait_until(look, SECONDS, what)


def neighbour(world, kind, domain, **how):
    if domain not in held:
        held[domain] = world.neighbour(kind, domain, **how)
    return held[domain]


def adversary(world, domain, how, **more):
    if domain not in held:
        held[domain] = world.adversary(domain, how, **more)
    return held[domain]


def queued(world, number=None):
    rows = world.house.json("queue", "list")
    return rows if number is None else world.house.json("queue", "show", number)


def waits(world, recipient):
    """What the queue says of a recipient that is not delivered: its row of `queue show`."""
    for row in queued(world):
        for one in queued(world, next(iter(row.values())))["recipients"]:
            if recipient in one.values():
                return one
    return None


# --- there and back ---------------------------------------------------------------------------------------------------


def there_and_back(world, kind, domain, **how):
    other = neighbour(world, kind, domain, **how)
    submit(world, [f"bob@{domain}"], f"to {kind.__name__}")
    got = arrives(lambda: other.mail("bob"), f"to {kind.__name__}", f"mail to {domain}")
    expect("DKIM-Signature:" in got, got)
    other.send(f"bob@{domain}", [ALICE], f"From: bob@{domain}\nTo: {ALICE}\nSubject: from {kind.__name__}\n\nhello\n")
    arrives(lambda: [m.decode() for m in world.house.mail()], f"from {kind.__name__}", f"mail from {domain}")
    return got


@test
def postfix_with_dane(world):
    got = there_and_back(world, mtas.Postfix, "postfix.test", dane="good")
    expect("using TLSv1.3" in got, got)
    expect("dane" in world.house.log(), "the log does not name the policy")


@test
def exim(world):
    got = there_and_back(world, mtas.Exim, "exim.test")
    expect("TLS1.3" in got or "esmtps" in got, got)


@test
def opensmtpd(world):
    there_and_back(world, mtas.OpenSmtpd, "smtpd.test", signed=False)


@test
def without_tls_where_there_is_none(world):
    plain = adversary(world, "plain.test", "good", certificate=None, signed=False)
    submit(world, ["x@plain.test"], "in the open")
    [got] = wait_until(plain.taken, SECONDS, "mail to plain.test")
    expect(not got["tls"] and got["sender"] == ALICE, got)


@test
def many_recipients_in_one_go(world):
    good = adversary(world, "good.test", "good")
    submit(world, [f"r{i}@good.test" for i in range(20)], "to all of you")
    wait_until(lambda: sum(len(t["recipients"]) for t in good.taken()) == 20, SECONDS, "20 recipients")
    expect(all(t["tls"] for t in good.taken()), "not inside TLS")


# --- signatures -------------------------------------------------------------------------------------------------------


@test
def signatures_are_good_for_others(world):
    """What comes out is verified by dkimpy, with the keys that `domain dns` prints."""
    if dkim is None:
        raise Skip("python3-dkim is not installed")
    good = adversary(world, "good.test", "good")
    submit(world, ["sig@good.test"], "signed", body="a line\r\n\r\n.dot\r\n\r\n\r\n")
    taken = wait_until(lambda: [t for t in good.taken() if "Subject: signed\r\n" in t["data"]], SECONDS, "the message")
    data = taken[0]["data"].encode()
    records = {r["name"].rstrip("."): r["value"] for r in world.house.json("domain", "dns", "example.test") if r["type"] == "TXT"}

    def ask(name, **_):
        return records.get(name.decode().rstrip("."), "").encode()

    signatures = [v for k, v in email.message_from_bytes(data).items() if k == "DKIM-Signature"]
    expect_equal(len(signatures), 2, "signatures")
    for n in range(2):
        expect(dkim.DKIM(data).verify(idx=n, dnsfunc=ask), signatures[n])
    changed = data.replace(b"a line", b"another")
    expect(not dkim.verify(changed, dnsfunc=ask), "a changed message was found good")


def is_signed(world, data, domain, **how):
    """Both signatures of `domain` are good for dkimpy, with the keys that `domain dns` prints."""
    try:
        import dkim
    except ImportError:
        raise Skip("python3-dkim is not installed") from None
    records = {r["name"].rstrip("."): r["value"] for r in world.house.json("domain", "dns", domain) if r["type"] == "TXT"}
    signatures = [v for k, v in email.message_from_bytes(data).items() if k == "DKIM-Signature"]
    expect_equal(len(signatures), 2, "signatures")
    for n in range(2):
        expect(f"d={domain};" in signatures[n], signatures[n])
        good = dkim.DKIM(data, **how).verify(idx=n, dnsfunc=lambda name, **_: records.get(name.decode().rstrip("."), "").encode())
        expect(good, signatures[n])


@test
def a_notice_that_leaves_is_signed(world):
    """Mail from outside that an alias passes on to nobody: who sent it hears of that, in the name of the alias's domain."""
    good = adversary(world, "good.test", "good")
    adversary(world, "refuse.test", "refuse")
    world.house.gatepost("alias", "add", "gone@example.test", "nobody@refuse.test")
    with world.house.inside():
        world.house.deliver(b"From: x@good.test\r\nSubject: to a ghost\r\n\r\nhello\r\n", "gone@example.test", sender="x@good.test")
    got = wait_until(lambda: [t for t in good.taken() if "x@good.test" in t["recipients"]], SECONDS, "a notice")[0]
    expect_equal(got["sender"], "")
    notice = email.message_from_bytes(got["data"].encode(), policy=email.policy.default)
    expect_equal(notice["From"].addresses[0].addr_spec, "postmaster@example.test")
    expect_equal([p.get_content_type() for p in notice.iter_parts()][:2], ["text/plain", "message/delivery-status"])
    is_signed(world, got["data"].encode(), "example.test")


# --- TLS reports (RFC 8460) -------------------------------------------------------------------------------------------


def is_a_date(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def check_report(report, domain):
    """The members of §4.4, of the types that it gives, and no others; the policies, each (type, successes, failures, details)."""
    expect_equal(set(report), {"organization-name", "date-range", "contact-info", "report-id", "policies"}, "members")
    for name in ("organization-name", "contact-info", "report-id"):
        expect(isinstance(report[name], str) and report[name], name)
    begin, end = (is_a_date(report["date-range"][f"{w}-datetime"]) for w in ("start", "end"))
    expect_equal((begin.hour, begin.minute, begin.second, (end - begin).total_seconds()), (0, 0, 0, 86399), "a day, UTC")
    found = []
    for p in report["policies"]:
        expect(set(p) <= {"policy", "summary", "failure-details"}, p)
        expect_equal(set(p["summary"]), {"total-successful-session-count", "total-failure-session-count"}, "summary")
        expect(all(isinstance(n, int) for n in p["summary"].values()), p)
        expect(set(p["policy"]) <= {"policy-type", "policy-string", "policy-domain", "mx-host"}, p)
        expect(p["policy"]["policy-type"] in ("tlsa", "sts", "no-policy-found"), p)
        expect(all(isinstance(s, str) for s in p["policy"].get("policy-string", [])), p)
        expect_equal(p["policy"]["policy-domain"], domain)
        details = p.get("failure-details", [])
        for d in details:
            expect({"result-type", "failed-session-count"} <= set(d) <= {"result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-ip",
                                                                       "failed-session-count", "failure-reason-code"}, d)
        expect_equal(sum(d["failed-session-count"] for d in details), p["summary"]["total-failure-session-count"], "failures")
        found.append((p["policy"]["policy-type"], *(p["summary"][f"total-{w}-session-count"] for w in ("successful", "failure")), p))
    return found


def tomorrow():
    """Seconds until five in the morning, UTC, when the reports of today are out."""
    now = time.time()
    return int((now // 86400 + 1) * 86400 + 5 * 3600 - now)


def report_in(message):
    parsed = email.message_from_bytes(message["data"].encode(), policy=email.policy.default)
    expect_equal((parsed.get_content_type(), parsed.get_param("report-type")), ("multipart/report", "tlsrpt"))
    text, attached = parsed.iter_parts()
    expect_equal((text.get_content_type(), attached.get_content_type()), ("text/plain", "application/tlsrpt+gzip"))
    return parsed, json.loads(gzip.decompress(attached.get_payload(decode=True)))


@test(seconds=240)
def tls_reports_say_what_happened(world):
    """By HTTPS and by mail, on the day after; the mail is signed by the domain that it says it is from."""
    wrong = world.network.authority.certificate("mx.somewhere.test")
    good = adversary(world, "good.test", "good")
    posted = adversary(world, "rptpost.test", "good", sts="enforce", signed=False)
    mailed = adversary(world, "rptmail.test", "good", sts="enforce", signed=False, certificate=wrong, rua="mailto:reports@good.test")
    dane = adversary(world, "rptdane.test", "good", dane="bad", rua="mailto:reports@good.test")
    for n in range(2):  # with connections of their own
        submit(world, ["x@rptpost.test"], f"counted {n}")
        wait_until(lambda n=n: len(posted.taken()) == n + 1, SECONDS, "mail to rptpost.test")
        time.sleep(3.5)
    for domain in ("rptmail.test", "rptdane.test"):
        submit(world, [f"x@{domain}"], "counted")
        wait_until(lambda d=domain: (r := waits(world, f"x@{d}")) and "TLS" in r["reason"], SECONDS, f"a reason for {domain}")
        world.house.gatepost("queue", "remove", "--domain", domain)
    counts = {a: a.handshakes() for a in (posted, mailed, dane)}
    day = datetime.datetime.utcnow().strftime("%Y-%m-%d")
    world.house.stop()
    ahead, then = tomorrow(), time.time() + tomorrow()
    os.environ["GATEPOST_CLOCK_AHEAD"] = str(ahead)
    try:
        world.house.start()
        [report] = wait_until(posted.reports, 90, "a report by HTTPS")

        def mail_about(domain):
            return next((t for t in good.taken() if f"TLS-Report-Domain: {domain}\r\n" in t["data"]), None)

        mails = {d: wait_until(lambda d=d: mail_about(d), 90, f"the report about {d}") for d in ("rptmail.test", "rptdane.test")}
        for data in (m["data"].encode() for m in mails.values()):
            with mock.patch("time.time", lambda: then + 3600):
                is_signed(world, data, "example.test", tlsrpt=True)
    finally:
        world.house.stop()
        del os.environ["GATEPOST_CLOCK_AHEAD"]
        world.house.start()
    expect_equal(report["type"], "application/tlsrpt+gzip")
    expect_equal(report["report"]["date-range"]["start-datetime"], f"{day}T00:00:00Z")
    [(kind, successes, failures, policy)] = check_report(report["report"], "rptpost.test")
    expect_equal((kind, successes, failures), ("sts", counts[posted], 0))
    expect_equal(policy["policy"]["policy-string"], ["version: STSv1", "mode: enforce", "mx: mx.rptpost.test"])
    expect_equal(policy["policy"]["mx-host"], ["mx.rptpost.test"])
    for domain, server, kind, result in (("rptmail.test", mailed, "sts", "certificate-host-mismatch"),
                                         ("rptdane.test", dane, "tlsa", "validation-failure")):
        parsed, report = report_in(mails[domain])
        expect_equal((parsed["From"].addresses[0].addr_spec, parsed["TLS-Report-Submitter"]), ("postmaster@example.test", "example.test"))
        expect_equal(mails[domain]["sender"], "")
        [(got, successes, failures, policy)] = check_report(report, domain)
        expect_equal((got, successes, failures), (kind, 0, counts[server]))
        expect_equal({d["result-type"] for d in policy["failure-details"]}, {result})
        expect_equal({d["receiving-mx-hostname"] for d in policy["failure-details"]}, {f"mx.{domain}"})
    return f"{sum(counts.values())} handshakes"


# --- who is in the middle ---------------------------------------------------------------------------------------------


def is_kept_back(world, domain, how, words, **more):
    """A message must not go there, and the queue says why."""
    evil = adversary(world, domain, how, **more)
    submit(world, [f"x@{domain}"], f"for {domain}")
    row = wait_until(lambda: (r := waits(world, f"x@{domain}")) and any(w in json.dumps(r).lower() for w in words) and r, SECONDS,
                     f"a reason for {domain}")
    expect(not evil.taken(), "it was given to", domain)
    return row


@test
def dane_with_another_key(world):
    is_kept_back(world, "danebad.test", "good", ["tlsa", "dane"], dane="bad")


@test
def dane_and_no_starttls(world):
    is_kept_back(world, "danestrip.test", "stripped", ["starttls", "tls"], dane="good")


@test
def sts_and_no_starttls(world):
    is_kept_back(world, "ststrip.test", "stripped", ["starttls", "tls"], sts="enforce", signed=False)


@test
def sts_with_a_wrong_certificate(world):
    other = world.network.authority.certificate("mx.somewhere.test")
    is_kept_back(world, "stswrong.test", "good", ["hostname", "certificate"], sts="enforce", signed=False, certificate=other)


@test
def sts_that_holds(world):
    good = adversary(world, "stsgood.test", "good", sts="enforce", signed=False)
    submit(world, ["x@stsgood.test"], "by policy")
    [got] = wait_until(good.taken, SECONDS, "mail to stsgood.test")
    expect(got["tls"], got)


@test
def a_name_with_broken_signatures(world):
    broken = adversary(world, "bogus.test", "good")
    world.zones.add_domain("bogus.test", mx=[(10, "mx")], addresses={"mx": [broken.host.ipv4]}, broken="wrong-ds")
    world.zones.reload()
    submit(world, ["x@bogus.test"], "to a bogus name")
    wait_until(lambda: waits(world, "x@bogus.test") and waits(world, "x@bogus.test").get("reason"), SECONDS, "a reason")
    expect(not broken.taken(), "mail went to a name with broken signatures")


# --- who behaves badly ------------------------------------------------------------------------------------------------


@test
def greylisted_and_tried_again(world):
    grey = adversary(world, "grey.test", "greylist")
    submit(world, ["x@grey.test"], "again, please")
    wait_until(lambda: waits(world, "x@grey.test"), SECONDS, "a wait")
    time.sleep(2.5)
    world.house.gatepost("queue", "retry", "--domain", "grey.test")
    wait_until(grey.taken, SECONDS, "mail to grey.test")


@test
def the_dead_do_not_hold_up_the_living(world):
    for domain, how in (("silent.test", "silent"), ("tarpit.test", "tarpit"), ("endless.test", "endless"), ("garbage.test", "garbage"),
                        *((f"d{n}.test", f"drop-{n}") for n in ("connect", "ehlo", "mail", "rcpt", "data"))):
        adversary(world, domain, how)
        submit(world, [f"x@{domain}"], "anybody there?")
    good = adversary(world, "good.test", "good")
    begin = time.monotonic()
    submit(world, ["quick@good.test"], "quick")
    wait_until(lambda: any("quick@good.test" in t["recipients"] for t in good.taken()), 10, "mail past the dead")
    for domain in ("ddata.test", "garbage.test"):
        wait_until(lambda d=domain: waits(world, f"x@{d}"), SECONDS, f"a row for {domain}")
    return f"{time.monotonic() - begin:.1f} s past eleven of them"


@test
def an_unknown_mailbox_comes_back(world):
    adversary(world, "refuse.test", "refuse")
    submit(world, ["nobody@refuse.test"], "is anybody there")
    found = wait_until(lambda: [m for m in world.house.mail() if b"nobody@refuse.test" in m and b"multipart/report" in m], SECONDS, "a notice")
    notice = email.message_from_bytes(found[0], policy=email.policy.default)
    parts = [p.get_content_type() for p in notice.iter_parts()]
    expect_equal(parts, ["text/plain", "message/delivery-status", "message/rfc822"])
    status = notice.get_payload(1).get_payload()
    expect_equal((status[1]["Action"], status[1]["Status"], status[1]["Final-Recipient"]), ("failed", "5.1.1", "rfc822;nobody@refuse.test"))
    expect("nobody of that name here" in status[1]["Diagnostic-Code"], status[1])
    expect_equal(notice["Return-Path"], "<>")


@test
def no_such_domain_comes_back(world):
    submit(world, ["x@nowhere.invalid"], "into the void")
    wait_until(lambda: [m for m in world.house.mail() if b"x@nowhere.invalid" in m and b"multipart/report" in m], SECONDS, "a notice")


# --- through a relay --------------------------------------------------------------------------------------------------


@test
def a_domain_whose_mail_goes_through_a_relay(world):
    """[relay provider] has the domain relayed.test: its senders' mail goes there, signed in, over DANE; others' does not."""
    world.house.gatepost("domain", "add", "relayed.test")
    world.house.add_account("rita@relayed.test")
    good = adversary(world, "good.test", "good")
    relay = world.relay("provider.test", "us", "open sesame", dane="good")
    submit(world, ["one@good.test", "two@plain.test"], "by relay", sender="rita@relayed.test")
    got = wait_until(lambda: [t for t in relay.taken() if "Subject: by relay\r\n" in t["data"]], SECONDS, "mail at the relay")
    expect_equal([(t["user"], t["tls"], t["sender"], sorted(t["recipients"])) for t in got],
                 [("us", True, "rita@relayed.test", ["one@good.test", "two@plain.test"])])
    submit(world, ["three@good.test"], "not by relay")
    wait_until(lambda: any("three@good.test" in t["recipients"] for t in good.taken()), SECONDS, "mail past the relay")
    log = world.house.log()
    expect('destination="relay provider" route=relay' in log, "the log does not name the relay")
    expect("dane" in next(line for line in log.splitlines() if 'destination="relay provider"' in line), "DANE was not looked for")
    expect(not any("one@good.test" in t["recipients"] for t in good.taken()), "it went past the relay")
    expect(not any("three@good.test" in t["recipients"] for t in relay.taken()), "it went by the relay")


@test
def a_relay_that_shows_another_key(world):
    """Its TLSA records do not know it: it gets neither mail nor password, and the queue says by which way it should go."""
    world.house.gatepost("domain", "add", "wary.test")
    world.house.add_account("wanda@wary.test")
    relay = world.relay("evil.test", "us", "open sesame", dane="bad")
    submit(world, ["x@good.test"], "to a liar", sender="wanda@wary.test")
    row = wait_until(lambda: (r := waits(world, "x@good.test")) and "dane" in r["reason"] and r, SECONDS, "a reason")
    expect_equal((row["destination"], row["route"]), ("relay wary", "mx.evil.test (relay wary)"))
    expect_equal(relay.taken(), [])
    [found] = world.house.json("queue", "list", "--domain", "good.test")  # others of earlier tests wait, too
    expect_equal([r["recipient"] for r in queued(world, next(iter(found.values())))["recipients"]], ["x@good.test"])
    world.house.gatepost("queue", "remove", "--domain", "good.test")


# --- the house itself -------------------------------------------------------------------------------------------------


@test
def not_in_the_name_of_others(world):
    world.house.add_account("mallory@example.test")
    for sender, author in ((ALICE, "mallory@example.test"), ("mallory@example.test", ALICE), ("mallory@example.test", "boss@exim.test")):
        with world.house.inside():
            client = smtplib.SMTP_SSL("127.0.0.1", 465, local_hostname="laptop", timeout=60, context=trusting())
        with client:
            client.login("mallory@example.test", world.house.passwords["mallory@example.test"])
            try:
                client.sendmail(sender, ["x@good.test"], f"From: {author}\r\nSubject: fake\r\n\r\nx\r\n")
            except smtplib.SMTPSenderRefused as e:
                code = e.smtp_code
            except smtplib.SMTPDataError as e:
                code = e.smtp_code
            else:
                code = 250
            expect_equal(code, 250 if (sender, author) == ("mallory@example.test",) * 2 else 550, f"{sender} as {author}")


@test
def mail_within_the_house(world):
    world.house.add_account("carol@example.test")
    submit(world, ["carol@example.test", ALICE], "among us", header="Bcc: secret@example.test\r\n")
    got = wait_until(lambda: [m for m in world.house.mail("carol@example.test") if b"among us" in m], SECONDS, "mail to carol")[0]
    expect(b"Bcc" not in got and b"Message-ID:" in got and b"Date:" in got, got)


@test
def an_alias_that_leaves_the_house(world):
    good = adversary(world, "good.test", "good")
    world.house.gatepost("alias", "add", "away@example.test", "moved@good.test")
    expect("leav" in world.house.gatepost("alias", "list").stdout.lower(), world.house.gatepost("alias", "list").stdout)
    with world.house.inside():
        world.house.deliver(b"From: x@client.example\r\nSubject: forwarded\r\n\r\nhello\r\n", "away@example.test")
    got = wait_until(lambda: [t for t in good.taken() if "moved@good.test" in t["recipients"]], SECONDS, "the forwarded message")[0]
    expect("Subject: forwarded" in got["data"], got)


# --- forwarded mail is sealed (ARC) -----------------------------------------------------------------------------------


class Signer:
    """A domain with a key of its own, and what dkimpy signs with it."""

    def __init__(self, world, domain):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(65537, 1024)
        self.private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                         serialization.NoEncryption())
        public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.domain, self.record = domain, "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
        world.zones.add_domain(domain, txt={"sel._domainkey": [self.record]})
        world.zones.reload()

    def sign(self, message):
        return dkim.sign(message, b"sel", self.domain.encode(), self.private, include_headers=[b"From", b"Subject"]) + message

    def seal(self, message):
        mine = f"Authentication-Results: {self.domain}; dkim=pass header.d=author.test\r\n".encode() + message
        return b"".join(dkim.arc_sign(mine, b"sel", self.domain.encode(), self.private, self.domain.encode())) + mine


def forwarded_from_afar(world, subject, change=lambda message: message):
    """What Exim gets of a message that an author signed, a list sealed, Postfix sent, and our alias sent on; and a way to all keys."""
    if dkim is None:
        raise Skip("python3-dkim is not installed")
    postfix, exim_ = neighbour(world, mtas.Postfix, "postfix.test", dane="good"), neighbour(world, mtas.Exim, "exim.test")
    if "author.test" not in held:
        held["author.test"], held["list.test"] = Signer(world, "author.test"), Signer(world, "list.test")
        world.house.gatepost("alias", "add", "far@example.test", "bob@exim.test")
    author, list_ = held["author.test"], held["list.test"]
    text = (f"Authentication-Results: mail.example.test; spf=pass; dmarc=pass\r\nFrom: Ann <ann@author.test>\r\nTo: far@example.test\r\n"
            f"Subject: {subject}\r\nDate: Tue, 24 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{time.time()}@author.test>\r\n\r\nhello\r\n").encode()
    postfix.send("bounces@list.test", ["far@example.test"], change(list_.seal(author.sign(text))).decode())
    got = arrives(lambda: exim_.mail("bob"), subject, "the forwarded message").replace("\r\n", "\n").replace("\n", "\r\n").encode()
    records = {r["name"].rstrip("."): r["value"] for r in world.house.json("domain", "dns", "example.test") if r["type"] == "TXT"}
    records.update({f"sel._domainkey.{s.domain}": s.record for s in (author, list_)})
    return got, lambda name, **_: records.get(name.decode().rstrip("."), "").encode() or None


def results_of_ours(got):
    """The set's ARC-Authentication-Results of instance 2, unfolded."""
    [found] = [" ".join(v.split()) for k, v in email.message_from_bytes(got).items()
               if k == "ARC-Authentication-Results" and v.lstrip().startswith("i=2;")]
    return found


@test
def a_chain_goes_on_through_an_alias(world):
    got, ask = forwarded_from_afar(world, "sealed twice")
    status, sets, why = dkim.arc_verify(got, dnsfunc=ask)
    expect_equal((status, [s["instance"] for s in sets]), (b"pass", [2, 1]), why)
    expect_equal((sets[0]["cv"], sets[0]["as-domain"], sets[0]["ams-valid"]), (b"pass", b"example.test", True))
    expect(dkim.verify(got, dnsfunc=ask), "the author's signature did not outlive the alias")
    results = results_of_ours(got)
    for part in ("i=2; mail.example.test; dkim=pass header.d=author.test header.s=sel", "; arc=pass header.oldest-pass=0 smtp.remote-ip="):
        expect(part in results, part, "is not in", results)
    expect("spf" not in results and "dmarc" not in results, "it claims what nobody checked:", results)
    header = email.message_from_bytes(got)
    claims = header.get_all("Authentication-Results")
    expect_equal(len(claims), 1, claims)
    names = [k for k in header.keys() if k.startswith("ARC-") or k == "Received"]
    at = names.index("ARC-Seal")
    expect_equal(names[at:at + 4], ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results", "Received"], names)


@test
def a_broken_chain_is_said_to_be_one(world):
    got, ask = forwarded_from_afar(world, "broken", change=lambda m: m.replace(b"hello", b"hallo"))
    status, sets, why = dkim.arc_verify(got, dnsfunc=ask)
    expect_equal((status, sets[0]["cv"], sets[0]["ams-valid"]), (None, b"fail", True), why)
    results = results_of_ours(got)
    for part in ('dkim=fail reason="body hash did not verify" header.d=author.test', '; arc=fail reason="body hash did not verify"'):
        expect(part in results, part, "is not in", results)
    # RFC 8617 §5.1.2: the seal covers its own set alone
    parts = got.split(b"ARC-Authentication-Results: i=2;", 1)
    own = dkim.ARC(parts[0] + b"ARC-Authentication-Results: i=2;" + parts[1].replace(b"ARC-", b"X-ARC-"))
    alone = own.verify_instance(own.sorted_arc_headers()[1], 2, dnsfunc=ask)
    expect(alone["as-valid"], alone)


@test
def a_key_that_cannot_be_had_breaks_the_chain_and_loses_nothing(world):
    """The list's domain is delegated to where nobody is: RFC 8617 §5.2.1 leaves no "later"."""
    forwarded_from_afar(world, "still there")
    world.zones.add_domain("list.test", server="192.0.2.77")
    world.zones.reload()
    world.house.stop()
    world.house.start()  # its cache had the key
    got, _ = forwarded_from_afar(world, "nobody knows")
    results = results_of_ours(got)
    expect("dkim=pass header.d=author.test" in results and '; arc=fail reason="key cannot be had now"' in results, results)


@test
def nothing_is_lost_when_killed(world):
    good = adversary(world, "good.test", "good")
    count = 40 if not full else 400
    for n in range(count):
        submit(world, [f"k{n}@good.test"], f"killed {n}")
        if n % 10 == 9:
            world.house.kill()
            world.house.start()
    for _ in range(3):
        world.house.gatepost("queue", "retry", "--all")
    wait_until(lambda: {r for t in good.taken() for r in t["recipients"]} >= {f"k{n}@good.test" for n in range(count)}, 60, "all of them")


def make_world():
    PACKAGES.mkdir(parents=True, exist_ok=True)
    world = World(settings=RELAYS, packages=PACKAGES)
    try:
        password = world.house.data / "provider.password"
        password.write_text("open sesame\n")
        password.chmod(0o644)
        world.start()
    except BaseException:
        world.close()
        raise
    return world


if __name__ == "__main__":
    try:
        network.Network(PACKAGES if PACKAGES.exists() else None).close()
        zones.program("nsd")
    except (network.Impossible, zones.Missing) as reason:
        print(f"skip internet: {reason}")
        sys.exit(0)
    run_tests(make_world)
