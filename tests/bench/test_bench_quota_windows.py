"""The simulated hosts of the rack: full speed within a period's quota, standing still for the rest."""

from __future__ import annotations

import random

import pytest

from bench.traffic.quota_windows import COST_S, EvenHost, QuotaHost, p99_ms, pool_of


def test_a_host_stands_still_when_its_quota_is_used_up() -> None:
    """Five requests of 5 ms in a quota of 25 ms; the sixth begins with the next period."""
    host = QuotaHost(0.25)
    ends = [host.take(0.0, COST_S) for _ in range(6)]

    assert ends == pytest.approx([0.005, 0.010, 0.015, 0.020, 0.025, 0.105], abs=1e-6)


def test_a_small_host_needs_two_periods_for_a_request() -> None:
    """2.5 ms in each of two; at the end of a period it is quicker."""
    assert QuotaHost(0.025).take(0.0, COST_S) == pytest.approx(0.1025, abs=1e-6)
    assert QuotaHost(0.025, phase_s=0.099).take(0.0, COST_S) == pytest.approx(0.1025, abs=1e-6)
    assert QuotaHost(0.025, phase_s=0.0975).take(0.0, COST_S) == pytest.approx(0.005, abs=1e-6)


def test_what_was_not_used_is_not_kept() -> None:
    """A host that idled for a period has no more than one quota."""
    host = QuotaHost(0.1)
    host.take(0.0, COST_S)

    assert host.take(0.25, COST_S) == pytest.approx(0.255, abs=1e-6)
    assert host.take(0.25, COST_S) == pytest.approx(0.26, abs=1e-6)
    assert host.take(0.25, COST_S) == pytest.approx(0.305, abs=1e-6)


@pytest.mark.parametrize("cores", [0.25, 0.06, 0.025])
def test_over_time_both_kinds_do_the_same_work(cores: float) -> None:
    """A backlog of a second's cpu takes as long, but for the standstill at its end."""
    even, quota = EvenHost(cores), QuotaHost(cores)
    for _ in range(200):
        evenly, in_windows = even.take(0.0, COST_S), quota.take(0.0, COST_S)

    assert in_windows == pytest.approx(evenly, abs=0.1)


def test_at_little_load_full_speed_is_quicker_than_evenly_slow() -> None:
    """A lone request is done in 5 ms."""
    even = [EvenHost(0.25), EvenHost(0.1)]
    quotas = [QuotaHost(0.25), QuotaHost(0.1)]

    assert p99_ms(quotas, pool_of(quotas), 1, 500, random.Random(1)) == pytest.approx(5.0, abs=0.1)
    assert p99_ms(even, pool_of(even), 1, 500, random.Random(1)) >= 20.0
