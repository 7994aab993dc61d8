"""A peer of the benchmark: Debian's Dovecot, run privately from a configuration made here.

Nothing of the machine's own configuration is read or changed. Defaults are kept except where a line says why: Maildir,
durability as it comes (mail_fsync=optimized), no full-text index.
"""
import grp
import os
import pwd
import shutil
import subprocess
import time

import machine
from machine import run

PACKAGES = ["dovecot-imapd", "dovecot-lmtpd"]
USER = "bench-mail"

DOVECOT = """
protocols = imap lmtp
base_dir = {root}/run
state_dir = {root}/state
instance_name = bench
log_path = {root}/log
listen = 127.0.0.1
mail_location = maildir:{root}/mail/%n
default_login_user = dovenull
default_internal_user = dovecot
mail_max_userip_connections = 2000
# IMAP without TLS is for the one row that asks what TLS costs
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
auth_mechanisms = plain login
auth_cache_size = 10M
passdb {{
  driver = passwd-file
  args = scheme=CRYPT username_format=%n {root}/passwd
}}
userdb {{
  driver = static
  args = uid=bench-mail gid=bench-mail home={root}/mail/%n
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
  {login_mode}
}}
service imap {{
  process_limit = 3000
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  client_limit = 6000
}}
service auth {{
  client_limit = 6000
}}
"""
LOGIN_MODES = {
    # few login processes with many connections each: Dovecot's mode for many idle clients
    "shared": "service_count = 0\n  process_min_avail = 2\n  client_limit = 3000",
    # its default: a login process for each connection, which isolates as a gate does
    "isolated": "service_count = 1\n  process_limit = 3000",
}


class Dovecot:
    name = "dovecot"

    def __init__(self, root, accounts, password, port_base, mode="shared"):
        self.root, self.accounts, self.password, self.mode = root, accounts, password, mode
        self.imap, self.imaps, self.lmtp = port_base + 143, port_base + 993, port_base + 24

    def create(self):
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("run", "state", "mail"):
            os.makedirs(f"{self.root}/{folder}")
        os.chmod(self.root, 0o755)
        machine.system_user(USER)
        machine.make_certificate(self.root)
        hashed = run("doveadm", "pw", "-p", self.password).strip()
        with open(f"{self.root}/passwd", "w") as f:
            f.writelines(f"user{i}:{hashed}\n" for i in range(1, self.accounts + 1))
        with open(f"{self.root}/dovecot.conf", "w") as f:
            f.write(DOVECOT.format(root=self.root, imap=self.imap, imaps=self.imaps, lmtp=self.lmtp,
                                   login_mode=LOGIN_MODES[self.mode]))
        os.chmod(f"{self.root}/passwd", 0o644)
        os.chown(f"{self.root}/mail", pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid)
        return self.start()

    def start(self):
        machine.start_daemon("dovecot", "-c", f"{self.root}/dovecot.conf")
        machine.wait_port(self.imaps)
        return self

    def stop(self):
        subprocess.run(["doveadm", "-c", f"{self.root}/dovecot.conf", "stop"], capture_output=True)
        time.sleep(1)
        machine.kill(self._master())

    def _master(self):
        try:
            with open(f"{self.root}/run/master.pid") as f:
                return [int(f.read())]
        except (OSError, ValueError):
            return []

    def pids(self):
        return [p for root in self._master() for p in machine.tree(root)]

    def mail_folder(self):
        return f"{self.root}/mail"

    def fill(self, user, messages, size, make):
        """Puts messages into a mailbox directly, as files: what a delivery would have left there."""
        folder = f"{self.root}/mail/{user}"
        for sub in ("cur", "new", "tmp"):
            os.makedirs(f"{folder}/{sub}", exist_ok=True)
        for i in range(messages):
            with open(f"{folder}/new/{1700000000 + i}.M{i}P1.bench", "wb") as f:
                f.write(make(i, size))
        run("chown", "-R", f"{USER}:{USER}", folder)
