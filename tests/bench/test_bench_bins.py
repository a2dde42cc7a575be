"""The benchmark of bin packing: its reader, and the evaluator that shares no code with what packs."""

from __future__ import annotations

import pytest

from bench.bins import TASKS, Instance, bins_used, parsed, solved

TEXT = "2\n10 8\n3\n4 1 2\n6 7 1\n10 0 1\n"
INSTANCE = Instance("small", (10, 8), ((4, 1), (4, 1), (6, 7), (10, 0)))


def test_a_load_comes_as_often_as_its_line_says() -> None:
    """Two resources, three lines, four loads."""
    assert parsed("small", TEXT) == INSTANCE


def test_a_file_that_ends_early_is_refused() -> None:
    """A cut file is no instance."""
    with pytest.raises(ValueError, match="small"):
        parsed("small", TEXT[:-4])


def test_the_evaluator_counts_bins() -> None:
    """Numbers may have gaps; an exactly full bin is right."""
    assert bins_used(INSTANCE, [5, 0, 5, 7]) == 3


@pytest.mark.parametrize(
    ("rows", "reason"),
    [([0, 0, 0, 1], "too much"), ([0, 1, 2, -1], "no bin"), ([0, 1, 2], "3 rows for 4 loads")],
)
def test_the_evaluator_fails_what_is_no_packing(rows: list[int], reason: str) -> None:
    """Too full, a load without a bin, a load forgotten."""
    with pytest.raises(ValueError, match=reason):
        bins_used(INSTANCE, rows)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_solved_and_judged(task: str) -> None:
    """The optimum of a small instance is three, by every task."""
    assert solved((task, INSTANCE)) == 3
