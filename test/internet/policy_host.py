#!/usr/bin/python3
"""policy_host.py CERTIFICATE POLICY REPORTS: the web server of a domain with MTA-STS (RFC 8461 §3.3); what is posted to
/report goes to the file REPORTS, a line of JSON each (RFC 8460 §5.4)."""

import gzip
import http.server
import json
import ssl
import sys

certificate, policy, reports = sys.argv[1:4]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, body=b""):
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path != "/.well-known/mta-sts.txt":
            return self.answer(404)
        with open(policy, "rb") as f:
            return self.answer(200, f.read())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(reports, "a") as f:
            f.write(json.dumps({"type": self.headers["Content-Type"], "report": json.loads(gzip.decompress(body))}) + "\n")
        return self.answer(201)


server = http.server.ThreadingHTTPServer(("", 443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
