"""Engines of the product on machines of their own: hosts of the rack that come in over TLS, with a token each."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.rack.rack import Host
from clients.rest import Steelyard
from console.supervisor.ports import free_port

ROOT: Final = Path(__file__).resolve().parent.parent.parent
CONNECTING_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class NetworkDoor:
    """Where engines on other machines reach the control plane, and the certificate that vouches for itself there."""

    address: str
    port: int
    certificate: Path
    key: Path

    @classmethod
    def at(cls, address: str, folder: Path) -> NetworkDoor:
        """A free port of the address, with a certificate of a day."""
        own = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "control")])
        now = dt.datetime.now(dt.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
            )
            .sign(own, hashes.SHA256())
        )
        certificate, key = folder / "control.pem", folder / "control.key"
        certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        key.touch(mode=0o600)
        key.write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cls(address, free_port(address), certificate, key)

    def settings(self) -> dict[str, str]:
        """The control plane's environment that opens it."""
        return {
            "STEELYARD_XDS_LISTEN": f"{self.address}:{self.port}",
            "STEELYARD_XDS_CERTIFICATE": str(self.certificate),
            "STEELYARD_XDS_KEY": str(self.key),
        }


async def add_nodes(hosts: Sequence[Host], door: NetworkDoor, client: Steelyard, folder: Path) -> None:
    """An engine on each of these hosts, named as its host; returns when all are connected. Raises TimeoutError."""
    for host in hosts:
        own = folder / host.name
        own.mkdir(mode=0o700)
        token = await asyncio.to_thread(client.post, "engines/tokens/", {"node": host.name})
        file = own / "token"
        file.touch(mode=0o600)
        file.write_text(token["token"])
        await host.start(
            [
                sys.executable, "-m", "console.engines.envoy", "--controller", f"{door.address}:{door.port}",
                "--data", str(own / "engine"), "--name", host.name,
                "--token-file", str(file), "--ca", str(door.certificate),
            ],
            log=own / "engine.log", cwd=ROOT, limited=False,
        )  # fmt: skip
    names = {host.name for host in hosts}
    async with asyncio.timeout(CONNECTING_S):
        while not names <= await asyncio.to_thread(_connected, client):
            await asyncio.sleep(0.2)


def _connected(client: Steelyard) -> set[str]:
    return {each["node"] for each in client.get("engines/")["results"] if each["connected"]}
