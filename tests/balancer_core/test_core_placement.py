"""Placement decided on small clusters whose answer is plain."""

from __future__ import annotations

import math
from typing import Any

import pytest

from balancer_core.cluster import CORDONED, DISTRUSTED, DRAINING, LOST, Cluster
from balancer_core.placement import InvalidLoad, Load, Spread, decide

GIB = 2.0**30


def rack(**capacities: float) -> Cluster:
    """One host for each name, with so many cores and 4 GiB a core, all just reported idle at second 0."""
    cluster = Cluster()
    for name, cores in capacities.items():
        cluster.add_host(name, {"cpu": cores, "memory": 4 * GIB * cores}, {"zone": name[0]})
        cluster.report(name, {}, 0.0)
    return cluster


def job(**parts: Any) -> Load:
    """A job of one core and one GiB, but for what is given."""
    return Load(**({"kind": "job", "name": "j", "demand": {"cpu": 1.0, "memory": GIB}} | parts))


def test_the_larger_of_two_idle_hosts_takes_the_load() -> None:
    """One core is a smaller share of the larger host, so it costs less there; the sentence says so with
    numbers."""
    decision = decide(rack(small=2, large=8).snapshot(), job(), 1.0)
    assert (decision.host, decision.ranking) == ("large", ("large", "small"))
    assert decision.sentence.startswith("large takes it: it raises the cluster's cost by 0.15, ")
    assert "less than small; cpu would go from 0 % to 12 %." in decision.sentence


def test_what_is_measured_counts_although_nobody_reserved_it() -> None:
    """A busy host loses against an idle one with the same reservations."""
    cluster = rack(busy=4, idle=4)
    cluster.report("busy", {"cpu": 3.0}, 0.0)
    assert decide(cluster.snapshot(), job(), 1.0).host == "idle"


def test_what_is_reserved_counts_although_it_is_not_visible_yet() -> None:
    """A load that has not started yet is in the ledger only."""
    cluster = rack(promised=4, idle=4)
    cluster.reserve("promised", cluster.dimensions.vector({"cpu": 3.0}))
    assert decide(cluster.snapshot(), job(), 1.0).host == "idle"


def test_an_old_report_loses_against_a_fresh_one() -> None:
    """Same figures, but what was free 20 s ago may not be now."""
    cluster = rack(old=4, fresh=4)
    for name, now in (("old", 0.0), ("fresh", 20.0)):
        cluster.report(name, {"cpu": 2.0}, now)
    decision = decide(cluster.snapshot(), job(), 20.0)
    assert (decision.host, decision.oldest_report_s, decision.report_age_s) == ("fresh", 20.0, 0.0)


def test_a_host_that_never_reported_is_judged_by_its_reservations() -> None:
    """It can be placed on, with the full doubt, and the decision says so."""
    cluster = Cluster()
    cluster.add_host("new", {"cpu": 4})
    decision = decide(cluster.snapshot(), job(demand={"cpu": 1}), 5.0)
    assert (
        decision.host,
        decision.never_reported,
        decision.report_age_s,
        decision.oldest_report_s,
    ) == ("new", 1, None, None)
    assert "its reservations alone were counted" in decision.sentence


def test_equal_hosts_go_to_the_one_that_joined_first() -> None:
    """The tie-break is the row, and stated."""
    decision = decide(rack(b=4, a=4).snapshot(), job(), 1.0)
    assert decision.host == "b"
    assert "the same as a, which joined later" in decision.sentence


def test_exactly_full_fits_and_a_hair_more_does_not() -> None:
    """The comparison is the ledger's: reserved + demand <= capacity."""
    snapshot = rack(host=4).snapshot()
    assert decide(snapshot, job(demand={"cpu": 4.0}), 1.0).placed
    assert not decide(snapshot, job(demand={"cpu": math.nextafter(4.0, 5.0)}), 1.0).placed


