"""Where a control plane listens for nodes, and who is let in.

The Unix socket lies in a folder that only its owner enters: whoever reaches it is this installation. From a network
comes only who holds a node's token, over TLS; a door there without a certificate is not opened.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio

#: The name of the node that a token belongs to, None for nobody's.
Admit = Callable[[str], Awaitable[str | None]]
BEARER = "Bearer "


class DoorRefused(OSError):
    """The door can't be opened as it is asked for."""


@dataclass(frozen=True, slots=True)
class Door:
    """address: "unix:PATH" or "ADDR:PORT". certificate, key: PEM files, for a network.

    clients: PEM file of the authority that must have signed a node's own certificate; None asks for none.
    """

    address: str
    certificate: Path | None = None
    key: Path | None = None
    clients: Path | None = None

    def open(self, server: grpc.aio.Server) -> None:
        """Add it to a server. Raises DoorRefused."""
        try:
            if self.address.startswith("unix:"):
                server.add_insecure_port(self.address)
                return
            if self.certificate is None or self.key is None:
                raise DoorRefused(f"{self.address} is on a network: nodes are served there over TLS only")
            authority = self.clients.read_bytes() if self.clients else None
            pair = (self.key.read_bytes(), self.certificate.read_bytes())
            server.add_secure_port(
                self.address,
                grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None),
            )
        except RuntimeError as error:
            raise DoorRefused(f"cannot serve xDS at {self.address}: {error}") from error


async def check_in(context: grpc.aio.ServicerContext, node_id: str, admit: Admit | None) -> None:
    """Ends the call unless node_id is who calls: anybody on the Unix socket, else the holder of its token."""
    if not node_id:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first request names no node.id")
    if context.peer().startswith("unix:"):
        return
    said = dict(context.invocation_metadata() or ()).get("authorization", "")
    token = said.removeprefix(BEARER) if isinstance(said, str) and said.startswith(BEARER) else ""
    name = await admit(token) if admit is not None and token else None
    if name is None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "a node's token is needed")
    if name != node_id:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"the token is {name}'s, not {node_id}'s")


@dataclass(frozen=True, slots=True)
class Upstream:
    """How a node reaches its control plane. authority: PEM file that vouches for the server; key,
    certificate: its own.
    """

    address: str
    token: str = ""
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Raises DoorRefused where no node could be let in, before anything is started."""
        if not self.address.startswith("unix:") and not self.token:
            raise DoorRefused(f"{self.address} is on a network: a node needs its token there")

    def channel(self, options: Sequence[tuple[str, int]]) -> grpc.aio.Channel:
        """A new channel: in the clear to the Unix socket only. Raises DoorRefused."""
        self.check()
        if self.address.startswith("unix:"):
            return grpc.aio.insecure_channel(self.address, options=options)
        mine = self.key is not None and self.certificate is not None
        credentials = grpc.ssl_channel_credentials(
            self.authority.read_bytes() if self.authority else None,
            self.key.read_bytes() if mine and self.key else None,
            self.certificate.read_bytes() if mine and self.certificate else None,
        )
        return grpc.aio.secure_channel(self.address, credentials, options=options)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What each call carries."""
        return (("authorization", BEARER + self.token),) if self.token else ()
