#!/usr/bin/python3
"""Writes the known answers in src/seal/vectors_test.c: sealed things made here, from docs/formats.md, opened there.

    make_vectors.py            prints the C constants
"""

import ctypes
import struct

from nacl import bindings, pwhash

from sealed import _zstd, checksum, derive, digest

ACCOUNT = 0x0102030405060708
MASTER = bytes(range(32))
PRIVATE = bytes(range(100, 132))
EPHEMERAL = bytes(range(200, 232))
TEXT = b"From: a@example.test\r\nSubject: known answer\r\n\r\nhello hello hello hello\r\n"


def seal(key, nonce, aad, text):
    return bindings.crypto_aead_chacha20poly1305_ietf_encrypt(text, aad, nonce, key)


def xseal(key, nonce, aad, text):
    return bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(text, aad, nonce, key)


def public_of(private):
    return bindings.crypto_scalarmult_base(private)


def keys_file():
    account, nonce = struct.pack("<Q", ACCOUNT), bytes(range(50, 74))
    front = b"GPkeys\x01\x00" + account + struct.pack("<Q", 1 << 30) + public_of(PRIVATE)
    wrapped = xseal(derive(MASTER, "private key wrapping", account), nonce, front, PRIVATE)
    data = front + nonce + wrapped
    return data + checksum(data)


def slot(kind, memory_kib, passes, salt, credential):
    front = b"GPslot\x01\x00" + struct.pack("<B3xIIIQ", kind, memory_kib, passes, 0, ACCOUNT) + salt
    front += derive(credential, "slot commitment", front)
    wrapped = seal(derive(credential, "slot wrapping", front[:64]), bytes(12), front, MASTER)
    return front + wrapped + checksum(front + wrapped)


def password_slot():
    salt = bytes(range(32))
    key = pwhash.argon2id.kdf(32, b"correct horse", salt[:16], opslimit=1, memlimit=8192)
    return slot(1, 8, 1, salt, key)


def token_slot():
    return slot(2, 0, 0, bytes(range(7, 39)), bytes(range(32, 64)))


def recovery_slot():
    ephemeral, recovery = public_of(EPHEMERAL), public_of(PRIVATE)
    shared = bindings.crypto_scalarmult(EPHEMERAL, recovery)
    return slot(3, 0, 0, ephemeral, derive(shared, "slot recovery", ephemeral + recovery))


def compress(data):
    out = ctypes.create_string_buffer(len(data) + 100)
    _zstd.ZSTD_compress.restype = ctypes.c_size_t
    _zstd.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p,
                                    ctypes.c_size_t, ctypes.c_int]
    length = _zstd.ZSTD_compress(out, len(out), data, len(data), 1)
    return out.raw[:length]


def chunks(content_key):
    return seal(derive(content_key, "body chunks"), bytes(8) + b"\x01" + bytes(3), b"",
                compress(TEXT))


def record():
    content_key, nonce = bytes(range(150, 182)), bytes(range(24))
    body = chunks(content_key)
    content = content_key + struct.pack("<QQBB6x16x", len(TEXT), len(body), 1, 0) + b"metadata"
    sealed_len = 56 + len(content) + 16
    total = 48 + sealed_len + len(body) + 16
    header = b"GPrc\x01\x00\x00\x00" + struct.pack("<IIIIQQ", total, sealed_len, len(body), 0,
                                                  1764000000000, 0)
    header += checksum(header)
    ephemeral, public = public_of(EPHEMERAL), public_of(PRIVATE)
    shared = bindings.crypto_scalarmult(EPHEMERAL, public)
    key = derive(shared, "record header", ephemeral + public + struct.pack("<Q", ACCOUNT))
    headers = header + ephemeral + nonce + xseal(key, nonce, header, content)
    trailer = b"GPre" + struct.pack("<I", total)
    return headers + body + trailer + checksum(headers + digest(body) + trailer)


def blob():
    body = chunks(bytes(range(150, 182)))
    header = b"GPblob\x01\x00" + bytes(range(16))
    length = struct.pack("<Q", len(header) + len(body) + 16)
    return header + body + length + checksum(header + digest(body) + length)


def page():
    key = derive(MASTER, "database page", bytes(range(16)))
    place = b"GPpg\x01\x00D\x00" + bytes(range(16)) + struct.pack("<I20x", 2)
    nonce = bytes(range(90, 114))
    sealed = xseal(key, nonce, place, bytes(i * 7 % 251 for i in range(16296)))
    # The whole page is long: its digest, and its trailer.
    return digest(sealed[:-16] + nonce + sealed[-16:] + place) + nonce + sealed[-16:] + place


def main():
    for make in (keys_file, password_slot, token_slot, recovery_slot, record, blob, page):
        text = make().hex()
        print("static const char %s[] =" % make.__name__)
        lines = [text[i:i + 88] for i in range(0, len(text), 88)]
        print("\n".join('    "%s"' % line for line in lines) + ";")


if __name__ == "__main__":
    main()
