#!/usr/bin/python3
"""Runs the published tests of Sieve that there are for the language as src/sieve/ has it.

    vectors.py [-v] [BUILD_FOLDER]

BUILD_FOLDER (or what GATEPOST_BUILD names, or build/asan) holds libsieve.a and what it needs; runner.c is built there. The tests
are looked for in ../shared/vectors/sieve beside the repository (or GATEPOST_VECTORS); without them there is nothing to do. One
line for each folder of tests with its score. A test that fails, or a file that cannot be read, must stand in explained.txt with a
reason, and an entry there that explains nothing fails too. Files of extensions that src/sieve/ does not have are counted.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from explained import read_explained  # noqa: E402

VECTORS = Path(os.environ.get("GATEPOST_VECTORS", HERE.parent.parent.parent / "shared/vectors")) / "sieve/tests"
RUNNER_SECONDS_MAX = 60

# What src/sieve/ has; tests of other extensions join with them.
FOLDERS = {".", "comparators", "compile", "match-types", "extensions/date", "extensions/imap4flags", "extensions/index", "extensions/relational", "extensions/subaddress",
           "extensions/variables"}
FILES = {"extensions/encoded-character.svtest", "extensions/envelope.svtest"}


def folder_of(path):
    """"extensions/variables", "compile", or "." """
    parts = path.relative_to(VECTORS).parts[:-1]
    return "/".join(parts[:2]) if parts else "."


def named(test):
    """Without the remark in parentheses that some have."""
    return test.split(" (")[0]


def run_file(runner, path):
    """[(name, reason or None)] of its tests; the file itself, with a reason, where it cannot be read."""
    run = subprocess.run([runner, path], capture_output=True, text=True, errors="replace", timeout=RUNNER_SECONDS_MAX)
    if run.returncode != 0:
        return [(str(path.relative_to(VECTORS)), f"the runner ended with {run.returncode}: {run.stderr[:400]}")]
    file, found = str(path.relative_to(VECTORS)), []
    for line in run.stdout.splitlines():
        if line.startswith("ok "):
            found.append((f"{file}/{named(line[3:])}", None))
        elif line.startswith("not "):
            name, reason = line[4:].split(" | ", 1)
            found.append((f"{file}/{named(name)}", reason))
        elif line.startswith("unread "):
            found.append((file, line[7:]))
    return found


def is_of_the_language(path):
    return folder_of(path) in FOLDERS or str(path.relative_to(VECTORS)) in FILES


def main():
    arguments = [a for a in sys.argv[1:] if a != "-v"]
    if len(arguments) > 1:
        sys.exit(__doc__)
    if not VECTORS.exists():
        print("skip sieve: the published tests are not there")
        return 0
    build = Path(arguments[0] if arguments else os.environ.get("GATEPOST_BUILD", "build/asan")).resolve()
    subprocess.run([HERE.parent / "lib/build_against.sh", build, HERE / "runner.c", "sieve", "mail", "base"], check=True)
    explained, used = read_explained(HERE), set()
    passed, excused, failed, n_absent = Counter(), Counter(), Counter(), 0
    for path in sorted(VECTORS.rglob("*.svtest")):
        folder = folder_of(path)
        if not is_of_the_language(path):
            n_absent += 1
            continue
        for name, reason in run_file(build / "sieve/runner", path):
            key = name if name in explained else str(path.relative_to(VECTORS))
            if reason is None:
                passed[folder] += 1
            elif key in explained:
                used.add(key)
                excused[folder] += 1
                if "-v" in sys.argv:
                    print(f"     {name}: {reason}")
            else:
                failed[folder] += 1
                print(f"FAIL {name}: {reason}")
    for folder in sorted(set(passed) | set(excused) | set(failed)):
        total = passed[folder] + excused[folder] + failed[folder]
        more = f", {excused[folder]} explained" if excused[folder] else ""
        print(f"{'FAIL' if failed[folder] else 'ok'} {folder}: {passed[folder]} of {total} tests{more}")
    print(f"{sum(passed.values())} passed, {sum(excused.values())} explained; {n_absent} files are of extensions that are not there")
    for name in sorted(set(explained) - used):
        print(f"FAIL explained.txt: {name} passes, or is not there")
    return 1 if failed or set(explained) - used else 0


if __name__ == "__main__":
    sys.exit(main())