@pytest.mark.parametrize(
    ("flags", "code", "step"),
    [
        (CORDONED, "cordoned", "lift the cordon"),
        (DRAINING, "draining", "end the drain"),
        (LOST, "lost", "bring the host back"),
        (DISTRUSTED, "distrusted", "clear the distrust of its reports"),
        (CORDONED | LOST, "lost", "bring the host back"),
    ],
)
def test_a_flag_keeps_loads_away_and_says_what_would_lift_it(flags: int, code: str, step: str) -> None:
    """One reason per host, the gravest; the way out is named."""
    cluster = rack(host=4)
    cluster.set_flags("host", flags)
    decision = decide(cluster.snapshot(), job(), 1.0)
    assert ("refused", {code: 1}) == (decision.outcome, dict(decision.rejected))
    assert [("host", code)] == [(rejection.host, rejection.code) for rejection in decision.rejections]
    assert step == decision.changes[0].steps[0]


REFUSALS: list[tuple[dict[str, Any], str, str, str]] = [
    (
        {"demand": {"cpu": 9}},
        "too_small",
        "cpu: 9 cores asked, more than the 4 cores this host has.",
        "add 6 cores of cpu",
    ),
    (
        {"demand": {"disk": 1}},
        "undeclared",
        "disk: 1 B asked, and this host declares none.",
        "add 1 B of disk",
    ),
    ({"demand": {"cpu": 4}}, "no_room", "cpu: 4 cores asked, 3 cores free of 4 cores.", "free 1 core of cpu"),
    (
        {"demand": {"memory": 15 * GIB}},
        "no_room",
        "memory: 15 GiB asked, 14 GiB free of 16 GiB.",
        "free 1 GiB of memory",
    ),
    (
        {"demand": {"memory": 12 * GIB}, "marks": {"memory": 0.5}},
        "above_mark",
        "memory: it would be 87.5 % full, the mark is 50.0 %.",
        "free 6 GiB of memory or raise the mark",
    ),
    ({"exclude_hosts": frozenset({"only"})}, "excluded", "The load excludes this host.", "take the host out"),
    (
        {"labels": {"zone": "x"}},
        "label_differs",
        "The host has zone=o, zone=x is required.",
        "label the host zone=x",
    ),
    (
        {"labels": {"gen": "2"}},
        "label_missing",
        "The host has no label gen, gen=2 is required.",
        "label the host gen=2",
    ),
    (
        {"spread": (Spread("zone", {"o": 2}, 2),)},
        "domain_full",
        "zone o already holds 2 of the group, 2 allowed.",
        "free a place in zone o",
    ),
    (
        {"spread": (Spread("host", {"only": 1}),)},
        "domain_full",
        "host only already holds 1 of the group, 1 allowed.",
        "free a place in host only",
    ),
    (
        {"spread": (Spread("rack", {}),)},
        "domain_unknown",
        "The host has no label rack, so its failure domain is unknown.",
        "label the host with its rack",
    ),
]


@pytest.mark.parametrize(
    ("parts", "code", "reason", "step"), REFUSALS, ids=[f"{r[1]}-{n}" for n, r in enumerate(REFUSALS)]
)
def test_each_rule_refuses_with_its_code_its_sentence_and_a_way_out(
    parts: dict[str, Any], code: str, reason: str, step: str
) -> None:
    """One host, one rule in the way."""
    cluster = rack(only=4)
    cluster.reserve("only", cluster.dimensions.vector({"cpu": 1}))
    cluster.report("only", {"memory": 2 * GIB}, 0.0)
    decision = decide(cluster.snapshot(), job(**parts), 1.0)
    assert (decision.outcome, decision.host) == ("refused", None)
    assert (code, reason) == (decision.rejections[0].code, decision.rejections[0].reason)
    assert decision.changes[0].steps[0].startswith(step)


