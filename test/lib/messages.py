"""Real-looking messages, always the same for the same number: sizes, MIME structures, charsets and headers vary as in a
mailbox of some years. Lines end with CRLF; none is longer than SMTP allows."""

import base64
import quopri
import random
from email.header import Header

PEOPLE = [
    ("Ada Lovelace", "ada@analytical.example"), ("Grace Hopper", "grace@navy.example"),
    ("Søren Kierkegaard", "soren@copenhagen.example"), ("Łukasz Żółć", "lukasz@gdansk.example"),
    ("山田太郎", "taro@tokyo.example"), ("Ольга Ладыженская", "olga@spb.example"), ("O'Brien, Flann", "flann@dublin.example"),
    ('Jo "Ace" Doe', "jo@doe.example"), ("", "noreply@lists.example"), ("François Viète", "viete@poitou.example"),
]
WORDS = {
    "utf-8": "the quick brown fox jumps über den faulen Hund ελληνικά עברית 日本語 emoji 📬 naïve café résumé budget meeting".split(),
    "us-ascii": "please find attached the minutes of our last meeting and the agenda for next Tuesday regards invoice".split(),
    "iso-8859-1": "fête déjà vu élève où être à côté garçon naïve œuvre".replace("œ", "oe").split(),
    "windows-1252": "“quoted” – dash … ellipsis € price naïve café".split(),
    "koi8-r": "привет как дела сегодня хорошая погода письмо ответ".split(),
    "iso-2022-jp": "こんにちは 会議 資料 添付 確認 お願いします".split(),
    "shift_jis": "東京 大阪 京都 請求書 見積".split(),
    "gb18030": "你好 会议 文件 附件 请查收".split(),
    "big5": "您好 會議 文件 附件".split(),
    "iso-8859-15": "prix 100€ Œuvre".split(),
}
SUBJECTS = ["Minutes", "Re: budget", "Fwd: invoice 2041", "Zażółć gęślą jaźń", "会議の資料", "Отчёт за квартал", "", "A" * 200]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _text(rng, charset, n_words):
    words = [rng.choice(WORDS[charset]) for _ in range(n_words)]
    lines, line = [], ""
    for w in words:
        if len(line) + len(w) > 70:
            lines.append(line)
            line = ""
        line += (" " if line else "") + w
    lines.append(line)
    if rng.random() < 0.3:
        lines.insert(len(lines) // 2, "")
        lines.insert(len(lines) // 2, ".leading dot")
        lines.insert(len(lines) // 2, "From the start of a line")
    return "\r\n".join(lines) + "\r\n"


def _crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _encode(text, charset, encoding):
    raw = text.encode(charset, "replace")
    if encoding == "base64":
        return _crlf(base64.encodebytes(raw))
    if encoding == "quoted-printable":
        return _crlf(quopri.encodestring(raw.replace(b"\r\n", b"\n")))
    return raw


def _text_part(rng, n_words, subtype="plain"):
    charset = rng.choice(list(WORDS))
    encoding = rng.choice(["7bit"] if charset in ("us-ascii", "iso-2022-jp") else ["8bit", "base64", "quoted-printable"])
    text = _text(rng, charset, n_words)
    if subtype == "html":
        text = f"<html><body>\r\n<p>{text}</p>\r\n</body></html>\r\n"
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n'
    return head.encode(), _encode(text, charset, encoding)


def _attachment(rng, size):
    data = rng.randbytes(size)
    name = rng.choice(["report.pdf", "photo 1.jpg", "tableau été.xlsx"])
    if name.isascii():
        disposition = f'Content-Disposition: attachment; filename="{name}"\r\n'
    else:
        disposition = "Content-Disposition: attachment;\r\n\tfilename*=utf-8''tableau%20%C3%A9t%C3%A9.xlsx\r\n"
    head = f"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n{disposition}"
    return head.encode(), _crlf(base64.encodebytes(data))


def _multipart(rng, subtype, parts):
    boundary = "=_" + "".join(rng.choice("0123456789abcdef") for _ in range(24))
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n'.encode()
    body = b"This is a message with several parts.\r\n" if rng.random() < 0.5 else b""
    for part_head, part_body in parts:
        body += b"--" + boundary.encode() + b"\r\n" + part_head + b"\r\n" + part_body
        if not body.endswith(b"\r\n"):
            body += b"\r\n"
    return head, body + b"--" + boundary.encode() + b"--\r\n"


def _body(rng, number, depth=0):
    kind, n_words = rng.random(), int(rng.paretovariate(0.9) * 20) % 4000 + 3
    if kind < 0.45 or depth > 2:
        return _text_part(rng, n_words)
    if kind < 0.70:
        return _multipart(rng, "alternative", [_text_part(rng, n_words), _text_part(rng, n_words, "html")])
    if kind < 0.92:
        size = rng.choice([200, 3000, 20000, 70000]) if number % 50 else 600000
        return _multipart(rng, "mixed", [_body(rng, number + 1, depth + 1), _attachment(rng, size)])
    return _multipart(
        rng, "mixed", [_text_part(rng, 10), (b"Content-Type: message/rfc822\r\n", message(number + 7, 1, depth + 1))]
    )


def _address(rng):
    name, address = rng.choice(PEOPLE)
    if not name:
        return address
    if not name.isascii():
        return f"{Header(name, 'utf-8').encode()} <{address}>"
    return f'"{name}" <{address}>'.replace('"Jo "Ace" Doe"', '"Jo \\"Ace\\" Doe"')


def _date(rng):
    return "%s, %d %s 20%02d %02d:%02d:%02d %s" % (
        rng.choice(DAYS), rng.randint(1, 28), rng.choice(MONTHS), rng.randint(10, 26), rng.randint(0, 23),
        rng.randint(0, 59), rng.randint(0, 59), rng.choice(["+0000", "+0200", "-0700", "+0545"]),
    )


def message(number, seed=0, depth=0):
    """Message `number` of a series: bytes with CRLF line ends, always ending with one."""
    rng = random.Random(f"gatepost {seed} {number} {depth}")
    subject = rng.choice(SUBJECTS)
    if not subject.isascii():
        subject = Header(subject, "utf-8").encode().replace("\n", "\r\n")
    lines = [
        f"Date: {_date(rng)}", f"From: {_address(rng)}",
        "To: " + ",\r\n\t".join(_address(rng) for _ in range(rng.choice([1, 1, 1, 2, 12]))),
        f"Message-ID: <{number}.{seed}.{depth}.{rng.getrandbits(64):x}@generator.example>", f"Subject: {subject}",
    ]
    if rng.random() < 0.3:
        lines.append(f"Cc: {_address(rng)}")
    if rng.random() < 0.4:
        lines.append(f"In-Reply-To: <{number - 1}.{seed}@generator.example>")
        lines.append("References:" + "".join(f"\r\n <{number - k}.{seed}@generator.example>" for k in range(1, rng.randint(2, 9))))
    if rng.random() < 0.2:
        lines += ["List-Id: Friends of post <friends.lists.example>", "Precedence: list"]
    if rng.random() < 0.1:
        lines.append("X-Long: " + "x" * rng.choice([70, 500, 980]))
    lines.append("MIME-Version: 1.0")
    rng.shuffle(lines)
    head, body = _body(rng, number, depth)
    return "\r\n".join(lines).encode() + b"\r\n" + head + b"\r\n" + body


def short(subject="hello", body="Hello.\r\n", sender="sender@client.example", to="alice@example.test"):
    """A message of one line."""
    return (
        f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
        f"Message-ID: <{subject}@client.example>\r\n\r\n{body}"
    ).encode()
