"""Rendering: everything of a target is in its resources, nothing else, and always the same bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.filters.udp.udp_proxy.v3 import route_pb2 as udp_route_pb2
from envoy.extensions.filters.udp.udp_proxy.v3 import udp_proxy_pb2
from google.protobuf import any_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from console.engines.envoy.render import (
    CLUSTER,
    ENDPOINTS,
    LISTENER,
    ROUTES,
    Resources,
    render,
    version,
)
from console.engines.target import MAX_WEIGHT, EndpointTarget, Protocol, ServiceTarget, TrafficTarget, Window

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).filter(
    lambda ip: not (ip.is_multicast or ip.is_unspecified or getattr(ip, "ipv4_mapped", None))
)
ports = st.integers(1, 65_535)
endpoints = st.builds(
    EndpointTarget,
    names,
    addresses.map(str),
    ports,
    st.integers(1, MAX_WEIGHT),
    st.sampled_from(["healthy", "draining", "closed", "unhealthy"]),
    st.integers(0, 3),
    st.sampled_from(["", "east", "west-1.b"]),
    st.none() | st.builds(Window, st.floats(1e-3, 1.0), st.floats(1e-3, 64.0), st.floats(1e-3, 1e6)),
)
services = st.builds(
    ServiceTarget,
    names,
    st.sampled_from(["http", "tcp", "udp"]),
    addresses.map(str),
    ports,
    st.lists(endpoints, max_size=5, unique_by=lambda endpoint: endpoint.key).map(tuple),
)
targets = st.builds(
    TrafficTarget,
    st.lists(services, max_size=4, unique_by=(lambda s: s.name, lambda s: s.listen_keys)).map(tuple),
    st.integers(0, 1000),
)


@settings(deadline=None, max_examples=150)
@given(targets)
def test_rendered_resources_read_back_as_the_target(target: TrafficTarget) -> None:
    """Parsed back from bytes, the resources say exactly what the target said."""
    resources = render(target)

    assert [_ranked(service) for service in _in_order(target.services)] == _read_back(resources)


@settings(deadline=None, max_examples=50)
@given(targets, st.randoms())
def test_order_and_epoch_change_no_version(target: TrafficTarget, random: Any) -> None:
    """Services and endpoints in another order, by another leader, are the same resources."""
    shuffled = []
    for service in target.services:
        mixed = list(service.endpoints)
        random.shuffle(mixed)
        shuffled.append(
            ServiceTarget(
                service.name, service.protocol, service.listen_address, service.listen_port, tuple(mixed)
            )
        )
    random.shuffle(shuffled)

    assert _versions(render(target)) == _versions(render(TrafficTarget(tuple(shuffled), target.epoch + 1)))


def test_weight_changes_only_the_endpoints_resource() -> None:
    """A new weight leaves cluster, listener and routes as they are."""
    before, after = (
        _versions(render(TrafficTarget((_web(EndpointTarget("h1", "10.0.0.1", 80, weight)),))))
        for weight in (1, 2)
    )

    assert before[ENDPOINTS] != after[ENDPOINTS]
    assert [before[kind] for kind in (CLUSTER, LISTENER, ROUTES)] == [
        after[kind] for kind in (CLUSTER, LISTENER, ROUTES)
    ]


def test_versions_are_the_same_in_every_process() -> None:
    """A version is a hash of content: this one was made by another process."""
    assignment = render(TrafficTarget((_web(EndpointTarget("h1", "10.0.0.1", 80, 7)),)))[ENDPOINTS]["web"]

    assert version(assignment) == "7d3a8fd37ec7dc8d"


def test_only_safe_methods_are_retried_after_a_reset() -> None:
    """GET, HEAD and OPTIONS may be sent twice; anything else only if it was never sent."""
    packed = render(TrafficTarget((_web(),)))[ROUTES]["web"]
    safe, other = _unpack(packed, route_pb2.RouteConfiguration).virtual_hosts[0].routes

    assert safe.match.headers[0].string_match.safe_regex.regex == "GET|HEAD|OPTIONS"
    assert safe.route.retry_policy.retry_on == "connect-failure,refused-stream,reset"
    assert not other.match.headers
    assert other.route.retry_policy.retry_on == "connect-failure,refused-stream"


def test_a_cluster_has_no_panic_and_no_small_limits() -> None:
    """Drained stays drained, and neither 1024 connections nor 3 retries are a ceiling."""
    packed = render(TrafficTarget((_web(),)))[CLUSTER]["web"]
    cluster = _unpack(packed, cluster_pb2.Cluster)
    limits = cluster.circuit_breakers.thresholds[0]

    assert cluster.common_lb_config.HasField("healthy_panic_threshold")
    assert cluster.common_lb_config.healthy_panic_threshold.value == 0
    assert cluster.ignore_health_on_host_removal
    assert (
        min(
            limits.max_connections.value,
            limits.max_pending_requests.value,
            limits.max_requests.value,
        )
        > 10_000
    )
    assert limits.retry_budget.min_retry_concurrency.value > 100


def test_udp_is_neither_probed_nor_ejected() -> None:
    """A TCP connect says nothing about a datagram service."""
    names_service = ServiceTarget("names", "udp", "127.0.0.1", 53)
    cluster = _unpack(render(TrafficTarget((names_service,)))[CLUSTER]["names"], cluster_pb2.Cluster)

    assert len(cluster.health_checks) == 0
    assert not cluster.HasField("outlier_detection")


def _web(*found: EndpointTarget) -> ServiceTarget:
    return ServiceTarget("web", "http", "127.0.0.1", 80, found)


def _versions(resources: Resources) -> dict[str, dict[str, str]]:
    return {
        kind: {name: version(resource) for name, resource in named.items()}
        for kind, named in resources.items()
    }


def _in_order(found: tuple[ServiceTarget, ...]) -> list[ServiceTarget]:
    return sorted(
        (
            ServiceTarget(
                service.name,
                service.protocol,
                service.listen_address,
                service.listen_port,
                tuple(sorted(service.endpoints, key=lambda endpoint: endpoint.key)),
            )
            for service in found
        ),
        key=lambda service: service.name,
    )


def _ranked(service: ServiceTarget) -> ServiceTarget:
    """With priorities counted from 0 without a gap, as Envoy wants them."""
    ranks = sorted({endpoint.priority for endpoint in service.endpoints})
    return replace(
        service,
        endpoints=tuple(
            replace(endpoint, priority=ranks.index(endpoint.priority)) for endpoint in service.endpoints
        ),
    )


def _unpack(packed: any_pb2.Any, kind: type[Any]) -> Any:
    message = kind()
    assert any_pb2.Any.FromString(packed.SerializeToString()).Unpack(message)
    return message


def _read_back(resources: Resources) -> list[ServiceTarget]:
    """The services that Envoy would see, following the names from listener to endpoints."""
    found = []
    for name, packed in resources[LISTENER].items():
        listener = _unpack(packed, listener_pb2.Listener)
        protocol, cluster_name = _where_to(listener, resources)
        cluster = _unpack(resources[CLUSTER][cluster_name], cluster_pb2.Cluster)
        assignment = _unpack(resources[ENDPOINTS][cluster.name], endpoint_pb2.ClusterLoadAssignment)
        assert name == listener.name == cluster.name == assignment.cluster_name
        where = listener.address.socket_address
        assert (protocol == "udp") == (where.protocol == address_pb2.SocketAddress.UDP)
        order = [(locality.priority, locality.locality.zone) for locality in assignment.endpoints]
        assert order == sorted(set(order))
        found.append(
            ServiceTarget(
                name,
                protocol,
                where.address,
                where.port_value,
                tuple(
                    sorted(
                        (
                            _endpoint(endpoint, locality.priority, locality.locality.zone)
                            for locality in assignment.endpoints
                            for endpoint in locality.lb_endpoints
                        ),
                        key=lambda endpoint: endpoint.key,
                    )
                ),
            )
        )
    assert len(found) == len(resources[CLUSTER]) == len(resources[ENDPOINTS])
    return sorted(found, key=lambda service: service.name)


def _where_to(listener: Any, resources: Resources) -> tuple[Protocol, str]:
    """The protocol of a listener and the cluster its traffic goes to."""
    if listener.listener_filters:
        proxy = _unpack(listener.listener_filters[0].typed_config, udp_proxy_pb2.UdpProxyConfig)
        action = _unpack(proxy.matcher.on_no_match.action.typed_config, udp_route_pb2.Route)
        return "udp", action.cluster
    (network_filter,) = listener.filter_chains[0].filters
    if network_filter.name == "envoy.filters.network.tcp_proxy":
        return "tcp", _unpack(network_filter.typed_config, tcp_proxy_pb2.TcpProxy).cluster
    manager = _unpack(network_filter.typed_config, http_connection_manager_pb2.HttpConnectionManager)
    configuration = _unpack(resources[ROUTES][manager.rds.route_config_name], route_pb2.RouteConfiguration)
    (cluster_name,) = {route.route.cluster for route in configuration.virtual_hosts[0].routes}
    return "http", cluster_name


def _endpoint(endpoint: Any, priority: int, zone: str) -> EndpointTarget:
    state = health_check_pb2.HealthStatus.Name(endpoint.health_status).lower()
    if endpoint.metadata.filter_metadata["envoy.transport_socket_match"] == {"closed": True}:
        assert state == "draining"
        state = "closed"
    where = endpoint.endpoint.address.socket_address
    facts = endpoint.metadata.filter_metadata["steelyard"]
    told = [facts[name] for name in ("window_s", "window_cores", "window_requests") if name in facts]
    return EndpointTarget(
        facts["host"],
        where.address,
        where.port_value,
        endpoint.load_balancing_weight.value,
        state,
        priority,
        zone,
        Window(*told) if told else None,
    )
