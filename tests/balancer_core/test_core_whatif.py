"""What-if: what would move where and what not, on clusters small enough to check by hand, and as properties."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer_core.cluster import CORDONED, Cluster
from balancer_core.load import Company, Load, Spread
from balancer_core.resources import STANDARD, Dimensions, Resource
from balancer_core.whatif import Change, Held, InvalidChange, Newcomer, Outcome, foresee

NOW = 100.0
GIB = 2.0**30


def cluster_of(hosts: dict[str, float], dimensions: Dimensions | None = None) -> Cluster:
    """Hosts by their cores, with 16 GiB each and a zone of their first letter."""
    cluster = Cluster(dimensions or Dimensions(STANDARD[:2]))
    for name, cores in hosts.items():
        cluster.add_host(name, {"cpu": cores, "memory": 16 * GIB}, {"zone": name[0]})
    return cluster


def hold(cluster: Cluster, host: str, name: str, cpu: float, memory: float = 0.0, **more: Any) -> Held:
    """Put a load on a host: reserved there, and held."""
    load = Load("job", name, {"cpu": cpu, "memory": memory}, **more)
    cluster.reserve(host, cluster.dimensions.vector(load.demand))
    return Held(name, host, "job", name, load.demand, load.group, load)


def where(outcome: Outcome) -> dict[str, str]:
    return {move.name: move.target for move in outcome.moves}


def test_drained_hosts_loads_go_where_they_cost_least() -> None:
    """The largest first, each counting those before it; the reason and the cost are said; nothing else moves."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 8.0, "b-2": 8.0})
    held = [hold(cluster, "a-1", "small", 1.0), hold(cluster, "a-1", "large", 4.0)]
    held.append(hold(cluster, "b-2", "there", 2.0))
    snapshot = cluster.snapshot()
    outcome = foresee(snapshot, held, Change(drain=frozenset({"a-1"})), NOW)

    assert [move.name for move in outcome.moves] == ["large", "small"]
    assert where(outcome) == {"large": "b-1", "small": "b-2"}
    assert outcome.moves[0].reason.startswith("a-1 is drained; costs least there (")
    assert outcome.moves[0].cost > 0.0
    assert (outcome.before.most, outcome.before.fullest) == (5 / 8, "a-1")
    assert (outcome.after.most, outcome.after.fullest, outcome.after.hosts) == (0.5, "b-1", 2)
    assert {each.host: each.after for each in outcome.hosts} == {"a-1": None, "b-1": 0.5, "b-2": 3 / 8}
    assert "2 loads would move, to 2 hosts." in outcome.sentence
    assert "from 62 % (a-1) to 50 % (b-1)" in outcome.sentence


def test_what_has_no_place_says_why() -> None:
    """The sentence of the placement that would be refused; it does not stop the others."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 4.0})
    held = [hold(cluster, "a-1", "large", 6.0), hold(cluster, "a-1", "small", 2.0)]
    outcome = foresee(cluster.snapshot(), held, Change(remove=frozenset({"a-1"})), NOW)

    assert where(outcome) == {"small": "b-1"}
    assert outcome.moves[0].reason.startswith("a-1 is removed")
    assert [(each.name, each.judged) for each in outcome.stranded] == [("large", True)]
    assert "None of 2 hosts can take job large" in outcome.stranded[0].reason
    assert "Nearest is b-1: add 2 cores of cpu." in outcome.stranded[0].reason
    assert "1 load would have no place" in outcome.sentence


def test_newcomer_takes_what_has_no_place_elsewhere() -> None:
    """An added host is judged as any other, by its labels too."""
    cluster = cluster_of({"a-1": 8.0})
    held = [hold(cluster, "a-1", "web", 6.0, labels={"zone": "c"})]
    new = Newcomer("c-1", {"cpu": 8.0, "memory": 16 * GIB}, {"zone": "c"})
    outcome = foresee(cluster.snapshot(), held, Change(drain=frozenset({"a-1"}), add=(new,)), NOW)

    assert where(outcome) == {"web": "c-1"}
    assert [(each.host, each.before) for each in outcome.hosts] == [("a-1", 6 / 8), ("c-1", None)]


def test_multiplied_loads_overflow_to_others() -> None:
    """The largest of an overfull host leaves, as few as suffice; what fits nowhere is stranded, and said."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 8.0})
    held = [hold(cluster, "a-1", "one", 3.0), hold(cluster, "a-1", "two", 2.0)]
    held.append(hold(cluster, "b-1", "x", 0.5))
    snapshot = cluster.snapshot()
    doubled = foresee(snapshot, held, Change(times=2.0), NOW)
    tenfold = foresee(snapshot, held, Change(times=10.0), NOW)

    assert where(doubled) == {"one": "b-1"}
    assert "a-1 would be too full" in doubled.moves[0].reason
    assert doubled.after.most == pytest.approx(7 / 8)
    assert {each.name for each in tenfold.stranded} == {"one", "two"}
    assert foresee(snapshot, held, Change(times=1.5), NOW).moves == ()


