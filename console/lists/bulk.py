"""Doing one action to many things: foreseen first, then done item by item under one act, and taken back."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import transaction

from console.actions import Actor, Conflict, Invalid, NotAllowed, Unknown
from console.lists.models import BulkAct
from console.multi import Foreseen, MultiAction
from console.turns import writing

#: Items of one act: it is done within the request that asks for it.
MOST = 1000
#: Items a transaction. Others write between two of them; each costs one sync to disk.
TOGETHER = 50

Kind = type[MultiAction[Any]]


@dataclass(frozen=True)
class Outcome:
    """What became of one thing. reason: why it was refused. title: what people call it, as in Foreseen."""

    item: str
    done: bool
    before: str = ""
    after: str = ""
    reason: str = ""
    title: str = ""


def foresee(kind: Kind, actor: Actor, items: Sequence[str]) -> tuple[list[Foreseen], list[str]]:
    """What it would do to each, and warnings of the whole. Raises NotAllowed, Invalid; changes nothing."""
    wanted = _checked(kind, actor, items)
    found = kind.foresee(wanted)
    return found, kind.warnings([each.item for each in found if not each.why_not])


def perform(kind: Kind, actor: Actor, items: Sequence[str], reason: str) -> BulkAct:
    """Do it to each. One that is refused does not keep the others back. Raises NotAllowed, Invalid."""
    wanted = _checked(kind, actor, items)
    actor = replace(actor, act=uuid.uuid4())
    outcomes = _each(actor, [(kind, each, reason) for each in kind.foresee(wanted)])
    return _kept(actor, kind.NAME, reason, outcomes)


def no_undo(act: BulkAct, kinds: dict[str, Kind]) -> Conflict | None:
    """Why the act can't be taken back; None where it can."""
    if BulkAct.objects.filter(undoes=act).exists():
        return Conflict("undone", "this was taken back already")
    kind = kinds.get(act.action)
    if kind is None or not _undoable(act, kind):
        return Conflict("no-undo", (kind.NO_UNDO if kind else "") or "nothing of it can be taken back")
    return None


def undo(act: BulkAct, kinds: dict[str, Kind], actor: Actor) -> BulkAct:
    """Bring back what the act did. What somebody has changed since stays as it is. Raises NotAllowed, Conflict."""
    if refusal := no_undo(act, kinds):
        raise refusal
    kind = kinds[act.action]
    done = _undoable(act, kind)
    now = {each.item: each.before for each in kind.foresee([each["item"] for each in done])}
    steps, refused = [], []
    for each in done:
        back, item, title = kinds[kind.UNDO[each["before"]]], each["item"], each.get("title", "")
        if not back.of(item, "").allows(actor):
            raise NotAllowed(f"{back.NAME} is not for {actor.kind} {actor.name}")
        if now[item] != each["after"]:
            why = f"it was changed since: {now[item] or 'it is gone'}, no longer {each['after']}"
            refused.append(Outcome(item, False, now[item], reason=why, title=title))
        else:
            seen = Foreseen(item, each["after"], each["before"], title=title)
            steps.append((back, seen, f"undo of act {act.pk}"))
    actor = replace(actor, act=uuid.uuid4())
    outcomes = _each(actor, steps) + refused
    return _kept(actor, f"undo {act.action}", "", outcomes, act)


def _undoable(act: BulkAct, kind: Kind) -> list[dict[str, Any]]:
    return [each for each in act.results if each["done"] and each["before"] in kind.UNDO]


def _checked(kind: Kind, actor: Actor, items: Sequence[str]) -> list[str]:
    if not actor.may(kind.ROLE):
        raise NotAllowed(f"{kind.NAME} is not for {actor.kind} {actor.name}")
    wanted = list(dict.fromkeys(items))
    if not 1 <= len(wanted) <= MOST:
        raise Invalid("items", "length", f"1 to {MOST:,} at once; these are {len(wanted):,}")
    return wanted


def _each(actor: Actor, steps: Sequence[tuple[Kind, Foreseen, str]]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for start in range(0, len(steps), TOGETHER):
        with writing():
            outcomes += [_one(actor, *step) for step in steps[start : start + TOGETHER]]
    return outcomes


def _one(actor: Actor, kind: Kind, seen: Foreseen, reason: str) -> Outcome:
    refused = Outcome(seen.item, False, seen.before, reason=seen.why_not, title=seen.title)
    if seen.why_not:
        return refused
    try:
        with transaction.atomic():
            kind.of(seen.item, reason).run(actor)
    except (Conflict, Invalid) as error:
        return replace(refused, reason=error.reason)
    except Unknown as error:
        return replace(refused, before="", reason=str(error))
    return Outcome(seen.item, True, seen.before, seen.after, title=seen.title)


def _kept(
    actor: Actor, name: str, reason: str, outcomes: list[Outcome], undoes: BulkAct | None = None
) -> BulkAct:
    results = [asdict(each) for each in outcomes]
    return BulkAct.objects.create(
        id=actor.act, actor=actor.name, action=name, reason=reason, results=results, undoes=undoes
    )
