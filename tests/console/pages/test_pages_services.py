"""Services' pages: what the controller last said, how old it is, and changing what is there."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.urls import reverse

from console.events.models import Event
from console.fleet.models import Host
from console.live import feed
from console.traffic.models import Endpoint, Service
from console.traffic.view import (
    STALE_AFTER_S,
    EndpointSeen,
    EngineSeen,
    Refused,
    ServiceSeen,
    TrafficSeen,
    encode_traffic,
)

WHY = (
    "Weight 100, 80% of the traffic: 25% in use against a mean of 50%, so its share rises by 1.0% this step."
)
NEW = {"name": "api", "protocol": "http", "listen": "127.0.0.1:18081", "endpoints": "web-1:9000\nweb-2:9000"}


class Said:
    """Stands where a web process has its feed, with one word of the controller on it."""

    def __init__(self, word: TrafficSeen, age_s: float) -> None:
        self.traffic = encode_traffic(word)
        self.traffic_at = time.monotonic() - age_s


def say(monkeypatch: pytest.MonkeyPatch, age_s: float = 0.0, guard: str = "") -> None:
    endpoints = [
        EndpointSeen("web-1", 8080, 100, 0.8, 40.0, 0.0, 3, 900, "healthy", WHY),
        EndpointSeen("web-2", 8080, 25, 0.2, 10.0, 1.5, 1, 200, "unhealthy", "Unhealthy."),
    ]
    engines = [EngineSeen("edge", connected=True, refused="listener shop: address in use")]
    word = TrafficSeen(3, {"shop": ServiceSeen(endpoints, 50.0, 1.25, 20.0)}, engines, guard)
    monkeypatch.setattr(feed, "feed", Said(word, age_s))


def live(client: Any) -> Any:
    return client.get(reverse("service-live", args=["shop"])).json()


def test_page_says_share_weight_and_why(
    browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's figures, its complaint and the steering's sentence stand on the page."""
    say(monkeypatch, guard="would take away all endpoints")
    page = browsers.viewer.get(reverse("service", args=["shop"])).content.decode()

    for said in (WHY, "80 %", "unhealthy", "20", "address in use", "would take away all endpoints"):
        assert said in page
    assert live(browsers.viewer)["rate"] == "50"
    assert [row["share"] for row in live(browsers.viewer)["endpoints"]] == [0.8, 0.2]
    assert [row["weight_share"] for row in live(browsers.viewer)["endpoints"]] == [0.8, 0.2]


def test_a_refused_listener_stands_at_its_service(
    browsers: Any, furnished: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its page, in the list and over the API; the engine's words are text."""
    refused = [Refused("edge", "listener", "<b>in use</b>")]
    word = TrafficSeen(3, {"shop": ServiceSeen([], refused=refused)}, [EngineSeen("edge", connected=True)])
    monkeypatch.setattr(feed, "feed", Said(word, 0.0))
    page = browsers.viewer.get(reverse("service", args=["shop"])).content.decode()

    assert "Engine edge refuses the listener: &lt;b&gt;in use" in page
    assert "<b>in use" not in page
    assert "refused by 1 engine<" in browsers.viewer.get(reverse("services")).content.decode()
    assert [{"node": "edge", "what": "listener", "text": "<b>in use</b>"}] == (
        api.viewer.get("/api/v1/services/shop/").json()["refused"]
    )


def test_old_word_is_unknown(browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the controller said some seconds ago is not shown as the present."""
    say(monkeypatch, age_s=STALE_AFTER_S + 1)
    body = live(browsers.viewer)

    assert body["stale"]
    assert tuple(body["endpoints"][0][key] for key in ("health", "weight", "share")) == (
        "unknown",
        "unknown",
        None,
    )
    assert WHY not in browsers.viewer.get(reverse("service", args=["shop"])).content.decode()
    assert "has not spoken" in browsers.viewer.get(reverse("services")).content.decode()


def test_operator_drains_and_resumes_an_endpoint(
    browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Draining says why it gets nothing instead of the steering's sentence; resuming takes it back."""
    say(monkeypatch)
    url = reverse("endpoint-action", args=["shop"])
    browsers.operator.post(url, {"endpoint": "web-1:8080", "verb": "drain"})
    drained = Endpoint.objects.get(host__name="web-1").state
    row = live(browsers.viewer)["endpoints"][0]
    browsers.operator.post(url, {"endpoint": "web-1:8080", "verb": "resume"})

    assert drained == "draining"
    assert (row["state"], row["weight_share"]) == ("draining", 0.0)
    assert "an operator drains it" in row["reason"]
    assert Endpoint.objects.get(host__name="web-1").state == "active"
    done = Event.objects.filter(actor="a-operator").order_by("id").values_list("action", flat=True)
    assert list(done) == ["service.drain-endpoint", "service.resume-endpoint"]


@pytest.mark.parametrize(
    ("by", "says"), [("endpoint", "an operator drains it"), ("host", "its host is draining")]
)
def test_api_says_of_a_draining_endpoint_what_the_page_says(
    api: Any, browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch, by: str, says: str
) -> None:
    """The steering law takes it for unhealthy; people are told what it is. Another endpoint's reason stays."""
    say(monkeypatch)
    if by == "host":
        Host.objects.filter(name="web-2").update(state="draining")
    else:
        Endpoint.objects.filter(host__name="web-2").update(state="draining")

    told = api.viewer.get("/api/v1/services/shop/").json()["endpoints"]

    assert [each["engine"]["reason"] for each in told] == [
        row["reason"] for row in live(browsers.viewer)["endpoints"]
    ]
    assert says in told[1]["engine"]["reason"]
    assert told[0]["engine"]["reason"] == WHY


def test_viewer_does_not_drain(browsers: Any, furnished: Any) -> None:
    """Refused, unchanged, and the button was disabled with the reason."""
    answer = browsers.viewer.post(
        reverse("endpoint-action", args=["shop"]), {"endpoint": "web-1:8080", "verb": "drain"}
    )

    assert answer.status_code == 403
    assert {"active"} == set(Endpoint.objects.values_list("state", flat=True))
    page = browsers.viewer.get(reverse("service", args=["shop"])).content.decode()
    assert page.count('disabled aria-describedby="no-drain"') == 2


def test_operator_makes_a_service(browsers: Any, furnished: Any) -> None:
    """The form runs the action and leads to the new service."""
    answer = browsers.operator.post(reverse("new-service"), NEW)
    made = Service.objects.get(name="api")

    assert reverse("service", args=["api"]) == answer["Location"]
    assert [(each.host.name, each.port) for each in made.endpoints.all()] == [
        ("web-1", 9000),
        ("web-2", 9000),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Not A Name"}, "name"),
        ({"protocol": "smtp"}, "protocol"),
        ({"listen": "nowhere"}, "listen"),
        ({"listen": "shop:80"}, "listen"),
        ({"listen": "127.0.0.1:99999"}, "listen"),
        ({"endpoints": "web-1"}, "endpoints"),
        ({"endpoints": "ghost:80"}, "endpoints"),
        ({"name": "shop"}, "__all__"),
        ({"listen": "127.0.0.1:18080"}, "__all__"),
    ],
)
def test_form_names_the_field_at_fault(
    change: dict[str, str], field: str, browsers: Any, furnished: Any
) -> None:
    """What the action refuses stands at the field that caused it, and what was typed is kept."""
    answer = browsers.operator.post(reverse("new-service"), NEW | change)

    assert answer.status_code == 200
    assert [field] == list(answer.context["form"].errors)
    assert Service.objects.count() == 1