def test_measured_use_moves_with_its_load_and_the_rest_stays() -> None:
    """A load takes its share of what is in use, never more than it holds: traffic nobody placed stays."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 8.0, "b-2": 8.0})
    held = [hold(cluster, "a-1", "job", 1.0)]
    cluster.report("a-1", {"cpu": 6.0}, NOW)
    drained = foresee(cluster.snapshot(), held, Change(drain=frozenset({"a-1"})), NOW)
    after = {each.host: each.after for each in drained.hosts}

    assert after["b-1"] == pytest.approx(1 / 8)
    assert drained.before.most == 6 / 8


def test_other_policy_moves_only_by_the_margin() -> None:
    """Pack gathers what spread scattered; with a margin of all nothing moves; options of the old one are dropped."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 8.0, "b-2": 8.0})
    options = {"weights": {"cpu": 2.0}}
    held = [hold(cluster, host, f"j-{host}", 2.0, 4 * GIB, options=options) for host in ("a-1", "b-1")]
    snapshot = cluster.snapshot()
    packed = foresee(snapshot, held, Change(policy="pack"), NOW)
    kept = foresee(snapshot, held, Change(policy="pack", margin=1.0), NOW)
    same = foresee(snapshot, held, Change(policy="spread"), NOW)

    assert len(packed.moves) == 1
    assert "pack prefers it: costs" in packed.moves[0].reason
    assert kept.moves == ()
    assert same.moves == ()
    assert same.after.most == same.before.most


def test_groups_are_counted_as_they_would_be() -> None:
    """One in each zone: the members that stay count, the one that leaves does not."""
    cluster = cluster_of({"a-1": 8.0, "a-2": 8.0, "b-1": 8.0, "c-1": 1.0})
    rule = {"group": "g", "spread": (Spread("zone", {}),)}
    held = [hold(cluster, "a-1", "one", 2.0, **rule), hold(cluster, "b-1", "two", 2.0, **rule)]
    outcome = foresee(cluster.snapshot(), held, Change(drain=frozenset({"a-1"})), NOW)
    gone = foresee(cluster.snapshot(), held, Change(drain=frozenset({"a-1", "a-2"})), NOW)
    apart = [
        replace(held[0], load=replace(held[0].load, spread=(), apart=(Company("g", {}, "zone"),))),
        held[1],
    ]

    assert where(outcome) == {"one": "a-2"}
    assert [each.name for each in gone.stranded] == ["one"]
    assert where(foresee(cluster.snapshot(), apart, Change(drain=frozenset({"a-1"})), NOW)) == {"one": "a-2"}


