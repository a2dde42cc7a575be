"""The controller's part in jobs: the queue, attempts of which nothing is heard, schedules, what tasks need, shares."""

from __future__ import annotations

import logging
import math
import time
from datetime import datetime
from itertools import chain

from django.utils import timezone

from console.actions import SYSTEM, Conflict
from console.controller.lease import fenced
from console.jobs.actions.place import PlaceWaiting
from console.jobs.actions.preempt import Preempt
from console.jobs.actions.reaping import (
    OweAgain,
    anything_due,
    expire_overdue,
    lose_expired_leases,
    take_back_unbegun,
)
from console.jobs.actions.schedules import hand_in_due
from console.jobs.actions.second_copy import due_copies, lost_copies
from console.jobs.learning import learn
from console.jobs.preemption import takings
from console.jobs.queue import BEGINNING, are_waiting
from console.jobs.shares_past import keep_shares
from console.live.bells import ring_jobs
from console.live.picture import picture

log = logging.getLogger(__name__)

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
        placed, told = 0, False
        for _ in range(MOST_PASSES):
            if says := time.monotonic() - self._said_at >= SAY_S:
                self._said_at = time.monotonic()
            with fenced(epoch):
                one = PlaceWaiting(self._further, says).run(SYSTEM)
            told |= says
            self._further = one.further
            placed += len(one.placed)
            if not one.more:
                break
        else:
            ring_jobs()
        return placed + (self._preempt(epoch) if told else 0)

    def _preempt(self, epoch: int) -> int:
        """Let jobs that may be preempted leave for those of a higher priority that found no room, which were just told
        so. Returns how many were placed."""
        made = 0
        for taking in takings():
            try:
                with fenced(epoch):
                    Preempt(taking).run(SYSTEM)
            except Conflict as overtaken:
                # Jobs end and begin meanwhile: the next look sees it.
                log.info("nobody was preempted for %s: %s", taking.load.name, overtaken)
                break
            made += 1
        return made


def see_to_attempts(epoch: int, broker_back_at: datetime | None) -> None:
    """Send again what the broker may have lost, lose what is not heard of, end what is too late, take back what is
    not begun, and hand in what is due. Then give up and begin second copies."""
    if anything_due(broker_back_at):
        with fenced(epoch):
            OweAgain(broker_back_at).run(SYSTEM)
            lose_expired_leases()
            expire_overdue()
            take_back_unbegun()
            hand_in_due()
    # Each by itself: who holds one job's host must not wait for the next job.
    for step in chain(lost_copies(), due_copies()):
        with fenced(epoch):
            step.run(SYSTEM)


def learn_needs(epoch: int) -> None:
    """Bring what is known of tasks up to date, and keep how tenants stand this minute."""
    with fenced(epoch):
        learn()
        keep_shares(timezone.now())
