"""A peer of the benchmark: Cyrus IMAP 3.6 of Debian 12, run privately from files that are unpacked beside.

Its packages conflict with Dovecot's, so they are never installed: they are fetched with apt-get, unpacked into the
run's folder, and only the libraries they need are installed. The configuration is Debian's (/etc/imapd.conf and
/etc/cyrus.conf of the package) except where a line says why; durability is the default (fsync), no search index is
configured by default, and expunge_mode is the default (delayed: files go later).
Passwords are in a sasldb (auxprop): checking one costs a look-up, without a hash or a saslauthd in the way.
"""
import glob
import grp
import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import time

import machine

# saslpasswd2 writes the passwords; the others are the server
PACKAGES_UNPACKED = ["cyrus-common", "cyrus-imapd", "sasl2-bin"]
PACKAGES = ["libsasl2-2", "libsasl2-modules", "libsasl2-modules-db", "libdb5.3", "libwrap0", "libcom-err2", "libical3",
             "libicu72", "libjansson4", "libkrb5-3", "libldap-2.5-0", "libpcre3", "libpq5", "libsqlite3-0",
             "libxapian30", "libxml2", "libclamav12", "libzephyr4", "zlib1g"]
USER = "bench-cyrus"
ADMIN = "bench-admin"
PATIENCE_S = 20

IMAPD_CONF = """
cyrus_user: {user}
cyrus_group: {user}
configdirectory: {root}/config
proc_path: {root}/run/proc
mboxname_lockpath: {root}/run/lock
defaultpartition: default
partition-default: {root}/mail
sievedir: {root}/sieve
lmtpsocket: {root}/run/lmtp
idlesocket: {root}/run/idle
notifysocket: {root}/run/notify
lmtp_downcase_rcpt: yes
allowanonymouslogin: no
autocreate_quota: 0
umask: 077
hashimapspool: true
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auto_transition: no
tls_session_timeout: 1440
# the names of the benchmark: user1@example.test is user1
virtdomains: userid
defaultdomain: {domain}
servername: localhost
admins: {admin}
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {root}/config/sasldb2
sasl_mech_list: PLAIN LOGIN
tls_server_cert: {root}/config/cert.pem
tls_server_key: {root}/config/key.pem
# Debian has no here: folders of a user would be INBOX.Name; the benchmark calls them Name with every server
altnamespace: yes
unixhierarchysep: yes
"""

CYRUS_CONF = """
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {root}/imapd.conf -r"
  idled cmd="{bin}/idled -C {root}/imapd.conf"
}}
SERVICES {{
  # as Debian has it, but for ports, and room for the connections of the run
  imap cmd="{bin}/imapd -C {root}/imapd.conf -U 30" listen="127.0.0.1:{imap}" prefork=0 maxchild=3000
  imaps cmd="{bin}/imapd -C {root}/imapd.conf -s -U 30" listen="127.0.0.1:{imaps}" prefork=0 maxchild=3000
  lmtp cmd="{bin}/lmtpd -C {root}/imapd.conf -a" listen="127.0.0.1:{lmtp}" prefork=0 maxchild=20
}}
EVENTS {{
  checkpoint cmd="{bin}/ctl_cyrusdb -C {root}/imapd.conf -c" period=30
}}
"""


class Cyrus:
    name = "cyrus"

    def __init__(self, root, accounts, password, port_base):
        self.root, self.accounts, self.password = root, accounts, password
        self.imap, self.imaps, self.lmtp = port_base + 143, port_base + 993, port_base + 24
        self.bin = f"{root}/unpacked/usr/lib/cyrus/bin"
        self.process = None

    def create(self):
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in ("unpacked", "config/socket", "run", "mail", "sieve"):
            os.makedirs(f"{self.root}/{folder}")
        os.chmod(self.root, 0o755)
        self._unpack()
        machine.system_user(USER)
        self._configure()
        self.start()
        self._add_accounts()
        return self

    def _unpack(self):
        packages = f"{self.root}/packages"
        os.makedirs(packages)
        os.chmod(packages, 0o777)  # apt-get downloads as a user of its own
        subprocess.run(["apt-get", "-qq", "download", *PACKAGES_UNPACKED], cwd=packages, check=True,
                       stdout=subprocess.DEVNULL)
        for deb in glob.glob(f"{packages}/*.deb"):
            machine.run("dpkg-deb", "-x", deb, f"{self.root}/unpacked")

    def _environment(self):
        libraries = glob.glob(f"{self.root}/unpacked/usr/lib/*-linux-gnu")
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}

    def _configure(self):
        machine.make_certificate(f"{self.root}/config")
        values = dict(root=self.root, bin=self.bin, user=USER, admin=ADMIN, domain=machine.DOMAIN, imap=self.imap,
                      imaps=self.imaps, lmtp=self.lmtp)
        for name, text in (("imapd.conf", IMAPD_CONF), ("cyrus.conf", CYRUS_CONF)):
            with open(f"{self.root}/{name}", "w") as f:
                f.write(text.format(**values))
        for user in [ADMIN] + [f"user{i}" for i in range(1, self.accounts + 1)]:
            self._set_password(user)
        uid, gid = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
        for at, folders, files in os.walk(self.root):
            if "/unpacked" not in at:
                for name in ["", *files]:
                    os.chown(os.path.join(at, name), uid, gid)

    def _set_password(self, user):
        """The realm is the server's name: Cyrus takes the default domain off before it asks."""
        subprocess.run([f"{self.root}/unpacked/usr/sbin/saslpasswd2", "-f", f"{self.root}/config/sasldb2", "-p", "-c",
                        "-u", "localhost", user], input=self.password, text=True, check=True, stderr=subprocess.DEVNULL)

    def _add_accounts(self):
        with imaplib.IMAP4("127.0.0.1", self.imap) as admin:
            admin.login(ADMIN, self.password)
            for i in range(1, self.accounts + 1):
                answer = admin.create(f"user/user{i}")
                if answer[0] != "OK":
                    raise RuntimeError(f"cyrus: CREATE user{i}: {answer}")

    def start(self):
        with open(f"{self.root}/log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{self.bin}/master", "-C", f"{self.root}/imapd.conf", "-M", f"{self.root}/cyrus.conf", "-p",
                 f"{self.root}/run/master.pid"],
                env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        machine.wait_port(self.imap)
        machine.wait_port(self.imaps)
        return self

    def stop(self):
        if self.process is None:
            return
        family = machine.tree(self.process.pid)
        self.process.send_signal(signal.SIGQUIT)  # lets its children finish
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        time.sleep(0.5)
        machine.kill(family)
        self.process = None

    def pids(self):
        return machine.tree(self.process.pid)

    def mail_folder(self):
        return f"{self.root}/mail"

    def fill(self, user, messages, size, make):
        """Delivers messages over LMTP."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as lmtp:
            for i in range(messages):
                lmtp.sendmail("load@load.example", [f"{user}@{machine.DOMAIN}"], make(i, size))
