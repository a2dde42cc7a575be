"""The request picker's C: the reference's picks on every input, and what they come to under load."""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer_core._kernels import picker, picker_reference

capacities = st.sampled_from([1.0, 1.0, 2.0, 10.0, 1e-6, 1e15]) | st.floats(1e-3, 1e3)
seeds = st.integers(0, 2**64 - 1)


def flying(*counts: int) -> np.ndarray:
    return np.array(counts, dtype=np.int64)


@st.composite
def pools(draw: st.DrawFn) -> tuple[list[float], dict[str, Any]]:
    """Up to 70 endpoints or up to 300 in the ranges that are drawn from, with any options."""
    count = draw(st.integers(0, 9) | st.integers(60, 70) | st.integers(130, 300))
    some = draw(st.lists(capacities, min_size=1, max_size=9))
    options = {
        "near": draw(st.just(0) | st.integers(0, count)),
        "pickers": draw(st.sampled_from([1.0, 4.0, 7.0])),
        "slow_start_s": draw(st.sampled_from([0.0, 3.0])),
        "ramp_power": draw(st.sampled_from([1.0, 0.5, 3.0])),
        "least_ramp": draw(st.sampled_from([0.1, 1.0])),
        "spill": draw(st.sampled_from([1.0, 2.0, math.inf])),
        "seed": draw(seeds),
    }
    return [some[row % len(some)] for row in range(count)], options


@given(seeds)
def test_random_numbers_are_the_same(seed: int) -> None:
    """The state steps as the reference's, and every number is below 1."""
    drawn, state = picker.uniform(seed)
    reference = picker_reference.Pool([], seed=seed)
    assert (reference.uniform(), reference.state) == (drawn, state)
    assert 0.0 <= drawn < 1.0


@settings(deadline=None)
@given(pools(), seeds)
def test_picks_are_the_same(pool: tuple[list[float], dict[str, Any]], seed: int) -> None:
    """Over twelve picks: loads, outcomes, newcomers, tried ones and time as they come; costs to the last bit."""
    weights, options = pool
    compiled = picker.Pool(np.array(weights, dtype=float), **options)
    reference = picker_reference.Pool(weights, **options)
    chance, count, now_s = np.random.default_rng(seed), len(weights), 100.0
    for row in range(0, count, 2):
        if chance.random() < 0.3:
            window = (row, 0.1, float(chance.choice([0.25, 0.025])), float(chance.choice([5.0, 0.5])), now_s)
            compiled.set_window(*window)
            reference.set_window(*window)
    successes, errors = np.zeros((2, count), dtype=np.uint64)
    for step in range(12):
        now_s += float(chance.choice([0.0, 0.001, 0.01, 0.1, 2.0, 90.0]))
        in_flight = chance.integers(0, 4, count)
        successes += chance.integers(0, 90, count, dtype=np.uint64)
        errors += chance.integers(0, 3, count, dtype=np.uint64) * np.uint64(step % 2)
        if step == 5:
            errors[:] = 0  # An Envoy that began anew.
        if count and step % 4 == 3:
            row, capacity = int(chance.integers(0, count)), float(chance.choice([1.0, 5.0]))
            told = (row, capacity, now_s, now_s, successes.item(row), errors.item(row))
            compiled.join(*told)
            reference.join(*told)
        tried = chance.integers(0, 2, count).astype(np.uint8) if step % 3 == 0 else None
        expected = reference.pick(
            in_flight.tolist(),
            now_s,
            successes.tolist(),
            errors.tolist(),
            [] if tried is None else tried.tolist(),
        )
        assert expected == compiled.pick(in_flight, now_s, successes, errors, tried)
        assert reference.costs() == compiled.costs()
        assert [reference.window(row) for row in range(count)] == [
            compiled.window(row) for row in range(count)
        ]


def test_the_shortest_expected_delay_wins() -> None:
    """(in flight + 1) / capacity; equals are drawn from evenly."""
    pool = picker.Pool(np.array([1.0, 4.0, 4.0]), seed=1)
    assert 0 == pool.pick(flying(0, 4, 4), 0.0)
    assert 2 == pool.pick(flying(0, 3, 2), 0.0)
    counts = Counter(pool.pick(flying(0, 1, 1), 0.0) for _ in range(1000))
    assert {1, 2} == set(counts)
    assert 430 <= counts[1] <= 570


