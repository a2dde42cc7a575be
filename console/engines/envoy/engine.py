"""Envoy as an engine: the ADS server on one side, the admin socket on the other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from console.engines.envoy import stats
from console.engines.envoy.ads import AdsServer, NodeState
from console.engines.target import TrafficTarget


class EnvoyEngine:
    """Steers every Envoy that connects to xds_socket, and observes the one at admin_socket.

    baseline: the target that an earlier leader applied, for the guard to compare the first one with.
    """

    def __init__(
        self, xds_socket: Path, admin_socket: Path, *, baseline: TrafficTarget | None = None
    ) -> None:
        self.ads = AdsServer(f"unix:{xds_socket}", baseline=baseline)
        self._admin_socket = admin_socket

    async def start(self) -> None:
        """Listen for Envoys; OSError if the socket cannot be had."""
        await self.ads.start()

    def apply(self, target: TrafficTarget, *, force: bool = False) -> None:
        """Publish target; raises GuardRefused or StaleTarget, see AdsServer.publish."""
        self.ads.publish(target, force=force)

    async def observe(self) -> Mapping[str, Mapping[str, stats.EndpointStats]]:
        """Service -> "address:port" -> figures; raises AdminUnreachable."""
        return await stats.read(str(self._admin_socket))

    @property
    def state(self) -> Mapping[str, NodeState]:
        """Node id -> what that Envoy took or refused."""
        return self.ads.nodes

    async def stop(self) -> None:
        """End the streams; Envoy goes on with what it has."""
        await self.ads.stop()
