"""Dovecot as the peer of the differential test (test/lib/dovecot_imap.py), with a client that compares."""

import dovecot_imap
from dovecot_imap import is_there  # noqa: F401
from follower import Follower


class Dovecot(dovecot_imap.Dovecot):
    def connect(self, resyncs=False):
        return Peer(super().connect(), resyncs)


class Peer(Follower):
    """A connection to it."""

    def __init__(self, connected, resyncs):
        connected.settimeout(60)
        self.prepare(connected, resyncs)
        self.pending, self.count, self.asked = b"", 0, ""
        self.inflate = self.deflate = None
        self.greeting = self.response()
        if resyncs:
            self.ok("ENABLE QRESYNC")

    def mind(self, condition, *words):
        """What it says is compared, not judged."""
