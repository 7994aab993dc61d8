"""A Postfix of Debian that relays what it gets, alone and with opendkim, as the peers of bench/outgoing; smtp-sink as everybody's destination."""
import os
import re
import shutil
import subprocess
import time

import machine


PACKAGES = ["postfix", "opendkim"]

MAIN = """
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/lib
config_directory = {root}/etc
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = peer.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtpd_tls_security_level = none
smtp_tls_security_level = none
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
# one client machine opens all connections of the run
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
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

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Relay:
    """Takes mail from this machine without TLS or signing in, and keeps it as durably as Debian's defaults say."""

    name = "postfix"

    def __init__(self, root, port, sink):
        self.root, self.port, self.sink = root, port, sink

    def create(self):
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("etc", "spool", "lib"):
            os.makedirs(f"{self.root}/{folder}")
        os.chmod(self.root, 0o755)
        with open(f"{self.root}/etc/main.cf", "w") as f:
            f.write(MAIN.format(root=self.root, sink=self.sink))
        with open(f"{self.root}/etc/master.cf", "w") as f:
            f.write(MASTER.format(port=self.port))
        shutil.chown(f"{self.root}/lib", "postfix", "postfix")
        machine.start_daemon("postfix", "-c", f"{self.root}/etc", "start")
        machine.wait_port(self.port)
        return self

    def load_arguments(self):
        return [self.port, "plain", "-", "-", "user1@example.test"]

    def _master(self):
        try:
            with open(f"{self.root}/spool/pid/master.pid") as f:
                return int(f.read())
        except (OSError, ValueError):
            return None

    def pids(self):
        return machine.tree(self._master()) if self._master() else []

    def left(self):
        """What waits in its queue, and why, in its own words."""
        return machine.run("postqueue", "-c", f"{self.root}/etc", "-p")

    def stop(self):
        subprocess.run(["postfix", "-c", f"{self.root}/etc", "stop"], capture_output=True)
        time.sleep(1)
        if self._master():
            machine.kill([self._master()])


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
            f.write(OPENDKIM.format(root=self.root, domain="example.test"))
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


