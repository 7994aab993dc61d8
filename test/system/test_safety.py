#!/usr/bin/python3
"""What lies on disk: no plaintext, no undetected damage, nothing lost when there is no room."""

import json
import os
import random
import re
import shutil
import smtplib
import subprocess
import time

import prelude  # noqa: F401

import messages
import wire
from harness import Skip, expect, expect_equal, full, run_tests, test
from instance import Instance

SECRETS = {
    "body word": "xylophonewalrus", "subject": "quarterlyzebra", "sender": "secretsender", "recipient": "hiddenbob",
    "folder": "ClandestineFolder", "search word": "searchedgiraffe", "keyword": "PrivateKeyword", "alias": "covertalias",
    "large body": "enormousokapi", "attachment name": "confidentialgnu", "display name": "Incognitoibex",
}
FLIPS_PER_FILE = 1
READY_FLIPPED_SECONDS = 20
TMPFS_BYTES = 6 << 20


def make_server():
    server = Instance()
    server.add_account(f"{SECRETS['recipient']}@example.test", "pass with many words")
    server.gatepost("alias", "add", f"{SECRETS['alias']}@example.test", server.address)
    return server


def secret_message(large=False):
    body = f"A {SECRETS['body word']} and more.\r\n"
    if large:
        body += f"{SECRETS['large body']} {'x' * 60}\r\n" * 20_000
    return (
        f'From: "{SECRETS["display name"]}" <{SECRETS["sender"]}@client.example>\r\nTo: {SECRETS["alias"]}@example.test\r\n'
        f"Subject: {SECRETS['subject']}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; name={SECRETS['attachment name']}.txt\r\n\r\n{body}"
    ).encode()


def plaintext_in(server):
    """[(what, file)] for each secret that stands in a file, in any case, as UTF-8, UTF-16 or base64."""
    found = []
    for path in sorted(p for p in server.data.rglob("*")):
        names = str(path.relative_to(server.data)).lower()
        data = path.read_bytes().lower() if path.is_file() else b""
        for what, secret in SECRETS.items():
            word = secret.lower()
            forms = [word.encode(), word.encode("utf-16-le"), word.encode().hex().encode()]
            if word in names or any(f in data for f in forms):
                found.append((what, str(path.relative_to(server.data))))
    return found


@test
def no_plaintext_on_disk(server):
    bob = f"{SECRETS['recipient']}@example.test"
    sender = f"{SECRETS['sender']}@client.example"
    with server.smtp_client() as s:
        for large in (False, True):
            code, text = s.deliver(sender, [bob, f"{SECRETS['alias']}@example.test"], secret_message(large))
            expect_equal(code, 250, text)
    with server.imap_client(bob) as c:
        c.ok(f"CREATE {SECRETS['folder']}")
        c.ok(f"SUBSCRIBE {SECRETS['folder']}")
        c.append(SECRETS["folder"], secret_message(), flags=SECRETS["keyword"])
        c.ok("SELECT INBOX")
        c.ok(f"SEARCH TEXT {SECRETS['search word']}")
        c.ok(f"SEARCH BODY {SECRETS['body word']}").one(rb"SEARCH \d+ \d+$")
        c.ok(f"COPY 1 {SECRETS['folder']}")
        expect_equal(plaintext_in(server), [], "while signed in")
    for path in server.data.rglob("*"):
        expect("tmp" not in path.name.lower(), "a temporary file:", path)
    expect_equal(plaintext_in(server), [], "while running")
    server.stop()
    expect_equal(plaintext_in(server), [], "after the stop")
    # The search itself must be able to find.
    (server.data / "planted").write_bytes(b"..." + SECRETS["subject"].upper().encode())
    expect_equal(plaintext_in(server), [("subject", "planted")])
    (server.data / "planted").unlink()
    server.start()


