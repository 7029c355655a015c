#!/usr/bin/env python3
"""A receiver that proves that it wants webhooks, by either handshake, to those it expects and to nobody else.

Needs Python 3.9 and nothing else. Takes its settings from the environment:

    ORIGIN          the host of CheckFlow's public URL, such as checks.example.com
    PATH_SECRET     what only those know who may subscribe here: the target is /hook/PATH_SECRET
    RATE            requests a minute that are taken (600; * for any number)
    PORT            where to listen (8090; 0 for a free one)
"""

import hmac
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ORIGIN, RATE = os.environ["ORIGIN"], os.environ.get("RATE", "600")
PATH = "/hook/" + os.environ["PATH_SECRET"]


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def is_known(self):
        return hmac.compare_digest(self.path.encode(), PATH.encode())

    def do_OPTIONS(self):
        """`options`, the handshake of CloudEvents: says who may send here, and how often."""
        if not self.is_known() or self.headers.get("WebHook-Request-Origin", "").lower() != ORIGIN:
            return self.answer(403)
        self.answer(200, [("Allow", "POST"), ("WebHook-Allowed-Origin", ORIGIN), ("WebHook-Allowed-Rate", RATE)])

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.is_known():
            return self.answer(404)
        secret = self.headers.get("X-Hook-Secret")
        if secret is not None and "webhook-id" not in self.headers:
            # `echo`, the handshake of REST Hooks. It is no webhook: there is nothing in it, and no signature.
            return self.answer(200, [("X-Hook-Secret", secret)])
        # A webhook: verify and keep it as receiver.py does.
        print("received", self.headers["checkflow-event"], len(body) > 0, flush=True)
        self.answer(204)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8090"))), Hook)
print("listening on", server.server_port, flush=True)
server.serve_forever()
