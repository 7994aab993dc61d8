"""explained.txt beside a test: cases that do not pass, each with its reason; one a line, NAME | reason, # for remarks."""


def read_explained(folder):
    """{name: reason}"""
    found = {}
    for line in (folder / "explained.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, reason = [part.strip() for part in line.split("|", 1)]
            found[name] = reason
    return found