@test
def passwords_and_keys_are_not_on_disk(server):
    for path in server.files():
        data = path.read_bytes()
        expect(server.password.encode() not in data, "the password is in", path)
        if server.recovery_key:
            expect(server.recovery_key.encode() not in data, "the recovery key is in", path)
    expect(server.password not in server.log() and (server.recovery_key or "?none?") not in server.log(), "in the log")
    for what, secret in SECRETS.items():
        if what not in ("sender", "recipient", "alias"):
            expect(secret not in server.log(), what, "is in the log")


def wait_to_go_out(server):
    """A small message and a large one wait in the queue, and stay there."""
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions, context=wire.tls_context(), timeout=60) as client:
        client.login(server.address, server.password)
        for size in (1000, 400_000):
            message = f"From: {server.address}\r\nSubject: waiting\r\n\r\n" + ("z" * 70 + "\r\n") * (size // 72)
            client.sendmail(server.address, ["somebody@nowhere.invalid"], message)
    server.gatepost("queue", "hold", "--all")


def damage_target():
    """An instance with some mail of every kind, stopped; and what it holds: {mailbox: {uid: message}}."""
    server = Instance()
    try:
        for n in range(6):
            server.deliver(messages.message(n, 9), parameters=" BODY=8BITMIME")
        server.deliver(secret_message(large=True))
        wait_to_go_out(server)
        with server.imap_client() as c:
            c.ok("CREATE Other")
            for n in range(4):
                c.append("Other", messages.message(n, 10))
        held = content_of(server)
        server.stop()
    except BaseException:
        server.close()
        raise
    return server, held


def content_of(server):
    held = {}
    with server.imap_client() as c:
        for name in ("INBOX", "Other"):
            c.ok(f"SELECT {name}")
            uids = c.ok("UID SEARCH ALL").one(rb"SEARCH ?(.*)").group(1).split()
            held[name] = {u: c.fetch_message(u.decode(), uid=True) for u in uids}
    return held


def read_damaged(server, held):
    """What a client gets now: (wrong contents, messages still readable, refusals)."""
    wrong, readable, refused = [], 0, []
    for name, expected in held.items():
        connection = None
        for uid, message in expected.items():
            try:
                if connection is None:
                    connection = server.imap_client(select=name)
                reply = connection.command(f"UID FETCH {uid.decode()} BODY.PEEK[]")
            except (AssertionError, OSError, wire.Ended) as e:
                refused.append(f"{name} {uid.decode()}: {e!r}"[:200])
                connection = None
                if "FETCH" not in str(e) and readable == 0 and len(refused) > 3:
                    break  # nobody can sign in
                continue
            m = re.search(rb"BODY\[\] \{(\d+)\}\r\n", b"\n".join(reply.untagged))
            if m is None:
                refused.append(f"FETCH {name} {uid.decode()}: {reply.status} {reply.text}")
            elif m.string[m.end() : m.end() + int(m.group(1))] == message:
                readable += 1
            else:
                wrong.append(f"{name} {uid.decode()}: {m.string[m.end():][:80]!r}")
        if connection is not None:
            connection.close()
    return wrong, readable, refused


def flip_candidates(server):
    """The files a flip is tried in: all but run/, which is made anew at each start, and SQLite's shared memory."""
    for path in server.files():
        relative = path.relative_to(server.data)
        if relative.parts[0] != "run" and not relative.name.endswith("-shm") and path.stat().st_size > 0:
            yield path, relative


def flip(path, at):
    os.chmod(path, os.stat(path).st_mode | 0o200)  # blobs are read-only
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ random.Random(at).choice([1, 2, 4, 8, 16, 32, 64, 128])]))


