"""What a certificate's texts say, and whether they go together. Nothing is asked of the network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from console.actions import Invalid

LONGEST = 256 * 1024
LEAST_RSA_BITS = 2048
#: What the engine takes of elliptic curves.
CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True)
class Facts:
    """names: those it is for (of a CA: its own). valid_*: of the certificate that ends first."""

    names: list[str]
    fingerprint: str
    valid_from: datetime
    valid_until: datetime


def read(chain: str, key: str, ca: str) -> Facts:
    """What a certificate says of itself. Raises Invalid where the texts can't be used."""
    if bool(chain.strip()) != bool(key.strip()):
        raise Invalid("key", "missing", "a chain and its private key come together")
    if not chain.strip() and not ca.strip():
        raise Invalid("chain", "missing", "give a chain with its key, or a CA, or both")
    certificates = _load("chain", chain)
    authorities = _load("ca", ca)
    for authority in authorities:
        if not _is_authority(authority):
            raise Invalid("ca", "no-authority", f"{_subject(authority)} may not sign other certificates")
    if certificates:
        _check_chain(certificates)
        _check_key(certificates[0], key)
    every = certificates + authorities
    first = every[0]
    return Facts(
        names=_names(first) if certificates else [_subject(each) for each in authorities],
        fingerprint=first.fingerprint(hashes.SHA256()).hex(),
        valid_from=max(each.not_valid_before_utc for each in every),
        valid_until=min(each.not_valid_after_utc for each in every),
    )


def warnings(facts: Facts) -> list[str]:
    """What is no reason to refuse it, and should be known."""
    now = datetime.now(UTC)
    found = []
    if facts.valid_until <= now:
        found.append(f"It ended on {facts.valid_until:%Y-%m-%d}: clients refuse it.")
    if facts.valid_from > now:
        found.append(f"It begins on {facts.valid_from:%Y-%m-%d}: until then clients refuse it.")
    if not facts.names:
        found.append("It is for no name: no client takes it for the service's.")
    return found


def _load(field: str, text: str) -> list[x509.Certificate]:
    if not text.strip():
        return []
    if len(text) > LONGEST:
        raise Invalid(field, "too-long", f"at most {LONGEST} characters")
    if "PRIVATE KEY" in text:
        raise Invalid(field, "private-key", "holds a private key, which does not belong here")
    try:
        found = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise Invalid(field, "invalid", "is no certificate in PEM (-----BEGIN CERTIFICATE-----)") from None
    for each in found:
        _subject(each)
    return found


def _check_chain(chain: list[x509.Certificate]) -> None:
    for place, (each, issuer) in enumerate(pairwise(chain)):
        try:
            each.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            reason = f"certificate {place + 2} did not sign the one before it; the server's own comes first"
            raise Invalid("chain", "order", reason) from None


def _check_key(leaf: x509.Certificate, text: str) -> None:
    if len(text) > LONGEST:
        raise Invalid("key", "too-long", f"at most {LONGEST} characters")
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise Invalid("key", "encrypted", "is encrypted; give it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("key", "invalid", "is no private key in PEM (-----BEGIN PRIVATE KEY-----)") from None
    match key:
        case rsa.RSAPrivateKey() if key.key_size < LEAST_RSA_BITS:
            raise Invalid("key", "weak", f"RSA of {key.key_size} bits; at least {LEAST_RSA_BITS}")
        case ec.EllipticCurvePrivateKey() if key.curve.name not in CURVES:
            raise Invalid("key", "curve", f"the curve {key.curve.name}; one of {', '.join(CURVES)}")
        case rsa.RSAPrivateKey() | ec.EllipticCurvePrivateKey():
            pass
        case _:
            raise Invalid("key", "kind", "is neither RSA nor of an elliptic curve that engines take")
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise Invalid("key", "mismatch", "is not the key of the chain's first certificate")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(each) for kind in (x509.DNSName, x509.IPAddress) for each in found.get_values_for_type(kind)]


def _subject(certificate: x509.Certificate) -> str:
    try:
        return certificate.subject.rfc4514_string() or "a certificate without a name"
    except ValueError:
        raise Invalid("chain", "invalid", "has a subject that can't be read") from None
