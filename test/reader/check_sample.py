#!/usr/bin/python3
"""Compares what the independent reader finds in a sample instance with what was put there, and damages it."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = "pa\u0308ss\u00a0word"


def read(instance, out, credential, *more):
    shutil.rmtree(out, ignore_errors=True)
    return subprocess.run(
        [sys.executable, os.path.join(HERE, "gatepost_reader.py"),
         "--directory", os.path.join(instance, "directory"),
         "--accounts", os.path.join(instance, "accounts"),
         "--account", "ann@example.test", "--out", out, *more],
        input=credential + "\n", text=True, capture_output=True, check=False)


def contents(folder):
    found = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


def is_complete(instance, out):
    expected = os.path.join(instance, "expected")
    return (contents(os.path.join(out, "INBOX")) == contents(os.path.join(expected, "INBOX"))
            and sorted(contents(os.path.join(out, ".new")).values())
            == sorted(contents(os.path.join(expected, "new")).values()))


def flip(path, at):
    os.chmod(path, os.stat(path).st_mode | 0o200)  # blobs are read-only
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x10]))


def is_refused(instance, out, path, at):
    flip(path, at)
    result = read(instance, out, PASSWORD)
    flip(path, at)
    return result.returncode != 0


def account_file(instance, *names):
    accounts = os.path.join(instance, "accounts")
    return os.path.join(accounts, os.listdir(accounts)[0], *names)


def cases(instance):
    out = os.path.join(instance, "out")
    result = read(instance, out, PASSWORD)
    print(result.stdout + result.stderr, end="")
    yield "all messages with the password", result.returncode == 0 and is_complete(instance, out)
    with open(os.path.join(instance, "recovery"), encoding="ascii") as file:
        result = read(instance, out, file.read().strip(), "--recovery")
    yield "all messages with the recovery key", result.returncode == 0 and is_complete(instance, out)
    yield "a wrong password is refused", read(instance, out, "password").returncode != 0
    segment = account_file(instance, "letterbox", "000001.seg")
    blobs = account_file(instance, "blobs")
    blob = os.path.join(blobs, os.listdir(blobs)[0])
    yield "damage in a record", is_refused(instance, out, segment, 2000)
    yield "damage in a blob", is_refused(instance, out, blob, 100000)
    yield "damage in keys", is_refused(instance, out, account_file(instance, "keys"), 90)
    yield "damage in directory.db", is_refused(
        instance, out, os.path.join(instance, "directory", "directory.db-wal"), 32 + 24 + 5000)
    yield "undamaged again", read(instance, out, PASSWORD).returncode == 0 and is_complete(instance, out)


def main():
    failed = 0
    for name, good in cases(sys.argv[1]):
        print("%s %s" % ("ok" if good else "FAIL", name))
        failed += not good
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
