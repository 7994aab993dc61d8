"""What goes on in an account while a client looks at it: deliveries, flags, appends, moves and expunges, all the time.

    with Life(server, address, folders, seed) as life:
        with life.held(): ...       nothing changes meanwhile
        life.stop()                 ends it, and raises what went wrong in it
"""

import contextlib
import random
import threading

import messages
from programs import modified_utf7

FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Label1"]
PAUSE_SECONDS = 0.15


class Life:
    def __init__(self, server, address, folders, seed=7, first=10_000, removes=True):
        """Its messages have numbers from `first`; without `removes` no message leaves its folder."""
        self.server, self.address, self.folders = server, address, folders
        self.random, self.number = random.Random(seed), first
        self.weights = [5, 2, 6, 3, 2, 1] if removes else [5, 2, 6, 3, 0, 0]
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.done, self.error = {}, None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        self.thread.join(30)
        if kind is None and self.error is not None:
            raise self.error

    @contextlib.contextmanager
    def held(self):
        with self.lock:
            yield

    def stop(self):
        self.__exit__(None)

    def _run(self):
        try:
            with self.server.imap_client(self.address) as c:
                while not self.ended.is_set():
                    with self.lock:
                        self._step(c)
                    self.ended.wait(PAUSE_SECONDS)
        except Exception as e:  # told by stop(), in the thread of the test
            self.error = e

    def _message(self):
        self.number += 1
        return messages.message(self.number, 9)

    def _step(self, c):
        what = self.random.choices(["deliver", "append", "flag", "unflag", "move", "expunge"], self.weights)[0]
        self.done[what] = self.done.get(what, 0) + 1
        if what == "deliver":
            self.server.deliver(self._message(), self.address, parameters=" BODY=8BITMIME")
            return
        name = modified_utf7(self.random.choice(self.folders))
        if what == "append":
            c.append(f'"{name}"', self._message(), self.random.choice(["", "\\Seen"]))
            return
        c.ok(f'SELECT "{name}"')
        uids = c.ok("UID SEARCH UNDELETED").one(rb"SEARCH ?(.*)").group(1).split()
        if len(uids) < 5:
            return
        uid = self.random.choice(uids).decode()
        if what in ("flag", "unflag"):
            c.ok(f"UID STORE {uid} {'+' if what == 'flag' else '-'}FLAGS ({self.random.choice(FLAGS)})")
        elif what == "move":
            c.ok(f'UID MOVE {uid} "{modified_utf7(self.random.choice(self.folders))}"')
        else:
            c.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
            c.ok(f"UID EXPUNGE {uid}")


def fill(server, address, folders, how_many, seed=8):
    """Folders and messages to begin with: half of them come by delivery; Message-IDs differ."""
    with server.imap_client(address) as c, server.smtp_client() as s:
        there = {m.group(1) for m in c.ok('LIST "" *').all(rb' ("[^"]*"|\S+)$')}
        for name in map(modified_utf7, folders):
            if name.encode() not in {t.strip(b'"') for t in there}:
                c.ok(f'CREATE "{name}"')
            c.ok(f'SUBSCRIBE "{name}"')
        for n in range(how_many):
            m = messages.message(n, seed)
            if n % 2 == 0:
                code, text = s.deliver("g@client.example", address, m, " BODY=8BITMIME")
                assert code == 250, text
            else:
                name = modified_utf7(folders[n // 2 % len(folders)])
                c.append(f'"{name}"', m, ["", "\\Seen", "\\Seen \\Answered", "\\Flagged"][n // 2 % 4])
