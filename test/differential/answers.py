"""Answers of two servers in one form, so that only what differs in meaning differs.

`normal` gives {key: value}. Left out or made equal: texts, UIDVALIDITY and MODSEQ values, \\Recent, the order in which
untagged responses and the items of a FETCH come, how strings are written, the zone of INTERNALDATE, letter case where
it has no meaning, and what nobody asked for (the follower takes that in).
"""

import re
import sys
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "imap"))

import script  # noqa: E402
from follower import uid_set  # noqa: E402

CODES_WITH_SETS = ("COPYUID", "APPENDUID", "MODIFIED", "UIDNEXT")
FREE = (b"\\marked", b"\\unmarked")  # attributes that say what nobody can rely on (RFC 9051 §7.3.1)
CHILDREN = (b"\\haschildren", b"\\hasnochildren")
SUBSCRIBED = (b"\\subscribed",)
USES = (b"\\archive", b"\\drafts", b"\\junk", b"\\sent", b"\\trash")
OPTIONAL = ("children", "use", "subscribed")  # compared where both say it: they may be said unasked (RFC 5258 §4, RFC 6154 §2)
UNASKED = ("RECENT", "EXISTS", "EXPUNGE", "CAPABILITY", "ENABLED")


def plain(word, lower=False):
    """A word or list as bytes, None for NIL, and tuples."""
    if isinstance(word, script.Words):
        return tuple(plain(w, lower) for w in word)
    if not word.quoted and word.text.upper() == b"NIL":
        return None
    return word.text.lower() if lower else word.text


def moment(text):
    """INTERNALDATE as seconds."""
    return datetime.strptime(text.decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(timezone.utc).timestamp()


def flag_set(words):
    return tuple(sorted(f.lower() for f in words if f.lower() != b"\\recent"))


def system_flags(words):
    """Which keywords a mailbox lists is the server's affair (RFC 9051 §2.3.2)."""
    return tuple(f for f in flag_set(words) if f.startswith(b"\\"))


def fetch_item(name, word):
    if name == "FLAGS":
        return flag_set(plain(w) for w in word)
    if name == "INTERNALDATE":
        return moment(word.text)
    if name in ("MODSEQ", "SAVEDATE"):
        return "there"
    if name == "PREVIEW":
        return "there" if plain(word) is not None else None
    return plain(word, lower=name in ("BODY", "BODYSTRUCTURE"))


def fetch(n, words, asked, found):
    items = words[2]
    for name, value in zip(items[::2], items[1::2]):
        name = name.text.decode("latin-1").upper()
        if asked is not None and not asked(name):
            continue
        found["FETCH", n, name] = fetch_item(name, value)


def pairs(words):
    values = [plain(w) for w in words]
    return [(k.decode().upper(), v) for k, v in zip(values[::2], values[1::2])]


def esearch(words, found):
    rest = [w for w in words[1:] if not isinstance(w, script.Words)]
    if rest and rest[0].text.upper() == b"UID":
        rest = rest[1:]
    for name, value in pairs(rest):
        if name == "ALL":
            found["SEARCH", ""] = tuple(uid_set(value))
        elif name == "MODSEQ":
            found["ESEARCH", name] = "there"
        else:
            found["ESEARCH", name] = value


def untagged_words(words, asked, found):
    kind = words[0].text.upper().decode("latin-1")
    if kind.isdigit():
        word = words[1].text.upper().decode()
        if word == "FETCH":
            fetch(int(kind), words, asked, found)
        return
    if kind in ("SEARCH", "SORT"):
        numbers = [int(w.text) for w in words[1:] if isinstance(w, script.Word) and w.text.isdigit()]
        found["SEARCH", ""] = tuple(numbers if kind == "SORT" else sorted(numbers))
        if any(isinstance(w, script.Words) for w in words):
            found["SEARCH", "MODSEQ"] = "there"
    elif kind == "ESEARCH":
        esearch(words, found)
    elif kind == "THREAD":
        found["THREAD", ""] = tuple(plain(w) for w in words[1:])
    elif kind in ("LIST", "LSUB"):
        name = plain(words[3])
        name = b"INBOX" if name.upper() == b"INBOX" else name
        name = name.decode("latin-1")
        attributes = flag_set(plain(w) for w in words[1])
        found[kind, name] = tuple(a for a in attributes if a not in CHILDREN + FREE + USES + SUBSCRIBED), tuple(plain(w) for w in words[4:])
        for a in attributes:
            for what, group in (("children", CHILDREN), ("use", USES), ("subscribed", SUBSCRIBED)):
                if a in group:
                    found[what, name] = a
    elif kind == "STATUS":
        for name, value in pairs(words[2]):
            name_of = plain(words[1]).decode("latin-1")
            found["STATUS", "INBOX" if name_of.upper() == "INBOX" else name_of, name] = "there" if name in ("UIDVALIDITY", "HIGHESTMODSEQ") else value
    elif kind == "FLAGS":
        found["FLAGS", ""] = system_flags(plain(w) for w in words[1])
    elif kind == "VANISHED" and isinstance(words[1], script.Words):
        found["VANISHED", ""] = tuple(sorted(set(found.get(("VANISHED", ""), ())) | set(uid_set(words[2].text))))
    elif kind not in UNASKED and kind != "VANISHED":
        found[kind, ""] = tuple(plain(w) for w in words[1:])


def code(text, found, tagged):
    m = re.match(rb"\[([A-Z0-9-]+)(?: ([^\]]*))?\]", text, re.IGNORECASE)
    name = m.group(1).decode().upper() if m else ""
    value = m.group(2) if m else None
    if name in ("COPYUID", "APPENDUID"):
        value = value.split(b" ", 1)[1]
    if name in CODES_WITH_SETS:
        value = tuple(tuple(uid_set(w)) for w in value.split())
    elif name == "PERMANENTFLAGS":
        value = system_flags(value.strip(b"()").split())
    elif name != "UNSEEN":
        value = "there" if name else None
    if name == "CLOSED":
        return
    if tagged and name in ("COPYUID", "APPENDUID", "MODIFIED", "") or not tagged:
        if name and name not in ("MAILBOXID", "HIGHESTMODSEQ"):
            found["code", name] = value
    elif name in ("TRYCREATE", "READ-ONLY"):
        found["tagged code", name] = value


def normal(reply, asked=None):
    """`asked(name)`: whether a FETCH item was asked for."""
    found = {("tagged", ""): reply.status}
    for line in reply.untagged:
        body = line[2:]
        m = re.match(rb"(OK|NO|BAD|BYE)\b ?", body, re.IGNORECASE)
        if m is not None:
            code(body[m.end() :], found, False)
            continue
        untagged_words(script.parse_words(body), asked, found)
    code(reply.text.encode(), found, True)
    return found


def narrowed(ours, theirs, path=""):
    """Of two nested lists what differs first."""
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple):
        return f"at {path or '-'}: {ours!r}", f"{theirs!r}"
    for n, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return narrowed(a, b, f"{path}.{n}")
    return f"at {path or '-'}: {len(ours)} items {ours!r}", f"{len(theirs)} items {theirs!r}"


