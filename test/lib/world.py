"""The rest of the world for mail that goes out: a small SMTP server of our own, without TLS."""

import re
import socket
import threading


class World:
    """What it says to RCPT is in `says` by address; what it took stands in `taken`: (sender, recipients, message)."""

    def __init__(self):
        self.says, self.taken, self.tried = {}, [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.is_open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.is_open = False
        self.listener.close()

    def _accept(self):
        while self.is_open:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rwb") as f:
                self._talk(f)
        except OSError:
            pass

    def _take_data(self, f, sender, recipients):
        data = b""
        while not data.endswith(b"\r\n.\r\n"):
            piece = f.readline()
            if not piece:
                return False
            data += piece
        self.taken.append((sender, tuple(recipients), data[:-3].replace(b"\r\n..", b"\r\n.")))
        return True

    def _talk(self, f):
        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()

        sender, recipients = "", []
        say("220 world.example ESMTP")
        while line := f.readline().decode():
            verb = line.strip().upper()
            if verb.startswith("EHLO"):
                say("250-world.example")
                say("250 8BITMIME")
            elif verb.startswith("MAIL"):
                sender, recipients = re.search(r"<(.*?)>", line).group(1), []
                say("250 2.1.0 ok")
            elif verb.startswith("RCPT"):
                address = re.search(r"<(.*?)>", line).group(1)
                self.tried.append(address)
                answer = self.says.get(address, "250 2.1.5 ok")
                if answer.startswith("2"):
                    recipients.append(address)
                say(answer)
            elif verb == "DATA":
                say("354 go on")
                if not self._take_data(f, sender, recipients):
                    return
                say("250 2.0.0 taken")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok")

    def address(self, name):
        return f"{name}@[127.0.0.1]"

    def of(self, name):
        return [t for t in self.taken if self.address(name) in t[1]]
