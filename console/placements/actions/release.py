"""Releasing: the load is gone, its host has the room again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.utils import timezone

from console.actions import Action, Actor, Unknown
from console.live.bells import ring_hosts, ring_jobs
from console.live.picture import picture
from console.placements import ledger
from console.placements.models import Placement


@dataclass
class Release(Action[Placement]):
    """Give a placement's amounts back. Releasing twice is releasing once."""

    placement: uuid.UUID
    reason: str = ""

    NAME = "placement.release"

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


def release(placement: Placement) -> bool:
    """Inside the caller's transaction. False where it was released before."""
    now = timezone.now()
    held = Placement.objects.filter(pk=placement.pk, state=Placement.State.HELD)
    if not held.update(state=Placement.State.RELEASED, released_at=now):
        return False
    placement.state, placement.released_at = Placement.State.RELEASED, now
    ledger.release(placement.host_id, placement.demand)
    return True


def announce_release(placement: Placement) -> None:
    """After the commit: this process's picture at once, the others' by the bell; queued jobs may fit now."""
    picture.reserve(placement.host.name, placement.demand, sign=-1)
    ring_hosts()
    ring_jobs()
