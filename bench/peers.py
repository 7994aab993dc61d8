"""The peers of the benchmark: Debian's Postfix and Dovecot, run privately from configurations made here.

Nothing of the machine's own configuration is read or changed. Defaults are kept except where a line says why.
"""
import os
import pwd
import grp
import shutil
import signal
import socket
import subprocess
import time

DOMAIN = "example.test"

POSTFIX_MAIN = """
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
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = hash:{root}/etc/users
virtual_transport = lmtp:unix:{lmtp}
smtpd_tls_security_level = none
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
# one client machine opens all connections of the run
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
# one mailbox gets all messages of a run, not only the two at once that the default allows
lmtp_destination_concurrency_limit = 20
default_process_limit = 200
"""

POSTFIX_MASTER = """
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
ssl = required
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
    port = 0
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
  unix_listener {root}/lmtp {{
    user = postfix
    mode = 0600
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


def run(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw).stdout


def start_daemon(*args):
    """The daemon keeps what it inherits open, so it must not get a pipe of ours."""
    subprocess.run(args, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_port(port, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


def tree(pid):
    """The process and all its descendants."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as f:
                    ppid = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(ppid, []).append(int(name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


def cpu_seconds(pids):
    """User and system time of the processes and of those of their children that have ended."""
    ticks = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += sum(int(x) for x in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_kb(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            continue
    return total


def disk_bytes(folder):
    return sum(os.lstat(os.path.join(at, name)).st_blocks * 512 for at, _, names in os.walk(folder) for name in names)


class PostfixDovecot:
    name = "postfix+dovecot"

    def __init__(self, root, accounts, password, smtp=12025, imaps=12993, mode="shared"):
        self.root, self.accounts, self.smtp, self.imaps = root, accounts, smtp, imaps
        self.postfix, self.dovecot = f"{root}/postfix", f"{root}/dovecot"
        self._mail_user()
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("postfix/etc", "postfix/spool", "postfix/lib", "dovecot/run", "dovecot/state", "dovecot/mail"):
            os.makedirs(f"{root}/{folder}")
        os.chmod(root, 0o755)
        self._write_postfix()
        self._write_dovecot(password, mode)

    @staticmethod
    def _mail_user():
        try:
            pwd.getpwnam("bench-mail")
        except KeyError:
            run("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "--user-group", "bench-mail")

    def _write_postfix(self):
        p = self.postfix
        with open(f"{p}/etc/main.cf", "w") as f:
            f.write(POSTFIX_MAIN.format(root=p, domain=DOMAIN, lmtp=f"{self.dovecot}/lmtp"))
        with open(f"{p}/etc/master.cf", "w") as f:
            f.write(POSTFIX_MASTER.format(port=self.smtp))
        with open(f"{p}/etc/users", "w") as f:
            f.writelines(f"user{i}@{DOMAIN} x\n" for i in range(1, self.accounts + 1))
        run("postmap", "-c", f"{p}/etc", f"hash:{p}/etc/users")
        shutil.chown(f"{p}/lib", "postfix", "postfix")

    def _write_dovecot(self, password, mode):
        d = self.dovecot
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=localhost", "-keyout", f"{d}/key.pem", "-out", f"{d}/cert.pem")
        hashed = run("doveadm", "pw", "-p", password).strip()
        with open(f"{d}/passwd", "w") as f:
            f.writelines(f"user{i}:{hashed}\n" for i in range(1, self.accounts + 1))
        with open(f"{d}/dovecot.conf", "w") as f:
            f.write(DOVECOT.format(root=d, imaps=self.imaps, login_mode=LOGIN_MODES[mode]))
        os.chmod(f"{d}/passwd", 0o644)
        uid, gid = pwd.getpwnam("bench-mail").pw_uid, grp.getgrnam("bench-mail").gr_gid
        os.chown(f"{d}/mail", uid, gid)

    def start(self):
        start_daemon("dovecot", "-c", f"{self.dovecot}/dovecot.conf")
        start_daemon("postfix", "-c", f"{self.postfix}/etc", "start")
        wait_port(self.smtp)
        wait_port(self.imaps)

    def stop(self):
        subprocess.run(["postfix", "-c", f"{self.postfix}/etc", "stop"], capture_output=True)
        subprocess.run(["doveadm", "-c", f"{self.dovecot}/dovecot.conf", "stop"], capture_output=True)
        time.sleep(1)
        for pid in self.roots():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def roots(self):
        found = []
        for path in (f"{self.postfix}/spool/pid/master.pid", f"{self.dovecot}/run/master.pid"):
            try:
                with open(path) as f:
                    found.append(int(f.read()))
            except (OSError, ValueError):
                pass
        return found

    def pids(self):
        return [p for root in self.roots() for p in tree(root)]

    def delivered(self):
        """How many messages are in mailboxes now."""
        n = 0
        for user in os.listdir(f"{self.dovecot}/mail"):
            for sub in ("new", "cur"):
                try:
                    n += len(os.listdir(f"{self.dovecot}/mail/{user}/{sub}"))
                except OSError:
                    pass
        return n

    def mail_folder(self):
        return f"{self.dovecot}/mail"

    def fill(self, user, messages, size, make):
        """Puts messages into a mailbox directly, as files: what a delivery would have left there."""
        folder = f"{self.dovecot}/mail/{user}"
        for sub in ("cur", "new", "tmp"):
            os.makedirs(f"{folder}/{sub}", exist_ok=True)
        for i in range(messages):
            with open(f"{folder}/new/{1700000000 + i}.M{i}P1.bench", "wb") as f:
                f.write(make(i, size))
        run("chown", "-R", "bench-mail:bench-mail", folder)
