"""What the controller does about shards every second, in its own transaction."""

from __future__ import annotations

from django.utils import timezone

from console.rows import read
from console.storage.leftovers import clear_leftovers
from console.storage.moves import advance_replicas
from console.storage.moving import advance_moves
from console.storage.scrub import scrub_some
from console.storage.slots import survey_clusters

_ANYTHING = """SELECT 1 WHERE EXISTS (SELECT 1 FROM storage_replica) OR EXISTS (SELECT 1 FROM storage_move)
    OR EXISTS (SELECT 1 FROM storage_moveplan) OR EXISTS (SELECT 1 FROM storage_leftover)
    OR EXISTS (SELECT 1 FROM storage_slotcluster)"""


def sweep_shards(epoch: int) -> int:
    """Take copies, moves, scrubs, what is to be deleted and looks at clusters a step further, in the caller's
    transaction. Returns how many changed. Where nothing is stored one statement says so: composing the others took
    most of an idle sweep.
    """
    if not read(_ANYTHING):
        return 0
    moved = advance_replicas(epoch) + advance_moves(epoch) + scrub_some(epoch) + clear_leftovers(epoch)
    return moved + survey_clusters(epoch, timezone.now())
