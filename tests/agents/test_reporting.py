"""When a report is due."""

from __future__ import annotations

import pytest

from agents.reporting import Reporter

CAPACITY = {"cpu": 4.0, "memory": 1000.0}


def reporter_after(used: dict[str, float], capacity: dict[str, float] = CAPACITY) -> Reporter:
    """A reporter that has sent these figures at second 0."""
    reporter = Reporter()
    reporter.begin(capacity)
    assert reporter.next(0.0, "h1", used, capacity, 10.0) is not None
    return reporter


@pytest.mark.parametrize(
    ("used", "now", "due"),
    [
        ({"cpu": 1.0, "memory": 500.0}, 1.0, False),
        ({"cpu": 1.039, "memory": 509.0}, 1.0, False),
        ({"cpu": 1.041, "memory": 500.0}, 1.0, True),
        ({"cpu": 1.0, "memory": 490.0}, 1.0, True),
        ({"cpu": 1.0}, 1.0, True),
        ({"cpu": 1.0, "memory": 500.0}, 10.0, True),
    ],
)
def test_a_report_is_due_on_change_or_silence(used: dict[str, float], now: float, due: bool) -> None:
    """One percent of capacity on any resource, a resource that comes or goes, or too long a silence."""
    report = reporter_after({"cpu": 1.0, "memory": 500.0}).next(now, "h1", used, CAPACITY, 10.0)

    assert due == (report is not None)


def test_capacity_is_sent_only_when_it_changed() -> None:
    """Hello carried the capacity; a report carries it once after each change."""
    reporter = reporter_after({"cpu": 1.0})
    grown = {**CAPACITY, "cpu": 8.0}
    changed = reporter.next(1.0, "h1", {"cpu": 1.0}, grown, 10.0)
    after = reporter.next(20.0, "h1", {"cpu": 1.0}, grown, 10.0)

    assert changed is not None
    assert after is not None
    assert (changed.capacity, after.capacity) == (grown, None)
    assert (changed.seq, after.seq) == (2, 3)


def test_without_capacity_a_change_is_measured_against_the_amount() -> None:
    """Disk io has no known limit: one percent of itself counts, nothing does not."""
    reporter = reporter_after({"disk_io": 1000.0}, {})

    assert reporter.next(1.0, "h1", {"disk_io": 1005.0}, {}, 10.0) is None
    assert reporter.next(1.0, "h1", {"disk_io": 1020.0}, {}, 10.0) is not None
    assert reporter_after({"disk_io": 0.0}, {}).next(1.0, "h1", {"disk_io": 0.0}, {}, 10.0) is None


def test_a_new_connection_is_told_at_once() -> None:
    """The first report on a connection is due whatever was sent on the last one."""
    reporter = reporter_after({"cpu": 1.0})
    reporter.begin(CAPACITY)

    assert reporter.next(0.5, "h1", {"cpu": 1.0}, CAPACITY, 10.0) is not None