def verified(target, relative):
    """What `gatepost verify` says against the file: first without the account's password, then with it."""
    said = []
    for how, stdin in ((), ""), (("--account", target.address, "--password-stdin"), target.password + "\n"):
        done = target.gatepost("verify", "--json", *how, stdin=stdin, check=False)
        if "AddressSanitizer" in done.stderr or "runtime error" in done.stderr:
            return "sanitizer report: " + done.stderr[-1500:]
        if relative.name == "gatepost.conf" and "gatepost.conf:" in done.stderr:
            return None  # no configuration any more, and it says so
        rows = json.loads(done.stdout) if done.stdout else []
        named = [r for r in rows if r["file"] == str(relative) and r["state"] in ("damaged", "changed", "torn")]
        if named:
            others = [r for r in rows if r["file"] != str(relative) and r["state"] not in ("ok", "sealed")]
            if others and relative.parts[0] != "directory":  # what is in there leads to the others
                return f"others are named too: {others[:2]}"
            if done.returncode != 1 and named[0]["state"] != "torn":
                return f"exit status {done.returncode}"
            return None
        said.append(f"{done.returncode} {done.stdout}{done.stderr}")
    return "verify does not name it: " + "; ".join(said)[:400]


@test(seconds=900)
def verify_finds_nothing_in_a_sound_instance(server):
    rows = {r["file"]: r["state"] for r in server.json("verify")}
    expect_equal({rows.pop(f"accounts/{n}") for n in (1, 2)}, {"sealed"})
    expect({"queue", "tls/keyholder.key"} <= set(rows), rows)
    expect_equal(set(rows.values()), {"ok"}, rows)
    with_key = ("--account", server.address, "--password-stdin")
    expect_equal([r["state"] for r in server.json("verify", *with_key, stdin=server.password + "\n")], ["ok"])
    wrong = server.gatepost("verify", *with_key, stdin="not the password\n", check=False)
    expect(wrong.returncode == 1 and "password" in wrong.stderr, wrong.stderr)
    nobody = server.gatepost("verify", "--account", "nobody@example.test", "--password-stdin", stdin="x\n", check=False)
    expect(nobody.returncode == 1 and "nobody@example.test" in nobody.stderr, nobody.stderr)
    server.stop()
    try:
        rows = {r["file"]: r["state"] for r in server.json("verify")}
        expect_equal(set(rows.values()), {"ok", "sealed"}, rows)
        expect_equal([r["state"] for r in server.json("verify", *with_key, stdin=server.password + "\n")], ["ok"])
    finally:
        server.start()


PLANTED = ("shell.sh", "tls/other.pem", "directory/directory.db-journal", "queue/authorized_keys", "queue/.hidden", "ledger/ledger.log.1",
           "run/socket", "accounts/77", "accounts/1/rules", "accounts/1/letterbox/1.seg")


@test
def what_no_instance_has_is_named(server):
    """Files and folders that nobody looks into are findings, whether a server runs or not."""
    def look(states, status):
        done = server.gatepost("verify", "--json", check=False)
        rows = {r["file"]: r["state"] for r in json.loads(done.stdout)}
        for name in PLANTED + LEFT:
            rows.setdefault(name, "not named")
        expect_equal({n: rows[n] for n in states}, states)
        expect_equal(done.returncode, status)

    LEFT = ("queue/" + "0" * 32, "accounts/.making-9", "directory/directory.db.new-" + "0" * 16)
    planted = dict.fromkeys(PLANTED, "unknown")
    server.stop()
    try:
        for name in PLANTED + LEFT:
            (server.data / name).mkdir() if name.startswith("accounts/77") or "making" in name else (server.data / name).write_text("x")
        look(planted | dict.fromkeys(LEFT, "left"), 1)
        server.start()
        look(planted, 1)
        for name in PLANTED:
            path = server.data / name
            path.rmdir() if path.is_dir() else path.unlink()
        look({}, 0)
        expect(not (server.data / LEFT[0]).exists(), "a file in queue/ that no message names is still there")
    finally:
        for name in PLANTED + LEFT:
            path = server.data / name
            if path.exists():
                path.rmdir() if path.is_dir() else path.unlink()
        if not server.running():
            server.start()


@test
def a_queue_that_is_gone_is_missed(server):
    server.stop()
    queue, aside = server.data / "queue", server.folder / "aside"
    try:
        queue.rename(aside)
        for make in (lambda: None, queue.mkdir):
            make()
            done = server.gatepost("verify", "--json", check=False)
            row = {r["file"]: r for r in json.loads(done.stdout)}["queue"]
            expect_equal((row["state"], done.returncode), ("damaged", 1), row)
    finally:
        if queue.is_dir():
            queue.rmdir()
        aside.rename(queue)
        server.start()


