#!/usr/bin/python3
"""Holds src/mail/ against published cases of DKIM and ARC, and against dkimpy.

    vectors.py [-v] [BUILD_FOLDER]

BUILD_FOLDER (or what GATEPOST_BUILD names, or build/asan) holds libmail.a and libbase.a; judge.c is built there. The cases are
looked for in ../shared/vectors beside the repository (or GATEPOST_VECTORS): `arc` (the test suite of ARC), `dkim` (dkimpy's
messages) and `mailauth`. What is not there is skipped, with a count. One line for each collection; a case that fails and does
not stand in explained.txt with a reason fails, and so does an entry there that explains nothing any more.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from explained import read_explained  # noqa: E402

VECTORS = Path(os.environ.get("GATEPOST_VECTORS", HERE.parent.parent.parent / "shared/vectors"))
JUDGE_SECONDS_MAX = 60
SUITE_NOW = 1500000000  # the suite's seals are of 1970 and have no end


class Judge:
    def __init__(self, build, folder):
        self.program, self.folder, self.n = build / "authentication/judge", Path(folder), 0

    def file(self, content):
        self.n += 1
        path = self.folder / str(self.n)
        path.write_bytes(content)
        return path

    def run(self, message, keys, now, *more):
        lines = "".join(f"{name} {record}\n" for name, record in keys.items())
        with self.file(message).open("rb") as given:
            run = subprocess.run([self.program, str(now), self.file(lines.encode()), *more], stdin=given, capture_output=True,
                                 timeout=JUDGE_SECONDS_MAX)
        if run.returncode != 0:
            raise RuntimeError(f"the judge ended with {run.returncode}: {run.stderr.decode(errors='replace')}")
        return run.stdout

    def arc(self, message, keys, now=SUITE_NOW):
        """(status, oldest pass, next instance, reason)"""
        words = self.run(message, keys, now).decode().splitlines()[0].split(" ", 4)
        return words[1], int(words[2]), int(words[3]), words[4]

    def dkim(self, message, keys):
        """[(result, domain, reason)]"""
        lines = [line.split(" ", 5) for line in self.run(message, keys, int(time.time())).decode().splitlines()[1:]]
        return [(words[1], words[4], words[5]) for words in lines]


def crlf(text):
    if isinstance(text, str):
        text = text.encode()
    return re.sub(rb"\r?\n", b"\r\n", text)


def squeezed(record):
    return " ".join(record.split())


class Score:
    """Counts the cases of one collection; what fails must be explained."""

    def __init__(self, name, explained, verbose):
        self.name, self.explained, self.verbose = name, explained, verbose
        self.passed = self.failed = 0
        self.excused = []

    def case(self, name, ok, detail=""):
        full = f"{self.name}/{name}"
        if ok:
            self.passed += 1
        elif full in self.explained:
            self.excused.append(full)
        else:
            self.failed += 1
            print(f"    {full}: {detail}")
        if self.verbose and not ok:
            print(f"    {full}: {detail}")

    def end(self):
        """The collection's line; the number of unexplained failures."""
        total = self.passed + self.failed + len(self.excused)
        word = "FAIL" if self.failed or not total else "ok"
        more = f", {len(self.excused)} explained" if self.excused else ""
        print(f"{word} {self.name}: {self.passed} of {total} cases{more}")
        return self.failed + (total == 0)


# --- the suite of ARC ---

def scenarios(path):
    if path.suffix == ".json":
        return json.loads(path.read_text())
    import yaml

    return [s for s in yaml.safe_load_all(path.read_text()) if s]


def keys_of(scenario):
    return {name: squeezed(str(record)) for name, record in (scenario.get("txt-records") or {}).items()}


def arc_validation(judge, score, file):
    """Where the last seal says "fail" the suite leaves open what a validator says; RFC 8617 §5.2, step 2: "fail"."""
    for scenario in scenarios(VECTORS / file):
        for name, case in scenario["tests"].items():
            status, _, _, reason = judge.arc(crlf(case["message"]), keys_of(scenario))
            want = (case.get("cv") or "fail").lower()
            score.case(name, status == want, f"{status} ({reason}), not {want}: {case['description']}")


def tags(value):
    value = re.sub(r"\s+", "", value)
    return dict(part.split("=", 1) for part in value.split(";") if part)


def fields_of(message, name):
    """The unfolded values of the fields called `name`, from the top."""
    header = message.split(b"\r\n\r\n", 1)[0].decode()
    found = re.findall(rf"(?im)^{re.escape(name)}[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", header)
    return [re.sub(r"\r\n", "", value).strip() for value in found]


def merged_results(message, identity):
    """The payload of all Authentication-Results fields of that authserv-id, as the suite wants them merged."""
    results = []
    for value in fields_of(message, "Authentication-Results"):
        first, _, rest = value.partition(";")
        if first.strip() == identity:
            results += [part.strip() for part in rest.split(";") if part.strip()]
    return "; ".join([identity] + results)


