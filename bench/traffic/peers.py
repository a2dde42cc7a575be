"""The balancers that ours is compared with: one Envoy and one HAProxy, each with a door for every way to choose.

Both get what they need not to fail for reasons that have nothing to do with choosing: no limit on requests in
flight, no retry, and the same idle connections to the servers.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.plane import NotStarted, stop
from console.engines.envoy.process import find_envoy
from console.supervisor.ports import free_port

#: More than any run has in flight.
UNLIMITED = 100_000
PATIENCE_S = 20.0
_TYPES = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True)
class Server:
    """One server behind the doors. speed: of its host, in proportion to the others'."""

    address: str
    port: int
    speed: float


@dataclass(frozen=True, slots=True)
class Way:
    """A way to choose. rule: in the product's own word. knows: it is given the hosts' speeds as weights."""

    product: str
    rule: str
    knows: bool = False


#: Row's name of the peer -> what it is.
WAYS: Mapping[str, Way] = {
    "envoy_rr": Way("envoy", "ROUND_ROBIN"),
    "envoy_lr": Way("envoy", "LEAST_REQUEST"),
    "envoy_lr_weights": Way("envoy", "LEAST_REQUEST", knows=True),
    "envoy_random": Way("envoy", "RANDOM"),
    "haproxy_leastconn": Way("haproxy", "leastconn"),
    "haproxy_leastconn_weights": Way("haproxy", "leastconn", knows=True),
}


class Peers:
    """The peers' processes, each way behind a port of its own on address; an async context manager.

    doors: way -> "address:port". Raises NotStarted.
    """

    def __init__(self, address: str, servers: Sequence[Server], folder: Path) -> None:
        self._servers, self._folder = list(servers), folder
        self.doors = {name: (address, free_port(address)) for name in WAYS}
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            await self._start_envoy()
            if shutil.which("haproxy") is None:
                raise NotStarted("haproxy is not installed: make system-bench")
            await self._start_haproxy()
            for name, (address, port) in self.doors.items():
                if not await _opens(address, port):
                    said = (self._folder / "peers.log").read_text()[-500:]
                    raise NotStarted(f"{name} does not open its door: {said}")
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        for process in self._processes:
            await stop(process)

    async def _start_envoy(self) -> None:
        config = self._folder / "envoy.json"
        config.write_text(json.dumps(envoy_config(self._of("envoy"), self._servers), indent=1))
        await self._start(
            str(find_envoy()), "--config-path", str(config), "--concurrency", "1", "--log-level", "error",
            "--log-path", str(self._folder / "envoy.log"), "--disable-hot-restart", "--use-dynamic-base-id",
        )  # fmt: skip

    async def _start_haproxy(self) -> None:
        config = self._folder / "haproxy.cfg"
        config.write_text(haproxy_config(self._of("haproxy"), self._servers))
        await self._start("haproxy", "-db", "-f", str(config))

    def _of(self, product: str) -> dict[str, tuple[str, int]]:
        return {name: door for name, door in self.doors.items() if WAYS[name].product == product}

    async def _start(self, *command: str) -> None:
        with (self._folder / "peers.log").open("ab") as log:
            self._processes.append(
                await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
                )
            )


def weights(servers: Sequence[Server], most: int) -> list[int]:
    """The servers' speeds as whole numbers, the fastest's `most`."""
    fastest = max(server.speed for server in servers)
    return [max(1, round(most * server.speed / fastest)) for server in servers]


def envoy_config(doors: Mapping[str, tuple[str, int]], servers: Sequence[Server]) -> dict[str, Any]:
    """A static bootstrap: a listener and a cluster for each way."""
    return {
        "static_resources": {
            "listeners": [_listener(name, *door) for name, door in doors.items()],
            "clusters": [_cluster(name, WAYS[name], servers) for name in doors],
        }
    }


def _listener(name: str, address: str, port: int) -> dict[str, Any]:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_TYPES}.filters.http.router.v3.Router"},
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": name, "timeout": "0s"}}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
        "http_filters": [router],
    }
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "name": name,
        "address": {"socket_address": {"address": address, "port_value": port}},
        "filter_chains": [{"filters": [network_filter]}],
    }


def _cluster(name: str, way: Way, servers: Sequence[Server]) -> dict[str, Any]:
    given = weights(servers, 100) if way.knows else [1] * len(servers)
    endpoints = [
        {
            "endpoint": {
                "address": {"socket_address": {"address": server.address, "port_value": server.port}}
            },
            "load_balancing_weight": weight,
        }
        for server, weight in zip(servers, given, strict=True)
    ]
    unlimited = dict.fromkeys(
        ("max_connections", "max_pending_requests", "max_requests", "max_retries"), UNLIMITED
    )
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": way.rule,
        "circuit_breakers": {"thresholds": [unlimited]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }


def haproxy_config(doors: Mapping[str, tuple[str, int]], servers: Sequence[Server]) -> str:
    """One listen section for each way."""
    lines = [
        "global", "  nbthread 1", "  maxconn 8000",
        "defaults", "  mode http", "  timeout connect 1s", "  timeout client 60s", "  timeout server 60s",
        "  timeout http-keep-alive 60s", "  retries 0", "  http-reuse always",
    ]  # fmt: skip
    for name, (address, port) in doors.items():
        way = WAYS[name]
        given = weights(servers, 256) if way.knows else [1] * len(servers)
        lines += [f"listen {name}", f"  bind {address}:{port}", f"  balance {way.rule}"]
        lines += [
            f"  server s{number} {server.address}:{server.port} weight {weight}"
            for number, (server, weight) in enumerate(zip(servers, given, strict=True))
        ]
    return "\n".join(lines) + "\n"


async def _opens(address: str, port: int) -> bool:
    """Whether somebody listens there, now or within PATIENCE_S."""
    for _ in range(round(PATIENCE_S / 0.05)):
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return True
    return False
