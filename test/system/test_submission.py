#!/usr/bin/python3
"""Submission on 465 and 587 with programs that know nothing of us (smtplib, curl, swaks), up to the letterbox of a recipient here."""

import base64
import email
import re
import shutil
import smtplib
import subprocess
import tempfile
import time
from pathlib import Path

import prelude  # noqa: F401

import wire
from harness import Skip, expect, expect_equal, run_tests, test, wait_until
from instance import Instance

ARRIVAL_SECONDS = 30


def make_server():
    server = Instance(settings={("limits", "submit_hold"): 3600})
    for name in ("bob", "carol"):
        server.add_account(f"{name}@{server.domain}")
    server.gatepost("alias", "add", "info@example.test", "alice@example.test")
    server.gatepost("alias", "add", "both@example.test", "alice@example.test", "bob@example.test")
    return server


def address(server, name):
    return f"{name}@{server.domain}"


def submit(server, name="alice", secure="tls", sign_in=True):
    """A client of smtplib, signed in."""
    context = wire.tls_context()
    if secure == "tls":
        client = smtplib.SMTP_SSL("127.0.0.1", server.submissions, local_hostname="laptop.lan", context=context, timeout=60)
    else:
        client = smtplib.SMTP("127.0.0.1", server.submission, local_hostname="laptop.lan", timeout=60)
        client.starttls(context=context)
    if sign_in:
        client.login(address(server, name), server.passwords[address(server, name)])
    return client


def text(subject, sender="alice@example.test", to="bob@example.test", more=""):
    return f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n{more}\r\nHello\r\n"


def arrived(server, name, subject, seconds=ARRIVAL_SECONDS):
    """The message with that subject in the account's INBOX, as it came."""
    deadline = time.monotonic() + seconds
    while True:
        with server.imap_client(address(server, name), select="INBOX") as c:
            found = c.ok(f'SEARCH SUBJECT "{subject}"').one(rb"SEARCH ?(.*)").group(1).split()
            if found:
                expect_equal(len(found), 1, f"how many of {subject}")
                return email.message_from_bytes(c.fetch_message(int(found[0])))
        expect(time.monotonic() < deadline, f"{subject} did not arrive at {name}; the log:\n{server.log_tail()}")
        time.sleep(0.1)


def refused(client, code, status, call, *arguments, **named):
    """The call is refused with that code and enhanced status."""
    try:
        got = call(*arguments, **named)
    except smtplib.SMTPRecipientsRefused as e:
        got = next(iter(e.recipients.values()))
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError, smtplib.SMTPAuthenticationError) as e:
        got = (e.smtp_code, e.smtp_error)
    expect_equal(got[0], code, f"the code of {got}")
    expect(got[1].startswith(status.encode()), "the status of", got)


@test
def a_message_goes_from_465_and_587_to_a_letterbox(server):
    for secure in ("tls", "starttls"):
        subject = f"hello by {secure}"
        with submit(server, secure=secure) as client:
            client.sendmail("alice@example.test", ["bob@example.test"], text(subject, more="Bcc: carol@example.test\r\n"))
        message = arrived(server, "bob", subject)
        trace = message.get_all("Received")[-1]
        expect("ESMTPSA" in trace, "the trace:", trace)
        expect("127.0.0.1" not in str(message) and "laptop.lan" not in str(message), "where it was sent from is told:\n" + str(message))
        expect(message["Bcc"] is None, "Bcc was left")
        expect(message["Date"] is not None and message["Message-ID"] is not None, "not completed:\n" + str(message))
        expect_equal(message["Return-Path"], "<alice@example.test>")


@test
def what_is_offered(server):
    with submit(server, sign_in=False) as client:
        client.ehlo()
        for extension in ("pipelining", "8bitmime", "binarymime", "chunking", "smtputf8", "dsn", "deliverby", "requiretls", "enhancedstatuscodes", "size"):
            expect(client.has_extn(extension), extension, "is missing in", client.esmtp_features)
        expect_equal(client.esmtp_features["auth"].split(), ["PLAIN", "LOGIN"])
        expect(re.fullmatch(r"3600 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", client.esmtp_features["futurerelease"]), client.esmtp_features)
    with smtplib.SMTP("127.0.0.1", server.submission, timeout=60) as client:
        client.ehlo()
        expect(not client.has_extn("auth") and not client.has_extn("requiretls") and client.has_extn("starttls"), client.esmtp_features)


