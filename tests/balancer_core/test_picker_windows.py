"""Hosts that work in windows of a cpu quota: what the picker learns of them, and what that is worth."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer_core._kernels import picker, picker_reference
from bench.traffic.quota_windows import (
    COST_S,
    Costs,
    EvenHost,
    QuotaHost,
    aware_pool_of,
    equal,
    p99_ms,
    pool_of,
    quota_hosts,
    unequal,
    varied,
)

PERIOD_S = 0.1
NONE_FAILED = np.zeros(6, dtype=np.uint64)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([30, 60, 92]), st.sampled_from([equal, varied]))
def test_what_is_learnt_is_the_same(seed: int, load: int, costs: Costs) -> None:
    """Four hundred requests to the rack's six: picks, begins, doubts and what is used, to the last bit."""
    chance = random.Random(seed)
    hosts = quota_hosts(chance)
    weights = [host.cores / COST_S for host in hosts]
    pools = picker.Pool(np.array(weights), seed=seed), picker_reference.Pool(weights, seed=seed)
    for pool in pools:
        for row, host in enumerate(hosts):
            pool.set_window(row, *host.window, 0.0)
    now = 0.0
    for _ in range(400):
        now += chance.expovariate(load / 100 * sum(weights))
        for host in hosts:
            host.come_to(now)
        in_flight, answered = [len(host.ends) for host in hosts], [host.answered for host in hosts]
        row = pools[0].pick(np.array(in_flight), now, np.array(answered, dtype=np.uint64), NONE_FAILED)
        assert pools[1].pick(in_flight, now, answered, [0] * 6) == row
        hosts[row].take(now, costs(chance))
        assert [pools[1].window(row) for row in range(6)] == [pools[0].window(row) for row in range(6)]


def test_the_begin_of_windows_is_found() -> None:
    """After a minute at 80 % load, to a few milliseconds, for each host that stands still now and then."""
    chance = random.Random(1)
    hosts = quota_hosts(chance)
    pool = aware_pool_of(hosts, seed=1)
    p99_ms(hosts, pool, 80, 6000, chance)

    found = 0
    for row, host in enumerate(hosts):
        known = pool.window(row)
        assert known is not None
        trusted, begins_s, doubt, _, _ = known
        if trusted:
            off = (begins_s + host.phase_s) / PERIOD_S
            assert abs(off - round(off)) * PERIOD_S < 0.005
            assert math.sqrt(doubt) < 0.005
            found += 1
    assert found >= 4


@pytest.mark.parametrize(("load", "most"), [(60, 0.7), (80, 0.85), (92, 0.9)])
def test_the_tail_of_equal_requests_is_shorter(load: int, most: float) -> None:
    """Beside the picker that is told nothing of windows, on the same hosts with the same arrivals."""
    aware, plain = (
        p99_ms(hosts, kind(hosts, 1), load, 8000, random.Random(2))
        for kind, hosts in ((each, quota_hosts(random.Random(1))) for each in (aware_pool_of, pool_of))
    )
    assert aware < most * plain


@pytest.mark.parametrize("load", [30, 60, 80, 92])
def test_the_tail_of_unequal_requests_is_no_longer(load: int) -> None:
    """Exponential costs break promises, until the margin is given up and windows with it."""
    aware, plain = (
        p99_ms(hosts, kind(hosts, 1), load, 8000, random.Random(2), unequal)
        for kind, hosts in ((each, quota_hosts(random.Random(1))) for each in (aware_pool_of, pool_of))
    )
    assert aware < 1.1 * plain


def test_windows_that_are_none_are_not_believed() -> None:
    """Hosts said to have a quota, and slow evenly: each pick is the one without windows."""
    speeds = [0.25, 0.15, 0.1]
    pools = [picker.Pool(np.array(speeds) / COST_S, seed=1) for _ in range(2)]
    for row, cores in enumerate(speeds):
        pools[1].set_window(row, PERIOD_S, cores, cores * PERIOD_S / COST_S, 0.0)
    tails = [
        p99_ms([EvenHost(cores) for cores in speeds], pool, 80, 4000, random.Random(1)) for pool in pools
    ]
    assert tails[0] == tails[1]


def test_another_number_of_requests_keeps_what_was_learnt() -> None:
    """Weights change all the time; another period, or another endpoint, starts again."""
    host = QuotaHost(0.25)
    pool = aware_pool_of([host])
    p99_ms([host], pool, 80, 500, random.Random(1))
    before = pool.window(0)
    assert before is not None
    assert before[0]

    pool.set_window(0, PERIOD_S, 0.25, 4.5, 100.0)
    assert pool.window(0) == before
    pool.set_window(0, 0.05, 0.25, 2.5, 100.0)
    assert pool.window(0) == (False, 0.0, pytest.approx(0.05**2 / 12), 0.0, 0.0)
    pool.join(0, 50.0, 100.0, 100.0)
    assert pool.window(0) is None


@pytest.mark.parametrize("window", [(math.nan, 0.25, 5.0), (0.1, 0.0, 5.0), (0.1, 0.25, math.inf)])
def test_what_is_no_window_is_refused(window: tuple[float, float, float]) -> None:
    """Not numbers, none and infinitely many."""
    pool = picker.Pool(np.ones(1))
    with pytest.raises(ValueError, match="window"):
        pool.set_window(0, *window, 0.0)
    with pytest.raises(IndexError):
        pool.set_window(1, 0.1, 0.25, 5.0, 0.0)
