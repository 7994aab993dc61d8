"""The house rules. Each rule is a function from a tree to the list of its violations.

A `Tree` is a folder with a Makefile and src/; the self-tests make tiny ones that break one rule each.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import source
import transcripts

FUNCTION_LINES_MAX = 70
COMPLEXITY_MAX = 15
FILE_LINES_MAX = 700
HEADER_LINES_MAX = 200
MEDIAN_FUNCTION_LINES_MAX = 25

BANNED = {
    "strcpy", "stpcpy", "strncpy", "strcat", "strncat", "sprintf", "vsprintf", "strtok", "strtok_r", "gets", "atoi",
    "atol", "atoll", "atof", "alloca", "system", "popen", "tmpnam", "mktemp",
}
# In the server itself, beyond those; tests and bench may use them.
BANNED_IN_SERVER = BANNED | {"sscanf", "scanf", "rand", "srand", "random"}
# Layers whose drivers write the log; the others are libraries, which return what happened. (sandbox holds the start-up
# of every role, before which there is nobody to return to.)
ROLES = {"sandbox", "ledger", "keyholder", "directory", "session", "registry", "delivery", "courier", "queue", "scribe", "resolver", "fetcher", "gatekeeper", "gate", "supervisor", "cli"}

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|stub|unimplemented)\b|\bnot (yet )?implemented\b|\bplaceholder\b")
FOREIGN = re.compile(r"\b(Claude|Anthropic|ChatGPT|LLM|chatbot)\b|/work/|/tmp/(gp|b-)|\bsub-?agents?\b|\bAI assistant\b")
PARSES = re.compile(r"\b(\w+_(?:parse|decode)(?:_\w+)?)\(")


class Tree:
    def __init__(self, root):
        self.root = Path(root)
        self.texts = {}

    def text(self, path):
        if path not in self.texts:
            self.texts[path] = path.read_text(encoding="utf-8", errors="surrogateescape")
        return self.texts[path]

    def files(self, *suffixes, under="src"):
        top = self.root / under
        return sorted(p for p in top.rglob("*") if p.suffix in suffixes and p.is_file() and ".corpus" not in str(p))

    def c_files(self):
        extra = [p for d in ("test", "bench") if (self.root / d).is_dir() for p in self.files(".c", ".h", under=d)]
        return self.files(".c", ".h") + extra

    def name(self, path):
        return str(path.relative_to(self.root))

    def layer(self, path):
        return path.relative_to(self.root / "src").parts[0]

    def tracked(self):
        """Every file that git knows or would take; in a tree without git, every file."""
        if not (self.root / ".git").exists():
            made = ("build", "data", ".git")
            return [p for p in self.root.rglob("*") if p.is_file() and p.relative_to(self.root).parts[0] not in made]
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard"],
            cwd=self.root, capture_output=True, check=True, timeout=60,
        ).stdout.decode().splitlines()
        return [self.root / n for n in listed if (self.root / n).is_file() and not (self.root / n).is_symlink()]


def makefile_deps(tree):
    """What the Makefile lets each layer include, variables expanded."""
    variables = {}
    text = tree.text(tree.root / "Makefile").replace("\\\n", " ")
    for name, value in re.findall(r"^([A-Z]\w*)\s*:=(.*)$", text, re.MULTILINE):
        variables[name] = re.sub(r"\$\((\w+)\)", lambda m: " ".join(variables.get(m.group(1), [])), value).split()
    deps = {n[len("DEPS_"):]: v for n, v in variables.items() if n.startswith("DEPS_")}
    return variables.get("LAYERS", []), deps


def rule_layers(tree):
    layers, deps = makefile_deps(tree)
    bad = [f"Makefile: layer {l} has no DEPS_{l}" for l in layers if l not in deps]
    for layer, below in deps.items():
        for d in below:
            missing = set(deps.get(d, [])) - set(below)
            if missing:
                bad.append(f"Makefile: DEPS_{layer} names {d} but not what it needs: {' '.join(sorted(missing))}")
            if layer in deps.get(d, []) or d == layer:
                bad.append(f"Makefile: {layer} and {d} depend on each other")
    for path in tree.files(".c", ".h"):
        layer = tree.layer(path)
        if layer not in deps:
            bad.append(f"{tree.name(path)}: stands in no layer of the Makefile")
            continue
        for n, line in enumerate(tree.text(path).splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m is None:
                continue
            first, slash, _ = m.group(1).partition("/")
            if not slash or first == "..":
                bad.append(f'{tree.name(path)}:{n}: include "{m.group(1)}" does not begin with a layer')
            elif first != layer and first not in deps[layer]:
                bad.append(f"{tree.name(path)}:{n}: {layer} may not include {m.group(1)}")
    return bad


def rule_function_size(tree):
    bad, lengths = [], []
    for path in tree.c_files():
        for f in source.functions(tree.text(path)):
            where = f"{tree.name(path)}:{f.first_line}: {f.name}"
            lengths.append(f.lines())
            if f.lines() > FUNCTION_LINES_MAX:
                bad.append(f"{where} is {f.lines()} lines long, more than {FUNCTION_LINES_MAX}")
            if f.complexity() > COMPLEXITY_MAX:
                bad.append(f"{where} has complexity {f.complexity()}, more than {COMPLEXITY_MAX}")
    median = sorted(lengths)[len(lengths) // 2] if lengths else 0
    if median > MEDIAN_FUNCTION_LINES_MAX:
        bad.append(f"the median function is {median} lines long, more than {MEDIAN_FUNCTION_LINES_MAX}")
    return bad


def rule_file_size(tree):
    bad = []
    others = [p for p in tree.tracked() if p.suffix == ".py"]
    for path in tree.c_files() + others:
        lines = tree.text(path).count("\n")
        if lines > FILE_LINES_MAX:
            bad.append(f"{tree.name(path)}: {lines} lines, more than {FILE_LINES_MAX}")
        if path.suffix == ".h" and source.header_lines(tree.text(path)) > HEADER_LINES_MAX:
            bad.append(f"{tree.name(path)}: more than {HEADER_LINES_MAX} lines beside its structs and enums")
    return bad


def rule_banned(tree):
    bad = []
    for path in tree.c_files():
        toks = source.tokens(tree.text(path), comments=True)
        server = tree.name(path).startswith("src/") and not re.search(r"_(test|fuzz)\.c$", path.name)
        banned = BANNED_IN_SERVER if server else BANNED
        for t, after in zip(toks, toks[1:] + toks[-1:]):
            if t.kind == "word" and t.text in banned and after.text == "(":
                bad.append(f"{tree.name(path)}:{t.line}: {t.text} is banned")
            if t.kind == "comment" and t.text.startswith("//"):
                bad.append(f"{tree.name(path)}:{t.line}: comments are written /* */")
            if t.text == "typedef" and after.text in ("struct", "union", "enum"):
                bad.append(f"{tree.name(path)}:{t.line}: no typedef for a {after.text}")
    return bad


def rule_release(tree):
    """A function releases by cleanup attribute or by goto, never both."""
    bad = []
    for path in tree.c_files():
        for f in source.functions(tree.text(path)):
            words = {t.text for t in f.body}
            if {"CLEANUP", "goto"} <= words:
                bad.append(f"{tree.name(path)}:{f.first_line}: {f.name} uses both CLEANUP and goto")
    return bad


def rule_libraries_do_not_log(tree):
    bad = []
    for path in tree.files(".c", ".h"):
        layer = tree.layer(path)
        if layer in ROLES or layer == "base" or re.search(r"_(test|fuzz)\.c$", path.name):
            continue
        if '"base/log.h"' in tree.text(path):
            bad.append(f"{tree.name(path)}: {layer} is a library and does not log")
    return bad


def rule_headers_stand_alone(tree):
    flags = subprocess.run(
        ["pkg-config", "--cflags", "openssl", "libsodium", "sqlite3", "libzstd", "zlib", "icu-uc", "libseccomp", "jansson"],
        capture_output=True, check=True, timeout=60, text=True,
    ).stdout.split()

    def compile_alone(path):
        run = subprocess.run(
            ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-I", str(tree.root / "src"), "-Wall", "-Wextra", "-Werror",
             "-fsyntax-only", "-x", "c", "-", *flags],
            input=f'#include "{path.relative_to(tree.root / "src")}"\n', capture_output=True, text=True, timeout=60,
        )
        first = (run.stderr.splitlines() or ["gcc failed"])[0]
        return [] if run.returncode == 0 else [f"{tree.name(path)}: does not compile alone: {first}"]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for lines in pool.map(compile_alone, tree.files(".h")) for line in lines]


def rule_clang_takes_it(tree):
    """The build is gcc's; clang's own warnings must be silent too, with the same -Wall -Wextra -Werror."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "openssl", "libsodium", "sqlite3", "libzstd", "zlib", "icu-uc", "libseccomp", "jansson"],
        capture_output=True, check=True, timeout=60, text=True,
    ).stdout.split()

    def compile_one(path):
        run = subprocess.run(
            ["clang-14", "-std=gnu17", "-D_GNU_SOURCE", "-DGATEPOST_FAULTS", "-DGATEPOST_DRILL", '-DGATEPOST_VERSION=""',
             "-I", str(tree.root / "src"), "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(path), *flags],
            capture_output=True, text=True, timeout=120,
        )
        first = (run.stderr.splitlines() or ["clang-14 failed"])[0]
        return [] if run.returncode == 0 else [f"{tree.name(path)}: clang-14: {first}"]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for lines in pool.map(compile_one, tree.files(".c")) for line in lines]


