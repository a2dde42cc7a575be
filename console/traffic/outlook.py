"""What other weights would come to: who would get which share of the requests, and whether it could carry that.

Assumptions: requests come at the present rate, and are shared as the weights ask. Endpoints of a later priority get
nothing while one of an earlier takes requests. O(endpoints).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Of what an endpoint could serve: above it queues grow long, and a peak has no room.
MOST_USE = 0.9
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One endpoint. percent: what operators leave of learnt. takes: whether it gets requests, but for its weight.

    capacity_per_s: what it could serve, None where nothing was learnt.
    """

    key: str
    percent: int
    learnt: int
    capacity_per_s: float | None
    takes: bool
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """One endpoint before and after. use: of what it could serve, None where that is not known."""

    key: str
    percent: int
    share_before: float
    share: float
    rate_per_s: float
    use: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """outlooks: in the order of the parts. objections: why it should not be done. notes: what else to know."""

    outlooks: tuple[Outlook, ...]
    objections: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def outcome(parts: Sequence[Part], wanted: Mapping[str, int], rate_per_s: float) -> Outcome:
    """wanted: per cent by key; who is not named stays as it is. rate_per_s: of the whole service."""
    before = _shares(parts, {part.key: part.percent for part in parts})
    after = _shares(parts, {part.key: wanted.get(part.key, part.percent) for part in parts})
    outlooks = tuple(
        Outlook(
            key=part.key,
            percent=wanted.get(part.key, part.percent),
            share_before=before[part.key],
            share=after[part.key],
            rate_per_s=after[part.key] * rate_per_s,
            use=after[part.key] * rate_per_s / part.capacity_per_s if part.capacity_per_s else None,
        )
        for part in parts
    )
    if not any(after.values()):
        return Outcome(outlooks, ("No endpoint would take new requests.",))
    growing = [each for each in outlooks if each.share > each.share_before + 1e-9]
    return Outcome(outlooks, _overloads(growing, parts), _unknowns(growing, rate_per_s))


def _shares(parts: Sequence[Part], percents: Mapping[str, int]) -> dict[str, float]:
    """Each one's share of the requests by the weights; all 0 where nobody takes any."""
    taking = [part for part in parts if part.takes and percents[part.key]]
    first = min((part.priority for part in taking), default=0)
    weights = {part.key: part.learnt * percents[part.key] for part in taking if part.priority == first}
    total = sum(weights.values()) or 1
    return {part.key: weights.get(part.key, 0) / total for part in parts}


def _overloads(growing: Sequence[Outlook], parts: Sequence[Part]) -> tuple[str, ...]:
    capacities = {part.key: part.capacity_per_s or 0.0 for part in parts}
    over = sorted(
        (each for each in growing if (each.use or 0.0) > MOST_USE), key=lambda each: -(each.use or 0.0)
    )
    said = [
        f"{each.key} could not carry it: it would get {each.rate_per_s:.0f} requests/s, "
        f"and could serve {capacities[each.key]:.0f}."
        for each in over[:_MOST_NAMED]
    ]
    if len(over) > _MOST_NAMED:
        said.append(f"Nor could {len(over) - _MOST_NAMED} more.")
    return tuple(said)


def _unknowns(growing: Sequence[Outlook], rate_per_s: float) -> tuple[str, ...]:
    unknown = [each.key for each in growing if each.use is None]
    if not unknown or not rate_per_s:
        return ()
    named = ", ".join(unknown[:_MOST_NAMED]) + (", …" if len(unknown) > _MOST_NAMED else "")
    return (f"What {named} could serve is not learnt yet: nobody knows whether it can carry more.",)
