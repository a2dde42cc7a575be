"""Arrivals and sums of a load, against values known beforehand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from bench.load.arrivals import poisson
from bench.load.summary import DEADLINE, REFUSED, Record, percentile, summarise


def test_poisson_is_the_same_for_a_seed() -> None:
    """A seed fixes every instant; another seed gives others."""
    assert list(poisson(50, 4, seed=7)) == list(poisson(50, 4, seed=7))
    assert list(poisson(50, 4, seed=7)) != list(poisson(50, 4, seed=8))


def test_poisson_has_its_rate_and_its_spread() -> None:
    """Gaps have the mean of the rate and, as exponential ones do, a standard deviation equal to it."""
    due = list(poisson(1000, 20, seed=3))
    gaps = [later - earlier for earlier, later in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))

    assert due == sorted(due)
    assert due[0] >= 0 and due[-1] < 20
    assert len(due) == pytest.approx(20_000, rel=0.03)
    assert deviation == pytest.approx(mean, rel=0.03)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([15, 20, 35, 40, 50], 5, 15),
        ([15, 20, 35, 40, 50], 30, 20),
        ([15, 20, 35, 40, 50], 40, 20),
        ([15, 20, 35, 40, 50], 50, 35),
        ([15, 20, 35, 40, 50], 100, 50),
        (list(range(1, 101)), 99, 99),
        (list(range(1, 101)), 99.5, 100),
        (list(range(1, 11)), 90, 9),
        ([7], 1, 7),
    ],
)
def test_percentile_is_nearest_rank(values: list[float], percent: float, expected: float) -> None:
    """The smallest value that at least so many per cent do not exceed."""
    assert expected == percentile(values, percent)


def test_percentile_of_nothing_and_of_nonsense() -> None:
    """No values have no percentile; 0 and above 100 are no percentiles."""
    assert math.isnan(percentile([], 50))
    for percent in (0, 100.1, math.nan):
        with pytest.raises(ValueError, match="percent"):
            percentile([1.0], percent)


def test_summary_counts_by_kind() -> None:
    """Answers with 5xx, missed deadlines and refusals fail; only successes and deadlines have a latency."""
    records = [
        Record(0.0, 0.010, 200, host="a"),
        Record(0.1, 0.020, 200, host="a"),
        Record(0.2, 0.030, 302, host="b"),
        Record(0.3, 0.001, 500, host="b"),
        Record(0.4, 2.000, 0, DEADLINE),
        Record(0.5, 0.001, 0, REFUSED),
    ]
    summary = summarise(records, max_lag_s=0.002)

    assert (summary.requests, summary.failures) == (6, 3)
    assert summary.failures_by == {"500": 1, "deadline": 1, "refused": 1}
    assert (summary.p50_ms, summary.p90_ms, summary.max_ms) == (20, 2000, 2000)
    assert summary.share == {"a": 0.5, "b": 0.5}
    assert summary.max_lag_ms == 2


def test_summary_of_nothing_is_json_safe() -> None:
    """Without requests there are no percentiles, and JSON has null for them."""
    fields = summarise([]).to_dict()

    assert fields["requests"] == 0
    assert fields["p99_ms"] is None
