"""Engines in the console: what is shown of them, who may connect, and the guard's door."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.urls import reverse
from django.utils import timezone

from console.actions import SYSTEM, Conflict, Invalid, Unknown
from console.controller.lease import Candidate
from console.controller.targets import services_now
from console.controller.traffic import Traffic
from console.engines.envoy.access_logs import RequestSeen
from console.engines.envoy.doors import Door, DoorRefused
from console.engines.envoy.engine import EnvoyEngine
from console.engines.envoy.reports import NodeReport
from console.engines.envoy.rollout import Told
from console.engines.target.settings import Settings
from console.events.models import Event
from console.live import feed
from console.live.threads import in_thread
from console.nodes import published
from console.nodes.actions.publish import MEANT_FOR, PublishByForce, meant_now
from console.nodes.actions.tokens import IssueNodeToken, RevokeNodeToken, node_of
from console.nodes.doors import doors
from console.nodes.models import Force, Published
from console.traffic.actions.services import CreateService
from console.traffic.models import Endpoint, Service
from console.traffic.view import (
    EndpointSeen,
    EngineSeen,
    HeldBack,
    NodeShare,
    RequestShown,
    ServiceSeen,
    TrafficSeen,
    encode_traffic,
)
from console.underway.sources import rollouts

EDGE = EngineSeen(
    "edge", connected=True, version="1.40.0", ready=True, uptime_s=61.0, picker="least_request",
    picker_reason="The module is not there.", desired=8, applied=7, acked=12, nacked=1,
    last_refusal="shop: cannot bind '192.0.2.1:80'", report_age_s=0.5,
)  # fmt: skip
SHOP = ServiceSeen(
    [EndpointSeen("web-1", 80, 100, 1.0, 40.0, 0.5, 3, 900, "ejected", "Why.")], 40.0, 1.0, 9.0
)


class Said:
    """Stands where a web process has its feed, with one word of the controller on it."""

    def __init__(self, word: TrafficSeen, age_s: float = 0.0) -> None:
        self.traffic = encode_traffic(word)
        self.traffic_at = time.monotonic() - age_s
        self.bus = type("Bus", (), {"connected": True})()


@pytest.fixture
def word(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> TrafficSeen:
    """The controller has just said this."""
    held = [HeldBack("shop", 4, 1)]
    built = TrafficSeen(3, {"shop": SHOP}, [EDGE], "endpoints would fall below half: shop from 4 to 1", held)
    monkeypatch.setattr(feed, "feed", Said(built))
    return built


@pytest.fixture
def shop(cluster: Any) -> None:
    """A service of four endpoints on two hosts."""
    for name in ("web-1", "web-2"):
        cluster.add(name)
    ends = [(name, port) for name in ("web-1", "web-2") for port in (80, 81)]
    CreateService("shop", "http", "127.0.0.1", 8080, ends).run(SYSTEM)


def test_engines_are_listed_with_desired_and_applied(api: Any, word: TrafficSeen) -> None:
    """A viewer sees nodes, versions, the picker and why, the last refusal in Envoy's words, and what is held back."""
    answer = api.viewer.get("/api/v1/engines/").json()

    assert answer["count"] == 1
    assert answer["held"] == [{"service": "shop", "before": 4, "after": 1}]
    (edge,) = answer["results"]
    assert (edge["node"], edge["desired"], edge["applied"], edge["picker"]) == ("edge", 8, 7, "least_request")
    assert "cannot bind" in edge["last_refusal"]


