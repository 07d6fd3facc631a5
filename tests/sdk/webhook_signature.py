"""The Standard Webhooks library for Python judges a request: python webhook_signature.py < REQUEST

The request is JSON: `secrets`, `headers` and `body`, as a receiver has them.
"""

import json
import sys

from common import refusal, same
from standardwebhooks import Webhook, WebhookVerificationError

request = json.load(sys.stdin)
headers, body = request["headers"], request["body"]
verifiers = [Webhook(secret) for secret in request["secrets"]]
for verifier in verifiers:
    same(verifier.verify(body, headers), json.loads(body))

# What was not signed is refused: by each part of it.
verifier = verifiers[0]
for name, value in [
    ("webhook-id", headers["webhook-id"] + "0"),
    ("webhook-timestamp", str(int(headers["webhook-timestamp"]) + 1)),
    ("webhook-timestamp", str(int(headers["webhook-timestamp"]) - 3600)),
    ("webhook-signature", "v1,AAAA"),
]:
    refusal(WebhookVerificationError, lambda: verifier.verify(body, {**headers, name: value}))
refusal(WebhookVerificationError, lambda: verifier.verify(body + " ", headers))
refusal(WebhookVerificationError, lambda: Webhook("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").verify(body, headers))
assert "." not in headers["webhook-id"], headers["webhook-id"]
