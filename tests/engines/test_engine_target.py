"""The engine-neutral target: what is valid, what the guard lets through, which engines there are."""

from __future__ import annotations

import pytest

from console.engines import BUILT_IN, UnknownEngine, engine_class, guard
from console.engines.target import (
    MAX_WEIGHT,
    EndpointTarget,
    InvalidTarget,
    Protocol,
    ServiceTarget,
    TrafficTarget,
)

VALID = {"host": "h1", "address": "127.0.0.1", "port": 80}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "Upper"),
        ("host", ""),
        ("host", "a" * 64),
        ("host", "a.b"),
        ("host", "-a"),
        ("host", "a\n"),
        ("address", "example.org"),
        ("address", "127.0.0.256"),
        ("address", 1),
        ("address", "0.0.0.0"),
        ("address", "::"),
        ("address", "224.0.0.1"),
        ("address", "fe80::1%lo"),
        ("address", "::ffff:127.0.0.1"),
        ("port", 0),
        ("port", 65_536),
        ("port", "80"),
        ("weight", 0),
        ("weight", -1),
        ("weight", 1.5),
        ("weight", True),
        ("weight", MAX_WEIGHT + 1),
        ("state", "gone"),
    ],
)
def test_invalid_endpoint_names_its_field(field: str, value: object) -> None:
    """Every value out of range is refused with the field's name."""
    with pytest.raises(InvalidTarget) as refused:
        EndpointTarget(**{**VALID, field: value})

    assert field == refused.value.field
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "no_underscore"),
        ("protocol", "quic"),
        ("listen_address", "localhost"),
        ("listen_port", -1),
        ("endpoints", (EndpointTarget(**VALID), EndpointTarget("h2", "127.0.0.1", 80))),
    ],
)
def test_invalid_service_names_its_field(field: str, value: object) -> None:
    """A service refuses wrong names, protocols, listeners, and one address twice."""
    values = {"name": "web", "protocol": "http", "listen_address": "127.0.0.1", "listen_port": 80}

    with pytest.raises(InvalidTarget) as refused:
        ServiceTarget(**{**values, field: value})

    assert field == refused.value.field


def test_address_takes_its_canonical_form() -> None:
    """One address has one spelling, so that keys agree with what engines print."""
    endpoint = EndpointTarget("h1", "0:0:0::1", 80)

    assert endpoint.address == "::1"
    assert endpoint.key == "[::1]:80"


@pytest.mark.parametrize(
    ("protocol", "name"),
    [("tcp", "other"), ("udp", "web")],
)
def test_target_refuses_two_of_a_kind(protocol: Protocol, name: str) -> None:
    """Two services share neither a name nor a listening address of one transport."""
    web = ServiceTarget("web", "http", "127.0.0.1", 80)

    with pytest.raises(InvalidTarget):
        TrafficTarget((web, ServiceTarget(name, protocol, "127.0.0.1", 80)))


def test_udp_may_use_the_port_of_a_tcp_service() -> None:
    """The transports have ports of their own."""
    both = (ServiceTarget("web", "http", "::1", 80), ServiceTarget("names", "udp", "::1", 80))

    assert both == TrafficTarget(both).services


@pytest.mark.parametrize("epoch", [-1, 1.0, True])
def test_epoch_is_a_whole_number(epoch: object) -> None:
    """An epoch that could not fence is refused."""
    with pytest.raises(InvalidTarget):
        TrafficTarget((), epoch)  # type: ignore[arg-type]


def _target(**sizes: int) -> TrafficTarget:
    return TrafficTarget(
        tuple(
            ServiceTarget(
                name,
                "http",
                "127.0.0.1",
                1000 + number,
                tuple(EndpointTarget("h", "127.0.0.1", 1 + port) for port in range(size)),
            )
            for number, (name, size) in enumerate(sorted(sizes.items()))
        )
    )


@pytest.mark.parametrize(("before", "after"), [(1, 0), (10, 0), (10, 4), (3, 1)])
def test_guard_refuses_an_empty_or_halved_set(before: int, after: int) -> None:
    """Fewer than half of a service's endpoints, or none, is refused with the numbers."""
    with pytest.raises(guard.GuardRefused) as refused:
        guard.check(_target(web=before, other=2), _target(web=after, other=2))

    found = refused.value
    assert ("web", before, after) == (found.service, found.before, found.after)
    assert f"web from {before} to {after}" in str(found)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 5), (2, 1), (10, 5), (3, 2), (4, 9)])
def test_guard_lets_ordinary_changes_through(before: int, after: int) -> None:
    """Half, growth, and a set that was empty already pass."""
    assert guard.shrinkages(_target(web=before), _target(web=after)) == ()


def test_guard_lets_whole_services_come_and_go() -> None:
    """Removing a service is an act of its own, and a new one has lost nothing."""
    assert guard.shrinkages(_target(web=9), _target(new=0)) == ()


def test_every_built_in_engine_can_be_loaded() -> None:
    """Each entry of the registry names a class with the engine's methods."""
    for name in BUILT_IN:
        for method in ("start", "apply", "observe", "state", "stop"):
            assert hasattr(engine_class(name), method)


def test_unknown_engine_is_named_with_the_known_ones() -> None:
    """A wrong name says which are right."""
    with pytest.raises(UnknownEngine, match="'nginx'.*envoy"):
        engine_class("nginx")
