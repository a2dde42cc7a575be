"""Secrets at rest: what must be said to an engine again, and so can't be hashed, is sealed in the database.

AES-256-GCM under a key that is not in the database: a copy of the database alone opens nothing. The place where a
secret is kept goes into the seal, so that one row's secret can't be put into another's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12


class Unsealable(Exception):
    """Sealed under another key, for another place, or damaged."""


def seal(secret: str, place: str) -> str:
    """The secret as text that only unseal() with the same place opens."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(_key()).encrypt(nonce, secret.encode(), place.encode())
    return f"1.{_key_id()}.{base64.b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, place: str) -> str:
    """The secret. Raises Unsealable."""
    try:
        version, key_id, text = sealed.split(".")
        parts = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Unsealable(f"what is kept for {place} is no sealed secret") from None
    if version != "1" or key_id != _key_id():
        raise Unsealable(f"{place} was sealed under another key (STEELYARD_SEALING_KEY)")
    try:
        return AESGCM(_key()).decrypt(parts[:NONCE_BYTES], parts[NONCE_BYTES:], place.encode()).decode()
    except InvalidTag:
        raise Unsealable(f"what is kept for {place} was damaged, or moved there") from None


def _key() -> bytes:
    return hashlib.blake2b(
        settings.STEELYARD_SEALING_KEY.encode(), digest_size=32, person=b"steelyard seal"
    ).digest()


def _key_id() -> str:
    """Which key it was, without saying the key."""
    return hashlib.blake2b(_key(), digest_size=4, person=b"steelyard id").hexdigest()
