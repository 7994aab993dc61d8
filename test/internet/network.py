"""A small internet on one machine: each host has its own network, its own files on top of ours, and its own addresses.

    with Network() as network:
        mx = network.host("mx", packages=["postfix"])
        mx.run(["postfix", "start"])
        with mx.inside():                       # sockets made in here are of that host
            socket.create_connection((other.ipv4, 25))

Hosts are network namespaces joined by a bridge in a namespace of its own; nothing of the machine's own network is
touched, and no packet leaves. Addresses are taken from networks that belong to nobody we could reach by mistake, and that
servers believe to be public: servers treat 192.168/16 and the like as what they are.

Packages are unpacked, never installed: a host sees /usr, /etc and /var as ours with its packages' files on top
(overlayfs on a tmpfs, in a mount namespace of its own). So Postfix, Exim and OpenSMTPD, which exclude each other, live side
by side, each where it expects to be.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import authority

CLONE_NEWNET = 0x40000000
IPV4 = "11.22.33.{}"
IPV6 = "2a0a:bcd::{:x}"
OVERLAID = ("usr", "etc", "var")

_libc = ctypes.CDLL(None, use_errno=True)


class Impossible(Exception):
    """This machine allows no namespaces; the words say what failed."""


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=options.pop("timeout", 60), **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def unpacked(packages, folder):
    """The files of Debian packages below one folder for each package; fetched once."""
    found = []
    for package in packages:
        at = Path(folder) / package
        if not at.is_dir():
            with tempfile.TemporaryDirectory(dir=folder) as fetched:
                run(["apt-get", "-q", "download", package], cwd=fetched, timeout=300)
                [archive] = Path(fetched).glob("*.deb")
                run(["dpkg", "-x", str(archive), f"{fetched}/files"])
                os.rename(f"{fetched}/files", at)
        found.append(at)
    return found


class Host:
    """One of them. `name` is its short name; addresses in .ipv4 and .ipv6."""

    def __init__(self, network, name, number, packages):
        self.network, self.name = network, name
        self.namespace = f"{network.prefix}-{name}"
        self.ipv4, self.ipv6 = IPV4.format(number), IPV6.format(number)
        self.folder = network.folder / name
        self.folder.mkdir()
        self.processes = []
        self._join()
        self._keeper = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, "unshare", "--mount", "--propagation", "private", "sleep", "infinity"],
            stdin=subprocess.DEVNULL, start_new_session=True,
        )
        self._wait_for_keeper()
        self._lay_files(unpacked(packages, network.packages))

    def _join(self):
        ip, bridge = ["ip"], self.network.bridge
        run(ip + ["netns", "add", self.namespace])
        inner, outer = "eth0", f"v{self.name}"[:15]
        run(ip + ["-n", bridge, "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", self.namespace])
        run(ip + ["-n", bridge, "link", "set", outer, "master", "br0", "up"])
        inside = ip + ["-n", self.namespace]
        run(inside + ["link", "set", "lo", "up"])
        run(inside + ["address", "add", f"{self.ipv4}/24", "dev", inner])
        run(inside + ["address", "add", f"{self.ipv6}/64", "dev", inner, "nodad"])
        # without a link-local address, for which a program at the start would have to wait
        run(inside + ["link", "set", inner, "addrgenmode", "none", "up"])
        run(inside + ["route", "add", "default", "dev", inner])

    def _wait_for_keeper(self):
        """Until its namespaces are not ours any more: before, a command would mount over the machine's own files."""
        for _ in range(500):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{self._keeper.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt") and \
                        Path(f"/proc/{self._keeper.pid}/comm").read_text() == "sleep\n":
                    return
            if self._keeper.poll() is not None:
                raise Impossible(f"a namespace for {self.name} cannot be made")
            time.sleep(0.01)
        raise Impossible(f"the namespace of {self.name} does not come to be")

    def _lay_files(self, layers):
        self.run(["mount", "-t", "tmpfs", "tmpfs", str(self.folder)])
        for top in OVERLAID:
            here = self.folder / top
            self.run(["mkdir", "-p", f"{here}/upper", f"{here}/work"])
            lower = ":".join([str(layer / top) for layer in layers if (layer / top).is_dir()] + [f"/{top}"])
            self.run(["mount", "-t", "overlay", "overlay", "-o",
                      f"lowerdir={lower},upperdir={here}/upper,workdir={here}/work", f"/{top}"])
        self.write("/etc/resolv.conf", f"nameserver {self.network.dns}\n")
        self.write("/etc/ca.pem", self.network.authority.root)
        self.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{self.ipv4} {self.name}\n")

    # --- what is done there ---------------------------------------------------------------------------------------

    def command(self, command):
        return ["nsenter", f"--target={self._keeper.pid}", "--mount", "--net", "--", *map(str, command)]

    def run(self, command, **options):
        return run(self.command(command), **options)

    def start(self, command, **options):
        """A process that runs until the host ends."""
        process = subprocess.Popen(self.command(command), stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def write(self, path, text, mode=0o644):
        self.run(["sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"', "sh", path, f"{mode:o}"], input=text)

    def read(self, path):
        return self.run(["cat", path])

    def add_group(self, name):
        self.run(["groupadd", "--system", "--force", name])

    def add_user(self, name, home="/nonexistent"):
        """A system user with a group of its name, on this host only; one that the machine has already stays as it is."""
        if any(line.startswith(f"{name}:") for line in self.read("/etc/passwd").splitlines()):
            return
        self.run(["useradd", "--system", "--user-group", "--home-dir", home, "--shell", "/usr/sbin/nologin", name])

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes in here belong to the host."""
        with open("/proc/thread-self/ns/net") as ours, open(f"/proc/{self._keeper.pid}/ns/net") as theirs:
            if _libc.setns(theirs.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if _libc.setns(ours.fileno(), CLONE_NEWNET) != 0:
                    os.abort()  # better no test than one in the wrong network

    def close(self):
        """Ends whatever runs there, and forgets its files."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        time.sleep(0.2 if self.processes else 0)
        listed = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True).stdout
        for pid in map(int, listed.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in [*self.processes, self._keeper]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        subprocess.run(["ip", "netns", "del", self.namespace], capture_output=True)


class Network:
    def __init__(self, packages=None):
        if os.geteuid() != 0:
            raise Impossible("only root can make network namespaces")
        self.prefix = f"gp{os.getpid()}"
        self.bridge = f"{self.prefix}-net"
        self.folder = Path(tempfile.mkdtemp(prefix="gatepost-internet-"))
        self.folder.chmod(0o755)
        self.packages = Path(packages or self.folder / "packages")
        self.packages.mkdir(parents=True, exist_ok=True)
        self.hosts = {}
        self.authority = authority.Authority()  # whose root every host finds in /etc/ca.pem
        self.dns = IPV4.format(1)  # the first host made is the name server
        try:
            run(["ip", "netns", "add", self.bridge])
            run(["ip", "-n", self.bridge, "link", "add", "br0", "type", "bridge"])
            run(["ip", "-n", self.bridge, "link", "set", "br0", "up"])
        except (RuntimeError, OSError) as error:
            self.close()
            raise Impossible(str(error)) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def host(self, name, packages=()):
        self.hosts[name] = Host(self, name, len(self.hosts) + 1, packages)
        return self.hosts[name]

    def close(self):
        for host in self.hosts.values():
            host.close()
        self.hosts.clear()
        subprocess.run(["ip", "netns", "del", self.bridge], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


