"""What a node tells its control plane once a second, over the connection that configures it.

One call of our own beside the xDS stream, behind the same doors: a report goes up, an acknowledgement comes down.
Bounded: so many requests, each of so many characters; figures are checked where they come in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import grpc
import grpc.aio
import msgspec

from console.engines.envoy.access_logs import RequestSeen
from console.engines.envoy.doors import Admit, check_in
from console.engines.envoy.stats import ServiceStats

SERVICE: Final = "steelyard.Node"
METHOD: Final = "Report"
PATH: Final = f"/{SERVICE}/{METHOD}"


class NodeReport(msgspec.Struct, frozen=True):
    """A node now. uptime_s: of its Envoy, None while none runs; restarts: of the Envoy, since the relay's start.

    picker: who chooses endpoints; picker_reason: why that one. cache: "" or why the configuration kept on disk was
    not used. acked, refused: resources that Envoy took and NACKs that it sent, since the relay's start.
    requests: of the access log, those since the report before, at most MOST_REQUESTS.
    """

    node: str
    version: str = ""
    uptime_s: float | None = None
    ready: bool = False
    restarts: int = 0
    picker: str = ""
    picker_reason: str = ""
    cache: str = ""
    acked: int = 0
    refused: int = 0
    services: dict[str, ServiceStats] = {}
    requests: list[RequestSeen] = []


class Received(msgspec.Struct, frozen=True):
    """The control plane's answer. settled: the node has all that it shall have, and nothing else."""

    settled: bool = False


encode = msgspec.msgpack.Encoder().encode
decode_report = msgspec.msgpack.Decoder(NodeReport).decode
decode_received = msgspec.msgpack.Decoder(Received).decode


def accept(take: Callable[[NodeReport], Received], admit: Admit | None) -> Callable[[grpc.aio.Server], None]:
    """Puts the call behind a server's doors; take is called with each report of an admitted node."""

    async def report(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            said = decode_report(body)
        except msgspec.DecodeError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"not a report: {error}")
        await check_in(context, said.node, admit)
        return encode(take(said))

    def add(server: grpc.aio.Server) -> None:
        handler = grpc.unary_unary_rpc_method_handler(report)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))

    return add


def caller(channel: grpc.aio.Channel) -> Callable[..., Awaitable[bytes]]:
    """The call, on a node's channel: bytes in, bytes out."""
    call: Callable[..., Awaitable[bytes]] = channel.unary_unary(PATH)
    return call
