#!/usr/bin/python3
"""Runs the scripted tests of the imaptest collection against a server of our own, and prints what each group did.

The collection is looked for in ../shared/vectors/imaptest (or GATEPOST_IMAPTEST); without it there is one `skip`.
A group whose capabilities the server does not announce is not counted. Groups that cannot pass stand with their
reason in imaptest.expected: one that fails and is not there fails, and so does one that is there and passes.

  test/imap/imaptest.py [-v] [GROUP…]
"""

import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "lib"))

import player  # noqa: E402
import script as scripts  # noqa: E402
import wire  # noqa: E402
from instance import Instance  # noqa: E402

COLLECTION = Path(os.environ.get("GATEPOST_IMAPTEST", HERE.parent.parent.parent / "shared/vectors/imaptest"))
TRACE_LINES = 12


def expectations():
    found = {}
    for line in (HERE / "imaptest.expected").read_text().splitlines():
        group, _, reason = line.partition(" ")
        if group and not group.startswith("#"):
            found[group] = reason.strip()
    return found


def play(path, tests, p, capabilities):
    """(result, why)"""
    mbox = path.with_suffix(".mbox")
    try:
        s = scripts.Script(path.read_bytes(), (mbox if mbox.exists() else tests / "default.mbox").read_bytes())
        missing = set(s.value("capabilities", "").upper().split()) - set(capabilities)
        if missing:
            return "none", " ".join(sorted(missing))
        p.trace.clear()
        p.play(s)
    except scripts.ScriptError as e:
        return "FAIL", f"the script cannot be played: {e}"
    except (scripts.Mismatch, AssertionError, OSError, wire.Ended) as e:
        return "FAIL", str(e)[:700]
    return "ok", ""


def main():
    verbose = "-v" in sys.argv
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    tests = COLLECTION / "src/tests"
    if not tests.is_dir():
        print(f"skip  imaptest: {COLLECTION} is not there")
        return 0
    known, failed, passed, absent = expectations(), 0, 0, []
    with Instance() as server:
        p = player.Player(dict(port=server.imaps, tls=True), server.address, server.password)
        capabilities = p.capabilities()
        for path in sorted(f for f in tests.iterdir() if f.is_file() and not f.suffix):
            if names and path.name not in names:
                continue
            start = time.monotonic()
            result, why = play(path, tests, p, capabilities)
            if result == "none":
                absent.append(f"{path.name} ({why})")
                continue
            if result == "FAIL" and path.name in known:
                result, why = "known", f"{known[path.name]} [{why[:120]}]"
            elif result == "ok" and path.name in known:
                result, why = "FAIL", "passes, but imaptest.expected says it cannot"
            passed += result == "ok"
            failed += result == "FAIL"
            print(f"{result:5} {path.name} ({time.monotonic() - start:.2f} s)" + (f": {why}" if why else ""), flush=True)
            if result == "FAIL" or verbose:
                print("".join(f"        {line}\n" for line in p.trace[-TRACE_LINES:]), end="")
        print(f"{passed} groups as expected, {failed} not; without their capability: {', '.join(absent)}")
        server.finish()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
