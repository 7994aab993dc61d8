#!/usr/bin/python3
"""The processes: what the kernel says of them, what happens when one dies, starting and stopping."""

import os
import pwd
import signal
import time
from pathlib import Path

import prelude  # noqa: F401

import messages
import wire
from harness import Skip, expect, expect_equal, run_tests, test, wait_until
from instance import Instance

STEADY = ["gatekeeper-smtp", "gatekeeper-imap", "gatekeeper-pop3", "gatekeeper-submission", "keyholder", "directory", "registry", "delivery", "queue", "dispatcher", "scribes", "resolver", "fetcher", "ledger"]
BACK_SECONDS = 20


def status_of(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


def uids_of(pids):
    """Of those that are there still: the gate and the session of whoever just left are about to end."""
    for pid in pids:
        try:
            yield status_of(pid)["Uid"].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue


def works(server, subject):
    """Delivers a message, signs in and reads it."""
    m = messages.short(subject)
    try:
        with server.smtp_client() as s:
            code, _ = s.deliver("w@client.example", server.address, m)
            if code != 250:
                return False
        with server.imap_client(select="INBOX") as c:
            return c.ok(f"SEARCH SUBJECT {subject}").one(rb"SEARCH ?(.*)").group(1) != b""
    except (OSError, wire.Ended, AssertionError):
        return False


def wait_works(server, subject):
    start = time.monotonic()
    wait_until(lambda: works(server, subject), BACK_SECONDS, f"mail again ({subject})")
    return time.monotonic() - start


@test
def every_role_is_there_and_confined(server):
    with server.imap_client() as c, server.smtp_client(), wire.Imap(server.imaps), wire.Wire(server.pop3s, tls=True):
        c.ok("SELECT INBOX")
        for role in STEADY + ["gate-smtp", "gate-imap", "gate-pop3", "session"]:
            pids = server.role_pids(role)
            expect(pids, role, "has no process:", server.processes())
            for pid in pids:
                s = status_of(pid)
                expect_equal((s["NoNewPrivs"], s["Seccomp"]), ("1", "2"), role)
                expect(int(s["CapBnd"], 16) == 0 or role in ("gatekeeper-smtp", "gatekeeper-imap", "gatekeeper-pop3", "gatekeeper-submission", "registry") or os.geteuid() != 0,
                       role, "capabilities", s["CapBnd"])
        for pid, name in server.processes().items():
            s = status_of(pid)
            if pid != server.process.pid:
                expect_equal(s["NoNewPrivs"], "1", name)


@test
def as_root_each_role_is_its_own_user(server):
    if os.geteuid() != 0:
        raise Skip("not root")
    users = {}
    with server.imap_client() as c, server.smtp_client():
        c.ok("NOOP")
        for role in STEADY + ["gate-smtp", "session"]:
            for pid in server.role_pids(role):
                users.setdefault(role, set()).add(int(status_of(pid)["Uid"].split()[1]))
    expect(all(0 not in u for u in users.values()), "roles that run as root:", users)
    distinct = {role: next(iter(u)) for role, u in users.items()}
    expect(len(set(distinct.values())) >= len(distinct) - 3, "roles that share a user:", distinct)
    names = {role: pwd.getpwuid(uid).pw_name for role, uid in distinct.items()}
    expect(all(n.startswith("gatepost-") for n in names.values()), names)
    mode = (server.data / "accounts").stat().st_mode
    expect_equal(mode & 0o007, 0, "others may enter accounts/")


@test
def gatepost_roles_says_what_the_kernel_says(server):
    text = server.gatepost("roles").stdout
    for role in STEADY + ["gate-smtp", "gate-imap", "gate-pop3", "session", "supervisor"]:
        expect(role in text, role, "is missing in", text)
    rows = server.json("roles")
    listed = str(rows)
    for role in STEADY:
        for pid in server.role_pids(role):
            expect(str(pid) in listed, role, pid, "is not listed:", listed[:2000])


@test(seconds=300)
def a_killed_role_comes_back(server):
    took = {}
    for n, role in enumerate(STEADY):
        before = server.role_pids(role)
        expect(before, role, "has no process")
        os.kill(before[0], signal.SIGKILL)
        server.expected_alarms += 20
        wait_until(lambda: server.role_pids(role) and server.role_pids(role) != before, BACK_SECONDS, f"a new {role}")
        took[role] = wait_works(server, f"after-{role}-{n}")
    return ", ".join(f"{role} {s:.2f} s" for role, s in took.items())


@test
def sessions_live_through_the_death_of_others(server):
    with server.imap_client(select="INBOX") as c:
        for role in ("directory", "keyholder", "delivery", "ledger", "gatekeeper-smtp"):
            os.kill(wait_until(lambda r=role: server.role_pids(r), BACK_SECONDS, f"a {role}")[0], signal.SIGKILL)
            server.expected_alarms += 20
            c.ok("NOOP")
        wait_works(server, "others-died")
        c.ok("NOOP")


@test
def a_crashed_gate_is_an_alarm_and_its_gatekeeper_is_replaced(server):
    gatekeeper = server.role_pids("gatekeeper-smtp")
    ledger = server.data / "ledger/ledger.log"
    size = ledger.stat().st_size
    server.expected_alarms += 20
    with server.smtp_client() as other, server.smtp_client() as victim:
        gates = server.role_pids("gate-smtp")
        expect_equal(len(gates), 2, "gates")
        os.kill(gates[-1], signal.SIGSEGV)
        wait_until(lambda: b"127.0.0.1" in ledger.read_bytes()[size:], 10, "the alarm in the ledger")
        new = wait_until(lambda: [p for p in server.role_pids("gatekeeper-smtp") if p not in gatekeeper], 10, "a new gatekeeper")
        expect(new)
        alive = [s for s in (other, victim) if _answers(s)]
        expect_equal(len(alive), 1, "connections that live on")
        code, text = alive[0].deliver("o@client.example", server.address, messages.short("survivor"))
        expect_equal(code, 250, text)
    wait_works(server, "after-crash")
    wait_until(lambda: len(server.role_pids("gatekeeper-smtp")) == 1, 20, "the end of the old gatekeeper")


def _answers(s):
    try:
        return s.command("NOOP")[0] == 250
    except (OSError, wire.Ended, AssertionError):
        return False


@test
def mail_and_uids_live_through_a_restart(server):
    server.deliver(messages.short("persist"))
    with server.imap_client() as c:
        validity = c.ok("SELECT INBOX").one(rb"UIDVALIDITY (\d+)").group(1)
        c.ok("SUBSCRIBE INBOX")
        uid = c.ok("UID SEARCH SUBJECT persist").one(rb"SEARCH (\d+)").group(1).decode()
        c.ok(f"UID STORE {uid} +FLAGS (\\Flagged kept)")
        stored = c.fetch_message(uid, uid=True)
    server.stop()
    server.start()
    with server.imap_client() as c:
        expect_equal(c.ok("SELECT INBOX").one(rb"UIDVALIDITY (\d+)").group(1), validity)
        m = c.ok(f"UID FETCH {uid} FLAGS").one(rb"FLAGS \((.*)\)").group(1)
        expect(b"\\Flagged" in m and b"kept" in m, m)
        expect_equal(c.fetch_message(uid, uid=True), stored)


@test
def stops_in_bounded_time_with_clients_connected(server):
    with server.imap_client(select="INBOX") as idle, server.smtp_client() as s, wire.Imap(server.imap, tls=False):
        tag = idle.start("IDLE")
        idle.response()
        s.command("MAIL FROM:<x@client.example>")
        took = server.stop()
        rest = idle.until_closed()
        expect(b"* BYE" in rest, tag, "no BYE:", rest)
    server.start()
    return f"{took:.2f} s"


@test
def a_second_server_on_the_same_data_is_refused(server):
    done = server.gatepost("serve", check=False, timeout=20)
    expect_equal(done.returncode, 1, done.stderr)
    expect("running" in done.stderr or "in use" in done.stderr or "already" in done.stderr, done.stderr)
    expect(works(server, "still-serving"))


@test
def everything_killed_at_once_starts_again(server):
    server.deliver(messages.short("beforekill"))
    server.kill()
    server.start()
    with server.imap_client(select="INBOX") as c:
        c.ok("SEARCH SUBJECT beforekill").one(rb"SEARCH \d+$")
    expect(works(server, "after-everything"))


@test
def the_supervisors_death_ends_the_roles(server):
    os.kill(server.process.pid, signal.SIGKILL)
    wait_until(lambda: not server.processes(), 10, "the end of all roles")
    server.process.wait()
    server.start()
    expect(works(server, "after-supervisor"))


@test
def allow_no_landlock_starts_too(_server):
    with Instance(serve=["--allow-no-landlock"]) as other:
        expect(works(other, "nolandlock"))
        other.finish()


@test
def as_an_ordinary_user(_server):
    if os.geteuid() != 0:
        raise Skip("the other tests are it")
    with Instance(user="nobody") as other:
        expect(works(other, "ordinary"))
        uids = set(uids_of(other.processes()))
        expect_equal(uids, {str(pwd.getpwnam("nobody").pw_uid)})
        for role in STEADY:
            for pid in other.role_pids(role):
                s = status_of(pid)
                expect_equal((s["NoNewPrivs"], s["Seccomp"]), ("1", "2"), role)
        os.kill(other.role_pids("directory")[0], signal.SIGKILL)
        other.expected_alarms += 20
        wait_works(other, "ordinary-again")
        other.finish()


@test
def a_port_in_use_is_said(server):
    other = Instance(start=False)
    try:
        other.set("listen", "smtp", server.smtp)
        done = other.gatepost("serve", check=False, timeout=20)
        expect_equal(done.returncode, 1, done.stderr)
        expect(str(server.smtp) in done.stderr, done.stderr)
    finally:
        other.close()


if __name__ == "__main__":
    run_tests(Instance)
