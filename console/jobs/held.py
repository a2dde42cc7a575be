"""Jobs as steps look at them: to be placed, with what they hold, with what their messages say.

Plain SQL: composing the query and making whole rows would take several times as long as answering it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection

from django.db import DEFAULT_DB_ALIAS, connection

from console.fleet.models import Host
from console.jobs.models import Job
from console.placements.models import Placement
from console.rows import key_in, key_out, places, read

#: What steps look at, in the model's order. Arguments and results may be large, and no step needs them.
_OF_JOB = (
    "id", "task", "template", "tenant", "tries", "backoff_s", "state", "attempt", "failures", "losses", "copy_attempt",
    "placement_id",
)  # fmt: skip

#: What messages say, in the model's order, and what of it is JSON.
_OF_MESSAGE = (
    "id", "task", "args", "kwargs", "template", "demand", "learned", "message", "state", "attempt", "copy_attempt",
)  # fmt: skip
_SPOKEN = ("args", "kwargs", "demand", "message")


def still_queued(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, Job]:
    """Those of the jobs that wait for a place and that nobody else is at, locked, in one order for everybody."""
    if not keys:
        return {}
    locked = "" if connection.vendor == "sqlite" else " FOR UPDATE SKIP LOCKED"
    # By their keys alone: SQLite would rather walk the whole queue.
    rows = read(
        f"SELECT id, state, attempt FROM jobs_job WHERE id IN ({places(keys)}) ORDER BY id{locked}",
        [key_in(key) for key in keys],
    )
    return {
        key_out(key): Job.from_db(
            DEFAULT_DB_ALIAS, ("id", "state", "attempt"), (key_out(key), state, attempt)
        )
        for key, state, attempt in rows
        if state == Job.State.QUEUED
    }


def rows_of(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, Job]:
    """Those of the jobs that are there, each with placement and host, and the rows of the jobs locked, in one order for
    everybody."""
    if not keys:
        return {}
    columns = ", ".join(f"jobs_job.{name}" for name in _OF_JOB)
    locked = "" if connection.vendor == "sqlite" else " FOR UPDATE OF jobs_job"
    rows = read(
        f"SELECT {columns}, CAST(placement.demand AS text), placement.state, host.id, host.name FROM jobs_job"
        " LEFT JOIN placements_placement placement ON placement.id = jobs_job.placement_id"
        " LEFT JOIN fleet_host host ON host.id = placement.host_id"
        f" WHERE jobs_job.id IN ({places(keys)}) ORDER BY jobs_job.id{locked}",
        [key_in(key) for key in keys],
    )
    found = {}
    for row in rows:
        of_job = list(row[: len(_OF_JOB)])
        demand, state, host_id, host = row[len(_OF_JOB) :]
        placement_id = of_job[-1] and key_out(of_job[-1])
        of_job[0], of_job[-1] = key_out(of_job[0]), placement_id
        job = Job.from_db(DEFAULT_DB_ALIAS, _OF_JOB, of_job)
        if placement_id:
            held = ("id", "host_id", "demand", "state")
            job.placement = Placement.from_db(
                DEFAULT_DB_ALIAS, held, (placement_id, host_id, json.loads(demand), state)
            )
            job.placement.host = Host.from_db(DEFAULT_DB_ALIAS, ("id", "name"), (host_id, host))
        found[job.pk] = job
    return found


def jobs_to_send(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, Job]:
    """Those of the jobs that a host has, each with what its message says and the host's name. Nothing is locked."""
    if not keys:
        return {}
    columns = ", ".join(
        f"CAST(jobs_job.{name} AS text)" if name in _SPOKEN else f"jobs_job.{name}" for name in _OF_MESSAGE
    )
    rows = read(
        f"SELECT {columns}, placement.id, host.id, host.name FROM jobs_job"
        " JOIN placements_placement placement ON placement.id = jobs_job.placement_id"
        " JOIN fleet_host host ON host.id = placement.host_id"
        f" WHERE jobs_job.id IN ({places(keys)})",
        [key_in(key) for key in keys],
    )
    found = {}
    for key, *said, placement, host, name in rows:
        spoken = [
            json.loads(each) if column in _SPOKEN and each is not None else each
            for column, each in zip(_OF_MESSAGE[1:], said, strict=True)
        ]
        job = Job.from_db(DEFAULT_DB_ALIAS, _OF_MESSAGE, (key_out(key), *spoken))
        job.placement = Placement.from_db(DEFAULT_DB_ALIAS, ("id", "host_id"), (key_out(placement), host))
        job.placement.host = Host.from_db(DEFAULT_DB_ALIAS, ("id", "name"), (host, name))
        found[job.pk] = job
    return found
