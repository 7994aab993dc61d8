"""Gatepost's sealed formats, read independently: written from docs/formats.md alone.

Needs python3-nacl and the zstd library. Anything that is not as the document says raises Damage.
"""

import ctypes
import ctypes.util
import hashlib
import sqlite3
import struct
import unicodedata
from collections import namedtuple

from nacl import bindings, exceptions, pwhash

PAGE = 16384
RESERVED = 88
CHUNK = 65536


class Damage(Exception):
    """The bytes are not what the format says, or do not open with this key."""


def need(condition, what):
    if not condition:
        raise Damage(what)


# Primitives

def u16(data, at):
    return struct.unpack_from("<H", data, at)[0]


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def digest(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def checksum(data):
    return hashlib.blake2b(data, digest_size=16).digest()[:8]


def derive(key, label, context=b""):
    text = b"gatepost v1 " + label.encode() + b"\0" + context
    return hashlib.blake2b(text, key=key, digest_size=32).digest()


def aead_open(key, nonce, aad, sealed):
    try:
        return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(sealed, aad, nonce, key)
    except exceptions.CryptoError:
        raise Damage("not authentic") from None


def xaead_open(key, nonce, aad, sealed):
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, aad, nonce, key)
    except exceptions.CryptoError:
        raise Damage("not authentic") from None


def x25519(private, public):
    return bindings.crypto_scalarmult(private, public)


_zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
_zstd.ZSTD_decompress.restype = ctypes.c_size_t
_zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p,
                                  ctypes.c_size_t]
_zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]


def decompress(data, length):
    out = ctypes.create_string_buffer(max(length, 1))
    got = _zstd.ZSTD_decompress(out, length, data, len(data))
    need(not _zstd.ZSTD_isError(got) and got == length, "zstd: wrong length")
    return out.raw[:length]


def check_front(data, magic, what):
    """The magic, version and flags that the smaller formats begin with."""
    need(data[:len(magic)] == magic, what + ": magic")
    need(data[len(magic)] == 1, what + ": version")
    need(data[len(magic) + 1] & 1 == 0, what + ": not sealed")


# Keys and slots

Keys = namedtuple("Keys", "account private public quota")


def read_keys(data, master):
    need(len(data) == 136, "keys: length")
    check_front(data, b"GPkeys", "keys")
    need(checksum(data[:128]) == data[128:], "keys: checksum")
    account = data[8:16]
    key = derive(master, "private key wrapping", account)
    private = xaead_open(key, data[56:80], data[:56], data[80:128])
    public = bindings.crypto_scalarmult_base(private)
    need(public == data[24:56], "keys: the halves do not belong together")
    return Keys(u64(account, 0), private, public, u64(data, 16))


def prepare_password(password):
    """PRECIS OpaqueString (RFC 8265 section 4.2), as far as a reader must."""
    mapped = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
    return unicodedata.normalize("NFC", mapped).encode()


def open_slot(slot, account, kind, credential):
    """The master key. `credential` makes the 32 bytes out of the slot."""
    need(len(slot) == 152, "slot: length")
    check_front(slot, b"GPslot", "slot")
    need(checksum(slot[:144]) == slot[144:], "slot: checksum")
    need(slot[8] == kind and u64(slot, 24) == account, "slot: of another kind or account")
    key = credential(slot)
    need(derive(key, "slot commitment", slot[:64]) == slot[64:96], "slot: wrong credential")
    return aead_open(derive(key, "slot wrapping", slot[:64]), bytes(12), slot[:96], slot[96:144])


def open_password_slot(slot, account, password):
    def stretch(front):
        return pwhash.argon2id.kdf(32, prepare_password(password), front[32:48],
                                   opslimit=u32(front, 16), memlimit=u32(front, 12) * 1024)
    return open_slot(slot, account, 1, stretch)


def open_token_slot(slot, account, token):
    return open_slot(slot, account, 2, lambda _: token)


def open_recovery_slot(slot, account, private):
    def agree(front):
        public = bindings.crypto_scalarmult_base(private)
        return derive(x25519(private, front[32:64]), "slot recovery", front[32:64] + public)
    return open_slot(slot, account, 3, agree)


def read_recovery_text(text):
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number, digits = 0, 0
    for c in text.upper().replace("O", "0").replace("I", "1").replace("L", "1"):
        if c in "- \t\r\n":
            continue
        need(c in alphabet, "recovery key: character")
        number, digits = number * 32 + alphabet.index(c), digits + 1
    need(digits == 56, "recovery key: length")
    data = number.to_bytes(35, "big")
    need(data[0] == 1, "recovery key: version")
    need(checksum(b"recovery" + data[:33])[:2] == data[33:], "recovery key: checksum")
    return data[1:33]


# Bodies, records, blobs

Body = namedtuple("Body", "content_key plain_len sealed_len in_blob blob_id")
Record = namedtuple("Record", "time_ms metadata body sealed_body length")


