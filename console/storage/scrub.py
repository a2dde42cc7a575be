"""Scrubbing: every copy is read again now and then, and one that is no longer what it was is made anew.

A ready replica's host is told to read its tree and say the digest. Another digest, no tree, or one that cannot be
read: the replica is damaged and counts no more. Its tree is deleted only when another ready copy is there to copy
from; then it is reserved again, and `moves.py` copies it as any other. A host that does not answer proves nothing:
it is asked again. Replicas that are on their way are left alone. Only the controller calls this, with its epoch.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from balancer_core.lifecycle import REPLICA, advance
from console.actions import SYSTEM, Action, Actor
from console.fleet.actions.commands import give
from console.fleet.models import Command
from console.storage.models import Move, Replica, StoragePool
from console.storage.moving import UNDER_WAY

#: A copy is read again after so long.
EVERY = timedelta(days=7)
#: Copies that are read at once in the whole cluster, and in one sweep looked at: reading disturbs what else reads.
MOST_AT_ONCE = 4
VERIFY_LIFE_S = 6 * 3600.0
DROP_LIFE_S = 600.0


class _ScrubStep(Action[None]):
    """What scrubbing found is recorded with the shard."""

    NAME = "shard.scrub"

    def __init__(self, replica: Replica, reason: str) -> None:
        self._replica, self._reason = replica, reason

    def execute(self, actor: Actor) -> None:
        replica = self._replica
        after = {"host": replica.placement.host.name, "state": replica.state}
        self.record(actor, "shard", replica.shard.name, after=after, reason=self._reason[:500])


def scrub_some(epoch: int) -> int:
    """Ask, judge and repair as far as it goes now, in the caller's transaction. Returns how many changed."""
    settled = (
        Replica.objects.select_for_update(of=("self",))
        .select_related("shard__pool", "placement__host", "scrub")
        .exclude(departures__state__in=UNDER_WAY)
        .exclude(arrival__state=Move.State.COPYING)
    )
    changed = 0
    for replica in settled.filter(scrub__isnull=False, state=Replica.State.READY):
        changed += _judge(replica)
    for replica in settled.filter(state=Replica.State.DAMAGED):
        changed += _repair(replica, epoch)
    return changed + _ask(epoch)


def _ask(epoch: int) -> int:
    """Tell some hosts to read the copies that were not read for longest, one a host."""
    asked = Replica.objects.filter(scrub__isnull=False, state=Replica.State.READY)
    busy = set(asked.values_list("placement__host_id", flat=True))
    room = MOST_AT_ONCE - asked.count()
    if room <= 0:
        return 0
    due = (
        Replica.objects.select_related("shard__pool", "placement__host")
        .filter(Q(verified_at=None) | Q(verified_at__lt=timezone.now() - EVERY))
        .filter(state=Replica.State.READY, scrub=None, placement__host__lost_since=None)
        # What is in slots changes; where they are, looking at their cluster says.
        .exclude(shard__pool__mover=StoragePool.Mover.REDIS)
        .exclude(departures__state__in=UNDER_WAY)
        .exclude(arrival__state=Move.State.COPYING)
        .exclude(placement__host_id__in=busy)
        .order_by(F("verified_at").asc(nulls_first=True), "pk")
    )
    begun = 0
    for replica in due[: 4 * MOST_AT_ONCE]:
        host = replica.placement.host
        if host.pk in busy or begun >= room:
            continue
        busy.add(host.pk)
        begun += 1
        replica.scrub = give(
            host, "shard.verify", {"shard": replica.shard.name, **replica.shard.told},
            epoch=epoch, life_s=VERIFY_LIFE_S,
        )  # fmt: skip
        replica.save(update_fields=["scrub"])
    return begun


def _judge(replica: Replica) -> bool:
    command = replica.scrub
    if command is None or command.state == Command.State.PENDING:
        return False
    replica.scrub = None
    digest = (command.result or {}).get("digest")
    if command.state == Command.State.DONE and digest == replica.shard.digest:
        replica.verified_at = timezone.now()
    elif command.state != Command.State.EXPIRED:
        said = command.error or ("the tree is not there" if digest == "" else "the tree is not what it was")
        replica.state = advance(REPLICA, replica.state, "damage")
        replica.error = said[:500]
        _ScrubStep(replica, said).run(SYSTEM)
    replica.save()
    return True


def _repair(replica: Replica, epoch: int) -> bool:
    """Delete what is damaged once another copy is there to copy from, then have it copied again."""
    others = Replica.objects.filter(shard_id=replica.shard_id, state=Replica.State.READY)
    if replica.placement.host.lost_since or not others.filter(placement__host__lost_since=None).exists():
        return False
    drop = replica.scrub
    if drop is not None and drop.state == Command.State.PENDING:
        return False
    if drop is None or drop.state != Command.State.DONE:
        replica.scrub = give(
            replica.placement.host,
            "shard.drop",
            {"shard": replica.shard.name, **replica.shard.told},
            epoch=epoch,
            life_s=DROP_LIFE_S,
        )
        replica.save(update_fields=["scrub"])
        return True
    replica.scrub = replica.serve = replica.fetch = None
    replica.attempt, replica.retry_at = 0, None
    replica.state = advance(REPLICA, replica.state, "repair")
    replica.save()
    _ScrubStep(replica, "it is copied again from another copy").run(SYSTEM)
    return True