@test
def nothing_goes_without_a_sign_in(server):
    with submit(server, sign_in=False) as client:
        client.ehlo()
        refused(client, 530, "5.7.0", client.sendmail, "alice@example.test", ["bob@example.test"], text("no"))
    with smtplib.SMTP("127.0.0.1", server.submission, timeout=60) as client:
        client.ehlo()
        refused(client, 530, "5.7.0", client.docmd, "MAIL", "FROM:<alice@example.test>")
        secret = base64.b64encode(b"\0alice@example.test\0" + server.password.encode()).decode()
        refused(client, 538, "5.7.11", client.docmd, "AUTH", "PLAIN " + secret)
    with submit(server, sign_in=False) as client:
        client.ehlo()
        refused(client, 535, "5.7.8", client.login, "alice@example.test", "wrong horse")
        refused(client, 530, "5.7.0", client.docmd, "MAIL", "FROM:<alice@example.test>")


@test
def every_mechanism_signs_in(server):
    for method in ("auth_plain", "auth_login"):
        for initial in (True, False):
            with submit(server, sign_in=False) as client:
                client.ehlo()
                client.user, client.password = "alice@example.test", server.password
                code, _ = client.auth(method[5:].upper(), getattr(client, method), initial_response_ok=initial)
                expect_equal(code, 235, f"{method} {initial}")


@test
def nobody_sends_as_another(server):
    with submit(server) as client:
        for sender in ("bob@example.test", "both@example.test", "postmaster@example.test", "nobody@example.test", "alice@elsewhere.example"):
            refused(client, 550, "5.7.1", client.sendmail, sender, ["bob@example.test"], text("as another", sender))
            refused(client, 550, "5.7.1", client.sendmail, "alice@example.test", ["bob@example.test"], text("as another", sender))
        for field in ("Resent-From", "Resent-Sender"):
            again = text("again by another", "alice@example.test").replace("From:", f"{field}: bob@example.test\r\nFrom:", 1)
            refused(client, 550, "5.7.1", client.sendmail, "alice@example.test", ["bob@example.test"], again)
        again = text("again", "alice@example.test").replace("From:", "Resent-From: info@example.test\r\nFrom:", 1)
        client.sendmail("alice@example.test", ["bob@example.test"], again)
        expect_equal(arrived(server, "bob", "again")["Resent-From"], "info@example.test")
        for sender in ("alice@example.test", "alice+tag@example.test", "info@example.test"):
            client.sendmail(sender, ["bob@example.test"], text(f"as {sender}", sender))
            expect_equal(arrived(server, "bob", f"as {sender}")["From"], sender)
        refused(client, 550, "5.1.1", client.sendmail, "alice@example.test", ["nobody@example.test"], text("to nobody"))


@test
def rights_are_granted_shown_and_taken_back(server):
    server.gatepost("account", "grant-send", "both@example.test", "--to", "carol@example.test")
    server.gatepost("account", "grant-send", "bob@example.test", "--to", "carol@example.test", "--on-behalf")
    shown = server.json("account", "show", "carol@example.test")
    expect_equal((shown["sends_as"], shown["sends_on_behalf_of"]), (["both@example.test"], ["bob@example.test"]))
    shown = server.gatepost("account", "show", "carol@example.test").stdout
    expect(re.search(r"on behalf of +bob@example\.test\nsends as +both@example\.test\n", shown), shown)
    with submit(server, "carol") as client:
        client.sendmail("both@example.test", ["alice@example.test"], text("in the name of both", "both@example.test"))
        client.sendmail("bob@example.test", ["alice@example.test"], text("on behalf of bob", "bob@example.test"))
        message = arrived(server, "alice", "in the name of both")
        expect_equal((message["From"], message["Sender"]), ("both@example.test", None))
        message = arrived(server, "alice", "on behalf of bob")
        expect_equal(message["From"], "bob@example.test")
        expect("carol@example.test" in (message["Sender"] or ""), "Sender is", message["Sender"])
    server.gatepost("account", "revoke-send", "both@example.test", "--to", "carol@example.test")
    server.gatepost("account", "revoke-send", "bob@example.test", "--to", "carol@example.test", "--on-behalf")
    with submit(server, "carol") as client:
        for sender in ("both@example.test", "bob@example.test"):
            refused(client, 550, "5.7.1", client.sendmail, sender, ["alice@example.test"], text("no more", sender))
    expect(server.gatepost("account", "revoke-send", "bob@example.test", "--to", "carol@example.test", check=False).returncode == 1, "revoked twice")
    expect(server.gatepost("account", "grant-send", "bob@example.test", check=False).returncode == 2, "granted to nobody")
    ledger = (server.data / "ledger/ledger.log").read_text()
    expect_equal((ledger.count(" send.grant "), ledger.count(" send.revoke ")), (2, 2), "in the ledger")


