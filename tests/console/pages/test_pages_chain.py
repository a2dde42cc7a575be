"""The chain's page, its live figures and its API, from what is configured."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.urls import reverse

from console.actions import SYSTEM
from console.chain.reading import reader
from console.events.models import Event
from console.live import feed
from console.traffic.actions.services import CreateService, SetTier
from console.traffic.actions.settings import ConfigureService
from console.traffic.models import Service
from console.traffic.view import (
    EndpointSeen,
    EngineSeen,
    NodeShare,
    Refused,
    ServiceSeen,
    TrafficSeen,
    encode_traffic,
)

HOSTILE = "<script>alert(1)</script>\"'&"


def say(
    monkeypatch: pytest.MonkeyPatch, *, age_s: float = 0.0, engine: str = "edge", refused: str = ""
) -> None:
    """The controller's word: web-1 has 30/s, web-2 has 10/s and a tenth of them fail; two engines."""

    def at(host: str, rate: float, errors: float) -> EndpointSeen:
        nodes = {
            engine: NodeShare(rate * 0.75, errors, 1, 2.0, "healthy"),
            "far": NodeShare(rate * 0.25, 0, 1, 2.0, "healthy"),
        }
        return EndpointSeen(host, 8080, 100, rate / 40, rate, errors, 1, 9, "healthy", "", 2.0, nodes=nodes)

    class Said:
        traffic = encode_traffic(
            TrafficSeen(
                1,
                {"shop": ServiceSeen([at("web-1", 30.0, 0.0), at("web-2", 10.0, 1.0)], 40.0, 1.0, 20.0, nodes=2,
                                     refused=[Refused(engine, "listener", refused)] if refused else [])},
                [EngineSeen(name, True, ready=True, report_age_s=0.1, rate_per_s=20.0) for name in (engine, "far")],
            )
        )  # fmt: skip
        traffic_at = time.monotonic() - age_s

    monkeypatch.setattr(feed, "feed", Said())
    reader.forget()


