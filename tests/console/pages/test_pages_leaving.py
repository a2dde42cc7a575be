"""What would stop without a host, what still stands on it, and the steps of its leaving."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from balancer_core.placement import Load
from console.actions import SYSTEM
from console.events.models import Event
from console.fleet import leaving
from console.fleet.actions.lifecycle import Cordon, Drain, MarkLost, Uncordon
from console.fleet.leaving import standing_of, steps_of, stopping_without
from console.fleet.models import Host
from console.fleet.spans import parse_span
from console.placements.actions.place import Place
from console.placements.actions.release import Release
from console.traffic.actions.endpoints import DrainEndpoint
from console.traffic.actions.services import CreateService
from console.traffic.models import Endpoint
from console.traffic.view import EndpointSeen, Seen, TrafficSeen


def serve(name: str, *hosts: str, port: int = 80) -> None:
    number = Endpoint.objects.count() + 20_000
    CreateService(name, "http", "127.0.0.1", number, [(host, port) for host in hosts]).run(SYSTEM)


def web_1() -> Host:
    return Host.objects.get(name="web-1")


def steps() -> list[tuple[str, str]]:
    host = web_1()
    return [(step.label, step.when) for step in steps_of(host, standing_of(host, timezone.now()))]


def hear(monkeypatch: pytest.MonkeyPatch, in_flight: int, age_s: float | None = 0.5) -> None:
    """The engines' last word on web-1's endpoint of shop."""
    word = EndpointSeen("web-1", 80, 1, 1.0, 0.0, 0.0, in_flight, 0, "healthy", "")
    said = Seen(TrafficSeen(), age_s, {("shop", "web-1", 80): word})
    monkeypatch.setattr(leaving, "seen", lambda: said)


def test_every_service_that_would_stop_is_named(cluster: Any) -> None:
    """Also the thirtieth; not one that another host carries."""
    cluster.add("web-1")
    cluster.add("web-2")
    for number in range(30):
        serve(f"alone-{number:02}", "web-1", port=8000 + number)
    serve("zz-last", "web-1")
    serve("both", "web-1", "web-2")

    assert stopping_without(web_1()).none == [*(f"alone-{number:02}" for number in range(30)), "zz-last"]


def test_what_another_host_no_longer_carries_would_stop(cluster: Any) -> None:
    """A drained endpoint or host carries nothing; a lost one is said to be unknown; a cordoned one carries."""
    for name in ("web-1", "web-2", "web-3", "web-4"):
        cluster.add(name)
    serve("on-drained", "web-1", "web-2")
    serve("on-lost", "web-1", "web-3")
    serve("on-cordoned", "web-1", "web-4")
    serve("on-both", "web-1", "web-3", "web-4")
    serve("endpoint-drained", "web-1", "web-4", port=81)
    serve("drained-here", "web-1", "web-2", port=82)
    DrainEndpoint("endpoint-drained", "web-4", 81).run(SYSTEM)
    DrainEndpoint("drained-here", "web-1", 82).run(SYSTEM)
    Drain("web-2").run(SYSTEM)
    Cordon("web-4").run(SYSTEM)
    MarkLost("web-3", reason="silent").run(SYSTEM)
    found = stopping_without(web_1())

    assert found.none == ["endpoint-drained", "on-drained"]
    assert found.lost == ["on-lost"]


def test_drain_dialog_names_what_would_stop(browsers: Any, cluster: Any) -> None:
    """The page has the late names and both warnings."""
    cluster.add("web-1")
    cluster.add("web-3")
    for number in range(24):
        serve(f"s{number:02}", "web-1", port=8000 + number)
    serve("shaky", "web-1", "web-3")
    MarkLost("web-3", reason="silent").run(SYSTEM)
    page = browsers.operator.get(reverse("host", args=["web-1"])).content.decode()

    assert "s22, s23: draining stops that traffic" in page
    assert "The only other endpoints of shaky are on lost hosts" in page
    assert "25 endpoints get no new requests" in page


def test_steps_follow_what_left(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No steps in use; counted while it drains; safe only when the engines say that nothing is under way."""
    cluster.add("web-1")
    cluster.add("web-2")
    serve("shop", "web-1", "web-2")
    here = frozenset({"web-1"})
    placed = [Place(Load("job", f"j{n}", {"cpu": 0.1}, pin_hosts=here)).run(SYSTEM) for n in (1, 2)]
    hear(monkeypatch, in_flight=0)
    assert steps() == []
    Cordon("web-1").run(SYSTEM)
    assert steps()[0] == ("cordoned", "now")
    Drain("web-1").run(SYSTEM)
    assert steps()[:3] == [("cordoned", "done"), ("draining 0/3", "now"), ("empty", "next")]
    Release(placed[0].pk).run(SYSTEM)
    assert steps()[1] == ("draining 1/3", "now")
    Release(placed[1].pk).run(SYSTEM)
    Endpoint.objects.filter(host=web_1()).update(draining_since=timezone.now() - timedelta(hours=1))
    hear(monkeypatch, in_flight=2)
    assert steps()[1] == ("draining 2/3", "now")
    hear(monkeypatch, in_flight=0, age_s=60.0)
    assert [when for _, when in steps()] == ["done", "done", "now", "next"]
    hear(monkeypatch, in_flight=0, age_s=None)
    assert [when for _, when in steps()] == ["done", "done", "now", "next"]
    hear(monkeypatch, in_flight=0)
    assert steps()[3] == ("safe to power off", "now")
    Uncordon("web-1").run(SYSTEM)
    assert steps() == []


