"""Carrying a decision out, and keeping it: the rows that every placement and every refusal leave."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from balancer_core.decision import Decision as CoreDecision
from balancer_core.decision import Rejection
from balancer_core.placement import Load
from console.fleet.models import Host
from console.placements import ledger
from console.placements.asked import asked_of
from console.placements.models import Decision, Placement
from console.placements.proposals import propose
from console.rows import insert, places, read

# Plain SQL: composing the query would take longer than answering it.
_HOSTS = "SELECT id, name, address FROM fleet_host WHERE name IN ({})"
_OF_HOST = ("id", "name", "address")


class FitsNowhere(Exception):
    """No host takes the load. The decision, kept under decision_id, says why for each.

    preemption: what would have to leave, where that is known and would help. sentence: of a gang, which says
    more than the decision's.
    """

    def __init__(
        self,
        decision: CoreDecision,
        decision_id: uuid.UUID,
        *,
        preemption: dict[str, Any] | None = None,
        sentence: str = "",
    ) -> None:
        super().__init__(sentence or decision.sentence)
        self.decision, self.decision_id, self.preemption = decision, decision_id, preemption


def commit(decided: CoreDecision, load: Load, request_key: str | None = None) -> Placement | None:
    """Reserve and write decision and placement, inside the caller's transaction.

    None, with nothing written, where the ledger has no such room.
    """
    host = _host(decided.host)
    if host is None or not ledger.reserve(host.pk, load.demand):
        return None
    placement = placement_row(keep(decided, load), load, host, request_key)
    insert(placement)
    return placement


def keep(
    decided: CoreDecision, load: Load | None = None, preemption: dict[str, Any] | None = None
) -> Decision:
    """Write a decision down. load: what was asked, where the caller has it still."""
    decision = decision_row(decided, load)
    decision.preemption = preemption
    insert(decision)
    return decision


def refusal(decided: CoreDecision, load: Load, sentence: str = "", *, proposes: bool = False) -> FitsNowhere:
    """Keep a refusal, so that it can be looked at later, and give the exception that says it.

    proposes: whether to look, too, for what would have to leave.
    """
    decided = overtaken(decided)
    found = propose(load) if proposes and "no_room" in decided.rejected else None
    preemption = found if found and found["best"] else None
    kept = keep(decided, load, preemption)
    return FitsNowhere(decided, kept.pk, preemption=preemption, sentence=sentence)


def overtaken(decided: CoreDecision) -> CoreDecision:
    """The refusal that a decision becomes when the room on all its candidates was taken meanwhile."""
    if not decided.placed:
        return decided
    reason = "the room there was taken while this was decided."
    rejections = tuple(Rejection(host, "taken", reason) for host in decided.ranking)
    return replace(
        decided,
        outcome="refused",
        host=None,
        sentence=f"No host takes it: the room on {', '.join(decided.ranking)} was taken while this was decided.",
        terms=(),
        rejections=(*rejections, *decided.rejections),
        rejected={**decided.rejected, "taken": len(rejections)},
    )


def hosts_of(decisions: list[CoreDecision]) -> Mapping[str, Host]:
    """By name, what placements need of the hosts that these decisions could be carried out on; each host's
    lines are kept for this transaction."""
    named = sorted({host for each in decisions for host in each.ranking})
    if not named:
        return {}
    rows = read(_HOSTS.format(places(named)), named)
    hosts = {row[1]: Host.from_db(DEFAULT_DB_ALIAS, _OF_HOST, row) for row in rows}
    ledger.lock(host.pk for host in hosts.values())
    return hosts


def decision_row(
    decided: CoreDecision,
    load: Load | None = None,
    key: uuid.UUID | None = None,
    together: uuid.UUID | None = None,
) -> Decision:
    """The row, not written yet."""
    return Decision(
        id=key or uuid.uuid4(),
        kind=decided.kind,
        name=decided.name,
        policy=decided.policy,
        outcome=decided.outcome,
        host=decided.host or "",
        sentence=decided.sentence,
        document=decided.to_dict(),
        group=load.group if load else "",
        asked=asked_of(load) if load else None,
        together=together,
    )


def placement_row(decision: Decision, load: Load, host: Host, request_key: str | None = None) -> Placement:
    """The row, not written yet. Its name is the decision's: replicas are numbered."""
    return Placement(
        decision=decision,
        host=host,
        kind=load.kind,
        name=decision.name,
        demand=dict(load.demand),
        group=load.group,
        priority=load.priority,
        request_key=request_key,
    )


def _host(name: str | None) -> Host | None:
    """What a placement needs of its host."""
    found = read(_HOSTS.format("%s"), [name])
    return Host.from_db(DEFAULT_DB_ALIAS, _OF_HOST, found[0]) if found else None
