"""A server of its own for a test: made in a temporary folder, on free ports, with the binary of GATEPOST_BUILD.

    with Instance() as server:
        server.smtp, server.imap, server.imaps     ports; .pop3, .pop3s, .submissions, .submission
        server.address, server.password            its first account
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import wire

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("GATEPOST_BUILD", "build/asan"))
BINARY = (ROOT / BUILD / "gatepost").resolve()
READY_SECONDS = 30
STOP_SECONDS = 20
PORTS = (25, 143, 993, 110, 995, 465, 587)
SANITIZER = re.compile(r"ERROR: (Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


def free_port_base():
    """A base whose ports are free now."""
    for step in range(200):
        base = 20000 + (os.getpid() * 131 + step * 1009) % 12000
        held = []
        try:
            for service in PORTS:
                s = socket.socket()
                held.append(s)
                s.bind(("127.0.0.1", base + service))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise RuntimeError("no free ports")


def make_users():
    """As root each role has its own user; ./start makes them the same way."""
    if os.geteuid() == 0:
        subprocess.run([str(ROOT / "packaging/users")], check=True, timeout=60, capture_output=True)


class Instance:
    domain = "example.test"
    address = "alice@example.test"
    password = "correct horse battery staple"

    def __init__(self, start=True, folder=None, serve=(), user=None, settings=None, port_base=None):
        """`user`: run everything as this user (only as root); `settings`: {(section, key): value} of gatepost.conf;
        `port_base`: 0 for the well-known ports, else free ones are found."""
        self.serve_arguments, self.user = list(serve), user
        self.made = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="gatepost-test-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.config = self.data / "gatepost.conf"
        self.log_path = self.folder / "server.log"
        self.process = None
        self.expected_alarms = 0
        self.passwords = {self.address: self.password}
        self.base = free_port_base() if port_base is None else port_base
        self.smtp, self.imap, self.imaps, self.pop3, self.pop3s, self.submissions, self.submission = (self.base + n for n in PORTS)
        if user is not None:
            shutil.chown(self.folder, user)
        try:
            make_users()
            self.recovery_key = self._init()
            for (section, key), value in (settings or {}).items():
                self.set(section, key, value)
            if start:
                self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _as_user(self, command):
        if self.user is None:
            return command
        return ["setpriv", f"--reuid={self.user}", "--regid=nogroup", "--clear-groups", *command]

    def _init(self):
        done = subprocess.run(
            self._as_user([
                str(BINARY), "init", "--data", str(self.data), "--hostname", "mail.example.test", "--domain", self.domain, "--account", self.address,
                "--password-stdin", "--port-base", str(self.base), "--json",
            ]),
            input=self.password + "\n", capture_output=True, text=True, timeout=60, cwd=self.folder,
        )
        if done.returncode != 0:
            raise RuntimeError(f"init failed: {done.stdout}{done.stderr}")
        return json.loads(done.stdout).get("recovery_key")

    def set(self, section, key, value):
        """Changes one value of gatepost.conf; read at the next start."""
        lines, out, inside, done = self.config.read_text().splitlines(), [], False, False
        for line in lines + ["[end]"]:
            if line.startswith("["):
                if inside and not done:
                    out.append(f"{key} = {value}")
                    done = True
                inside = line.strip() == f"[{section}]"
            elif inside and re.match(rf"[;#]?\s*{key}\s*=", line):
                if not done:
                    out.append(f"{key} = {value}")
                done = True
                continue
            out.append(line)
        out.pop()
        if not done:
            out += [f"[{section}]", f"{key} = {value}"]
        self.config.write_text("\n".join(out) + "\n")

    # --- its life -------------------------------------------------------------------------------------------------

    def spawn(self):
        """Starts the server without waiting for it."""
        # Looking for leaks takes ptrace, which the sandbox forbids; unit tests and the subcommands look.
        options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                self._as_user([str(BINARY), "serve", "-c", str(self.config), *self.serve_arguments]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
                env=dict(os.environ, ASAN_OPTIONS=options),
            )

    def start(self):
        self.spawn()
        self.wait_ready()

    def wait_ready(self, seconds=READY_SECONDS):
        deadline, error = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")
            if " server.ready " not in self.log()[self.log_start :]:
                time.sleep(0.02)
                continue
            try:
                for port, tls in ((self.smtp, False), (self.imap, False), (self.imaps, True), (self.pop3s, True)):
                    with wire.Wire(port, tls=tls, timeout=5) as w:
                        w.line()
                return
            except (OSError, wire.Ended) as e:
                error = e
                time.sleep(0.05)
        raise RuntimeError(f"not ready within {seconds} s ({error!r}):\n{self.log_tail()}")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; the seconds it took. Fails when it does not end in time, or not with 0."""
        start = time.monotonic()
        self.process.terminate()
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {STOP_SECONDS} s after SIGTERM: {self.processes()}") from None
        took = time.monotonic() - start
        assert status == 0, f"ended with status {status}:\n{self.log_tail()}"
        left = self.processes()
        assert not left, f"left behind: {left}"
        return took

    def finish(self):
        """Stops it where it runs, and looks through its log."""
        took = self.stop() if self.running() else 0.0
        log = self.log()
        m = SANITIZER.search(log)
        assert m is None, log[max(0, m.start() - 200) : m.start() + 4000]
        alarms = [line for line in log.splitlines() if " ALARM " in line]
        assert len(alarms) <= self.expected_alarms, "alarms:\n" + "\n".join(alarms[:20])
        return f"in {took:.2f} s"

    def kill(self):
        """Ends every process of the server at once, by SIGKILL, and waits until the last of them is gone."""
        deadline = time.monotonic() + STOP_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.005)
        if self.process is not None:
            self.process.wait(STOP_SECONDS)

    def close(self):
        self.kill()
        if self.made:
            if os.environ.get("GATEPOST_KEEP"):
                print(f"kept: {self.folder}", file=sys.stderr)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)

    # --- what it is doing -----------------------------------------------------------------------------------------

    def processes(self):
        """{pid: name} of all processes of the server that live; the name is the one that `ps -o comm` shows."""
        found = {}
        if self.process is None:
            return found
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if int(stat[3]) == self.process.pid and stat[0] != "Z":
                    found[int(entry)] = Path(f"/proc/{entry}/comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def role_pids(self, role):
        """The processes of a role (the kernel keeps 15 bytes of a name)."""
        return sorted(p for p, name in self.processes().items() if name == role[:15])

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=60):
        return "\n".join(self.log().splitlines()[-lines:])

    def gatepost(self, *arguments, stdin="", check=True, timeout=60):
        """Runs a subcommand on this instance; the finished process (text)."""
        done = subprocess.run(
            self._as_user([str(BINARY), *arguments, "-c", str(self.config)]),
            input=stdin, capture_output=True, text=True, timeout=timeout, cwd=self.folder,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"gatepost {' '.join(arguments)}: {done.returncode} {done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, stdin=""):
        return json.loads(self.gatepost(*arguments, "--json", stdin=stdin).stdout)

    def add_account(self, address, password="pass word " + "x" * 8):
        self.gatepost("account", "add", address, "--password-stdin", stdin=password + "\n")
        self.passwords[address] = password
        return address

    # --- talking to it --------------------------------------------------------------------------------------------

    def smtp_client(self, **how):
        return wire.Smtp(self.smtp, **how)

    def imap_client(self, address=None, select=None):
        """A signed-in connection."""
        address = address or self.address
        c = wire.Imap(self.imaps)
        c.sign_in(address, self.passwords[address])
        if select:
            c.ok(f"SELECT {select}")
        return c

    def deliver(self, message, *recipients, sender="sender@client.example", parameters=""):
        with self.smtp_client() as s:
            code, text = s.deliver(sender, list(recipients) or [self.address], message, parameters)
            assert code == 250, (code, text)
            return text

    def files(self):
        """Every regular file of the instance."""
        return sorted(p for p in self.data.rglob("*") if p.is_file() and not p.is_symlink())
