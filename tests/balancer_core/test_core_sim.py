"""The simulator: repeatable, its books balance, and the core behaves in every named profile."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer_core.cluster import LOST
from balancer_core.load import InvalidLoad, Load
from balancer_core.placement import decide
from balancer_core.sim import PROFILES, Arrival, Failure, Shape, SimulatedHost, Simulation, Summary, poisson

HOSTS = [
    SimulatedHost(f"h{number}", {"cpu": 4 + 4 * (number % 3), "memory": 64}, {"zone": "abc"[number % 3]})
    for number in range(9)
]
SHAPES = [
    Shape(Load("job", "wide", {"cpu": 2, "memory": 4}), uses=0.5),
    Shape(Load("job", "tall", {"cpu": 0.5, "memory": 12}, policy="pack")),
]


def run(profile: str, seed: int, rate_per_s: float = 0.5, until_s: float = 120.0) -> Summary:
    """Nine unequal hosts in three zones under random loads of 20 s."""
    rng = np.random.default_rng(seed)
    arrivals = poisson(rng, SHAPES, rate_per_s, 20.0, until_s)
    return Simulation(HOSTS, arrivals, PROFILES[profile](HOSTS, until_s, rng)).run(until_s)


def one(
    *arrivals: Arrival, failures: tuple[Failure, ...] = (), until_s: float = 100.0, **parts: Any
) -> Simulation:
    """Two hosts of 4 cores, run to the end."""
    hosts = [SimulatedHost("a", {"cpu": 4}), SimulatedHost("b", {"cpu": 4})]
    simulation = Simulation(hosts, arrivals, failures, **parts)
    simulation.run(until_s)
    return simulation


def job(at_s: float = 5.0, cores: float = 3.0, lasts_s: float = 1000.0) -> Arrival:
    """A job of so many cores."""
    return Arrival(at_s, Load("job", "j", {"cpu": cores}), lasts_s)


@settings(max_examples=15)
@given(st.sampled_from(sorted(PROFILES)), st.integers(0, 2**32), st.sampled_from([0.2, 1.0, 4.0]))
def test_the_books_balance_in_every_profile(profile: str, seed: int, rate_per_s: float) -> None:
    """Safety: nothing is placed without room, and every load is somewhere: refused, finished, lost or
    running."""
    summary = run(profile, seed, rate_per_s)
    assert summary.fullest <= 1.0 + 1e-9
    assert summary.arrived == summary.placed + summary.refused
    assert summary.placed + summary.replaced == summary.finished + summary.running + summary.lost
    assert all(0.0 <= share <= 1.0 for name, share in summary.utilisation.items() if profile != "slow_middle")
    assert summary.uneven >= 1.0 - 1e-9


@settings(max_examples=5)
@given(st.sampled_from(sorted(PROFILES)), st.integers(0, 2**32))
def test_the_same_seed_is_the_same_run(profile: str, seed: int) -> None:
    """Clock, arrivals and failures are arguments: nothing else enters."""
    assert asdict(run(profile, seed)) == asdict(run(profile, seed))


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_a_small_load_is_never_refused_and_a_lost_zone_is_survived(seed: int) -> None:
    """Liveness: at a third of the capacity two zones carry what three did; all that was lost runs again."""
    summary = run("zone_lost", seed, 0.3)
    assert (0, summary.lost) == (summary.refused, summary.replaced)


def test_the_time_of_a_day_passes_in_a_moment() -> None:
    """Twelve hours with an arrival a minute: only events cost anything."""
    rng = np.random.default_rng(1)
    arrivals = poisson(rng, SHAPES, 1 / 60, 600.0, 43_200.0)
    summary = Simulation(HOSTS, arrivals, report_s=600.0, detect_s=3600.0).run(43_200.0)
    assert (len(arrivals), 0) == (summary.arrived, summary.refused)


def test_a_host_that_goes_is_found_lost_and_its_job_starts_over() -> None:
    """Ten seconds of silence, then the flag and the other host."""
    simulation = one(job(), failures=(Failure(20.0, "a", "gone"), Failure(20.0, "b", "well")), until_s=25.0)
    assert (0, 0) == (simulation.cluster.flags("a"), simulation.summary.lost)
    simulation = one(job(), failures=(Failure(20.0, "a", "gone"),))
    assert (LOST, 1, 1) == (
        simulation.cluster.flags("a"),
        simulation.summary.lost,
        simulation.summary.replaced,
    )
    assert [0.0, 3.0] == simulation.cluster.snapshot().reserved[:, 0].tolist()


def test_a_host_that_comes_back_before_anybody_noticed_has_lost_its_jobs_all_the_same() -> None:
    """They start over, there or elsewhere, and the host is not flagged."""
    simulation = one(job(), failures=(Failure(20.0, "a", "gone"), Failure(23.0, "a", "well")))
    assert (0, 1, 1) == (simulation.cluster.flags("a"), simulation.summary.lost, simulation.summary.running)


def test_a_silent_host_keeps_its_jobs_until_it_counts_as_lost() -> None:
    """Short silence changes nothing but the doubt; its job ends on time."""
    silence = (Failure(20.0, "a", "silent"), Failure(28.0, "a", "well"))
    simulation = one(job(lasts_s=20.0), failures=silence)
    assert (1, 0) == (simulation.summary.finished, simulation.summary.lost)
    assert LOST == one(job(), failures=silence[:1]).cluster.flags("a")


def test_a_slow_host_says_so_and_takes_no_more_than_it_can() -> None:
    """A quarter of 4 cores is not enough for 3 any more: one job goes to the other host, the next
    nowhere."""
    slow = (Failure(2.0, "a", "slow"),)
    simulation = one(job(5.0), job(6.0), failures=slow)
    assert ([1.0, 4.0], 1, {"no_room": 1, "too_small": 1}) == (
        simulation.cluster.snapshot().capacity[:, 0].tolist(),
        simulation.summary.refused,
        dict(simulation.summary.reasons),
    )


def test_another_chooser_can_be_compared() -> None:
    """choose is called with what decide() would be."""
    seen = []

    def refuse_the_first_host(snapshot: Any, load: Load, now: float) -> Any:
        seen.append(now)
        return decide(snapshot, Load("job", load.name, load.demand, exclude_hosts=frozenset({"a"})), now)

    simulation = one(job(), choose=refuse_the_first_host)
    assert ([5.0], [0.0, 3.0]) == (seen, simulation.cluster.snapshot().reserved[:, 0].tolist())


def test_wrong_figures_are_refused() -> None:
    """Before a run, or as the core says it."""
    with pytest.raises(ValueError, match="above 0"):
        one(report_s=0.0)
    with pytest.raises(ValueError, match="not at inf"):
        one(until_s=math.inf)
    with pytest.raises(KeyError):
        one(failures=(Failure(1.0, "nobody", "gone"),))
    with pytest.raises(InvalidLoad, match="heat"):
        one(Arrival(1.0, Load("job", "j", {"heat": 1.0}), 1.0))
    for wrong in (
        (SHAPES, 0.0, 1.0, 1.0),
        ([], 1.0, 1.0, 1.0),
        (SHAPES, 1.0, -1.0, 1.0),
        (SHAPES, 1e9, 1.0, 1e9),
    ):
        with pytest.raises(ValueError, match="rate"):
            poisson(np.random.default_rng(1), *wrong)
