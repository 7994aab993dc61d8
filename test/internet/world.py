"""The little internet as the tests want it: names (zones.py), our house, and neighbours of every kind, made when asked for.

    with World() as world:
        world.neighbour(mtas.Postfix, "postfix.test", dane=True)
        world.adversary("greylist.test", "greylist")
        world.start()                   the house; the name server runs from the beginning
"""

import json
from pathlib import Path

import network
import zones
from house import House

HERE = Path(__file__).resolve().parent


class Adversary:
    def __init__(self, world, domain, how, certificate, options=()):
        self.domain, self.name, self.certificate = domain, f"mx.{domain}", certificate
        self.host = world.network.host(domain.split(".")[0][:9])
        command = ["/usr/bin/python3", str(HERE / "adversary.py"), how, "--name", self.name, "--log", "/var/taken", *options]
        if certificate:
            self.host.write("/etc/mail-cert.pem", certificate.certificate)
            self.host.write("/etc/mail-key.pem", certificate.key)
            command += ["--certificate", "/etc/mail-cert.pem", "--key", "/etc/mail-key.pem"]
        self.host.start(command)

    def taken(self):
        """What it took: {sender, recipients, tls, data} each."""
        return [json.loads(line) for line in self.host.run(["sh", "-c", "cat /var/taken 2>/dev/null; true"]).splitlines()]

    def handshakes(self):
        """How often somebody said STARTTLS to it."""
        return len(self.host.run(["sh", "-c", "cat /var/taken.tls 2>/dev/null; true"]).splitlines())

    def reports(self):
        """What was posted to its policy host: {type, report} each."""
        return [json.loads(line) for line in self.host.run(["sh", "-c", "cat /var/reports 2>/dev/null; true"]).splitlines()]


class World:
    def __init__(self, settings=None, packages=None):
        self.network = network.Network(packages)
        try:
            self.names = self.network.host("names")
            self.zones = zones.Zones(self.network.folder / "zones", self.names.ipv4, self.names.ipv6)
            self.house = House(self.network, settings={
                ("outbound", "trust_anchor"): str(self.zones.trust_anchor), ("outbound", "root_hints"): str(self.zones.root_hints),
                **(settings or {})})
        except BaseException:
            self.close()
            raise
        self.zones.start(self.names)
        self._add("example.test", self.house.host, "mail")

    def _add(self, domain, host, label="mx", tlsa=None, signed=True, txt=None, more=None, records=()):
        self.zones.add_domain(domain, mx=[(10, label)], addresses={label: [host.ipv4, host.ipv6], **(more or {})},
                              tlsa={f"_25._tcp.{label}": tlsa} if tlsa else None, txt=txt, signed=signed, records=records)
        self.zones.reload()

    @staticmethod
    def _tlsa(neighbour, dane):
        """"good": of its certificate's key; "bad": of another's."""
        return {None: None, "good": [f"3 1 1 {neighbour.certificate.spki_sha256}"] if neighbour.certificate else None,
                "bad": ["3 1 1 " + "5a" * 32]}[dane]

    def neighbour(self, kind, domain, dane=None, certificate="own", signed=True):
        mta = kind(self.network, domain.split(".")[0][:9], domain, certificate)
        self._add(domain, mta.host, tlsa=self._tlsa(mta, dane), signed=signed)
        return mta

    def adversary(self, domain, how, dane=None, certificate="own", signed=True, sts=None, rua=None):
        """`sts`: the mode of an MTA-STS policy that is served for it; its policy host is the same machine, and takes its TLS
        reports, which otherwise go to `rua`."""
        if certificate == "own":
            certificate = self.network.authority.certificate(f"mx.{domain}", f"mta-sts.{domain}")
        evil = Adversary(self, domain, how, certificate)
        txt, more = {"_smtp._tls": [f"v=TLSRPTv1; rua={rua}"]} if rua else None, None
        if sts:
            policy = self.network.authority.certificate(f"mta-sts.{domain}")
            evil.host.write("/etc/policy.pem", policy.certificate + policy.key)
            evil.host.write("/var/policy.txt", f"version: STSv1\nmode: {sts}\nmx: mx.{domain}\nmax_age: 86400\n")
            evil.host.start(["/usr/bin/python3", str(HERE / "policy_host.py"), "/etc/policy.pem", "/var/policy.txt", "/var/reports"])
            txt = {"_mta-sts": ["v=STSv1; id=1;"], "_smtp._tls": [f"v=TLSRPTv1; rua={rua or f'https://mta-sts.{domain}/report'}"]}
            more = {"mta-sts": [evil.host.ipv4]}
        self._add(domain, evil.host, tlsa=self._tlsa(evil, dane), signed=signed, txt=txt, more=more)
        return evil

    def relay(self, domain, user, password, port=587, dane=None):
        """A server that takes mail for others from who signs in, as mx.DOMAIN; `dane`: TLSA records for that port."""
        relay = Adversary(self, domain, "good", self.network.authority.certificate(f"mx.{domain}"),
                          ["--port", str(port), "--user", user, "--password", password])
        tlsa = {f"_{port}._tcp.mx": self._tlsa(relay, dane)} if dane else None
        self.zones.add_domain(domain, addresses={"mx": [relay.host.ipv4, relay.host.ipv6]}, tlsa=tlsa)
        self.zones.reload()
        return relay

    # --- what harness.run_tests asks of a server ----------------------------------------------------------------------

    def running(self):
        return self.house.running()

    def start(self):
        self.house.start()

    def log_tail(self):
        return self.house.log_tail()

    def finish(self):
        return self.house.finish()

    def close(self):
        if hasattr(self, "house"):
            self.house.close()
        if hasattr(self, "zones"):
            self.zones.stop()
        self.network.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
