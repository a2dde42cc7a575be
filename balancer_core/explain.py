"""The last step of placement: turn rows and totals into a Decision that a person can read.

Terms are computed again by the score's own terms() for the few hosts that are shown, so that what is
explained is what was decided. Refusals are asked of the rules, only where a host was in fact refused.
Cost: O(top R) for a load that every host could take; O(H R) more where some could not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core import preferences
from balancer_core.cost.curves import doubt
from balancer_core.decision import Candidate, Change, Decision, Rejection, Term
from balancer_core.filters import COMPILED, FILTERS, fits, healthy
from balancer_core.phrasing import say_placed, say_refused
from balancer_core.question import Question

#: Hosts whose reasons a refusal lists; more fill a page and say nothing new.
REJECTIONS_REFUSED: Final = 200

#: Hosts whose reasons a placement lists: a glance, since the answer is yes.
REJECTIONS_PLACED: Final = 20

#: Nearly fitting hosts for which a refusal says what would have to change.
CHANGES: Final = 5

Verdicts = Mapping[str, NDArray[np.uint8] | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the pass over the hosts found: the best rows and their totals, best first, and how many could.

    verdicts: of the rules that were asked before the pass, by name.
    """

    rows: list[int]
    totals: list[float]
    feasible: int
    verdicts: Verdicts


def explain(question: Question, outcome: Outcome) -> Decision:
    """The decision for this outcome."""
    snapshot, load = question.snapshot, question.load
    considered = len(snapshot)
    candidates = _candidates(question, outcome)
    verdicts: Verdicts = {}
    if outcome.feasible < considered:
        verdicts = {**outcome.verdicts, **{name: rule.judge(question) for name, rule in COMPILED.items()}}
    first = _first_refusals(considered, verdicts)
    rejected = _counts(first, verdicts)
    refused = np.flatnonzero(first >= 0)
    shown = REJECTIONS_PLACED if candidates else REJECTIONS_REFUSED
    rejections = tuple(_rejection(question, row, first, verdicts) for row in refused[:shown].tolist())
    changes = () if candidates else _changes(question, verdicts)
    oldest, never = _oldest_report(question)
    age = _age(question, outcome.rows[0]) if candidates else None
    return Decision(
        kind=load.kind,
        name=load.name,
        demand=load.demand,
        policy=question.policy.NAME,
        policy_version=question.policy.VERSION,
        outcome="placed" if candidates else "refused",
        host=candidates[0].host if candidates else None,
        sentence=(
            say_placed(question.policy, candidates, considered, outcome.feasible, age)
            if candidates
            else say_refused(load, considered, rejected, changes)
        ),
        terms=candidates[0].terms if candidates else (),
        candidates=candidates,
        rejected=rejected,
        rejections=rejections,
        rejections_more=len(refused) - len(rejections),
        changes=changes,
        considered=considered,
        feasible=outcome.feasible,
        snapshot_version=snapshot.version,
        report_age_s=age,
        oldest_report_s=oldest,
        never_reported=never,
    )


def _candidates(question: Question, outcome: Outcome) -> tuple[Candidate, ...]:
    snapshot = question.snapshot
    names, kinds = snapshot.dimensions.names, snapshot.dimensions.kinds.tolist()
    demand, weights = question.demand.tolist(), question.weights.tolist()
    found = []
    missed = preferences.unmet(question, outcome.rows)
    for row, total, unmet in zip(outcome.rows, outcome.totals, missed, strict=True):
        capacity, holds = snapshot.capacity[row].tolist(), snapshot.reserved[row].tolist()
        occupied = [max(hold, use) for hold, use in zip(holds, snapshot.used[row].tolist(), strict=True)]
        doubtful = doubt(question.now - float(snapshot.reported_at[row]))
        costs = question.policy.SCORE.terms(capacity, occupied, demand, weights, kinds, doubtful)
        terms = tuple(
            Term(names[r], occupied[r] / capacity[r], (occupied[r] + demand[r]) / capacity[r], cost)
            for r, cost in enumerate(costs)
            if capacity[r] > 0.0 and (cost or demand[r])
        )
        margin = total - outcome.totals[0]
        found.append(Candidate(snapshot.names[row], total, margin, terms, unmet))
    return tuple(found)


def _first_refusals(considered: int, verdicts: Verdicts) -> NDArray[np.int8]:
    """int8[H]: the position in FILTERS of the first rule that said no, -1 where none did."""
    first = np.full(considered, -1, dtype=np.int8)
    for position, name in enumerate(FILTERS):
        verdict = verdicts.get(name)
        if verdict is not None:
            np.copyto(first, np.int8(position), where=(first < 0) & (verdict > 0))
    return first


def _counts(first: NDArray[np.int8], verdicts: Verdicts) -> dict[str, int]:
    """Reason code to number of hosts, by first refusal."""
    counts: dict[str, int] = {}
    for position, (name, rule) in enumerate(FILTERS.items()):
        verdict = verdicts.get(name)
        if verdict is not None:
            numbers = np.bincount(verdict[first == position], minlength=len(rule.REASONS) + 1).tolist()
            counts |= {code: count for code, count in zip(rule.REASONS, numbers[1:], strict=True) if count}
    return counts


def _rejection(question: Question, row: int, first: NDArray[np.int8], verdicts: Verdicts) -> Rejection:
    name = tuple(FILTERS)[first[row]]
    verdict = _verdict(verdicts, name, row)
    rule = FILTERS[name]
    code = tuple(rule.REASONS)[verdict - 1]
    return Rejection(question.snapshot.names[row], code, rule.reason(question, row, verdict))


def _changes(question: Question, verdicts: Verdicts) -> tuple[Change, ...]:
    """The hosts with the fewest obstacles first, then those that lack the smallest share of what is asked."""
    obstacles = np.zeros(len(question.snapshot), dtype=np.int8)
    for name, verdict in verdicts.items():
        if verdict is not None:
            # A host that is not there is further away than one that somebody has to allow.
            obstacles += (verdict > 0) * np.int8(2 if name == healthy.NAME else 1)
    nearest = np.lexsort((fits.lack(question), obstacles))[:CHANGES].tolist()
    changes = []
    for row in nearest:
        noes = [(rule, _verdict(verdicts, name, row)) for name, rule in FILTERS.items()]
        steps = tuple(rule.step(question, row, verdict) for rule, verdict in noes if verdict)
        changes.append(Change(question.snapshot.names[row], steps))
    return tuple(changes)


def _verdict(verdicts: Verdicts, name: str, row: int) -> int:
    verdict = verdicts.get(name)
    return 0 if verdict is None else int(verdict[row])


def _age(question: Question, row: int) -> float | None:
    """Seconds since the host's last report, None if it never reported."""
    reported_at = float(question.snapshot.reported_at[row])
    return None if reported_at == -np.inf else max(0.0, question.now - reported_at)


def _oldest_report(question: Question) -> tuple[float | None, int]:
    """The age of the oldest report there is, and how many hosts have none."""
    times = question.snapshot.reported_at
    known = times[times > -np.inf]
    never = len(times) - len(known)
    return (max(0.0, question.now - float(known.min())), never) if len(known) else (None, never)