def read_body_fields(data):
    need(data[48] == 1 and data[49] <= 1 and not any(data[50:56]), "body: fields")
    return Body(data[:32], u64(data, 32), u64(data, 40), data[49] == 1, data[56:72])


def open_body(body, sealed):
    need(len(sealed) == body.sealed_len > 0, "body: length")
    key = derive(body.content_key, "body chunks")
    plain = bytearray()
    step = CHUNK + 16
    for number, at in enumerate(range(0, len(sealed), step)):
        last = at + step >= len(sealed)
        nonce = struct.pack("<QB3x", number, last)
        plain += aead_open(key, nonce, b"", sealed[at:at + step])
    return decompress(bytes(plain), body.plain_len)


def record_length(data, at):
    """The length of the record at `at`, from its plain header; None where there is none."""
    header = data[at:at + 48]
    if len(header) < 48 or header[:4] != b"GPrc" or checksum(header[:40]) != header[40:]:
        return None
    return u32(header, 8)


def read_record(data, keys):
    """The record that `data` is, opened with the account's keys."""
    need(record_length(data, 0) == len(data), "record: header")
    need(data[4] == 1 and data[5] & 1 == 0, "record: version")
    header, trailer = data[:48], data[-16:]
    sealed_len, body_len = u32(header, 12), u32(header, 16)
    need(48 + sealed_len + body_len + 16 == len(data), "record: lengths")
    body_at = 48 + sealed_len
    sealed_body = data[body_at:body_at + body_len]
    need(trailer[:4] == b"GPre" and u32(trailer, 4) == len(data), "record: trailer")
    need(checksum(data[:body_at] + digest(sealed_body) + trailer[:8]) == trailer[8:],
         "record: checksum")
    sealed = data[48:body_at]
    context = sealed[:32] + keys.public + struct.pack("<Q", keys.account)
    key = derive(x25519(keys.private, sealed[:32]), "record header", context)
    content = xaead_open(key, sealed[32:56], header, sealed[56:])
    body = read_body_fields(content[:72])
    need(body.in_blob == bool(header[5] & 2), "record: blob")
    return Record(u64(header, 24), content[72:], body, sealed_body, len(data))


def open_blob(data, body):
    need(len(data) >= 40, "blob: length")
    check_front(data, b"GPblob", "blob")
    need(data[8:24] == body.blob_id, "blob: id")
    chunks, trailer = data[24:-16], data[-16:]
    need(u64(trailer, 0) == len(data), "blob: length")
    need(checksum(data[:24] + digest(chunks) + trailer[:8]) == trailer[8:], "blob: checksum")
    return open_body(body, chunks)


# Databases

Place = namedtuple("Place", "role where")


def open_page(key, page):
    trailer = page[-RESERVED:]
    need(trailer[40:46] == b"GPpg\x01\x00" and trailer[47] == 0, "page: trailer")
    plain = xaead_open(key, trailer[:24], trailer[40:], page[:-RESERVED] + trailer[24:40])
    return plain + bytes(RESERVED), Place(chr(trailer[46]), trailer[48:])


def open_log_frame(key, log, number, salts, previous):
    """Page number, pages after commit, mark and page of a frame; None where the log ends."""
    at = 32 + (number - 1) * (24 + PAGE)
    if at + 24 + PAGE > len(log):
        return None
    try:
        page, place = open_page(key, log[at + 24:at + 24 + PAGE])
    except Damage:
        return None
    where = place.where
    if place.role != "L" or where[:8] != salts or u32(where, 8) != number or where[32:] != previous:
        return None
    return u32(where, 12), u32(where, 16), where[24:32], page


def read_log(key, log):
    """What the log's commits changed: pages by number, and how many there are in the end."""
    committed, pending, n_pages = {}, {}, None
    previous, number = bytes(8), 1
    while len(log) > 32:
        frame = open_log_frame(key, log, number, log[16:24], previous)
        if frame is None:
            break
        page_number, commit, previous, page = frame
        pending[page_number] = page
        if commit:
            committed.update(pending)
            pending, n_pages = {}, commit
        number += 1
    return committed, n_pages


def open_database(key, data, log=b""):
    """An sqlite3 connection to the plain database, in memory."""
    need(len(data) >= PAGE, "database: length")
    file_id = data[PAGE - RESERVED + 48:PAGE - RESERVED + 64]
    page_key = derive(key, "database page", file_id)
    newer, n_pages = read_log(page_key, log)
    if n_pages is None:
        n_pages = len(data) // PAGE
    plain = bytearray()
    for number in range(1, n_pages + 1):
        if number in newer:
            plain += newer[number]
            continue
        sealed = data[(number - 1) * PAGE:number * PAGE]
        if not sealed:
            plain += bytes(PAGE)  # never written: in no table
            continue
        page, place = open_page(page_key, sealed)
        need(place == Place("D", file_id + struct.pack("<I", number) + bytes(20)), "page: place")
        plain += page
    # An image in memory has no log: it says so where SQLite looks.
    plain[18:20] = b"\x01\x01"
    connection = sqlite3.connect(":memory:")
    connection.deserialize(bytes(plain))
    return connection
