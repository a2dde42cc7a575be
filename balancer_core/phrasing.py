"""One English sentence for a decision, with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from balancer_core.cost.curves import DOUBT_GRACE_S
from balancer_core.decision import Candidate, Change
from balancer_core.filters import FILTERS
from balancer_core.load import Load
from balancer_core.policies import Policy


def say_placed(
    policy: Policy, candidates: Sequence[Candidate], considered: int, feasible: int, age_s: float | None
) -> str:
    """Why the first candidate takes the load: its score, the lead over the next, and what changes there
    most."""
    winner = candidates[0]
    score = sum(term.cost for term in winner.terms) if winner.unmet else winner.total
    parts = [f"{winner.host} takes it: it {policy.phrase(figure(score))}, {_lead(candidates, considered)}"]
    parts += [
        f"{missed.preference} was preferred, which counts {figure(missed.cost)} against it"
        for missed in winner.unmet
    ]
    dearest = max(
        (each for each in winner.terms.figures() if each[1][1] > each[1][0]), key=_cost, default=None
    )
    if dearest:
        resource, (before, after, _, forecast) = dearest
        shown = percentages(before, after)
        parts.append(f"{resource} would go from {shown[0]} to {shown[1]}")
        if forecast > 0.0:
            parts.append(f"{percentages(0.0, forecast)[1]} of it is not in use yet but forecast")
    if age_s is None:
        parts.append("it has not reported yet, so its reservations alone were counted")
    elif age_s > DOUBT_GRACE_S:
        parts.append(f"its last report is {age_s:.0f} s old, so part of its free room was doubted")
    return "; ".join(parts) + "."


def _cost(term: tuple[str, list[float]]) -> float:
    return term[1][2]


def _lead(candidates: Sequence[Candidate], considered: int) -> str:
    if len(candidates) > 1:
        second = candidates[1]
        if second.margin > 0.0:
            return f"{figure(second.margin)} less than {second.host}"
        if second.margin < 0.0:
            return f"{figure(-second.margin)} more than {second.host}, for the sake of the others it was decided with"
        return f"the same as {second.host}, which joined later"
    hosts = "host" if considered == 1 else "hosts"
    return "the only host there is" if considered == 1 else f"the only one of {considered:,} {hosts} that can"


def say_refused(load: Load, considered: int, rejected: Mapping[str, int], changes: Sequence[Change]) -> str:
    """Why no host takes the load: how many for which reason, and the nearest way out."""
    if considered == 0:
        return f"No host can take {load.kind} {load.name}: there are no hosts yet."
    phrases = {code: phrase for rule in FILTERS.values() for code, phrase in rule.PHRASES.items()}
    counts = ", ".join(f"{count:,} {phrases[code]}" for code, count in rejected.items())
    of = "The one host there is cannot" if considered == 1 else f"None of {considered:,} hosts can"
    sentence = f"{of} take {load.kind} {load.name}: {counts}."
    if changes:
        nearest = changes[0]
        sentence += f" Nearest is {nearest.host}: {', and '.join(nearest.steps)}."
    return sentence


def figure(number: float) -> str:
    """A score or a lead as people read it: two places, or two figures when it is small."""
    if number == 0.0:
        return "0"
    size = abs(number)
    if size >= 100.0:
        return f"{number:,.0f}"
    if size >= 0.1:
        return f"{number:.2f}"
    if size < 1e-4:
        return "less than 0.0001" if number > 0.0 else "just below 0"
    return f"{number:.2g}"


def percentages(before: float, after: float) -> tuple[str, str]:
    """Two utilisations in per cent, with as many places (0 to 3) as it takes to tell them apart."""
    for places in range(4):
        shown = f"{before * 100:.{places}f} %", f"{after * 100:.{places}f} %"
        if shown[0] != shown[1]:
            return shown
    return shown