SET_FIELDS = (("ARC-Seal", "AS"), ("ARC-Message-Signature", "AMS"), ("ARC-Authentication-Results", "AAR"))


def plain(text):
    return re.sub(r"\s+", " ", text).strip().rstrip(";")


def arc_signing(judge, score, file):
    """The suite compares signatures byte by byte, for one order of tags and its own choice of h=. Ours has others; so compared
    is what the set says, the set of the suite is validated in ours' place, and ours by us and by dkimpy."""
    import dkim

    for scenario in scenarios(VECTORS / file):
        keys = keys_of(scenario)
        key_file = judge.file(scenario["privatekey"].encode())
        for name, case in scenario["tests"].items():
            message, now = crlf(case["message"]), case["t"]
            results = judge.file(merged_results(message, case["srv-id"]).encode())
            before = judge.arc(message, keys, now)
            sealed = judge.run(message, keys, now, scenario["domain"], scenario["sel"], str(key_file), str(results))
            problem = compare_set(sealed, case) if case["AS"] or sealed else None
            if problem is None and case["AS"]:
                want = "fail" if before[0] == "fail" else "pass"
                theirs = "".join(f"{field}: {unfolded(case[key])}\n" for field, key in SET_FIELDS)
                status = judge.arc(crlf(theirs) + message, keys, now)
                own = judge.arc(sealed, keys, now)
                peer = dkim.arc_verify(sealed, dnsfunc=lambda n, **_: keys.get(n.decode().rstrip("."), "").encode() or None)[0]
                peer = (peer or b"fail").decode()  # for a chain whose last seal says "fail" it says nothing
                if (status[0], own[0], peer) != (want, want, want):
                    problem = f"validated: theirs {status}, ours {own}, dkimpy of ours {peer}; not {want}"
            score.case(name, problem is None, f"{problem}: {case['description']}")


def unfolded(text):
    """As the suite's signer wrote it: nothing folded within b=."""
    return re.sub(r"(?<=b=)[^;]*", lambda m: re.sub(r"\s+", "", m.group()), re.sub(r"\s+", " ", text.strip()))


def compare_set(sealed, case):
    """None, or how the set on top differs in what it says from what the case wants."""
    if not case["AS"]:
        return "sealed, and must not be"
    if not sealed:
        return "not sealed"
    seal, signature = tags(fields_of(sealed, "ARC-Seal")[0]), tags(fields_of(sealed, "ARC-Message-Signature")[0])
    for name in ("a", "cv", "d", "i", "s", "t"):
        if seal[name] != tags(case["AS"])[name]:
            return f"the seal's {name}={seal[name]}"
    for name in ("a", "bh", "c", "d", "i", "s", "t"):
        if signature[name] != tags(case["AMS"])[name]:
            return f"the signature's {name}={signature[name]}"
    results = fields_of(sealed, "ARC-Authentication-Results")[0]
    return None if plain(results) == plain(case["AAR"]) else f"the results {results}"


# --- messages ---

def mailauth_arc(judge, score, _):
    """mailauth's own test of these messages asks the DNS of 2020. Without it none can pass, but it can be said why each fails:
    where the last seal says so it is over; of all others the sets are whole, and a key is missing."""
    for path in sorted((VECTORS / "mailauth/test/fixtures").glob("arc-*.eml")):
        message = crlf(path.read_bytes())
        status, _, following, reason = judge.arc(message, {}, 1604311100)
        says_fail = any(tags(v).get("cv") == "fail" for v in fields_of(message, "ARC-Seal"))
        want = "a seal says that the chain failed" if says_fail else "no key in the DNS"
        score.case(path.name, (status, following, reason) == ("fail", 0 if says_fail else 3, want), (status, following, reason))


def mailauth_dkim(judge, score, _):
    import dkim

    folder = VECTORS / "mailauth/test"
    dns = json.loads((folder / "dkim/ec/fixtures/dns.json").read_text())
    keys = {name: "".join(found["TXT"][0]) for name, found in dns.items() if "TXT" in found}
    got = judge.dkim(crlf((folder / "dkim/ec/fixtures/signed.eml").read_bytes()), keys)
    for i, (result, domain, reason) in enumerate(got):
        score.case(f"signed.eml#{i + 1}", result == "pass" and domain == "football.example.com", (result, reason))
    score.case("signed.eml has two signatures", len(got) == 2, got)
    # its key pairs: what dkimpy signs with them
    for kind, want in (("rsa", "pass"), ("small", "permerror")):
        public = (folder / f"fixtures/public-{kind}.pem").read_text()
        record = "v=DKIM1; k=rsa; p=" + "".join(public.split("\n")[1:]).split("-")[0]
        for name in ("message1", "message2", "message4"):
            message = crlf((folder / f"fixtures/{name}.eml").read_bytes())
            private = (folder / f"fixtures/private-{kind}.pem").read_bytes()
            signature = dkim.sign(message, b"s", b"example.org", private, include_headers=[b"From", b"Subject"])
            result = judge.dkim(signature + message, {"s._domainkey.example.org": record})[0]
            score.case(f"{name} signed with {kind}", result[0] == want, result)


