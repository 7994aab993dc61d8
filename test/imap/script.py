"""Scripted IMAP tests in the format of imaptest: reading scripts, parsing responses, matching one with the other.

The format is described in docs/scripted_test.md of the collection. Nothing here knows a server.
"""

import re

TAGGED = ("ok", "no", "bad", '""')


class ScriptError(Exception):
    pass


class Mismatch(Exception):
    """The server did not do what the script expects."""


# --- the words of a response, or of a line that expects one ---------------------------------------------------------


class Word:
    """An atom or a string. Brackets keep their inside: BODY[HEADER.FIELDS (TO)]<0> is one word."""

    __slots__ = ("text", "quoted")

    def __init__(self, text, quoted):
        self.text, self.quoted = text, quoted

    def __repr__(self):
        return repr(self.text) if self.quoted else self.text.decode("latin-1")


class Words(list):
    """A parenthesised list."""


def parse_words(data, free_text=False):
    """The words of `data`; with `free_text` a quote or bracket that does not close is an ordinary byte."""
    stack, at = [Words()], 0
    while at < len(data):
        c = data[at : at + 1]
        if c == b" ":
            at += 1
        elif c == b"(":
            stack.append(Words())
            at += 1
        elif c == b")" and len(stack) > 1:
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        else:
            word, at = parse_word(data, at, free_text)
            stack[-1].append(word)
    if len(stack) > 1:
        if not free_text:
            raise Mismatch(f"parentheses do not match: {data[:200]!r}")
        while len(stack) > 1:
            done = stack.pop()
            stack[-1].append(done)
    return stack[0]


def parse_word(data, at, free_text):
    m = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(data, at)
    if m:
        return Word(re.sub(rb"\\(.)", rb"\1", m.group(1), flags=re.DOTALL), True), m.end()
    m = re.compile(rb"~?\{(\d+)\+?\}\r\n").match(data, at)
    if m:
        n = int(m.group(1))
        return Word(data[m.end() : m.end() + n], True), m.end() + n
    end, depth = at, 0
    while end < len(data):
        c = data[end : end + 1]
        if c == b"[":
            depth += 1
        elif c == b"]" and depth > 0:
            depth -= 1
        elif depth == 0 and c in b" ()" and not data[at:end].endswith(b"$!"):
            break
        end += 1
    if depth > 0 and free_text:
        end = at + max(1, len(re.match(rb"[^ ()]*", data[at:]).group()))
    return Word(data[at:end], False), max(end, at + 1)


# --- variables ------------------------------------------------------------------------------------------------------

VARIABLE = re.compile(rb"\$(?:\{(\w+):([^}]*)\}|\{(\w+)\}|([A-Za-z_]\w*)|(\$)|(\d+))?")


def substitute(text, variables):
    """A command with its variables filled in."""

    def value(m):
        if m.group(5):
            return b"$"
        if m.group(2) is not None:
            return m.group(2)
        name = (m.group(3) or m.group(4) or b"").decode()
        if name not in variables:
            raise ScriptError(f"the variable ${name} has no value in {text!r}")
        return variables[name]

    return VARIABLE.sub(value, text)


def match_text(want, got, variables):
    """The variables with those that `want` defines, None when `got` is something else."""
    pattern, names, at = b"", [], 0
    for m in VARIABLE.finditer(want):
        pattern += re.escape(want[at : m.start()])
        at = m.end()
        name = (m.group(3) or m.group(4) or b"").decode()
        if m.group(5):
            pattern += rb"\$"
        elif m.group(2) is not None:
            pattern += b"(?-i:" + re.escape(m.group(2)) + b")"
        elif name in variables:
            pattern += re.escape(variables[name])
        elif name in names:
            pattern += f"(?P={name})".encode()
        elif name:
            names.append(name)
            pattern += f"(?P<{name}>.*?)".encode()
        elif m.group(6):
            pattern += re.escape(m.group(6))
        else:
            pattern += b".*"
    pattern += re.escape(want[at:])
    m = re.fullmatch(pattern, got, re.DOTALL | re.IGNORECASE)
    if m is None:
        return None
    return {**variables, **{n: m.group(n) for n in names}}


# --- matching -------------------------------------------------------------------------------------------------------


