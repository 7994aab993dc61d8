"""The rule that every command and every announced extension of the protocols has transcripts.

What there is, is read out of the sources: the tables of commands and of capabilities. A command needs a transcript in
which it succeeds, one in which its arguments are wrong (BAD, -ERR, 5yz), and in IMAP one in which it is refused (NO).
An extension needs a transcript that uses it: EXTENSIONS says what that looks like. Exceptions have their reason here.
"""

import re
from collections import defaultdict

# (command, reply) that no transcript can have, and why.
IMAP_WITHOUT = {
    ("COMPRESS", "OK"): "everything behind it is compressed: test/system/test_compress.py",
    ("SETQUOTA", "OK"): "quotas are the administrator's",
    ("UID EXPUNGE", "NO"): "as EXPUNGE",
    **{(c, "NO"): "nothing can be refused" for c in (
        "CAPABILITY", "NOOP", "CHECK", "LOGOUT", "ID", "ENABLE", "IDLE", "NAMESPACE", "LIST", "LSUB", "CLOSE", "UNSELECT", "UNSUBSCRIBE",
        "UNAUTHENTICATE", "UID SEARCH", "UID STORE", "UID THREAD")},
}
POP3_OF_THE_GATE = {"STLS", "USER", "PASS", "AUTH"}
SMTP_WITHOUT = {
    ("EXPN", "succeeds"): "it never does (RFC 5321 §7.3)", ("EHLO", "succeeds"): "its reply begins with 250-", ("STARTTLS", "succeeds"): "src/tls",
    ("AUTH", "succeeds"): "needs a directory: test/system/test_submission.py", ("VRFY", "is refused"): "its reply says nothing (252)",
    **{(c, "is refused"): "nothing can be refused" for c in ("QUIT", "NOOP", "HELP", "RSET")},
}

