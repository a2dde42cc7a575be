"""What would have to leave for a load that has no room: proposed, with its price. Nothing is moved here.

Read from the picture and the held placements, without a lock: a proposal is for a person (or a program) who
then releases what it names, and asks again. Jobs that may be preempted are the one thing that leaves by itself
(console.jobs.actions.preempt).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from balancer_core.cluster import Snapshot
from balancer_core.filters import FILTERS, fits
from balancer_core.placement import Load
from balancer_core.preemption import Eviction, Held, propose_preemption
from balancer_core.question import Question
from console.live.picture import picture
from console.placements.groups import Counts, groups_of
from console.placements.models import Placement

#: Held placements that are weighed, those of the lowest priority first, and hosts, the nearest to room first.
MOST_HELD = 10_000
MOST_HOSTS = 32


def propose(load: Load) -> dict[str, Any]:
    """Whether anything must leave, the best host with what would leave it, and alternatives; as weigh() says it.

    Everything of a lower priority is weighed, and leaving costs 1 a placement. Raises InvalidLoad.
    """
    load = Counts.read(groups_of([load])).fill(load)
    lower = Placement.objects.filter(state=Placement.State.HELD, priority__lt=load.priority)
    return weigh(load, list(lower.select_related("host").order_by("priority", "-created_at")[:MOST_HELD]))


def weigh(
    load: Load, held: Sequence[Placement], costs: Mapping[uuid.UUID, float] | None = None
) -> dict[str, Any]:
    """Which of these placements would have to leave, with their hosts read; plain JSON.

    hosts_weighed: of hosts_able, those that hold one of them. costs: of leaving, 1 where not given.
    Raises InvalidLoad.
    """
    snapshot, now = picture.view()[0], time.monotonic()
    # Named by identity: names repeat.
    rows = {str(each.pk): each for each in held if each.host.name in snapshot.rows}
    able = {each.host.name for each in rows.values()}
    weighed = _nearest(snapshot, load, now, able)
    known = set(snapshot.dimensions.names)
    could_leave = [
        Held(
            key,
            each.host.name,
            {r: a for r, a in each.demand.items() if r in known},
            each.priority,
            (costs or {}).get(each.pk, 1.0),
        )
        for key, each in rows.items()
        if each.host.name in weighed
    ]
    proposal = propose_preemption(snapshot, load, could_leave, now)
    sentence = proposal.sentence
    for key in proposal.best.leaving if proposal.best else ():
        sentence = sentence.replace(key, rows[key].name)
    return {
        "load": load.name,
        "needed": proposal.needed,
        "sentence": sentence,
        "best": _said(proposal.best, rows) if proposal.best else None,
        "alternatives": [_said(each, rows) for each in proposal.alternatives],
        "hosts_able": len(able),
        "hosts_weighed": len(weighed),
    }


def _nearest(snapshot: Snapshot, load: Load, now: float, able: set[str]) -> set[str]:
    """At most MOST_HOSTS of these: those that every other rule allows, and that lack least."""
    if len(able) <= MOST_HOSTS:
        return able
    question = Question.put(snapshot, load, now)
    lack = fits.lack(question)
    for name, rule in FILTERS.items():
        verdict = rule.judge(question) if name != fits.NAME else None
        if verdict is not None:
            lack[verdict > 0] = np.inf
    ranked = sorted(able, key=lambda host: (lack[snapshot.rows[host]], snapshot.rows[host]))
    return set(ranked[:MOST_HOSTS])


def _said(eviction: Eviction, rows: Mapping[str, Placement]) -> dict[str, Any]:
    return {
        "host": eviction.host,
        "leaving": [
            {"placement": key, "kind": rows[key].kind, "name": rows[key].name, "priority": rows[key].priority}
            for key in eviction.leaving
        ],
        "priority": eviction.priority,
        "cost": eviction.cost,
        "exact": eviction.exact,
    }
