"""Gatepost as the benchmark runs it: an instance made for the run, with the standard configuration but for limits."""
import shutil
import signal
import subprocess

import machine


class Gatepost:
    """An instance of ours in a folder of its own. `mode` is the build: release or noseal."""

    def __init__(self, root, accounts, mode="release", port_base=42000, binary=None):
        self.name = "gatepost" if mode == "release" else f"gatepost ({mode})"
        self.root, self.accounts, self.mode = root, accounts, mode
        self.binary = binary or f"{machine.TOP}/build/{mode}/gatepost"
        self.smtp, self.imap, self.imaps = port_base + 25, port_base + 143, port_base + 993
        self.port_base = port_base
        shutil.rmtree(root, ignore_errors=True)
        self.process = None

    def cli(self, *args, password=None):
        done = subprocess.run([self.binary, *args, "-c", f"{self.root}/gatepost.conf"], input=password, text=True,
                              capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"gatepost {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def create(self):
        done = subprocess.run([self.binary, "init", "--data", self.root, "--domain", machine.DOMAIN, "--hostname",
                               "localhost", "--port-base", str(self.port_base)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"gatepost init: {done.stderr}")
        self._raise_limits()
        self.start()
        for i in range(1, self.accounts + 1):
            self.cli("account", "add", f"user{i}@{machine.DOMAIN}", "--password-stdin",
                     password=machine.PASSWORD + "\n")
            if i % 100 == 0:
                machine.say(f"  {self.name}: {i} accounts")
        return self

    def _raise_limits(self):
        """One client machine opens all connections of the run."""
        path = f"{self.root}/gatepost.conf"
        with open(path) as f:
            lines = [x for x in f.read().splitlines() if not x.startswith(("connections", "message_memory"))]
        at = lines.index("[limits]") + 1 if "[limits]" in lines else len(lines)
        if "[limits]" not in lines:
            lines.append("[limits]")
            at = len(lines)
        lines[at:at] = ["connections = 4000", "connections_per_network = 4000"]
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")

    def start(self):
        self.log = open(f"{self.root}.log", "ab")
        self.process = subprocess.Popen([self.binary, "serve", "-c", f"{self.root}/gatepost.conf"], stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL)
        machine.wait_port(self.smtp)
        machine.wait_port(self.imaps)
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended at once: is port {self.smtp} taken? Its log: {self.root}.log")
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def pids(self):
        return machine.tree(self.process.pid)

    def waiting(self):
        return None  # a 250 is a message in a mailbox: nothing to wait for

    def mail_folder(self):
        return f"{self.root}/accounts"
