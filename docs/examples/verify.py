#!/usr/bin/env python3
"""Verifies webhooks: by a secret that both sides have, or by the public keys of the team that sends them.

Needs Python 3.9 and what is in requirements.txt (pip install -r requirements.txt). Reads webhooks from standard input, a JSON
object a line, {"headers": {...}, "body": "..."}, and says of each whether it is genuine. Takes from the environment one of:

    SECRET    the subscription's secret, whsec_...
    JWKS      where the public keys are, such as https://checks.example.com/.well-known/checkflow/1/jwks.json
"""

import base64
import json
import os
import sys
import time
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

TOLERANCE = 5 * 60  # seconds that a timestamp may be off
KEPT = 5 * 60  # seconds that keys are kept: one that was revoked is trusted no longer than that
FETCH_AGAIN = 1  # seconds, at least, between two looks for a key that is not known


def verify_secret(secret, headers, body):
    """HMAC (v1): the library does it all."""
    Webhook(secret).verify(body, headers)


class PublicKeys:
    """Ed25519 (v1a): the library knows only v1, so the keys are fetched and tried here."""

    def __init__(self, url):
        self.url, self.keys, self.fetched = url, {}, float("-inf")

    def key(self, kid):
        """The key with this id. One that is not known is new, or nobody's, and one that is known may have been revoked: both
        are told by fetching the set anew."""
        age = time.monotonic() - self.fetched
        if age >= KEPT or (kid not in self.keys and age >= FETCH_AGAIN):
            with urllib.request.urlopen(self.url, timeout=10) as answer:
                found = json.load(answer)["keys"]
            decoded = {key["kid"]: base64.urlsafe_b64decode(key["x"] + "=") for key in found if key["crv"] == "Ed25519"}
            self.keys = {kid: Ed25519PublicKey.from_public_bytes(x) for kid, x in decoded.items()}
            self.fetched = time.monotonic()
        return self.keys.get(kid)

    def verify(self, headers, body):
        ident, at = headers["webhook-id"], headers["webhook-timestamp"]
        if abs(time.time() - int(at)) > TOLERANCE:
            raise WebhookVerificationError("the timestamp is too far off")
        signed = f"{ident}.{at}.{body}".encode()
        entries = [entry.partition(",") for entry in headers["webhook-signature"].split(" ")]
        given = [base64.b64decode(text) for kind, _, text in entries if kind == "v1a"]
        # One key for each entry v1a, in their order.
        for kid, signature in zip(headers.get("checkflow-key", "").split(" "), given):
            key = self.key(kid)
            try:
                if key is not None:
                    return key.verify(signature, signed)
            except InvalidSignature:
                pass
        raise WebhookVerificationError("no signature by a key of this team")


def main():
    if "SECRET" in os.environ:
        verify = lambda headers, body: verify_secret(os.environ["SECRET"], headers, body)
    else:
        verify = PublicKeys(os.environ["JWKS"]).verify
    for line in sys.stdin:
        webhook = json.loads(line)
        ident = webhook["headers"]["webhook-id"]
        try:
            verify(webhook["headers"], webhook["body"])
            print(f"verified {ident}", flush=True)
        except WebhookVerificationError as error:
            print(f"refused {ident}: {error}", flush=True)


if __name__ == "__main__":
    main()
