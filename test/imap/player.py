"""Plays scripted IMAP tests against a server."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))

import script as scripts  # noqa: E402
import wire  # noqa: E402

MAILBOX = "imaptest"


class Connection(wire.Imap):
    def __init__(self, connect):
        super().__init__(**connect)
        self.numbers = []  # current number - 1 → number at the start of the command

    def original_number(self, data):
        """The number that the message of an untagged FETCH or EXPUNGE had when the command began."""
        m = re.match(rb"\* (\d+) (FETCH|EXPUNGE)\b", data, re.IGNORECASE)
        if m is None:
            return None
        n, kind = int(m.group(1)), m.group(2).upper()
        while len(self.numbers) < n:
            self.numbers.append(len(self.numbers) + 1 + self.gone)
        original = self.numbers[n - 1]
        if kind == b"EXPUNGE":
            del self.numbers[n - 1]
            self.gone += 1
        return original

    def send_command(self, tag, command):
        """Sends a command, its literals as synchronising ones; responses on the way are kept."""
        self.kept = []
        self.numbers, self.gone = [], 0
        rest = tag + b" " + command
        while True:
            m = re.search(rb"~?\{(\d+)\}\r\n", rest)
            if m is None:
                self.send(rest + b"\r\n")
                return True
            self.send(rest[: m.end()])
            while True:
                got = self.response()
                if got.startswith(b"+"):
                    break
                self.kept.append(got)
                if got.startswith(tag + b" "):
                    return False  # refused before the literal
            n = int(m.group(1))
            self.send(rest[m.end() : m.end() + n])
            rest = rest[m.end() + n :]

    def next_response(self):
        return self.kept.pop(0) if self.kept else self.response()


class Player:
    def __init__(self, connect, user, password, log=None):
        self.connect, self.user, self.password = connect, user, password
        self.trace = log if log is not None else []

    def capabilities(self):
        with Connection(self.connect) as c:
            c.sign_in(self.user, self.password)
            reply = c.ok("CAPABILITY")
            return reply.one(rb"^\* CAPABILITY (.*)").group(1).decode().upper().split()

    def play(self, s):
        """Raises Mismatch, ScriptError or an error of the connection when the script does not pass."""
        self.open = [Connection(self.connect) for _ in range(s.connections())]
        try:
            self._prepare(s)
            for group in s.groups:
                self._play_group(group)
        finally:
            for c in self.open:
                c.close()

    def _prepare(self, s):
        self.messages, self.at = scripts.read_mbox(s.mbox), 0
        username, _, domain = self.user.partition("@")
        self.variables = {
            "user": self.user.encode(), "username": username.encode(), "domain": domain.encode(),
            "password": self.password.encode(), "mailbox": MAILBOX.encode(), "mailbox_url": MAILBOX.encode(),
        }
        states = ["nonauth", "auth", "created", "appended", "selected"]
        state = states.index(s.value("state", "selected"))
        if state >= 1:
            for c in self.open:
                c.sign_in(self.user, self.password)
            self._clean(self.open[0])
        if state >= 2:
            self.open[0].ok(f"CREATE {MAILBOX}")
        if state >= 3:
            wanted = s.value("messages", "all")
            for _ in range(len(self.messages) if wanted == "all" else int(wanted)):
                message, date = self._next_message()
                self.open[0].append(MAILBOX, message, date=date)
        if state >= 4:
            for c in self.open:
                c.ok(f"SELECT {MAILBOX}")

    @staticmethod
    def _clean(c):
        names = []
        for m in c.ok(f'LIST "" {MAILBOX}*').all(rb'^\* LIST \(([^)]*)\) (?:"[^"]*"|NIL) "?([^"]*)"?$'):
            names.append(m.group(2).decode())
        for name in sorted(names, key=len, reverse=True):
            c.command(f'DELETE "{name}"')
        for m in c.ok(f'LSUB "" {MAILBOX}*').all(rb'^\* LSUB \([^)]*\) (?:"[^"]*"|NIL) "?([^"]*)"?$'):
            c.command(f'UNSUBSCRIBE "{m.group(1).decode()}"')

    def _next_message(self):
        got = self.messages[self.at % len(self.messages)]
        self.at += 1
        return got

    def _command(self, step):
        """The bytes of a step; an append without a message gets the next one of the mbox."""
        literal = re.search(rb"\{\d+\}\r\n", step.command)
        command = self._substitute_around_literals(step.command)
        words = command.split()
        if words and words[0].lower() == b"append" and not literal and b"catenate" not in command.lower():
            if len(words) == 1:
                command += b" " + MAILBOX.encode()
            message, _ = self._next_message()
            command += b" {%d}\r\n" % len(message) + message
        return command

    def _substitute_around_literals(self, command):
        out = b""
        while True:
            m = re.search(rb"~?\{(\d+)\}\r\n", command)
            if m is None:
                return out + scripts.substitute(command, self.variables)
            end = m.end() + int(m.group(1))
            out += scripts.substitute(command[: m.start()], self.variables) + command[m.start() : end]
            command = command[end:]

    def _play_group(self, group):
        c = self.open[group[0].connection - 1]
        tags, responses, wanted, unwanted = {}, [], [], []
        for step in group:
            c.count += 1
            tag = b"t%d" % c.count
            self.variables["tag"] = tag
            tags[tag] = step
            command = self._command(step)
            self.trace.append(f"C{step.connection} {step.line}: {command!r}")
            c.send_command(tag, command)
            wanted += [(step.line, w) for w in step.wanted]
            unwanted += [(step.line, w) for w in step.unwanted]
        while tags:
            try:
                data = c.next_response()
            except wire.Ended:
                raise scripts.Mismatch(f"line {group[0].line}: the server closed the connection") from None
            self.trace.append(f"S{group[0].connection}: {data[:300]!r}")
            if data.startswith(b"* "):
                responses.append(scripts.Response(data, c.original_number(data)))
                continue
            tag, _, rest = data.partition(b" ")
            if tag not in tags:
                raise scripts.Mismatch(f"line {group[0].line}: unexpected {data!r}")
            self._judge_result(tags.pop(tag), rest)
        self._judge_untagged(responses, wanted, unwanted)

    def _judge_result(self, step, rest):
        status, _, text = rest.partition(b" ")
        if step.status != '""' and status.lower() != step.status.encode():
            raise scripts.Mismatch(f"line {step.line}: expected {step.status}, got {rest!r}")
        if step.prefix:
            want = scripts.parse_words(step.prefix, free_text=True)
            got = scripts.parse_words(text, free_text=True)[: len(want)]
            after = scripts.match_row(want, got, self.variables, ())
            if after is None:
                raise scripts.Mismatch(f"line {step.line}: expected {step.prefix!r}, got {text!r}")
            self.variables = after

    def _judge_untagged(self, responses, wanted, unwanted):
        # A response may be what two different lines wait for, but not what two equal lines do.
        unused = list(responses)
        taken_by = {}
        for line, want in wanted:
            for r in unused + [r for r in responses if r not in unused and repr(want) not in taken_by[id(r)]]:
                after = scripts.match_response(want, r, self.variables)
                if after is not None:
                    self.variables = after
                    taken_by.setdefault(id(r), set()).add(repr(want))
                    if r in unused:
                        unused.remove(r)
                    break
            else:
                raise scripts.Mismatch(f"line {line}: no response matches {want!r} among {[r.data[:300] for r in responses]}")
        for line, want in unwanted:
            for r in responses:
                if scripts.match_response(want, r, self.variables) is not None:
                    raise scripts.Mismatch(f"line {line}: {r.data!r} must not come")
