"""C source as the house rules see it: tokens with line numbers, functions, tables.

Not a compiler: comments, strings and preprocessor lines are taken out, braces and parentheses are matched. That is
enough for code that clang-format has laid out.
"""

import re

TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\f\v]+)
  | (?P<newline>\n)
  | (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<word>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<other>&&|\|\||->|\#\#|.)
    """,
    re.VERBOSE | re.DOTALL,
)
BRANCHES = {"if", "for", "while", "case", "&&", "||", "?"}


class Token:
    __slots__ = ("kind", "text", "line")

    def __init__(self, kind, text, line):
        self.kind, self.text, self.line = kind, text, line


def tokens(text, comments=False):
    """The tokens of a file, without preprocessor lines; comments only when asked for."""
    line, start_of_line, found = 1, True, []
    at = 0
    while at < len(text):
        if start_of_line and text[at] == "#":
            end = at
            while True:
                end = text.find("\n", end)
                if end < 0:
                    end = len(text)
                if end == len(text) or text[end - 1] != "\\":
                    break
                end += 1
            # A block comment that begins on the line may go on below it.
            opened = text.rfind("/*", at, end)
            if opened >= 0 and text.find("*/", opened, end) < 0:
                end = text.find("*/", opened) + 2
            line += text.count("\n", at, end)
            at = end
            continue
        m = TOKEN.match(text, at)
        kind, piece = m.lastgroup, m.group()
        if kind == "comment" and comments:
            found.append(Token(kind, piece, line))
        if kind in ("string", "word", "number", "other"):
            found.append(Token(kind, piece, line))
        if kind == "newline":
            start_of_line = True
        elif kind != "space":
            start_of_line = False
        line += piece.count("\n")
        at = m.end()
    return found


class Function:
    def __init__(self, name, first, last, body):
        self.name, self.first_line, self.last_line, self.body = name, first, last, body

    def table_ranges(self):
        """Index ranges in the body of constant tables: `const … [] = { … };`."""
        ranges, statement, i = [], 0, 0
        while i < len(self.body):
            text = self.body[i].text
            if text in (";", "{", "}"):
                words = {t.text for t in self.body[statement:i]}
                if text == "{" and i > 0 and self.body[i - 1].text == "=" and {"const", "["} <= words:
                    end = matching(self.body, i)
                    ranges.append((i, end))
                    i = end
                statement = i + 1
            i += 1
        return ranges

    def lines(self):
        """Length from the name to the closing brace, tables aside."""
        length = self.last_line - self.first_line + 1
        for a, b in self.table_ranges():
            length -= self.body[b].line - self.body[a].line
        return length

    def complexity(self):
        """McCabe's number: one, and one for each branch. Cases that share their code are one branch."""
        inside = {i for a, b in self.table_ranges() for i in range(a, b + 1)}
        n, case_ended_at = 1, -1
        for i, t in enumerate(self.body):
            if i in inside or t.text not in BRANCHES or t.kind == "string":
                continue
            if t.text == "case":
                colon = next(j for j in range(i, len(self.body)) if self.body[j].text == ":")
                shared = i == case_ended_at + 1
                case_ended_at = colon
                if shared:
                    continue
            n += 1
        return n


def matching(toks, i):
    """Index of the brace that closes the one at `i`."""
    depth = 0
    for j in range(i, len(toks)):
        if toks[j].text == "{":
            depth += 1
        elif toks[j].text == "}":
            depth -= 1
            if depth == 0:
                return j
    raise ValueError(f"line {toks[i].line}: brace is never closed")


def functions(text):
    """All function definitions of a file."""
    toks, found, i = tokens(text), [], 0
    while i < len(toks):
        if toks[i].text != "{":
            i += 1
            continue
        end = matching(toks, i)
        name = defined_name(toks, i)
        if name is not None:
            found.append(Function(toks[name].text, toks[name].line, toks[end].line, toks[i : end + 1]))
        i = end + 1
    return found


def defined_name(toks, brace):
    """Index of the name of the function whose body opens at `brace`; None for a struct, enum or initialiser."""
    j = brace - 1
    while j >= 0 and toks[j].kind == "word" and toks[j].text.isupper():
        j -= 1  # an attribute macro behind the parameters
    if j < 0 or toks[j].text != ")":
        return None
    depth = 0
    while j >= 0:
        depth += {")": 1, "(": -1}.get(toks[j].text, 0)
        j -= 1
        if depth == 0:
            break
    return j if j >= 0 and toks[j].kind == "word" else None


def header_lines(text):
    """Lines of a header that are not the inside of a struct or enum: its tables."""
    toks, inside, i = tokens(text), 0, 0
    while i < len(toks):
        if toks[i].text == "{" and defined_name(toks, i) is None:
            end = matching(toks, i)
            inside += max(0, toks[end].line - toks[i].line - 1)
            i = end
        i += 1
    return text.count("\n") - inside
