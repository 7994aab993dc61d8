"""A Postfix of Debian that relays what it gets, alone and with opendkim, as the peers of bench/outgoing; smtp-sink as everybody's destination."""
import os
import re
import shutil
import subprocess
import time

import machine
from machine import DOMAIN
from postfix import Postfix


PACKAGES = ["postfix", "opendkim"]

MAIN = """
relayhost = [127.0.0.1]:{sink}
smtp_tls_security_level = none
"""

MILTER = """
smtpd_milters = unix:{root}/dkim/socket
milter_default_action = tempfail
"""

OPENDKIM = """
Mode s
# (the folder of the run lies in /var/tmp)
RequireSafeKeys no
Socket local:{root}/dkim/socket
UMask 000
Domain {domain}
Selector bench
KeyFile {root}/dkim/key.pem
SignatureAlgorithm rsa-sha256
Canonicalization relaxed/relaxed
InternalHosts 127.0.0.1
UserID opendkim
Background no
Syslog no
"""


class Relay:
    """Takes mail from this machine without TLS or signing in, and keeps it as durably as Debian's defaults say."""

    name = "postfix"

    def __init__(self, root, port, sink):
        self.root, self.port, self.sink = root, port, sink
        self.postfix = Postfix(root, port)

    def create(self):
        self.postfix.create(MAIN.format(sink=self.sink))
        self.postfix.start()
        return self

    def load_arguments(self):
        return [self.port, "plain", "-", "-", f"user1@{DOMAIN}"]

    def pids(self):
        return self.postfix.pids()

    def left(self):
        """What waits in its queue, and why, in its own words."""
        return machine.run("postqueue", "-c", self.postfix.etc, "-p")

    def stop(self):
        self.postfix.stop()


class Signing(Relay):
    """The same, with Debian's opendkim as its filter: every message leaves with one signature (rsa-sha256, 2048 bits)."""

    name = "postfix+opendkim"

    def __init__(self, root, port, sink):
        super().__init__(root, port, sink)
        self.filter = None

    def create(self):
        super().create()
        os.makedirs(f"{self.root}/dkim", mode=0o755)
        key = f"{self.root}/dkim/key.pem"
        machine.run("openssl", "genrsa", "-out", key, "2048")
        for path in (f"{self.root}/dkim", key):
            shutil.chown(path, "opendkim", "opendkim")
        os.chmod(key, 0o600)
        with open(f"{self.root}/opendkim.conf", "w") as f:
            f.write(OPENDKIM.format(root=self.root, domain=DOMAIN))
        self.filter = subprocess.Popen(["opendkim", "-f", "-x", f"{self.root}/opendkim.conf"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.time() + 20
        while not os.path.exists(f"{self.root}/dkim/socket"):
            if time.time() > end:
                raise RuntimeError("opendkim does not start")
            time.sleep(0.05)
        with open(f"{self.root}/etc/main.cf", "a") as f:
            f.write(MILTER.format(root=self.root))
        machine.run("postfix", "-c", f"{self.root}/etc", "reload")
        return self

    def pids(self):
        return super().pids() + ([self.filter.pid] if self.filter else [])

    def stop(self):
        super().stop()
        if self.filter:
            self.filter.kill()
            self.filter.wait()
            self.filter = None


class Sink:
    """smtp-sink: takes any message and forgets it; `messages()` says how many it took."""

    def __init__(self, port, log):
        self.port, self.log = port, log
        self.out = open(log, "wb")
        command = ["smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{port}", "1000"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT)
        machine.wait_port(port)

    def messages(self):
        """Its counter stands on the last of its lines, each written over the one before."""
        with open(self.log, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 400))
            counts = re.findall(rb"mesg=(\d+)", f.read())
        return int(counts[-1]) if counts else 0

    def wait_for(self, messages, seconds):
        """The time when it had that many; RuntimeError when none came for that long."""
        most, end = self.messages(), time.time() + seconds
        while most < messages:
            found = self.messages()
            if found > most:
                most, end = found, time.time() + seconds
            if time.time() > end:
                raise RuntimeError(f"{messages - most} of the messages did not come out: nothing moved for {seconds} s")
            time.sleep(0.005)
        return time.time()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.out.close()