def rule_format(tree):
    files = tree.c_files()
    if not files:
        return []
    style = Path(__file__).resolve().parent.parent.parent / ".clang-format"
    run = subprocess.run(
        ["clang-format-14", f"--style=file:{style}", "--dry-run", "-Werror", *map(str, files)],
        capture_output=True, text=True, timeout=300,
    )
    wrong = sorted({line.split(":")[0] for line in run.stderr.splitlines() if "[-Wclang-format-violations]" in line})
    if run.returncode != 0 and not wrong:
        return [f"clang-format-14: {run.stderr.strip()[:300]}"]
    return [f"{os.path.relpath(p, tree.root)}: is not as clang-format-14 lays it out" for p in wrong]


def reached_by_fuzzing(tree):
    """Every word that can stand for a function some fuzz target reaches: through calls, and tables of functions."""
    own, shared, tables = {}, {}, {}  # bodies of static functions by file, of others; words outside functions
    reached, todo = set(), []
    for path in tree.files(".c"):
        text = tree.text(path)
        words = {t.text for t in source.tokens(text) if t.kind == "word"}
        if path.name.endswith("_fuzz.c"):
            todo += [(w, path) for w in words]
        if re.search(r"_(fuzz|test)\.c$", path.name):
            continue
        tables[path] = set(words)
        for f in source.functions(text):
            body = {t.text for t in f.body if t.kind == "word"}
            tables[path] -= body
            is_static = re.search(rf"(?m)^static\b[^;{{}}()]*\b{f.name}\(", text)
            (own if is_static else shared)[(path, f.name) if is_static else f.name] = (path, body)
    while todo:
        word, path = todo.pop()
        if (word, path) in reached:
            continue
        reached.add((word, path))
        where, body = own.get((path, word)) or shared.get(word) or (None, ())
        if where is not None:
            todo += [(w, where) for w in body]
            todo += [(w, where) for w in tables.pop(where, ())]
    return {word for word, _ in reached}


