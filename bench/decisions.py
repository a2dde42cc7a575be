"""B2: decisions of the core, one core, six resources: kernel time of filter, cost, pick and reservation.

Ours is Placer.place_many on the live cluster, checks included, explanation aside (B2.explain_overhead).
Peers run in turn with it on the same columns and loads: the same rule as a vectorised NumPy scan, and the
compiled scan. A peer's answers are compared with ours before anything counts. Times are CPU seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels import Columns
from balancer_core.cluster import Cluster
from balancer_core.filters import FLAG_CODES, code
from balancer_core.load import Load
from balancer_core.placement import decide
from balancer_core.placer import Placer
from balancer_core.resources import STANDARD, Dimensions
from balancer_core.scores import marginal
from bench.figures import Compared
from bench.registry import Settings
from bench.results import Limit, Row, row
from bench.scan_numpy import best

NOW = 1000.0
DIMENSIONS = Dimensions(STANDARD)
HARDWARE = np.array([
    [16, 64e9, 1e12, 5e8, 1.25e8, 1.25e8],
    [32, 128e9, 4e12, 2e9, 1.25e9, 1.25e9],
    [64, 512e9, 8e12, 3e9, 1.25e9, 1.25e9],
    [96, 384e9, 2e12, 1e9, 3e9, 3e9],
])  # fmt: skip
MODE = marginal.MODE
FITS_CODE = code("fits")
MIXED, EQUAL, BARE, NUMPY = 20_000, 200_000, 100, 20
MIXED_FAST, EQUAL_FAST, BARE_FAST, NUMPY_FAST = 1_000, 20_000, 20, 3
EXPLAINED, EXPLAINED_FAST = 300, 10
NUMPY_SCAN, SCAN = "vectorised NumPy scan", "compiled scan"
PACKAGES = ("numpy", "cython")

Matrix = NDArray[np.float64]


def cluster_of(hosts: int, seed: int) -> Cluster:
    """Hosts of four kinds, each resource in use to another degree (5 to 70 %)."""
    rng = np.random.default_rng(seed)
    cluster = Cluster(DIMENSIONS)
    kinds = HARDWARE[rng.integers(0, len(HARDWARE), hosts)]
    reserved = kinds * rng.uniform(0.1, 0.7, kinds.shape)
    used = kinds * rng.uniform(0.05, 0.7, kinds.shape)
    for number in range(hosts):
        name = f"host-{number}"
        cluster.add_host(name, DIMENSIONS.mapping(kinds[number]))
        cluster.set_reserved(name, reserved[number])
        cluster.report(name, DIMENSIONS.mapping(used[number]), NOW)
    return cluster


def mixed(count: int, seed: int) -> Matrix:
    """Loads of which no two are alike: 0.3 to 30 % of a small host, each resource for itself."""
    rng = np.random.default_rng(seed)
    return np.ascontiguousarray(HARDWARE[0] * rng.lognormal(-3.5, 0.8, (count, 6)).clip(0.003, 0.3))


def equal(count: int) -> Matrix:
    """One shape again and again: 0.6 % of a small host."""
    return np.repeat(HARDWARE[:1] * 0.006, count, axis=0)


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


class Scan:
    """The compiled pass alone: who is best, and not why."""

    def __init__(self, columns: Columns, top: int) -> None:
        self.rows, self.totals = np.empty(top, dtype=np.int64), np.empty(top)
        self._columns, self._nobody, self._weights = (
            columns,
            np.zeros(columns.hosts, dtype=np.uint8),
            np.ones(6),
        )

    def __call__(self, demand: Matrix) -> int:
        """Fill rows and totals; how many hosts could take the demand."""
        asked = (demand, self._weights, MODE, NOW, None, None, self.rows, self.totals)
        return self._columns.scan(self._nobody, FLAG_CODES, FITS_CODE, *asked)


def scan_all(cluster: Cluster, demands: Matrix) -> list[int]:
    """The compiled scan, reserving as it goes, on a copy of the columns."""
    draft = replace(cluster.view(), reserved=cluster.view().reserved.copy())
    scan, rows = Scan(draft.columns, 1), []
    for demand in demands:
        found = scan(demand)
        rows.append(int(scan.rows[0]) if found else -1)
        if found:
            draft.reserved[scan.rows[0]] += demand
    return rows


def numpy_all(cluster: Cluster, demands: Matrix) -> list[int]:
    """The same rule over whole columns at once (scan_numpy), reserving as it goes, on a copy of the columns."""
    draft = replace(cluster.view(), reserved=cluster.view().reserved.copy())
    rows = []
    for demand in demands:
        row, _ = best(draft, demand, NOW)
        rows.append(row)
        if row >= 0:
            draft.reserved[row] += demand
    return rows


class Samples:
    """One size of cluster: ours and the peers, round by round, in decisions a second."""

    def __init__(self, hosts: int, settings: Settings) -> None:
        self.hosts, self.settings = hosts, settings
        self.mixed: list[float] = []
        self.equal: list[float] = []
        self.scan: list[float] = []
        self.numpy: list[float] = []

    def round(self, seed: int) -> None:
        """Each side once."""
        pick = self.settings.pick
        cluster, loads = cluster_of(self.hosts, seed), mixed(pick(MIXED, MIXED_FAST), seed)
        few, fewer = loads[: pick(BARE, BARE_FAST)], loads[: pick(NUMPY, NUMPY_FAST)]
        peers: dict[str, list[int]] = {}
        self.scan.append(len(few) / seconds(lambda: peers.update(scan=scan_all(cluster, few))))
        self.numpy.append(len(fewer) / seconds(lambda: peers.update(numpy=numpy_all(cluster, fewer))))
        placer = Placer(cluster)
        # The index is made with the first decision: the long run is measured, as for a process that goes on.
        first = placer.place_many(loads[: len(few)], NOW).tolist()
        if first != peers["scan"] or first[: len(fewer)] != peers["numpy"]:
            raise AssertionError("ours and the peers disagree on where the loads go")
        self.mixed.append(
            (len(loads) - len(few)) / seconds(lambda: placer.place_many(loads[len(few) :], NOW))
        )
        same = equal(pick(EQUAL, EQUAL_FAST))
        placer = Placer(cluster_of(self.hosts, seed))
        self.equal.append(len(same) / seconds(lambda: placer.place_many(same, NOW)))


def explained(cluster: Cluster, count: int) -> tuple[float, float]:
    """Seconds of decide() with its explanation at top 5, and of the same decisions as a bare scan of five."""
    snapshot, demands = cluster.snapshot(), mixed(count, 9)
    loads = [Load("job", "load", DIMENSIONS.mapping(demand)) for demand in demands]
    scan = Scan(snapshot.columns, 5)

    def bare() -> None:
        for demand in demands:
            scan(demand)

    def whole() -> None:
        for load in loads:
            decide(snapshot, load, NOW)

    # As for a process that goes on: what the first decision on a snapshot makes is there.
    whole()
    return seconds(whole), seconds(bare)


async def run(settings: Settings) -> list[Row]:
    """All rows of B2 that are about decisions."""
    ten, hundred = Samples(10_000, settings), Samples(100_000, settings)
    whole, bare = [], []
    for number in range(settings.rounds):
        settings.say(f"  round {number + 1} of {settings.rounds}")
        ten.round(number)
        hundred.round(number)
        both = explained(cluster_of(ten.hosts, number), settings.pick(EXPLAINED, EXPLAINED_FAST))
        whole.append(both[0])
        bare.append(both[1])
    growth = [small / large for small, large in zip(ten.mixed, hundred.mixed, strict=True)]
    scan_growth = [small / large for small, large in zip(ten.scan, hundred.scan, strict=True)]
    share = [100.0 * (1.0 - without / with_) for with_, without in zip(whole, bare, strict=True)]
    per_host = cluster_of(ten.hosts, 0).column_bytes / ten.hosts
    note = "all loads different, reserved one after the other; answers equal to the scan's"
    ratios = {
        "B2.mixed.10k": (Compared.of(ten.mixed, ten.numpy), Limit("200,000/s", least=2e5), NUMPY_SCAN, note),
        "B2.mixed.10k.vs_c_scan": (
            Compared.of(ten.mixed, ten.scan),
            Limit("200,000/s", least=2e5),
            SCAN,
            note,
        ),
        "B2.equal.10k": (
            Compared.of(ten.equal, ten.scan),
            Limit("1,000,000/s", least=1e6),
            SCAN,
            "one shape",
        ),
        "B2.mixed.100k": (
            Compared.of(hundred.mixed, hundred.numpy),
            Limit("see B2.growth"),
            NUMPY_SCAN,
            note,
        ),
    }
    rows = [
        row(name, compared, "decisions/s", limit, peer=peer, packages=PACKAGES, note=text)
        for name, (compared, limit, peer, text) in ratios.items()
    ]
    time_note = "time a decision at 100,000 hosts / at 10,000"
    grown, bound = Compared.of(growth, scan_growth), Limit("3 times", most=3.0)
    rows.append(row("B2.growth", grown, "times", bound, peer=SCAN, packages=PACKAGES, note=time_note))
    rest = {
        "B2.explain_overhead": (
            share,
            "% of the decision",
            10.0,
            "decide() at top 5 on 10,000 hosts, beyond the scan",
        ),
        "B2.bytes_per_host": (
            [per_host],
            "bytes",
            200.0,
            "columns of 10,000 hosts with their room to grow, no index",
        ),
    }
    for name, (samples, unit, most, text) in rest.items():
        limit = Limit(f"{most:g} {unit}", most=most)
        rows.append(row(name, Compared.of(samples), unit, limit, packages=PACKAGES, note=text))
    return rows
