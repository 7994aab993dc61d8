#!/usr/bin/python3
"""The player of imaptest's scripts must be able to fail: responses that match an expectation, and ones that must not."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import script as scripts  # noqa: E402

KNOWN = {"uid1": b"7", "box": b"imaptest", "sep": b"/"}

# expectation, response, what it must give: None for no match, else the variables it defines
CASES = [
    (b"1 exists", b"* 1 EXISTS", {}),
    (b"1 exists", b"* 2 EXISTS", None),
    (b"search 1 2", b"* SEARCH 1 2", {}),
    (b"search 1 2", b"* SEARCH 1 2 3", None),
    (b"search 1 2", b"* SEARCH 2 1", None),
    (b"1 fetch (uid $uid1)", b"* 1 FETCH (UID 7)", {}),
    (b"1 fetch (uid $uid1)", b"* 1 FETCH (UID 8)", None),
    (b"1 fetch (uid $new)", b"* 1 FETCH (UID 8)", {"new": b"8"}),
    (b"1 fetch (flags (\\seen) uid 7)", b"* 1 FETCH (UID 7 FLAGS (\\Recent \\Seen))", {}),
    (b"1 fetch (flags (\\seen))", b"* 1 FETCH (FLAGS (\\Seen \\Draft))", None),
    (b"1 fetch (flags (\\seen))", b"* 1 FETCH (FLAGS ())", None),
    (b"1 fetch (flags ($!extra))", b"* 1 FETCH (FLAGS (\\Draft))", {}),
    (b"list ($!ban=\\noselect) $sep $box", b'* LIST (\\Noselect) "/" imaptest', None),
    (b"list () $sep ${box}${sep}x", b'* LIST (\\HasNoChildren) "/" "imaptest/x"', {}),
    (b"status $box (messages 1)", b"* STATUS imaptest (UIDNEXT 2 MESSAGES 1)", {}),
    (b"status $box (messages 1)", b"* STATUS imaptest (UIDNEXT 1 MESSAGES 2)", None),
    (b"ok [uidvalidity $v]", b"* OK [UIDVALIDITY 5] UIDs are valid", {"v": b"5"}),
    (b"bye", b"* BYE see you (soon", {}),
    (b"1 fetch (envelope (nil))", b'* 1 FETCH (ENVELOPE ("nil"))', None),
    (b"1 fetch (body[] {3}\r\nabc)", b"* 1 FETCH (BODY[] {3}\r\nabc)", {}),
    (b"1 fetch (body[] {3}\r\nabc)", b"* 1 FETCH (BODY[] {3}\r\nabd)", None),
    (b"list () $sep ${case:INBOX}", b'* LIST () "/" Inbox', None),
]

SCRIPT = b"""connections: 2

1 ok select $mailbox
* 1 exists
! bye
2 noop
2 no [trycreate]
tag1 check
tag2 check
tag1 ok
tag2 ok
ok append {{{
a
}}}
"""


def main():
    failed = 0
    for want, got, expected in CASES:
        variables = scripts.match_response(scripts.parse_words(want, free_text=True), scripts.Response(got), KNOWN)
        defined = None if variables is None else {k: v for k, v in variables.items() if k not in KNOWN}
        if defined != expected:
            failed += 1
            print(f"FAIL  {want!r} against {got!r}: {defined!r}, not {expected!r}")
    s = scripts.Script(SCRIPT)
    shape = [[(step.connection, step.status, step.prefix, len(step.wanted), len(step.unwanted)) for step in group] for group in s.groups]
    wanted = [[(1, "ok", b"", 1, 1)], [(2, "no", b"[trycreate]", 0, 0)], [(1, "ok", b"", 0, 0)] * 2, [(1, "ok", b"", 0, 0)]]
    if shape != wanted or s.groups[3][0].command != b"append {1}\r\na":
        failed += 1
        print(f"FAIL  a script is read as {shape}")
    if not failed:
        print(f"ok    {len(CASES)} responses matched or refused, one script read")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
