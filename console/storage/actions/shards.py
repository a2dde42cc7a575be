"""Shards: placing all replicas in one decision, and removing a shard."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from agents.wire import NAME_PATTERN
from balancer_core.placement import Load, Spread
from console.actions import Action, Actor, Conflict, Invalid, Unknown, is_storable
from console.controller.models import Lease
from console.fleet.actions.commands import give
from console.fleet.models import Host
from console.live.bells import ring_commands, ring_hosts, ring_shards
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere, commit, keep, overtaken
from console.placements.actions.release import announce_release, release
from console.placements.models import Placement
from console.policies.defaults import chosen
from console.storage.models import Replica, Shard, domain_of

MOST_REPLICAS = 16
DROP_LIFE_S = 24 * 3600.0


@dataclass
class CreateShard(Action[Shard]):
    """Place a shard's replicas on hosts of different failure domains: all of them, or none.

    bytes: what one replica takes on disk. spread: the label (zone, rack) or "host" that no two replicas
    share. source_host, source_path: where the tree lies now, a path in that agent's import folder.
    policy: "" for the default of shards.
    Raises FitsNowhere for the first replica that has no place.
    """

    name: str
    bytes: int
    source_host: str
    source_path: str
    replicas: int = 2
    spread: str = "host"
    policy: str = ""

    NAME = "shard.create"

    def run(self, actor: Actor) -> Shard:
        try:
            return super().run(actor)
        except FitsNowhere as refusal:
            raise FitsNowhere(refusal.decision, keep(refusal.decision).pk) from None

    def execute(self, actor: Actor) -> Shard:
        source = self._check()
        if picture.ahead:
            picture.load()
        if not is_storable(self.source_path):
            raise Invalid("source_path", "invalid", "text without NUL and half characters")
        shard = Shard.objects.create(
            name=self.name,
            bytes=self.bytes,
            replica_count=self.replicas,
            spread_level=self.spread,
            source_host=source,
            source_path=self.source_path,
        )
        taken: dict[str, int] = {}
        hosts: list[str] = []
        self._placements: list[Placement] = []
        for number in range(self.replicas):
            placement = self._place(number, taken, hosts)
            hosts.append(placement.host.name)
            # Read here: a placement carries only its host's name and address.
            domain = domain_of(Host.objects.get(pk=placement.host_id), self.spread)
            taken[domain] = taken.get(domain, 0) + 1
            Replica.objects.create(shard=shard, placement=placement)
            self._placements.append(placement)
        self.record(
            actor, "shard", shard.name, after={"bytes": self.bytes, "hosts": hosts, "spread": self.spread}
        )
        return shard

    def committed(self, result: Shard) -> None:
        for placement in self._placements:
            picture.reserve(placement.host.name, placement.demand)
        ring_hosts()
        ring_shards()

    def _check(self) -> Host:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid(
                "name", "invalid", "a shard's name is a DNS label: a-z, 0-9 and -, at most 63 characters"
            )
        if Shard.objects.filter(name=self.name).exists():
            raise Conflict("name-taken", f"there is a shard called {self.name}")
        if not 1 <= self.replicas <= MOST_REPLICAS:
            raise Invalid("replicas", "out-of-range", f"1 to {MOST_REPLICAS}")
        if self.bytes <= 0:
            raise Invalid("bytes", "out-of-range", "a shard takes at least one byte")
        source = Host.objects.filter(name=self.source_host).first()
        if source is None:
            raise Invalid("source_host", "unknown", f"no host is called {self.source_host}")
        return source

    def _place(self, number: int, taken: dict[str, int], hosts: list[str]) -> Placement:
        load = Load(
            kind="shard",
            name=f"{self.name}/{number}",
            demand={"disk": float(self.bytes)},
            exclude_hosts=frozenset(hosts),
            spread=(Spread(level=self.spread, taken=taken, max_per_domain=1),),
            **chosen("shard", self.policy, {}),
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
        ready = shard.replicas.filter(state=Replica.State.READY)
        if not ready.update(verified_at=None):
            raise Conflict("state", "it has no copy that is ready")
        self.record(actor, "shard", shard.name, reason=self.reason)
        return shard

    def committed(self, result: Shard) -> None:
        ring_shards()


@dataclass
class RemoveShard(Action[None]):
    """Give up a shard: its replicas' room is released and their hosts are told to delete the trees.

    The source tree in the import folder stays: it is not ours.
    """

    name: str
    reason: str = ""

    NAME = "shard.remove"

    def execute(self, actor: Actor) -> None:
        shard = Shard.objects.filter(name=self.name).first()
        if shard is None:
            raise Unknown("shard", self.name)
        self._released = []
        replicas = list(shard.replicas.select_for_update(of=("self",)).select_related("placement__host"))
        ledger.lock(replica.placement.host_id for replica in replicas)
        # The present leader's epoch: agents refuse commands of an older one.
        epoch = Lease.objects.values_list("epoch", flat=True).first() or 0
        for replica in replicas:
            give(replica.placement.host, "shard.drop", {"shard": shard.name}, epoch=epoch, life_s=DROP_LIFE_S)
            if release(replica.placement):
                self._released.append(replica.placement)
        shard.delete()
        self.record(actor, "shard", self.name, before={"bytes": shard.bytes}, reason=self.reason)

    def committed(self, result: None) -> None:
        for placement in self._released:
            announce_release(placement)
        ring_commands()
