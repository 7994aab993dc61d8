"""Where in a message a word stands, by Python's email package: why one server finds it and the other does not."""

import email
import email.header
import email.policy
import html
import re
import unicodedata


def folded(text):
    return unicodedata.normalize("NFKD", text).casefold()


def decoded(part):
    raw = part.get_payload(decode=True) or b""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return raw.decode("latin-1")


def header(part):
    """Each field raw and decoded."""
    out = []
    for name, value in part.raw_items():
        value = str(value)
        try:
            out.append(f"{name}: {value}\n{email.header.make_header(email.header.decode_header(value))}")
        except (LookupError, ValueError, UnicodeError):
            out.append(f"{name}: {value}")
    return "\n".join(out)


def places(data):
    """{place: text}"""
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    found = {"part header": "", "embedded header": "", "markup": "", "shown html": "", "attachment": "", "text": "", "framing": data.decode("latin-1")}
    for n, part in enumerate(message.walk()):
        if n > 0:
            found["part header"] += header(part) + "\n"
        if part.get_content_type() == "message/rfc822" and isinstance(part.get_payload(), list):
            for inner in part.get_payload():
                found["embedded header"] += header(inner) + "\n"
        if part.is_multipart():
            continue
        text = decoded(part)
        if part.get_content_type() == "text/html":
            found["markup"] += text
            found["shown html"] += html.unescape(re.sub(r"<[^>]*>", " ", text))
        elif part.get_content_maintype() == "text":
            found["text"] += text
        else:
            found["attachment"] += text
    return found


def reason(data, key, who):
    """Of a BODY or TEXT key that only `who` finds: in which place alone, in words; "" when it is none of the known."""
    word = "".join(p.decode() if isinstance(p, bytes) else p for p in key).split(" ", 1)[1].strip('"')
    try:
        found = {place for place, text in places(data).items() if folded(word) in folded(text)}
    except Exception:  # Python's parser fails on some
        return ""
    common = found & {"text", "shown html"}
    if who == "theirs":
        if "markup" in found and not common:
            return " in markup alone"
        if found & {"part header", "embedded header"} and not common:
            return " in a part's header alone"
        return " outside all parts" if found == {"framing"} else ""
    if "embedded header" in found or "part header" in found and not common:
        return " in an embedded header"
    return " in an attachment" if "attachment" in found else " outside all parts" if found == {"framing"} else ""
