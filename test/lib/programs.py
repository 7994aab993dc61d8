"""Running programs that know nothing of us, and what several tests of them share."""

import base64
import os
import re
import shutil
import signal
import subprocess

from harness import Skip


def run(*command, stdin=None, timeout=100, check=True, home=None, **environment):
    env = dict(os.environ, LC_ALL="C.UTF-8", **environment)
    if home is not None:
        env["HOME"] = str(home)
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, timeout=timeout, env=env)
    if check and done.returncode != 0:
        raise AssertionError(f"{command[0]}: status {done.returncode}\n{done.stdout.decode(errors='replace')[-3000:]}"
                             f"{done.stderr.decode(errors='replace')[-3000:]}")
    return done


def need(program):
    found = shutil.which(program)
    if found is None:
        raise Skip(f"{program} is not installed")
    return found


def without_trace(message):
    """A message without the Return-Path and Received that delivery put on top."""
    m = re.match(rb"Return-Path: <[^\r\n]*>\r?\n(?:Received: (?:[^\r\n]|\r?\n[ \t])*\r?\n)?", message)
    return message[m.end() :] if m else message


def modified_utf7(name):
    """RFC 3501 §5.1.3, for names that are ASCII or have none of it."""
    if name.isascii():
        return name.replace("&", "&-")
    return "&" + base64.b64encode(name.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


def mbsync_config(server, address, folder, port=None, certificate=None):
    """A two-way channel between all folders of the account and `folder`/mail; that folder."""
    maildir = folder / "mail"
    maildir.mkdir(parents=True)
    (folder / "mbsyncrc").write_text(
        f"IMAPAccount a\nHost 127.0.0.1\nPort {port or server.imaps}\nUser {address}\nPass \"{server.passwords[address]}\"\nSSLType IMAPS\n"
        f"CertificateFile {certificate or f'{server.data}/tls/cert.pem'}\nTimeout 60\n\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {maildir}/\n"
        f"Inbox {maildir}/INBOX\nSubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n")
    return maildir


def mbsync(folder):
    return run("mbsync", "-c", folder / "mbsyncrc", "-V", "c", timeout=1500, home=folder)


class Program:
    """One that runs on its own until it is stopped; what it says lies in `folder`/output."""

    def __init__(self, command, folder, **environment):
        self.path = folder / "output"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder,
                                            env=dict(os.environ, LC_ALL="C.UTF-8", HOME=str(folder), **environment), start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def running(self):
        return self.process.poll() is None

    def output(self):
        return self.path.read_text(errors="replace")

    def stop(self, seconds=60):
        """SIGTERM to its process group, SIGKILL when that is not enough."""
        if not self.running():
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
