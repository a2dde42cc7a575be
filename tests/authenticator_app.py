"""An authenticator app: another implementation of RFC 6238 than the one that checks its codes."""

from __future__ import annotations

import base64
import time

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP


class App:
    """secret: as the page shows it, in groups of four."""

    def __init__(self, secret: str) -> None:
        key = base64.b32decode(secret.replace(" ", ""))
        # SHA-1 and 160 bits are what apps take when nothing else is said.
        self._totp = TOTP(key, 6, SHA1(), 30, enforce_key_length=False)  # noqa: S303

    def code(self, later_s: float = 0.0) -> str:
        """What it shows now, or so much later: a clock may be half a minute wrong."""
        return self._totp.generate(int(time.time() + later_s)).decode()
