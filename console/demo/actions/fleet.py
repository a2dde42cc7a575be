"""The demo fleet comes and goes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from agents.wire import digest
from console.actions import Action, Actor, Conflict, Invalid
from console.demo.figures import MOST_HOSTS, machine
from console.demo.models import SimulatedHost
from console.fleet.actions.join import write_capacity
from console.fleet.models import Host
from console.jobs.models import Job
from console.live.bells import ring_hosts
from console.placements.models import Placement
from console.storage.models import Replica, Shard
from console.traffic.models import Endpoint

VERSION = "simulated"


def why_not_start() -> str:
    """Why no demo fleet can be had now, "" where it can. Real work must not be placed on what is not there."""
    if SimulatedHost.objects.exists():
        return "The demo fleet is here already."
    if Host.objects.exists():
        return "There are real hosts here: real work could be placed on hosts that do not exist."
    return ""


@dataclass
class StartDemoFleet(Action[int]):
    """Simulated hosts, marked as such: every screen can be tried with nothing installed. They go at one click."""

    hosts: int = MOST_HOSTS

    NAME = "demo.start"

    def execute(self, actor: Actor) -> int:
        if not 1 <= self.hosts <= MOST_HOSTS:
            raise Invalid("hosts", "out-of-range", f"1 to {MOST_HOSTS}")
        if reason := why_not_start():
            raise Conflict("hosts-here", reason)
        for number in range(1, self.hosts + 1):
            made = machine(number)
            # Nobody has the credential of this digest: no agent can speak for it.
            host = Host.objects.create(
                name=made.name, address=made.address, labels=made.labels, agent_version=VERSION,
                credential_digest=digest(secrets.token_urlsafe(32)),
            )  # fmt: skip
            write_capacity(host, made.capacity)
            SimulatedHost.objects.create(host=host, number=number)
        self.record(actor, "demo", "fleet", after={"hosts": self.hosts})
        return self.hosts

    def committed(self, result: int) -> None:
        ring_hosts()


@dataclass
class RemoveDemoFleet(Action[int]):
    """Forget all simulated hosts and what is placed on them. Real hosts are not touched."""

    NAME = "demo.remove"

    def execute(self, actor: Actor) -> int:
        hosts = Host.objects.filter(simulated__isnull=False)
        count = hosts.count()
        if not count:
            raise Conflict("no-demo", "there is no demo fleet here")
        used = {
            "endpoints": Endpoint.objects.filter(host__in=hosts).count(),
            "shards": Shard.objects.filter(source_host__in=hosts).count(),
            "copies of shards": Replica.objects.filter(placement__host__in=hosts).count(),
            "jobs": Job.objects.filter(
                placement__host__in=hosts, placement__state=Placement.State.HELD
            ).count(),
        }
        if said := ", ".join(f"{number} {what}" for what, number in used.items() if number):
            raise Conflict("in-use", f"the simulated hosts still have {said}: remove them first")
        Placement.objects.filter(host__in=hosts).delete()
        hosts.delete()
        self.record(actor, "demo", "fleet", before={"hosts": count})
        return count

    def committed(self, result: int) -> None:
        ring_hosts()
