"""How fast what is moved may go."""

from __future__ import annotations

import threading

import pytest

from agents.pace import LATE_S, WIRE, Pace
from agents.transfer import Limits


class Clock:
    """Goes as it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_headers_count_and_what_is_late_is_made_up_for() -> None:
    """Through a second at 1 MB/s go a million bytes with their headers, also for one who wakes up a little late."""
    clock = Clock()
    pace = Pace(1e6, clock)
    while clock.now < 1.0:
        clock.now += max(0.0, pace.went(10_000)) + 0.005

    assert pace.moved_bytes * WIRE == pytest.approx(1e6, rel=0.03)


def test_time_that_was_not_used_is_not_saved_up() -> None:
    """After a pause the rate is what it was before it."""
    clock = Clock()
    pace = Pace(100.0, clock)
    clock.now = 50.0

    waits = [pace.went(10) for _ in range(3)]

    assert waits == pytest.approx([WIRE * 10 * count / 100.0 - LATE_S for count in (1, 2, 3)])


@pytest.mark.parametrize(("rate", "at_once"), [(None, 262_144), (1e9, 262_144), (1e6, 20_000), (1.0, 2048)])
def test_what_goes_at_once_is_little_of_the_rate(rate: float | None, at_once: int) -> None:
    """A fiftieth of a second of it, where there is one."""
    assert Limits(9e9, threading.Event(), rate).chunk_bytes == at_once


def test_no_rate_never_waits() -> None:
    """What went is counted all the same."""
    pace = Pace(None)

    assert [pace.went(2**40), pace.went(1)] == [0.0, 0.0]
    assert pace.moved_bytes == 2**40 + 1
