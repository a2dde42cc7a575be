"""The law among simulated requests: what it learns, how fast, and that old reports do not make it swing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from balancer_core._kernels.picker import own_load
from balancer_core.sim.scenes import SCENES, UNEQUAL, hosts, poisson_requests
from balancer_core.sim.servers import Reports
from balancer_core.sim.traffic import Picking, Traffic

CAPACITY = np.array(UNEQUAL) / sum(UNEQUAL)
LEARNED = Picking("shortest_delay", "learned", own_counts=own_load(1))
TOLD = Picking("shortest_delay", "followed", own_counts=own_load(1))
BLIND = Picking("shortest_delay", "equal", own_counts=own_load(1))


def run(
    picking: Picking,
    name: str = "calm",
    host: int = 0,
    load: float = 0.6,
    until_s: float = 90.0,
    **parts: Any,
) -> Traffic:
    """Six unequal hosts that all declare one core; what happens, happens from second 40 to 60."""
    chance = np.random.default_rng(parts.pop("seed", 3))
    requests = poisson_requests(chance, load * sum(UNEQUAL), until_s, pickers=picking.pickers)
    changes = SCENES[name](host, 40.0, 60.0)
    return Traffic(hosts(UNEQUAL, declared=False), requests, picking, changes, seed=3, **parts).run(until_s)


def p99_ms(traffic: Traffic, begin_s: float, end_s: float) -> float:
    """Of what came in this time and did not fail."""
    return float(np.percentile(traffic.latencies_s(begin_s, end_s), 99)) * 1000.0


def shares(traffic: Traffic) -> Any:
    """Each step's weights as parts of one, over the true ones."""
    weights = np.array(traffic.weights)
    return weights / weights.sum(axis=1, keepdims=True) / CAPACITY


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8, 0.92])
def test_learnt_capacities_are_as_good_as_the_clairvoyant(load: float) -> None:
    """p99 of 1.1 times the greedy clairvoyant's at most, from hosts that all look alike."""
    learned = p99_ms(run(LEARNED, load=load, until_s=150.0), 40.0, 150.0)
    clairvoyant = run(Picking("clairvoyant", "perfect"), load=load, until_s=150.0)
    assert learned <= 1.1 * p99_ms(clairvoyant, 40.0, 150.0)
    assert learned < 0.7 * p99_ms(run(BLIND, load=load, until_s=150.0), 40.0, 150.0)


def test_capacities_are_learnt_within_ten_seconds() -> None:
    """From a tenth and ten times what is true, where there is traffic to learn from."""
    found = shares(run(LEARNED, load=0.8))
    assert found[0].max() / found[0].min() == pytest.approx(10.0)
    assert found[10, :5] == pytest.approx(1.0, abs=0.2)
    assert found[40:, :5] == pytest.approx(1.0, abs=0.15)


def test_weighted_round_robin_by_learnt_weights_evens_out_use() -> None:
    """The weights are capacities: a policy that only knows weights uses all hosts alike, to 5 %."""
    traffic = run(Picking("weighted_round_robin", "learned"), load=0.8, until_s=200.0)
    weights = np.array(traffic.weights)[20:]
    used = weights / weights.sum(axis=1, keepdims=True) / CAPACITY
    assert used.mean(axis=0).max() <= 1.05


@pytest.mark.parametrize("latency", [False, True])
@pytest.mark.parametrize(
    ("name", "host", "load"),
    [
        ("antagonist", 0, 0.5),
        ("antagonist", 2, 0.6),
        ("greedy_antagonist", 0, 0.5),
        ("stuck", 0, 0.5),
        ("stuck", 2, 0.6),
        ("thin_link", 0, 0.5),
    ],
)
def test_three_seconds_after_a_sudden_change_the_tail_is_as_if_told(
    name: str, host: int, load: float, latency: bool
) -> None:
    """Beside the same picker that is told every host's speed every second; blind, the tail is far worse."""
    picking = Picking("shortest_delay", "learned", own_counts=own_load(1), latency=latency)
    learned = p99_ms(run(picking, name, host, load), 43.0, 60.0)
    assert learned <= 1.25 * p99_ms(run(TOLD, name, host, load), 43.0, 60.0)
    fixed = Picking("shortest_delay", "perfect", own_counts=own_load(1))
    assert host == 2 or learned <= 0.6 * p99_ms(run(fixed, name, host, load), 43.0, 60.0)


