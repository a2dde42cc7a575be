"""What operators leave of learnt weights: set, guarded, taken back, told to the engine; as operators do it, by REST."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.wire import Quota
from balancer_core.steering import WeightPlan
from console.actions import SYSTEM
from console.controller.steer import Steerer
from console.controller.targets import in_words, service_target, services_now, windows_of
from console.engines.envoy.doors import Door
from console.engines.envoy.engine import EnvoyEngine
from console.engines.target import InvalidTarget, Window
from console.events.models import Event
from console.fleet.leaving import stopping_without
from console.fleet.models import Host
from console.live.picture import picture
from console.traffic import weights as weights_module
from console.traffic.actions import weights as actions
from console.traffic.actions.endpoints import DrainEndpoint
from console.traffic.actions.services import CreateService
from console.traffic.draining import is_draining, wanted_state
from console.traffic.models import Endpoint, Service
from console.traffic.view import EndpointSeen, Seen, ServiceSeen, TrafficSeen, joined_health

URL = "/api/v1/services/web/"
NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def web(cluster: Any) -> Service:
    """web with an endpoint on each of web-1 and web-2."""
    for number in (1, 2):
        cluster.add(f"web-{number}", address=f"127.0.8.{number}")
    return CreateService("web", "http", "127.0.0.1", 8080, [("web-1", 80), ("web-2", 80)]).run(SYSTEM)


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """spoken(rate, capacity): the controller has just said that each of two endpoints could serve so much."""

    def say(rate_per_s: float = 0.0, capacity_per_s: float | None = 100.0) -> None:
        endpoints = [
            EndpointSeen(
                f"web-{n}", 80, 10_000, 0.5, rate_per_s / 2, 0.0, 0, 0, "healthy", "It is steady.",
                learnt=10_000, capacity_per_s=capacity_per_s,
            )
            for n in (1, 2)
        ]  # fmt: skip
        said = Seen(
            TrafficSeen(services={"web": ServiceSeen(endpoints, rate_per_s)}),
            0.2,
            {("web", each.host, 80): each for each in endpoints},
        )
        monkeypatch.setattr(actions, "seen", lambda: said)
        monkeypatch.setattr("console.traffic.api_weights.seen", lambda: said)

    return say


def percents() -> list[int]:
    return list(Endpoint.objects.order_by("host__name").values_list("weight_percent", flat=True))


def test_set_and_taken_back_each_with_its_line(api: Any, web: Service, spoken: Any) -> None:
    """Before and after in the audit trail, the reason too; undone twice it is there again; no change, no line."""
    spoken()
    asked = {"weights": {"web-1:80": 25}, "reason": "canary"}
    first = api.operator.post(f"{URL}weights/", asked)
    again = api.operator.post(f"{URL}weights/", asked)

    assert (first.status_code, again.status_code, percents()) == (200, 200, [25, 100])
    assert first.json()["undo"] == {"web-1:80": 100}
    undone = api.operator.post(f"{URL}undo-weights/", {})
    assert (undone.status_code, percents()) == (200, [100, 100])
    api.operator.post(f"{URL}undo-weights/", {})
    assert percents() == [25, 100]
    trail = list(Event.objects.filter(subject="web", actor="a-operator").order_by("id"))
    assert [each.action for each in trail] == [
        "service.set-weights",
        "service.undo-weights",
        "service.undo-weights",
    ]
    assert (trail[0].before, trail[0].after, trail[0].reason) == (
        {"weights": {"web-1:80": 100}},
        {"weights": {"web-1:80": 25}},
        "canary",
    )


def test_a_whole_priority_or_zone_is_set_at_once(api: Any, web: Service, spoken: Any) -> None:
    """Who is named itself is set to its own; a group without endpoints is not there. One line, one undo."""
    spoken()
    Host.objects.filter(name="web-2").update(labels={"zone": "b"})
    asked = {"priority:0": 50, "zone:b": 30}
    tried = api.operator.post(f"{URL}weights/try/", {"weights": asked}).json()
    done = api.operator.post(f"{URL}weights/", {"weights": asked})

    assert [each["percent"] for each in tried["endpoints"]] == [50, 30]
    assert (done.status_code, percents()) == (200, [50, 30])
    api.operator.post(f"{URL}weights/", {"weights": {"priority:0": 60, "web-1:80": 40}})
    assert percents() == [40, 60]
    assert api.operator.post(f"{URL}weights/", {"weights": {"zone:none": 1}}).status_code == 404
    assert api.operator.post(f"{URL}undo-weights/", {}).status_code == 200
    lines = Event.objects.filter(subject="web", action="service.set-weights").count()
    assert (percents(), lines) == ([50, 30], 2)


def test_nothing_to_undo_and_what_went_meanwhile(api: Any, web: Service, spoken: Any) -> None:
    """A conflict with its reason, and never a change of what is another one by now."""
    spoken()
    nothing = api.operator.post(f"{URL}undo-weights/", {})
    api.operator.post(f"{URL}weights/", {"weights": {"web-1:80": 25}})
    api.operator.post(f"{URL}remove-endpoint/", {"endpoint": "web-1:80"})
    api.operator.post(f"{URL}add-endpoint/", {"endpoint": "web-1:80"})
    changed = api.operator.post(f"{URL}undo-weights/", {})

    assert (nothing.status_code, nothing.json()["type"]) == (409, "nothing-to-undo")
    assert (changed.status_code, changed.json()["type"]) == (409, "changed")
    assert percents() == [100, 100]


def test_refused_where_the_others_cannot_carry_it(api: Any, web: Service, spoken: Any) -> None:
    """With the figures; force does it and the audit trail says that it was forced."""
    spoken(rate_per_s=120.0)
    asked = {"weights": {"web-1:80": 10}}
    tried = api.viewer.post(f"{URL}weights/try/", asked).json()
    refused = api.operator.post(f"{URL}weights/", asked)

    assert tried["objections"] == [
        "web-2:80 could not carry it: it would get 109 requests/s, and could serve 100."
    ]
    assert (refused.status_code, refused.json()["type"], percents()) == (409, "cannot-carry", [100, 100])
    assert tried["objections"][0] in refused.json()["detail"]
    assert api.operator.post(f"{URL}weights/", {**asked, "force": True}).status_code == 200
    assert Event.objects.filter(action="service.set-weights").get().after["forced"] == tried["objections"]


def test_last_endpoint_is_not_set_to_nothing_by_mistake(api: Any, web: Service, spoken: Any) -> None:
    """Also where the other one drains, or the controller is silent and nobody knows."""
    silent = api.operator.post(f"{URL}weights/", {"weights": {"web-1:80": 50}})
    spoken()
    DrainEndpoint("web", "web-2", 80).run(SYSTEM)
    last = api.operator.post(f"{URL}weights/", {"weights": {"web-1:80": 0}})

    assert (silent.status_code, "not spoken" in silent.json()["detail"]) == (409, True)
    assert (last.status_code, "No endpoint would take" in last.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("weights", "status"),
    [
        ({"web-1:80": 101}, 400),
        ({"web-1:80": -1}, 400),
        ({"web-9:80": 50}, 404),
        ({}, 400),
        ({"<b>": 1}, 404),
    ],
)
def test_what_is_no_weight_is_refused_whole(
    api: Any, web: Service, spoken: Any, weights: dict[str, int], status: int
) -> None:
    """Nothing of it is done."""
    spoken()
    answer = api.operator.post(f"{URL}weights/", {"weights": {"web-2:80": 50, **weights} if weights else {}})

    assert (answer.status_code, percents()) == (status, [100, 100])
    assert api.viewer.post(f"{URL}weights/", {"weights": {"web-1:80": 50}}).status_code == 403


def learnt(per_weight: float | None) -> WeightPlan:
    """A plan for both endpoints, of 2,500 and 10,000."""
    weights = {"127.0.8.1:80": 2_500, "127.0.8.2:80": 10_000}
    return WeightPlan(weights, {}, False, {}, per_weight is not None, {}, per_weight)


def test_the_picker_is_told_in_which_windows_hosts_work(web: Service, spoken: Any) -> None:
    """What one serves is its capacity times the period; an operator's part of the weight does not change that."""
    spoken()
    actions.SetWeights("web", {"web-1:80": 30}).run(SYSTEM)
    (service,) = services_now()
    quotas = {"web-1": Quota(0.25, 0.1), "web-2": Quota(1.0, 0.1)}
    plan = learnt(0.02)
    windows = windows_of(service, plan, quotas.get)

    # web-2 has a whole core: it may run on several at once.
    assert windows == {"127.0.8.1:80": Window(0.1, 0.25, 5.0)}
    # Not each small thing that is learnt is told anew.
    assert windows_of(service, learnt(0.0203), quotas.get) == windows
    assert windows_of(service, learnt(0.022), quotas.get) != windows
    told = {each.host: each.window for each in service_target(service, plan.weights, NOW, windows).endpoints}
    assert told == {"web-1": Window(0.1, 0.25, 5.0), "web-2": None}
    said = in_words(windows["127.0.8.1:80"])
    assert "0.25 of a core in periods of 100 ms" in said
    assert "about 5 requests" in said


