"""Trees that count no more and are still to be deleted: a host is told until it says that there is none.

Theory of operation
- leave() is called in the transaction in which a replica ceases to count. What its host was told and has not answered
  is closed, so that it is not told again; what it carries out already is ended by the drop, or outlived by it.
- The controller gives a drop to each host that has none open, and again when one failed or ran out. A host that is
  lost is told too: whoever comes back deletes first.
- Until the host has answered, no copy of a shard of that name is placed or moved there (held_up): the drop would
  delete it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from console.controller.models import Lease
from console.fleet.actions.commands import give
from console.fleet.models import Command
from console.storage.models import Leftover, Replica

DROP_LIFE_S = 600.0
#: After a refusal; also the longest that a copy under way holds a drop up beyond its own end.
AGAIN = timedelta(seconds=5)


def held_up(shard: str) -> Collection[str]:
    """The hosts on which a tree of that name is still to be deleted."""
    return set(Leftover.objects.filter(shard=shard).values_list("host__name", flat=True))


def leave(replica: Replica) -> None:
    """Owe the deletion of a replica's tree, inside the caller's transaction."""
    about_it = Q(host=replica.placement.host, verb__startswith="shard.", args__shard=replica.shard.name)
    told = Command.objects.filter(about_it | Q(pk=replica.serve_id), state=Command.State.PENDING)
    told.update(state=Command.State.EXPIRED, error="its replica was given up")
    left, _ = Leftover.objects.get_or_create(
        host=replica.placement.host, shard=replica.shard.name, defaults={"told": replica.shard.told}
    )
    # The present leader's epoch: agents refuse commands of an older one.
    _drop(left, Lease.objects.values_list("epoch", flat=True).first() or 0)


def clear_leftovers(epoch: int) -> int:
    """Tell again who has not deleted, forget who has, in the caller's transaction. Returns how many changed."""
    changed = 0
    for left in Leftover.objects.select_for_update(of=("self",)).select_related("host", "drop"):
        drop = left.drop
        if drop is not None and drop.state == Command.State.PENDING:
            continue
        if drop is not None and drop.state == Command.State.DONE:
            left.delete()
        elif drop is None or timezone.now() >= drop.created_at + AGAIN:
            _drop(left, epoch)
        else:
            continue
        changed += 1
    return changed


def _drop(left: Leftover, epoch: int) -> None:
    args = {"shard": left.shard, **left.told}
    left.drop = give(left.host, "shard.drop", args, epoch=epoch, life_s=DROP_LIFE_S)
    left.save(update_fields=["drop"])
