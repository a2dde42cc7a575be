"""B2: decisions of the core alone, beside the same rule written with NumPy's whole-column operations.

decide() filters, scores, picks the best five and explains; the peer only finds the best one.
Clusters are mixed: unequal hosts, unequally used, one in fifty cordoned.
The peer's picks are checked against ours before it is timed.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from balancer_core._kernels import scan
from balancer_core.cluster import CORDONED, Cluster
from balancer_core.cluster.columns import ALL_FLAGS
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.decision import Decision
from balancer_core.placement import Load, decide
from balancer_core.resources import STANDARD, Dimensions
from balancer_core.scores.marginal import MODE as MARGINAL
from bench.figures import Compared, in_turn
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.scan_numpy import best

SIZES = {"100": 100, "1k": 1_000, "10k": 10_000}
ROUND_S, ROUND_FAST_S = 1.0, 0.05
NOW = 1_000.0
CAPACITY = np.array([64.0, 256e9, 4e12, 1e9, 1.25e9, 1.25e9])
PEER = "NumPy scan"
#: Both policies' default: every resource counts once.
WEIGHTS = np.ones(len(STANDARD))
#: Hosts whose bytes are counted; tracing every allocation of more would take longer than all the rest.
COUNTED = 2_000


def mixed(hosts: int, seed: int = 7) -> Cluster:
    """A cluster of unequal hosts, each reported within the last seconds."""
    rng = np.random.default_rng(seed)
    cluster, names = Cluster(Dimensions(STANDARD)), [each.name for each in STANDARD]
    for number in range(hosts):
        size = rng.choice([0.05, 0.125, 0.25, 0.5, 1.0])
        capacity = CAPACITY * size
        host = f"host-{number}"
        labels = {"zone": "abc"[number % 3]}
        flags = CORDONED if number % 50 == 49 else 0
        cluster.add_host(host, dict(zip(names, capacity.tolist(), strict=True)), labels, flags)
        cluster.set_reserved(host, capacity * rng.uniform(0.0, 0.9, len(names)))
        used = capacity * rng.uniform(0.0, 0.9, len(names))
        cluster.report(host, dict(zip(names, used.tolist(), strict=True)), NOW - rng.uniform(0.0, 20.0))
    return cluster


def loads(count: int, seed: int = 11) -> list[Load]:
    """Loads that differ in size and in what they need most."""
    rng = np.random.default_rng(seed)
    return [
        Load("job", f"load-{number}", {
            "cpu": float(rng.uniform(0.1, 4)), "memory": float(rng.uniform(1e8, 2e10)),
            "net_out": float(rng.uniform(0, 2e7)) if number % 2 else 0.0,
        })
        for number in range(count)
    ]  # fmt: skip


def rate(work: Callable[[int], object], seconds: float) -> float:
    """Calls a second of work(0), work(1), ... for about so long."""
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        work(done)
        done += 1
    return done / passed


def kernel_scan(snapshot: Snapshot, demands: Sequence[np.ndarray]) -> Callable[[int], int]:
    """The compiled pass alone: filter, score and the best five, without a word about it."""
    admissible = np.ones(len(snapshot), dtype=np.uint8)
    rows, totals = np.empty(5, dtype=np.int64), np.empty(5)

    def work(number: int) -> int:
        return scan(
            snapshot.capacity, snapshot.reserved, snapshot.used, snapshot.reported_at, snapshot.flags,
            admissible, ALL_FLAGS, demands[number % len(demands)], WEIGHTS, snapshot.dimensions.kinds,
            MARGINAL, NOW, rows, totals,
        )  # fmt: skip

    return work


def decide_one(snapshot: Snapshot, asked: Sequence[Load], number: int) -> Decision:
    """Ours: the whole decision."""
    return decide(snapshot, asked[number % len(asked)], NOW)


def find_one(snapshot: Snapshot, demands: Sequence[np.ndarray], number: int) -> tuple[int, float]:
    """The peer's: the best host and its score."""
    return best(snapshot, demands[number % len(demands)], NOW)


async def run(settings: Settings) -> list[Row]:
    asked = loads(64)
    seconds = settings.pick(ROUND_S, ROUND_FAST_S)
    rows = []
    for name, hosts in SIZES.items():
        settings.say(f"  {hosts:,} hosts")
        snapshot = mixed(hosts).snapshot()
        demands = [snapshot.dimensions.vector(load.demand) for load in asked]
        check_agreement(snapshot, asked, demands)
        decided, scanned = await _taken(
            settings,
            partial(decide_one, snapshot, asked),
            partial(find_one, snapshot, demands),
            seconds,
        )
        limit = Limit("one pass over the hosts' columns, and explaining the best five")
        rows.append(_decisions(f"B2.mixed.{name}", Compared.of(decided, scanned), limit))
    rows += await _inside(settings, snapshot, asked, demands, seconds)
    rows.append(_bytes(COUNTED))
    return rows


