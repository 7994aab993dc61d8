"""One role's process alone, started as the supervisor starts it, with the test in the place of all others.

    role = RoleProcess("resolver", settings={("outbound", "root_hints"): "/…"})
    queue = role.join("ROLE_QUEUE")          an ipc.Channel, as another role has it
"""

import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import ipc
from instance import BINARY, SANITIZER

SEALS = 0xF
FD_SUPERVISOR, FD_CONFIG, FD_DATA = 3, 4, 5
READY_SECONDS = 30
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000


def config_text(settings):
    sections = {"server": ["hostname = mail.example.test"]}
    for (section, key), value in settings.items():
        sections.setdefault(section, []).append(f"{key} = {value}")
    return "".join(f"[{s}]\n" + "".join(f"{line}\n" for line in lines) for s, lines in sections.items())


def enter_network():
    """A network that is nobody else's: the name server's port is free there, and nothing leaves."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNET | (CLONE_NEWUSER if uid != 0 else 0)) != 0:
        return False
    if uid != 0:
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    return subprocess.run(["ip", "link", "set", "lo", "up"]).returncode == 0


class RoleProcess:
    def __init__(self, role, settings=None, folder=None):
        self.role, self.settings = role, settings or {}
        self.made = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="gatepost-role-"))
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.log_path = self.folder / "role.log"
        self.process = None
        self.channels = []
        self.start()

    def start(self):
        memory = os.memfd_create("gatepost.conf", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(memory, config_text(self.settings).encode())
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
        data = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.supervisor, theirs = ipc.pair()
        theirs.setblocking(False)
        given = [os.dup(fd) for fd in (theirs.fileno(), memory, data)]
        # above those that the process expects, so that none is overwritten on the way
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in given]
        script = 'exec "$0" role "$1" 0 ' + " ".join(f"{to}<&{fd}" for to, fd in zip((FD_SUPERVISOR, FD_CONFIG, FD_DATA), high))
        environment = {k: v for k, v in os.environ.items() if k.startswith(("GATEPOST_SANDBOX", "UBSAN"))}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script, str(BINARY), self.role], pass_fds=high, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(environment, ASAN_OPTIONS="detect_leaks=0"),
            )
        for fd in (*given, *high, memory, data):
            os.close(fd)
        theirs.close()
        name, _ = self.supervisor.receive(READY_SECONDS)
        if name != "ready":
            raise RuntimeError(f"{self.role} does not start: {self.log()[-3000:]}")

    def join(self, other, index=0):
        """A channel to the role, as `other` (a constant of enum role) has it."""
        ours, theirs = ipc.pair()
        theirs.setblocking(False)
        self.supervisor.send("peer", role=ipc.ROLES[other], index=index, channel=theirs.fileno())
        theirs.close()
        self.channels.append(ours)
        return ours

    # what test/lib/harness.py asks for

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_tail(self):
        return self.log()[-4000:]

    def finish(self):
        """Told to stop it ends by itself, with status 0, and has had no fault."""
        self.supervisor.send("drain", ms=5000)
        status = self.process.wait(10)
        log = self.log()
        if status != 0 or SANITIZER.search(log):
            raise AssertionError(f"{self.role} ended with {status}")

    def close(self):
        if self.running():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        for channel in [self.supervisor, *self.channels]:
            channel.close()
        if self.made:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
