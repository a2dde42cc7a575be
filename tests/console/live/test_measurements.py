"""The last minutes of all hosts, in columns."""

from __future__ import annotations

import numpy as np

from console.live.measurements import POINTS, Measurements


def test_points_come_back_in_order_and_the_oldest_go() -> None:
    """However often the ring went round; other hosts' points are their own."""
    held = Measurements(2)
    for second in range(POINTS + 7):
        held.take("a", [second, 1.0], float(second))
        if second % 2:
            held.take("b", [-1.0, second], float(second))

    times, used = held.of("a")
    assert times.tolist() == list(range(7, POINTS + 7))
    assert used[:, 0].tolist() == times.tolist()
    times, used = held.of("b")
    assert times.tolist() == list(range(1, POINTS + 7, 2))
    assert held.last(["b", "nobody", "a"])[[0, 2]].tolist() == [[-1.0, POINTS + 5], [POINTS + 6, 1.0]]
    assert np.isnan(held.last(["nobody"])).all()


def test_two_of_one_moment_are_one() -> None:
    """So that a line through them has a slope."""
    held = Measurements(1)
    held.take("a", [1.0], 5.0)
    held.take("a", [2.0], 5.0)
    times, used = held.of("a")
    assert (times.tolist(), used.tolist()) == ([5.0], [[2.0]])


def test_who_is_forgotten_leaves_nothing_to_who_comes() -> None:
    """A slot is used again, its points are not."""
    held = Measurements(1)
    for number in range(40):
        held.take(f"host-{number}", [1.0], 1.0)
    held.forget(["host-3", "unheard"])
    held.take("newcomer", [2.0], 2.0)

    assert "host-3" not in held
    assert held.of("host-3")[0].size == 0
    assert held.of("newcomer")[1].tolist() == [[2.0]]
    assert held.of("host-4")[1].tolist() == [[1.0]]


def test_what_nobody_measured_is_unknown_and_not_nothing() -> None:
    """Before there was such a resource, and where a host does not measure it."""
    held = Measurements(1)
    held.take("a", [1.0], 1.0)
    held.widen(2)
    held.take("a", [2.0, np.nan], 2.0)
    held.take("a", [3.0, 1.0], 3.0)
    assert np.isnan(held.of("a")[1][:, 1]).tolist() == [True, True, False]


def test_samples_are_evenly_apart_and_end_at_the_newest() -> None:
    """Of those within the window; hosts with too few are left out, hosts with equally many come together."""
    held = Measurements(1)
    for second in range(100):
        held.take("often", [second], float(second))
        held.take("as often", [-second], float(second))
        if second % 10 == 0:
            held.take("seldom", [second], float(second))
        if second > 97:
            held.take("new", [second], float(second))

    groups = list(held.samples(["often", "new", "seldom", "as often"], 50.0, 4, 16))

    assert [names for names, _, _ in groups] == [["seldom"], ["often", "as often"]]
    assert groups[0][1].tolist() == [[50.0, 60.0, 70.0, 80.0, 90.0]]
    _, times, used = groups[1]
    assert times.tolist() == [list(range(51, 100, 4))] * 2
    assert used[1, :, 0].tolist() == (-times[1]).tolist()
