"""Carrying plans of moves out: each move a row whose state says what is owed next, so that whoever leads goes on.

Theory of operation
- planned -> copying: in one transaction the target's room is reserved and the new replica made; `moves.py` then has
  it copied from a copy that is there, and verified by the digest of what the target reads back from its disk.
- copying -> deleting is the cut over: one fenced transaction in which the new copy begins to count and the old one
  ceases to. Before it, a failed copy is undone and nothing has changed.
- deleting -> done: the old tree is deleted only while at least as many other copies are ready, on hosts that are
  heard of, as the shard shall have. Its room is given back when its host has answered.
- A host that is gone is told all the same, by leftovers.py; what it holds of the ledger is given back at once.
Killed anywhere, the next sweep reads the rows and does what they say: a step is in the database whole or not at all,
and every command may be given twice. Only the controller calls this, with its epoch.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone

from balancer_core.lifecycle import MOVE, MOVE_PLAN, advance
from balancer_core.placement import Load, Spread
from console.actions import SYSTEM, Action, Actor
from console.fleet.actions.commands import give
from console.fleet.models import Command, Host
from console.live.picture import picture
from console.placements.actions.commit import commit
from console.placements.actions.release import announce_release, release
from console.placements.models import Ledger
from console.policies.defaults import chosen
from console.storage.demand import demand_of
from console.storage.leftovers import held_up, leave
from console.storage.models import Move, MovePlan, Replica, domain_of

log = logging.getLogger(__name__)

UNDER_WAY = (Move.State.COPYING, Move.State.DELETING, Move.State.UNDOING)
DROP_LIFE_S = 600.0
DROP_AGAIN_S = 5.0


class _MoveStep(Action[None]):
    """Steps of a move are the system's; they are recorded with the shard that moves."""

    NAME = "shard.move"

    def __init__(self, move: Move) -> None:
        self._move = move

    def execute(self, actor: Actor) -> None:
        move = self._move
        after = {"from": move.source, "to": move.target, "state": move.state, "plan": move.plan_id}
        self.record(actor, "shard", move.shard.name, after=after, reason=move.error)


def advance_moves(epoch: int) -> int:
    """Take every move one step further where it can go, in the caller's transaction. Returns how many changed."""
    changed = 0
    under_way = list(
        Move.objects.select_for_update(of=("self",))
        .select_related(
            "plan", "shard__pool", "drop", "leaving__placement__host", "arriving__placement__host"
        )
        .filter(state__in=UNDER_WAY)
    )
    for move in under_way:
        changed += _tried(move, epoch)
    for plan in MovePlan.objects.select_for_update().filter(state=MovePlan.State.RUNNING):
        changed += _begin_some(plan, epoch)
        if not plan.moves.filter(state__in=(Move.State.PLANNED, *UNDER_WAY)).exists():
            plan.state, plan.ended_at = advance(MOVE_PLAN, plan.state, "finish"), timezone.now()
            plan.save(update_fields=["state", "ended_at"])
            changed += 1
    return changed


def _tried(move: Move, epoch: int) -> bool:
    try:
        with transaction.atomic():
            return _step(move, epoch)
    except DatabaseError:
        raise
    except Exception:
        # A defect met by one move must not keep the others waiting.
        log.exception("move %s of %s can't go on", move.pk, move.shard.name)
        return False


def _step(move: Move, epoch: int) -> bool:
    match move.state:
        case Move.State.COPYING:
            return _cut_over(move)
        case Move.State.DELETING:
            return _delete(move, move.leaving, "deleted", epoch)
        case _:
            return _delete(move, move.arriving, "undone", epoch)


# -- beginning ----------------------------------------------------------------------------------


def _begin_some(plan: MovePlan, epoch: int) -> int:
    """Begin what may begin now, in the plan's order."""
    under_way = list(Move.objects.filter(state__in=UNDER_WAY).values_list("source", "target", "shard_id"))
    busy = Counter(host for source, target, _ in under_way for host in {source, target})
    moving = {shard for _, _, shard in under_way}
    count, changed = len(under_way), 0
    waiting = plan.moves.filter(state=Move.State.PLANNED).select_related(
        "plan", "shard__pool", "leaving__placement__host"
    )
    for move in waiting.order_by("number")[: 50 * plan.together]:
        if count >= plan.together:
            break
        if max(busy[move.source], busy[move.target]) >= plan.per_host or move.shard_id in moving:
            continue
        begun = _begin(move, hopes=bool(count))
        changed += begun
        if move.state == Move.State.COPYING:
            busy.update({move.source, move.target})
            moving.add(move.shard_id)
            count += 1
    return changed


