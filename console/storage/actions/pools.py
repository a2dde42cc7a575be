"""Storage pools: how shards are kept, made, changed and removed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from agents.wire import NAME_PATTERN
from balancer_core.cluster.labels import InvalidLabel, check_labels
from balancer_core.constraints import HOST
from balancer_core.policies import POLICIES
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.live.bells import ring_shards
from console.placements.actions.release import announce_release, release_all
from console.placements.models import Placement
from console.storage.models import Move, SlotCluster, StoragePool

#: Where shards are that name no pool.
DEFAULT = "default"
MOST_PIECES = 16
#: Of a pool whose shards are named NAME-SLOT.
MOST_NAME = 57

#: Numbers of a pool: least, most, and what they are.
_RANGES = {
    "data": (1, MOST_PIECES, "pieces of data"),
    "parity": (0, MOST_PIECES - 1, "pieces that may be lost"),
    "low": (0.05, 1.0, "a share of the disk, or of memory"),
    "high": (0.05, 1.0, "a share of the disk, or of memory"),
    "slots": (16, 4096, "slots of a shard"),
    "keep_days": (0.0, 3650.0, "days of growth"),
    "threshold": (1.01, 10.0, "the fullest host over the mean"),
    "hold_s": (30.0, 604_800.0, "seconds"),
    "margin": (0.005, 1.0, "a part of the mean"),
    "bytes_s": (1.0, 1e12, "bytes a second"),
}


def pool_called(name: str) -> StoragePool:
    """The pool, of "" the default one, which is always there. Raises Unknown."""
    if name in ("", DEFAULT):
        return StoragePool.objects.get_or_create(name=DEFAULT)[0]
    found = StoragePool.objects.filter(pk=name).first()
    if found is None:
        raise Unknown("storage pool", name)
    return found


@dataclass
class PutPool(Action[StoragePool]):
    """Make a storage pool, or change one. What its shards are kept as holds for those that are made from then on;
    watermarks, policy and automatic mode hold at once."""

    name: str
    data: int = 1
    parity: int = 1
    spread_level: str = HOST
    low: float = 0.9
    high: float = 0.95
    policy: str = ""
    mover: str = StoragePool.Mover.TREE
    seed: str = ""
    slots: int = 64
    keep_days: float = 0.0
    automatic: str = StoragePool.Automatic.OFF
    threshold: float = 1.2
    hold_s: float = 600.0
    margin: float = 0.05
    bytes_s: float = 50e6
    reason: str = ""

    RECORDED = (
        "data", "parity", "spread_level", "low", "high", "policy", "mover", "seed", "slots", "keep_days",
        "automatic", "threshold", "hold_s", "margin", "bytes_s",
    )  # fmt: skip
    NAME = "storage-pool.put"

    def execute(self, actor: Actor) -> StoragePool:
        self._check()
        before = StoragePool.objects.select_for_update().filter(pk=self.name).first()
        pool = before or StoragePool(name=self.name)
        was = _said(pool) if before else None
        if before and before.shards.exists() and (before.data, before.mover) != (self.data, self.mover):
            raise Conflict("in-use", f"{self.name} has shards: what they are kept as stays as it is")
        for name in self.RECORDED:
            setattr(pool, name, getattr(self, name))
        # What was above an old threshold is looked at anew.
        pool.above_since, pool.said = None, ""
        pool.save()
        if pool.mover == StoragePool.Mover.REDIS:
            SlotCluster.objects.update_or_create(pool=pool, defaults={"looked_at": None})
        self.record(actor, "storage-pool", self.name, before=was, after=_said(pool), reason=self.reason)
        return pool

    def committed(self, result: StoragePool) -> None:
        ring_shards()

    def _check(self) -> None:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid("name", "invalid", "a DNS label: a-z, 0-9 and -, at most 63 characters")
        for name, (least, most, what) in _RANGES.items():
            number = getattr(self, name)
            if not (math.isfinite(number) and least <= number <= most):
                raise Invalid(name, "out-of-range", f"{what}, {least:g} to {most:g}")
        if self.data + self.parity > MOST_PIECES:
            raise Invalid("parity", "out-of-range", f"{MOST_PIECES} pieces at most, data and parity together")
        if self.low > self.high:
            raise Invalid("low", "out-of-range", "the low watermark is not above the high one")
        if self.threshold - self.margin < 1.005:
            raise Invalid(
                "margin", "out-of-range", "threshold less margin is what is aimed for: 1.005 or more"
            )
        for name, choices in (("mover", StoragePool.Mover), ("automatic", StoragePool.Automatic)):
            if getattr(self, name) not in choices.values:
                raise Invalid(name, "unknown", f"there is {', '.join(choices.values)}")
        if self.data > 1 and self.mover != StoragePool.Mover.NONE:
            raise Invalid("mover", "invalid", "the pieces of an erasure set are made by others: none")
        self._check_cluster()
        if self.policy and self.policy not in POLICIES:
            raise Invalid("policy", "unknown", f"there is {', '.join(POLICIES)}")
        try:
            check_labels({self.spread_level: ""})
        except InvalidLabel as error:
            raise Invalid("spread_level", error.code, error.reason) from None

    def _check_cluster(self) -> None:
        if self.mover != StoragePool.Mover.REDIS:
            if self.seed:
                raise Invalid(
                    "seed", "contradiction", "only a Redis Cluster (mover redis) is found by a node"
                )
            return
        host, _, port = self.seed.rpartition(":")
        if not (host and host.isprintable() and port.isdecimal() and 0 < int(port) < 65536):
            raise Invalid("seed", "invalid", "HOST:PORT of one of the cluster's nodes")
        if (self.data, self.parity, self.spread_level) != (1, 0, HOST):
            raise Invalid(
                "parity",
                "invalid",
                "slots have one owner; their replicas are the cluster's own: 1 and 0, host",
            )
        if len(self.name) > MOST_NAME:
            raise Invalid("name", "invalid", f"{MOST_NAME} characters at most: its shards are named by it")


@dataclass
class SurveyPool(Action[StoragePool]):
    """Have the pool's Redis Cluster looked at now: where its slots are, how large and how much used."""

    name: str
    reason: str = ""

    NAME = "storage-pool.survey"

    def execute(self, actor: Actor) -> StoragePool:
        pool = pool_called(self.name)
        if pool.mover != StoragePool.Mover.REDIS:
            raise Conflict("no-cluster", "its shards are made here; there is nothing to find")
        SlotCluster.objects.update_or_create(pool=pool, defaults={"looked_at": None})
        self.record(actor, "storage-pool", self.name, reason=self.reason)
        return pool

    def committed(self, result: StoragePool) -> None:
        ring_shards()


