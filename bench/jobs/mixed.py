"""B5: the jobs of two tenants on unequal hosts: cpu-heavy, memory-heavy, io-heavy and short ones at 80 % load.

One tenant sends many short jobs and cpu-heavy ones, the other those that hold memory or write. The shared queue gives
whoever is free the next one, Dask whom it thinks the least occupied; ours knows what a host has left.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from bench.figures import Compared
from bench.jobs.piece import MIB, Piece
from bench.jobs.scene import Run, Scene, ended_per_s
from bench.registry import Settings
from bench.results import Limit, Row, row

JOBS, JOBS_FAST = 300, 24
#: Of what the workers do of the same mixture through the shared queue when they are never without work.
LOAD = 0.8
CALIBRATING, CALIBRATING_FAST = 100, 12
PATIENCE_S = 60.0
#: Each peer, with what its rows' names end in.
SHARED, DASK = "Celery's own shared queue", "Dask distributed"
ENDINGS = {SHARED: "", DASK: ".vs_dask"}
PACKAGES = ("celery", "kombu", "distributed", "django", "pysqlite3")

#: (tenant, its part of the jobs, what one does); cpu seconds are those of a whole core.
MIX = (
    ("web", 0.50, {"cpu_s": 0.02}),
    ("web", 0.20, {"cpu_s": 0.4, "cores": 0.25}),
    ("science", 0.20, {"cpu_s": 0.05, "memory_bytes": 160 * MIB, "hold_s": 1.0}),
    ("science", 0.10, {"cpu_s": 0.02, "io_bytes": 8 * MIB}),
)
MAKESPAN = Limit("at most 0.7 of the peer's", of="ratio", most=0.7)
TAIL = Limit("at most half of the peer's", of="ratio", most=0.5)
KILLED = Limit("none", most=0.0)
JAIN = Limit("at least 0.95", least=0.95)


async def run(settings: Settings) -> list[Row]:
    count = settings.pick(JOBS, JOBS_FAST)
    at_once = settings.pick(CALIBRATING, CALIBRATING_FAST)
    async with Scene() as scene:
        full_per_s = ended_per_s(await scene.shared(mixture(at_once, math.inf, random.Random(2)), PATIENCE_S))
        settings.say(f"  the workers do {full_per_s:.2f} of these jobs a second")
        pieces = mixture(count, LOAD * full_per_s, random.Random(1))
        ours: list[Run] = []
        peers: dict[str, list[Run]] = {SHARED: [], DASK: []}
        for number in range(1, settings.rounds + 1):
            ours.append(await scene.ours(pieces, PATIENCE_S))
            peers[SHARED].append(await scene.shared(pieces, PATIENCE_S))
            peers[DASK].append(await scene.dask(pieces, PATIENCE_S))
            last = {"ours": ours[-1], **{peer: runs[-1] for peer, runs in peers.items()}}
            told = "; ".join(f"{name} {each.seconds:.1f}, {_p95(each):.2f}" for name, each in last.items())
            settings.say(f"  round {number}, makespan and p95 (s): {told}")
        where = scene.kind
    note = f"{count:,} jobs of two tenants at {LOAD:.0%} load, four unequal hosts ({where}), memory limits enforced"

    def compared(identity: str, unit: str, limit: Limit, figure: Callable[[Run], float], peer: str) -> Row:
        samples = Compared.of([figure(each) for each in ours], [figure(each) for each in peers[peer]])
        return row(identity + ENDINGS[peer], samples, unit, limit, peer=peer, packages=PACKAGES, note=note)

    return [
        found
        for peer in peers
        for found in (
            compared("B5.makespan", "s", MAKESPAN, lambda each: each.seconds, peer),
            compared("B5.p95", "s", TAIL, _p95, peer),
            compared("B5.oom_kills", "bodies killed", KILLED, lambda each: float(each.killed), peer),
            compared("B5.jain", "Jain's index", JAIN, lambda each: jain(pieces, each), peer),
        )
    ]


def mixture(count: int, rate_per_s: float, rng: random.Random) -> list[Piece]:
    """Jobs in Poisson arrivals, so many a second; inf: all at once."""
    kinds = rng.choices(MIX, weights=[each[1] for each in MIX], k=count)
    at_s, pieces = 0.0, []
    for tenant, _, does in kinds:
        at_s += rng.expovariate(1.0) / rate_per_s
        pieces.append(Piece(at_s, tenant, **does))  # type: ignore[arg-type]
    return pieces


def jain(pieces: list[Piece], run: Run) -> float:
    """Jain's index of how much of its time in the system each tenant's job is at work, on average: 1 where all tenants
    fare alike. A killed job never was."""
    means = []
    for tenant in sorted({piece.tenant for piece in pieces}):
        shares = [
            0.0 if took is None else min(piece.alone_s / max(took, 1e-3), 1.0)
            for piece, took in zip(pieces, run.took, strict=True)
            if piece.tenant == tenant
        ]
        means.append(float(np.mean(shares)))
    squares = sum(mean * mean for mean in means)
    return sum(means) ** 2 / (len(means) * squares) if squares else 1.0


def _p95(run: Run) -> float:
    """Seconds in the system; of one that was killed as long as the run."""
    return float(np.quantile([run.seconds if each is None else each for each in run.took], 0.95))
