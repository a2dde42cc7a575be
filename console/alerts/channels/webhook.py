"""A webhook: the notice as JSON, signed.

Steelyard-Signature: t=UNIX_SECONDS,v1=HEX, where HEX is HMAC-SHA256(secret, "UNIX_SECONDS." + body): a receiver that
checks both knows who sent it, and refuses an old one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from console.alerts.channels.http import check, post

__all__ = ["check", "send", "signature"]

HEADER = "Steelyard-Signature"


def send(address: str, secret: str, notice: dict[str, Any]) -> None:
    """Raises NotSent."""
    body = json.dumps(notice, separators=(",", ":")).encode()
    headers = {HEADER: signature(secret, int(time.time()), body)} if secret else {}
    post(address, body, headers)


def signature(secret: str, at_s: int, body: bytes) -> str:
    """The header's value."""
    mac = hmac.new(secret.encode(), b"%d." % at_s + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={mac}"
