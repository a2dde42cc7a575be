"""Bells: "look at the database again", rung after a commit. Losing one costs a sweep's delay, nothing else."""

from __future__ import annotations

import time

from console.live.bus import BELLS, ring

HOSTS = b"hosts"  # hosts, their labels, states or ledgers changed
ROOM = b"room"  # room on hosts was taken or given back, and nothing else
COMMANDS = b"commands"  # a host has a new command, or one was answered
SERVICES = b"services"  # services or endpoints changed
JOBS = b"jobs"  # a job waits for a place, or ended
OWED = b"owed"  # messages of jobs are owed
SHARDS = b"shards"  # a replica waits for its copy

#: A bell makes every process look at the database: dearer than the placement it tells of.
QUIET_S = 0.5
_quiet_until = 0.0
#: One bell stands for all that is to be said of jobs in so long: whoever hears it looks at once, and then again.
JOBS_QUIET_S = 0.04
_jobs_quiet_until = 0.0


def ring_hosts() -> None:
    ring(BELLS, HOSTS)


def ring_placed() -> None:
    """Something was placed, or a job gave its room back. Rings at most every QUIET_S: this process's picture shows it
    already, races are decided by the ledger, and what a skipped bell would have said is read by the others' next
    sweep."""
    global _quiet_until
    now = time.monotonic()
    if now >= _quiet_until:
        _quiet_until = now + QUIET_S
        ring(BELLS, ROOM)


def ring_commands() -> None:
    ring(BELLS, COMMANDS)


def ring_services() -> None:
    ring(BELLS, SERVICES)


def ring_jobs() -> None:
    """A job waits for a place, or ended. Rings at most every JOBS_QUIET_S."""
    global _jobs_quiet_until
    now = time.monotonic()
    if now >= _jobs_quiet_until:
        _jobs_quiet_until = now + JOBS_QUIET_S
        ring(BELLS, JOBS)


def ring_owed() -> None:
    ring(BELLS, OWED)


def ring_shards() -> None:
    ring(BELLS, SHARDS)
