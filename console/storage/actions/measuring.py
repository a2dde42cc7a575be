"""What a shard has grown to and what is read and written of it, as its application reports it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from console.actions import Action, Actor, Conflict, Unknown
from console.live.picture import picture
from console.placements import ledger
from console.storage.actions.shards import check_amount, refuse_slots
from console.storage.demand import demand_of
from console.storage.filling import growth_a_day
from console.storage.models import Replica, Shard, StoragePool

#: Sizes that growth is learned from; one that comes sooner after the last takes its place.
MOST_SIZES = 48
APART_S = 600.0


@dataclass
class MeasureShard(Action[Shard]):
    """Say how large a shard is now and what is read and written of it. Its replicas' promises follow where their hosts
    have room; where not, they keep what they have until a plan moves them.

    None: as it was. growth_bytes_day: given, and no longer learned; 0 is no growth. learn: learn it from the sizes
    again.
    """

    name: str
    bytes: int | None = None
    growth_bytes_day: float | None = None
    read_bytes_s: float | None = None
    write_bytes_s: float | None = None
    memory_bytes: float | None = None
    learn: bool = False

    NAME = "shard.measure"

    def execute(self, actor: Actor) -> Shard:
        shard = (
            Shard.objects.select_for_update(of=("self",))
            .select_related("pool")
            .filter(name=self.name)
            .first()
        )
        if shard is None:
            raise Unknown("shard", self.name)
        refuse_slots(shard.pool)
        was = _said(shard)
        for name in ("bytes", "growth_bytes_day", "read_bytes_s", "write_bytes_s", "memory_bytes"):
            amount = getattr(self, name)
            check_amount(name, amount)
            if amount is not None:
                setattr(shard, name, amount)
        if self.bytes is not None:
            if shard.digest and shard.pool.mover == StoragePool.Mover.TREE:
                raise Conflict(
                    "fixed", "its tree is what its digest says; a tree that changes is another shard"
                )
            self._sized(shard, self.bytes)
        if self.growth_bytes_day is not None:
            shard.growth_given = True
        elif self.learn:
            shard.growth_given = False
        if not shard.growth_given and (grows := growth_a_day(shard.sizes)) is not None:
            shard.growth_bytes_day = max(grows, 0.0)
        shard.save()
        self._changed: list[tuple[str, dict[str, float], int]] = []
        short = self._promise(shard)
        reason = f"no room to grow on {', '.join(short)}" if short else ""
        if _said(shard) != was or short:
            self.record(actor, "shard", shard.name, before=was, after=_said(shard), reason=reason)
        return shard

    def committed(self, result: Shard) -> None:
        for host, amounts, sign in self._changed:
            picture.reserve(host, amounts, sign)

    def _sized(self, shard: Shard, size: int) -> None:
        now = timezone.now().timestamp()
        sizes = [each for each in shard.sizes if each[0] < now]
        if len(sizes) >= 2 and sizes[-1][0] - sizes[-2][0] < APART_S:
            sizes.pop()
        shard.sizes = [*sizes, [now, size]][-MOST_SIZES:]

    def _promise(self, shard: Shard) -> list[str]:
        """Bring the ledger to what the replicas ask for now. Returns the hosts that have no room for it."""
        short = []
        replicas = list(Replica.objects.filter(shard=shard).select_related("placement__host").order_by("pk"))
        ledger.lock(replica.placement.host_id for replica in replicas)
        for replica in replicas:
            placement, wanted = replica.placement, demand_of(shard, leader=replica.leader)
            names = wanted.keys() | placement.demand.keys()
            rise = {name: wanted.get(name, 0.0) - placement.demand.get(name, 0.0) for name in sorted(names)}
            more = {name: amount for name, amount in rise.items() if amount > 0}
            less = {name: -amount for name, amount in rise.items() if amount < 0}
            if more and not ledger.reserve(placement.host_id, more):
                short.append(placement.host.name)
                continue
            ledger.release({placement.host_id: less})
            placement.demand = wanted
            placement.save(update_fields=["demand"])
            self._changed += [
                (placement.host.name, each, sign) for each, sign in ((more, 1), (less, -1)) if each
            ]
        return short


def _said(shard: Shard) -> dict[str, float]:
    names = ("bytes", "growth_bytes_day", "read_bytes_s", "write_bytes_s", "memory_bytes")
    return {name: getattr(shard, name) for name in names}
