"""Storage pools: how shards are kept, made, changed and removed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from agents.wire import NAME_PATTERN
from balancer_core.cluster.labels import InvalidLabel, check_labels
from balancer_core.constraints import HOST
from balancer_core.policies import POLICIES
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.live.bells import ring_shards
from console.storage.models import StoragePool

#: Where shards are that name no pool.
DEFAULT = "default"
MOST_PIECES = 16

#: Numbers of a pool: least, most, and what they are.
_RANGES = {
    "data": (1, MOST_PIECES, "pieces of data"),
    "parity": (0, MOST_PIECES - 1, "pieces that may be lost"),
    "low": (0.05, 1.0, "a share of the disk"),
    "high": (0.05, 1.0, "a share of the disk"),
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
    keep_days: float = 0.0
    automatic: str = StoragePool.Automatic.OFF
    threshold: float = 1.2
    hold_s: float = 600.0
    margin: float = 0.05
    bytes_s: float = 50e6
    reason: str = ""

    RECORDED = (
        "data", "parity", "spread_level", "low", "high", "policy", "mover", "keep_days",
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
        if self.policy and self.policy not in POLICIES:
            raise Invalid("policy", "unknown", f"there is {', '.join(POLICIES)}")
        try:
            check_labels({self.spread_level: ""})
        except InvalidLabel as error:
            raise Invalid("spread_level", error.code, error.reason) from None


@dataclass
class RemovePool(Action[None]):
    """Give up a pool that has no shards. The default pool stays."""

    name: str
    reason: str = ""

    NAME = "storage-pool.remove"

    def execute(self, actor: Actor) -> None:
        pool = StoragePool.objects.select_for_update().filter(pk=self.name).first()
        if pool is None:
            raise Unknown("storage pool", self.name)
        if self.name == DEFAULT:
            raise Conflict("default", "shards that name no pool are in it")
        if count := pool.shards.count():
            raise Conflict("in-use", f"it has {count:,} shards")
        was = _said(pool)
        pool.delete()
        self.record(actor, "storage-pool", self.name, before=was, reason=self.reason)


def _said(pool: StoragePool) -> dict[str, Any]:
    return {name: getattr(pool, name) for name in PutPool.RECORDED}