# --- dkimpy's own messages and keys ---

def dkimpy_signed(judge, score, data):
    """What comes signed."""
    keys = {"brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "test._domainkey.football.example.com": squeezed((data / "test.txt").read_text()),
            "sed._domainkey.test.ex": squeezed((data / "eximtest.dns").read_text())}
    for name, count in (("rfc6376.signed.msg", 2), ("ed25519test2.msg", 1)):
        got = judge.dkim(crlf((data / name).read_bytes()), keys)
        score.case(f"{name} has its signatures", len(got) == count, got)
        for i, (result, _, reason) in enumerate(got):
            score.case(f"{name}#{i + 1}", result == "pass", (result, reason))


def dkimpy_signs(judge, score, data):
    """What dkimpy signs with these keys; the records that are no good must not count."""
    import dkim

    records = {"test.txt": "pass", "test2.txt": "pass", "test_bad.txt": "fail", "badk.txt": "permerror",
               "badversion.txt": "permerror", "test_tlsrpt.txt": "permerror"}
    private = (data / "test.private").read_bytes()
    for name in ("test.message", "test2.message", "test_extra.message", "rfc6376.msg"):
        message = crlf((data / name).read_bytes())
        for header in (b"simple", b"relaxed"):
            for body in (b"simple", b"relaxed"):
                signature = dkim.sign(message, b"test", b"example.com", private, canonicalize=(header, body))
                for record, want in records.items():
                    keys = {"test._domainkey.example.com": squeezed((data / record).read_text())}
                    got = judge.dkim(signature + message, keys)[0]
                    ok = got[0] == want or (record == "test_bad.txt" and got[0] in ("fail", "permerror"))
                    score.case(f"{name} {header.decode()}/{body.decode()} {record}", ok, (got, want))
    message = crlf((data / "ed25519test.msg").read_bytes())
    signature = dkim.sign(message, b"test", b"example.com", (data / "ed25519test.key").read_bytes(),
                          signature_algorithm=b"ed25519-sha256")
    keys = {"test._domainkey.example.com": squeezed((data / "ed25519test.dns").read_text())}
    got = judge.dkim(signature + message, keys)[0]
    score.case("ed25519test.msg", got[0] == "pass", got)
    signature = dkim.sign(crlf((data / "test.message").read_bytes()), b"test", b"example.com", private,
                          signature_algorithm=b"rsa-sha1")
    keys = {"test._domainkey.example.com": squeezed((data / "test.txt").read_text())}
    got = judge.dkim(signature + crlf((data / "test.message").read_bytes()), keys)[0]
    score.case("rsa-sha1 (RFC 8301)", got[0] == "neutral", got)


def dkimpy_messages(judge, score, _):
    data = VECTORS / "dkim/dkim/tests/data"
    dkimpy_signed(judge, score, data)
    dkimpy_signs(judge, score, data)


SUITE = "arc/tests/arc-draft-"
COLLECTIONS = [
    ("arc-validation", SUITE + "validation-tests.yml", "yaml", arc_validation),
    ("arc-signing", SUITE + "sign-tests.yml", "yaml", arc_signing),
    ("mailauth-arc-validation", "mailauth/test/fixtures/arc/arc-draft-validation-tests.json", "dkim",
     arc_validation),
    ("mailauth-arc-signing", "mailauth/test/fixtures/arc/arc-draft-sign-tests.json", "dkim", arc_signing),
    ("mailauth-arc", "mailauth/test/fixtures/arc-pass.eml", "json", mailauth_arc),
    ("mailauth-dkim", "mailauth/test/dkim/ec/fixtures/signed.eml", "dkim", mailauth_dkim),
    ("dkim", "dkim/dkim/tests/data/test.message", "dkim", dkimpy_messages),
]


def has_module(name):
    return importlib.util.find_spec(name) is not None


def main():
    arguments = [a for a in sys.argv[1:] if a != "-v"]
    if len(arguments) > 1:
        sys.exit(__doc__)
    build = Path(arguments[0] if arguments else os.environ.get("GATEPOST_BUILD", "build/asan")).resolve()
    explained, used, failed, ran = read_explained(HERE), set(), 0, 0
    subprocess.run([HERE.parent / "lib/build_against.sh", build, HERE / "judge.c", "mail", "base"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        judge = Judge(build, folder)
        for name, file, module, run in COLLECTIONS:
            if not (VECTORS / file).exists() or not has_module(module) or not has_module("dkim"):
                print(f"skip {name}: {'no ' + file if not (VECTORS / file).exists() else 'python3-yaml or python3-dkim is missing'}")
                continue
            score = Score(name, explained, "-v" in sys.argv)
            run(judge, score, file)
            failed += score.end()
            used |= set(score.excused)
            ran += 1
    for name in sorted(set(explained) - used) if ran == len(COLLECTIONS) else []:
        print(f"FAIL explained.txt: {name} passes, or is not there")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