def test_a_refusal_counts_reasons_and_names_the_nearest_host() -> None:
    """The nearest has the fewest obstacles, then the smallest lack."""
    cluster = rack(far=1, near=3, shut=8)
    cluster.set_flags("shut", CORDONED)
    decision = decide(cluster.snapshot(), job(demand={"cpu": 4}), 1.0)
    assert dict(decision.rejected) == {"cordoned": 1, "too_small": 2}
    assert [change.host for change in decision.changes] == ["shut", "near", "far"]
    expected = "None of 3 hosts can take job j: 1 cordoned, 2 too small. Nearest is shut: lift the cordon."
    assert expected == decision.sentence


def test_no_hosts_is_a_refusal_too() -> None:
    """An empty cluster has nothing to explain but itself."""
    decision = decide(Cluster().snapshot(), job(), 1.0)
    assert decision.sentence == "No host can take job j: there are no hosts yet."


def test_long_lists_of_reasons_are_capped_and_say_so() -> None:
    """At most 200 reasons are listed; the counts are whole."""
    cluster = rack(**{f"h{number}": 1 for number in range(250)})
    decision = decide(cluster.snapshot(), job(demand={"cpu": 2}), 1.0)
    assert (
        len(decision.rejections),
        decision.rejections_more,
        decision.rejected["too_small"],
    ) == (200, 50, 250)


def test_pack_fills_the_fuller_host_and_spread_the_emptier() -> None:
    """The two policies answer the same question differently."""
    cluster = rack(empty=4, half=4)
    cluster.reserve("half", cluster.dimensions.vector({"cpu": 2, "memory": 8 * GIB}))
    snapshot = cluster.snapshot()
    load = {"demand": {"cpu": 1, "memory": 4 * GIB}}
    assert decide(snapshot, job(**load, policy="pack"), 1.0).host == "half"
    assert decide(snapshot, job(**load, policy="spread"), 1.0).host == "empty"


def test_pack_matches_the_shape_of_what_is_free() -> None:
    """A load of memory goes where memory is left over, although another host is fuller."""
    cluster = rack(balanced=4, spare=4)
    cluster.reserve("balanced", cluster.dimensions.vector({"cpu": 3, "memory": 12 * GIB}))
    cluster.reserve("spare", cluster.dimensions.vector({"cpu": 3}))
    load = job(demand={"memory": 4 * GIB}, policy="pack")
    assert decide(cluster.snapshot(), load, 1.0).host == "spare"


def test_pack_avoids_a_host_that_is_measured_full() -> None:
    """Reservations leave room, measurement says there is none: the other host takes it."""
    cluster = rack(hot=4, cold=4)
    cluster.report("hot", {"cpu": 4.0, "memory": 8 * GIB}, 0.0)
    assert decide(cluster.snapshot(), job(policy="pack"), 1.0).host == "cold"


def test_a_weight_of_zero_takes_a_resource_out_of_the_cost() -> None:
    """With cpu not counted, the host with more free memory wins although its cpu is busy."""
    cluster = rack(cpu=4, mem=4)
    cluster.report("mem", {"cpu": 3.9}, 0.0)
    cluster.report("cpu", {"memory": 15 * GIB * 0.95}, 0.0)
    assert decide(cluster.snapshot(), job(), 1.0).host == "cpu"
    assert decide(cluster.snapshot(), job(options={"weights": {"cpu": 0}}), 1.0).host == "mem"


def test_top_bounds_the_ranking() -> None:
    """As many candidates as asked for, and no more than the kernel keeps."""
    snapshot = rack(**{f"h{number}": 4 for number in range(20)}).snapshot()
    assert [len(decide(snapshot, job(), 1.0, top=top).ranking) for top in (1, 5, 16)] == [1, 5, 16]
    with pytest.raises(InvalidLoad, match="top"):
        decide(snapshot, job(), 1.0, top=17)