@test
def another_key_for_the_keys_of_dkim_is_named(server):
    """A whole key with a right checksum that is not the one the server began with."""
    path = server.data / "tls/keyholder.key"
    kept = path.read_bytes()
    with Instance(start=False) as other:
        foreign = (other.data / "tls/keyholder.key").read_bytes()
    try:
        for content, state in (foreign, "changed"), (kept[:-1] + bytes([kept[-1] ^ 1]), "damaged"), (kept, "ok"):
            path.write_bytes(content)
            done = server.gatepost("verify", "--json", check=False)
            expect_equal({r["file"]: r["state"] for r in json.loads(done.stdout)}["tls/keyholder.key"], state)
            expect_equal(done.returncode, 0 if state == "ok" else 1)
    finally:
        path.write_bytes(kept)


@test(seconds=900)
def flipped_bytes_are_found(server):
    target, held = damage_target()
    rng, problems, tried, started = random.Random("flip"), [], 0, 0
    try:
        for path, relative in list(flip_candidates(target)):
            size = path.stat().st_size
            some = sorted({0, size - 1, *(rng.randrange(size) for _ in range(FLIPS_PER_FILE * (25 if full else 1)))})
            for at in range(size) if full and size < 4096 else some:
                tried += 1
                starts = at in some[1:] and starts_with(relative, tried)  # starting costs a second
                started += starts
                why = flip_once(target, held if starts else None, path, relative, at, by_server=tried % 2 == 0)
                if why:
                    problems.append(f"{relative} byte {at} of {size}: {why}")
    finally:
        target.close()
    print("".join(f"    {p}\n" for p in problems), end="")
    expect_equal(len(problems), 0, f"problems of {tried} flips")
    return f"{tried} flips, all found; with {started} of them a server was started and all mail read"


def starts_with(relative, n):
    """With these the server may not start, or not be reached: that is waited for now and then only."""
    return relative.parts[0] in ("accounts", "ledger") or relative.name in ("directory.db", "queue.db") or (full and n % 100 == 0)


def flip_once(target, held, path, relative, at, by_server):
    """Flips a bit, has it found, reads everything (`held`: what there is), and puts all back. What was wrong, or None."""
    if held is None:
        flip(path, at)
        why = verified(target, relative)
        flip(path, at)
        return why
    backup = target.folder / "backup"
    shutil.rmtree(backup, ignore_errors=True)
    subprocess.run(["cp", "-a", str(target.data), str(backup)], check=True, timeout=60)
    target.log_path.write_text("")
    flip(path, at)
    try:
        why = None if by_server else verified(target, relative)
        target.spawn()
        try:
            target.wait_ready(READY_FLIPPED_SECONDS)
            if by_server:
                why = verified(target, relative)
            wrong, readable, refused = read_damaged(target, held)
        except RuntimeError as e:
            if by_server:
                target.kill()
                why = verified(target, relative)
            wrong, readable, refused = [], 0, [f"does not start: {str(e)[:200]}"]
        if target.running():
            target.process.terminate()
            target.process.wait(20)
        total = sum(len(v) for v in held.values())
        if by_server and relative.name in target.log():
            why = None  # opening it found it, and made it anew or good
        return judge_flip(target.log(), relative, total, wrong, readable, refused) or why
    finally:
        target.kill()
        shutil.rmtree(target.data)
        backup.rename(target.data)


def judge_flip(log, relative, total, wrong, readable, refused):
    if "AddressSanitizer" in log or "runtime error" in log:
        return "sanitizer report: " + log[-1500:]
    if wrong:
        return f"wrong content: {wrong[:2]}"
    if refused and relative.name not in log:
        return f"refused without the file's name in the log: {refused[:2]}"
    if not refused and readable < total:
        return f"only {readable} of {total} messages, and nothing refused"
    if relative.parts[-2] in ("blobs", "letterbox") and readable < total - 1:
        return f"only {readable} of {total} messages are readable: {refused[:2]}"
    if relative.name == "mailbox.db" and readable < total - 2:  # who meets the damage is sent away; then it is made anew
        return f"only {readable} of {total} messages are readable: {refused[:2]}"
    return None


