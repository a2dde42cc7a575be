"""The kernel of requests that queue, held to what queueing theory says, and its books."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer_core._kernels.queues import POLICIES, Queues

COUNT = 200_000


def requests(rate_per_s: float, work: str = "exponential", count: int = COUNT, seed: int = 5) -> list[Any]:
    """Poisson arrivals, work of mean 1, one picker."""
    chance = np.random.default_rng(seed)
    amounts = np.ones(count) if work == "equal" else chance.exponential(1.0, count)
    at_s = np.cumsum(chance.exponential(1.0 / rate_per_s, count))
    return [at_s, amounts, np.zeros(count, np.int32)]


def mean_s(queues: Queues) -> float:
    """Of all requests, once all have ended."""
    queues.advance(math.inf)
    return float(queues.ended_in_s[COUNT // 20 :].mean())


def test_one_server_with_exponential_work_is_m_m_1() -> None:
    """Mean time 1 / (capacity - rate), in the order of coming and by turns."""
    for shared in (False, True):
        queues = Queues(*requests(0.7), [1.0], policy="round_robin", seed=1, shared=shared)
        assert mean_s(queues) == pytest.approx(1.0 / 0.3, rel=0.05)


def test_equal_work_in_the_order_of_coming_waits_half_as_long() -> None:
    """Pollaczek and Khinchine: 1 + use / (2 (1 - use))."""
    queues = Queues(*requests(0.7, "equal"), [1.0], policy="round_robin", seed=1)
    assert mean_s(queues) == pytest.approx(1.0 + 0.7 / 0.6, rel=0.04)


def test_by_turns_only_the_mean_of_the_work_matters() -> None:
    """A processor that is shared is insensitive: equal work takes as long as exponential."""
    queues = Queues(*requests(0.7, "equal"), [1.0], policy="round_robin", seed=1, shared=True)
    assert mean_s(queues) == pytest.approx(1.0 / 0.3, rel=0.05)


def test_a_host_of_many_cores_does_not_slow_a_few_requests_down() -> None:
    """Ten cores, one request a core: at a tenth of the load each takes its own time."""
    queues = Queues(
        *requests(1.0, "equal"), [10.0], policy="round_robin", seed=1, shared=True, most_speed=1.0
    )
    assert mean_s(queues) == pytest.approx(1.0, rel=0.001)


def test_the_network_adds_its_way_twice() -> None:
    """There and back."""
    queues = Queues(*requests(0.01, "equal"), [1.0], policy="round_robin", seed=1, way_s=0.25)
    assert np.median(queues.ended_in_s) != 0.0
    assert mean_s(queues) == pytest.approx(1.5, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(
    policy=st.sampled_from(POLICIES),
    shared=st.booleans(),
    speeds=st.lists(st.floats(0.5, 20.0), min_size=1, max_size=5),
    pickers=st.integers(1, 3),
    way_s=st.sampled_from([0.0, 0.01]),
    choices=st.integers(0, 3),
    fails=st.floats(0.0, 1.0),
    seed=st.integers(0, 99),
)
def test_books_balance(
    policy: str,
    shared: bool,
    speeds: list[float],
    pickers: int,
    way_s: float,
    choices: int,
    fails: float,
    seed: int,
) -> None:
    """Whatever is asked ends once, on one host, and takes at least its work; nobody works more than time allows."""
    chance = np.random.default_rng(seed)
    at_s = np.cumsum(chance.exponential(1.0 / sum(speeds), 300))
    work = chance.exponential(1.0, 300)
    queues = Queues(
        at_s,
        work,
        chance.integers(0, pickers, 300),
        speeds,
        policy=policy,
        seed=seed,
        pickers=pickers,
        shared=shared,
        way_s=way_s,
        choices=choices,
    )
    queues.fails[0] = fails
    queues.advance(float(at_s[150]))
    assert queues.asked.sum() == 151
    assert (queues.asked - queues.ended).tolist() == queues.in_flight.tolist()
    assert queues.own.sum(axis=0).tolist() == queues.in_flight.tolist()
    assert (queues.busy_s <= at_s[150] + 1e-9).all()
    queues.advance(math.inf)
    assert queues.ended.sum() == 300 and queues.in_flight.sum() == 0
    assert queues.errors.sum() == queues.failed.sum() == queues.errors[0]
    well = queues.failed == 0
    least_s = work[well] / np.array(speeds)[queues.taken_by[well]] + 2 * way_s
    assert (queues.ended_in_s[well] >= least_s - 1e-6).all()
    worked = np.bincount(queues.taken_by[well], work[well], len(speeds))
    assert queues.busy_s * speeds == pytest.approx(worked, abs=1e-6)
    assert queues.latency_s.sum() == pytest.approx(queues.ended_in_s.sum())


def test_the_clairvoyant_takes_what_ends_first() -> None:
    """A long request before it is worth a slower host, and the count of requests is not."""
    at_s, work = [0.0, 0.1, 0.2], [10.0, 1.0, 1.0]
    queues = Queues(at_s, work, [0, 0, 0], [2.0, 1.0], policy="clairvoyant", seed=1)
    queues.advance(math.inf)
    assert queues.taken_by.tolist() == [0, 1, 1]


def test_least_request_follows_weights_and_weight_0_gets_nothing() -> None:
    """Idle hosts share by weight, as Envoy's schedule does."""
    queues = Queues(*requests(0.5, "equal", 3000), [1e6] * 3, policy="least_request", seed=1)
    queues.weight[:] = [3.0, 1.0, 0.0]
    queues.advance(math.inf)
    assert queues.asked.tolist() == [2250, 750, 0]


def test_a_speed_that_changes_counts_from_then_on() -> None:
    """Half of the work is done fast, half slowly."""
    queues = Queues([0.0], [2.0], [0], [1.0], policy="round_robin", seed=1)
    queues.advance(1.0)
    queues.speed[0] = 0.25
    queues.advance(math.inf)
    assert queues.ended_in_s.tolist() == [5.0]


def test_what_makes_no_sense_is_refused() -> None:
    """Unknown policies, pickers that are not there, and nobody to send to."""
    with pytest.raises(ValueError, match="not in tuple"):
        Queues([0.0], [1.0], [0], [1.0], policy="best", seed=1)
    with pytest.raises(ValueError, match="pickers are 0 to 0"):
        Queues([0.0], [1.0], [1], [1.0], policy="round_robin", seed=1)
    with pytest.raises(ValueError, match="at least one host"):
        Queues([0.0], [1.0], [0], [], policy="round_robin", seed=1)
    queues = Queues([0.0], [1.0], [0], [1.0], policy="shortest_delay", seed=1)
    queues.weight[0] = 0.0
    with pytest.raises(ValueError, match="no host has a weight"):
        queues.advance(1.0)