def test_idle_ones_of_nearly_one_speed_share_what_comes() -> None:
    """Capacities of 100 and 90 are estimates of the same server; 60 is another one, and waits for more load."""
    pool = picker.Pool(np.array([100.0, 90.0, 60.0]), seed=1)

    idle = Counter(pool.pick(flying(0, 0, 0), 0.0) for _ in range(2000))
    busy = {pool.pick(flying(1, 0, 0), 0.0) for _ in range(100)}

    assert 0 == idle[2]
    assert idle[0] == pytest.approx(1000, abs=150)
    assert {1} == busy


def test_one_that_fails_at_once_attracts_nothing_and_is_forgiven() -> None:
    """1,000 requests/s of 80 ms: it is always idle, yet gets a probe a second; well again, its share within 10 s."""
    pool = picker.Pool(np.ones(4), seed=1)
    successes, errors = np.zeros((2, 4), dtype=np.uint64)
    in_flight, held = np.zeros(4, dtype=np.int64), deque()

    def run(seconds: range, broken: bool) -> int:
        taken = 0
        for tick in range(seconds.start * 1000, seconds.stop * 1000):
            while held and held[0][0] <= tick:
                row = held.popleft()[1]
                in_flight[row] -= 1
                successes[row] += np.uint64(1)
            row = pool.pick(in_flight, tick / 1000, successes, errors)
            taken += row == 0
            if broken and row == 0:
                errors[row] += np.uint64(1)
            else:
                in_flight[row] += 1
                held.append((tick + 80, row))
        return taken

    # 20 ms pass before it is known; 500 would be its share, and all what least in flight would give it.
    assert run(range(2), broken=True) <= 60
    run(range(2, 12), broken=True)
    assert 3 <= run(range(12, 22), broken=True) <= 30
    run(range(22, 32), broken=False)
    assert 0.22 <= run(range(32, 34), broken=False) / 2000 <= 0.28


def test_a_newcomer_ramps_up() -> None:
    """A tenth of its capacity at first, half at half time, all of it after."""
    pool = picker.Pool(np.ones(2), slow_start_s=10.0)
    pool.join(1, 1.0, 50.0, 50.0)
    costs = []
    for now_s in (50.2, 55.0, 61.0):
        pool.pick(flying(0, 0), now_s)
        costs.append(pool.costs()[1])
    assert [10.0, 2.0, 1.0] == pytest.approx(costs)


def test_the_own_zone_is_used_while_it_has_room() -> None:
    """Idle there, there; busy there, elsewhere once that is twice as fast, and only then."""
    pool = picker.Pool(np.array([1.0, 8.0, 8.0]), near=1, spill=2.0, seed=1)
    assert 0 == pool.pick(flying(0, 0, 0), 0.0)
    assert 0 == pool.pick(flying(1, 9, 9), 0.0)
    assert 0 != pool.pick(flying(1, 6, 6), 0.0)
    assert 0 != pool.pick(flying(0, 0, 0), 0.0, tried=np.array([1, 0, 0], dtype=np.uint8))


def test_a_retry_avoids_whom_it_tried() -> None:
    """In small and in large pools, up to the last one that is left; then nobody."""
    for count in (3, 200):
        pool, tried = picker.Pool(np.ones(count)), np.zeros(count, dtype=np.uint8)
        for _ in range(count):
            row = pool.pick(np.zeros(count, dtype=np.int64), 0.0, tried=tried)
            assert not tried[row]
            tried[row] = 1
        assert -1 == pool.pick(np.zeros(count, dtype=np.int64), 0.0, tried=tried)
    assert -1 == picker.Pool(np.empty(0)).pick(np.empty(0, dtype=np.int64), 0.0)


