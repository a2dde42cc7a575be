"""What steps of many attempts come to, written together: one statement for all jobs that change alike, one for each
host that gets room back.

Between step() and write() the rows in memory are ahead of the database; both are inside one transaction.
"""

from __future__ import annotations

from collections import defaultdict

from console.events.models import Event
from console.jobs.copies import end_copy, live_copy
from console.jobs.models import Job
from console.jobs.needs import doom_waiting, free_waiting, needed_of
from console.live.bells import ring_jobs, ring_placed
from console.live.picture import picture
from console.placements.actions.release import release_all
from console.placements.models import Placement
from console.rows import change, insert_all


class Written:
    """Collects what steps change, writes it, and tells of it once it is durable."""

    def __init__(self) -> None:
        self._changed: dict[Job, set[str]] = defaultdict(set)
        self._over: list[Placement] = []
        self._released: list[Placement] = []
        self._is_over = False
        self.lines: list[Event] = []

    def change(self, job: Job, *fields: str) -> None:
        """These fields of the row are to be written."""
        self._changed[job].update(fields)

    def end(self, job: Job) -> None:
        """The job's present attempt is over: what it holds is given back, and a second copy of it is stopped."""
        job.lease_until = None
        self.change(job, "lease_until")
        self._is_over = True
        self.give_back(job.placement)
        if (copy := live_copy(job)) is not None:
            self.give_back(end_copy(copy, f"Attempt {job.attempt} ended first; the copy was stopped."))

    def give_back(self, placement: Placement | None) -> None:
        """What it holds is released."""
        if placement is not None:
            self._is_over = True
            self._over.append(placement)

    def write(self) -> None:
        """Inside the caller's transaction."""
        alike: dict[tuple[str, ...], list[Job]] = defaultdict(list)
        for job, fields in self._changed.items():
            alike[tuple(sorted(fields))].append(job)
        for names, jobs in alike.items():
            change(jobs, *names)
        self._released = release_all(self._over)
        self._tell_needing()
        insert_all(self.lines)

    def _tell_needing(self) -> None:
        ended = {job.pk: job for job in self._changed if job.state in (Job.State.SUCCEEDED, Job.State.FAILED)}
        for key in needed_of(ended):
            job = ended[key]
            (free_waiting if job.state == Job.State.SUCCEEDED else doom_waiting)(job)

    def announce(self) -> None:
        """After the commit: this process's picture at once, the others' by the bell; queued jobs may fit now."""
        for placement in self._released:
            picture.reserve(placement.host.name, placement.demand, sign=-1)
        if self._released:
            ring_placed()
        if self._is_over:
            ring_jobs()
