"""B3: how good rebalancing gets, on the public sets of the ROADEF/EURO challenge 2012 (machine reassignment).

Each instance is solved in a process of its own on one core, within so many seconds of that process's cpu time from
its start, reading included: 300 as in the challenge, or STEELYARD_SOLVE_SECONDS. The judge is bench/challenge.py.
The solver is told the time and nothing of what was published.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

import numpy as np

from balancer_core.rebalance import Balance, Budget, Problem, rebalance
from bench.challenge import Instance, folder_of, judge, published, read
from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row

SET_A = ("a1_1", "a1_2", "a1_3", "a1_4", "a1_5", "a2_1", "a2_2", "a2_3", "a2_4", "a2_5")
SET_B = ("b_1", "b_2", "b_3", "b_4", "b_5", "b_6", "b_8", "b_9")
FAST = ("a1_1", "a2_5", "b_1")
SECONDS, SECONDS_FAST = 300.0, 10.0
SEED = 1
#: Of the seconds, what the search may use; the rest is for the plan.
SEARCHING = 0.98


@dataclass(frozen=True, slots=True)
class Solved:
    """One instance: what the judge says it costs, and the cpu seconds that its process took for it."""

    name: str
    cost: int
    seconds: float


def posed(instance: Instance) -> Problem:
    """The instance in the core's words."""
    machines, processes, services = instance.machines, instance.processes, instance.services
    process_weight, service_weight, machine_weight = instance.weights
    needs = [(number, needed) for number, service in enumerate(services) for needed in service.needs]
    return Problem(
        capacity=np.array([each.capacity for each in machines]),
        safety=np.array([each.safety for each in machines]),
        load_weight=np.array(instance.load_weight),
        transient=np.array(instance.transient),
        domain=_numbered([each.location for each in machines]),
        zone=_numbered([each.neighborhood for each in machines]),
        demand=np.array([each.requirement for each in processes]),
        group=np.array([each.service for each in processes]),
        current=np.array(instance.original),
        spread=np.array([each.spread for each in services]),
        needs=np.array(needs, dtype=np.int64).reshape(-1, 2),
        move_cost=np.array([each.move_cost for each in processes]),
        route_cost=np.array([each.move_cost for each in machines]),
        balances=tuple(Balance(*each) for each in instance.balances),
        move_weight=process_weight,
        route_weight=machine_weight,
        group_weight=service_weight,
    )


def _numbered(labels: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([numbers[label] for label in labels])


def until(end_s: float) -> Budget:
    """The share of this process's cpu time from now until its clock says end_s."""
    start = time.process_time()
    return lambda: (time.process_time() - start) / (end_s - start) if end_s > start else 1.0


def solve(folder: Path, name: str, seconds: float) -> Solved:
    """Read, rebalance and judge one instance. Raises challenge.Refused if the plan breaks a rule."""
    instance = read(folder, name)
    plan = rebalance(posed(instance), until(SEARCHING * seconds), SEED)
    used = time.process_time()
    cost = judge(instance, plan.assignment.tolist())
    return Solved(name, cost, used)


def solve_all(folder: Path, names: tuple[str, ...], seconds: float) -> Iterator[Solved]:
    """As many at once as there are cores, each in a fresh process, in the order of the names."""
    # A fresh process each, so that its clock starts with it.
    with ProcessPoolExecutor(
        os.cpu_count() or 1, mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        for future in [pool.submit(solve, folder, name, seconds) for name in names]:
            yield future.result()


def asked(settings: Settings) -> list[str]:
    """The instances that were asked for, by their own rows or by their set's."""
    a_gap, b_gap = (settings.wants(f"B3.roadef.{name}_gap") for name in "ab")
    return [
        name
        for name in (*SET_A, *SET_B)
        if settings.wants(f"B3.roadef.{name}") or (a_gap if name in SET_A else b_gap)
    ]


async def run(settings: Settings) -> list[Row]:
    """A row for each instance that is there and asked for, and one for each set that is there as a whole."""
    folder = folder_of(os.environ.get("STEELYARD_TRACES"))
    if folder is None:
        settings.say("  not measured: there are no traces (STEELYARD_TRACES)")
        return []
    seconds = float(os.environ.get("STEELYARD_SOLVE_SECONDS", settings.pick(SECONDS, SECONDS_FAST)))
    known = published(folder)
    wanted = settings.pick(asked(settings), FAST)
    present = tuple(name for name in wanted if name in known and list(folder.glob(f"model_{name}.txt*")))
    gaps: dict[str, float] = {}
    rows = []
    for solved in solve_all(folder, present, seconds):
        gap = gaps[solved.name] = known[solved.name].gap(solved.cost)
        said = f"{solved.cost:,}, best published {known[solved.name].best:,}, {solved.seconds:.0f} s of cpu"
        settings.say(f"  {solved.name}: {gap:.3f} % ({said})")
        limit = Limit("1 %", most=1.0) if solved.name in SET_A else Limit("in the mean of the set")
        rows.append(row(f"B3.roadef.{solved.name}", Compared.of([gap]), "% of initial", limit, note=said))
    for identity, names, what, of in (
        ("B3.roadef.a_gap", SET_A, max, Limit("1 %, the worst", most=1.0)),
        ("B3.roadef.b_gap", SET_B, fmean, Limit("0.1 %, the mean", most=0.1)),
    ):
        found = [gaps[name] for name in names if name in gaps]
        if found and settings.wants(identity):
            note = f"{len(found)} instances, {seconds:g} s of cpu each on one core"
            rows.append(row(identity, Compared.of([what(found)]), "% of initial", of, note=note))
    return rows
