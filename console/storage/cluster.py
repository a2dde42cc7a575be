"""The shards as they are: hosts, what is held of them and the ready replicas, in the words of balancer_core.shards."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.slot_survey import SLOT_STATS
from balancer_core.shards import Goal, Resource, Shards, mean, numbered
from console.actions import Invalid
from console.fleet.models import Host
from console.live.picture import picture
from console.placements.models import Ledger, Placement
from console.storage.demand import demand_of
from console.storage.models import Move, Replica, SlotCluster, StoragePool, domain_of

#: What is made even, where replicas ask for it; the first is what is copied.
RESOURCES = ("disk", "disk_io", "net_out", "net_in", "memory", "cpu")
#: Of these no move takes more than the plan's share; the others are rates, which may pile up.
CAPACITIES = ("disk", "memory")


#: What is read of each replica: a cluster has tens of thousands.
READ = (
    "state", "leader", "placement__demand", "placement__host_id", "shard__pool_id", "shard__name", "shard__bytes",
    "shard__growth_bytes_day", "shard__read_bytes_s", "shard__write_bytes_s", "shard__memory_bytes", "shard__cpu",
    "shard__replica_count", "shard__spread_level",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """shards: the problem; hosts and replicas: whose numbers it uses. busy: shards that are left out since one of
    their replicas is being made or moved. full: no move fills a disk above this share; high: above it shards leave.
    """

    shards: Shards
    hosts: Sequence[Host]
    replicas: Sequence[Replica]
    busy: int
    full: float
    high: float

    @property
    def resources(self) -> list[str]:
        return [resource.name for resource in self.shards.resources]


def see(drain: Collection[str], full: float, pool: str = "") -> Seen:
    """Read hosts, ledger and replicas. drain: hosts to empty, beside those that drain. full: of disk and memory; the
    low watermarks of the pools whose shards are looked at make it less. pool: whose shards alone, "" for all that are
    on disks.

    Raises Invalid for a host to drain that is not there, and where there is nothing to plan with.
    """
    lines: dict[int, dict[str, tuple[float, float]]] = {}
    for host_id, resource, capacity, reserved in Ledger.objects.values_list(
        "host_id", "resource", "capacity", "reserved"
    ):
        lines.setdefault(host_id, {})[resource] = (capacity, reserved)
    fills, masters, rates = _of(pool)
    hosts = [
        host for host in Host.objects.all()
        if lines.get(host.pk, {}).get(fills, (0.0, 0.0))[0] > 0 and (masters is None or host.name in masters)
    ]  # fmt: skip
    if unknown := set(drain) - {host.name for host in hosts}:
        raise Invalid("drain", "unknown", f"no host that could keep them is called {min(unknown)}")
    if not hosts:
        raise Invalid("drain", "empty", f"no host has a {fills} to keep shards on")
    there = Replica.objects.filter(placement__state=Placement.State.HELD)
    # Slots go between their own nodes alone, and fill something else.
    there = (
        there.filter(shard__pool=pool) if pool else there.exclude(shard__pool__mover=StoragePool.Mover.REDIS)
    )
    held = list(there.select_related("shard", "placement").only(*READ).order_by("pk"))
    # Many shards share few pools, which need not be made anew with each.
    of_name = StoragePool.objects.in_bulk({replica.shard.pool_id for replica in held})
    for replica in held:
        replica.shard.pool = of_name[replica.shard.pool_id]
    moving = set(
        Move.objects.exclude(state__in=("planned", "done", "failed", "cancelled")).values_list(
            "shard_id", flat=True
        )
    )
    moving |= {replica.shard_id for replica in held if replica.state in ("reserved", "copying", "retiring")}
    row = {host.pk: number for number, host in enumerate(hosts)}
    chosen = [
        replica for replica in held
        if replica.state == Replica.State.READY and replica.shard_id not in moving and replica.placement.host_id in row
    ]  # fmt: skip
    # What each asks for now; a replica that outgrew its host is promised less there.
    asked = [demand_of(each.shard, leader=each.leader) for each in chosen]
    more = (name for name in RESOURCES if name != fills and (rates or name in CAPACITIES))
    names = [fills, *(name for name in more if any(each.get(name) for each in asked))]
    names = [name for name in names if all(lines[host.pk].get(name, (0.0, 0.0))[0] > 0 for host in hosts)]
    demand = _table(asked, names)
    promised = _table([each.placement.demand for each in chosen], names)
    pools = {each.shard.pool_id: each.shard.pool for each in chosen}.values()
    full = min([full, *(each.low for each in pools)])
    home = np.array([row[each.placement.host_id] for each in chosen], dtype=np.int32)
    shards = list(dict.fromkeys(each.shard_id for each in chosen))
    place = {shard: number for number, shard in enumerate(shards)}
    spread = {each.shard_id: each.shard.spread_level for each in chosen}
    levels = sorted({"host", *spread.values()})
    lost = np.array([host.lost_since is not None for host in hosts])
    gone = lost | np.array([host.state == Host.State.DRAINING or host.name in drain for host in hosts])
    # A host of no known domain is given none: placing would refuse it.
    known = np.array([all(domain_of(host, level) for level in levels) for host in hosts])
    open_ = np.array([host.state == Host.State.ACTIVE for host in hosts]) & ~gone & known
    return Seen(
        Shards(
            resources=tuple(
                _resource(
                    name,
                    [lines[host.pk][name] for host in hosts],
                    _measured(name, fills, hosts),
                    home,
                    promised[:, number],
                    full,
                )
                for number, name in enumerate(names)
            ),
            host=np.arange(len(hosts), dtype=np.int32),
            domain=np.stack([numbered([_apart(host, level) for host in hosts]) for level in levels]),
            accepts=open_,
            gone=gone,
            lost=lost,
            demand=demand,
            group=np.array([place[each.shard_id] for each in chosen], dtype=np.int32),
            home=home,
            apart=np.array([levels.index(spread[shard]) for shard in shards], dtype=np.int32),
        ),
        hosts,
        chosen,
        len(moving),
        full,
        min((each.high for each in pools), default=1.0),
    )


def _of(pool: str) -> tuple[str, Collection[str] | None, bool]:
    """What the pool's shards fill; the hosts that have a master of its cluster, None where any host will do; whether it
    is known what each shard takes of rates. Shared out by keys it is not: nodes then differ by their hot keys, which
    stay, while others would be moved for them again and again."""
    found = StoragePool.objects.filter(pk=pool).first()
    if found is None or found.mover != StoragePool.Mover.REDIS:
        return "disk", None, True
    cluster = SlotCluster.objects.filter(pool=found).first()
    if cluster is None:
        return found.keeps_in, set(), False
    return (
        found.keeps_in,
        {node["host"] for node in cluster.nodes},
        cluster.load_from == SLOT_STATS,
    )


def _table(
    rows: Sequence[Mapping[str, float]], names: Sequence[str]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """float64[rows, names]."""
    return np.array([[each.get(name, 0.0) for name in names] for each in rows]).reshape(len(rows), len(names))


def _resource(
    name: str, lines: Sequence[tuple[float, float]], measured: Sequence[float],
    home: np.ndarray[tuple[int, ...], np.dtype[np.int32]],
    promised: np.ndarray[tuple[int, ...], np.dtype[np.float64]], full: float,
) -> Resource:  # fmt: skip
    """base is what others than these replicas hold: the larger of promised and measured."""
    capacity, holds = (np.array(column) for column in zip(*lines, strict=True))
    ours = np.bincount(home, weights=promised, minlength=len(lines))
    base = np.maximum(np.maximum(holds, measured) - ours, 0.0)
    ceiling = full if name in CAPACITIES else None
    return Resource(name, np.arange(len(lines), dtype=np.int32), capacity, base, ceiling)


def _measured(name: str, fills: str, hosts: Sequence[Host]) -> list[float]:
    """What hosts use of what fills up; 0 where that does not count. Of slots it does not: a node's process keeps the
    memory of what it gave away, and would be taken for full and emptied ever further. What is measured is heeded when
    a move begins."""
    if name not in CAPACITIES or fills == "memory":
        return [0.0] * len(hosts)
    return [picture.used(host.name).get(name, 0.0) for host in hosts]


def _apart(host: Host, level: str) -> str:
    """Hosts without the label are no domain that they share: what lies there lies in one of its own."""
    return domain_of(host, level) or f"\0{host.name}"


def goal_of(seen: Seen, even: float | None) -> Goal:
    """even: the fullest host over the mean that is aimed for; None: only what must leave moves. What is above the high
    watermark must leave in any case."""
    shards = seen.shards
    # Where one replica alone is more than what is asked, no plan can do better; it must not be tried in vain.
    floors = _floors(shards)
    peaks = list(Goal.as_now(shards).peaks) if even is None else [max(even, floor) for floor in floors]
    if level := mean(shards, 0):
        peaks[0] = max(1.0, min(peaks[0], seen.high / level))
    return Goal(tuple(peaks))


def _floors(shards: Shards) -> list[float]:
    """For each resource what the largest replica, alone on the largest node, is over the mean."""
    floors = []
    for number, resource in enumerate(shards.resources):
        level = mean(shards, number)
        largest = float(shards.demand[:, number].max(initial=0.0))
        floors.append(largest / float(resource.capacity.max()) / level if level else 1.0)
    return floors
