"""Placing one load: the core decides on this process's live picture, the ledger decides whether it still holds."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError

from balancer_core.placement import Load
from console.actions import Action, Actor, Conflict
from console.live.bells import ring_placed
from console.live.picture import picture
from console.placements.actions.commit import commit, refusal
from console.placements.actions.together import PlaceGang
from console.placements.groups import is_counted
from console.placements.models import Placement

#: How often a decision is made anew after every one of its candidates was taken by somebody else meanwhile.
ROUNDS = 3


class _LostRace(Exception):
    """The ledger no longer has the room that the picture showed."""


@dataclass
class Place(Action[Placement]):
    """Choose a host for one load and reserve it there, durably.

    request_key: a caller's own name for this request; a repeat gives the same placement.
    A load that belongs to a group, or looks at one, is decided in that group's turn (groups.py).
    Raises FitsNowhere after keeping the refusal.
    """

    load: Load
    request_key: str | None = None

    NAME = "placement.place"

    def run(self, actor: Actor) -> Placement:
        if self.request_key and (earlier := self._earlier()):
            return earlier
        try:
            if is_counted(self.load):
                picture.check(self.load)
                return PlaceGang([self.load], request_key=self.request_key).run(actor).placements[0]
            return self._run_alone(actor)
        except IntegrityError:
            # The same request key came twice at once: the other one is the placement.
            if self.request_key and (earlier := self._earlier()):
                return earlier
            raise

    def _run_alone(self, actor: Actor) -> Placement:
        for _ in range(ROUNDS):
            decided = picture.decide(self.load)
            for host in decided.ranking:
                self._chosen = decided.instead(host)
                try:
                    return super().run(actor)
                except _LostRace:
                    continue
            if not decided.ranking and not picture.ahead:
                raise refusal(decided, self.load, proposes=True)
            # Before the answer is no, or the next round: as the database has it.
            picture.load()
        raise refusal(picture.decide(self.load), self.load, proposes=True)

    def execute(self, actor: Actor) -> Placement:
        placement = commit(self._chosen, self.load, self.request_key)
        if placement is None:
            raise _LostRace
        self.record(
            actor, "placement", str(placement.pk), after={"load": self.load.name, "host": placement.host.name}
        )
        return placement

    def committed(self, result: Placement) -> None:
        picture.reserve(result.host.name, result.demand)
        ring_placed()

    def _earlier(self) -> Placement | None:
        found = (
            Placement.objects.select_related("host", "decision").filter(request_key=self.request_key).first()
        )
        load = self.load
        asked = (load.kind, load.name, dict(load.demand), load.group, load.priority)
        if found is not None and (found.kind, found.name, found.demand, found.group, found.priority) != asked:
            raise Conflict("key-reused", "this idempotency key was used for another load; use a new one")
        return found
