"""Reading Envoy's statistics: from a real Envoy, and from documents with parts missing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from engine_backends import Backend, HttpBackend
from envoy_rig import EnvoyRig, answers, eventually, service

from console.engines.envoy import stats
from console.engines.envoy.admin import AdminUnreachable

pytestmark = pytest.mark.asyncio(loop_scope="module")

Serve = Callable[[Backend], Awaitable[Backend]]


async def test_endpoints_and_service_figures_are_read(rig: EnvoyRig, serve: Serve) -> None:
    """Requests are counted per endpoint and service, weights told."""
    first = await serve(HttpBackend("first"))
    web = service("web", "http", first.endpoint(weight=7))
    await rig.publish(web)
    await answers(web, 12)
    admin_socket = str(rig.envoy.admin_socket)

    found = (await stats.read_services(admin_socket))[web.name]
    endpoint = found.endpoints[first.endpoint().key]

    assert {first.endpoint().key} == set(found.endpoints)
    assert (endpoint.weight, endpoint.health, endpoint.flags) == (7, "healthy", ())
    assert (
        endpoint.rq_total,
        endpoint.rq_success,
        endpoint.rq_error,
        endpoint.rq_active,
    ) == (12, 12, 0, 0)
    assert endpoint.cx_total >= 1
    assert (found.counters["upstream_rq_total"], found.counters["upstream_rq_2xx"]) == (12, 12)


async def test_latency_has_the_three_quantiles(rig: EnvoyRig, serve: Serve) -> None:
    """p50, p90 and p99 in milliseconds, in order."""
    first = await serve(HttpBackend("first"))
    web = service("web", "http", first.endpoint())
    await rig.publish(web)
    await answers(web, 30)
    latency_ms: dict[str, float] = {}

    async def flushed() -> bool:
        services = await stats.read_services(str(rig.envoy.admin_socket))
        latency_ms.update(services[web.name].latency_ms)
        return bool(latency_ms)

    assert await eventually(flushed)
    assert list(latency_ms) == ["p50", "p90", "p99"]
    assert 0 <= latency_ms["p50"] <= latency_ms["p90"] <= latency_ms["p99"] < 5000


async def test_a_missing_envoy_is_unreachable(short_folder: Path) -> None:
    """No socket, no figures: the error names the socket."""
    with pytest.raises(AdminUnreachable, match=r"absent\.sock"):
        await stats.read(str(short_folder / "absent.sock"))


def _cluster(**host: object) -> bytes:
    address = {"socket_address": {"address": "::1", "port_value": 80}}
    return json.dumps(
        {"cluster_statuses": [{"name": "web", "host_statuses": [{"address": address, **host}]}]}
    ).encode()


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ({}, "healthy"),
        ({"eds_health_status": "HEALTHY"}, "healthy"),
        ({"eds_health_status": "DRAINING", "failed_active_health_check": True}, "draining"),
        ({"eds_health_status": "UNHEALTHY"}, "unhealthy"),
        ({"failed_active_health_check": True}, "unhealthy"),
        ({"failed_active_health_check": True, "failed_outlier_check": True}, "ejected"),
    ],
)
async def test_health_is_one_word(status: dict[str, object], health: str) -> None:
    """What was asked for comes first, then what requests said, then what checks said; flags keep it all."""
    found = stats.parse_clusters(_cluster(health_status=status))["web"]["[::1]:80"]

    assert health == found.health
    assert tuple(sorted(name for name in status if name.startswith("failed"))) == found.flags


async def test_absent_fields_are_zero() -> None:
    """Envoy leaves zeros out of its documents, and older ones leave out more."""
    assert stats.parse_clusters(b"{}") == {}
    assert stats.parse_clusters(b'{"cluster_statuses": [{"name": "web"}, {}]}') == {"web": {}}
    assert {"[::1]:80": stats.EndpointStats()} == stats.parse_clusters(_cluster())["web"]
    assert stats.parse_stats({}) == ({}, {})
    assert stats.parse_stats({"stats": [{"histograms": {}}]})[1] == {}