def rule_fuzz(tree):
    bad = []
    for path in tree.files(".c"):
        if not path.name.endswith("_fuzz.c"):
            continue
        corpus = path.with_name(path.name[: -len("_fuzz.c")] + ".corpus")
        if not corpus.is_dir() or not any(f.is_file() for f in corpus.iterdir()):
            bad.append(f"{tree.name(path)}: has no corpus in {tree.name(corpus)}/")
    for corpus in (tree.root / "src").rglob("*.corpus"):
        if not corpus.with_name(corpus.name[: -len(".corpus")] + "_fuzz.c").is_file():
            bad.append(f"{tree.name(corpus)}: belongs to no fuzz target")
    reached = reached_by_fuzzing(tree)
    for path in tree.files(".h"):
        names = set(PARSES.findall(re.sub(r"/\*.*?\*/", "", tree.text(path), flags=re.DOTALL)))
        if names and not names & reached:
            bad.append(f"{tree.name(path)}: no fuzz target reaches any of {', '.join(sorted(names))}")
    return bad


def rule_tests_assert(tree):
    """Every unit test reaches an assertion."""
    bad = []
    for path in tree.files(".c"):
        if not path.name.endswith("_test.c"):
            continue
        text = tree.text(path)
        found = {f.name: {t.text for t in f.body} for f in source.functions(text)}
        asserts = {n for n, words in found.items() if any(re.match(r"_?assert|expect|fail_msg", w) for w in words)}
        while True:
            more = {n for n, words in found.items() if words & asserts} - asserts
            if not more:
                break
            asserts |= more
        wrappers = re.findall(r"#define (\w+)\(\w+\)\s*(?:\\\s*)?cmocka_unit_test", text)
        calls = "|".join([r"cmocka_unit_test\w*", *wrappers])
        registered = set(re.findall(rf"\b(?:{calls})\(\s*(\w+)", text)) & set(found)
        bad += [f"{tree.name(path)}: {n} asserts nothing" for n in sorted(registered - asserts)]
        if not registered:
            bad.append(f"{tree.name(path)}: has no tests")
    return bad