def _begin(move: Move, *, hopes: bool) -> bool:
    """Reserve and make the new replica. hopes: whether others are under way that may make room."""
    leaving = move.leaving
    target = Host.objects.filter(name=move.target).first()
    if leaving is None or leaving.state != Replica.State.READY or leaving.placement.host.name != move.source:
        return _fail(move, "the replica is no longer where it was when this was planned")
    if target is None or target.state != Host.State.ACTIVE:
        return _fail(move, f"{move.target} takes no replicas any more")
    if target.lost_since:
        return _fail(move, f"{move.target} is lost")
    fills = move.shard.pool.keeps_in
    line = Ledger.objects.filter(host=target, resource=fills).first()
    if move.target in held_up(move.shard.name):
        return _fail(move, f"{move.target} has an earlier tree of it to delete")
    # What it asks for now: it may have outgrown what its host had room for.
    demand = demand_of(move.shard, leader=leaving.leader)
    size = demand.get(fills, 0.0)
    if line is None or line.reserved + size > line.capacity * move.plan.full:
        return False if hopes else _fail(move, f"{move.target} has no room for it any more")
    others = move.shard.replicas.exclude(pk=leaving.pk).select_related("placement__host")
    taken: Counter[str] = Counter(
        domain_of(other.placement.host, move.shard.spread_level) for other in others
    )
    load = Load(
        kind="shard",
        name=leaving.placement.name,
        demand=demand,
        pin_hosts=frozenset({move.target}),
        spread=(Spread(level=move.shard.spread_level, taken=taken, max_per_domain=1),),
        marks={fills: move.plan.full},
        **chosen("shard", move.shard.pool.policy, {}),
    )
    decided = picture.decide(load)
    placement = commit(decided, load) if decided.placed else None
    if placement is None:
        return False if hopes else _fail(move, decided.sentence)
    picture.reserve(placement.host.name, placement.demand)
    move.arriving = Replica.objects.create(shard=move.shard, placement=placement)
    move.state = advance(MOVE, move.state, "copy")
    move.started_at = timezone.now()
    move.save()
    _MoveStep(move).run(SYSTEM)
    return True


def _fail(move: Move, error: str) -> bool:
    move.state, move.error, move.ended_at = advance(MOVE, move.state, "fail"), error[:500], timezone.now()
    move.save()
    _MoveStep(move).run(SYSTEM)
    return True


# -- under way ----------------------------------------------------------------------------------


def _cut_over(move: Move) -> bool:
    arriving, leaving = move.arriving, move.leaving
    if arriving is None or leaving is None:
        raise AssertionError("a move that copies has both replicas")
    if arriving.state == Replica.State.FAILED or arriving.placement.host.lost_since:
        move.error = (arriving.error or f"{move.target} was lost")[:500]
        # What was not carried out must not be when its host comes back: nobody would know of that tree.
        told = Command.objects.filter(
            pk__in=(arriving.serve_id, arriving.fetch_id), state=Command.State.PENDING
        )
        told.update(state=Command.State.EXPIRED, error="its move was undone")
        move.state = advance(MOVE, move.state, "undo")
        move.save()
        _MoveStep(move).run(SYSTEM)
        return True
    if arriving.state != Replica.State.READY:
        return False
    retired = Replica.objects.filter(pk=leaving.pk, state=Replica.State.READY)
    if not retired.update(state=Replica.State.RETIRING, leader=False):
        raise AssertionError("only its move retires a replica")
    Replica.objects.filter(pk=arriving.pk).update(leader=leaving.leader)
    move.state = advance(MOVE, move.state, "cut_over")
    move.cut_over_at = timezone.now()
    move.save()
    _MoveStep(move).run(SYSTEM)
    return True


def _delete(move: Move, replica: Replica | None, event: str, epoch: int) -> bool:
    """Have a replica's tree deleted, then give its room back and end the move."""
    if replica is None:
        return _end(move, event)
    host = replica.placement.host
    if event == "deleted" and _others(replica) < move.shard.replica_count:
        return False
    if host.lost_since:
        leave(replica)
        return _forget(move, replica, event)
    drop = move.drop
    if drop is not None and drop.state == Command.State.PENDING:
        return False
    if drop is not None and drop.state == Command.State.DONE:
        return _forget(move, replica, event)
    if drop is not None and timezone.now() < drop.created_at + timedelta(seconds=DROP_AGAIN_S):
        return False
    args = {"shard": move.shard.name, **move.shard.told}
    move.drop = give(host, "shard.drop", args, epoch=epoch, life_s=DROP_LIFE_S)
    move.save(update_fields=["drop"])
    return True


def _others(replica: Replica) -> int:
    """How many other copies are verified and on hosts that are heard of."""
    others = Replica.objects.filter(shard_id=replica.shard_id, state=Replica.State.READY)
    return others.exclude(pk=replica.pk).filter(placement__host__lost_since=None).count()


def _forget(move: Move, replica: Replica, event: str) -> bool:
    placement = replica.placement
    for field in ("leaving", "arriving"):
        if getattr(move, f"{field}_id") == replica.pk:
            setattr(move, field, None)
    changed = _end(move, event)
    replica.delete()
    if release(placement):
        transaction.on_commit(lambda: announce_release(placement))
    return changed


def _end(move: Move, event: str) -> bool:
    move.state, move.ended_at = advance(MOVE, move.state, event), timezone.now()
    move.save()
    _MoveStep(move).run(SYSTEM)
    return True
