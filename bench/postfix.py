"""Debian's Postfix before a store of the benchmark, run privately from a configuration made here.

Nothing of the machine's own configuration is read or changed. Defaults are kept except where a line says why.
"""
import os
import shutil
import subprocess
import time

import machine
from machine import DOMAIN, run

PACKAGES = ["postfix"]
QUEUES = ("maildrop", "incoming", "active", "deferred")

MAIN = """
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/lib
config_directory = {root}/etc
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = peer.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_tls_security_level = none
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
# one client machine opens all connections of the run
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
"""

MAIN_BEFORE_STORE = """
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = hash:{root}/etc/users
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
# one mailbox gets all messages of a run, not only the two at once that the default allows
lmtp_destination_concurrency_limit = 20
default_process_limit = 200
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
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """One of its own, in the folder `root`, that takes mail at `port`."""

    def __init__(self, root, port):
        self.root, self.port, self.etc = root, port, f"{root}/etc"

    def create(self, more_main):
        """Its folders and its configuration: MAIN and `more_main`."""
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("etc", "spool", "lib"):
            os.makedirs(f"{self.root}/{folder}")
        os.chmod(self.root, 0o755)
        with open(f"{self.etc}/main.cf", "w") as f:
            f.write(MAIN.format(root=self.root, domain=DOMAIN) + more_main)
        with open(f"{self.etc}/master.cf", "w") as f:
            f.write(MASTER.format(port=self.port))
        shutil.chown(f"{self.root}/lib", "postfix", "postfix")

    def start(self):
        machine.start_daemon("postfix", "-c", self.etc, "start")
        machine.wait_port(self.port)

    def stop(self):
        subprocess.run(["postfix", "-c", self.etc, "stop"], capture_output=True)
        time.sleep(1)
        machine.kill(self._master())

    def _master(self):
        try:
            with open(f"{self.root}/spool/pid/master.pid") as f:
                return [int(f.read())]
        except (OSError, ValueError):
            return []

    def pids(self):
        return [p for root in self._master() for p in machine.tree(root)]

    def waiting(self):
        """How many messages have not left it."""
        return sum(len(names) for queue in QUEUES for _, _, names in os.walk(f"{self.root}/spool/{queue}"))


class Behind:
    """A store (Dovecot or Cyrus) that gets its mail from a Postfix of its own, over LMTP."""

    def __init__(self, store, root, smtp):
        self.name = f"postfix+{store.name}"
        self.store, self.root, self.smtp, self.imaps = store, root, smtp, store.imaps
        self.accounts = store.accounts
        self.postfix = Postfix(root, smtp)

    def create(self):
        users = f"{self.postfix.etc}/users"
        self.postfix.create(MAIN_BEFORE_STORE.format(root=self.root, domain=DOMAIN, lmtp=self.store.lmtp))
        with open(users, "w") as f:
            f.writelines(f"user{i}@{DOMAIN} x\n" for i in range(1, self.accounts + 1))
        run("postmap", "-c", self.postfix.etc, f"hash:{users}")
        self.store.create()
        self.postfix.start()
        return self

    def start(self):
        self.store.start()
        self.postfix.start()
        return self

    def stop(self):
        self.postfix.stop()
        self.store.stop()

    def pids(self):
        return self.postfix.pids() + self.store.pids()

    def waiting(self):
        """How many messages are not in their mailboxes yet: Postfix keeps each until the store has answered for it."""
        return self.postfix.waiting()

    def mail_folder(self):
        return self.store.mail_folder()

    def fill(self, user, messages, size, make):
        self.store.fill(user, messages, size, make)
