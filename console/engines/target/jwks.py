"""Public keys of token providers (JSON Web Key Set, RFC 7517): refused here if a product could not read them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from console.engines.target.checks import InvalidTarget

LONGEST: Final = 64 * 1024
LEAST_RSA_BITS: Final = 2048
_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
#: RFC 7518's members of private and shared keys.
_PRIVATE: Final = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def check_jwks(field: str, text: str) -> None:
    """Raise InvalidTarget unless text is a set of public keys: RSA, P-256/384/521 or Ed25519."""
    try:
        keys = msgspec.json.decode(text, type=dict[str, list[dict[str, Any]]])["keys"]
    except (msgspec.DecodeError, KeyError, RecursionError):
        keys = []
    if not keys or len(text) > LONGEST:
        raise InvalidTarget(field, 'is no JSON Web Key Set: {"keys": [...]}')
    for number, key in enumerate(keys, start=1):
        if _PRIVATE & key.keys():
            raise InvalidTarget(field, f"key {number} is private or shared; only public ones belong here")
        try:
            _read(key)
        except (KeyError, TypeError, ValueError, binascii.Error):
            reason = f"key {number} is no public key that can be used (RSA of {LEAST_RSA_BITS} bits, P-256, Ed25519, …)"
            raise InvalidTarget(field, reason) from None


def _read(key: Mapping[str, Any]) -> None:
    """Make the key, to see whether it is one. Raises KeyError, TypeError, ValueError."""
    match key["kty"]:
        case "RSA":
            made = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
            if made.key_size < LEAST_RSA_BITS:
                raise ValueError(made.key_size)
        case "EC":
            curve = _CURVES[key["crv"]]
            ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve).public_key()
        case "OKP" if key["crv"] == "Ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(_bytes(key["x"]))
        case other:
            raise ValueError(other)


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _bytes(text: str) -> bytes:
    """base64url without padding."""
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
