"""How a budget is shared: the runs fill it, cool equally fast, and the repeats warm up half the way only."""

from __future__ import annotations

import math

import pytest
from rebalance_cases import draw, reference_breaches, reference_cost

from balancer_core.rebalance import chunks, rebalance, schedule
from balancer_core.rebalance.schedule import Run, Stage, runs_within
from balancer_core.rebalance.solver import CHUNK


def after_trials(runs: tuple[Run, ...]) -> list[tuple[float, Run]]:
    """The share of the budget of the long run and of each repeat."""
    first = len(schedule.TRIALS)
    return [(run.end - before.end, run) for before, run in zip(runs[first - 1 :], runs[first:], strict=False)]


@pytest.mark.parametrize("tries", [0.0, 5_000.0, 14_000.0, 22_000.0, 1e9])
def test_the_runs_fill_the_budget_and_cool_equally_fast(tries: float) -> None:
    """After the trials one run from the hottest, then repeats from WARMED on, all at the same pace."""
    runs = runs_within(tries)
    assert tuple(run.end for run in runs[: len(schedule.TRIALS)]) == schedule.TRIALS
    assert [run.end for run in runs] == sorted({run.end for run in runs})
    assert runs[-1].end == 1.0
    (long, first), *repeats = after_trials(runs)
    assert first.begin == 0.0
    assert len(repeats) <= schedule.REPEATS
    for share, run in repeats:
        assert run.begin == schedule.WARMED
        assert share / (1.0 - run.begin) == pytest.approx(long)


def test_more_tries_buy_more_repeats_up_to_a_bound() -> None:
    """None where the budget is enough for the long run only."""
    counts = [len(after_trials(runs_within(1000.0 * tries))) - 1 for tries in range(200)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == schedule.REPEATS


def test_a_repeat_begins_between_hot_and_cold_and_ends_as_cold_as_all() -> None:
    """Temperature and prices are those of the long run at the same share of the way."""
    runs = runs_within(1e9)
    long, repeat = runs[2], runs[3]
    halfway = Stage.at((runs[1].end + long.end) / 2.0, runs, 1000, 100)
    warm, end = (
        Stage.at(long.end, runs, 1000, 100),
        Stage.at(math.nextafter(repeat.end, 0.0), runs, 1000, 100),
    )
    assert (halfway.run, warm.run, end.run) == (2, 3, 3)
    assert warm.share == schedule.WARMED == pytest.approx(halfway.share)
    for name in ("temperature", "shortage", "doubled"):
        assert getattr(warm, name) == pytest.approx(getattr(halfway, name))
    assert end.temperature == pytest.approx(schedule.COLD)
    assert end.shortage == pytest.approx(schedule.SHORT_LAST)


@pytest.mark.parametrize("seed", range(4))
def test_a_plan_of_many_repeats_breaks_no_rule_and_is_the_same_again(seed: int) -> None:
    """As many tries as warm the best up several times: allowed, its cost the reference's, nothing left to chance."""
    problem, count = draw(seed, 5, 24), 60
    assert len(runs_within(count * CHUNK / (problem.loads * problem.hosts))) > len(schedule.TRIALS) + 2
    plans = [rebalance(problem, chunks(count), seed) for _ in range(2)]
    at = plans[0].assignment.tolist()
    assert at == plans[1].assignment.tolist()
    assert not any(reference_breaches(problem, at).values())
    assert reference_cost(problem, at) == plans[0].after.total
