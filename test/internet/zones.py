"""The DNS of the little internet: a signed root, signed top-level domains, and domains of whatever kind a test wants, all on one
authoritative server (nsd from Debian), with a trust anchor and root hints of its own.

    zones = Zones(folder, address="127.53.0.1")
    zones.add_domain("dane.test", mx=[(10, "mx")], addresses={"mx": ["192.0.2.1"]}, tlsa={"_25._tcp.mx": ["3 1 1 0b9f…"]})
    zones.add_domain("plain.test", mx=[(10, "mx")], addresses={"mx": ["192.0.2.2"]}, signed=False)
    zones.start()                           or zones.start(host): on a host of network.py
    zones.trust_anchor, zones.root_hints    files for outbound.trust_anchor and outbound.root_hints
    zones.add_domain(…); zones.reload()     later

Names within a domain are written without it ("mx"; "" is the domain itself), names elsewhere with a dot at the end. Keys are made once
for each zone, so that the trust anchor stays. A plain resolver may ask the server directly too: it answers for all zones.
"""

import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

START_SECONDS = 10
TTL = 300
NEGATIVE_TTL = 1  # so that a domain that is added is there for those who were told a moment ago that it is not
ALGORITHM = "ECDSAP256SHA256"
EXPIRED = ["-i", "20200101", "-e", "20200201"]
BROKEN = {None, "expired", "wrong-ds", "stripped"}


class Missing(Exception):
    """A program is not installed; the words say which."""


def program(name):
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def strings(text):
    """The strings of a TXT record: one, or several given as a list; each at most 255 bytes."""
    parts = [text] if isinstance(text, str) else text
    return " ".join('"' + p.replace("\\", "\\\\").replace('"', '\\"').replace(";", "\\;") + '"' for p in parts)


class Zone:
    def __init__(self, name, signed=True, broken=None, server=None):
        assert broken in BROKEN and (signed or not broken)
        self.name, self.signed, self.broken, self.server = name, signed, broken, server
        self.records = []
        self.children = []
        self.key = None

    @property
    def origin(self):
        return f"{self.name}." if self.name else "."

    def below(self, label):
        """`label` within the zone, as a full name."""
        if label.endswith("."):
            return label
        return ".".join(filter(None, [label, self.name])) + "."

    @property
    def name_server(self):
        return self.below("ns")


