"""Automatic mode: a pool that has stood badly for long enough is rebalanced unasked, or that is proposed.

Theory of operation
- A pool stands badly while a copy is on a host that is lost or drains, a disk is above the high watermark, or the
  fullest host of a resource is above the threshold times the mean. How that began is kept in its row, so that the next
  leader counts on.
- After hold_s of it a plan is searched, which aims at threshold - margin: what was set right stays so for a while.
- A plan that only evens out must gain the margin at least; else nothing moves, and after another hold_s it is looked
  at again. While any plan runs or is paused no other one begins.
Each finding, and why nothing came of it, is an event of the pool. Only the controller calls this, with its epoch.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError

from balancer_core.shards import Plan, peak
from console.actions import SYSTEM, Action, Actor, Conflict, Invalid
from console.controller.lease import Fenced, fenced
from console.storage.actions.plans import ApplyMovePlan, ProposePlan
from console.storage.cluster import Seen, goal_of, see
from console.storage.models import MovePlan, StoragePool

log = logging.getLogger(__name__)

#: A proposal that nobody applied is made anew after so long.
STANDS = timedelta(hours=1)
#: Of a disk, where the pool does not say less.
FULL = 0.9


@dataclass(frozen=True)
class Finding:
    """What is wrong with a pool, in a sentence. must: whether replicas have to leave; uneven: the resources, by
    number, whose fullest host is above the threshold."""

    sentence: str
    must: bool
    uneven: tuple[int, ...]


@dataclass
class _Say(Action[None]):
    """What the controller found of a pool, or did not do for it, with the reason."""

    pool: str
    since: datetime | None
    said: str

    NAME = "storage-pool.automatic"

    def execute(self, actor: Actor) -> None:
        StoragePool.objects.filter(pk=self.pool).update(above_since=self.since, said=self.said)
        self.record(
            actor,
            "storage-pool",
            self.pool,
            after={"since": self.since and self.since.isoformat()},
            reason=self.said,
        )


def look_at_pools(epoch: int, now: datetime) -> int:
    """Look at every pool whose mode is not off, propose or begin what is due. Returns how many plans were made."""
    made = 0
    for pool in StoragePool.objects.exclude(automatic=StoragePool.Automatic.OFF):
        try:
            made += _look(pool, epoch, now)
        except (Fenced, DatabaseError):
            raise
        except Exception:
            # A defect met by one pool must not keep the others waiting.
            log.exception("the pool %s can't be looked at", pool.name)
    return made


def _look(pool: StoragePool, epoch: int, now: datetime) -> bool:
    try:
        seen = see([], FULL, pool.name)
    except Invalid:
        return False  # No host has anything to keep them on.
    found = find(seen, pool)
    if found is None:
        if pool.above_since is not None:
            _say(pool, None, "It stands well again.", epoch)
        return False
    if MovePlan.objects.filter(state__in=(MovePlan.State.RUNNING, MovePlan.State.PAUSED)).exists():
        return False
    if pool.above_since is None:
        _say(pool, now, found.sentence, epoch)
        return False
    if now < pool.above_since + timedelta(seconds=pool.hold_s):
        return False
    open_ = MovePlan.objects.filter(state=MovePlan.State.PROPOSED, automatic=True, pool=pool.name)
    if open_.filter(created_at__gt=now - STANDS).exists():
        return False
    return _act(pool, found, epoch, now)


def find(seen: Seen, pool: StoragePool) -> Finding | None:
    """What is wrong, None where nothing is. O(replicas)."""
    shards = seen.shards
    if not len(shards.home):
        return None
    said = []
    lost, gone = int(shards.lost[shards.home].sum()), int(shards.leave.sum())
    if lost:
        said.append(f"{_copies(lost)} on hosts that are lost.")
    if gone > lost:
        said.append(f"{_copies(gone - lost)} on hosts that drain.")
    if full := _above(seen):
        said.append(
            f"{full[0]} is {100.0 * full[1]:.0f} % full, above the high watermark of {100.0 * seen.high:.0f} %."
        )
    must, uneven = bool(said), []
    aims = goal_of(seen, pool.threshold - pool.margin).peaks
    for number, resource in enumerate(shards.resources):
        now = peak(shards, number, shards.home, ~shards.leave)
        # Where one replica alone makes a host that full, no plan can do better.
        if now > max(pool.threshold, aims[number] + pool.margin):
            uneven.append(number)
            said.append(
                f"The fullest host's {resource.name} is {now:.2f} times the mean, above {pool.threshold:g}."
            )
    return Finding(" ".join(said), must, tuple(uneven)) if said else None


def _copies(count: int) -> str:
    return "1 copy is" if count == 1 else f"{count:,} copies are"


def _above(seen: Seen) -> tuple[str, float] | None:
    """The fullest host above the high watermark that holds replicas, and its share."""
    shards, disk = seen.shards, seen.shards.resources[0]
    holds = disk.base.copy()
    for home, size in zip(shards.home.tolist(), shards.sizes.tolist(), strict=True):
        holds[home] += size
    shares = holds / disk.capacity
    candidates = sorted(
        {int(home) for home in shards.home if shares[home] > seen.high}, key=lambda each: -shares[each]
    )
    return (seen.hosts[candidates[0]].name, float(shares[candidates[0]])) if candidates else None


def _act(pool: StoragePool, found: Finding, epoch: int, now: datetime) -> bool:
    even = pool.threshold - pool.margin if found.uneven else None
    propose = ProposePlan(
        even=even, pool=pool.name, bytes_s=pool.bytes_s, full=FULL, automatic=True, why=found.sentence
    )
    made = propose.search()
    if not made.moves or not (found.must or _gains(made, found, pool.margin)):
        _say(
            pool,
            now,
            f"{found.sentence} No plan betters it by {pool.margin:g} or more: {made.sentence}",
            epoch,
        )
        return False
    if pool.automatic == StoragePool.Automatic.PROPOSE:
        propose.compare(made)
    with fenced(epoch):
        plan = propose.run(SYSTEM)
        verb = "proposed"
        if pool.automatic == StoragePool.Automatic.CARRY_OUT:
            try:
                ApplyMovePlan(plan.pk, found.sentence).run(SYSTEM)
                verb = "carried out"
            except Conflict:
                # Somebody began another one meanwhile; this one stands as a proposal.
                verb = "proposed"
        _Say(pool.name, None, f"Plan {plan.pk} is {verb}: {found.sentence}").run(SYSTEM)
    return True


def _gains(made: Plan, found: Finding, margin: float) -> bool:
    return any(made.before[number] - made.after[number] >= margin for number in found.uneven)


def _say(pool: StoragePool, since: datetime | None, said: str, epoch: int) -> None:
    with fenced(epoch):
        _Say(pool.name, since, said).run(SYSTEM)
