"""Gatepost on a host of the little internet, on the well-known ports, under the addresses of that host.

    house = House(network, "house", settings={("outbound", "…"): "…"})
    with house.inside():
        house.imap_client(select="INBOX")       whatever speaks with it does so from its own host
"""

import time

import instance

HOSTNAME = "mail.example.test"


class House(instance.Instance):
    def __init__(self, network, name="house", settings=None):
        instance.make_users()  # before the host takes its view of /etc
        self.host = network.host(name)
        trust = {("outbound", "ca_file"): "/etc/ca.pem"}
        super().__init__(start=False, settings={("listen", "address"): "::", **trust, **(settings or {})}, port_base=0)
        self.certificate = network.authority.certificate(HOSTNAME, "mta-sts.example.test")
        (self.data / "tls/cert.pem").write_text(self.certificate.certificate)
        (self.data / "tls/key.pem").write_text(self.certificate.key)

    def _as_user(self, command):
        return self.host.command(command)

    def inside(self):
        return self.host.inside()

    def wait_ready(self, *seconds):
        with self.inside():
            super().wait_ready(*seconds)

    def mail(self, address=None):
        """What is in the INBOX of an account: the messages, oldest first."""
        with self.inside():
            c = self.imap_client(address, select="INBOX")
            with c:
                numbers = c.ok("SEARCH ALL").one(rb"SEARCH(.*)").group(1).split()
                return [c.fetch_message(int(n)) for n in numbers]

    def wait_for_mail(self, count, address=None, seconds=30):
        until = time.monotonic() + seconds
        while len(found := self.mail(address)) < count:
            if time.monotonic() > until:
                raise AssertionError(f"{len(found)} messages, not {count}, after {seconds} s:\n{self.log_tail()}")
            time.sleep(0.3)
        return found
