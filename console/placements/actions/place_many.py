"""Placing a list of loads: each keeps its own decision and its own refusal, where each goes is decided together."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from balancer_core.decision import Decision as CoreDecision
from balancer_core.draft import Draft
from balancer_core.groups import decide_onto
from balancer_core.placement import TOP, Load
from console.actions import Action, Actor
from console.events.models import Event
from console.fleet.models import Host
from console.live.bells import ring_placed
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere, decision_row, hosts_of, placement_row
from console.placements.actions.place import Place
from console.placements.groups import Counts, groups_of, is_counted, take_turn
from console.placements.models import Decision, Placement

Result = Placement | FitsNowhere


@dataclass
class PlaceMany(Action[list[Result | None]]):
    """Place a list of loads, CHUNK at a time so that as much as can be finds a place (balancer_core.batch); where
    groups are named, one after the other, counting the earlier ones.

    One transaction a chunk, so a crash in the middle loses whole loads, never parts of one.
    Raises InvalidLoad for the first load that can't be asked for, before any is placed.
    """

    loads: list[Load]

    NAME = "placement.place"
    CHUNK = 500

    def run(self, actor: Actor) -> list[Result]:  # type: ignore[override]
        if picture.ahead:
            picture.load()
        picture.check_all(self.loads)
        results: list[Result] = []
        for start in range(0, len(self.loads), self.CHUNK):
            self._chunk = self.loads[start : start + self.CHUNK]
            for load, result in zip(self._chunk, super().run(actor), strict=True):
                results.append(_place_alone(load, actor) if result is None else result)
        return results

    def execute(self, actor: Actor) -> list[Result | None]:
        """None where all candidates of a load were taken meanwhile."""
        decided = self._decide()
        hosts = hosts_of(decided)
        results: list[Result | None] = []
        self._miscounted = False
        for load, answer in zip(self._chunk, decided, strict=True):
            results.append(self._try(load, answer, hosts))
            # From here on the draft counts a load where it is not.
            self._miscounted |= results[-1] is None and is_counted(load)
        placements = [each for each in results if isinstance(each, Placement)]
        refused = [
            decision_row(each.decision, load, each.decision_id)
            for load, each in zip(self._chunk, results, strict=True)
            if isinstance(each, FitsNowhere)
        ]
        Decision.objects.bulk_create([each.decision for each in placements] + refused)
        Placement.objects.bulk_create(placements)
        Event.objects.bulk_create(
            self.line(actor, "placement", str(each.pk), after={"load": each.name, "host": each.host.name})
            for each in placements
        )
        return results

    def _decide(self) -> list[CoreDecision]:
        if not any(is_counted(load) for load in self._chunk):
            return picture.decide_many(self._chunk)
        groups = groups_of(self._chunk)
        take_turn(groups)
        # One after the other, as they are committed below: what the picture had wrong then spoils only what follows.
        counts, draft = Counts.read(groups), Draft(picture.view()[0], time.monotonic())
        return [decide_onto(draft, ticket, counts.fill(load), TOP) for ticket, load in enumerate(self._chunk)]

    def _try(self, load: Load, decided: CoreDecision, hosts: Mapping[str, Host]) -> Result | None:
        """Reserve for one load; its rows are written with those of the whole chunk."""
        counted = is_counted(load)
        if counted and self._miscounted:
            return None
        if not decided.placed:
            return FitsNowhere(decided, uuid.uuid4())
        # The draft has counted the first: elsewhere, what was decided after it would stand on a wrong count.
        for host in decided.ranking[: 1 if counted else None]:
            if host in hosts and ledger.reserve(hosts[host].pk, load.demand):
                return placement_row(decision_row(decided.instead(host), load), load, hosts[host])
        return None

    def committed(self, result: list[Result | None]) -> None:
        for placement in result:
            if isinstance(placement, Placement):
                picture.reserve(placement.host.name, placement.demand)
        ring_placed()


def _place_alone(load: Load, actor: Actor) -> Result:
    try:
        return Place(load).run(actor)
    except FitsNowhere as nowhere:
        return nowhere
