"""Random but valid commands for two servers in the same state.

A command is a list of parts: text, literals (bytes), or Each for what has another value on each side (UIDVALIDITY,
MODSEQ). Nothing here talks to a server.
"""

BOXES = ["INBOX", "Drafts", "Sent", "Junk", "Trash", "work", "work/2026", "work/2026/a", '"with space"', "other", "other/x", "&ZeVnLIqe-"]
FLAGS = ["\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "\\Draft", "$Forwarded", "$Junk", "word"]
WORDS = ["meeting", "invoice", "budget", "the", "ada", "e", "Re:", "example", "text/plain", "boundary", "über", "ελληνικά", "привет", "会議", "naïve", "GRACE", "x y",
         "no such words anywhere", "=?utf-8", "Zażółć", "multipart", "1.0", "<", "hello"]
HEADERS = ["Message-ID", "To", "Content-Type", "X-Label", "Subject", "References", "No-Such-Field", "List-Id", "MIME-Version"]
DATES = ["1-Jan-1998", "15-Mar-2011", "1-Jan-2015", "28-Feb-2020", "5-Dec-2023", "24-Nov-2026"]
ITEMS = ["FLAGS", "UID", "ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "RFC822.HEADER", "BODY.PEEK[]", "BODY.PEEK[HEADER]",
         "BODY.PEEK[TEXT]", "BODY.PEEK[HEADER.FIELDS (Subject From)]", "BODY.PEEK[HEADER.FIELDS.NOT (Received X-Label Date)]"]
READING = ["BODY[]", "BODY[TEXT]", "RFC822", "RFC822.TEXT", "BODY[1]"]
PARTS = ["1", "2", "3", "1.1", "1.2", "2.1", "2.2", "1.1.1", "9"]
SORT_KEYS = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO"]


class Each:
    def __init__(self, ours, theirs):
        self.sides = (str(ours), str(theirs))


def side(parts, n):
    return [p.sides[n] if isinstance(p, Each) else p for p in parts]


def joined(parts):
    """Texts next to each other as one, as wire.Imap wants them: text and literals in turn."""
    out = [""]
    for p in parts:
        if isinstance(p, str) and isinstance(out[-1], str):
            out[-1] += p
        else:
            out.append(p)
    return out


def shown(parts):
    return "".join(repr(p[:60]) if isinstance(p, bytes) else "<each>" if isinstance(p, Each) else p for p in parts)


def partial(rng):
    return rng.choice(["", "", "", f"<{rng.choice([0, 1, 17, 500, 100000])}.{rng.choice([1, 10, 80, 4000])}>"])


def section(rng, n_parts=PARTS):
    part = rng.choice(n_parts)
    tail = rng.choice(["", "", "", ".MIME", ".HEADER", ".TEXT", ".HEADER.FIELDS (Subject Date)"])
    return f"BODY.PEEK[{part}{tail}]" + partial(rng)


def item(rng):
    r = rng.random()
    if r < 0.55:
        one = rng.choice(ITEMS)
        return one + partial(rng) if one.endswith("]") else one
    if r < 0.85:
        return section(rng)
    if r < 0.9:
        return rng.choice([f"BINARY.PEEK[{rng.choice(PARTS[:4])}]", f"BINARY.SIZE[{rng.choice(PARTS[:4])}]"])
    return rng.choice(READING)


def numbers(rng, n):
    """A sequence set of a mailbox of n messages, n > 0."""
    a, b = rng.randint(1, n), rng.randint(1, n)
    return rng.choice([f"{a}", f"{a}", f"{a}:{min(n, a + 3)}", f"{b}:{a}" if abs(a - b) < 8 else f"{a}", f"{a},{b}", "*", f"{max(1, n - 2)}:*"])


def uids(rng, known):
    """A set of some that are there and some that are not."""
    if not known:
        return "1:*"
    some = [rng.choice(known) for _ in range(rng.randint(1, 3))]
    return rng.choice([",".join(map(str, some)), f"{some[0]}:{some[0] + 4}", f"{some[0]},999999", "*", f"{some[-1]}:*" if known.index(some[-1]) > len(known) - 6 else str(some[0])])


def astring(text):
    """A word of a search: literal where it must be."""
    return [text.encode()] if not text.isascii() else [f'"{text}"']


def leaf(rng, n, known, modseq):
    """(name, parts) of one search key."""
    name = rng.choice(LEAVES)
    if name in ("BCC", "BODY", "CC", "FROM", "SUBJECT", "TEXT", "TO"):
        return name, [name + " ", *astring(rng.choice(WORDS))]
    if name in ("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"):
        return name, [f"{name} {rng.choice(DATES)}"]
    if name in ("LARGER", "SMALLER"):
        return name, [f"{name} {rng.choice([0, 100, 700, 3000, 100000])}"]
    if name in ("KEYWORD", "UNKEYWORD"):
        return name, [f"{name} {rng.choice(FLAGS[5:] + ['$Never'])}"]
    if name == "HEADER":
        return name, [f"HEADER {rng.choice(HEADERS)} ", *astring(rng.choice(WORDS + ['']))]
    if name == "UID":
        return name, [f"UID {uids(rng, known)}"]
    if name == "numbers":
        return name, [numbers(rng, n)]
    if name == "MODSEQ":
        return (name, ["MODSEQ ", modseq]) if modseq is not None else ("ALL", ["ALL"])
    return name, [name]


LEAVES = ["ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN", "BCC", "BODY", "BODY", "CC", "FROM",
          "SUBJECT", "SUBJECT", "TEXT", "TEXT", "TO", "BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE", "LARGER", "SMALLER", "KEYWORD", "UNKEYWORD",
          "HEADER", "HEADER", "UID", "numbers", "MODSEQ", "YOUNGER 1000000", "OLDER 1000000"]


def tree(rng, n, known, modseq, leaves, depth=0):
    """(parts, meaning) of a combination of keys; its leaves are added to `leaves`. meaning(results, all) is a set."""
    r = rng.random()
    again = lambda: tree(rng, n, known, modseq, leaves, depth + 1)  # noqa: E731
    if depth > 2 or r < 0.5:
        one = leaf(rng, n, known, modseq)
        leaves.append(one)
        at = len(leaves) - 1
        return one[1], lambda results, _: results[at]
    a, is_a = again()
    if r < 0.65:
        return ["NOT ", *a], lambda results, every: every - is_a(results, every)
    b, is_b = again()
    if r < 0.85:
        return ["OR ", *a, " ", *b], lambda results, every: is_a(results, every) | is_b(results, every)
    return ["(", *a, " ", *b, ")"], lambda results, every: is_a(results, every) & is_b(results, every)
