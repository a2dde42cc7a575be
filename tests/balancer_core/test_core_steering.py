"""The control law, step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer_core.steering import EndpointView, InvalidView, Steering


def view(key: str, **parts: Any) -> EndpointView:
    """A healthy endpoint of 4 cores, half in use, but for what is given."""
    usual = {
        "capacity_cores": 4.0,
        "utilisation": 0.5,
        "rate_per_s": 100.0,
        "errors_per_s": 0.0,
        "in_flight": 4.0,
    }
    return EndpointView(**({"key": key, "report_age_s": 0.5, "healthy": True} | usual | parts))


def share(weights: Any, key: str) -> float:
    """A key's part of all weights."""
    return float(weights[key] / sum(weights.values()))


def after(steering: Steering, views: list[EndpointView], seconds: int, start: int = 1) -> Any:
    """The plan after so many steps of a second with the same views."""
    plan = steering.step(views, float(start))
    for now in range(start + 1, start + seconds):
        plan = steering.step(views, float(now))
    return plan


def test_traffic_starts_at_capacity_share() -> None:
    """Twice the cores, twice the weight, before anything was learnt."""
    plan = Steering().step([view("a", capacity_cores=2.0), view("b")], 0.0)
    assert (dict(plan.weights), plan.changed) == ({"a": 5_000, "b": 10_000}, True)


def test_an_endpoint_with_unknown_cores_counts_as_an_average_one() -> None:
    """Zero cores means not known, not none."""
    plan = Steering().step(
        [view("a", capacity_cores=0.0), view("b", capacity_cores=2.0), view("c", capacity_cores=6.0)], 0.0
    )
    assert pytest.approx(1 / 3, abs=0.01) == share(plan.weights, "a")


def test_the_busier_endpoint_loses_share_and_the_reason_says_why() -> None:
    """More in use than the mean goes down, less goes up, with the numbers."""
    plan = after(Steering(), [view("a", utilisation=0.8), view("b", utilisation=0.4)], 10)
    assert share(plan.weights, "a") < 0.45
    assert "80% in use against a mean of 60%, so its share falls by" in plan.reasons["a"]
    assert "so its share rises by" in plan.reasons["b"]


@pytest.mark.parametrize("utilisation", [0.0, 1.0, 50.0])
def test_no_share_moves_by_more_than_a_fifth_in_a_step(utilisation: float) -> None:
    """Whatever is reported, and however long the step was."""
    steering = Steering()
    views = [view("a", utilisation=utilisation), view("b", utilisation=0.5), view("c", utilisation=0.2)]
    before = steering.step(views, 0.0).weights
    for now in range(10, 200, 10):
        now_weights = steering.step(views, float(now)).weights
        for key in "abc":
            assert 1 / 1.21 <= share(now_weights, key) / share(before, key) <= 1.21
        before = now_weights


def test_an_idle_service_stays_at_capacity_share() -> None:
    """Below 5 % nothing can be learnt: 4 % against 1 % is noise."""
    plan = after(Steering(), [view("a", utilisation=0.04), view("b", utilisation=0.01)], 120)
    assert dict(plan.weights) == {"a": 10_000, "b": 10_000}
    assert "the service is idle" in plan.reasons["a"]


@pytest.mark.parametrize("utilisation", [0.02, 0.5])
def test_an_endpoint_that_fails_fast_attracts_nothing(utilisation: float) -> None:
    """Its host looks idle because it only says no; errors count as pressure, also in an idle service."""
    failing = view("bad", utilisation=0.01, errors_per_s=50.0)
    others = [view(key, utilisation=utilisation) for key in ("b", "c")]
    plan = after(Steering(), [failing, *others], 60)
    assert share(plan.weights, "bad") < 0.2
    assert plan.weights["bad"] >= 1
    assert "50% of its requests fail" in plan.reasons["bad"]


def test_an_endpoint_where_requests_pile_up_attracts_nothing() -> None:
    """A host that waits for something unmeasured looks idle; its queue does not."""
    stuck = view("stuck", utilisation=0.1, in_flight=200.0)
    plan = after(Steering(), [stuck, view("b"), view("c"), view("d")], 60)
    assert share(plan.weights, "stuck") < 0.2
    assert "200 requests pile up on it" in plan.reasons["stuck"]


def test_an_endpoint_that_claims_to_be_idle_for_ever_is_bounded() -> None:
    """At most about twice its fair share, whatever it says."""
    views = [view("liar", utilisation=0.0), *(view(f"h{number}", utilisation=0.9) for number in range(7))]
    plan = after(Steering(), views, 400)
    assert share(plan.weights, "liar") <= 2.1 / 8


