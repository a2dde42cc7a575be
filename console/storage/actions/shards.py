"""Shards: placing all replicas in one decision, reading them again, and removing a shard."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from agents.wire import NAME_PATTERN
from balancer_core.placement import Load, Spread
from console.actions import Action, Actor, Conflict, Invalid, Unknown, is_storable
from console.fleet.models import Host
from console.live.bells import ring_commands, ring_hosts, ring_shards
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere, commit, keep, overtaken
from console.placements.actions.release import announce_release, release
from console.placements.models import Placement
from console.policies.defaults import chosen
from console.storage.actions.pools import MOST_PIECES, pool_called
from console.storage.demand import demand_of
from console.storage.leftovers import held_up, leave
from console.storage.models import Replica, Shard, StoragePool, domain_of

#: Bytes, and bytes a second or a day, that are believed.
MOST_BYTES = 2**60


@dataclass
class CreateShard(Action[Shard]):
    """Place a shard's replicas on hosts of different failure domains: all of them, or none.

    bytes: of the whole shard. pool: how and where it is kept, "" for the default one. replicas, spread: None for what
    the pool says, else the number of copies, and the label (zone, rack) or "host" that no two of them share.
    source_host, source_path: where the tree lies now, a path in that agent's import folder; where others fill the
    pool there need not be one. policy: "" for the pool's. growth_bytes_day: None to learn it from what is reported.
    Raises FitsNowhere for the first replica that has no place.
    """

    name: str
    bytes: int
    source_host: str
    source_path: str = ""
    replicas: int | None = None
    spread: str | None = None
    policy: str = ""
    pool: str = ""
    growth_bytes_day: float | None = None
    read_bytes_s: float = 0.0
    write_bytes_s: float = 0.0
    memory_bytes: float = 0.0

    NAME = "shard.create"

    def run(self, actor: Actor) -> Shard:
        try:
            return super().run(actor)
        except FitsNowhere as refusal:
            raise FitsNowhere(refusal.decision, keep(refusal.decision).pk) from None

    def execute(self, actor: Actor) -> Shard:
        pool = pool_called(self.pool)
        source = self._check(pool)
        if picture.ahead:
            picture.load()
        if not is_storable(self.source_path):
            raise Invalid("source_path", "invalid", "text without NUL and half characters")
        shard = Shard.objects.create(
            name=self.name,
            pool=pool,
            bytes=self.bytes,
            growth_bytes_day=self.growth_bytes_day or 0.0,
            growth_given=self.growth_bytes_day is not None,
            read_bytes_s=self.read_bytes_s,
            write_bytes_s=self.write_bytes_s,
            memory_bytes=self.memory_bytes,
            replica_count=self.replicas or pool.pieces,
            spread_level=self.spread or pool.spread_level,
            source_host=source,
            source_path=self.source_path,
        )
        taken: dict[str, int] = {}
        hosts: list[str] = []
        self._placements: list[Placement] = []
        for number in range(shard.replica_count):
            # One copy leads; the pieces of an erasure set are alike.
            leader = number == 0 and pool.data == 1
            placement = self._place(shard, number, leader, taken, hosts)
            hosts.append(placement.host.name)
            # Read here: a placement carries only its host's name and address.
            domain = domain_of(Host.objects.get(pk=placement.host_id), shard.spread_level)
            taken[domain] = taken.get(domain, 0) + 1
            Replica.objects.create(shard=shard, placement=placement, leader=leader)
            self._placements.append(placement)
        after = {"pool": pool.name, "bytes": self.bytes, "hosts": hosts, "spread": shard.spread_level}
        self.record(actor, "shard", shard.name, after=after)
        return shard

    def committed(self, result: Shard) -> None:
        for placement in self._placements:
            picture.reserve(placement.host.name, placement.demand)
        ring_hosts()
        ring_shards()

    def _check(self, pool: StoragePool) -> Host:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid(
                "name", "invalid", "a shard's name is a DNS label: a-z, 0-9 and -, at most 63 characters"
            )
        if Shard.objects.filter(name=self.name).exists():
            raise Conflict("name-taken", f"there is a shard called {self.name}")
        if self.replicas is not None and not 1 <= self.replicas <= MOST_PIECES:
            raise Invalid("replicas", "out-of-range", f"1 to {MOST_PIECES}")
        refuse_slots(pool)
        if self.replicas is not None and pool.data > 1:
            raise Invalid("replicas", "contradiction", f"{pool.name} keeps {pool.kept_as}")
        if self.bytes <= 0:
            raise Invalid("bytes", "out-of-range", "a shard takes at least one byte")
        for name in ("growth_bytes_day", "read_bytes_s", "write_bytes_s", "memory_bytes"):
            check_amount(name, getattr(self, name))
        if not self.source_path and pool.mover == StoragePool.Mover.TREE:
            raise Invalid("source_path", "blank", "where the tree lies in its host's import folder")
        source = Host.objects.filter(name=self.source_host).first()
        if source is None:
            raise Invalid("source_host", "unknown", f"no host is called {self.source_host}")
        return source

    def _place(
        self, shard: Shard, number: int, leader: bool, taken: dict[str, int], hosts: list[str]
    ) -> Placement:
        load = Load(
            kind="shard",
            name=f"{self.name}/{number}",
            demand=demand_of(shard, leader=leader),
            # A tree of an earlier shard of that name is still to be deleted there.
            exclude_hosts=frozenset([*hosts, *held_up(self.name)]),
            spread=(Spread(level=shard.spread_level, taken=taken, max_per_domain=1),),
            marks={"disk": shard.pool.low},
            **chosen("shard", self.policy or shard.pool.policy, {}),
        )
        decided = picture.decide(load)
        for host in decided.ranking:
            if placement := commit(decided.instead(host), load):
                return placement
        # Not kept here, where it would go with the transaction: run() keeps it.
        raise FitsNowhere(overtaken(decided), uuid.uuid4())


@dataclass
class ScrubShard(Action[Shard]):
    """Have every copy of the shard read again now; what is no longer what it was is made anew from a good one."""

    name: str
    reason: str = ""

    NAME = "shard.verify"

    def execute(self, actor: Actor) -> Shard:
        shard = Shard.objects.filter(name=self.name).first()
        if shard is None:
            raise Unknown("shard", self.name)
        refuse_slots(shard.pool)
        ready = shard.replicas.filter(state=Replica.State.READY)
        if not ready.update(verified_at=None):
            raise Conflict("state", "it has no copy that is ready")
        self.record(actor, "shard", shard.name, reason=self.reason)
        return shard

    def committed(self, result: Shard) -> None:
        ring_shards()


@dataclass
class RemoveShard(Action[None]):
    """Give up a shard: its replicas' room is released and their hosts are told to delete the trees, until they say
    that they have, also where one is still being copied.

    The source tree in the import folder stays: it is not ours.
    """

    name: str
    reason: str = ""

    NAME = "shard.remove"

    def execute(self, actor: Actor) -> None:
        shard = Shard.objects.filter(name=self.name).first()
        if shard is None:
            raise Unknown("shard", self.name)
        refuse_slots(shard.pool)
        self._released = []
        replicas = list(shard.replicas.select_for_update(of=("self",)).select_related("placement__host"))
        ledger.lock(replica.placement.host_id for replica in replicas)
        for replica in replicas:
            leave(replica)
            if release(replica.placement):
                self._released.append(replica.placement)
        shard.delete()
        self.record(actor, "shard", self.name, before={"bytes": shard.bytes}, reason=self.reason)

    def committed(self, result: None) -> None:
        for placement in self._released:
            announce_release(placement)
        ring_commands()


def refuse_slots(pool: StoragePool) -> None:
    """Raises Conflict where the shards are what is found in a cluster."""
    if pool.mover == StoragePool.Mover.REDIS:
        raise Conflict("slots", f"{pool.name} has the slots of a Redis Cluster, as they are found there")


def check_amount(name: str, amount: float | None) -> None:
    """Raises Invalid for what is no amount of bytes, or of bytes in a time; None is one that is not known."""
    if amount is not None and not 0.0 <= amount <= MOST_BYTES:
        raise Invalid(name, "out-of-range", f"0 to {MOST_BYTES}")