@test
def an_alias_out_of_the_house_is_shown(server):
    server.gatepost("alias", "add", "away@example.test", "alice@example.test", "Some.One@bücher.example")
    rows = {row["alias"]: row for row in server.json("alias", "list")}
    expect_equal(rows["away@example.test"], {"alias": "away@example.test", "targets": ["alice@example.test", "Some.One@bücher.example"],
                                             "leaves": ["Some.One@bücher.example"]})
    expect_equal(rows["info@example.test"]["leaves"], [])
    expect("leaves=1" in (server.data / "ledger/ledger.log").read_text(), "not in the ledger")


@test
def a_message_leaves_the_house_and_stays(server):
    server.gatepost("alias", "add", "forward@example.test", "carol@example.test", "someone@elsewhere.invalid")
    server.deliver(text("to be forwarded", "from@client.example", "forward@example.test").encode(), "forward@example.test", sender="from@client.example")
    expect_equal(arrived(server, "carol", "to be forwarded")["From"], "from@client.example")
    wait_until(lambda: "elsewhere.invalid" in server.log(), ARRIVAL_SECONDS, "the courier's try")


@test
def a_message_is_held_and_then_let_go(server):
    with submit(server) as client:
        refused(client, 501, "5.5.4", client.sendmail, "alice@example.test", ["bob@example.test"], text("too long"), mail_options=["HOLDFOR=3601"])
        client.sendmail("alice@example.test", ["bob@example.test"], text("later"), mail_options=["HOLDFOR=4"])
    began = time.monotonic()
    arrived(server, "bob", "later")
    expect(time.monotonic() - began > 2, "it was not held")


@test
def in_chunks_and_with_utf8(server):
    with submit(server) as client:
        body = text("chunks \u00fc").encode()
        expect_equal(client.docmd("MAIL", "FROM:<alice@example.test> BODY=8BITMIME SMTPUTF8")[0], 250)
        expect_equal(client.docmd("RCPT", "TO:<bob@example.test>")[0], 250)
        client.send(f"BDAT {len(body)} LAST\r\n".encode() + body)
        code, words = client.getreply()
        expect_equal(code, 250, words)
    wait_until(lambda: "UTF8SMTPSA" in str(arrived(server, "bob", "chunks")), ARRIVAL_SECONDS, "the trace")


@test
def curl_and_swaks_submit(server):
    if not shutil.which("curl") or not shutil.which("swaks"):
        raise Skip("curl or swaks is missing")
    with tempfile.TemporaryDirectory() as folder:
        letter = Path(folder) / "letter"
        letter.write_text(text("by curl"))
        subprocess.run(["curl", "-sS", "--cacert", str(server.data / "tls/cert.pem"), "--resolve", f"mail.example.test:{server.submissions}:127.0.0.1",
                        f"smtps://mail.example.test:{server.submissions}", "--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test",
                        "-u", f"alice@example.test:{server.password}", "-T", str(letter)], check=True, timeout=100)
        arrived(server, "bob", "by curl")
        for mechanism in ("PLAIN", "LOGIN"):
            done = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(server.submission), "--tls", "--auth", mechanism, "--auth-user", "alice@example.test",
                                   "--auth-password", server.password, "--from", "alice@example.test", "--to", "bob@example.test",
                                   "--header", f"Subject: by swaks {mechanism}"], capture_output=True, text=True, timeout=100)
            expect_equal(done.returncode, 0, done.stdout)
            arrived(server, "bob", f"by swaks {mechanism}")


@test
def guessing_gets_slower_and_ends(server):
    with submit(server, sign_in=False) as client:
        client.ehlo()
        began, codes = time.monotonic(), []
        for n in range(5):
            secret = base64.b64encode(f"\0carol@example.test\0guess {n}".encode()).decode()
            codes.append(client.docmd("AUTH", "PLAIN " + secret)[0])
        expect_equal(codes, [535] * 5)
        expect_equal(client.getreply()[0], 421)
        expect(time.monotonic() - began > 5, "five guesses took", time.monotonic() - began)


@test
def an_instance_without_these_ports_goes_on_without(server):
    lines = [line for line in server.config.read_text().splitlines() if not re.match(r"submissions? =", line)]
    server.stop()
    server.config.write_text("\n".join(lines) + "\n")
    server.start()
    for port in (server.submissions, server.submission, 465, 587):
        try:
            smtplib.SMTP("127.0.0.1", port, timeout=5).close()
        except OSError:
            continue
        raise AssertionError(f"somebody listens at {port}")


if __name__ == "__main__":
    run_tests(make_server)
