#!/usr/bin/python3
"""Programs that know nothing of us: swaks, smtp-source, curl, mbsync, offlineimap, neomutt, fetchmail."""

import mailbox
import os
import re
import shutil
import time

import prelude  # noqa: F401

import messages
from harness import Skip, expect, expect_equal, full, run_tests, test, wait_until
from instance import ROOT, Instance
from programs import mbsync, mbsync_config, modified_utf7, need, run, without_trace

BOB = "bob@example.test"
CAROL = "carol@example.test"
DAN = "dan@example.test"
TREE_MESSAGES = 10_000 if full else 1_000
SOURCE_MESSAGES = 10_000 if full else 2_000
FOLDERS = ["INBOX", "Archive/2024", "Archive/2025", "Lists/friends", "Lists/work", "Receipts", "日本語"]


def make_server():
    server = Instance()
    for account in (BOB, CAROL, DAN):
        server.add_account(account)
    return server


def smtp_source():
    """The command of smtp-source, installed or unpacked by ./check."""
    found = shutil.which("smtp-source")
    if found:
        return [found], {}
    unpacked = ROOT / "build/tools/postfix"
    if not (unpacked / "usr/sbin/smtp-source").exists():
        raise Skip("smtp-source is not there")
    return [str(unpacked / "usr/sbin/smtp-source")], {"LD_LIBRARY_PATH": str(unpacked / "usr/lib/postfix")}


def count(server, address, words="ALL"):
    with server.imap_client(address, select="INBOX") as c:
        return len(c.ok(f"UID SEARCH {words}").one(rb"^\* SEARCH ?(.*)").group(1).split())


@test
def swaks(server):
    need("swaks")
    base = ["swaks", "--server", "127.0.0.1", "--port", server.smtp, "--from", "s@client.example", "--helo", "client.example"]
    run(*base, "--to", server.address, "--header", "Subject: swaks plain")
    run(*base, "--to", server.address, "--header", "Subject: swaks tls", "--tls")
    run(*base, "--to", f"{server.address},{BOB}", "--header", "Subject: swaks pipeline", "--pipeline")
    run(*base, "--to", server.address, "--header", "Subject: swaks attached", "--attach-type", "text/plain", "--attach", "hello")
    refused = run(*base, "--to", "nobody@example.test", check=False)
    expect(refused.returncode != 0 and b"550 5.1.1" in refused.stdout, refused.stdout)
    expect_equal(count(server, server.address, "SUBJECT swaks"), 4)
    expect_equal(count(server, BOB, "SUBJECT swaks"), 1)


@test
def curl(server):
    need("curl")
    letter = server.folder / "letter"
    letter.write_bytes(messages.short("curl sent"))
    run("curl", "-sS", "--ssl-reqd", "-k", f"smtp://127.0.0.1:{server.smtp}/client.example", "--mail-from", "c@client.example",
        "--mail-rcpt", server.address, "-T", letter)
    user = f"{server.address}:{server.password}"
    imaps = f"imaps://127.0.0.1:{server.imaps}"
    listed = run("curl", "-sS", "-k", "-u", user, f"{imaps}/", "-X", 'LIST "" "*"').stdout
    expect(b"INBOX" in listed, listed)
    found = run("curl", "-sS", "-k", "-u", user, f"{imaps}/INBOX?SUBJECT%20%22curl%20sent%22").stdout.split()
    expect_equal(len(found), 3, "* SEARCH n")
    got = run("curl", "-sS", "-k", "-u", user, f"{imaps}/INBOX;MAILINDEX={found[2].decode()}").stdout
    expect(got.endswith(messages.short("curl sent")), got)
    run("curl", "-sS", "-k", "-u", user, "-T", letter, f"{imaps}/Drafts")
    got = run("curl", "-sS", "--ssl-reqd", "-k", "-u", user, f"imap://127.0.0.1:{server.imap}/Drafts;MAILINDEX=1").stdout
    expect_equal(got, messages.short("curl sent"))
    plain = run("curl", "-sS", "-k", "-u", user, f"imap://127.0.0.1:{server.imap}/INBOX;MAILINDEX=1", check=False)
    expect(plain.returncode != 0, "curl could sign in without TLS")
    wrong = run("curl", "-sS", "-k", "-u", f"{server.address}:wrong", f"{imaps}/", check=False)
    expect_equal(wrong.returncode, 67, "curl with a wrong password")


