"""Carrying a plan out, as far as there are actions for it: its hosts are drained, all or none."""

from __future__ import annotations

from dataclasses import dataclass, field

from console.accounts.models import Role
from console.actions import Action, Actor, Conflict, Invalid
from console.fleet.actions.lifecycle import Drain

MOST_HOSTS = 200


@dataclass
class ApplyPlan(Action[list[str]]):
    """Drain the plan's hosts, all in one act. Nothing is moved by it: jobs end where they run, and traffic goes to
    the other endpoints."""

    drain: list[str] = field(default_factory=list)
    reason: str = ""

    NAME = "plan.apply"
    ROLE = Role.OPERATOR

    def execute(self, actor: Actor) -> list[str]:
        hosts = sorted(set(self.drain))
        if not 1 <= len(hosts) <= MOST_HOSTS:
            raise Invalid("drain", "length", f"name 1 to {MOST_HOSTS} hosts to drain")
        for host in hosts:
            try:
                Drain(host, self.reason).run(actor)
            except Conflict as conflict:
                raise Conflict(conflict.code, f"{conflict.reason}; no host was drained") from None
        self.record(actor, "plan", ", ".join(hosts)[:200], after={"drain": hosts}, reason=self.reason)
        return hosts