class Rules:
    """How a list is matched (the $! directives)."""

    def __init__(self, chain=0, extra=None, ignore=(), ban=()):
        self.chain = chain  # 0 ordered, else unordered in chains of so many
        self.extra = bool(chain) if extra is None else extra
        self.ignore, self.ban = list(ignore), list(ban)


def own_rules(want):
    """(rules of the directives at the head of a list or None, the list without them)"""
    rules, n = None, 0
    for w in want:
        if not isinstance(w, Word) or not w.text.startswith(b"$!"):
            break
        n += 1
        rules = rules or Rules()
        name, _, value = w.text[2:].partition(b"=")
        if name == b"unordered":
            rules.chain, rules.extra = int(value or 1), True
        elif name == b"noextra":
            rules.extra = False
        elif name == b"extra":
            rules.extra = True
        elif name == b"ignore":
            rules.ignore.append(value)
        elif name == b"ban":
            rules.ban.append(value)
        elif name != b"ordered":
            raise ScriptError(f"unknown directive {w.text!r}")
    return rules, want[n:]


def default_rules(path):
    """The rules of a list that has none of its own; `path` says in what it stands."""
    if path == ("fetch",):
        return Rules(chain=2)
    if path == ("fetch", "flags"):
        return Rules(chain=1, extra=False, ignore=[b"\\recent"])
    if path in (("list",), ("lsub",)):
        return Rules(chain=1)
    if path == ("status",):
        return Rules(chain=2)
    return Rules(extra=False)


def match_one(want, got, variables, path):
    if isinstance(want, Word):
        if want.text == b"$" and not want.quoted:
            return variables
        if isinstance(got, Words):
            return None
        if want.text.upper() == b"NIL" and not want.quoted and (got.quoted or got.text.upper() != b"NIL"):
            return None
        return match_text(want.text, got.text, variables)
    return match_list(want, got, variables, path) if isinstance(got, Words) else None


def match_list(want, got, variables, path):
    rules, want = own_rules(want)
    rules = rules or default_rules(path)
    for word in got:
        if isinstance(word, Word) and word.text.lower() in [b.lower() for b in rules.ban]:
            return None
    if rules.chain == 0:
        if len(got) < len(want) or (len(got) > len(want) and not rules.extra):
            return None
        return match_row(want, got[: len(want)], variables, path)
    size = rules.chain
    left = [got[i : i + size] for i in range(0, len(got), size)]
    for i in range(0, len(want), size):
        chain = want[i : i + size]
        for candidate in left:
            after = match_row(chain, candidate, variables, path)
            if after is not None:
                break
        else:
            return None
        variables = after
        left.remove(candidate)
    ignored = [i.lower() for i in rules.ignore]
    left = [c for c in left if not (isinstance(c[0], Word) and c[0].text.lower() in ignored)]
    return variables if rules.extra or not left else None


def match_row(want, got, variables, path):
    """Words one by one; a list behind a word stands in it, for the defaults of flags."""
    if len(want) != len(got):
        return None
    key = None
    for w, g in zip(want, got):
        inner = path + ((key,) if key is not None else ("?",))
        variables = match_one(w, g, variables, inner if isinstance(w, Words) else path)
        if variables is None:
            return None
        key = g.text.decode("latin-1").lower() if isinstance(g, Word) else None
    return variables


class Response:
    """An untagged response, and the number its message had when the command began."""

    def __init__(self, data, first_number=None):
        self.data = data
        head = data.split(b" ", 2)
        free = len(head) > 1 and head[1].upper() in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")
        self.free_text = free
        self.words = parse_words(data[2:], free_text=free)
        self.first_number = first_number


def match_response(want, response, variables):
    """`want`: the words of a `*` line."""
    words = list(response.words)
    if want and isinstance(want[0], Word) and re.fullmatch(rb"\$\d+", want[0].text):
        if response.first_number is None or int(want[0].text[1:]) != response.first_number:
            return None
        want, words = want[1:], words[1:]
        kind = words[0].text.decode().lower() if words and isinstance(words[0], Word) else ""
    else:
        heads = [w.text.decode("latin-1").lower() for w in words[:2] if isinstance(w, Word)]
        kind = heads[1] if len(heads) > 1 and heads[0].isdigit() else heads[0] if heads else ""
    if response.free_text:
        words = words[: len(want)]
    if len(want) != len(words):
        return None
    for w, g in zip(want, words):
        variables = match_one(w, g, variables, (kind,))
        if variables is None:
            return None
    return variables


