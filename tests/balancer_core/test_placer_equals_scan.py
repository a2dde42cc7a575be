"""A Placer finds what a pass over all hosts finds, bit for bit, whatever happened to the cluster before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from balancer_core._kernels import ELSEWHERE
from balancer_core.cluster import Cluster, Snapshot
from balancer_core.constraints import Preference
from balancer_core.filters import FLAG_CODES, code
from balancer_core.load import Load, Spread
from balancer_core.placement import decide
from balancer_core.placer import Placer
from balancer_core.policies import POLICIES
from balancer_core.question import Question
from balancer_core.resources import STANDARD, Dimensions

START = 1000.0
DIMENSIONS = Dimensions(STANDARD[:4])
KINDS_OF_HOST = (
    (4.0, 8.0, 100.0, 5.0),
    (8.0, 8.0, 50.0, 5.0),
    (64.0, 256.0, 0.0, 10.0),
    (1e-5, 1e17, 3.0, 1.0),
)
SHAPES = ((1.0, 1.0, 1.0, 0.0), (0.1, 0.7, 0.0, 0.3), (3.0, 0.5, 10.0, 1.0), (1e-6, 0.0, 0.0, 0.0))
POLICY_NAMES = tuple(POLICIES)


class World:
    """A cluster that a seeded generator changes, and its Placer."""

    def __init__(self, hosts: int, seed: int, uniform: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.now = START
        self.cluster = Cluster(DIMENSIONS)
        self.placer = Placer(self.cluster)
        self.joined = 0
        for _ in range(hosts):
            self.join(0 if uniform else None)
            if not uniform:
                self.change()

    def join(self, kind: int | None = None) -> None:
        """A new host."""
        chosen = KINDS_OF_HOST[int(self.rng.integers(len(KINDS_OF_HOST))) if kind is None else kind]
        amounts = dict(zip(DIMENSIONS.names, chosen, strict=True))
        labels = {"zone": "abc"[int(self.rng.integers(3))]}
        self.cluster.add_host(f"host-{self.joined}", {k: v for k, v in amounts.items() if v}, labels)
        self.joined += 1

    def change(self) -> None:
        """Something happens to some host, or time passes."""
        names, roll = self.cluster.names, int(self.rng.integers(10))
        if not names or roll == 9:
            self.now += float(self.rng.choice([0.0, 0.5, 4.0, 20.0, -3.0]))
            return
        row = int(self.rng.integers(len(names)))
        name, has = names[row], self.cluster.view().capacity[row].copy()
        share = self.rng.choice([0.0, 0.1, 0.5, 0.84, 0.96, 1.0]) * self.rng.choice(
            [1.0, float(self.rng.random())]
        )
        if roll < 4:
            used = DIMENSIONS.mapping(has * share)
            self.cluster.report(name, used, self.now - float(self.rng.choice([0.0, 3.0, 9.0, 50.0])))
        elif roll < 6:
            self.cluster.set_reserved(
                name, (has * share * self.rng.choice([1.0, 1.0, 300.0])).clip(0.0, 1e17)
            )
        elif roll == 6:
            self.cluster.reserve(name, has * 0.05)
            self.cluster.expect(name, DIMENSIONS.mapping(has * share))
        elif roll == 7:
            self.cluster.release(name, self.cluster.view().reserved[row].copy() * share)
        else:
            self.cluster.set_flags(name, int(self.rng.choice([0, 0, 1, 4, 8])))

    def load(self, constrained: bool = False) -> Load:
        """A load of one of a few shapes or of its own, weighed in one of a few ways."""
        shape = np.array(SHAPES[int(self.rng.integers(len(SHAPES)))])
        if self.rng.random() < 0.5:
            shape *= self.rng.lognormal(0.0, 1.0, len(shape)).clip(1e-3)
        demand = {k: v for k, v in zip(DIMENSIONS.names, shape.tolist(), strict=True) if v >= 1e-6}
        options = self.rng.choice(
            [{}, {}, {"weights": {"cpu": 0.0}}, {"weights": {"memory": 7.5, "disk": 1e-9}}]
        )
        labels = {"zone": "a"} if constrained else {}
        spread = (Spread("host", {"host-0": 1}),) if constrained else ()
        policy = POLICY_NAMES[int(self.rng.integers(len(POLICY_NAMES)))]
        return Load("job", "load-1", demand, labels, spread=spread, policy=policy, options=options)


def scanned(world: World, load: Load, top: int, admissible: NDArray[np.uint8]) -> list[tuple[int, float]]:
    """The best by a pass over all hosts."""
    view = world.cluster.view()
    question = Question.put(view, load, world.now)
    return best_of(view, question, top, admissible)


def best_of(
    view: Snapshot, question: Question, top: int, admissible: NDArray[np.uint8]
) -> list[tuple[int, float]]:
    """The best of these hosts for this question, by a pass over all."""
    rows, totals = np.empty(top, dtype=np.int64), np.empty(top)
    asked = (question.demand, question.weights, question.policy.SCORE.MODE, question.now)
    refused = np.where(admissible > 0, 0, ELSEWHERE).astype(np.uint8)
    found = view.columns.scan(refused, FLAG_CODES, code("fits"), *asked, None, None, rows, totals)
    held = min(top, found)
    return list(zip(rows[:held].tolist(), totals[:held].tolist(), strict=True))


@given(st.integers(0, 300), st.integers(0, 2**32), st.integers(1, 16))
def test_the_best_are_those_of_a_pass(hosts: int, seed: int, top: int) -> None:
    """Rows and totals are equal after any changes of hosts, flags, reports, reservations and time."""
    world = World(hosts, seed)
    for step in range(12):
        load = world.load()
        expected = scanned(world, load, top, np.ones(len(world.cluster), dtype=np.uint8))
        assert expected == world.placer.best(load, world.now, top)
        for _ in range(step * step):
            world.change()
        if step == 5:
            world.join()
        if step == 8 and len(world.cluster):
            world.cluster.remove_host(world.cluster.names[len(world.cluster) // 2])


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_constraints_hold(hosts: int, seed: int) -> None:
    """A label and a spread leave only the hosts that decide() would leave."""
    world = World(hosts, seed)
    zones = [labels.get("zone") for labels in world.cluster.view().labels.rows]
    open_ = [zone == "a" and name != "host-0" for zone, name in zip(zones, world.cluster.names, strict=True)]
    load = world.load(constrained=True)
    assert scanned(world, load, 3, np.array(open_, dtype=np.uint8)) == world.placer.best(load, world.now, 3)


@given(st.integers(1, 300), st.integers(0, 2**32), st.booleans(), st.sampled_from(POLICY_NAMES))
def test_many_are_placed_as_one_by_one(hosts: int, seed: int, uniform: bool, policy: str) -> None:
    """Runs of equal shapes and mixtures go where single decisions send them, and are reserved there."""
    world = World(hosts, seed, uniform)
    shapes = np.array([[world.rng.choice([0.3, 1.0]), 0.5, 0.0, 0.25] for _ in range(4)])
    picks = np.repeat(world.rng.integers(0, 4, 12), world.rng.integers(1, 40, 12))
    demands = shapes[picks]
    view = world.cluster.view()
    draft, expected = replace(view, reserved=view.reserved.copy()), []
    for demand in demands:
        load = Load("job", "load-1", DIMENSIONS.mapping(demand), policy=policy)
        question = Question.put(draft, load, world.now)
        found = best_of(draft, question, 1, np.ones(len(view), dtype=np.uint8))
        expected.append(found[0][0] if found else -1)
        if found:
            draft.reserved[found[0][0]] += demand
    version = world.cluster.version
    assert expected == world.placer.place_many(demands, world.now, policy).tolist()
    assert draft.reserved.tobytes() == world.cluster.snapshot().reserved.tobytes()
    assert version + sum(row >= 0 for row in expected) == world.cluster.version


def test_a_placed_load_is_reserved() -> None:
    """place() decides, reserves and says the row; without room it says None and nothing changes."""
    world = World(3, 7, uniform=True)
    load = Load("job", "load-1", {"cpu": 3.0})
    assert [world.placer.place(load, START) for _ in range(4)] == [0, 1, 2, None]
    assert world.cluster.snapshot().reserved[:, 0].tolist() == [3.0, 3.0, 3.0]


def test_a_search_leaves_most_hosts_out() -> None:
    """Of 3,000 unequal hosts a search computes the exact cost of a few: the count of work, not of time."""
    rng = np.random.default_rng(3)
    cluster = Cluster(DIMENSIONS)
    for number in range(3000):
        size = float(rng.choice([1.0, 2.0, 4.0]))
        has = {"cpu": 8 * size, "memory": 32 * size, "disk": 100 * size, "disk_io": 50.0}
        cluster.add_host(f"host-{number}", has)
        cluster.report(f"host-{number}", {k: float(v * rng.uniform(0.1, 0.8)) for k, v in has.items()}, START)
    placer = Placer(cluster)
    placer.place_many(rng.uniform(0.01, 0.2, (500, 4)), START)
    visited, looked_at = placer.work
    assert visited < 500 * 60
    assert looked_at < 500 * 10


@pytest.mark.parametrize(
    ("demands", "field"),
    [
        ([[1.0, 1.0]], "demand"),
        ([[1.0] * 4, [1.0, float("nan"), 0.0, 0.0]], "1.demand.memory"),
        ([[float("inf")] * 4], "0.demand.cpu"),
        ([[0.0, 0.0, -1.0, 0.0]], "0.demand.disk"),
        ([[0.0, 0.0, 0.0, 1e-9]], "0.demand.disk_io"),
        ([[1e19] * 4], "0.demand.cpu"),
    ],
)
def test_wrong_demands_change_nothing(demands: list[list[float]], field: str) -> None:
    """The error names the first wrong amount, and nothing before it was reserved."""
    world = World(3, 1, uniform=True)
    before = world.cluster.version
    with pytest.raises(ValueError, match=f"^{field}: "):
        world.placer.place_many(np.array(demands), START)
    assert before == world.cluster.version


@pytest.mark.parametrize(
    ("policy", "options", "now", "field"),
    [
        ("best", None, START, "policy"),
        ("spread", {"speed": 1}, START, "options.speed"),
        ("spread", {"weights": {"cpu": -1}}, START, "options.weights.cpu"),
        ("spread", None, float("nan"), "now"),
    ],
)
def test_wrong_questions_are_refused(
    policy: str, options: dict[str, object] | None, now: float, field: str
) -> None:
    """Policy, options and time are checked as decide() checks them."""
    world = World(1, 1, uniform=True)
    with pytest.raises(ValueError, match=f"^{field}: "):
        world.placer.place_many(np.ones((1, 4)), now, policy, options)


def test_an_empty_cluster_takes_nothing() -> None:
    """No host, no error: a load finds no place until a host joins."""
    world = World(0, 1)
    load = Load("job", "load-1", {"cpu": 1.0})
    assert world.placer.best(load, START) == []
    assert world.placer.place_many(np.ones((1, 4)), START).tolist() == [-1]
    world.join(0)
    assert world.placer.place_many(np.ones((1, 4)), START).tolist() == [0]


def test_soft_terms_are_charged_as_a_decision_charges_them() -> None:
    """A preferred label outweighs a little cost, in the same order as decide() ranks, with the same totals."""
    cluster = Cluster()
    for number in range(40):
        cluster.add_host(
            f"h{number}", {"cpu": 8.0, "memory": 64e9}, {"disk": "ssd" if number % 3 == 0 else "hdd"}
        )
        cluster.reserve(f"h{number}", cluster.dimensions.vector({"cpu": 0.15 * number, "memory": 1e9}))
    wish = Preference(level="disk", value="ssd", weight=0.2)
    load = Load("job", "picky", {"cpu": 0.5, "memory": 1e9}, prefer=(wish,))
    decision = decide(cluster.snapshot(), load, 10.0)

    found = Placer(cluster).best(load, 10.0, top=5)

    assert [cluster.names[row] for row, _ in found] == list(decision.ranking)
    assert [total for _, total in found] == [candidate.total for candidate in decision.candidates]
