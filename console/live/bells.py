"""Bells: "look at the database again", rung after a commit. Losing one costs a sweep's delay, nothing else."""

from __future__ import annotations

from console.live.bus import BELLS, ring

HOSTS = b"hosts"  # hosts, their labels, states or ledgers changed
COMMANDS = b"commands"  # a host has a new command, or one was answered
SERVICES = b"services"  # services or endpoints changed
JOBS = b"jobs"  # a job waits for a place, or ended
SHARDS = b"shards"  # a replica waits for its copy


def ring_hosts() -> None:
    ring(BELLS, HOSTS)


def ring_commands() -> None:
    ring(BELLS, COMMANDS)


def ring_services() -> None:
    ring(BELLS, SERVICES)


def ring_jobs() -> None:
    ring(BELLS, JOBS)


def ring_shards() -> None:
    ring(BELLS, SHARDS)
