"""The nearest loser of a kept decision in one sentence: by how much, and through which resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from balancer_core.phrasing import figure
from console.placements.shown import Row

#: Differences that are named; the third largest seldom decides anything.
MOST_NAMED: Final = 3
#: Smaller than this part of the largest difference, one says nothing.
LEAST_PART: Final = 0.05


def nearest_loser(document: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """rows: of shown.candidates_of(). "" where nothing was chosen."""
    winner = next((row for row in rows if row.chosen), None)
    if winner is None:
        return ""
    losers = [row for row in rows if not row.chosen]
    if not losers:
        return "No other host could take it, so there is no nearest loser."
    nearest = min(losers, key=lambda row: row.total)
    gap = nearest.total - winner.total
    if gap == 0.0:
        return f"Nearest loser: {nearest.host}, which costs the same; {winner.host} joined earlier."
    if gap < 0.0:
        why = (
            "it lost for the sake of the others that were decided together"
            if document.get("batch")
            else "its room was taken while this was decided"
        )
        return f"Nearest loser: {nearest.host}, which would have cost {figure(-gap)} less; {why}."
    part = f" ({gap / winner.total * 100:.0f} % more)" if winner.total > 0.0 else ""
    return f"Nearest loser: {nearest.host}, by {figure(gap)}{part}{_through(winner, nearest)}."


def _through(winner: Row, loser: Row) -> str:
    """Where the costs of the two differ, the largest difference first."""
    there, here = _costs(loser), _costs(winner)
    apart = {name: there.get(name, 0.0) - here.get(name, 0.0) for name in {**here, **there}}
    largest = max((abs(each) for each in apart.values()), default=0.0)
    named = sorted(
        (name for name, each in apart.items() if each and abs(each) >= LEAST_PART * largest),
        key=lambda name: (-abs(apart[name]), name),
    )[:MOST_NAMED]
    said = [f"{name} costs {figure(abs(apart[name]))} {_more(apart[name])} there" for name in named]
    return f": {', '.join(said)}" if said else ""


def _more(difference: float) -> str:
    return "more" if difference > 0.0 else "less"


def _costs(row: Row) -> dict[str, float]:
    found = {part.resource: part.cost for part in row.parts}
    if row.missed:
        found["what was wished and is not met"] = sum(miss.cost for miss in row.missed)
    return found
