"""A rendered pool read back is the pool, whatever it is; its document too; and the same pool is the same bytes."""

from __future__ import annotations

from typing import Any

import msgspec
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_reading import read_pool, udp_proxy
from pool_strategies import pools

from console.engines.envoy import affinity
from console.engines.envoy.assignments import load_assignment
from console.engines.envoy.clusters import cluster
from console.engines.envoy.packing import pack
from console.engines.target import EndpointTarget, Protocol, ServiceTarget
from console.engines.target.pool import Check, Ejection, Pool
from console.engines.target.settings import Settings, document_of, settings_of

protocols = st.sampled_from(["http", "tcp", "udp"])


def _service(protocol: Protocol, pool: Pool) -> ServiceTarget:
    endpoint = EndpointTarget("h1", "10.0.0.1", 80, 7)
    return ServiceTarget("web", protocol, "127.0.0.1", 80, (endpoint,), Settings(pool=pool))


def _as_rendered(pool: Pool, protocol: Protocol) -> Pool:
    """The same pool in the words that Envoy is left with."""
    values: dict[str, Any] = {"drain_s": None}
    check = pool.check
    if check.kind == "auto":
        kind = "off" if protocol == "udp" else "connect"
        check = Check("off") if kind == "off" else msgspec.structs.replace(check, kind=kind)
    values["check"] = check
    if check.kind == "off" and pool.check.port:
        values["check"] = msgspec.structs.replace(check, port=pool.check.port)
    if pool.balance == "steelyard" and pool.panic_percent:
        values["balance"] = "least_request"
    if protocol == "udp":
        values["ejection"] = Ejection(on=False)
        values["connections"] = msgspec.structs.replace(pool.connections, keepalive_s=0)
    elif protocol == "tcp":
        values["connections"] = msgspec.structs.replace(pool.connections, close_when_unhealthy=True)
    elif pool.upstream.protocol == "http1":
        values["connections"] = msgspec.structs.replace(pool.connections, ping_s=0)
    return msgspec.structs.replace(pool, **values)


@settings(deadline=None, max_examples=150)
@given(st.data(), protocols)
def test_a_rendered_pool_reads_back_as_the_pool(data: Any, protocol: Protocol) -> None:
    """Every number and word that was asked for is what Envoy gets, and nothing else is."""
    pool = data.draw(pools(protocol))
    service = _service(protocol, pool)
    built = cluster_pb2.Cluster.FromString(cluster(service).SerializeToString())
    assignment = endpoint_pb2.ClusterLoadAssignment.FromString(load_assignment(service).SerializeToString())
    proxy = None
    keys = affinity.hash_policy(pool)
    if protocol == "udp":
        proxy = udp_proxy()
        affinity.add_sessions(proxy, pool)
        assert len(proxy.hash_policies) == len(keys)
    elif protocol == "tcp":
        assert built.close_connections_on_host_health_failure == pool.connections.close_when_unhealthy

    found = read_pool("web", built, assignment, keys, affinity.session_of_route("web", pool), proxy)

    expected = _as_rendered(pool, protocol)
    if expected.check.kind == "off":
        found = msgspec.structs.replace(found, check=expected.check)
        assert not built.health_checks
    assert found == expected


@settings(deadline=None, max_examples=150)
@given(st.data(), protocols)
def test_a_pools_document_is_the_pool(data: Any, protocol: Protocol) -> None:
    """Through JSON and back; and what is rendered of either has the same bytes."""
    pool = data.draw(pools(protocol))
    document = msgspec.json.decode(msgspec.json.encode(document_of(Settings(pool=pool))))
    again = settings_of(document).pool

    assert again == pool
    first, second = (cluster(_service(protocol, each)) for each in (pool, again))
    assert pack(first).value == pack(second).value


def test_an_empty_document_is_the_default_and_says_nothing() -> None:
    """Nothing said is nothing kept."""
    assert settings_of({}).pool == Pool()
    assert document_of(Settings()) == {}
    assert document_of(Settings(pool=Pool(balance="random"))) == {"pool": {"balance": "random"}}
