"""B5: empty jobs from start to end, and what the control plane spends on each, beside Celery's own shared queue.

A job is a row that is synced to disk when it is handed in, when it is placed, when it is claimed and when it ends; a
message in a shared queue is none of that.
"""

from __future__ import annotations

from bench.figures import Compared, in_turn
from bench.jobs.piece import Piece
from bench.jobs.scene import Scene, ended_per_s
from bench.registry import Settings
from bench.results import Limit, Row, row

JOBS, JOBS_FAST = 2000, 60
PATIENCE_S = 60.0
PEER = "Celery's own shared queue"
PACKAGES = ("celery", "kombu", "django", "pysqlite3")
RATE = Limit("at least 0.8 of the shared queue's rate", of="ratio", least=0.8)
COST = Limit("at most 2 ms of cpu of web, controller and worker", most=2.0)


async def run(settings: Settings) -> list[Row]:
    count = settings.pick(JOBS, JOBS_FAST)
    # Bodies that take no time may wait behind each other on a host.
    pieces = [Piece(0.0, "default", processes=0.0) for _ in range(count)]
    async with Scene() as scene:
        ours, peer = await in_turn(
            settings.rounds,
            lambda: scene.ours(pieces, PATIENCE_S),
            lambda: scene.shared(pieces, PATIENCE_S),
        )
    note = f"{count:,} jobs handed in at once, four hosts of two processes each, SQLite, synchronous=FULL"
    rates = Compared.of([ended_per_s(each) for each in ours], [ended_per_s(each) for each in peer])
    costs = Compared.of([1000 * each.control_cpu_s / count for each in ours])
    return [
        row("B5.jobs_per_s", rates, "jobs/s", RATE, peer=PEER, packages=PACKAGES, note=note),
        row("B5.dispatch_ms", costs, "ms of cpu", COST, packages=PACKAGES, note=note),
    ]
