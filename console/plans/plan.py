"""A what-if on this process's picture: what it comes to, what it would stop, and whether it can be applied."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from balancer_core.whatif import Change, InvalidChange, Outcome, foresee
from console.actions import Invalid
from console.fleet.leaving import Stopping, stopping_without
from console.fleet.models import Host
from console.live.picture import picture
from console.plans.held import held_placements

#: A request waits so long for its answer; what was not looked at by then is said.
TIME_S: Final = 2.0
#: Hosts of which a plan says which services would stop.
MOST_LEAVING: Final = 200


@dataclass(frozen=True)
class Plan:
    """unread: held placements that were not even read. stopping: of the hosts that would be empty, together.
    silent: hosts whose measurements are old, so that their reservations count alone or with old figures.
    why_not: why it can't be applied, "" where it can. took_s: computing."""

    change: Change
    outcome: Outcome
    unread: int
    stopping: Stopping
    silent: int
    why_not: str
    took_s: float

    def to_dict(self) -> dict[str, Any]:
        """What the API says."""
        return {
            **self.outcome.to_dict(),
            "unread": self.unread,
            "stops": self.stopping.none,
            "hangs_on_lost_hosts": self.stopping.lost,
            "silent": self.silent,
            "appliable": not self.why_not,
            "why_not": self.why_not,
            "took_s": round(self.took_s, 3),
        }


def plan(change: Change) -> Plan:
    """The answer now. Raises Invalid naming the field of a change that can't be asked.

    Bounded: TIME_S for the loads, and held.MOST_HELD of them.
    """
    began = time.monotonic()
    snapshot = picture.view()[0]
    try:
        change.check(snapshot)
    except InvalidChange as error:
        raise Invalid(error.field, error.code, error.reason) from None
    leaving = change.drain | change.remove
    if len(leaving) > MOST_LEAVING:
        raise Invalid("drain", "too_many", f"at most {MOST_LEAVING} hosts at once")
    # Only loads that may move have to be known, unless all may.
    everything = change.times > 1.0 or bool(change.policy)
    held, unread = held_placements(None if everything else leaving)
    end = time.monotonic() + TIME_S
    outcome = foresee(snapshot, held, change, time.monotonic(), lambda: time.monotonic() < end)
    return Plan(
        change=change,
        outcome=outcome,
        unread=unread,
        stopping=stopping_without(*Host.objects.filter(name__in=leaving)) if leaving else Stopping([], []),
        silent=len(picture.silent(time.monotonic())),
        why_not=why_not(change),
        took_s=time.monotonic() - began,
    )


def why_not(change: Change) -> str:
    """Why no action does what the change says, "" where one does."""
    if change.is_nothing:
        return "It changes nothing."
    if change.remove:
        return "A host is removed when nothing is left on it: drain it first."
    if change.add:
        return "Hosts join by their own agents: see Add host."
    if change.times != 1.0:
        return "Load is what callers ask; it cannot be set here."
    if change.policy:
        return "New loads go by their own or the default policy; no action moves a load that has its place."
    return ""