def test_the_chain_is_what_is_configured(
    browsers: Any, furnished: Any, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, engines, services and endpoints, with each engine's part of what flows."""
    CreateService("pg", "tcp", "127.0.0.1", 15432, [("db-1", 5432)], tier="database").run(SYSTEM)
    ConfigureService("shop", {"http": {"hosts": ["shop.test"]}}).run(SYSTEM)
    say(monkeypatch)
    answer = api.viewer.get("/api/v1/chain/").json()
    flows = {edge["id"]: edge["flow"] for edge in answer["edges"]}
    nodes = {node["id"]: node for node in answer["nodes"]}

    assert ["names", "names", "balancers", "balancers", "web", "database"] == [
        n["column"] for n in answer["nodes"]
    ]
    assert (30.0, 10.0) == (
        flows["engine:edge>service:shop"]["rate_per_s"], flows["engine:far>service:shop"]["rate_per_s"]
    )  # fmt: skip
    assert (40.0, 1.0, 20.0) == tuple(
        nodes["service:shop"][key] for key in ("rate_per_s", "errors_per_s", "p99_ms")
    )
    assert ["failing"] == [mark["word"] for mark in nodes["service:shop"]["marks"]]
    assert (None, "unknown") == (nodes["service:pg"]["rate_per_s"], nodes["service:pg"]["parts"][0]["state"])
    page = browsers.viewer.get(reverse("chain")).content.decode()
    for said in (
        "shop.test",
        "2.5% of shop&#x27;s requests fail.",
        "✕ failing",
        "db-1:5432",
        "No cache yet",
        "30/s",
    ):
        assert said in page


def test_old_figures_are_unknown(browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is configured stays; what flowed is not shown as the present, nor as well."""
    say(monkeypatch, age_s=6.0)
    live = browsers.viewer.get(reverse("chain-live")).json()

    assert not live["fresh"]
    assert "unknown" in live["verdict"]
    assert ("unknown", "unknown") == (
        live["nodes"]["service:shop"]["rate"],
        live["nodes"]["service:shop"]["p99"],
    )
    assert {""} == {edge["text"] for edge in live["edges"].values()}
    assert not any(edge["flows"] for edge in live["edges"].values())


def test_figures_move_and_structure_stays(
    browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page reads itself anew only when something came or went."""
    url = reverse("chain-live")
    say(monkeypatch)
    first = browsers.viewer.get(url).json()
    say(monkeypatch, age_s=6.0)
    second = browsers.viewer.get(url).json()
    CreateService("cache", "tcp", None, None, [("web-1", 6379)], tier="cache").run(SYSTEM)
    reader.forget()
    third = browsers.viewer.get(url).json()

    assert first["structure"] == second["structure"] != third["structure"]
    assert f'structure="{third["structure"]}"' in browsers.viewer.get(reverse("chain")).content.decode()


def test_many_viewers_are_one_reading(
    browsers: Any, furnished: Any, django_assert_max_num_queries: Any
) -> None:
    """Beside who asks (session and user), the second look within a second asks the database nothing."""
    browsers.viewer.get(reverse("chain-live"))
    with django_assert_max_num_queries(2):
        browsers.viewer.get(reverse("chain-live"))


def test_words_of_others_are_text(browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine's name and what it refuses come from outside."""
    say(monkeypatch, engine=HOSTILE, refused=HOSTILE)
    page = browsers.viewer.get(reverse("chain")).content.decode()

    assert "<script>alert" not in page
    assert "refuses the listener: &lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;" in page


def test_what_is_missing_is_an_invitation(browsers: Any, cluster: Any) -> None:
    """One next step: a host before anything; then services, each of its tier; who may not is told why."""
    empty = browsers.operator.get(reverse("chain")).content.decode()
    cluster.add("web-1")
    reader.forget()
    next_page = browsers.operator.get(reverse("chain")).content.decode()

    assert f'href="{reverse("add-host")}">Add a host first' in empty
    assert "Nothing is configured yet." in empty
    for tier in ("web", "application", "cache", "database"):
        assert f'href="{reverse("new-service")}?tier={tier}"' in next_page
    viewed = browsers.viewer.get(reverse("chain")).content.decode()
    assert "Asks for the role operator" in viewed
    assert 'href="/services/new/' not in viewed


def test_a_part_of_the_chain_is_asked_for(browsers: Any, furnished: Any) -> None:
    """By a name; what is not there says so."""
    CreateService("pg", "tcp", "127.0.0.1", 15432, [("db-1", 5432)], tier="database").run(SYSTEM)
    reader.forget()
    page = browsers.viewer.get(reverse("chain"), {"q": "shop"}).content.decode()

    assert 'data-node="service:shop"' in page
    assert 'data-node="service:pg"' not in page
    assert "1 service more have nothing to do with it" in page or "1 service more" in page
    assert "is called like that" in browsers.viewer.get(reverse("chain"), {"q": HOSTILE}).content.decode()


def test_a_tier_is_said_by_form_and_api(browsers: Any, furnished: Any, api: Any) -> None:
    """Recorded with before and after; the same again changes nothing; another word is refused by its field."""
    browsers.operator.post(reverse("service-tier", args=["shop"]), {"tier": "web"})
    assert Service.objects.get(name="shop").tier == "web"
    answer = api.operator.patch("/api/v1/services/shop/", {"tier": "cache"})
    assert (200, "cache") == (answer.status_code, answer.json()["tier"])
    SetTier("shop", "cache").run(SYSTEM)
    said = Event.objects.filter(action="service.set-tier").order_by("id").values_list("before", "after")
    assert [({"tier": "other"}, {"tier": "web"}), ({"tier": "web"}, {"tier": "cache"})] == list(said)
    wrong = api.operator.patch("/api/v1/services/shop/", {"tier": "router"})
    assert (400, "tier") == (wrong.status_code, wrong.json()["errors"][0]["field"])
    assert api.operator.patch("/api/v1/services/shop/", {}).status_code == 400
    assert ["shop"] == [
        each["name"] for each in api.viewer.get("/api/v1/services/?tier=cache").json()["results"]
    ]


def test_a_service_is_made_with_its_tier(browsers: Any, furnished: Any, api: Any) -> None:
    """The invitation fills the form in; the API and the action take the word."""
    form = browsers.operator.get(reverse("new-service"), {"tier": "database"}).content.decode()
    assert '<option value="database" selected>' in form
    assert '<option value="tcp" selected>' in form
    body = {"name": "redis", "protocol": "tcp", "endpoints": ["web-1:6379"], "tier": "cache"}
    assert "cache" == api.operator.post("/api/v1/services/", body).json()["tier"]
    wrong = api.operator.post("/api/v1/services/", {**body, "name": "two", "tier": "router"})
    assert (400, "tier") == (wrong.status_code, wrong.json()["errors"][0]["field"])


@pytest.mark.parametrize(("age_s", "rate"), [(0.0, 20.0), (60.0, None)])
def test_engines_are_exported_as_last_said(
    age_s: float, rate: float | None, browsers: Any, furnished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the age of the word; a rate that is too old is unknown."""
    say(monkeypatch, age_s=age_s)
    rows = json.loads(browsers.viewer.get("/lists/engines/json/").getvalue())

    assert [(each["node"], each["rate_per_s"]) for each in rows] == [("edge", rate), ("far", rate)]
    assert rows[0]["said_age_s"] >= age_s
    assert "/lists/engines/csv/" in browsers.viewer.get("/engines/").content.decode()