def test_what_is_not_known_is_not_guessed() -> None:
    """A load whose request is lost, or can't be asked when it is multiplied, is unjudged with its reason."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 8.0})
    held = [replace(hold(cluster, "a-1", "old", 1.0), load=None, why_not="the list was cut.")]
    outcome = foresee(cluster.snapshot(), held, Change(drain=frozenset({"a-1"})), NOW)

    assert [(each.judged, each.reason) for each in outcome.stranded] == [(False, "the list was cut.")]
    assert "1 load cannot be judged" in outcome.sentence
    assert outcome.moves == ()


def test_whole_resources_stay_whole_when_multiplied() -> None:
    """A load of one gpu asks for two at 1.5 times, not for one and a half."""
    cluster = Cluster(Dimensions((*STANDARD[:2], Resource("gpu", "", "capacity", whole=True))))
    for name, count in (("a-1", 1.0), ("b-1", 4.0)):
        cluster.add_host(name, {"cpu": 8.0, "gpu": count})
    load = Load("job", "train", {"cpu": 1.0, "gpu": 1.0})
    cluster.reserve("a-1", cluster.dimensions.vector(load.demand))
    held = [Held("k", "a-1", "job", "train", load.demand, "", load)]

    assert where(foresee(cluster.snapshot(), held, Change(times=1.5), NOW)) == {"train": "b-1"}


def test_time_that_runs_out_is_said() -> None:
    """What was not looked at is counted, not left out silently."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 8.0})
    held = [hold(cluster, "a-1", f"j{n}", 1.0) for n in range(5)]
    asked = itertools.count(1)
    outcome = foresee(
        cluster.snapshot(), held, Change(drain=frozenset({"a-1"})), NOW, lambda: next(asked) <= 2
    )

    assert (len(outcome.moves), outcome.unlooked, outcome.considered) == (2, 3, 5)
    assert "3 loads were not looked at in the time given" in outcome.sentence


def test_cordoned_host_takes_nothing_and_keeps_what_it_has() -> None:
    """Under another policy too."""
    cluster = cluster_of({"a-1": 8.0, "b-1": 8.0, "b-2": 8.0})
    held = [hold(cluster, "a-1", "one", 1.0), hold(cluster, "b-1", "two", 5.0)]
    cluster.set_flags("b-1", CORDONED)
    outcome = foresee(cluster.snapshot(), held, Change(drain=frozenset({"a-1"}), policy="spread"), NOW)

    assert where(outcome)["one"] == "b-2"


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        (Change(drain=frozenset({"nobody"})), "drain", "unknown"),
        (Change(remove=frozenset({"<script>"})), "remove", "unknown"),
        (Change(drain=frozenset({"a-1"}), remove=frozenset({"a-1"})), "remove", "duplicate"),
        (Change(times=0.0), "times", "out_of_range"),
        (Change(times=float("nan")), "times", "out_of_range"),
        (Change(policy="best"), "policy", "unknown_policy"),
        (Change(margin=2.0), "margin", "out_of_range"),
        (Change(add=(Newcomer("a-1", {"cpu": 1.0}),)), "add.0.name", "duplicate"),
        (Change(add=(Newcomer("n", {"cpu": -1.0}),)), "add.0.capacity.cpu", "negative"),
        (Change(add=(Newcomer("n", {"beer": 1.0}),)), "add.0.capacity.beer", "unknown_resource"),
        (Change(add=(Newcomer("n", {}, {"": "x"}),)), "add.0.labels", "invalid_key"),
    ],
)
def test_changes_that_cannot_be_asked_are_refused(change: Change, field: str, code: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(InvalidChange) as refusal:
        foresee(cluster_of({"a-1": 8.0}).snapshot(), [], change, NOW)

    assert (refusal.value.field, refusal.value.code) == (field, code)


def test_no_hosts_at_all() -> None:
    """An empty cluster, and one of which nothing is left, are answers too."""
    empty = foresee(Cluster().snapshot(), [], Change(), NOW)
    cluster = cluster_of({"a-1": 8.0})
    held = [hold(cluster, "a-1", "one", 1.0)]
    gone = foresee(cluster.snapshot(), held, Change(remove=frozenset({"a-1"})), NOW)

    assert empty.sentence == "Nothing would move. No host would be left."
    assert gone.after.hosts == 0
    assert [each.name for each in gone.stranded] == ["one"]
    assert gone.to_dict()["stranded"][0]["source"] == "a-1"


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Cluster, list[Held], Change]:
    """Up to six hosts, loads that fit where they are, and any change."""
    names = [f"{zone}-{number}" for zone, number in itertools.product("ab", range(draw(st.integers(1, 3))))]
    cluster = cluster_of(dict.fromkeys(names, 8.0))
    held: list[Held] = []
    room = Counter(dict.fromkeys(names, 8))
    for number in range(draw(st.integers(0, 12))):
        host, cpu = draw(st.sampled_from(names)), draw(st.integers(1, 4))
        if room[host] >= cpu:
            room[host] -= cpu
            group = draw(st.sampled_from(["", "g"]))
            spread = (Spread("host", {}, max_skew=2),) if group and draw(st.booleans()) else ()
            each = hold(cluster, host, f"j{number}", float(cpu), group=group, spread=spread)
            held.append(replace(each, load=None) if draw(st.integers(0, 9)) == 0 else each)
    for host in names:
        if draw(st.booleans()):
            cluster.report(host, {"cpu": draw(st.floats(0.0, 8.0))}, NOW)
    out = draw(st.sets(st.sampled_from(names)))
    drained = frozenset(host for host in out if draw(st.booleans()))
    change = Change(
        drain=drained,
        remove=frozenset(out - drained),
        add=(Newcomer("c-0", {"cpu": 4.0, "memory": GIB}),) if draw(st.booleans()) else (),
        times=draw(st.sampled_from([0.5, 1.0, 1.0, 1.5, 3.0])),
        policy=draw(st.sampled_from(["", "", "pack", "spread", "balanced"])),
    )
    return cluster, held, change