async def _inside(
    settings: Settings, snapshot: Snapshot, asked: list[Load], demands: list[np.ndarray], seconds: float
) -> list[Row]:
    """At the largest size: the kernel by itself, and what the explanation adds to it."""
    kernel = kernel_scan(snapshot, demands)
    ours, peer = await _taken(settings, kernel, partial(find_one, snapshot, demands), seconds)
    table = np.concatenate([snapshot.capacity, snapshot.reserved, snapshot.used]).ravel()
    reading = rate(lambda _: table.sum(), seconds)
    limit = Limit(
        "reading the three tables once (NumPy's sum of them, same run)",
        least=None,
        most=float(f"{reading:.4g}"),
    )
    rows = [_decisions("B2.scan.10k", Compared.of(ours, peer), limit)]
    whole, alone = await _taken(settings, partial(decide_one, snapshot, asked), kernel, seconds)
    times = Compared.of([1e6 / each for each in whole], [1e6 / each for each in alone])
    rows.append(
        row(
            "B2.explain_overhead", times, "us a decision",
            Limit("the kernel's pass alone (ratio 1)", of="ratio"), peer="the kernel's pass alone",
            packages=("numpy",),
        )
    )  # fmt: skip
    return rows


async def _taken(
    settings: Settings, ours: Callable[[int], object], peer: Callable[[int], object], seconds: float
) -> tuple[list[float], list[float]]:
    async def mine() -> float:
        return rate(ours, seconds)

    async def theirs() -> float:
        return rate(peer, seconds)

    return await in_turn(settings.rounds, mine, theirs)


def _decisions(identity: str, compared: Compared, limit: Limit) -> Row:
    return row(identity, compared, "decisions/s", limit, peer=PEER, packages=("numpy",))


def _bytes(hosts: int) -> Row:
    """What a cluster and its snapshot take for each host, beside the same figures in dictionaries."""
    ours = _traced(lambda: _with_snapshot(mixed(hosts))) / hosts
    peer = _traced(lambda: _as_dicts(mixed(hosts))) / hosts
    figures = 8 * (3 * len(STANDARD) + 1) + 1
    limit = Limit(
        f"{figures} bytes of figures, kept twice (live and snapshot), and the host's name and labels"
    )
    note = f"{hosts:,} hosts; counted once, since it does not vary"
    return row(
        "B2.bytes_per_host", Compared.of([ours], [peer]), "bytes", limit,
        peer="the same in dictionaries", packages=("numpy",), note=note,
    )  # fmt: skip


def _traced(make: Callable[[], object]) -> int:
    """Bytes that stay allocated while what make() returns is alive."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = make()
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del kept
    return size


def _with_snapshot(cluster: Cluster) -> tuple[Cluster, Snapshot]:
    return cluster, cluster.snapshot()


def _as_dicts(cluster: Cluster) -> list[dict[str, object]]:
    """One dictionary a host, as a program without columns would hold it; the cluster itself is let go."""
    snapshot, names = cluster.snapshot(), cluster.dimensions.names
    return [
        {
            "name": str(bytes(host, "ascii"), "ascii"),
            "labels": {"zone": "abc"[position % 3]},
            "flags": int(snapshot.flags[position]),
            "reported_at": float(snapshot.reported_at[position]),
            **{
                kind: dict(zip(names, table[position].tolist(), strict=True))
                for kind, table in (
                    ("capacity", snapshot.capacity), ("reserved", snapshot.reserved), ("used", snapshot.used),
                )
            },
        }
        for position, host in enumerate(snapshot.names)
    ]  # fmt: skip


class Disagreement(RuntimeError):
    """The peer computes something else than we do, so comparing speeds means nothing."""


def check_agreement(snapshot: Snapshot, asked: Sequence[Load], demands: Sequence[np.ndarray]) -> None:
    """Raises Disagreement unless the peer picks hosts of the same cost for all loads."""
    for load, demand in zip(asked, demands, strict=True):
        decision, (found, total) = decide(snapshot, load, NOW), best(snapshot, demand, NOW)
        if decision.host is None:
            agreed = found < 0
        else:
            agreed = found >= 0 and abs(total - decision.candidates[0].total) <= 1e-9 * max(1.0, abs(total))
        if not agreed:
            raise Disagreement(f"{load.name}: {decision.host} here, row {found} at {total} there")
