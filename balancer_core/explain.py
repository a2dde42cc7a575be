"""The last step of placement: turn rows and totals into a Decision that a person can read.

Terms are computed by the kernel's own arithmetic for the few hosts that are shown, so that what is explained
is what was decided. Sentences are made only for hosts that are shown; a refusal asks every rule once more for
what would have to change.
Cost: O(top R + REJECTIONS) for a load that is placed; O(H R) more for one that is not.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core import preferences
from balancer_core.decision import NO_TERMS, Candidate, Change, Decision, Objection, Rejection, Terms
from balancer_core.filters import FILTERS, VERDICT_BITS, fits, healthy, noes
from balancer_core.phrasing import say_placed, say_refused
from balancer_core.question import Question
from balancer_core.survey import Outcome
from balancer_core.weighing import terms_of

#: Hosts whose reasons a refusal lists; more fill a page and say nothing new.
REJECTIONS_REFUSED: Final = 200

#: Hosts whose reasons a placement lists: a glance, since the answer is yes.
REJECTIONS_PLACED: Final = 20

#: Nearly fitting hosts for which a refusal says what would have to change.
CHANGES: Final = 5


def explain(question: Question, outcome: Outcome, batch: str = "") -> Decision:
    """The decision for this outcome. batch: what being decided together with others meant."""
    snapshot, load = question.snapshot, question.load
    considered = len(snapshot)
    candidates = _candidates(question, outcome)
    rejected: dict[str, int] = {}
    rejections: tuple[Rejection, ...] = ()
    refused = 0
    if outcome.feasible < considered:
        rejected = _counts(outcome.counts)
        refused = sum(rejected.values())
        most = REJECTIONS_PLACED if candidates else REJECTIONS_REFUSED
        rejections = _rejections(question, outcome, _first(outcome.verdicts, most))
    changes = () if candidates else _changes(question)
    oldest_at, never = snapshot.reports
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
        terms=candidates[0].terms if candidates else NO_TERMS,
        candidates=candidates,
        rejected=rejected,
        rejections=rejections,
        rejections_more=refused - len(rejections),
        changes=changes,
        considered=considered,
        feasible=outcome.feasible,
        snapshot_version=snapshot.version,
        report_age_s=age,
        oldest_report_s=max(0.0, question.now - oldest_at) if never < considered else None,
        never_reported=never,
        batch=batch,
    )


def _candidates(question: Question, outcome: Outcome) -> tuple[Candidate, ...]:
    if not outcome.rows:
        return ()
    snapshot, score = question.snapshot, question.policy.SCORE
    if score.MODE is None:
        terms = [Terms.of(each) for each in terms_of(question, outcome.rows)]
    else:
        names = snapshot.dimensions.names
        rows = np.array(outcome.rows, dtype=np.int64)
        parts = np.empty((len(rows), len(names), 4))
        snapshot.columns.terms(rows, question.demand, question.weights, score.MODE, question.now, parts)
        terms = [Terms(names, each) for each in parts]
    hosts, best = snapshot.names, outcome.totals[0]
    missed = preferences.unmet(question, outcome.rows)
    found = zip(outcome.rows, outcome.totals, terms, missed, strict=True)
    return tuple(
        [Candidate(hosts[row], total, total - best, each, unmet) for row, total, each, unmet in found]
    )


def _counts(counts: NDArray[np.int64]) -> dict[str, int]:
    """Reason code to number of hosts, by first refusal, in the order in which rules are asked."""
    reasons = tuple(FILTERS.values())
    found = {}
    for byte in np.flatnonzero(counts).tolist():
        place, verdict = divmod(byte, 1 << VERDICT_BITS)
        found[tuple(reasons[place].REASONS)[verdict - 1]] = int(counts[byte])
    return found


def _first(verdicts: NDArray[np.uint8], most: int) -> list[int]:
    """The first rows that were refused."""
    rows: list[int] = np.flatnonzero(verdicts)[:most].tolist()
    return rows


def _rejections(question: Question, outcome: Outcome, rows: list[int]) -> tuple[Rejection, ...]:
    """Every rule's no to these hosts, the first of each in front."""
    found = []
    for row, said in zip(rows, noes(question, outcome.judged, rows), strict=True):
        first, *also = (
            Objection(tuple(rule.REASONS)[verdict - 1], rule.reason(question, row, verdict))
            for rule, verdict in said
        )
        found.append(Rejection(question.snapshot.names[row], *first, tuple(also)))
    return tuple(found)


def _changes(question: Question) -> tuple[Change, ...]:
    """The hosts with the fewest obstacles first, then those that lack the smallest share of what is asked."""
    verdicts = {name: rule.judge(question) for name, rule in FILTERS.items()}
    obstacles = np.zeros(len(question.snapshot), dtype=np.int8)
    for name, verdict in verdicts.items():
        if verdict is not None:
            # A host that is not there is further away than one that somebody has to allow.
            obstacles += (verdict > 0) * np.int8(2 if name == healthy.NAME else 1)
    nearest = np.lexsort((fits.lack(question), obstacles))[:CHANGES].tolist()
    changes = []
    for row in nearest:
        noes = [(FILTERS[name], int(each[row])) for name, each in verdicts.items() if each is not None]
        steps = tuple(rule.step(question, row, verdict) for rule, verdict in noes if verdict)
        changes.append(Change(question.snapshot.names[row], steps))
    return tuple(changes)


def _age(question: Question, row: int) -> float | None:
    """Seconds since the host's last report, None if it never reported."""
    reported_at = float(question.snapshot.reported_at[row])
    return None if reported_at == -np.inf else max(0.0, question.now - reported_at)
