#!/usr/bin/python3
"""The command line: every subcommand, its help, its JSON, its exit status; and what the documents say of it."""

import json
import os
import re
import subprocess
import tempfile

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, run_tests, test, wait_until
from instance import BINARY, ROOT, Instance

COMMANDS = ["init", "serve", "roles", "domain", "account", "alias", "queue", "verify", "version", "help"]
ACTIONS = ["domain add", "domain list", "domain remove", "domain dns", "domain rotate-keys", "account add", "account list", "account show", "account password", "account remove",
           "alias add", "alias list", "alias remove",
           "queue list", "queue show", "queue retry", "queue hold", "queue release", "queue remove"]


def gatepost(*arguments, stdin="", cwd="/"):
    return subprocess.run([str(BINARY), *arguments], input=stdin, capture_output=True, text=True, timeout=60, cwd=cwd)


def can_sign_in(server, address, password):
    with wire.Imap(server.imaps) as c:
        return c.command(f'LOGIN {address} "{password}"').status == "OK"


def has_ended(client):
    try:
        return client.command("NOOP").status != "OK"
    except (wire.Ended, OSError):
        return True


@test
def help_lists_every_command(_server):
    done = gatepost("help")
    expect_equal(done.returncode, 0)
    for name in COMMANDS:
        expect(re.search(rf"\b{name}\b", done.stdout), name, "is not in", done.stdout)
    for name in COMMANDS[:-1] + ACTIONS:
        one = gatepost(*name.split(), "--help")
        expect_equal(one.returncode, 0, f"{name} --help")
        expect(name.split()[0] in one.stdout and len(one.stdout) > 40, name, one.stdout)