@dataclass
class RemovePool(Action[None]):
    """Give up a pool that has no shards. The default pool stays. Of a Redis Cluster no slot is touched: its shards
    are let go of with it."""

    name: str
    reason: str = ""
    _released: list[Placement] = field(default_factory=list, init=False)

    NAME = "storage-pool.remove"

    def execute(self, actor: Actor) -> None:
        pool = StoragePool.objects.select_for_update().filter(pk=self.name).first()
        if pool is None:
            raise Unknown("storage pool", self.name)
        if self.name == DEFAULT:
            raise Conflict("default", "shards that name no pool are in it")
        if pool.mover == StoragePool.Mover.REDIS:
            self._released = self._let_go(pool)
        elif count := pool.shards.count():
            raise Conflict("in-use", f"it has {count:,} shards")
        was = _said(pool)
        pool.delete()
        self.record(actor, "storage-pool", self.name, before=was, reason=self.reason)

    def committed(self, result: None) -> None:
        for placement in self._released:
            announce_release(placement)

    def _let_go(self, pool: StoragePool) -> list[Placement]:
        if Move.objects.filter(shard__pool=pool, plan__state__in=("running", "paused")).exists():
            raise Conflict("in-use", "a plan moves its slots; it ends, or is cancelled, first")
        held = Placement.objects.select_related("host").filter(replica__shard__pool=pool)
        released = release_all(list(held))
        pool.shards.all().delete()
        return released


def _said(pool: StoragePool) -> dict[str, Any]:
    return {name: getattr(pool, name) for name in PutPool.RECORDED}
