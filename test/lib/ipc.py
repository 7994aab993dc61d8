"""The messages between roles, for tests that speak with one role alone; declarations are read from the sources, so that numbers and
fields are those of the server.

    channel = Channel(socket)
    channel.send("dns", request=1, name=b"example.org", type=15)
    name, fields = channel.receive()
"""

import array
import re
import socket
import struct
from pathlib import Path

IPC = Path(__file__).resolve().parent.parent.parent / "src/ipc"
SIZES = {"IPC_U8": 1, "IPC_U16": 2, "IPC_U32": 4, "IPC_U64": 8}
MESSAGE_MAX = 65536


def _without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def enum(name, header="messages.h"):
    """{constant: number} of an enum."""
    text = _without_comments((IPC / header).read_text())
    body = re.search(rf"enum {name} \{{(.*?)\}};", text, re.DOTALL).group(1)
    numbers, value = {}, -1
    for entry in filter(None, (e.strip() for e in body.split(","))):
        constant, _, given = (part.strip() for part in entry.partition("="))
        value = int(given) if given else value + 1
        numbers[constant] = value
    return numbers


def _fields():
    """{message: [(field, kind)]}."""
    found = {}
    for source in ("messages.c", "outgoing.c"):
        text = _without_comments((IPC / source).read_text())
        for name, body in re.findall(r"ipc_field (\w+)_fields\[\] = \{(.*?)\};", text, re.DOTALL):
            found[name] = re.findall(r"FIELD\(\w+, ([\w.]+), (IPC_\w+)", body)
    return found


ROLES = enum("role")
TYPES = {constant[len("IPC_") :].lower(): number for constant, number in enum("ipc_type").items()}
NAMES = {number: name for name, number in TYPES.items()}
FIELDS = _fields()


def _encode(kind, value):
    if kind in SIZES:
        return int(value).to_bytes(SIZES[kind], "little")
    if kind in ("IPC_STR", "IPC_SECRET"):
        return struct.pack("<H", len(value)) + value
    if kind == "IPC_STRS":
        return struct.pack("<H", len(value)) + b"".join(_encode("IPC_STR", v) for v in value)
    if kind == "IPC_U64S":
        return struct.pack(f"<H{len(value)}Q", len(value), *value)
    raise ValueError(kind)


class _Reader:
    def __init__(self, data, fds):
        self.data, self.fds = data, list(fds)

    def take(self, n):
        piece, self.data = self.data[:n], self.data[n:]
        assert len(piece) == n, "a message ends early"
        return piece

    def decode(self, kind):
        if kind in SIZES:
            return int.from_bytes(self.take(SIZES[kind]), "little")
        if kind == "IPC_FD":
            return self.fds.pop(0)
        n = int.from_bytes(self.take(2), "little")
        if kind in ("IPC_STR", "IPC_SECRET"):
            return self.take(n)
        if kind == "IPC_STRS":
            return [self.decode("IPC_STR") for _ in range(n)]
        return list(struct.unpack(f"<{n}Q", self.take(8 * n)))


class Channel:
    def __init__(self, end):
        self.end = end

    def send(self, message, /, **values):
        data, fds = struct.pack("<H", TYPES[message]), []
        for field, kind in FIELDS[message]:
            if kind == "IPC_FD":
                fds.append(values.pop(field))
            else:
                data += _encode(kind, values.pop(field))
        assert not values, values
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.end.sendmsg([data], ancillary)

    def receive(self, seconds=30):
        """(name, {field: value}); (None, None) when the channel has ended."""
        self.end.settimeout(seconds)
        data, ancillary, _, _ = self.end.recvmsg(MESSAGE_MAX + 1, socket.CMSG_SPACE(16 * 4))
        if not data:
            return None, None
        fds = array.array("i")
        for _, kind, payload in ancillary:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(payload)
        name = NAMES[int.from_bytes(data[:2], "little")]
        reader = _Reader(data[2:], fds)
        values = {field: reader.decode(kind) for field, kind in FIELDS[name]}
        assert not reader.data, f"{name}: {len(reader.data)} bytes too many"
        return name, values

    def close(self):
        self.end.close()


def pair():
    """A channel, and the socket that goes to the other side."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), theirs