@pytest.mark.parametrize(
    ("parts", "field", "code"),
    [
        ({"kind": "cron"}, "kind", "unknown_kind"),
        ({"name": ""}, "name", "invalid_name"),
        ({"name": "a b"}, "name", "invalid_name"),
        ({"name": 7}, "name", "invalid_name"),
        ({"demand": {"cpu": math.nan}}, "demand.cpu", "not_finite"),
        ({"demand": {"cpu": -1}}, "demand.cpu", "negative"),
        ({"demand": {"cpu": "1"}}, "demand.cpu", "not_a_number"),
        ({"demand": {"cpu": 5e-324}}, "demand.cpu", "too_small"),
        ({"demand": {1: 1}}, "demand", "unknown_resource"),
        ({"demand": [1]}, "demand", "not_a_mapping"),
        ({"demand": {"heat": 1}}, "demand.heat", "unknown_resource"),
        ({"labels": {"": "x"}}, "labels", "invalid_key"),
        ({"labels": {"zone": None}}, "labels.zone", "invalid_value"),
        ({"exclude_hosts": "host"}, "exclude_hosts", "invalid_host"),
        ({"spread": ({"level": "zone"},)}, "spread", "invalid_spread"),
        ({"policy": "best"}, "policy", "unknown_policy"),
        ({"policy": []}, "policy", "unknown_policy"),
        ({"options": {"speed": 1}}, "options.speed", "unknown_option"),
        ({"options": {"weights": {"cpu": -1}}}, "options.weights.cpu", "negative"),
        ({"options": {"weights": {"cpu": 1001}}}, "options.weights.cpu", "too_large"),
        ({"options": {"weights": {"heat": 1}}}, "options.weights.heat", "unknown_resource"),
        ({"options": {"weights": 3}}, "options.weights", "not_a_mapping"),
        (
            {"policy": "tenant_fair", "options": {"tenant_weight": "2"}},
            "options.tenant_weight",
            "not_a_number",
        ),
        ({"policy": "tenant_fair", "options": {"tenant_weight": 0}}, "options.tenant_weight", "out_of_range"),
        ({"policy": "spread", "options": {"tenant_weight": 1}}, "options.tenant_weight", "unknown_option"),
        ({"tenant": 7}, "tenant", "invalid_name"),
        ({"group": "g" * 201}, "group", "invalid_name"),
    ],
)
def test_a_wrong_load_names_its_field(parts: dict[str, Any], field: str, code: str) -> None:
    """Typed, with the field's path and a code."""
    snapshot = rack(host=4).snapshot()
    with pytest.raises(InvalidLoad) as refused:
        decide(snapshot, job(**parts), 1.0)
    assert (field, code) == (refused.value.field, refused.value.code)


@pytest.mark.parametrize(
    "parts", [("", {}, 1), ("zone", {}, 0), ("zone", {"a": -1}, 1), ("zone", [], 1), ("zone", {}, True)]
)
def test_a_wrong_spread_is_refused(parts: tuple[Any, ...]) -> None:
    """Levels are words, counts are whole and not negative."""
    with pytest.raises(InvalidLoad, match="spread"):
        Spread(*parts)


def test_a_time_that_is_none_is_refused() -> None:
    """Ages are computed from now; NaN would compare as anything."""
    with pytest.raises(InvalidLoad, match="now"):
        decide(rack(host=4).snapshot(), job(), math.nan)


def test_who_loses_the_race_goes_to_the_next_and_the_decision_says_so() -> None:
    """The runner-up's terms and a sentence that names who was taken; a host out of the ranking is refused."""
    decision = decide(rack(small=2, large=8).snapshot(), job(), 1.0)
    second = decision.instead("small")
    assert ("small", decision.candidates[1].terms) == (second.host, second.terms)
    assert (
        second.sentence.startswith("small takes it, at a cost ")
        and "the room on large was taken" in second.sentence
    )
    assert decision is decision.instead("large")
    with pytest.raises(ValueError, match="tuple"):
        decision.instead("elsewhere")
