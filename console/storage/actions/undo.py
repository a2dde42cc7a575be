"""Taking a finished plan back, by a plan of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from balancer_core.lifecycle import MOVE_PLAN, is_final
from balancer_core.shards import Limits, Numbers, retrace
from console.actions import Action, Actor, Conflict, NotAllowed, Unknown
from console.storage.actions.plans import keep
from console.storage.cluster import Seen, see
from console.storage.models import Move, MovePlan

#: A shard, and from where to where it was moved.
Moved = tuple[int, str, str]


@dataclass
class UndoMovePlan(Action[MovePlan]):
    """Propose a plan that takes back what a plan has moved: each replica that is still where it was brought returns
    to where it came from, where that is legal now. Nothing moves by it."""

    plan: int
    reason: str = ""

    NAME = "rebalance.undo"

    def run(self, actor: Actor) -> MovePlan:
        if not self.allows(actor):
            raise NotAllowed(f"{self.NAME} is not for {actor.kind} {actor.name}")
        # Outside of the transaction, as a proposal is searched; what has ended stays as it is.
        undone = MovePlan.objects.filter(pk=self.plan).first()
        if undone is None:
            raise Unknown("rebalance", self.plan)
        if not is_final(MOVE_PLAN, undone.state):
            raise Conflict("state", f"it is {undone.state}; what has ended can be undone")
        moved = list(undone.moves.filter(state=Move.State.DONE).values_list("shard_id", "source", "target"))
        if not moved:
            raise Conflict("empty", "it has moved nothing")
        # Slots are planned with by their pool alone, as they were.
        self._undone, self._seen = undone, see([], undone.full, undone.pool)
        wanted, self._elsewhere = _before(self._seen, moved)
        self._limits = Limits(undone.bytes_s, undone.per_host, undone.together)
        self._made = retrace(self._seen.shards, wanted, self._limits)
        return super().run(actor)

    def execute(self, actor: Actor) -> MovePlan:
        undone, lost = self._undone, self._elsewhere
        proposed = MovePlan(pool=undone.pool, undoes=undone, asked={"undo": undone.pk}, created_by=actor.name)
        more = f"{lost:,} of its moves can't be: the replica or its old host is not there." if lost else ""
        why = f"Plan {undone.pk} is taken back."
        after = keep(proposed, self._seen, self._made, self._limits, why, more)
        self.record(actor, "rebalance", str(proposed.pk), after=after, reason=self.reason)
        return proposed


def _before(seen: Seen, moved: Sequence[Moved]) -> tuple[Numbers, int]:
    """int32[N]: where each replica was before these moves, or is; and how many of the moves can't be taken back."""
    row = {host.name: number for number, host in enumerate(seen.hosts)}
    there = {
        (replica.shard_id, int(home)): number
        for number, (replica, home) in enumerate(zip(seen.replicas, seen.shards.home, strict=True))
    }
    wanted, elsewhere = seen.shards.home.copy(), 0
    for shard, source, target in moved:
        replica = there.get((shard, row.get(target, -1)))
        if replica is None or source not in row:
            elsewhere += 1
        else:
            wanted[replica] = row[source]
    return wanted, elsewhere