def test_old_reports_lead_back_to_capacity_share() -> None:
    """What was learnt is forgotten when nothing new comes."""
    steering = Steering()
    learnt = after(steering, [view("a", utilisation=0.9), view("b", utilisation=0.3)], 30)
    assert share(learnt.weights, "a") < 0.4
    stale = [view("a", utilisation=0.9, report_age_s=60.0), view("b", utilisation=0.3, report_age_s=60.0)]
    plan = after(steering, stale, 300, start=31)
    assert pytest.approx(0.5, abs=0.02) == share(plan.weights, "a")
    assert "its last report is 60 s old" in plan.reasons["a"]


def test_a_newcomer_ramps_up() -> None:
    """It starts at a fifth of its share and has all of it after half a minute."""
    steering = Steering()
    steering.step([view("a")], 0.0)
    both = [view("a"), view("b")]
    first = steering.step(both, 1.0)
    assert pytest.approx(0.2 / 1.2, abs=0.01) == share(first.weights, "b")
    assert "it is new, and ramps up at 20% of its share" in first.reasons["b"]
    assert pytest.approx(0.5, abs=0.02) == share(after(steering, both, 45, start=2).weights, "b")


def test_an_unhealthy_endpoint_keeps_its_weight_and_ramps_up_when_it_returns() -> None:
    """Health is said to the engine separately; coming back is like coming new."""
    steering = Steering()
    steering.step([view("a"), view("b")], 0.0)
    sick = steering.step([view("a"), view("b", healthy=False)], 1.0)
    assert sick.weights["b"] == 10_000
    assert sick.reasons["b"].startswith("Unhealthy: gets no traffic, and keeps weight 10000")
    assert share(steering.step([view("a"), view("b")], 2.0).weights, "b") < 0.25


def test_noise_publishes_nothing() -> None:
    """A hundred steps of utilisation that trembles by two points change no weight."""
    steering = Steering()
    first = steering.step([view("a"), view("b"), view("c")], 0.0)
    for now in range(1, 100):
        swing = 0.02 * math.sin(now)
        plan = steering.step(
            [view("a", utilisation=0.5 + swing), view("b", utilisation=0.5 - swing), view("c")], now
        )
        assert (dict(first.weights), False) == (dict(plan.weights), plan.changed)


def test_all_unhealthy_keeps_everything() -> None:
    """Nobody to steer by: weights stay, none becomes zero, and the plan is not a change."""
    steering = Steering()
    before = steering.step([view("a"), view("b", capacity_cores=2.0)], 0.0)
    plan = steering.step([view("a", healthy=False), view("b", capacity_cores=2.0, healthy=False)], 1.0)
    assert (dict(before.weights), False) == (dict(plan.weights), plan.changed)


def test_who_goes_is_forgotten_and_nobody_left_is_an_empty_plan() -> None:
    """Membership changes are changes."""
    steering = Steering()
    steering.step([view("a"), view("b")], 0.0)
    assert ((plan := steering.step([view("a")], 1.0)).weights, plan.changed) == ({"a": 10_000}, True)
    assert ((empty := steering.step([], 2.0)).weights, empty.changed) == ({}, True)


def test_a_new_leader_goes_on_from_the_weights_in_force() -> None:
    """What another process learnt is not thrown away."""
    plan = Steering(resume={"a": 5_000, "b": 10_000}).step([view("a"), view("b")], 0.0)
    assert dict(plan.weights) == {"a": 5_000, "b": 10_000}


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("utilisation", math.nan),
        ("utilisation", -0.1),
        ("capacity_cores", math.inf),
        ("rate_per_s", -1.0),
        ("errors_per_s", math.nan),
        ("in_flight", -1),
        ("latency_s", math.inf),
        ("report_age_s", math.nan),
        ("report_age_s", -1.0),
    ],
)
def test_figures_that_mean_nothing_are_refused(name: str, figure: float) -> None:
    """The error names the figure."""
    with pytest.raises(InvalidView) as refused:
        view("a", **{name: figure})
    assert name == refused.value.field


def test_two_views_of_one_endpoint_are_refused() -> None:
    """A key stands for one endpoint."""
    with pytest.raises(InvalidView, match="same key"):
        Steering().step([view("a"), view("a")], 0.0)