def rule_words(tree):
    bad, own = [], Path(__file__).resolve().parent
    for path in tree.tracked():
        if ".corpus" in str(path) or own in path.resolve().parents:
            continue
        for n, line in enumerate(tree.text(path).splitlines(), 1):
            for pattern, why in ((UNFINISHED, "unfinished"), (FOREIGN, "not about the project")):
                m = pattern.search(line)
                if m is not None:
                    bad.append(f'{tree.name(path)}:{n}: "{m.group()}": {why}')
    return bad


def rule_scripts_parse(tree):
    bad = []
    for path in tree.tracked():
        head = tree.text(path)[:40]
        if path.suffix == ".py" or re.match(r"#!.*python", head):
            try:
                compile(tree.text(path), str(path), "exec")
            except SyntaxError as e:
                bad.append(f"{tree.name(path)}:{e.lineno}: {e.msg}")
        elif re.match(r"#!.*\b(ba)?sh\b", head):
            run = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, timeout=30)
            if run.returncode != 0:
                bad.append(f"{tree.name(path)}: {run.stderr.strip()}")
    return bad


RULES = [
    ("layers", rule_layers),
    ("function-size", rule_function_size),
    ("file-size", rule_file_size),
    ("banned", rule_banned),
    ("release", rule_release),
    ("libraries-do-not-log", rule_libraries_do_not_log),
    ("headers-stand-alone", rule_headers_stand_alone),
    ("clang-takes-it", rule_clang_takes_it),
    ("format", rule_format),
    ("fuzz", rule_fuzz),
    ("tests-assert", rule_tests_assert),
    ("words", rule_words),
    ("scripts-parse", rule_scripts_parse),
    ("transcripts", transcripts.rule_transcripts),
]