# What a client says (or, behind "S:", hears) that uses it; or the other file that tries it, and what stands there: what
# comes before a sign-in, or takes long, is not in transcripts.
EXTENSIONS = {
    "imap": {
        "IMAP4rev1": r"^\S+ LSUB ", "IMAP4rev2": r"ENABLE .*IMAP4rev2", "LITERAL+": r"\{\{", "SASL-IR": ("src/gate/imap_dialogue_test.c", r"AUTHENTICATE PLAIN \S"), "ID": r"^\S+ ID ",
        "ENABLE": r"^\S+ ENABLE ", "IDLE": r"^\S+ IDLE$", "STARTTLS": ("src/gate/imap_dialogue_test.c", "STARTTLS"),
        "LOGINDISABLED": ("src/gate/imap_dialogue_test.c", "LOGIN"), "AUTH=PLAIN": ("src/gate/imap_dialogue_test.c", "AUTHENTICATE PLAIN"),
        "NAMESPACE": r"^\S+ NAMESPACE$", "UNSELECT": r"^\S+ UNSELECT$", "UIDPLUS": r"UID EXPUNGE", "MOVE": r" MOVE ",
        "CHILDREN": r"S:.*\\HasChildren", "LIST-EXTENDED": r"LIST \(", "LIST-STATUS": r"RETURN \(.*STATUS", "SPECIAL-USE": r"SPECIAL-USE",
        "CREATE-SPECIAL-USE": r"CREATE .*USE \(", "SAVEDATE": r"SAVEDATE|SAVEDBEFORE", "OBJECTID": r"EMAILID|THREADID", "PREVIEW": r"PREVIEW",
        "QUOTA": r"GETQUOTAROOT", "QUOTA=RES-STORAGE": r"S:.*STORAGE \d|S:.*STORAGE <", "QUOTA=RES-MESSAGE": r"S:.*MESSAGE ",
        "QUOTA=RES-MAILBOX": r"S:.*MAILBOX ", "QUOTA=RES-ANNOTATION-STORAGE": r"S:.*ANNOTATION-STORAGE", "COMPRESS=DEFLATE": r"COMPRESS DEFLATE",
        "NOTIFY": r"NOTIFY SET", "METADATA": r"SETMETADATA", "LIST-METADATA": r"RETURN \(.*METADATA", "FILTERS": r"FILTER ",
        "UTF8=ACCEPT": r"ENABLE .*UTF8=ACCEPT", "STATUS=SIZE": r"STATUS .*SIZE", "ESEARCH": r"SEARCH RETURN", "SEARCHRES": r"RETURN \(SAVE",
        "SEARCH=FUZZY": r"FUZZY", "WITHIN": r"YOUNGER|OLDER", "SORT": r" SORT \(", "SORT=DISPLAY": r"DISPLAYFROM", "ESORT": r"SORT RETURN",
        "MULTISEARCH": r"ESEARCH IN", "I18NLEVEL=1": ("src/session/imap/transcripts/43_i18n.txt", "SEARCH"), "PARTIAL": r"PARTIAL ", "THREAD=ORDEREDSUBJECT": r"THREAD ORDEREDSUBJECT",
        "THREAD=REFERENCES": r"THREAD REFERENCES", "BINARY": r"BINARY(\.PEEK)?\[", "MULTIAPPEND": r"APPEND .*\}\}.*\{\{", "CATENATE": r"CATENATE",
        "REPLACE": r"REPLACE \d", "CONDSTORE": r"CHANGEDSINCE|UNCHANGEDSINCE", "INPROGRESS": ("src/session/imap/effort_test.c", "INPROGRESS"), "QRESYNC": r"QRESYNC \(",
        "UIDONLY": r"ENABLE .*UIDONLY", "ACL": r"SETACL", "RIGHTS=texk": r"S:.*MYRIGHTS", "LIST-MYRIGHTS": r"RETURN \(.*MYRIGHTS",
        "UNAUTHENTICATE ": r"UNAUTHENTICATE", "MESSAGELIMIT=": r"S:.*MESSAGELIMIT", "APPENDLIMIT=": r"APPENDLIMIT",
    },
    "pop3": {
        "TOP": r"^TOP ", "UIDL": r"^UIDL", "STLS": ("src/gate/pop3_dialogue_test.c", "STLS"), "USER": ("src/gate/pop3_dialogue_test.c", "USER "),
        "SASL PLAIN LOGIN": ("src/gate/pop3_dialogue_test.c", "AUTH PLAIN"), "RESP-CODES": r"S:.*\[",
        "AUTH-RESP-CODE": ("src/gate/pop3_dialogue_test.c", r"\[AUTH\]"), "PIPELINING": ("test/system/test_pop3.py", "(?i)pipelin"), "EXPIRE NEVER": r"^QUIT", "IMPLEMENTATION Gatepost": r"^CAPA",
    },
    "smtp": {
        "REQUIRETLS": r"MAIL .* REQUIRETLS", "DELIVERBY": r"MAIL .* BY=", "AUTH": r"AUTH PLAIN", "PIPELINING": r"RCPT.*\\r\\n.*DATA|MAIL.*\\r\\nRCPT",
        "8BITMIME": r"BODY=8BITMIME", "SMTPUTF8": r"MAIL .* SMTPUTF8", "CHUNKING": r"BDAT ", "BINARYMIME": r"BODY=BINARYMIME",
        "DSN": r"NOTIFY=", "ENHANCEDSTATUSCODES": r"S:250 2\.1\.0", "FUTURERELEASE": r"HOLD(FOR|UNTIL)=", "SIZE": r" SIZE=\d",
        "LIMITS": r"S:452 4\.5\.3", "STARTTLS": r"STARTTLS", "HELP": r"HELP",
    },
}

def lines_of(tree, folder):
    """(file, 'C' or 'S', client, text) of each line of the folder's transcripts."""
    for path in sorted((tree.root / folder).glob("*.txt")):
        for line in path.read_text(errors="surrogateescape").splitlines():
            m = re.match(r"([CSW])(\d?)([:>~-]) ?(.*)", line)
            if m:
                yield path, "C" if m.group(1) == "C" else "S", m.group(2), m.group(4)


