"""Mail servers of other people, from Debian, that know nothing of Gatepost: Postfix, Exim and OpenSMTPD, each on a host of
its own (network.py), each taking the mail of one domain and able to send to any other.

    postfix = Postfix(network, "pf", domain="postfix.test")
    postfix.mail("bob")                     the messages in bob's mailbox, as bytes, oldest first
    postfix.send(sender, recipients, data)  as a program on its own host does

Configuration is the package's default except where a line is needed for a host without init, syslog and PAM.
"""

import smtplib
import socket
import time

DAEMON_SECONDS = 20


class Mta:
    packages = ()
    users = ()

    def __init__(self, network, name, domain, certificate="own", host=None):
        """`certificate`: for its name, from the network's authority; or another (authority.Certificate); or None: no TLS."""
        self.domain, self.name = domain, f"mx.{domain}"
        if certificate == "own":
            certificate = network.authority.certificate(self.name)
        self.certificate = certificate
        self.host = host or network.host(name, self.packages)
        for user in (*self.users, "bob", "carol"):
            self.host.add_user(user)
        self.host.write("/etc/mailname", f"{self.domain}\n")
        if certificate:
            self.host.write("/etc/mail-cert.pem", certificate.certificate)
            self.host.write("/etc/mail-key.pem", certificate.key, 0o600)
        self.host.run(["mkdir", "-p", "/var/mailboxes"])
        self.host.run(["chmod", "1777", "/var/mailboxes"])
        self.configure()
        self.start()
        self._wait_until_it_listens()

    def configure(self):
        raise NotImplementedError

    def start(self):
        raise NotImplementedError

    def _wait_until_it_listens(self):
        until = time.monotonic() + DAEMON_SECONDS
        while True:
            try:
                with self.host.inside():
                    s = socket.create_connection((self.host.ipv4, 25), 5)
                with s:
                    s.settimeout(10)
                    if s.recv(3) == b"220":
                        return
            except OSError:
                pass
            if time.monotonic() > until:
                raise RuntimeError(f"{self.name} does not start: {self.log()[-3000:]}")
            time.sleep(0.1)

    def log(self):
        return self.host.run(["sh", "-c", "cat /var/log/mail.log /var/log/exim-*.log 2>/dev/null; true"])

    def send(self, sender, recipients, data):
        with self.host.inside():
            client = smtplib.SMTP("127.0.0.1", 25, local_hostname="localhost", timeout=60)
        with client:
            client.sendmail(sender, recipients, data, mail_options=["SMTPUTF8"] if not (sender + data).isascii() else [])

    def mail(self, user):
        """Messages of an mbox without its separating lines."""
        text = self.host.run(["sh", "-c", f"cat /var/mailboxes/{user} 2>/dev/null; true"])
        return [m.split("\n", 1)[1].rstrip("\n") + "\n" for m in ("\n" + text).split("\nFrom ")[1:]]


class Postfix(Mta):
    packages = ("postfix",)
    users = ("postfix",)

    def configure(self):
        self.host.add_group("postdrop")
        self.host.write("/etc/postfix/main.cf", f"""compatibility_level = 3.6
myhostname = {self.name}
myorigin = {self.domain}
mydestination = {self.domain}
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = all
local_recipient_maps = static:all
mail_spool_directory = /var/mailboxes
mailbox_command =
alias_maps =
alias_database =
maillog_file = /var/log/mail.log
smtputf8_enable = yes
smtp_tls_security_level = may
smtp_tls_CAfile = /etc/ca.pem
smtp_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_dns_support_level = enabled
maximal_backoff_time = 10s
minimal_backoff_time = 5s
queue_run_delay = 5s
""" + ("""smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/mail-cert.pem
smtpd_tls_key_file = /etc/mail-key.pem
""" if self.certificate else ""))
        self.host.run(["sh", "-c", "cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf && "
                       # nothing of the machine outside is needed in a chroot
                       "sed -i -E 's/^(\\S+ +\\S+ +\\S+ +\\S+ +)y/\\1n/' /etc/postfix/master.cf"])
        self.host.run(["sh", "-c", "mkdir -p /var/spool/postfix /var/lib/postfix && chown postfix /var/lib/postfix && "
                       "postfix set-permissions >/dev/null 2>&1; true"])

    def start(self):
        self.host.start(["postfix", "start-fg"])


class Exim(Mta):
    packages = ("exim4-base", "exim4-daemon-light")
    users = ("Debian-exim",)

    def configure(self):
        tls = """tls_advertise_hosts = *
tls_certificate = /etc/mail-cert.pem
tls_privatekey = /etc/mail-key.pem
""" if self.certificate else "tls_advertise_hosts =\n"
        self.host.write("/etc/exim4/exim4.conf", f"""primary_hostname = {self.name}
qualify_domain = {self.domain}
domainlist local_domains = {self.domain}
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
log_file_path = /var/log/exim-%s.log
smtputf8_advertise_hosts = *
prdr_enable = true
chunking_advertise_hosts = *
host_lookup =
rfc1413_hosts =
never_users =
trusted_users = root
daemon_smtp_ports = 25
keep_environment =
{tls}
begin acl
acl_rcpt:
  accept hosts = : 127.0.0.1
  accept domains = +local_domains
  deny message = relay not permitted
acl_data:
  accept
begin routers
remote:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more
local:
  driver = accept
  local_parts = bob : carol
  transport = mailbox
begin transports
remote_smtp:
  driver = smtp
  tls_verify_certificates = /etc/ca.pem
  tls_try_verify_hosts =
mailbox:
  driver = appendfile
  file = /var/mailboxes/$local_part_data
  user = Debian-exim
  mode = 0644
  delivery_date_add
  envelope_to_add
  return_path_add
begin retry
* * F,1h,5s
begin rewrite
begin authenticators
""")
        self.host.run(["sh", "-c", "mkdir -p /var/spool/exim4 /var/log/exim4 && chmod 1777 /var/log && "
                       "chown -R Debian-exim:Debian-exim /var/spool/exim4 /etc/exim4 && "
                       "chown root /etc/exim4/exim4.conf && (chmod 600 /etc/mail-key.pem; chown Debian-exim /etc/mail-key.pem; true)"])

    def start(self):
        self.host.start(["exim4", "-bdf", "-q5s"])


class OpenSmtpd(Mta):
    packages = ("opensmtpd",)
    users = ("opensmtpd", "opensmtpq")

    def configure(self):
        pki = f"""pki {self.name} cert "/etc/mail-cert.pem"
pki {self.name} key "/etc/mail-key.pem"
""" if self.certificate else ""
        listen = f"tls pki {self.name} " if self.certificate else ""
        self.host.write("/etc/smtpd.conf", f"""{pki}
smtp max-message-size "50M"
listen on eth0 port 25 {listen}hostname {self.name}
listen on lo port 25 hostname {self.name}
action "local" mbox
action "out" relay helo {self.name}
match from any for domain "{self.domain}" action "local"
match from local for any action "out"
""")
        # It writes mailboxes to /var/mail as the user.
        self.host.run(["sh", "-c", "mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd /var/mail && chmod 711 /var/spool/smtpd && "
                       "install -d -m 700 -o opensmtpq /var/spool/smtpd/purge && "
                       "rm -rf /var/mailboxes && ln -s /var/mail /var/mailboxes && chmod 1777 /var/mail"])

    def start(self):
        self.host.start(["sh", "-c", "exec smtpd -d -f /etc/smtpd.conf >/var/log/mail.log 2>&1"])
