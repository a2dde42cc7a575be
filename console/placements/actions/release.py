"""Releasing: the load is gone, its host has the room again."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from console.actions import Actor, Unknown
from console.live.bells import ring_hosts, ring_jobs
from console.live.picture import picture
from console.multi import Foreseen, MultiAction
from console.pages.lists import uuid_of
from console.placements import ledger
from console.placements.models import Placement
from console.rows import key_in, key_out, moment_in, places, read


@dataclass
class Release(MultiAction[Placement]):
    """Give a placement's amounts back. Releasing twice is releasing once."""

    placement: uuid.UUID
    reason: str = ""

    NAME = "placement.release"
    LABEL = "Release"
    LIST = "placements"
    NO_UNDO = "the room is given back, and others may have taken it; place the load again"

    @classmethod
    def foresee(cls, items: Sequence[str]) -> list[Foreseen]:
        named = {item: found for item in items if (found := uuid_of(item))}
        held = Placement.objects.select_related("host").in_bulk(named.values())
        return [_foreseen(item, held.get(named[item]) if item in named else None) for item in items]

    def execute(self, actor: Actor) -> Placement:
        placement = Placement.objects.select_related("host", "decision").filter(pk=self.placement).first()
        if placement is None:
            raise Unknown("placement", self.placement)
        self._released = release(placement)
        if self._released:
            self.record(
                actor,
                "placement",
                str(placement.pk),
                before={"host": placement.host.name},
                reason=self.reason,
            )
        return placement

    def committed(self, result: Placement) -> None:
        if self._released:
            announce_release(result)


def _foreseen(item: str, found: Placement | None) -> Foreseen:
    if found is None:
        return Foreseen(item, why_not="there is no such placement")
    title = f"{found.name} on {found.host.name}"
    if found.state == Placement.State.RELEASED:
        return Foreseen(item, found.state, why_not="it was released before", title=title)
    return Foreseen(item, found.state, Placement.State.RELEASED, title=title)


def release(placement: Placement) -> bool:
    """Inside the caller's transaction. False where it was released before."""
    return bool(release_all([placement]))


def release_all(placements: Sequence[Placement]) -> list[Placement]:
    """Inside the caller's transaction. Those that were not released before."""
    by_key = {placement.pk: placement for placement in placements}
    if not by_key:
        return []
    now = timezone.now()
    # Of two that release one placement, one changes the row. Plain SQL: it is done at each job's end.
    rows = read(
        "UPDATE placements_placement SET state = 'released', released_at = %s"
        f" WHERE id IN ({places(by_key)}) AND state = 'held' RETURNING id",
        [moment_in(now), *(key_in(key) for key in by_key)],
    )
    released = [by_key[key_out(key)] for (key,) in rows]
    given: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in released:
        each.state, each.released_at = Placement.State.RELEASED, now
        for resource, amount in each.demand.items():
            given[each.host_id][resource] += amount
    ledger.lock(given)
    ledger.release(given)
    return released


def announce_release(placement: Placement) -> None:
    """After the commit: this process's picture at once, the others' by the bell; queued jobs may fit now."""
    picture.reserve(placement.host.name, placement.demand, sign=-1)
    ring_hosts()
    ring_jobs()