def test_a_large_pool_is_used_by_capacity() -> None:
    """1,000 endpoints, a tenth of them nine times as able: after 20,000 requests all are level for their capacity."""
    abilities = np.where(np.arange(1000) % 10 == 0, 9.0, 1.0)
    pool, in_flight = picker.Pool(abilities, seed=3), np.zeros(1000, dtype=np.int64)
    for _ in range(20_000):
        in_flight[pool.pick(in_flight, 0.0)] += 1
    levels = in_flight / abilities
    fair = 20_000 / abilities.sum()
    assert levels.max() < 1.25 * fair
    assert levels.min() > 0.6 * fair


def p99(
    pickers: int, told: float, chance: np.random.Generator, requests: int = 20_000, load: float = 0.8
) -> float:
    """The 99th percentile of delays, in units of a request's work, over six unequal first-come-first-served hosts."""
    abilities = np.array([10.0, 6.0, 4.0, 2.4, 1.6, 1.0])
    pools = [picker.Pool(abilities, pickers=told, seed=number) for number in range(pickers)]
    in_flight = np.zeros((pickers, 6), dtype=np.int64)
    free_at, ends, delays = [0.0] * 6, [], []
    now = 0.0
    for gap, work, who in zip(
        chance.exponential(1.0 / (load * abilities.sum()), requests).tolist(),
        chance.exponential(1.0, requests).tolist(),
        chance.integers(0, pickers, requests).tolist(),
        strict=True,
    ):
        now += gap
        while ends and ends[0][0] <= now:
            _, picked_by, row = heapq.heappop(ends)
            in_flight[picked_by, row] -= 1
        row = pools[who].pick(in_flight[who], 0.0)
        in_flight[who, row] += 1
        free_at[row] = max(free_at[row], now) + work / abilities.item(row)
        heapq.heappush(ends, (free_at[row], who, row))
        delays.append(free_at[row] - now)
    return float(np.quantile(delays, 0.99))


def test_four_pickers_do_not_herd() -> None:
    """Told that they are four, their p99 is at most 1.4 times that of one that sees all, and shorter than untold."""
    one = p99(1, 1.0, np.random.default_rng(5))
    told = p99(4, 4.0, np.random.default_rng(5))
    untold = p99(4, 1.0, np.random.default_rng(5))
    assert told < 1.4 * one
    assert told < untold


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: picker.Pool(np.array([0.0])), "capacity"),
        (lambda: picker.Pool(np.array([math.nan])), "capacity"),
        (lambda: picker.Pool(np.array([1e200])), "capacity"),
        (lambda: picker.Pool(np.ones(2), near=3), "near"),
        (lambda: picker.Pool(np.ones(2), pickers=0.0), "pickers"),
        (lambda: picker.Pool(np.ones(2), pickers=math.inf), "pickers"),
        (lambda: picker.Pool(np.ones(2), slow_start_s=math.nan), "slow_start_s"),
        (lambda: picker.Pool(np.ones(2), spill=0.5), "spill"),
        (lambda: picker.Pool(np.ones(2), ramp_power=0.0), "ramp_power"),
        (lambda: picker.Pool(np.ones(2), least_ramp=0.0), "least_ramp"),
        (lambda: picker.Pool(np.ones(2)).join(0, -1.0, 0.0, 0.0), "capacity"),
        (lambda: picker.Pool(np.ones(2)).pick(flying(1), 0.0), "in_flight"),
        (
            lambda: picker.Pool(np.ones(2)).pick(flying(1, 1), 0.0, np.zeros(2, dtype=np.uint64)),
            "come together",
        ),
        (lambda: picker.Pool(np.ones(2)).pick(flying(1, 1), 0.0, tried=np.zeros(1, dtype=np.uint8)), "tried"),
    ],
)
def test_wrong_arguments_are_refused(build: Any, message: str) -> None:
    """Before C sees them."""
    with pytest.raises(ValueError, match=message):
        build()


def test_a_row_that_is_not_there_is_refused() -> None:
    """Neither joins nor gets a capacity."""
    pool = picker.Pool(np.ones(2))
    with pytest.raises(IndexError):
        pool.join(2, 1.0, 0.0, 0.0)
    with pytest.raises(IndexError):
        pool.set_capacity(-1, 1.0)
    pool.set_capacity(1, 4.0)
    assert [1.0, 0.25] == pool.costs()
