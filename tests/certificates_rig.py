"""Certificates for tests: an authority, and what it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM texts."""

    chain: str
    key: str

    def into(self, folder: Path, name: str) -> tuple[str, str]:
        """As files, for a client's ssl context."""
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_text(self.chain)
        key.write_text(self.key)
        return str(chain), str(key)


class Authority:
    """Signs certificates; ca is its own, as PEM."""

    def __init__(self, name: str = "test authority") -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._builder(self._name, self._key, -1, 100).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.ca = _pem(own.sign(self._key, hashes.SHA256()))

    def issue(self, *names: str, days: int = 90) -> Pair:
        """A certificate for these DNS names or addresses, valid for so many days (negative: no longer)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        built = self._builder(subject, key, min(-1, days - 1), days).add_extension(
            alternatives, critical=False
        )
        plain = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        return Pair(_pem(built.sign(self._key, hashes.SHA256())), private.decode())

    def trusting(self, pair: tuple[str, str] | None = None, *, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """A client's context that trusts this authority, and shows the pair (files) if asked."""
        context = ssl.create_default_context(cadata=self.ca)
        if pair is not None:
            context.load_cert_chain(*pair)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, begins: int, ends: int
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * DAY)
            .not_valid_after(now + ends * DAY)
        )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.UniformResourceIdentifier(name) if "://" in name else x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
