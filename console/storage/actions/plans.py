"""Plans of moves: proposed first, then applied, paused, resumed, cancelled; undo.py takes them back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.utils import timezone

from agents.pace import WIRE
from balancer_core.errors import InvalidInput
from balancer_core.lifecycle import MOVE_PLAN, InvalidTransition, advance
from balancer_core.shards import Limits, Plan
from console.actions import Action, Actor, Conflict, Invalid, NotAllowed, Unknown
from console.live.bells import ring_shards
from console.storage.actions.pools import pool_called
from console.storage.cluster import Seen, see
from console.storage.models import Move, MovePlan, StoragePool
from console.storage.search import Point, find_frontier, find_plan

MOST_MOVES = 20_000
#: The evenness that is asked for, as the fullest host over the mean.
FINEST, COARSEST = 1.005, 10.0


@dataclass
class ProposePlan(Action[MovePlan]):
    """Work out which replicas should move, in which order, and how long it takes. Nothing moves by it.

    Hosts that drain or are lost are emptied. drain: hosts to empty beside them. even: the fullest host over the mean
    that is aimed for; None to move only what must leave. pool: whose shards alone move, "" for all.
    bytes_s: of each host's network, for all its moves; per_host, together: moves at once. full: no move fills a disk
    above this share, nor above its pool's low watermark.
    automatic, why: where the controller makes it for its pool.
    """

    drain: list[str] = field(default_factory=list)
    even: float | None = None
    pool: str = ""
    bytes_s: float = 50e6
    per_host: int = 2
    together: int = 16
    full: float = 0.9
    automatic: bool = False
    why: str = ""
    _made: Plan | None = field(default=None, init=False)
    _frontier: list[Point] = field(default_factory=list, init=False)

    NAME = "rebalance.propose"

    def run(self, actor: Actor) -> MovePlan:
        if not self.allows(actor):
            raise NotAllowed(f"{self.NAME} is not for {actor.kind} {actor.name}")
        # Outside of the transaction: nobody who writes should wait for the search.
        if self._made is None:
            self.compare(self.search())
        return super().run(actor)

    def search(self) -> Plan:
        """Work the moves out. Raises Invalid and Unknown."""
        if self.even is not None and not FINEST <= self.even <= COARSEST:
            raise Invalid("even", "out_of_range", f"the fullest over the mean, {FINEST} to {COARSEST:g}")
        if not (math.isfinite(self.full) and 0.1 <= self.full <= 1.0):
            raise Invalid("full", "out_of_range", "a share of the disk, 0.1 to 1")
        try:
            self._limits = Limits(self.bytes_s, self.per_host, self.together)
        except InvalidInput as error:
            raise Invalid(error.field, error.code, error.reason) from None
        if self.pool and pool_called(self.pool).mover == StoragePool.Mover.REDIS:
            # Nodes that take slots at the same moment make up their epochs without each other, and one that gives some
            # away meanwhile may claim them again: what moves slots by hand goes one by one, too.
            self._limits = Limits(self.bytes_s, per_host=1, together=1)
        self._seen = see(self.drain, self.full, self.pool)
        self._made = find_plan(self._seen, self.even, self._limits)
        return self._made

    def compare(self, made: Plan) -> None:
        """Work out what other aims come to beside what the search made, for whoever is to approve it."""
        self._frontier = find_frontier(self._seen, self.even, made, self._limits)

    def execute(self, actor: Actor) -> MovePlan:
        seen, made = self._seen, self._made
        if made is None:
            raise AssertionError("run() searches first")
        asked = {"drain": sorted(self.drain), "even": self.even}
        proposed = MovePlan(
            pool=self.pool, automatic=self.automatic, asked=asked, created_by=actor.name, frontier=self._frontier
        )  # fmt: skip
        after = keep(proposed, seen, made, self._limits, self.why)
        self.record(actor, "rebalance", str(proposed.pk), after=after, reason=self.why)
        return proposed


def keep(
    proposed: MovePlan, seen: Seen, made: Plan, limits: Limits, why: str = "", more: str = ""
) -> dict[str, Any]:
    """Write a proposal, which says for whom and by whom it is, with its moves. why, more: sentences before and after
    the plan's. Returns what is recorded of it. Raises Conflict for more moves than are carried out."""
    if made.moves > MOST_MOVES:
        raise Conflict(
            "too-many", f"it would be {made.moves:,} moves, more than {MOST_MOVES:,}; ask for less"
        )
    # A proposal that nobody applied is worth nothing once there is a newer one; but the controller's takes no
    # person's away.
    older = MovePlan.objects.filter(state=MovePlan.State.PROPOSED)
    (older.filter(automatic=True, pool=proposed.pool) if proposed.automatic else older).delete()
    proposed.sentence = " ".join(filter(None, (why, made.sentence + beside(seen, made), more)))
    proposed.bytes_s, proposed.per_host, proposed.together = limits.bytes_s, limits.per_host, limits.together
    proposed.full = seen.full
    proposed.before = dict(zip(seen.resources, made.before, strict=True))
    proposed.after = dict(zip(seen.resources, made.after, strict=True))
    proposed.takes_s = made.schedule.takes_s * WIRE
    proposed.save()
    Move.objects.bulk_create(_moves(proposed, seen, made))
    return {"moves": made.moves, "bytes": made.moved, **proposed.asked}


