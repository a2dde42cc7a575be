"""Every benchmark: one module each, with the ids of its ROWS and a coroutine run(settings)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from bench.figures import ROUNDS, ROUNDS_FAST
from bench.results import Row

Setting = TypeVar("Setting")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run. fast: short rounds and few, to see that everything works; their figures say little.
    only: what was asked for, ids or their beginnings; none for all."""

    fast: bool = False
    say: Callable[[str], None] = print
    only: Sequence[str] = ()

    def wants(self, row: str) -> bool:
        """Whether the row was asked for: a benchmark whose rows each take minutes leaves out the others."""
        return not self.only or any(_matches(name, row) for name in self.only)

    def pick(self, full: Setting, fast: Setting) -> Setting:
        return fast if self.fast else full

    @property
    def rounds(self) -> int:
        return self.pick(ROUNDS, ROUNDS_FAST)


#: Pickers by key, and the members' weights they are measured with (jump knows no weights).
HASHED = (
    *((picker, weights) for picker in ("rendezvous", "maglev", "bounded") for weights in ("equal", "mixed")),
    ("jump", "equal"),
)

#: What our tail is measured beside.
TAILS = (
    "perfect_picker", "envoy_rr", "envoy_lr", "envoy_lr_weights", "haproxy_leastconn", "haproxy_leastconn_weights",
)  # fmt: skip

#: Peers of the steering law in simulation, and what happens to hosts there.
STEERED = ("clairvoyant", "vs_rr", "vs_two_choices", "vs_lr_weights", "vs_wrr_weights", "vs_perfect_picker")
RECOVERED = ("antagonist", "antagonist_small", "greedy", "stuck", "thin_link")

#: Balancers of shards whose evenness ours is asked for: of bytes alone, of three resources at once.
FRONTIER = (
    "bytes.ceph_5", "bytes.ceph_1", "bytes.rebalancer_squares", "bytes.equilibrium", "bytes.rebalancer_variance",
    "bytes.equilibrium_free", "three.rebalancer_variance", "three.rebalancer_two", "three.rebalancer_60",
    "three.rebalancer_180", "three.rebalancer_540",
)  # fmt: skip

