"""Placement: snapshot -> filter -> score -> pick -> explain.

Theory of operation
- The load is checked against the snapshot's resources; a mistake is InvalidLoad and nothing has happened.
- Rules that read labels, names or domains say first which hosts they refuse. The compiled kernel then does
  the rest in one pass: flags, room, score, the best few, and for every host the first rule that refused it.
- Equal scores go to the host that joined earlier (the lower row), so the same input always has the same
  answer.
- A decision reserves nothing. The caller commits it to the ledger, and goes on to the next of
  decision.ranking if the host was taken meanwhile.
- No clock: `now` is the reading of the clock that stamped the reports.
"""

from __future__ import annotations

from typing import Final

from balancer_core._kernels import MAX_TOP
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.decision import Decision
from balancer_core.explain import explain
from balancer_core.load import Company, InvalidLoad, Load, Preference, Spread
from balancer_core.question import Question
from balancer_core.survey import survey

__all__ = ["TOP", "Company", "InvalidLoad", "Load", "Preference", "Spread", "check_top", "decide"]

#: Candidates that a decision keeps: enough to lose a race a few times.
TOP: Final = 5


def decide(snapshot: Snapshot, load: Load, now: float, top: int = TOP) -> Decision:
    """Where the load costs least, or why it can go nowhere; always explained. O(H R).

    top: candidates to keep, 1 to 16.
    Errors: InvalidLoad (unknown resource, weight of an unknown resource, now or top out of range).
    """
    question = Question.put(snapshot, load, now)
    check_top(top)
    return explain(question, survey(question, top))


def check_top(top: int) -> None:
    """Errors: InvalidLoad, code out_of_range."""
    if not 1 <= top <= MAX_TOP:
        raise InvalidLoad("top", "out_of_range", f"{top} candidates; 1 to {MAX_TOP} can be kept.")