def _moves(proposed: MovePlan, seen: Seen, made: Plan) -> list[Move]:
    return [
        Move(
            plan=proposed,
            number=number,
            shard=replica.shard,
            source=seen.hosts[seen.shards.home[step.replica]].name,
            target=seen.hosts[step.target].name,
            leaving=replica,
        )
        for number, step in enumerate(made.schedule.steps, start=1)
        for replica in [seen.replicas[step.replica]]
    ]


def beside(seen: Seen, made: Plan) -> str:
    """What the plan leaves out, in sentences."""
    said = ""
    if left := len(made.schedule.left_out):
        said += f" {left:,} more can't begin without breaking a rule on the way, and were left out."
    if seen.busy:
        said += f" {seen.busy:,} shards are being copied or moved and were not looked at."
    return said


class _PlanAction(Action[MovePlan]):
    """A step of a plan's life. EVENT: its name in the table."""

    plan: int
    reason: str
    EVENT: ClassVar[str]

    def execute(self, actor: Actor) -> MovePlan:
        # All that are open: of two that are begun at the same moment the second sees the first.
        list(MovePlan.objects.select_for_update().filter(ended_at=None).order_by("pk").values_list("pk"))
        found = MovePlan.objects.filter(pk=self.plan).first()
        if found is None:
            raise Unknown("rebalance", self.plan)
        before = found.state
        try:
            found.state = advance(MOVE_PLAN, before, self.EVENT)
        except InvalidTransition as error:
            raise Conflict("state", f"it is {before}: {error}") from None
        self.change(found)
        found.save()
        self.record(
            actor, "rebalance", str(found.pk),
            before={"state": before}, after={"state": found.state}, reason=self.reason,
        )  # fmt: skip
        return found

    def change(self, found: MovePlan) -> None:
        """What goes with it."""

    def committed(self, result: MovePlan) -> None:
        ring_shards()


@dataclass
class ApplyMovePlan(_PlanAction):
    """Begin to carry the moves out, each when its turn has come. One plan at a time."""

    plan: int
    reason: str = ""
    NAME = "rebalance.apply"
    EVENT = "apply"

    def change(self, found: MovePlan) -> None:
        others = MovePlan.objects.filter(state__in=(MovePlan.State.RUNNING, MovePlan.State.PAUSED))
        if other := others.first():
            raise Conflict("busy", f"plan {other.pk} is {other.state}; it ends, or is cancelled, first")
        if not found.moves.exists():
            raise Conflict("empty", "it moves nothing")
        found.applied_at = timezone.now()


@dataclass
class PauseMovePlan(_PlanAction):
    """Begin no more moves. Those under way come to their end, so that nothing is left half done."""

    plan: int
    reason: str = ""
    NAME = "rebalance.pause"
    EVENT = "pause"


@dataclass
class ResumeMovePlan(_PlanAction):
    """Go on with the moves that have not begun."""

    plan: int
    reason: str = ""
    NAME = "rebalance.resume"
    EVENT = "resume"


@dataclass
class CancelMovePlan(_PlanAction):
    """Give up the moves that have not begun. Those under way come to their end; what has moved stays moved."""

    plan: int
    reason: str = ""
    NAME = "rebalance.cancel"
    EVENT = "cancel"

    def change(self, found: MovePlan) -> None:
        found.ended_at = timezone.now()
        waiting = found.moves.filter(state=Move.State.PLANNED)
        waiting.update(state=Move.State.CANCELLED, ended_at=found.ended_at)


#: By the verb of their buttons and URLs.
PLAN_ACTIONS: dict[str, type[_PlanAction]] = {
    action.EVENT: action for action in (ApplyMovePlan, PauseMovePlan, ResumeMovePlan, CancelMovePlan)
}
