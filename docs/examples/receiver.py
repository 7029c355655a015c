#!/usr/bin/env python3
"""A receiver that misses nothing: it verifies each webhook, keeps each event once, and fetches what it lacks.

Needs Python 3.9 and nothing else. Takes its settings from the environment:

    CHECKFLOW       where CheckFlow answers, such as https://checks.example.com
    KEY             an API key of the team
    SUBSCRIPTION    the subscription's id
    SECRET          the subscription's secret, whsec_...
    STATE           the file to keep events in (receiver.db)
    PORT            where to listen (8090; 0 for a free one)
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE = 5 * 60  # seconds that a timestamp may be off
KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))

lock = threading.Lock()  # of the database
news = threading.Event()  # something was received
db = sqlite3.connect(os.environ.get("STATE", "receiver.db"), check_same_thread=False)
db.execute("CREATE TABLE IF NOT EXISTS event (sequence INTEGER PRIMARY KEY, id TEXT, body TEXT)")
db.execute("CREATE TABLE IF NOT EXISTS passed (sequence INTEGER PRIMARY KEY)")  # up to there the feed was read


def verified(headers, body):
    """Whether CheckFlow has sent this, not long ago (Standard Webhooks 1.0.0)."""
    ident, at = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(time.time() - int(at)) > TOLERANCE:
        return False
    made = hmac.new(KEY, f"{ident}.{at}.".encode() + body, hashlib.sha256).digest()
    wanted = base64.b64encode(made).decode()
    given = [entry.partition(",") for entry in headers["webhook-signature"].split(" ")]
    return any(kind == "v1" and hmac.compare_digest(text, wanted) for kind, _, text in given)


def keep(headers, body):
    """Keeps an event, once, and answers whether it is new. What you do with an event belongs into this commit."""
    row = (int(headers["checkflow-sequence"]), headers["webhook-id"], body.decode())
    with lock, db:
        return db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?)", row).rowcount == 1


def gap():
    """The sequence up to which nothing is missing, and the newest that is here."""
    with lock:
        complete = db.execute("SELECT coalesce(max(sequence), 0) FROM passed").fetchone()[0]
        after = "SELECT sequence FROM event WHERE sequence > ? ORDER BY sequence"
        sequences = [row[0] for row in db.execute(after, [complete])]
    newest = sequences[-1] if sequences else complete
    for sequence in sequences:
        if sequence != complete + 1:
            break
        complete = sequence
    return complete, newest


def fill():
    """Fetches from the feed what is missing before the newest event that is here."""
    after, newest = gap()
    while after < newest:
        query = f"subscriptionId={os.environ['SUBSCRIPTION']}&afterSequence={after}"
        request = urllib.request.Request(
            f"{os.environ['CHECKFLOW']}/api/web-hook/events?{query}", headers={"X-API-KEY": os.environ["KEY"]}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            feed = json.load(answer)
        for item in feed["items"]:
            body = item["body"].encode()
            if verified(item["headers"], body) and keep(item["headers"], body):
                print(f"filled {item['sequence']}", flush=True)
        after = feed["nextAfterSequence"]
        with lock, db:  # what was not in it up to there is not kept any more
            db.execute("INSERT OR IGNORE INTO passed VALUES (?)", [after])


def fill_for_ever():
    """Beside the answers, so that no delivery waits for it."""
    while True:
        news.clear()
        try:
            fill()
        except OSError as error:
            print(f"not filled yet: {error}", flush=True)
        news.wait()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if not verified(self.headers, body):
            return self.answer(401)
        if keep(self.headers, body):
            print(f"received {self.headers['checkflow-sequence']}", flush=True)
            news.set()
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8090"))), Receiver)
    threading.Thread(target=fill_for_ever, daemon=True).start()
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
