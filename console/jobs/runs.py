"""Attempts of jobs that are processes of templates: given to the agents of their hosts as commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from agents.templates import argv_of
from console.controller.models import Lease
from console.fleet.actions.commands import give
from console.fleet.models import Host
from console.jobs.actions.templates import template_called
from console.jobs.messages import limits_of
from console.jobs.models import Job

#: An agent that was away for longer is given it again, or another host is.
LIFE_S = 60.0


def run_of(job: Job, attempt: int) -> dict[str, Any]:
    """What the agent is told. Raises Unknown and WrongTemplate where the template is not what it was when the job was
    handed in."""
    template, _ = template_called(job.template)
    argv_of(template, job.kwargs)
    return {
        "job": str(job.pk),
        "attempt": attempt,
        "template": msgspec.to_builtins(template),
        "parameters": job.kwargs,
        "demand": limits_of(job),
    }


def give_all(told: Iterable[tuple[Host, str, dict[str, Any]]]) -> bool:
    """Owe hosts commands (verb and arguments), inside the caller's transaction. Whether there were any."""
    told = list(told)
    if told:
        lease = Lease.objects.first()
        for host, verb, args in told:
            give(host, verb, args, epoch=lease.epoch if lease else 0, life_s=LIFE_S)
    return bool(told)
