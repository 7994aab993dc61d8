#!/usr/bin/python3
"""A mail server that behaves as it is told, badly: for the little internet's evil hosts.

  adversary.py HOW [--certificate FILE --key FILE] [--name NAME] [--log FILE] [--port N] [--user NAME --password TEXT]

It listens on port 25, or N, on IPv4 and IPv6; with a user it is a relay, which takes mail after AUTH PLAIN inside TLS alone.

HOW: good      takes everything; STARTTLS where it has a certificate
     stripped  as good, but never offers STARTTLS (somebody in the middle took it out)
     greylist  450 to each sender and recipient at first, and takes them from two seconds after
     full      452 to every recipient        refuse    550 to every recipient
     garbage   lines that are no SMTP        endless   a reply that never ends
     drop-connect, drop-ehlo, drop-mail, drop-rcpt, drop-data, drop-dot: closes the connection there
     tarpit    answers a byte a second
     silent    accepts the connection and says nothing

Each STARTTLS is a line in the file that is called as the log, and ".tls". Each message taken is written to the log as one line of JSON: sender, recipients, whether it came inside TLS, and its data.
"""

import argparse
import base64
import json
import socket
import ssl
import threading
import time


class Closed(Exception):
    pass


class Dialogue:
    seen = {}

    def __init__(self, options, connection):
        self.o, self.c = options, connection
        self.pending, self.tls = b"", False
        self.sender, self.recipients = None, []
        self.user = None

    def line(self):
        while b"\n" not in self.pending:
            got = self.c.recv(65536)
            if not got:
                raise Closed
            self.pending += got
        line, self.pending = self.pending.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def say(self, text):
        data = text.encode() + b"\r\n"
        if self.o.how == "tarpit":
            for i in range(len(data)):
                self.c.sendall(data[i : i + 1])
                time.sleep(1)
        else:
            self.c.sendall(data)

    def drop_at(self, stage):
        if self.o.how == f"drop-{stage}":
            raise Closed

    def hello(self):
        offered = ["PIPELINING", "8BITMIME", "SIZE 50000000", "DSN", "ENHANCEDSTATUSCODES", "SMTPUTF8"]
        if self.o.certificate and not self.tls and self.o.how != "stripped":
            offered.append("STARTTLS")
        if self.o.user and self.tls:
            offered.append("AUTH PLAIN")
        for word in [self.o.name, *offered[:-1]]:
            self.say(f"250-{word}")
        self.say(f"250 {offered[-1]}")

    def start_tls(self):
        with open(self.o.log + ".tls", "a") as log:
            log.write("STARTTLS\n")
        self.say("220 go ahead")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.o.certificate, self.o.key)
        self.c = context.wrap_socket(self.c, server_side=True)
        self.tls, self.pending = True, b""

    def sign_in(self, rest):
        mechanism, _, secret = rest.partition(" ")
        _, user, password = (base64.b64decode(secret).split(b"\0") + [b""] * 3)[:3]
        if not self.tls or mechanism != "PLAIN" or (user.decode(), password.decode()) != (self.o.user, self.o.password):
            return self.say("535 5.7.8 no")
        self.user = self.o.user
        return self.say("235 2.7.0 welcome")

    def recipient(self, word):
        if self.o.how == "full":
            return self.say("452 4.2.2 mailbox full")
        if self.o.how == "refuse":
            return self.say("550 5.1.1 nobody of that name here")
        if self.o.how == "greylist":
            first = Dialogue.seen.setdefault((self.sender, word), time.monotonic())
            if time.monotonic() - first < 2:
                return self.say("450 4.2.0 greylisted, come back later")
        self.recipients.append(word)
        return self.say("250 2.1.5 fine")

    def data(self):
        self.say("354 go on")
        lines = []
        while (line := self.line()) != ".":
            lines.append(line[1:] if line.startswith(".") else line)
        self.drop_at("dot")
        with open(self.o.log, "a") as log:
            log.write(json.dumps({"sender": self.sender, "recipients": self.recipients, "tls": self.tls, "user": self.user, "data": "\r\n".join(lines) + "\r\n"}) + "\n")
        self.say("250 2.0.0 taken")
        self.recipients = []

    def command(self, line):
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        self.drop_at({"EHLO": "ehlo", "MAIL": "mail", "RCPT": "rcpt", "DATA": "data"}.get(verb, ""))
        if verb in ("EHLO", "HELO"):
            self.hello()
        elif verb == "STARTTLS":
            self.start_tls()
        elif verb == "AUTH":
            self.sign_in(rest)
        elif verb == "MAIL" and self.o.user and not self.user:
            self.say("530 5.7.0 sign in first")
        elif verb == "MAIL":
            self.sender, self.recipients = rest[5:].split(">")[0].lstrip("<"), []
            self.say("250 2.1.0 fine")
        elif verb == "RCPT":
            self.recipient(rest[3:].split(">")[0].lstrip("<"))
        elif verb == "DATA":
            self.data() if self.recipients else self.say("503 5.5.1 nobody to send to")
        elif verb == "QUIT":
            self.say("221 bye")
            raise Closed
        else:
            self.say("250 fine")

    def run(self):
        self.drop_at("connect")
        if self.o.how == "silent":
            time.sleep(3600)
        if self.o.how == "endless":
            while True:
                self.say("220-" + "x" * 500)
        if self.o.how == "garbage":
            self.say("\0\1\2 hello? HTTP/1.1 200 OK")
        self.say(f"220 {self.o.name} ready")
        while True:
            self.command(self.line())


def serve(options, connection):
    connection.settimeout(300)
    try:
        Dialogue(options, connection).run()
    except (Closed, OSError, ValueError):
        pass
    finally:
        connection.close()


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("how")
    parse.add_argument("--certificate")
    parse.add_argument("--key")
    parse.add_argument("--name", default="mx.evil.test")
    parse.add_argument("--log", default="/dev/null")
    parse.add_argument("--port", type=int, default=25)
    parse.add_argument("--user")
    parse.add_argument("--password")
    options = parse.parse_args()
    listener = socket.create_server(("::", options.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(options, connection), daemon=True).start()


if __name__ == "__main__":
    main()
