"""Trends that bursts do not move, and room that is really there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from core_strategies import DIMENSIONS, NOW, clusters, loads
from hypothesis import given
from hypothesis import strategies as st

from balancer_core.cluster import Cluster
from balancer_core.forecast import InvalidSeries, headroom, soon, trend
from balancer_core.load import Load
from balancer_core.placement import decide


@given(st.floats(-5, 5), st.floats(0, 100), st.integers(3, 40), st.floats(0.1, 60))
def test_a_line_is_found_again(slope: float, level: float, count: int, step_s: float) -> None:
    """Without noise the trend is the line itself."""
    times = [100.0 + step_s * number for number in range(count)]
    found = trend(times, [level + slope * (at - times[-1]) for at in times])
    assert found.slope_per_s == pytest.approx(slope, abs=1e-9)
    assert found.level == pytest.approx(level, abs=1e-6)
    assert found.spread == pytest.approx(0.0, abs=1e-6)


def test_a_burst_in_every_fourth_sample_does_not_move_it() -> None:
    """Least squares would see a jump; half of the samples lie on the line."""
    times = [float(second) for second in range(100)]
    amounts = [50.0 + 0.2 * second + (1000.0 if second % 4 == 0 else 0.0) for second in range(100)]
    found = trend(times, amounts)
    assert found.slope_per_s == pytest.approx(0.2, abs=0.02)
    assert found.at(199.0) == pytest.approx(89.8, abs=3.0)


def test_it_says_when_a_limit_is_reached() -> None:
    """From below only, and never for a line that falls or is flat."""
    rising = trend([0, 10, 20], [10.0, 20.0, 30.0])
    assert 90.0 == rising.reaches(100.0)
    assert rising.reaches(30.0) is None
    assert trend([0, 10, 20], [5.0, 5.0, 5.0]).reaches(6.0) is None
    falling = trend([0, 10, 20], [30.0, 20.0, 10.0])
    assert (None, 0.0) == (falling.reaches(100.0), falling.at(60.0))


def test_a_long_series_counts_by_its_latest_part() -> None:
    """What was before the last 480 samples is over."""
    amounts = [1e6] * 1000 + [float(number) for number in range(480)]
    assert 1.0 == trend([float(number) for number in range(1480)], amounts).slope_per_s


@pytest.mark.parametrize(
    ("times", "amounts", "field", "code"),
    [
        ([1, 2, 3], [1, 2], "amounts", "wrong_length"),
        ([1, 2], [1, 2], "times", "too_short"),
        ([1, 2, 2], [1, 2, 3], "times", "not_in_order"),
        ([1, 2, math.inf], [1, 2, 3], "times", "not_finite"),
        ([1, 2, 3], [1, math.nan, 3], "amounts", "not_finite"),
    ],
)
def test_a_series_that_is_none_is_refused(
    times: list[float], amounts: list[float], field: str, code: str
) -> None:
    """Typed, naming the part."""
    with pytest.raises(InvalidSeries) as refused:
        trend(times, amounts)
    assert (field, code) == (refused.value.field, refused.value.code)


@given(clusters(), loads())
def test_headroom_names_the_hosts_that_can_take_it(cluster: Cluster, load: Load) -> None:
    """Those and no others, each with room for one at least, but for the last bit of a division."""
    snapshot = cluster.snapshot()
    found = headroom(snapshot, load, NOW)
    assert decide(snapshot, load, NOW).feasible == len(found)
    demand = DIMENSIONS.vector(load.demand)
    for host, count in found.items():
        row = snapshot.rows[host]
        assert count >= 1
        after = snapshot.reserved[row] + count * demand
        assert (after <= snapshot.capacity[row] * (1 + 1e-9))[demand > 0].all()


def test_headroom_counts_what_really_fits() -> None:
    """Placed one after the other, exactly so many find room."""
    cluster = Cluster()
    cluster.add_host("small", {"cpu": 4, "memory": 100})
    cluster.add_host("large", {"cpu": 10, "memory": 30})
    cluster.report("large", {"memory": 8}, 0.0)
    load = Load("job", "j", {"cpu": 1.5, "memory": 7})
    assert {"small": 2, "large": 3} == headroom(cluster.snapshot(), load, 1.0)
    assert {} == headroom(Cluster().snapshot(), load, 1.0)
    for _ in range(5):
        host = decide(cluster.snapshot(), load, 1.0).host
        cluster.reserve(str(host), cluster.dimensions.vector(load.demand))
        cluster.report("large", {"memory": 8 + cluster.snapshot().reserved[1, 1]}, 0.0)
    assert not decide(cluster.snapshot(), load, 1.0).placed
    assert np.isclose(cluster.snapshot().reserved[:, 0].sum(), 7.5)


def test_what_clearly_rises_is_expected_and_noise_is_not() -> None:
    """A leak of 1 a second will be 60 higher in a minute; what jumps about, falls or stands still is not."""
    rng = np.random.default_rng(7)
    times = np.arange(0.0, 160.0, 10.0)
    columns = np.column_stack([times, rng.normal(50.0, 5.0, 16), 200.0 - times, np.full(16, 30.0)])
    expected = soon(np.array([times, times]), np.array([columns, columns[:, ::-1]]), 155.0, 60.0)
    assert [pytest.approx(215.0), 0.0, 0.0, 0.0] == expected[0].tolist()
    assert [0.0, 0.0, 0.0, pytest.approx(215.0)] == expected[1].tolist()


@pytest.mark.parametrize(
    ("times", "amounts", "field"),
    [
        ([1.0, 2.0], np.ones((2, 1)), "times"),
        ([1.0, 2.0, 3.0], np.ones((2, 1)), "amounts"),
        ([1.0, 2.0, 3.0], np.ones(3), "amounts"),
        ([1.0, 2.0, 3.0], np.array([[1.0], [np.nan], [1.0]]), "amounts"),
        ([3.0, 2.0, 1.0], np.ones((3, 1)), "times"),
    ],
)
def test_samples_that_say_nothing_are_refused(times: list[float], amounts: np.ndarray, field: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(InvalidSeries) as refused:
        soon(np.array([times]), amounts[None], 4.0, 60.0)
    assert field == refused.value.field


def test_an_expected_rise_makes_a_host_dearer_and_never_full() -> None:
    """Of two equal hosts the one whose memory leaks is avoided; alone it still takes the load, and says why it
    looks so full."""
    cluster = Cluster()
    for name in ("leaks", "steady"):
        cluster.add_host(name, {"memory": 64e9})
        cluster.report(name, {"memory": 20e9}, NOW)
    cluster.expect("leaks", {"memory": 70e9})
    load = Load("job", "j", {"memory": 8e9})
    assert "steady" == decide(cluster.snapshot(), load, NOW).host
    cluster.remove_host("steady")
    alone = decide(cluster.snapshot(), load, NOW)
    assert "leaks" == alone.host
    assert pytest.approx((70e9 - 20e9) / 64e9) == alone.terms[0].forecast
    assert "78 % of it is not in use yet but forecast" in alone.sentence
