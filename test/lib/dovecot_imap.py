"""Debian's Dovecot as a peer: its imap program alone, signed in already, on a socket of ours; no service of the machine."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

PROGRAM = "/usr/lib/dovecot/imap"
USER = "nobody"  # it refuses to run as root
CONF = """
protocols = imap
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/log
mail_location = sdbox:{root}/mail
ssl = no
default_login_user = {user}
default_internal_user = {user}
default_internal_group = nogroup
first_valid_uid = 1
mail_max_keyword_length = 100
namespace inbox {{
  inbox = yes
  separator = /
  mailbox INBOX {{
    auto = create
  }}
  mailbox Archive {{
    special_use = \\Archive
    auto = create
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = create
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = create
  }}
}}
"""


def is_there():
    return os.access(PROGRAM, os.X_OK)


class Dovecot:
    """Its mail, in a temporary folder."""

    def __init__(self):
        self.user = USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.root = Path(tempfile.mkdtemp(prefix="gatepost-peer-"))
        for folder in (self.root, self.root / "mail", self.root / "run"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
            if os.geteuid() == 0:
                shutil.chown(folder, self.user)
        (self.root / "conf").write_text(CONF.format(root=self.root, user=self.user))
        self.processes = []

    def connect(self):
        """A connection to it: a socket, before the greeting."""
        ours, its = socket.socketpair()
        command = [PROGRAM, "-c", str(self.root / "conf")]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self.user}", "--regid=nogroup", "--clear-groups", *command]
        environment = {"HOME": str(self.root / "mail"), "USER": self.user, "PATH": "/usr/bin:/bin", "TZ": "UTC"}
        with its:
            self.processes.append(subprocess.Popen(command, stdin=its, stdout=its, stderr=subprocess.DEVNULL, cwd=self.root, env=environment))
        return ours

    def log(self):
        path = self.root / "log"
        return path.read_text() if path.exists() else ""

    def close(self):
        for p in self.processes:
            p.kill()
            p.wait()
        if os.environ.get("GATEPOST_KEEP"):
            print(f"kept: {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)