@test
def documents_mention_every_command_and_option(_server):
    documents = "".join(p.read_text() for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    manuals = [p for p in ROOT.rglob("gatepost.[18]") if "build" not in p.parts]
    expect(manuals, "no manual page")
    manual = "".join(p.read_text() for p in manuals).replace("\\-", "-")
    for name in COMMANDS[:-1] + ACTIONS:
        expect(f"gatepost {name}" in documents, f"gatepost {name} is in no document")
        for word in name.split():
            expect(re.search(rf"\b{word}\b", manual), name, "is not in the manual page")
        for option in set(re.findall(r"--[a-z][a-z-]+", gatepost(*name.split(), "--help").stdout)) - {"--help"}:
            expect(option in manual, name, option, "is not in the manual page")
    offered = set(re.findall(r"(?m)^\s+gatepost (\w+)", gatepost("help").stdout))
    for name in offered:
        expect(name in COMMANDS, name, "is offered by help, and no test knows it")


@test
def wrong_usage_is_status_2(_server):
    for wrong in ([], ["nonsense"], ["account"], ["account", "nonsense"], ["account", "add"], ["init", "--nonsense"], ["version", "extra"],
                  ["domain", "add"], ["alias", "add", "x@example.test"], ["serve", "--nonsense"], ["account", "list", "--nonsense"], ["verify", "--password-stdin"]):
        done = gatepost(*wrong)
        expect_equal(done.returncode, 2, f"gatepost {wrong}")
        expect(done.stderr and not done.stdout, wrong, done.stdout)


@test
def version(_server):
    done = gatepost("version")
    expect(done.returncode == 0 and re.search(r"\d+\.\d+\.\d+", done.stdout), done.stdout)
    expect(re.search(r"\d+\.\d+", json.loads(gatepost("version", "--json").stdout)["version"]))


@test
def without_a_server_it_says_so(_server):
    with tempfile.TemporaryDirectory() as folder:
        done = gatepost("account", "list", "-c", f"{folder}/absent.conf")
        expect_equal(done.returncode, 1)
        expect("absent.conf" in done.stderr, done.stderr)
        done = gatepost("-c", f"{folder}/absent.conf", "account", "list")
        expect("absent.conf" in done.stderr, f"-c in front of the command: {done.stderr}")
    other = Instance(start=False)
    try:
        done = other.gatepost("account", "list", check=False)
        expect_equal(done.returncode, 1)
        expect("gatepost serve" in done.stderr or "running" in done.stderr, done.stderr)
        expect_equal(gatepost("init", "--data", str(other.data), "--domain", "x.test", "--account", "a@x.test", "--password-stdin", stdin="pw pw pw pw\n").returncode, 1,
                     "init over an instance")
    finally:
        other.close()


@test
def domains(server):
    server.gatepost("domain", "add", "second.test")
    listed = server.json("domain", "list")
    expect_equal(sorted(r["domain"] for r in listed), ["example.test", "second.test"])
    expect("second.test" in server.gatepost("domain", "list").stdout)
    expect_equal(server.gatepost("domain", "add", "second.test", check=False).returncode, 1, "twice")
    for bad in ("", "no spaces.test", "-x.test", "a..b", "x" * 300):
        expect(server.gatepost("domain", "add", bad, check=False).returncode in (1, 2), bad)
    server.add_account("in@second.test", "a pass phrase here")
    expect_equal(server.gatepost("domain", "remove", "second.test", check=False).returncode, 1, "a domain in use")
    server.deliver(messages.short("second"), "in@second.test")
    expect(can_sign_in(server, "in@second.test", "a pass phrase here"))
    server.gatepost("account", "remove", "in@second.test")
    server.gatepost("domain", "remove", "second.test")
    expect_equal([r["domain"] for r in server.json("domain", "list")], ["example.test"])


@test
def accounts(server):
    server.add_account("dave@example.test", "first pass phrase")
    expect_equal(server.gatepost("account", "add", "dave@example.test", "--password-stdin", stdin="x y z x y z\n", check=False).returncode, 1)
    listed = {r["address"]: r for r in server.json("account", "list")}
    expect_equal(set(listed), {"alice@example.test", "dave@example.test"})
    shown = server.json("account", "show", "dave@example.test")
    expect("dave@example.test" in str(shown), shown)
    number = str(listed["dave@example.test"]["id"])
    folder = server.data / "accounts" / number
    expect(folder.is_dir(), "no folder", folder)
    expect_equal(server.gatepost("account", "show", "nobody@example.test", check=False).returncode, 1)
    expect(can_sign_in(server, "dave@example.test", "first pass phrase"))
    server.deliver(messages.short("fordave"), "dave@example.test")
    server.gatepost("account", "remove", "dave@example.test")
    expect(not can_sign_in(server, "dave@example.test", "first pass phrase"), "signed in to a removed account")
    expect(not folder.exists(), "the folder of a removed account is there")
    with server.smtp_client() as s:
        s.command("MAIL FROM:<x@client.example>")
        expect_equal(s.command("RCPT TO:<dave@example.test>")[0], 550)
    for bad in ("nodomain", "x@foreign.example", "@example.test", "a\tb@example.test", "x@example.test\n"):
        expect(server.gatepost("account", "add", bad, "--password-stdin", stdin="pass phrase here\n", check=False).returncode in (1, 2), bad)
    expect(server.gatepost("account", "add", "erin@example.test", "--password-stdin", stdin="\n", check=False).returncode in (1, 2), "an empty password")


@test
def passwords_change_and_mail_stays(server):
    server.add_account("frank@example.test", "old pass phrase")
    server.deliver(messages.short("sealed before"), "frank@example.test")
    with wire.Imap(server.imaps) as signed_in:
        expect_equal(signed_in.command('LOGIN frank@example.test "old pass phrase"').status, "OK")
        expect_equal(signed_in.command("NOOP").status, "OK")
        server.gatepost("account", "password", "frank@example.test", "--password-stdin", stdin="old pass phrase\nnew pass phrase\n")
        expect(wait_until(lambda: has_ended(signed_in), what="the end of the session of the old password"))
    expect(not can_sign_in(server, "frank@example.test", "old pass phrase"), "the old password still works")
    server.passwords["frank@example.test"] = "new pass phrase"
    with server.imap_client("frank@example.test", select="INBOX") as c:
        c.ok('SEARCH SUBJECT "sealed before"').one(rb"SEARCH 1$")
        expect(c.fetch_message(1).endswith(messages.short("sealed before")))
    done = server.gatepost("account", "password", "frank@example.test", "--password-stdin", stdin="wrong\nanother pass phrase\n", check=False)
    expect_equal(done.returncode, 1, "with a wrong old password")
    expect(can_sign_in(server, "frank@example.test", "new pass phrase"))


@test
def aliases(server):
    server.add_account("gina@example.test", "gina pass phrase")
    server.gatepost("alias", "add", "staff@example.test", "gina@example.test", server.address)
    listed = server.json("alias", "list")
    expect("staff@example.test" in str(listed) and "gina@example.test" in str(listed), listed)
    server.deliver(messages.short("staffed"), "staff@example.test")
    for address in ("gina@example.test", server.address):
        with server.imap_client(address, select="INBOX") as c:
            c.ok("SEARCH SUBJECT staffed").one(rb"SEARCH \d+$")
    for target in ("x@" + "a." * 160 + "test", "x" * 64 + "@" + "bücher." * 30 + "example"):
        done = server.gatepost("alias", "add", "far@example.test", target, check=False)
        expect(done.returncode == 1 and ("cannot be sent to" in done.stderr or "not an address" in done.stderr), done.returncode, done.stderr)
    server.gatepost("alias", "remove", "staff@example.test")
    with server.smtp_client() as s:
        s.command("MAIL FROM:<x@client.example>")
        expect_equal(s.command("RCPT TO:<staff@example.test>")[0], 550)
    expect_equal(server.gatepost("alias", "remove", "staff@example.test", check=False).returncode, 1)


@test
def changes_are_in_the_ledger_without_addresses(server):
    ledger = (server.data / "ledger/ledger.log").read_bytes()
    for address in (b"dave@", b"frank@", b"gina@", b"alice@"):
        expect(address not in ledger, address, "is in the ledger")
    expect(ledger.count(b"\n") > 5 or len(ledger) > 200, ledger)


@test
def control_socket_is_private(server):
    path = server.data / "run/control"
    expect(path.is_socket())
    expect_equal(path.stat().st_mode & 0o077, 0)
    if os.geteuid() == 0:
        done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", str(BINARY), "account", "list", "-c", str(server.config)],
                              capture_output=True, text=True, timeout=30)
        expect_equal(done.returncode, 1, "an ordinary user may use the control socket")


if __name__ == "__main__":
    run_tests(Instance)