FIGURE = st.one_of(st.just(0.0), st.floats(0.0, 1e3), st.floats(0.0, 1e12))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(
            st.builds(
                view,
                st.sampled_from("abc"),
                capacity_cores=st.one_of(st.just(0.0), st.floats(1e-6, 1e6)),
                utilisation=FIGURE,
                rate_per_s=FIGURE,
                errors_per_s=FIGURE,
                in_flight=FIGURE,
                report_age_s=st.one_of(st.just(math.inf), st.floats(0.0, 100.0)),
                healthy=st.booleans(),
                latency_s=st.one_of(st.none(), FIGURE),
                bottleneck=st.sampled_from(["cpu", "net_out"]),
            ),
            max_size=3,
            unique_by=lambda each: each.key,
        ),
        max_size=12,
    ),
    st.lists(st.floats(0.0, 50.0), min_size=12, max_size=12),
)
def test_whatever_is_seen_weights_are_whole_numbers_and_reasons_are_sentences(
    steps: list[list[EndpointView]], gaps_s: list[float]
) -> None:
    """Nobody gets nothing, nobody is divided by zero, and the same figures give the same plan."""
    one, other, now = Steering(), Steering(), 0.0
    for views, gap_s in zip(steps, gaps_s, strict=False):
        now += gap_s
        plan = one.step(views, now)
        assert plan == other.step(views, now)
        assert plan.weights.keys() == plan.reasons.keys() == {each.key for each in views}
        assert all(1 <= weight <= 10_000 for weight in plan.weights.values())
        assert all(0.0 < capacity < math.inf for capacity in plan.capacities.values())
        assert all(reason.endswith(".") and "nan" not in reason for reason in plan.reasons.values())


def test_other_work_on_the_host_is_said_and_leaves_less() -> None:
    """Utilisation rises while the requests do not: something else runs there."""
    steering = Steering()
    calm = [view("a"), view("b"), view("c")]
    after(steering, calm, 40)
    plan = after(steering, [view("a", utilisation=0.95, in_flight=12.0), *calm[1:]], 10, start=41)
    assert plan.capacities["a"] == pytest.approx(110.0, rel=0.05)
    assert share(plan.weights, "a") < 0.25
    assert "of its host taken by other work" in plan.reasons["a"]
    assert "it could serve" in plan.reasons["b"]


def test_costs_of_one_resource_say_nothing_of_another() -> None:
    """A host whose bottleneck changes is learnt anew, not thought to have got other work."""
    steering = Steering()
    calm = [view("a"), view("b"), view("c")]
    after(steering, calm, 40)
    changed = [view("a", utilisation=0.95, in_flight=12.0, bottleneck="net_out"), *calm[1:]]
    plan = after(steering, changed, 20, start=41)
    assert share(plan.weights, "a") < 0.3
    assert "other work" not in plan.reasons["a"]


def test_capacities_are_requests_a_second() -> None:
    """100 a second at half use: twice that could be served."""
    plan = after(Steering(), [view("a"), view("b")], 60)
    assert plan.capacities["a"] == pytest.approx(200.0, rel=0.02)


def test_other_work_does_not_starve_an_endpoint() -> None:
    """A host that is full of what is not this service's keeps at least a fifth of its twin's capacity."""
    twins = [view("a"), view("b", utilisation=1.0, rate_per_s=0.0, in_flight=0.0)]
    steering = Steering()
    after(steering, [view("a"), view("b")], 60)

    plan = after(steering, twins, 240, start=61)

    assert 0.19 <= plan.capacities["b"] / plan.capacities["a"] <= 0.5


@pytest.mark.parametrize("rate_per_s", [13.0, 26.0])
def test_other_work_that_comes_and_goes_does_not_make_requests_cheaper(rate_per_s: float) -> None:
    """It runs while the service rests and ends when that begins again: a host that serves 43 requests a second is known
    for that, round after round."""
    steering, now = Steering(), 0.0
    busy = view("a", capacity_cores=0.25, utilisation=rate_per_s / 43.0, rate_per_s=rate_per_s, in_flight=1.0)
    resting = view("a", capacity_cores=0.25, utilisation=0.4, rate_per_s=0.0, in_flight=0.0)
    capacities = []
    for _ in range(8):
        plan = after(steering, [busy], 25, int(now) + 1)
        after(steering, [resting], 150, int(now) + 26)
        now += 180.0
        capacities.append(plan.capacities["a"])

    assert capacities == pytest.approx([43.0] * 8, rel=0.05)