def test_drain_says_how_much_there_was_and_a_cordoned_host_counts_nothing(cluster: Any) -> None:
    """The event keeps the number; a host with nothing on it is safe at once."""
    cluster.add("web-1")
    Cordon("web-1").run(SYSTEM)
    assert steps()[3] == ("safe to power off", "now")
    Drain("web-1").run(SYSTEM)

    assert Event.objects.get(action="host.drain").after == {"state": "draining", "to_leave": 0}


def test_drain_that_began_before_counting_says_what_is_left(cluster: Any) -> None:
    """No n of m is made up."""
    cluster.add("web-1")
    Place(Load("job", "j", {"cpu": 0.1})).run(SYSTEM)
    Drain("web-1").run(SYSTEM)
    Event.objects.filter(action="host.drain").update(after={"state": "draining"})

    assert steps()[1] == ("draining, 1 left", "now")


def test_source_of_a_shard_is_not_safe(browsers: Any, furnished: Any) -> None:
    """Its first copy lies there: empty, and no further; the page says so and is not removed."""
    for held in web_1().placements.filter(state="held"):
        Release(held.pk).run(SYSTEM)
    Drain("web-1").run(SYSTEM)
    Endpoint.objects.filter(host=web_1()).delete()

    assert [when for _, when in steps()] == ["done", "done", "now", "next"]
    page = browsers.viewer.get(reverse("host", args=["web-1"])).content.decode()
    assert "it is the source of 1 shard" in page


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), (" 45 min", 2700), ("2d", 172_800), ("0.5h", 1800)]
)
def test_spans_as_people_write_them(text: str, seconds: float) -> None:
    """Hours and minutes together, with blanks, in parts."""
    assert parse_span(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1", "1h<script>", "-5m", "1e9h", "h"])
def test_what_is_no_span_is_refused(text: str) -> None:
    """With an example of what is."""
    with pytest.raises(ValueError, match="1h30m"):
        parse_span(text)


def test_deadline_of_a_drain_is_counted_down_and_lateness_said(
    browsers: Any, furnished: Any, api: Any
) -> None:
    """By page and API; what can't be one changes nothing; nothing is ended when it is over."""
    act = reverse("host-action", args=["web-1", "drain"])
    wrong = browsers.operator.post(act, {"deadline": "soon"}, follow=True).content.decode()
    short = browsers.operator.post(act, {"deadline": "1s"}, follow=True).content.decode()
    refused = api.operator.post("/api/v1/hosts/web-1/drain/", {"deadline_s": -1})
    still = web_1().state
    browsers.operator.post(act, {"deadline": "1h30m"})
    page = browsers.viewer.get(reverse("host", args=["web-1"])).content.decode()
    Event.objects.filter(action="host.drain").update(at=timezone.now() - timedelta(hours=2))
    late = browsers.viewer.get(reverse("host-live", args=["web-1"])).json()["left"]

    assert "is not a span of time" in wrong
    assert "between a minute and thirty days" in short
    assert refused.json()["errors"][0]["field"] == "deadline_s"
    assert still == "active"
    assert "It shall be empty in 90 min." in page
    assert late.startswith("Late by 30 min; nothing is ended by force. Still there: ")
    assert Endpoint.objects.filter(host=web_1()).exists()
    Uncordon("web-1").run(SYSTEM)
    assert api.operator.post("/api/v1/hosts/web-1/drain/", {"deadline_s": 3600}).status_code == 200
    assert Event.objects.filter(action="host.drain").first().after["deadline_s"] == 3600.0


def test_live_answer_carries_the_steps(browsers: Any, furnished: Any) -> None:
    """Only while the host is out of use."""
    url = reverse("host-live", args=["web-1"])
    assert "steps" not in browsers.viewer.get(url).json()
    Drain("web-1").run(SYSTEM)
    answer = browsers.viewer.get(url).json()

    assert [step["when"] for step in answer["steps"]] == ["done", "now", "next", "next"]
    assert answer["left"].startswith("Still there: ")
