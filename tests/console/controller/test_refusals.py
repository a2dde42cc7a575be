"""What nodes refuse, at the service that it is of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from console.controller.refusals import refusals
from console.engines.envoy.delta import Rejection
from console.engines.envoy.render import CERTIFICATE, CLUSTER, LISTENER, ROUTES
from console.engines.target import ServiceTarget
from console.engines.target.settings import settings_of
from console.traffic.view import Refused

TLS = settings_of({"front": {"tls": {"certificates": ["c"], "clients": {"ca": "c"}}}})
SERVICES = (
    ServiceTarget("shop", "http", "127.0.0.1", 8080, settings=TLS),
    ServiceTarget("plain", "http", "127.0.0.1", 8081),
)


def states(**refused: list[tuple[str, str]]) -> Any:
    return {
        node: SimpleNamespace(
            ads=SimpleNamespace(rejections=[Rejection(*each, "in use", 1) for each in found])
        )
        for node, found in refused.items()
    }


@pytest.mark.parametrize(
    ("kind", "name", "what"),
    [
        (LISTENER, "shop", "listener"),
        (LISTENER, "shop+redirect", "listener"),
        (LISTENER, "shop+h3", "listener"),
        (ROUTES, "shop", "routes"),
        (CLUSTER, "shop", "pool"),
        (CERTIFICATE, "c", "certificate"),
        (CERTIFICATE, "c/ca", "certificate"),
    ],
)
def test_a_refusal_is_its_services(kind: str, name: str, what: str) -> None:
    """By its name, or by who names the certificate."""
    assert refusals(states(edge=[(kind, name)]), SERVICES) == {"shop": [Refused("edge", what, "in use")]}


def test_each_node_refuses_for_itself() -> None:
    """Two that refuse are two sentences; one that takes it is none."""
    found = refusals(states(a=[(LISTENER, "plain")], b=[], c=[(LISTENER, "plain")]), SERVICES)

    assert ["a", "c"] == [each.node for each in found["plain"]]
    assert found["plain"][0].sentence == "Engine a refuses the listener: in use"
