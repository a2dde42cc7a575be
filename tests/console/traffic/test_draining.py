"""When a drain began, whose it is, when its time is over; and priorities, as actions and the API take them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.actions import SYSTEM, Invalid
from console.fleet.actions.lifecycle import Cordon, Drain, Uncordon
from console.traffic.actions.endpoints import CloseEndpoint, DrainEndpoint, ResumeEndpoint
from console.traffic.actions.services import AddEndpoint, CreateService
from console.traffic.draining import drain_of, wanted_state
from console.traffic.models import Endpoint, Service

URL = "/api/v1/services/"


@pytest.fixture
def web(cluster: Any) -> Service:
    """web with an endpoint on each of web-1 and web-2."""
    for number in (1, 2):
        cluster.add(f"web-{number}", address=f"127.0.8.{number}")
    return CreateService("web", "http", "127.0.0.1", 8080, [("web-1", 80), ("web-2", 80)]).run(SYSTEM)


def _endpoint(host: str = "web-1") -> Endpoint:
    return Endpoint.objects.select_related("host", "service").get(host__name=host)


def test_the_drain_of_an_endpoint_begins_once_and_ends_with_resume(web: Service) -> None:
    """Asked twice, the time still counts from the first; taken back, it is forgotten."""
    DrainEndpoint("web", "web-1", 80).run(SYSTEM)
    first = _endpoint().draining_since
    DrainEndpoint("web", "web-1", 80).run(SYSTEM)

    assert first is not None
    assert _endpoint().draining_since == first
    ResumeEndpoint("web", "web-1", 80).run(SYSTEM)
    assert _endpoint().draining_since is None


@pytest.mark.parametrize("ends", [Cordon, Uncordon])
def test_a_hosts_drain_is_its_endpoints(web: Service, ends: Any) -> None:
    """All of its endpoints, also those that come later, and no other host's; one drained by itself stays so."""
    DrainEndpoint("web", "web-2", 80).run(SYSTEM)
    by_itself = _endpoint("web-2").draining_since
    Drain("web-1").run(SYSTEM)
    Drain("web-2").run(SYSTEM)
    CreateService("late", "tcp", "127.0.0.1", 8081, [("web-1", 81)]).run(SYSTEM)
    late = Endpoint.objects.get(port=81)

    assert _endpoint("web-2").draining_since == by_itself
    assert Endpoint.objects.filter(draining_since=None).count() == 0
    ResumeEndpoint("late", "web-1", 81).run(SYSTEM)
    late.refresh_from_db()
    assert late.draining_since is not None, "its host still drains"

    for name in ("web-1", "web-2"):
        ends(name).run(SYSTEM)

    assert list(Endpoint.objects.exclude(draining_since=None).values_list("host__name", flat=True)) == [
        "web-2"
    ]


def test_state_follows_the_clock(web: Service) -> None:
    """Healthy, draining, closed after the pool's time; never closed where there is no end."""
    now = timezone.now()
    assert wanted_state(_endpoint(), 300.0, now) == "healthy"
    Drain("web-1").run(SYSTEM)
    Endpoint.objects.filter(host__name="web-1").update(draining_since=now)
    endpoint = _endpoint()

    found = [wanted_state(endpoint, 300.0, now + timedelta(seconds=s)) for s in (-5, 0, 299, 300, 9999)]
    drain = drain_of(endpoint, 300.0, now + timedelta(seconds=100))

    assert found == ["draining", "draining", "draining", "closed", "closed"]
    assert wanted_state(endpoint, None, now + timedelta(days=30)) == "draining"
    assert wanted_state(endpoint, 0.0, now) == "closed"
    assert drain is not None
    assert (drain.by_host, drain.for_s, drain.left_s) == (True, 100.0, 200.0)


def test_closed_gets_nothing_at_once_and_stays_when_its_host_returns(web: Service, api: Any) -> None:
    """Whatever the pool's time to drain; resumed, it serves again, or drains while its host does."""
    now = timezone.now()
    answer = api.operator.post(f"{URL}web/close-endpoint/", {"endpoint": "web-1:80"}).json()["endpoints"][0]
    assert (answer["state"], answer["health"]) == ("closed", "closed")
    assert wanted_state(_endpoint(), None, now) == "closed"

    Drain("web-1").run(SYSTEM)
    Uncordon("web-1").run(SYSTEM)
    assert wanted_state(_endpoint(), 300.0, now) == "closed"
    assert _endpoint().draining_since is not None

    Drain("web-1").run(SYSTEM)
    ResumeEndpoint("web", "web-1", 80).run(SYSTEM)
    assert wanted_state(_endpoint(), None, now) == "draining"
    Uncordon("web-1").run(SYSTEM)
    assert wanted_state(_endpoint(), None, now) == "healthy"
    CloseEndpoint("web", "web-1", 80).run(SYSTEM)
    ResumeEndpoint("web", "web-1", 80).run(SYSTEM)
    assert (wanted_state(_endpoint(), None, now), _endpoint().draining_since) == ("healthy", None)


def test_api_says_draining_where_the_engine_was_told_so(web: Service, api: Any) -> None:
    """Before any engine spoke: unknown, with reasons; drained: draining, and since when."""
    before = api.viewer.get(f"{URL}web/").json()["endpoints"][0]
    answer = api.operator.post(f"{URL}web/drain-endpoint/", {"endpoint": "web-1:80"})
    after = answer.json()["endpoints"][0]

    assert (before["health"], before["draining_since"]) == ("unknown", None)
    assert "No engine has spoken of it." in before["health_reasons"]
    assert after["health"] == "draining"
    assert "an operator drains it" in after["health_reasons"][0]
    assert after["draining_since"] is not None


def test_an_endpoint_has_a_priority(web: Service, api: Any) -> None:
    """0 unless said; said when a service is made, or one is added; out of range is refused by name."""
    ranked = ["web-1:82", {"endpoint": "web-2:82", "priority": 3}]
    spare = {"name": "spare", "protocol": "tcp", "listen": "127.0.0.1:8082", "endpoints": ranked}
    assert api.operator.post(URL, spare).status_code == 201
    wrong = {**spare, "name": "wrong", "endpoints": [{"endpoint": "web-1:83", "priority": -1}]}
    assert api.operator.post(URL, wrong).status_code == 400
    answer = api.operator.post(f"{URL}web/add-endpoint/", {"endpoint": "web-2:81", "priority": 1})
    refused = api.operator.post(f"{URL}web/add-endpoint/", {"endpoint": "web-2:83", "priority": 16})

    assert list(Endpoint.objects.filter(port=82).values_list("priority", flat=True)) == [0, 3]
    assert [each["priority"] for each in answer.json()["endpoints"]] == [0, 0, 1]
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "priority")
    with pytest.raises(Invalid):
        AddEndpoint("web", "web-2", 84, 16).run(SYSTEM)
