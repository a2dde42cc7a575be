"""Several loads in one decision: replicas, and gangs that are placed whole or not at all.

Theory of operation
- Loads are decided one after the other on a draft, each seeing what the earlier ones took of room and,
  through Load.group, of places: spread counts and companies of that group count them too.
- A gang is tried in the order given. When one of it finds no place, that one goes first in the next try (the
  squeaky wheel: Joslin, Clements: Squeaky wheel optimization, JAIR 1999), up to TRIES times.
- It is a search, not a proof: a refused gang may have had a place that no try found; its sentence says how
  many tries there were. A gang that is placed breaks no rule.
Cost: TRIES times one decision for each load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from balancer_core.cluster.snapshot import Snapshot
from balancer_core.decision import Decision
from balancer_core.draft import Draft
from balancer_core.load import InvalidLoad, Load
from balancer_core.placement import TOP
from balancer_core.question import Question

#: Orders in which a gang is tried: most gangs that fit at all do so within three.
TRIES: Final = 8

MAX_LOADS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Gang:
    """All of it or nothing.

    decisions: one for each load in the order given if all have a place, else none, so that nothing of a
    refused gang can be carried out by mistake. blocking: of a refused gang, why the one that found no place
    in the last try had none, beside those decided before it. tries: orders tried.
    """

    placed: bool
    decisions: tuple[Decision, ...]
    blocking: Decision | None
    tries: int
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        return {
            "placed": self.placed,
            "decisions": [decision.to_dict() for decision in self.decisions],
            "blocking": None if self.blocking is None else self.blocking.to_dict(),
            "tries": self.tries,
            "sentence": self.sentence,
        }


def decide_replicas(
    snapshot: Snapshot, load: Load, replicas: int, now: float, top: int = TOP
) -> tuple[Decision, ...]:
    """One decision for each replica, each counting the earlier ones in its spread and its room.

    Every replica is placed that can be: the first that is refused ends the search, and is the last decision.
    Names are the load's with -1, -2, ... behind; a load without a group gets its name as one. Errors:
    InvalidLoad.
    """
    if isinstance(replicas, bool) or not isinstance(replicas, int) or not 1 <= replicas <= MAX_LOADS:
        raise InvalidLoad(
            "replicas", "out_of_range", f"{replicas!r} is not a number from 1 to {MAX_LOADS:,}."
        )
    draft, decisions = Draft(snapshot, now), []
    for number in range(1, replicas + 1):
        each = replace(load, name=f"{load.name}-{number}", group=load.group or load.name)
        decisions.append(decide_onto(draft, number, each, top))
        if not decisions[-1].placed:
            break
    return tuple(decisions)


def decide_gang(snapshot: Snapshot, loads: Sequence[Load], now: float, top: int = TOP) -> Gang:
    """A place for every load of the gang, or none for any.

    Errors: InvalidLoad with the load's position in front of the field, before anything is decided.
    """
    if not 1 <= len(loads) <= MAX_LOADS:
        raise InvalidLoad("loads", "out_of_range", f"{len(loads)} loads; a gang is 1 to {MAX_LOADS:,}.")
    for position, load in enumerate(loads):
        try:
            Question.put(snapshot, load, now)
        except InvalidLoad as error:
            raise InvalidLoad(f"{position}.{error.field}", error.code, error.reason) from None
    order = list(range(len(loads)))
    for tries in range(1, TRIES + 1):
        draft, found = Draft(snapshot, now), {}
        for ticket, position in enumerate(order):
            found[position] = decide_onto(draft, ticket, loads[position], top)
            if not found[position].placed:
                break
        else:
            decisions = tuple(found[position] for position in range(len(loads)))
            hosts = len({decision.host for decision in decisions})
            sentence = f"All {len(loads):,} of the gang have a place, on {hosts:,} host{'s' * (hosts > 1)}."
            return Gang(True, decisions, None, tries, sentence)
        if position == order[0]:  # Refused on the cluster as it is: no order helps.
            break
        order.remove(position)
        order.insert(0, position)
    blocking = found[position]
    orders = f"{tries} order{'s' * (tries > 1)}"
    sentence = f"Nothing of the gang of {len(loads):,} is placed ({orders} tried). {blocking.sentence}"
    return Gang(False, (), blocking, tries, sentence)


def decide_onto(draft: Draft, ticket: int, load: Load, top: int) -> Decision:
    """Decide on the draft and put the load there, as replicas and gangs do one after the other.

    Tickets rise from call to call, so that what is added up is what the decision saw. Errors: InvalidLoad.
    """
    decision = draft.decide(load, top)
    if decision.host is not None:
        row = draft.snapshot.rows[decision.host]
        if not draft.put(ticket, draft.question(load), row):
            raise AssertionError(f"{decision.host} had the room a moment ago")
    return decision
