#!/usr/bin/python3
"""Reads the mail of one account without Gatepost: from its files and its password.

    gatepost_reader.py --directory FOLDER --accounts FOLDER --account USER@DOMAIN --out FOLDER

FOLDER of --directory holds directory.db and server.key, FOLDER of --accounts the accounts. The password (or with
--recovery the recovery key) is read from standard input. Each message is written to OUT/MAILBOX/UID.eml, those not
taken in yet to OUT/.new/SEGMENT-OFFSET.eml. Prints one JSON line: {"messages": n, "new": n}.

The server must be stopped, or the files copied while nothing changes.
"""

import argparse
import json
import os
import sys

import sealed
from sealed import Damage, need, u32, u64


def load(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def load_if_there(*path):
    try:
        return load(*path)
    except FileNotFoundError:
        return b""


def open_directory(folder):
    server_key = load(folder, "server.key")
    need(server_key[32:] in (b"", sealed.checksum(server_key[:32])), "server.key is damaged")
    key = sealed.derive(server_key[:32], "directory.db")
    return sealed.open_database(key, load(folder, "directory.db"),
                                load_if_there(folder, "directory.db-wal"))


def unlock(directory, address, credential, recovery):
    """The account's id and its master key."""
    local, _, domain = address.rpartition("@")
    row = directory.execute("SELECT id FROM account WHERE local = ? AND domain = ? AND state = 1",
                            (local, domain)).fetchone()
    need(row is not None, "no such account")
    kind = 3 if recovery else 1
    slot = directory.execute("SELECT sealed FROM slot WHERE account = ? AND kind = ?",
                             (row[0], kind)).fetchone()
    need(slot is not None, "no such slot")
    if recovery:
        private = sealed.read_recovery_text(credential)
        return row[0], sealed.open_recovery_slot(slot[0], row[0], private)
    return row[0], sealed.open_password_slot(slot[0], row[0], credential)


def open_mailbox(folder, account, master):
    key = sealed.derive(master, "mailbox.db", account.to_bytes(8, "little"))
    return sealed.open_database(key, load(folder, "mailbox.db"),
                                load_if_there(folder, "mailbox.db-wal"))


def segment(folder, number, account):
    data = load(folder, "letterbox", "%06d.seg" % number)
    need(data[:11] == b"GPletter\x01\x00\x00", "segment: header")
    need(sealed.checksum(data[:24]) == data[24:32], "segment: checksum")
    need(u32(data, 12) == number and u64(data, 16) == account, "segment: place")
    return data


def message_of(folder, record):
    if not record.body.in_blob:
        return sealed.open_body(record.body, record.sealed_body)
    return sealed.open_blob(load(folder, "blobs", record.body.blob_id.hex()), record.body)


def walk(data, at):
    """Places and bytes of the records of a segment from `at` on; holes are stepped over."""
    at = max(at, 32)
    while at < len(data):
        if data[at:at + 8] == b"GPhole\r\n" and sealed.checksum(data[at:at + 24]) == data[at + 24:at + 32]:
            at += u32(data, at + 8)
            continue
        length = sealed.record_length(data, at)
        if length is None or at + length > len(data):
            return  # cut off by a crash; nothing acknowledged stands there
        yield at, data[at:at + length]
        at += length


def segments_from(folder, number):
    names = sorted(os.listdir(os.path.join(folder, "letterbox")))
    return [int(name[:6]) for name in names if name.endswith(".seg") and int(name[:6]) >= number]


def save(out, box, name, content):
    box = box.replace("/", "\N{FULLWIDTH SOLIDUS}")
    os.makedirs(os.path.join(out, box), exist_ok=True)
    with open(os.path.join(out, box, name), "wb") as file:
        file.write(content)


def extract_indexed(folder, keys, mailbox, out):
    rows = mailbox.execute(
        "SELECT b.name, e.uid, m.segment, m.offset, m.length, m.body FROM entries e"
        " JOIN mailboxes b ON b.id = e.mailbox JOIN messages m ON m.id = e.message"
        " ORDER BY m.segment, m.offset").fetchall()
    loaded, data = None, b""
    for name, uid, number, at, length, body in rows:
        if number != loaded:
            loaded, data = number, segment(folder, number, keys.account)
        record = sealed.read_record(data[at:at + length], keys)
        need(record.body == sealed.read_body_fields(body), "mailbox.db and letterbox differ")
        save(out, name, "%d.eml" % uid, message_of(folder, record))
    return len(rows)


def extract_new(folder, keys, mailbox, out):
    """What was delivered after a session last took mail in."""
    number, offset = 0, 0
    if mailbox is not None:
        number, offset = mailbox.execute("SELECT segment, offset FROM state").fetchone()
    n = 0
    for current in segments_from(folder, number):
        data = segment(folder, current, keys.account)
        for at, bytes_of_record in walk(data, offset if current == number else 0):
            record = sealed.read_record(bytes_of_record, keys)
            save(out, ".new", "%06d-%d.eml" % (current, at), message_of(folder, record))
            n += 1
    return n


def extract(options, credential):
    directory = open_directory(options.directory)
    account, master = unlock(directory, options.account, credential, options.recovery)
    folder = os.path.join(options.accounts, str(account))
    keys = sealed.read_keys(load(folder, "keys"), master)
    need(keys.account == account, "keys: of another account")
    mailbox = None
    if os.path.exists(os.path.join(folder, "mailbox.db")):
        mailbox = open_mailbox(folder, account, master)
        version = mailbox.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            mailbox = None  # made, but never used
        else:
            need(version in range(1, 15), "mailbox.db: version")  # they differ in columns not read here
    indexed = extract_indexed(folder, keys, mailbox, options.out) if mailbox else 0
    return {"messages": indexed, "new": extract_new(folder, keys, mailbox, options.out)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--accounts", required=True)
    parser.add_argument("--account", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--recovery", action="store_true")
    options = parser.parse_args()
    credential = sys.stdin.readline().rstrip("\n")
    try:
        print(json.dumps(extract(options, credential)))
    except (Damage, OSError) as error:
        sys.exit("gatepost_reader: %s" % error)


if __name__ == "__main__":
    main()