# --- scripts --------------------------------------------------------------------------------------------------------


class Step:
    """One command: what is sent on which connection, and what it must and must not bring."""

    def __init__(self, line, connection, tag, command, status):
        self.line, self.connection, self.tag, self.command = line, connection, tag, command
        self.status, self.prefix = status, b""
        self.wanted, self.unwanted = [], []


class Script:
    """A header, and groups of steps; the steps of one group are pipelined."""

    def __init__(self, text, mbox=b""):
        self.header, self.groups, self.mbox = {}, [], mbox
        self._lines = list(enumerate(text.split(b"\n"), 1))
        self._read_header()
        self._open = []  # steps whose result line has not come yet
        while self._lines:
            self._read_line()
        if self._open:
            raise ScriptError("the last command has no result")

    def value(self, key, default):
        return self.header.get(key, default)

    def connections(self):
        return int(self.value("connections", "1"))

    def _read_header(self):
        while self._lines:
            _, line = self._lines.pop(0)
            line = line.strip()
            if not line:
                break
            if not line.startswith(b"#"):
                key, _, value = line.decode().partition(":")
                self.header[key.strip().lower()] = value.strip()

    def _with_literals(self, line):
        """`line` with what stands between {{{ and }}} as IMAP literals."""
        while True:
            m = re.search(rb"(~?)\{\{\{$", line)
            if m is None:
                return line
            content = []
            while True:
                if not self._lines:
                    raise ScriptError("{{{ is never closed")
                _, following = self._lines.pop(0)
                if following.startswith(b"}}}"):
                    break
                content.append(following)
            data = b"\n".join(content)
            if not m.group(1):
                data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            line = line[: m.start()] + m.group(1) + b"{%d}\r\n" % len(data) + data + following[3:]

    def _read_line(self):
        number, line = self._lines.pop(0)
        line = line.rstrip(b" \t") if not line.endswith(b"{{{") else line
        if not line.strip() or line.startswith(b"#") or re.match(rb"!(ifn?env|else|endif)\b", line):
            return
        line = self._with_literals(line)
        if line[:2] == b"? ":
            return  # may come or not
        if line[:2] in (b"* ", b"! "):
            self._expectation(number, line)
            return
        connection = 1
        if self.connections() > 1:
            m = re.match(rb"(\d+) ", line)
            if m:
                connection, line = int(m.group(1)), line[m.end() :]
        first, _, rest = line.partition(b" ")
        if self._open and self._result(first.decode("latin-1").lower(), rest):
            return
        if first.decode("latin-1").lower() in TAGGED:
            self.groups.append([Step(number, connection, None, rest, first.decode().lower())])
        elif re.fullmatch(rb"tag\d*", first):
            step = Step(number, connection, first, rest, None)
            if self._open:
                self.groups[-1].append(step)
            else:
                self.groups.append([step])
            self._open.append(step)
        else:
            step = Step(number, connection, None, line, None)
            self.groups.append([step])
            self._open.append(step)

    def _expectation(self, number, line):
        if not self.groups:
            raise ScriptError(f"line {number}: no command yet")
        last = self.groups[-1][-1]
        (last.wanted if line[:1] == b"*" else last.unwanted).append(parse_words(line[2:], free_text=True))

    def _result(self, first, rest):
        """Takes a result line for the open steps; false when it is none."""
        step = self._open[0]
        if first.encode() != (step.tag or first.encode()):
            named = [s for s in self._open if s.tag == first.encode()]
            if not named:
                return False
            step = named[0]
        if step.tag is not None:
            word, _, rest = rest.partition(b" ")
            if word.decode("latin-1").lower() not in TAGGED:
                return False
            first = word.decode().lower()
        if first not in TAGGED:
            return False
        step.status, step.prefix = first, rest
        self._open.remove(step)
        return True


def read_mbox(data):
    """[(message with CRLF, date of its From line)]"""
    found = []
    for piece in re.split(rb"(?m)^(?=From )", data):
        if not piece.strip():
            continue
        head, _, message = piece.partition(b"\n")
        m = re.search(rb"(\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4})(?: ([+-]\d{4}))?", head)
        date = ""
        if m:
            zone = (m[5] or b"+0000").decode()
            date = f"{int(m[2]):2d}-{m[1].decode()}-{m[4].decode()} {m[3].decode()} {zone}"
        found.append((message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), date))
    return found
