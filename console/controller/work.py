"""The controller's part in jobs: the queue, attempts of which nothing is heard, schedules, and what tasks need."""

from __future__ import annotations

import math
import time
from datetime import datetime

from django.utils import timezone

from console.actions import SYSTEM
from console.controller.lease import fenced
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.reaping import (
    OweAgain,
    anything_due,
    expire_overdue,
    lose_expired_leases,
    take_back_unbegun,
)
from console.jobs.actions.schedules import hand_in_due
from console.jobs.learning import learn
from console.jobs.queue import BEGINNING, are_waiting
from console.live.bells import ring_jobs
from console.live.picture import picture

#: Passes along the queue at once, so that the fence is asked in between.
MOST_PASSES = 5
#: What a thousand jobs wait for changes with every job that is placed; it is said to them as often as this.
SAY_S = 1.0


class Queue:
    """Gives the jobs that wait what room there is."""

    def __init__(self) -> None:
        #: Where to look for jobs that fit, behind many that do not.
        self._further = BEGINNING
        #: When those that wait were last told for what, on the monotonic clock.
        self._said_at = -math.inf

    def place(self, epoch: int) -> int:
        """Place what finds room now. Returns how many were placed. Raises Fenced."""
        if not are_waiting(timezone.now(), 1):
            return 0
        picture.load()
        placed = 0
        for _ in range(MOST_PASSES):
            if says := time.monotonic() - self._said_at >= SAY_S:
                self._said_at = time.monotonic()
            with fenced(epoch):
                one = PlaceWaiting(self._further, says).run(SYSTEM)
            self._further = one.further
            placed += len(one.placed)
            if not one.more:
                break
        else:
            ring_jobs()
        return placed


def see_to_attempts(epoch: int, broker_back_at: datetime | None) -> None:
    """Send again what the broker may have lost, lose what is not heard of, end what is too late, take back what is
    not begun, and hand in what is due."""
    if not anything_due(broker_back_at):
        return
    with fenced(epoch):
        OweAgain(broker_back_at).run(SYSTEM)
        lose_expired_leases()
        expire_overdue()
        take_back_unbegun()
        hand_in_due()


def learn_needs(epoch: int) -> None:
    """Bring what is known of tasks up to date."""
    with fenced(epoch):
        learn()