@test
def quota_is_held(server):
    address = "small@example.test"
    server.gatepost("account", "add", address, "--password-stdin", "--quota", "300000", stdin="quota password\n")
    server.passwords[address] = "quota password"
    codes = []
    with server.smtp_client() as s:
        for _ in range(60):
            code, text = s.deliver("q@client.example", address, incompressible("fill"))
            codes.append(code)
            if code != 250:
                expect_equal((code, text.split()[0]), (452, "4.2.2"))
                break
        expect_equal(codes[-1], 452, "never full")
        code, text = s.deliver("q@client.example", server.address, messages.short("otherfits"))
        expect_equal(code, 250, text)
        code, _ = s.deliver("q@client.example", [server.address, address], incompressible("bothornone"))
        expect_equal(code, 452)
    with server.imap_client(address) as c:
        c.ok("SELECT INBOX")
        expect_equal(len(c.ok("SEARCH ALL").one(rb"SEARCH ?(.*)").group(1).split()), codes.count(250))
        reply = c.command("APPEND INBOX ", incompressible("append"))
        expect(reply.status == "NO" and "OVERQUOTA" in reply.text, reply)
    with server.imap_client(select="INBOX") as c:
        c.ok("SEARCH SUBJECT bothornone").one(rb"SEARCH ?$")


def incompressible(subject, size=20_000):
    rng = random.Random(subject + str(time.monotonic_ns()))
    lines = (rng.randbytes(35).hex() + "\r\n" for _ in range(size // 72))
    return messages.short(subject, "".join(lines))


@test(seconds=300)
def a_full_disk_loses_nothing(_server):
    if os.geteuid() != 0:
        raise Skip("only root can mount a small disk")
    server = Instance(start=False)
    accounts = server.data / "accounts"
    mounted = False
    try:
        aside = server.folder / "aside"
        subprocess.run(["cp", "-a", str(accounts), str(aside)], check=True, timeout=60)
        how = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(accounts)], capture_output=True, timeout=20)
        if how.returncode != 0:
            raise Skip("cannot mount here: " + how.stderr.decode().strip())
        mounted = True
        subprocess.run(["cp", "-a", f"{aside}/.", str(accounts)], check=True, timeout=60)
        server.start()
        with server.imap_client() as c:
            c.ok("SELECT INBOX")
        taken, refused = [], 0
        with server.smtp_client() as s:
            for n in range(400):
                m = incompressible(f"full{n}", 20_000 if n % 4 else 150_000)
                code, text = s.deliver("f@client.example", server.address, m)
                if code == 250:
                    taken.append(m)
                    continue
                expect(code in (452, 451), code, text)
                refused += 1
                if refused > 12:
                    break
        expect(refused and taken, len(taken), refused)
        subprocess.run(["mount", "-o", f"remount,size={TMPFS_BYTES * 8}", str(accounts)], check=True, timeout=20)
        after = messages.short("roomagain")
        server.deliver(after)
        check_exactly(server, [*taken, after])
        server.stop()
        server.start()
        check_exactly(server, [*taken, after])
        return f"{len(taken)} taken, {refused} refused"
    finally:
        server.kill()
        if mounted:
            subprocess.run(["umount", "-l", str(accounts)], timeout=20)
        server.close()


def check_exactly(server, expected):
    with server.imap_client(select="INBOX") as c:
        uids = c.ok("UID SEARCH ALL").one(rb"SEARCH ?(.*)").group(1).split()
        got = [c.fetch_message(u.decode(), uid=True) for u in uids]
    for m in expected:
        expect_equal(sum(g.endswith(m) for g in got), 1, "copies of a message that got 250")
    expect_equal(len(got), len(expected), "messages")


if __name__ == "__main__":
    run_tests(make_server)
