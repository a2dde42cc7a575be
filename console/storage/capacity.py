"""How long the room lasts: days until a host, a failure domain or a pool is full, as things grow now.

A host holds the larger of what is promised and what is measured of its disk; it grows by what its samples show, or by
what its replicas are known to grow by, whichever is more. A pool is full when its domains can hold no more pieces
below its low watermark, each piece in a domain of its own. What-if: hosts that would be gone, whose replicas the others
take, and hosts that would be new. Nothing is changed by asking.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from balancer_core.constraints import HOST
from balancer_core.shards import holdable
from console.actions import Invalid
from console.fleet.models import Host
from console.live.picture import picture
from console.placements.models import Ledger, Placement
from console.storage.demand import piece_bytes
from console.storage.filling import growth_a_day
from console.storage.models import DiskSeen, Replica, StoragePool, domain_of

#: Later than this nobody plans for.
MOST_DAYS = 3650.0


@dataclass
class Disk:
    """A host's disk in bytes. ours: of each pool's replicas here, what they hold and what they grow by a day."""

    name: str
    labels: dict[str, str]
    capacity: float
    held: float = 0.0
    measured_growth: float = 0.0
    takes: bool = True
    ours: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def growth(self) -> float:
        """Bytes a day."""
        return max(self.measured_growth, sum(growth for _, growth in self.ours.values()))


@dataclass(frozen=True)
class Standing:
    """How a host, a domain or a pool stands. holds: bytes that there are for it; days: until it is full at this
    growth, 0 where it is, None for never (within ten years). why: what keeps a pool from using the rest."""

    kind: str
    name: str
    capacity: float
    held: float
    growth_bytes_day: float
    days: float | None
    why: str = ""

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Newcomer:
    """A host that would be new."""

    name: str
    disk: float
    labels: dict[str, str]


def capacity(without: Collection[str] = (), add: Sequence[Newcomer] = ()) -> list[Standing]:
    """Pools, failure domains and hosts, those that are full first in each kind. Raises Invalid for hosts that are not
    there, or that are there already."""
    pools = StoragePool.objects.exclude(mover=StoragePool.Mover.REDIS).in_bulk()
    disks = _disks(pools)
    if unknown := set(without) - disks.keys():
        raise Invalid("without", "unknown", f"no host with a disk is called {min(unknown)}")
    gone = [disks.pop(name) for name in sorted(set(without))]
    for new in add:
        if new.name in disks:
            raise Invalid("add", "name-taken", f"there is a host called {new.name}")
        if not 0.0 < new.disk <= 2.0**60:
            raise Invalid("add", "out-of-range", "a host has a disk of some bytes")
        disks[new.name] = Disk(new.name, new.labels, new.disk)
    there = list(disks.values())
    found = [_pool(pool, there, gone) for pool in pools.values()]
    for level in sorted({pool.spread_level for pool in pools.values()} - {HOST}):
        found += _domains(level, there)
    found += _soonest([_standing("host", disk.name, [disk]) for disk in there])
    return found


def _disks(pools: Mapping[str, StoragePool]) -> dict[str, Disk]:
    lines = {line.host_id: line for line in Ledger.objects.filter(resource="disk", capacity__gt=0)}
    samples = dict(DiskSeen.objects.values_list("host_id", "samples"))
    disks: dict[int, Disk] = {}
    for host in Host.objects.all():
        if (line := lines.get(host.pk)) is None or host.lost_since is not None:
            continue
        held = max(line.reserved, picture.used(host.name).get("disk", 0.0))
        grows = max(growth_a_day(samples.get(host.pk, [])) or 0.0, 0.0)
        takes = host.state == Host.State.ACTIVE
        disks[host.pk] = Disk(host.name, dict(host.labels), line.capacity, held, grows, takes)
    # Tens of thousands: as columns, for rows as objects would take ten times as long.
    replicas = Replica.objects.filter(placement__state=Placement.State.HELD, shard__pool__in=pools).order_by()
    columns = ("placement__host", "shard__pool", "shard__bytes", "shard__growth_bytes_day")
    for host_id, name, size, growth in replicas.values_list(*columns):
        if (disk := disks.get(host_id)) is not None:
            held, grows = disk.ours.get(name, (0.0, 0.0))
            pool = pools[name]
            disk.ours[name] = (held + piece_bytes(pool, size, growth), grows + growth / pool.data)
    return {disk.name: disk for disk in disks.values()}


def _pool(pool: StoragePool, there: Sequence[Disk], gone: Sequence[Disk]) -> Standing:
    """Below the low watermark, beside what others hold of its hosts."""
    rooms: dict[str, float] = {}
    for disk in there:
        ours = disk.ours.get(pool.name, (0.0, 0.0))[0]
        domain = domain_of(disk, pool.spread_level)
        if domain and disk.takes:
            room = max(pool.low * disk.capacity - max(disk.held - ours, 0.0), 0.0)
            rooms[domain] = rooms.get(domain, 0.0) + room
    everywhere = [disk.ours.get(pool.name, (0.0, 0.0)) for disk in (*there, *gone)]
    held = sum(size for size, _ in everywhere)
    # Others' growth takes room that the pool could have had.
    others = sum(disk.growth - disk.ours.get(pool.name, (0.0, 0.0))[1] for disk in there if disk.takes)
    growth = sum(growth for _, growth in everywhere) + max(others, 0.0)
    most = holdable(list(rooms.values()), pool.pieces)
    why = ""
    if len(rooms) < pool.pieces:
        why = f"{pool.pieces} pieces need as many domains ({pool.spread_level}); there are {len(rooms)}."
    elif (unused := sum(rooms.values()) - most) > 0.01 * sum(rooms.values()):
        share = 100.0 * unused / sum(rooms.values())
        why = f"{share:.0f} % of the room can't be used: no two pieces share a {pool.spread_level}, and these differ."
    return Standing("pool", pool.name, most, held, growth, _days(most - held, growth), why)


def _domains(level: str, there: Sequence[Disk]) -> list[Standing]:
    by_domain: dict[str, list[Disk]] = {}
    for disk in there:
        if domain := domain_of(disk, level):
            by_domain.setdefault(domain, []).append(disk)
    return _soonest([_standing(level, name, disks) for name, disks in by_domain.items()])


def _standing(kind: str, name: str, disks: Sequence[Disk]) -> Standing:
    total, held = sum(disk.capacity for disk in disks), sum(disk.held for disk in disks)
    growth = sum(disk.growth for disk in disks)
    return Standing(kind, name, total, held, growth, _days(total - held, growth))


def _days(room: float, growth: float) -> float | None:
    if room <= 0.0:
        return 0.0
    days = room / growth if growth > 0.0 else MOST_DAYS
    return days if days < MOST_DAYS else None


def _soonest(standings: list[Standing]) -> list[Standing]:
    return sorted(standings, key=lambda each: (MOST_DAYS if each.days is None else each.days, each.name))


def newcomers(asked: Sequence[Mapping[str, Any]]) -> list[Newcomer]:
    """Of requests of {name, disk, labels, count}; of several of one kind each has its number."""
    return [
        Newcomer(
            each["name"] if each["count"] == 1 else f"{each['name']}-{number}", each["disk"], each["labels"]
        )
        for each in asked
        for number in range(1, each["count"] + 1)
    ]