class Zones:
    def __init__(self, folder, address, address6=None, also_at=()):
        """`also_at`: "address@port" each, where the server answers too."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.address, self.address6, self.also_at = address, address6, also_at
        self.trust_anchor, self.root_hints = self.folder / "root.key", self.folder / "root.hints"
        self.zones = {"": Zone("")}
        self.serial = 0
        self.process = self.host = None
        for tool in ("nsd", "ldns-keygen", "ldns-signzone"):
            program(tool)
        self.root_hints.write_text(self._hints())
        self._make_key(self.zones[""])
        self.trust_anchor.write_text(self._ds(self.zones[""]))

    # --- what is in it --------------------------------------------------------------------------------------------

    def add_domain(self, name, mx=(), addresses=None, txt=None, tlsa=None, cname=None, records=(), signed=True, broken=None, server=None):
        """
        A domain of its own, in place of one of that name. `mx`: (preference, host) each, ("." as host: takes no mail);
        `addresses`, `txt`, `tlsa`: {name: [value, …]}, a TXT value is a string or a list of strings; `cname`: {name: target};
        `records`: lines of a zone file. `broken`: "expired" signatures, "wrong-ds" in its parent, or "stripped" of its
        signatures while the parent says it has some. `server`: it is delegated to that address, where nobody has to be.
        """
        zone = Zone(name, signed, broken, server)
        add = zone.records.append
        for preference, host in mx:
            add(f"{zone.origin} MX {preference} {host if host.endswith('.') else zone.below(host)}")
        for label, values in (addresses or {}).items():
            for value in values:
                add(f"{zone.below(label)} {'AAAA' if ':' in value else 'A'} {value}")
        for label, values in (txt or {}).items():
            for value in values:
                add(f"{zone.below(label)} TXT {strings(value)}")
        for label, values in (tlsa or {}).items():
            for value in values:
                add(f"{zone.below(label)} TLSA {value}")
        for label, target in (cname or {}).items():
            add(f"{zone.below(label)} CNAME {zone.below(target)}")
        zone.records.extend(records)
        old = self.zones.get(name)
        if old is not None:
            zone.key, zone.children = old.key, old.children
        self.zones[name] = zone
        parent = self._parent_of(name)
        if zone.origin not in [c.origin for c in parent.children]:
            parent.children.append(zone)
        parent.children = [self.zones[c.name] for c in parent.children]
        return zone

    def remove_domain(self, name):
        zone = self.zones.pop(name)
        for other in self.zones.values():
            other.children = [c for c in other.children if c is not zone]

    def _parent_of(self, name):
        """The closest zone above; the top-level domain is made when there is none."""
        labels = name.split(".")
        for n in range(1, len(labels)):
            above = ".".join(labels[n:])
            if above in self.zones:
                return self.zones[above]
        if len(labels) == 1:
            return self.zones[""]
        self.add_domain(labels[-1])
        return self.zones[labels[-1]]

    # --- files ----------------------------------------------------------------------------------------------------

    def _hints(self):
        lines = [f". 3600000 NS {self.zones[''].name_server}", f"{self.zones[''].name_server} 3600000 A {self.address}"]
        if self.address6:
            lines.append(f"{self.zones[''].name_server} 3600000 AAAA {self.address6}")
        return "\n".join(lines) + "\n"

    def _run(self, command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def _make_key(self, zone):
        if zone.signed and zone.key is None:
            zone.key = self._run([program("ldns-keygen"), "-a", ALGORITHM, "-k", zone.origin])

    def _ds(self, zone):
        text = (self.folder / f"{zone.key}.ds").read_text()
        if zone.broken != "wrong-ds":
            return text
        head, digest = text.split()[:-1], text.split()[-1]
        return " ".join([*head, digest[::-1]]) + "\n"

    def _delegation(self, child):
        lines = [f"{child.origin} NS {child.name_server}", f"{child.name_server} A {child.server or self.address}"]
        if self.address6 and not child.server:
            lines.append(f"{child.name_server} AAAA {self.address6}")
        if child.signed:
            self._make_key(child)
            lines.append(self._ds(child).strip())
        return lines

    def _write_zone(self, zone):
        lines = [f"$TTL {TTL}", f"$ORIGIN {zone.origin}",
                 f"{zone.origin} SOA {zone.name_server} {zone.below('hostmaster')} {self.serial} 3600 600 86400 {NEGATIVE_TTL}",
                 f"{zone.origin} NS {zone.name_server}", f"{zone.name_server} A {self.address}"]
        if self.address6:
            lines.append(f"{zone.name_server} AAAA {self.address6}")
        for child in zone.children:
            lines += self._delegation(child)
        path = self.folder / f"zone-{zone.name or 'root'}"
        path.write_text("\n".join(lines + zone.records) + "\n")
        if zone.signed and zone.broken != "stripped":
            self._make_key(zone)
            signed = path.with_suffix(path.suffix + ".signed")
            self._run([program("ldns-signzone"), *(EXPIRED if zone.broken == "expired" else []), "-o", zone.origin, "-f", str(signed),
                       str(path), zone.key])
            path = signed
        return path

    def write(self):
        self.serial += 1
        served = [z for z in self.zones.values() if z.server is None]
        addresses = [a for a in (self.address, self.address6, *self.also_at) if a]
        lines = ["server:", *(f"  ip-address: {a}" for a in addresses), f'  zonesdir: "{self.folder}"', '  database: ""',
                 f'  pidfile: "{self.folder}/nsd.pid"', f'  xfrdfile: "{self.folder}/xfrd.state"', '  zonelistfile: ""', '  username: ""',
                 "  server-count: 1", "  rrl-ratelimit: 0", "  tcp-count: 200", "  round-robin: no", "remote-control:",
                 "  control-enable: no"]
        for zone in served:
            lines += ["zone:", f'  name: "{zone.origin}"', f'  zonefile: "{self._write_zone(zone)}"']
        (self.folder / "nsd.conf").write_text("\n".join(lines) + "\n")

    # --- the server -----------------------------------------------------------------------------------------------

    def start(self, host=None):
        """Here, or on a host of network.py."""
        self.host = host
        self.write()
        command = [program("nsd"), "-d", "-c", str(self.folder / "nsd.conf")]
        log = open(self.folder / "nsd.log", "ab")
        with log:
            self.process = subprocess.Popen(host.command(command) if host else command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"nsd does not start: {(self.folder / 'nsd.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def _ask(self):
        query = struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 6, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.sendto(query, (self.address, 53))
                answer = s.recv(4096)
                # of the serial number that is written now
                return answer[3] & 15 == 0 and struct.pack(">I", self.serial) in answer
            except OSError:
                return False

    def _answers(self):
        if self.host is None:
            return self._ask()
        with self.host.inside():
            return self._ask()

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None

    def reload(self):
        """After domains were added or changed. Who asked before may remember what was, for TTL seconds."""
        host = self.host
        self.stop()
        self.start(host)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