def test_windows_wait_for_what_is_learnt_and_for_the_picker(web: Service) -> None:
    """Nothing is told while requests have no cost yet, nor where another way to choose is set."""
    (service,) = services_now()
    quotas = {"web-1": Quota(0.25, 0.1)}
    assert windows_of(service, learnt(None), quotas.get) == {}
    assert windows_of(service, learnt(0.02), {}.get) == {}
    service.settings = {"pool": {"balance": "round_robin"}}
    assert windows_of(service, learnt(0.02), quotas.get) == {}
    service.settings = {"pool": {"panic_percent": 50}}
    assert windows_of(service, learnt(0.02), quotas.get) == {}


@pytest.mark.parametrize(
    "window", [(0.0, 0.25, 5.0), (2.0, 0.25, 5.0), (0.1, float("nan"), 5.0), (0.1, 0.25, -1.0)]
)
def test_what_is_no_window_is_no_target(window: tuple[float, float, float]) -> None:
    """Refused with the field."""
    with pytest.raises(InvalidTarget, match="window"):
        Window(*window)


def test_engine_is_told_what_is_left_and_the_law_is_not(web: Service, spoken: Any) -> None:
    """The told weight is the part of the learnt one; nothing left is a drain that never closes."""
    spoken()
    actions.SetWeights("web", {"web-1:80": 30}).run(SYSTEM)
    (service,) = services_now()
    learnt = {"127.0.8.1:80": 8_000, "127.0.8.2:80": 10_000}
    told = {each.host: each.weight for each in service_target(service, learnt, NOW).endpoints}

    assert told == {"web-1": 2_400, "web-2": 10_000}
    actions.SetWeights("web", {"web-1:80": 0}).run(SYSTEM)
    (service,) = services_now()
    rested = next(each for each in service.endpoints.all() if each.host.name == "web-1")
    assert is_draining(rested)
    assert wanted_state(rested, 0.0, NOW) == "draining"
    assert "set its weight to 0 %" in joined_health(rested, None).reasons[0]
    assert stopping_without(Host.objects.get(name="web-2")).none == ["web"]


