"""A security key in software: what browsers get of one, for the challenges of WebAuthn."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
    CollectedClientData,
)

FLAGS = AuthenticatorData.FLAG


class Key:
    """origin: of the page that asks, as its browser says it."""

    def __init__(self, origin: str = "https://testserver") -> None:
        self._origin = origin
        self._private = generate_private_key(SECP256R1())
        self._id = os.urandom(32)
        self._touched = 0

    def create(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to navigator.credentials.create."""
        public = ES256.from_cryptography_key(self._private.public_key())
        credential = AttestedCredentialData.create(Aaguid.NONE, self._id, public)
        seen = self._seen(options["rp"]["id"], FLAGS.AT, credential)
        client = CollectedClientData.create("webauthn.create", options["challenge"], self._origin)
        return self._answer(client, attestationObject=AttestationObject.create("none", seen, {}))

    def get(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to navigator.credentials.get."""
        seen = self._seen(options["rpId"], FLAGS(0))
        client = CollectedClientData.create("webauthn.get", options["challenge"], self._origin)
        signature = self._private.sign(seen + client.hash, ECDSA(SHA256()))
        return self._answer(client, authenticatorData=seen, signature=signature)

    def _seen(self, name: str, flags: Any, credential: Any = None) -> AuthenticatorData:
        self._touched += 1
        data = (sha256(name.encode()).digest(), FLAGS.UP | FLAGS.UV | flags, self._touched)
        return AuthenticatorData.create(*data, credential if credential is not None else b"")

    def _answer(self, client: bytes, **parts: bytes) -> dict[str, Any]:
        said = {name: _text(part) for name, part in {"clientDataJSON": client, **parts}.items()}
        return {
            "id": _text(self._id),
            "rawId": _text(self._id),
            "type": "public-key",
            "response": said,
            "clientExtensionResults": {},
        }


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