@given(scenes())
def test_nothing_is_lost_and_nothing_is_overbooked(scene: tuple[Cluster, Sequence[Held], Change]) -> None:
    """Safety: each load is named at most once; none goes to a host that would be empty; no host that was not full
    before gets more than it has; the snapshot stays as it was; the same question has the same answer."""
    cluster, held, change = scene
    snapshot = cluster.snapshot()
    before = snapshot.reserved.copy()
    outcome = foresee(snapshot, held, change, NOW)
    named = Counter([each.key for each in (*outcome.moves, *outcome.stranded)])
    targets = {move.target for move in outcome.moves}
    out = change.drain | change.remove
    capacity = dict.fromkeys(snapshot.names, 8.0) | {each.name: 4.0 for each in change.add}
    moved = {move.key: move.target for move in outcome.moves}
    stranded = {each.key for each in outcome.stranded}
    holds: Counter[str] = Counter()
    for each in held:
        host = moved.get(each.key, each.host)
        if each.key not in stranded:
            holds[host] += each.demand["cpu"] * change.times
            assert host not in out

    assert set(named.values()) <= {1}
    assert not targets & out
    assert all(move.source != move.target for move in outcome.moves)
    assert all(holds[host] <= capacity[host] * (1 + 1e-9) for host in targets)
    assert np.array_equal(before, snapshot.reserved)
    assert outcome.to_dict() == foresee(snapshot, held, change, NOW).to_dict()


@given(scenes())
def test_what_can_be_judged_and_fits_is_placed(scene: tuple[Cluster, Sequence[Held], Change]) -> None:
    """Liveness: whoever has to leave an emptied host moves, or is stranded with a reason; a change of nothing moves
    nothing and leaves the figures as they are."""
    cluster, held, change = scene
    snapshot = cluster.snapshot()
    outcome = foresee(snapshot, held, change, NOW)
    settled = {each.key for each in (*outcome.moves, *outcome.stranded)}
    out = change.drain | change.remove
    nothing = foresee(snapshot, held, Change(), NOW)

    assert {each.key for each in held if each.host in out} <= settled
    assert all(each.reason for each in outcome.stranded)
    assert (nothing.moves, nothing.stranded) == ((), ())
    assert nothing.before == nothing.after