def leaves(ours, theirs, path=""):
    """Where two nested lists differ: [(path, our value, theirs)]."""
    if ours == theirs:
        return []
    if not isinstance(ours, tuple) or not isinstance(theirs, tuple) or len(ours) != len(theirs):
        return [(path, ours, theirs)]
    return [found for n, (a, b) in enumerate(zip(ours, theirs)) for found in leaves(a, b, f"{path}.{n}")]


def structure_kind(ours, theirs):
    """What sort of difference in a BODYSTRUCTURE this is, "" where it is none of the known."""
    if isinstance(ours, (tuple, type(None))) and theirs == (ours or ()) + (b"charset", b"us-ascii"):
        return " default charset"
    if isinstance(ours, bytes) and theirs == (ours,):
        return " one language"
    if isinstance(ours, bytes) and ours.isdigit() and isinstance(theirs, bytes) and theirs.isdigit() and int(ours) == int(theirs) + 1:
        return " last line"
    if isinstance(ours, bytes) and ours.isdigit() and isinstance(theirs, bytes) and theirs.isdigit() and int(ours) == int(theirs) - 2:
        return " delimiter's line end"
    return ""


def differences(ours, theirs):
    """[(key, our value, theirs)]; "absent" where there is none."""
    keys = sorted(set(ours) | set(theirs), key=str)
    keys = [k for k in keys if k[0] not in OPTIONAL or k in ours and k in theirs]
    return [(k, ours.get(k, "absent"), theirs.get(k, "absent")) for k in keys if ours.get(k, "absent") != theirs.get(k, "absent")]