@test(seconds=200)
def thousands_by_smtp_source(server):
    command, environment = smtp_source()
    before = count(server, BOB)
    start = time.monotonic()
    for options in (("-s", "10", "-m", str(SOURCE_MESSAGES // 2)), ("-s", "5", "-d", "-m", str(SOURCE_MESSAGES // 2))):
        run(*command, *options, "-l", "2000", "-f", "s@client.example", "-t", BOB, f"127.0.0.1:{server.smtp}", timeout=900, **environment)
    took = time.monotonic() - start
    # After so many a client is answered before all are taken in, and hears of the rest bit by bit.
    wait_until(lambda: count(server, BOB) - before == SOURCE_MESSAGES, 60)
    return f"{SOURCE_MESSAGES / took:.0f} messages a second"


@test(seconds=400)
def folder_tree_through_mbsync(server):
    need("mbsync")
    folder = server.folder / "mbsync"
    sent = {name: [] for name in FOLDERS}
    with server.imap_client(CAROL) as c, server.smtp_client() as s:
        for name in FOLDERS[1:]:
            c.ok(f'CREATE "{modified_utf7(name)}"')
        for n in range(TREE_MESSAGES):
            m = messages.message(n, 1)
            if n % 3 == 0:
                code, text = s.deliver("g@client.example", CAROL, m, " BODY=8BITMIME")
                expect_equal(code, 250, text)
                sent["INBOX"].append(m)
            else:
                name = FOLDERS[n % len(FOLDERS)]
                reply = c.command(f'APPEND "{modified_utf7(name)}" (\\Seen) ', m)
                expect_equal(reply.status, "OK", reply.text)
                sent[name].append(m)
    mbsync_config(server, CAROL, folder)
    start = time.monotonic()
    mbsync(folder)
    took = time.monotonic() - start
    total = 0
    for name in FOLDERS:
        found = {}
        for path in [p for sub in ("cur", "new") for p in (folder / "mail" / modified_utf7(name) / sub).iterdir()]:
            data = re.sub(rb"(?m)^X-TUID: [^\n]*\n", b"", path.read_bytes(), count=1).replace(b"\n", b"\r\n")
            data = without_trace(data) if name == "INBOX" else data
            found[data] = found.get(data, 0) + 1
            total += 1
        for m in sent[name]:
            expect_equal(found.get(m), 1, f"copies in {name} of {m[:300]!r}")
        expect_equal(len(found), len(sent[name]), f"messages in {name}")
    expect_equal(total, TREE_MESSAGES)
    # What is done here and there comes together, and a second run has nothing left to do.
    with server.imap_client(CAROL, select="Receipts") as c:
        c.ok("STORE 1 +FLAGS (\\Flagged)")
        c.ok("STORE 2 +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
    box = mailbox.Maildir(folder / "mail/Receipts", create=False)
    box.add(mailbox.MaildirMessage(messages.short("from the maildir").replace(b"\r\n", b"\n")))
    mbsync(folder)
    expect_equal(len(mailbox.Maildir(folder / "mail/Receipts", create=False)), len(sent["Receipts"]))
    with server.imap_client(CAROL, select="Receipts") as c:
        expect_equal(len(c.ok('UID SEARCH SUBJECT "from the maildir"').one(rb"SEARCH ?(.*)").group(1).split()), 1)
    before = sorted(p.name for p in (folder / "mail").rglob("*") if p.is_file())
    mbsync(folder)
    after = sorted(p.name for p in (folder / "mail").rglob("*") if p.is_file())
    expect_equal(after, before)
    return f"{TREE_MESSAGES} messages in {took:.1f} s"


@test
def offlineimap(server):
    program = shutil.which("offlineimap3") or need("offlineimap")
    folder = server.folder / "offlineimap"
    (folder / "mail").mkdir(parents=True)
    sent = [messages.message(n, 2) for n in range(60)]
    for m in sent:
        server.deliver(m, DAN, parameters=" BODY=8BITMIME")
    (folder / "rc").write_text(
        f"[general]\naccounts = a\nmetadata = {folder}/meta\nui = quiet\n[Account a]\nlocalrepository = l\nremoterepository = r\n"
        f"[Repository l]\ntype = Maildir\nlocalfolders = {folder}/mail\n[Repository r]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {server.imaps}\n"
        f"ssl = yes\nsslcacertfile = {server.data}/tls/cert.pem\nssl_version = tls1_2\nremoteuser = {DAN}\nremotepass = {server.passwords[DAN]}\n"
        "usecompression = no\n")
    fingerprint = run("openssl", "x509", "-in", server.data / "tls/cert.pem", "-noout", "-fingerprint", "-sha1").stdout.decode()
    text = (folder / "rc").read_text().replace("sslcacertfile = " + f"{server.data}/tls/cert.pem",
                                               "cert_fingerprint = " + fingerprint.partition("=")[2].strip().replace(":", "").lower())
    (folder / "rc").write_text(text)
    run(program, "-o", "-c", folder / "rc", home=folder)
    got = [p.read_bytes() for sub in ("cur", "new") for p in (folder / "mail/INBOX" / sub).iterdir()]
    expect_equal(len(got), len(sent))
    ids = {re.search(rb"Message-ID: (\S+)", m).group(1) for m in sent}
    expect_equal({re.search(rb"(?i)Message-ID:\s+(\S+)", m).group(1) for m in got}, ids)


@test
def neomutt(server):
    need("neomutt")
    need("tmux")
    folder = server.folder / "neomutt"
    folder.mkdir()
    with server.imap_client(DAN) as c:
        c.ok("CREATE mutt")
        c.append("mutt", messages.short("for neomutt", "The words that neomutt shows.\r\n"))
    (folder / "rc").write_text(
        f"set imap_user = '{DAN}'\nset imap_pass = '{server.passwords[DAN]}'\nset folder = 'imaps://127.0.0.1:{server.imaps}/'\nset spoolfile = '+mutt'\n"
        f"set ssl_verify_host = no\nset ssl_verify_dates = no\nset certificate_file = '{server.data}/tls/cert.pem'\nset sort = threads\nset mail_check = 5\n"
        "set quit = yes\nset abort_unmodified = no\nset confirm_append = no\nset header_cache = ''\n")
    shutil.copy(server.data / "tls/cert.pem", folder / "cert.pem")
    socket = folder / "tmux"
    tmux = ["tmux", "-S", socket]
    run(*tmux, "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", f"HOME={folder} TERM=screen neomutt -n -F {folder}/rc", home=folder)

    def screen():
        return run(*tmux, "capture-pane", "-p", check=False).stdout.decode(errors="replace")

    def until(words, what):
        def there():
            text = screen()
            if "(a)ccept" in text or "accept always" in text:
                run(*tmux, "send-keys", "o")
            return words in text

        try:
            wait_until(there, 20, what)
        except AssertionError as e:
            raise AssertionError(f"{e}; the screen:\n{screen()}") from None

    try:
        until("for neomutt", "the index")
        run(*tmux, "send-keys", "Enter")
        until("The words that neomutt shows.", "the message")
        run(*tmux, "send-keys", "i", "F", "$")
        with server.imap_client(DAN, select="mutt") as c:
            wait_until(lambda: c.ok("SEARCH FLAGGED SUBJECT neomutt").one(rb"SEARCH ?(.*)").group(1), 15, "the flag that neomutt sets")
    finally:
        run(*tmux, "kill-server", check=False)


@test
def fetchmail(server):
    need("fetchmail")
    folder = server.folder / "fetchmail"
    folder.mkdir()
    with server.imap_client(DAN) as c:
        c.ok("CREATE tofetch")
        for n in range(12):
            c.append("tofetch", messages.message(n, 3))
    catcher = folder / "catch"
    catcher.write_text(f"#!/bin/sh\ncat >>'{folder}/caught'\necho >>'{folder}/caught'\n")
    catcher.chmod(0o755)
    rc = folder / "rc"
    rc.write_text(
        f'poll 127.0.0.1 service {server.imaps} protocol IMAP user "{DAN}" password "{server.passwords[DAN]}" folder "tofetch" ssl no sslcertck '
        f'mda "{catcher}" fetchall no keep\n')
    rc.chmod(0o600)
    done = run("fetchmail", "-f", rc, "--nosyslog", "-i", folder / "ids", "--pidfile", folder / "pid", home=folder, check=False, FETCHMAILHOME=str(folder))
    expect_equal(done.returncode, 0, done.stderr.decode()[-1500:] + done.stdout.decode()[-1500:])
    caught = (folder / "caught").read_bytes()
    expect_equal(len(set(re.findall(rb"(?m)^Message-ID: (<\d+\.3\.0\.\S+>)", caught))), 12)
    with server.imap_client(DAN) as c:
        c.ok("STATUS tofetch (MESSAGES)").one(rb"MESSAGES 0\)")


if __name__ == "__main__":
    run_tests(make_server)