def imap_replies(tree, folder):
    """{command: the replies it got}; of UID commands as "UID NAME"."""
    got, waiting, file = defaultdict(set), {}, None
    for path, who, client, text in lines_of(tree, folder):
        if path != file:
            file, waiting = path, {}
        words = text.upper().split(" ")
        if len(words) < 2:
            continue
        if who == "C":
            waiting[client, words[0]] = " ".join(words[1:3]) if words[1] == "UID" else words[1]
        elif (client, words[0]) in waiting:
            got[waiting[client, words[0]]].add(words[1])
    return got


def plain_replies(tree, folder):
    """The same where a reply is the next line: the first character or word of it."""
    got, last = defaultdict(set), {}
    for _, who, client, text in lines_of(tree, folder):
        if who == "C":
            last[client] = text.upper().split(" ")[0].split("\\R")[0]
        elif client in last:
            got[last.pop(client)].add(text.split(" ")[0] if text[:1] in "+-" else text[:1])
    return got


def names(tree, path, pattern):
    file = tree.root / path
    return re.findall(pattern, file.read_text()) if file.exists() else []


def missing_imap(tree):
    commands = dict(names(tree, "src/imap/command.c", r'\[(IMAP_\w+)\] = \{STR_INIT\("([A-Z]+)"\)'))
    with_uid = set(names(tree, "src/imap/command.c", r'\[(IMAP_\w+)\] = \{STR_INIT\("[A-Z]+"\), true'))
    handled = names(tree, "src/session/imap/commands.c", r"\[(IMAP_\w+)\] = \{imap_cmd_")
    got = imap_replies(tree, "src/session/imap/transcripts")
    for command in handled:
        for name in [commands[command]] + (["UID " + commands[command]] if command in with_uid else []):
            for reply in ("OK", "NO", "BAD"):
                if reply not in got[name] and (name, reply) not in IMAP_WITHOUT:
                    yield f"src/session/imap/transcripts: {name} is answered by {reply} in none"


def missing_replies(tree, folder, commands, replies, without):
    got = plain_replies(tree, folder)
    for name in commands:
        for reply, what in replies:
            if not got[name] & set(reply) and (name, what) not in without:
                yield f"{folder}: {name} {what} in none"


def missing_extensions(tree, protocol, folder, announced):
    said = defaultdict(list)
    for _, who, _, text in lines_of(tree, folder):
        said[who].append(text)
    table = EXTENSIONS[protocol]
    for name in announced:
        if name not in table:
            yield f"{folder}: test/house/transcripts.py does not know what uses the extension {name.strip()}"
        elif isinstance(table[name], tuple):
            path, pattern = table[name]
            if not (tree.root / path).exists() or not re.search(pattern, (tree.root / path).read_text()):
                yield f"{path}: does not try the extension {name.strip()}"
        else:
            pattern, who = (table[name][2:], "S") if table[name].startswith("S:") else (table[name], "C")
            if not any(re.search(pattern, text, re.I) for text in said[who]):
                yield f"{folder}: no transcript uses the extension {name.strip()}"


def rule_transcripts(tree):
    imap, pop3, smtp = "src/session/imap/transcripts", "src/session/pop3/transcripts", "src/gate/smtp/transcripts"
    bad = list(missing_imap(tree))
    announced = names(tree, "src/imap/capability.c", r'STR_INIT\("([^"]+)"\)|STR\("([A-Z]+[= ])"\)|"([A-Z]+=)%u')
    bad += missing_extensions(tree, "imap", imap, [next(filter(None, a)) for a in announced])
    commands = [n for n in names(tree, "src/pop3/command.c", r'STR_INIT\("([A-Z]+)"\)') if n not in POP3_OF_THE_GATE]
    bad += missing_replies(tree, pop3, commands, ((["+OK"], "succeeds"), (["-ERR"], "is refused")), {})
    bad += missing_extensions(tree, "pop3", pop3, names(tree, "src/pop3/capability.c", r'STR_INIT\("([^"]+)"\)'))
    commands = names(tree, "src/smtp/command.c", r'STR_INIT\("([A-Z]+)"\)')
    bad += missing_replies(tree, smtp, commands, ((["2", "3"], "succeeds"), (["4", "5"], "is refused")), SMTP_WITHOUT)
    return bad + list(missing_extensions(tree, "smtp", smtp, names(tree, "src/smtp/hello.c", r'"250[- ]([A-Z0-9]+)')))
