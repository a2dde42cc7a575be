"""The ways to choose that ours is compared with, and what Envoy and HAProxy are told to choose so.

Both get what they need not to fail for reasons that have nothing to do with choosing: no limit on requests in
flight, no retry, and the same idle connections to the servers. Envoy reads its endpoints from files, so that they may
change while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: More than any run has in flight.
UNLIMITED = 100_000
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


def weights(servers: Sequence[Server], most: int) -> list[int]:
    """The servers' speeds as whole numbers, the fastest's `most`."""
    fastest = max(server.speed for server in servers)
    return [max(1, round(most * server.speed / fastest)) for server in servers]


def envoy_config(doors: Mapping[str, tuple[str, int]], folder: Path) -> dict[str, Any]:
    """A static bootstrap: a listener and a cluster for each way; who serves it is in a file of the folder."""
    return {
        "static_resources": {
            "listeners": [_listener(name, *door) for name, door in doors.items()],
            "clusters": [_cluster(name, WAYS[name], endpoints_file(folder, name)) for name in doors],
        }
    }


def endpoints_file(folder: Path, name: str) -> Path:
    """Where Envoy looks for the servers of a way."""
    return folder / f"{name}.json"


def endpoints(name: str, servers: Sequence[Server]) -> dict[str, Any]:
    """What the file of a way holds: the servers, with their weights where it is given them."""
    given = weights(servers, 100) if WAYS[name].knows else [1] * len(servers)
    found = [
        {
            "endpoint": {
                "address": {"socket_address": {"address": server.address, "port_value": server.port}}
            },
            "load_balancing_weight": weight,
        }
        for server, weight in zip(servers, given, strict=True)
    ]
    assignment = {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": found}],
    }
    return {"resources": [assignment]}


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


def _cluster(name: str, way: Way, file: Path) -> dict[str, Any]:
    unlimited = dict.fromkeys(
        ("max_connections", "max_pending_requests", "max_requests", "max_retries"), UNLIMITED
    )
    source = {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"service_name": name, "eds_config": source},
        "connect_timeout": "1s",
        "lb_policy": way.rule,
        "circuit_breakers": {"thresholds": [unlimited]},
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
