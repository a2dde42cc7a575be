"""B4: how even shards get, for how many bytes moved, in how long; on one core, every moment of each plan judged.

The measured cluster is read where it is (STEELYARD_TRACES); its peers' figures are published ones of the same
cluster. The large one is made here. Seconds are cpu seconds of the planning process, from the columns to the plan.
"""

from __future__ import annotations

import math
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from balancer_core.rebalance import Budget
from balancer_core.shards import Goal, Limits, plan
from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.shards.clusters import FULL, measured, posed, synthetic
from bench.shards.judge import Verdict, judge

SEED = 1
LIMITS = Limits(bytes_s=0.1, per_host=2, together=64)  # the clusters count in GiB
BYTES_ONLY = Goal((1.0013, math.inf, math.inf))
#: Hot shards lie on disks among many cold ones: making room for them is worth more bytes.
THREE = Goal((1.009, 1.327, 1.057), price=0.06)
BYTES_S, THREE_S, DRAIN_S, SCALE_S = 2.2, 20.0, 1.0, 4.0
LARGE = (1000, 100_000)


@dataclass(frozen=True, slots=True)
class Planned:
    """A judged plan. seconds: of cpu. mib: the most that the planning process held, all told."""

    verdict: Verdict
    seconds: float
    mib: float
    sentence: str


def until(seconds: float) -> Budget:
    """The share of so many seconds of this process's cpu time from now on."""
    start = time.process_time()
    return lambda: (time.process_time() - start) / seconds


def solve(cluster: dict[str, Any], goal: Goal | None, seconds: float, drained: str = "") -> Planned:
    """Plan and judge. goal: None for no fuller than now. Raises judge.Refused."""
    shards = posed(cluster, drained)
    began = time.process_time()
    made = plan(shards, goal or Goal.as_now(shards), until(seconds), SEED, LIMITS)
    took = time.process_time() - began
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    disks, replicas = cluster["disks"], cluster["replicas"]
    moves = [
        (
            replicas[step.replica][0], disks[step.source]["disk"], disks[step.target]["disk"],
            step.starts_s, step.ends_s,
        )
        for step in made.schedule.steps
    ]  # fmt: skip
    verdict = judge(cluster, moves, full=FULL, per_host=LIMITS.per_host, drained=drained)
    return Planned(verdict, took, mib, made.sentence)


def solve_alone(*asked: Any) -> Planned:
    """In a process of its own, so that what it holds is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(solve, *asked).result()


def _row(identity: str, value: float, unit: str, limit: Limit, note: str) -> Row:
    return row(identity, Compared.of([value]), unit, limit, note=note)


def _bytes_only(cluster: dict[str, Any], settings: Settings) -> list[Row]:
    found = solve_alone(cluster, BYTES_ONLY, settings.pick(BYTES_S, 1.0))
    verdict = found.verdict
    note = "322 disks; Rebalancer: 1.0015 and 4.75 % in 20 s; Equilibrium: 959 moves, 1.0053 in 64 s"
    return [
        _row("B4.bytes_only.max_mean", verdict.peaks["gib"], "x mean", Limit("1.0015", most=1.0015), note),
        _row("B4.bytes_only.moved_pct", 100 * verdict.share, "% of bytes", Limit("4.75 %", most=4.75), note),
        _row("B4.bytes_only.moves", verdict.moves, "moves", Limit("the fewest known, 959", most=959), note),
        _row("B4.bytes_only.seconds", found.seconds, "s of cpu", Limit("3 s", most=3.0), note),
    ]


def _three(cluster: dict[str, Any], settings: Settings) -> list[Row]:
    found = solve_alone(cluster, THREE, settings.pick(THREE_S, 2.0))
    verdict = found.verdict
    note = "322 disks, hot shards; Rebalancer with three goals: 1.058, 1.518, 1.055, 37.8 % moved in 540 s"
    return [
        _row("B4.three.bytes", verdict.peaks["gib"], "x mean", Limit("1.01", most=1.01), note),
        _row(
            "B4.three.iops",
            verdict.peaks["iops"],
            "x mean",
            Limit("1.33; the floor is 1.312", most=1.33),
            note,
        ),
        _row("B4.three.net", verdict.peaks["net"], "x mean", Limit("1.06", most=1.06), note),
        _row("B4.three.moved_pct", 100 * verdict.share, "% of bytes", Limit("9.9 %", most=9.9), note),
        _row("B4.three.seconds", found.seconds, "s of cpu", Limit("30 s", most=30.0), note),
    ]


def _drain(cluster: dict[str, Any], settings: Settings) -> list[Row]:
    host = cluster["hosts"][0]["host"]
    found = solve_alone(cluster, None, settings.pick(DRAIN_S, 0.5), host)
    was, left = found.verdict.on_drained
    note = (
        f"{host}, {was / 1024:.1f} TiB, {left:.0f} GiB left; bytes at {found.verdict.peaks['gib']:.3f} x mean"
    )
    limit = Limit("1.05, Ceph's 1.94", most=1.05)
    ratio = found.verdict.moved / was if not left else math.nan
    return [_row("B4.drain_host.moved_ratio", ratio, "x bytes on it", limit, note)]


def _scale(settings: Settings) -> list[Row]:
    hosts, shards = settings.pick(LARGE, (100, 5_000))
    found = solve_alone(synthetic(hosts, shards), Goal((1.05, 2.0, 2.0)), settings.pick(SCALE_S, 1.0))
    peaks = ", ".join(f"{name} {peak:.3f}" for name, peak in found.verdict.peaks.items())
    note = f"{hosts:,} hosts, {shards:,} shards, made here; {peaks}; {100 * found.verdict.share:.1f} % moved"
    return [
        _row("B4.scale.seconds", found.seconds, "s of cpu", Limit("10 s", most=10.0), note),
        _row("B4.scale.mib", found.mib, "MiB", Limit("1 GB, the process as a whole", most=954.0), note),
    ]


async def run(settings: Settings) -> list[Row]:
    """The rows that were asked for; those of the measured cluster only where it is."""
    rows = _scale(settings) if _any(settings, "B4.scale") else []
    cluster = measured()
    if cluster is None:
        settings.say("  of B4 only the scale is measured: there are no traces (STEELYARD_TRACES)")
        return rows
    for name, measure in (("bytes_only", _bytes_only), ("three", _three), ("drain_host", _drain)):
        if _any(settings, f"B4.{name}"):
            rows += measure(cluster, settings)
    for each in rows:
        settings.say(f"  {each.id}: {each.ours:g} {each.unit}")
    return rows


def _any(settings: Settings, group: str) -> bool:
    """Whether a row of the group was asked for, or the group, or all."""
    return settings.wants(group) or any(name.startswith(f"{group}.") for name in settings.only)
