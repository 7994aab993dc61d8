"""The figures of bench/imap: kept by row and server, shown as a table with medians and a ratio, written as JSON."""
import json
import statistics
import sys


class Row:
    def __init__(self, name, unit, more_is_better):
        self.name, self.unit, self.more_is_better = name, unit, more_is_better
        self.values = {}  # by server: one of each round

    def median(self, server):
        return statistics.median(self.values[server]) if self.values.get(server) else None


class Figures:
    """`servers` are names; the first is ours."""

    def __init__(self, servers, json_file):
        self.servers, self.json_file = servers, json_file
        self.rows, self.warnings, self.found, self.failed = {}, [], {}, False

    def note(self, server, name, value, unit="ms", more_is_better=False):
        """`value` None: the server does not offer it."""
        row = self.rows.setdefault(name, Row(name, unit, more_is_better))
        row.values.setdefault(server, [])
        if value is not None:
            row.values[server].append(value)

    def compare(self, server, name, found):
        """Remembers what a server found for a row; a warning when another server found something else."""
        first, theirs = self.found.setdefault(name, (server, found))
        if theirs != found:
            self.warn(f"{name}: {first} found {theirs}, {server} found {found}")

    def warn(self, text):
        if text not in self.warnings:
            self.warnings.append(text)

    def ratio(self, row):
        own = row.median(self.servers[0])
        peers = [m for m in (row.median(s) for s in self.servers[1:]) if m]
        if not own or not peers:
            return None
        return own / max(peers) if row.more_is_better else min(peers) / own

    def show(self, names):
        width = max([len(n) for n in names] + [40])
        print(f"\n{'':<{width}} {'':<8}" + "".join(f"{s:>14}" for s in self.servers) + f"{'ratio':>9}")
        for row in (self.rows[n] for n in names):
            cells = ["-" if row.median(s) is None else f"{row.median(s):,.{2 if row.median(s) < 100 else 0}f}"
                     for s in self.servers]
            ratio = self.ratio(row)
            print(f"{row.name:<{width}} {row.unit:<8}" + "".join(f"{c:>14}" for c in cells) +
                  f"{'-' if ratio is None else f'{ratio:.2f}':>9}")
        sys.stdout.flush()
        self.write()

    def write(self):
        if not self.json_file:
            return
        rows = [{"row": r.name, "unit": r.unit, "more_is_better": r.more_is_better, "ratio": self.ratio(r),
                 "medians": {s: r.median(s) for s in self.servers}, "values": r.values} for r in self.rows.values()]
        with open(self.json_file, "w") as f:
            json.dump({"rows": rows, "found": {k: v[1] for k, v in self.found.items()}, "warnings": self.warnings}, f,
                      indent=1)

    def show_warnings(self):
        for text in self.warnings:
            print(f"warning: {text}")
        self.write()