def test_after_an_antagonist_the_host_gets_its_traffic_back() -> None:
    """Reports and the engine's figures agree that it can."""
    found = shares(run(LEARNED, "antagonist", 0, 0.5))
    assert found[59, 0] < 0.4
    assert found[75:, 0] == pytest.approx(1.0, abs=0.15)


def test_a_host_that_fails_fast_attracts_nothing_and_is_tried_again() -> None:
    """It looks idle; it would get nearly all requests by delay alone, and gets a twentieth at most."""
    traffic = run(LEARNED, "fast_failure", 0, 0.5, until_s=140.0)
    assert traffic.shares(43.0, 60.0)[0] <= 0.05
    assert run(TOLD, "fast_failure", 0, 0.5).shares(43.0, 60.0)[0] > 0.9
    assert traffic.shares(100.0, 140.0)[0] > 0.3


def test_a_newcomer_ramps_up_to_its_share() -> None:
    """It starts with a fifth of the typical, and has what it can serve half a minute later."""
    found = shares(run(LEARNED, "newcomer", 1, 0.6, until_s=120.0))
    assert found[39, 1] == 0.0
    assert found[41, 1] < 0.4
    assert found[75:, 1] == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("name", "least", "most"), [("idle_claim", 0.9, 2.0), ("busy_claim", 0.5, 1.1)])
def test_claims_are_believed_as_far_as_the_engine_bears_them_out(
    name: str, least: float, most: float
) -> None:
    """A host that says it is idle, or full, for ever."""
    found = shares(run(LEARNED, name, 2, 0.6))[50:60, 2]
    assert least <= found.min() and found.max() <= most


@pytest.mark.parametrize(
    "reports",
    [Reports(1.0, 5.0), Reports(1.0, 15.0), Reports(1.0, 30.0), Reports(30.0, 0.2), Reports(30.0, 5.0)],
)
@pytest.mark.parametrize("policy", ["shortest_delay", "weighted_round_robin"])
def test_old_reports_do_not_make_weights_swing(reports: Reports, policy: str) -> None:
    """In the last half of a calm run no host's share of the weights moves by more than 6 % of all."""
    traffic = run(Picking(policy, "learned"), until_s=400.0, reports=reports)
    weights = np.array(traffic.weights)[200:]
    parts = weights / weights.sum(axis=1, keepdims=True)
    assert (parts.max(axis=0) - parts.min(axis=0)).max() <= 0.06


def test_four_pickers_that_count_their_own_four_times_herd_less() -> None:
    """Each sees a quarter of what is in flight."""
    counting = Picking("shortest_delay", "learned", pickers=4, own_counts=own_load(4))
    plain = Picking("shortest_delay", "learned", pickers=4)
    tails = [p99_ms(run(each, load=0.6, until_s=150.0), 20.0, 150.0) for each in (counting, plain)]
    assert tails[0] < 0.92 * tails[1]


def test_hosts_of_many_cores_and_long_waits_are_learnt_too() -> None:
    """Requests that only use a twentieth of a core each: the engine's figures alone would say next to nothing."""
    servers = hosts([200.0, 100.0, 100.0, 50.0], declared=False)
    chance = np.random.default_rng(2)
    requests = poisson_requests(chance, 0.6 * 450.0, 60.0)
    traffic = Traffic(servers, requests, LEARNED, shared=True, most_speed=5.0, seed=2).run(60.0)
    found = np.array(traffic.weights)[30:]
    found /= found.sum(axis=1, keepdims=True)
    assert found / (np.array([200.0, 100.0, 100.0, 50.0]) / 450.0) == pytest.approx(1.0, abs=0.12)


def test_the_same_seed_gives_the_same_run() -> None:
    """Nothing is drawn but from the caller's numbers."""
    one, other = run(LEARNED, "antagonist"), run(LEARNED, "antagonist")
    assert one.queues.ended_in_s.tolist() == other.queues.ended_in_s.tolist()
    assert one.reasons == other.reasons