def test_an_engine_is_being_configured_where_that_takes_longer(
    word: TrafficSeen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are on their way to it all the while: that is nothing to tell."""
    now = {task.key for task in rollouts()}
    lacking = msgspec.structs.replace(EDGE, lacks_s=3.5)
    monkeypatch.setattr(feed, "feed", Said(msgspec.structs.replace(word, engines=[lacking])))

    later = {task.key: task for task in rollouts()}

    assert "engine edge" not in now
    assert later["engine edge"].detail == "7 of 8 resources taken"


def test_the_page_says_the_same_and_offers_the_door(
    api: Any, word: TrafficSeen, user: Any, client: Any
) -> None:
    """Text a person can read; the button is the administrator's, others read why it is not theirs."""
    pages = {}
    for role in ("viewer", "admin"):
        client.force_login(user(role))
        pages[role] = client.get(reverse("engines")).content.decode()

    for said in ("edge", "7 of 8", "The module is not there.", "cannot bind", "from 4 to 1"):
        assert said in pages["viewer"]
    assert "Asks for the role admin" in pages["viewer"]
    assert "Publish all the same</button>" in pages["admin"]
    posted = client.post(reverse("publish"), {"service": "shop", "reason": "moved"}, follow=True)
    assert "published as it was asked for" in posted.content.decode()
    assert meant_now() == {"shop"}


def test_an_endpoint_is_shown_as_each_node_sees_it(
    api: Any, shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are several; summed beside it, with a mean latency and the engine's own flags."""
    share = NodeShare(20.0, 0.5, 2, 3.5, "ejected")
    seen = EndpointSeen(
        "web-1", 80, 100, 1.0, 40.0, 0.5, 3, 900, "healthy", "Why.", 3.0, ("failed_outlier_check",), {"edge": share}
    )  # fmt: skip
    monkeypatch.setattr(feed, "feed", Said(TrafficSeen(3, {"shop": ServiceSeen([seen], 40.0)}, [EDGE])))

    first = api.viewer.get("/api/v1/services/shop/").json()["endpoints"][0]["engine"]

    assert (first["host"], first["latency_ms"], first["flags"]) == ("web-1", 3.0, ["failed_outlier_check"])
    assert first["nodes"]["edge"]["health"] == "ejected"


def test_logged_requests_stand_on_the_services_page(
    api: Any, shop: None, user: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, endpoint, duration and flags in words; hostile paths as text."""
    request = RequestShown(
        1.0, "edge", "10.0.0.9", "GET", "/<b>", 503, "web-1:80", 12.5, ("no endpoint was well",), 2
    )
    word = TrafficSeen(3, {"shop": ServiceSeen([], 40.0, requests=[request])}, [EDGE])
    monkeypatch.setattr(feed, "feed", Said(word))
    client.force_login(user("viewer"))

    page = client.get(reverse("service", args=["shop"])).content.decode()

    for said in ("Last requests", "503", "GET /&lt;b&gt;", "web-1:80", "no endpoint was well", "2 attempts"):
        assert said in page


def test_force_is_for_what_is_held_back_and_by_administrators(api: Any, word: TrafficSeen) -> None:
    """A door with a role and a reason in the audit trail; without force, or for another service, it stays shut."""
    url = "/api/v1/engines/publish/"

    assert api.operator.post(url, {"force": True}).status_code == 403
    assert api.admin.post(url, {"force": False}).status_code == 400
    assert api.admin.post(url, {"force": True, "services": ["other"]}).status_code == 409
    assert api.admin.post(url, {"force": True, "reason": "moved"}).json() == {"services": ["shop"]}
    event = Event.objects.get(action="engine.publish-by-force")
    assert (event.subject, event.reason, event.after) == ("shop", "moved", {"endpoints": 1})


def test_nothing_held_back_is_nothing_to_force(cluster: Any) -> None:
    """The action says so instead of opening the door for whatever comes next."""
    with pytest.raises(Conflict, match="holds nothing back"):
        PublishByForce().run(SYSTEM)


def test_an_old_word_of_force_is_void(word: TrafficSeen) -> None:
    """A leader that comes up much later must not find it."""
    PublishByForce().run(SYSTEM)
    assert meant_now() == {"shop"}
    Force.objects.update(at=timezone.now() - 2 * MEANT_FOR)

    assert meant_now() == set()


def test_a_nodes_token_is_shown_once_replaced_and_revoked(api: Any) -> None:
    """Only its hash is kept; a new one ends the old one; who has none is nobody."""
    first = api.admin.post("/api/v1/engines/tokens/", {"node": "edge"}).json()["token"]
    second = IssueNodeToken("edge").run(SYSTEM)

    assert (node_of(first), node_of(second), node_of("")) == (None, "edge", None)
    assert api.admin.delete("/api/v1/engines/tokens/edge/").status_code == 204
    assert node_of(second) is None
    with pytest.raises(Unknown):
        RevokeNodeToken("edge").run(SYSTEM)
    with pytest.raises(Invalid):
        IssueNodeToken("Not a name").run(SYSTEM)


def test_a_door_on_the_network_needs_its_certificate(settings: Any) -> None:
    """The controller refuses to serve nodes in the clear, and says which settings are missing."""
    settings.STEELYARD_XDS_LISTEN = "127.0.0.1:18000"

    with pytest.raises(DoorRefused, match="STEELYARD_XDS_CERTIFICATE"):
        doors()


def test_metrics_are_few_and_of_now(api: Any, word: TrafficSeen, monkeypatch: pytest.MonkeyPatch) -> None:
    """A series for each service and node; none for what nobody said lately."""
    now = api.viewer.get("/metrics").content.decode()
    monkeypatch.setattr(feed, "feed", Said(word, age_s=60.0))
    later = api.viewer.get("/metrics").content.decode()

    for line in (
        'steelyard_service_requests_per_s{service="shop"} 40.0',
        'steelyard_endpoints{health="ejected",service="shop"} 1.0',
        'steelyard_engine_acked_total{engine="edge"} 12.0',
        'steelyard_engine_nacked_total{engine="edge"} 1.0',
        'steelyard_engine_applied{engine="edge"} 7.0',
        "steelyard_held_back 1.0",
        "steelyard_controller_spoke 1.0",
    ):
        assert line in now
    assert "web-1" not in now
    assert "steelyard_controller_spoke 0.0" in later
    assert "steelyard_engine_acked_total" not in later


def test_metrics_have_the_endpoints_of_a_service_that_is_asked_for(api: Any, word: TrafficSeen) -> None:
    """Rate, errors, in flight and weight of each; of no other service, of none for a name that is no service's."""
    shop = api.viewer.get("/metrics", {"service": "shop"}).content.decode()
    nobody = api.viewer.get("/metrics", {"service": '"} 1\n'}).content.decode()

    for line in (
        'steelyard_endpoint_requests_per_s{endpoint="web-1:80",service="shop"} 40.0',
        'steelyard_endpoint_errors_per_s{endpoint="web-1:80",service="shop"} 0.5',
        'steelyard_endpoint_in_flight{endpoint="web-1:80",service="shop"} 3.0',
        'steelyard_endpoint_weight{endpoint="web-1:80",service="shop"} 100.0',
    ):
        assert line in shop
    # Nothing was asked of it in that second.
    assert "steelyard_endpoint_latency_ms{" not in shop
    assert 'steelyard_service_requests_per_s{service="shop"} 40.0' in nobody
    assert "steelyard_endpoint_" not in nobody


class Leader:
    """The traffic of one leadership, on an engine without nodes."""

    def __init__(self, folder: Path, epoch: int, baseline: Any = None) -> None:
        self.engine = EnvoyEngine((Door(f"unix:{folder}/x"),), baseline=baseline)
        self.traffic = Traffic(self.engine, epoch)


async def test_the_guard_holds_over_a_change_of_leader_and_force_opens_it(shop: None, tmp_path: Path) -> None:
    """Most endpoints vanish while nobody leads: the next leader keeps what the last one published, says so, goes on
    with the other services, and publishes it when somebody means it; once."""
    epoch = await in_thread(_lead)
    await Leader(tmp_path, epoch).traffic.step()
    assert (await in_thread(published.baseline)).services[0].name == "shop"
    await in_thread(_lose_endpoints)
    successor = Leader(tmp_path, epoch, await in_thread(published.baseline))

    held = await successor.traffic.step()
    await in_thread(Force.objects.create, service="shop", asked_by="ann")
    meant = await successor.traffic.step()
    after = await successor.traffic.step()

    assert [(each.service, each.before, each.after) for each in held.held] == [("shop", 4, 1)]
    assert "shop from 4 to 1" in held.guard
    assert set(held.services) == {"shop", "news"}
    assert {len(each.endpoints) for each in successor.engine.target.services} == {1}
    assert (meant.held, after.held) == ([], [])
    assert await in_thread(Force.objects.count) == 0
    assert len((await in_thread(published.baseline)).services) == 2


async def test_what_a_rollout_did_is_an_event(shop: None, tmp_path: Path) -> None:
    """With the engine's words, on the engine's page."""
    leader = Leader(tmp_path, await in_thread(_lead))
    leader.engine._told.append(Told("refused", "edge", (("type", "shop"),), "cannot bind"))

    await leader.traffic.step()
    event = await in_thread(Event.objects.get, action="engine.refused")

    assert (event.subject, event.reason, event.after["resources"]) == ("edge", "cannot bind", ["shop"])


async def test_settings_priorities_and_logged_requests_reach_where_they_belong(
    shop: None, tmp_path: Path
) -> None:
    """The document becomes the target's settings; a logged request's endpoint is shown by its host's name."""

    def change() -> str:
        Service.objects.update(settings={"engines": ["edge"], "log_share": 0.5})
        first = Endpoint.objects.select_related("host").order_by("host__name", "port")[0]
        Endpoint.objects.filter(pk=first.pk).update(priority=2)
        return str(first.host.address)

    address = await in_thread(change)
    leader = Leader(tmp_path, await in_thread(_lead))
    request = RequestSeen(
        "shop", 1.0, "10.0.0.9", "GET", "/", 503, f"{address}:80", 12.0, ("no endpoint was well",)
    )
    leader.engine._reported(NodeReport("edge", requests=[request]))

    seen = await leader.traffic.step()

    (target,) = leader.engine.target.services
    assert target.settings == Settings(engines=("edge",), log_share=0.5)
    assert sorted(each.priority for each in target.endpoints) == [0, 0, 0, 2]
    (shown,) = seen.services["shop"].requests
    assert (shown.endpoint, shown.status, shown.flags) == ("web-1:80", 503, ("no endpoint was well",))


def test_a_kept_target_that_cannot_be_read_is_none(database: None) -> None:
    """An older release meets a newer one's row: it starts as if there were none."""
    Published.objects.create(pk=published.ROW, epoch=1, target={"services": [{"new": 1}]})

    assert published.baseline() is None


def _lead() -> int:
    candidate = Candidate("test")
    assert candidate.campaign(time.monotonic())
    assert services_now()
    return candidate.epoch


def _lose_endpoints() -> None:
    Endpoint.objects.filter(service__name="shop").exclude(host__name="web-1", port=80).delete()
    CreateService("news", "http", "127.0.0.1", 8081, [("web-1", 90)]).run(SYSTEM)
