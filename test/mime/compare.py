#!/usr/bin/python3
"""Compares src/mail/ with GMime, an independent parser, message by message.

    compare.py [BUILD_FOLDER]

BUILD_FOLDER (or what GATEPOST_BUILD names, or build/asan) holds libmail.a and libbase.a; the two dump
programs are built there (see build.sh). Exit status 77 where GMime is not installed.
Compared are the messages of test/mime/corpus/ and, where that folder is there, the published ones in
../shared/vectors/mime beside the repository.

A difference is a line of the dumps (structure, parameters, decoded names, subjects, addresses, file
names and bodies) that only one side has. Each must be listed in explained.txt with the reason;
an entry that explains nothing any more is an error too. Exit status 0 only when all agree.
"""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "../../../shared/vectors/mime/UnitTests/TestData")
DUMP_SECONDS_MAX = 60
SKIPPED = 77


def own_messages():
    folder = os.path.join(HERE, "corpus")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            yield "corpus/" + name, f.read()


def split_mbox(data):
    """The messages of an mbox file, without their separating lines."""
    starts = [m.end() for m in re.finditer(rb"(?m)^From .*\n", data)]
    ends = [m.start() for m in re.finditer(rb"(?m)^From .*\n", data)][1:] + [len(data)]
    return [data[start:end] for start, end in zip(starts, ends)]


def published_messages():
    if not os.path.isdir(VECTORS):
        print("no published messages at ../shared/vectors/mime: only the project's own are compared")
        return
    for folder, pattern in (("messages", "*"), ("partial", "*.eml"), ("mbox", "*.mbox.txt")):
        for name in sorted(os.listdir(os.path.join(VECTORS, folder))):
            if not fnmatch.fnmatch(name, pattern):
                continue
            with open(os.path.join(VECTORS, folder, name), "rb") as f:
                data = f.read()
            if folder != "mbox":
                yield folder + "/" + name, data
                continue
            for i, message in enumerate(split_mbox(data)):
                yield "%s/%s#%d" % (folder, name, i + 1), message


def dump(program, path):
    """{"PATH KEY n": value} of one message; None when the program died."""
    run = subprocess.run([program, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         timeout=DUMP_SECONDS_MAX)
    if run.returncode != 0:
        return None, run.stderr.decode("utf-8", "replace")
    lines, seen = {}, {}
    for line in run.stdout.decode("ascii").splitlines()[1:]:
        part, key, value = line.split("\t", 2)
        name = part + " " + key
        seen[name] = seen.get(name, 0) + 1
        lines["%s %d" % (name, seen[name])] = value
    return lines, ""


def without_defaults(lines):
    """Lines with an empty value say the same as no line."""
    return {name: value for name, value in lines.items() if value != ""}


def read_explained():
    """[FILE pattern, line pattern, reason, used]: one entry a line, columns separated by |."""
    entries = []
    with open(os.path.join(HERE, "explained.txt"), encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                file, where, reason = [column.strip() for column in line.split("|", 2)]
                entries.append([file, where, reason, 0])
    return entries


def explain(entries, file, where):
    for entry in entries:
        if fnmatch.fnmatchcase(file, entry[0]) and fnmatch.fnmatchcase(where, entry[1]):
            entry[3] += 1
            return True
    return False


def differences(build, path):
    """[(where, ours, theirs)] of the message in the file."""
    ours, error = dump(build + "/mime/our_dump", path)
    if ours is None:
        return [("OURS DIED", error, "")]
    theirs, error = dump(build + "/mime/gmime_dump", path)
    if theirs is None:
        return [("GMIME DIED", "", error)]
    ours, theirs = without_defaults(ours), without_defaults(theirs)
    return [(name, ours.get(name, ""), theirs.get(name, ""))
            for name in sorted(set(ours) | set(theirs)) if ours.get(name) != theirs.get(name)]


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    build = sys.argv[1] if len(sys.argv) == 2 else os.environ.get("GATEPOST_BUILD", "build/asan")
    build = os.path.abspath(build)
    if subprocess.run(["pkg-config", "--exists", "gmime-3.0"]).returncode != 0:
        print("skip: GMime 3 is not installed")
        return SKIPPED
    subprocess.run([os.path.join(HERE, "build.sh"), build], check=True)
    entries = read_explained()
    n_messages = n_explained = n_unexplained = 0
    published = False
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "message")
        for messages in (own_messages(), published_messages()):
            for file, data in messages:
                published = published or not file.startswith("corpus/")
                with open(path, "wb") as f:
                    f.write(data)
                n_messages += 1
                for where, ours, theirs in differences(build, path):
                    if explain(entries, file, where):
                        n_explained += 1
                        continue
                    n_unexplained += 1
                    print("%s: %s\n  ours  %s\n  gmime %s" % (file, where, ours[:300], theirs[:300]))
    for file, where, _, used in entries:
        if used == 0 and (published or file.startswith("corpus/")):
            n_unexplained += 1
            print("explained.txt: nothing differs any more at %s | %s" % (file, where))
    print("compared %d messages, %d differences explained, %d unexplained"
          % (n_messages, n_explained, n_unexplained))
    return 1 if n_unexplained or n_messages == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