#: module -> the rows it comes to. Modules are imported when they run: the core's need no servers.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "bench.traffic.tails": (
        *(f"B1.p99.{load}.vs_{peer}" for load in (30, 60, 80, 92) for peer in TAILS), "B1.cpu_max_avg",
    ),
    "bench.steering": (
        *(f"B1.sim.{peer}.{load}" for load in (30, 60, 80, 92) for peer in STEERED),
        *(f"B1.sim.recovered.{event}" for event in RECOVERED), "B1.sim.newcomer", "B1.sim.fast_fail_share",
        *(f"B1.sim.swing.{late_s}" for late_s in (5, 15, 30)), "B1.sim.pickers.2", "B1.sim.pickers.4",
        *(f"B1.sim.cpu_max_avg.{load}" for load in (60, 80, 92)),
    ),
    "bench.traffic.quota_windows": tuple(
        f"B1.sim.{row}"
        for load in (30, 60, 80, 92)
        for row in (
            f"quota.{load}",
            f"windows.{load}",
            f"windows.{load}.varied",
            f"windows.{load}.unequal",
        )
    ),
    "bench.engine": ("B1.weight_change_ms", "B1.changes_failed", "B1.away_failed", "B1.restart_s"),
    "bench.decisions": (
        "B2.mixed.10k", "B2.mixed.10k.vs_c_scan", "B2.equal.10k", "B2.mixed.100k", "B2.growth", "B2.explain_overhead",
        "B2.bytes_per_host",
    ),
    "bench.traffic.four_envoys": ("B1.four_envoys.vs_envoy_lr", "B1.four_envoys.vs_envoy_lr_weights"),
    "bench.traffic.faults": ("B1.fast_fail_share", "B1.antagonist_recovery_s"),
    "bench.traffic.thin_link": ("B1.thin_link_p99", "B1.thin_link_recovery_s"),
    "bench.traffic.evenness": ("B1.cpu_max_avg.round_robin",),
    "bench.traffic.newcomer": ("B1.newcomer_p99",),
    "bench.traffic.late_reports": tuple(f"B1.swing.{late_s}" for late_s in (5, 15, 30)),
    "bench.traffic.slow_server": ("B1.linkerd_success",),
    "bench.traffic.ramp": ("B1.prequal_127.ratio",),
    "bench.batching": ("B2.batch.placed", "B2.batch.cost", "B2.batch.rate", "B2.batch.rate_full"),
    "bench.quality": ("B3.openb.default", "B3.openb.cpu050", "B3.openb.cpu100", "B3.openb.gpuspec10"),
    "bench.bins": tuple(
        f"B3.vbp.{name}.{task}" for name in ("new", "panigrahy") for task in ("batch", "online", "ordered")
    ),
    "bench.reassignment": (
        *(f"B3.roadef.a{number}" for number in ("1_1", "1_2", "1_3", "1_4", "1_5", "2_1", "2_2", "2_3", "2_4", "2_5")),
        *(f"B3.roadef.b_{number}" for number in (1, 2, 3, 4, 5, 6, 8, 9)), "B3.roadef.a_gap", "B3.roadef.b_gap",
    ),
    "bench.shards.plans": (
        *(f"B4.bytes_only.{figure}" for figure in ("max_mean", "moved_pct", "moves", "seconds")),
        *(f"B4.three.{figure}" for figure in ("bytes", "iops", "net", "moved_pct", "seconds")),
        "B4.drain_host.moved_ratio", "B4.scale.seconds", "B4.scale.mib",
    ),
    "bench.shards.frontier": tuple(f"B4.frontier.{peer}" for peer in FRONTIER),
    "bench.shards.moving": ("B4.link_share", "B4.traffic_p99_rise"),
    "bench.shards.slots": ("B4.redis.mem_max_mean", "B4.redis.ops_max_mean"),
    "bench.hashing": tuple(
        f"B2.hash.{picker}.{weights}.{figure}"
        for picker, weights in HASHED
        for figure in ("rate", "balance", "remove", "add")
    ),
    "bench.picking.cost": (
        "B1.picker_ns.100",
        "B1.picker_ns.100.windows",
        "B1.picker_ns.growth",
        "B1.picker_ns.instructions",
    ),
    "bench.picking.throughput": ("B1.throughput",),
    "bench.jobs.dispatch": ("B5.jobs_per_s", "B5.dispatch_ms"),
    "bench.jobs.mixed": tuple(
        f"B5.{figure}{ending}"
        for ending in ("", ".vs_dask")
        for figure in ("makespan", "p95", "oom_kills", "jain")
    ),
    "bench.jobs.backlog": ("B5.backlog_p99_ms",),
    "bench.jobs.beside_traffic": ("B5.traffic_p99",),
    "bench.agent": ("B7.agent_rss", "B7.agent_cpu"),
    "bench.ingest": ("B7.ingest_cpu_ratio",),
    "bench.console": ("B7.console_rss", "B7.console_rss_with_envoy"),
    "bench.map.smoothness": tuple(
        f"B9.{figure}{peer}"
        for figure in ("map_p99_frame_ms", "map_p99_drawn_ms", "map_work_ms_per_s")
        for peer in ("", ".vs_echarts")
    ),
    "bench.map.table": tuple(f"B9.grid_{figure}" for figure in ("p99_frame_ms", "p99_drawn_ms", "work_ms_per_s")),
    "bench.map.change": ("B9.change_to_pixel_ms",),
    "bench.hosts_page": tuple(f"B9.hosts_ttfb_ms{view}" for view in ("", ".filtered", ".sorted")),
    "bench.searching": ("B9.search_ms",),
    "bench.first_load": ("B9.js_kb", "B9.css_kb"),
    "bench.placing": ("B8.place_one", "B8.place_one.4", "B8.p99", "B8.p99.4"),
}  # fmt: skip


class UnknownBenchmark(ValueError):
    """Nothing to run goes by that name."""


def chosen(only: Sequence[str]) -> list[str]:
    """The modules with a row whose id is one of `only` or begins with it ("B7", "B8.p99"); all for none.

    Raises UnknownBenchmark.
    """
    for name in only:
        if not any(_matches(name, row) for rows in BENCHMARKS.values() for row in rows):
            raise UnknownBenchmark(
                f"no benchmark is called {name!r}; there are {', '.join(sum(BENCHMARKS.values(), ()))}"
            )
    return [
        module
        for module, rows in BENCHMARKS.items()
        if not only or any(_matches(name, row) for name in only for row in rows)
    ]


def _matches(name: str, row: str) -> bool:
    return row == name or row.startswith(f"{name}.")


def runner(module: str) -> Callable[[Settings], Coroutine[Any, Any, list[Row]]]:
    """The benchmark's coroutine."""
    run: Callable[[Settings], Coroutine[Any, Any, list[Row]]] = import_module(module).run
    return run