async def test_a_new_leader_learns_on_without_what_operators_took(web: Any, tmp_path: Path) -> None:
    """What it finds in force is a part of the learnt weight; taken for the whole it would be cut again."""
    from console.engines.envoy.stats import EndpointStats, ServiceStats
    from console.live.threads import in_thread

    await in_thread(actions.SetWeights("web", {"web-1:80": 25}, force=True).run, SYSTEM)
    engine = EnvoyEngine((Door(f"unix:{tmp_path}/xds"),))
    in_force = {"127.0.8.1:80": 2_500, "127.0.8.2:80": 10_000}

    async def observe() -> dict[str, ServiceStats]:
        return {
            "web": ServiceStats({k: EndpointStats(health="healthy", weight=w) for k, w in in_force.items()})
        }

    engine.observe = observe  # type: ignore[method-assign]
    seen = await Steerer(picture, engine, epoch=1).step(await in_thread(services_now), 0.0)
    first, second = seen.services["web"].endpoints

    assert (first.learnt, first.weight) == (second.learnt, pytest.approx(second.weight / 4, abs=1))


def test_pools_that_look_at_no_weight_say_so(web: Service) -> None:
    """Random and hash, and what the picker does while all idle."""
    endpoints = list(web.endpoints.all())

    def notes(**pool: Any) -> str:
        web.settings = {"pool": pool}
        return " ".join(weights_module.foresee(web, endpoints, {}, Seen(TrafficSeen())).notes)

    assert "at random" in notes(balance="random")
    assert "by hash" in notes(balance="hash")
    assert notes(balance="round_robin") == ""
    assert "While endpoints idle" in notes()
