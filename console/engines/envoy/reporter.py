"""A relay's report, once a second: what its Envoy counts, which picker it uses, how it fares."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

from envoy.config.cluster.v3 import cluster_pb2

from console.engines.envoy import admin, stats
from console.engines.envoy.accepted import Accepted
from console.engines.envoy.access_logs import AccessLogs
from console.engines.envoy.follower import Follower
from console.engines.envoy.policy import PICKER
from console.engines.envoy.process import EnvoyProcess
from console.engines.envoy.readings import Readings
from console.engines.envoy.render import CLUSTER
from console.engines.envoy.reports import NodeReport

REPORT_S: Final = 1.0


class Beside(Protocol):
    """What is reported of the relay itself."""

    node: str
    envoy: EnvoyProcess
    refused_cache: str
    restarts: int
    acked: int
    refused: int

    def settled_above(self) -> None:
        """The control plane has nothing more for this node."""


class Reporter:
    """Reads one Envoy and tells the control plane. Nothing is kept for one that is away."""

    def __init__(self, beside: Beside, accepted: Accepted, logs: AccessLogs, follower: Follower) -> None:
        self._beside, self._accepted, self._logs, self._follower = beside, accepted, logs, follower
        self._readings = Readings()
        self._pid: int | None = None
        self._version = ""
        self._started_at = 0.0
        self._ready = False
        self._policies: dict[bytes, str] = {}

    async def run(self) -> None:
        """For ever, once every REPORT_S."""
        while True:
            began = time.monotonic()
            report = await self.report()
            received = await self._follower.report(report)
            if received is not None and received.settled:
                self._beside.settled_above()
            await asyncio.sleep(max(REPORT_S - (time.monotonic() - began), 0.1))

    async def report(self) -> NodeReport:
        """The report of this moment."""
        services: dict[str, stats.ServiceStats] = {}
        pid = self._beside.envoy.pid
        if pid is not None:
            try:
                await self._meet(pid)
                read = await stats.read_services(str(self._beside.envoy.admin_socket))
                services = self._readings.take(read, time.monotonic())
            except admin.AdminUnreachable:
                pid = None
        picker, reason = self._picker()
        return NodeReport(
            node=self._beside.node,
            version=self._version,
            uptime_s=None if pid is None else time.monotonic() - self._started_at,
            ready=pid is not None and self._ready,
            restarts=max(self._beside.restarts, 0),
            picker=picker,
            picker_reason=reason,
            cache=self._beside.refused_cache,
            acked=self._beside.acked,
            refused=self._beside.refused,
            services=services,
            requests=self._logs.drain(),
        )

    async def _meet(self, pid: int) -> None:
        """Once for each Envoy process: which one it is, since when, and until it is, whether it is ready."""
        socket = str(self._beside.envoy.admin_socket)
        if pid != self._pid:
            about = (await admin.get(socket, "/server_info")).json()
            self._pid, self._ready = pid, False
            self._version = str(about.get("version", "")).split("/")[1:2][0] if about.get("version") else ""
            self._started_at = time.monotonic() - _seconds(about.get("uptime_current_epoch", "0s"))
        if not self._ready:
            self._ready = (await admin.get(socket, "/ready")).status_code == 200

    def _picker(self) -> tuple[str, str]:
        """Who chooses, by the clusters that Envoy took, and why."""
        if fault := self._beside.envoy.picker_fault:
            return "least_request", f"Envoy's least request chooses, because {fault}"
        found: dict[str, int] = {}
        policies: dict[bytes, str] = {}
        for resource in self._accepted.resources(CLUSTER).values():
            content = resource.value
            policy = policies[content] = self._policies.get(content) or _policy(content)
            found[policy] = found.get(policy, 0) + 1
        self._policies = policies
        ours = found.pop(PICKER, 0)
        if ours and not found:
            return "steelyard", "Envoy took the module, and every service is picked for by it."
        others = ", ".join(f"{name.rpartition('.')[2]} ({count})" for name, count in sorted(found.items()))
        if ours:
            return "steelyard", f"The module picks for {ours} services; {others} for the others."
        if not found:
            return "", "No service yet."
        return others, "The module is not part of the configuration that Envoy took."


def _policy(content: bytes) -> str:
    cluster = cluster_pb2.Cluster.FromString(content)
    policies = cluster.load_balancing_policy.policies
    return str(policies[0].typed_extension_config.name) if policies else "round_robin"


def _seconds(text: str) -> float:
    """A duration as protobuf's JSON has it, "12s"."""
    try:
        return float(text.removesuffix("s"))
    except ValueError:
        return 0.0
