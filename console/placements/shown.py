"""A kept decision as its page shows it: candidates with the geometry of their bars, and what was asked in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from console.pages.shown import figure, said
from console.pages.strip import Strip, strip_of


@dataclass(frozen=True)
class Part:
    """One term of a candidate's score. start, width: of its segment, in per cent of the widest bar. forecast: how
    much of before and after is forecast alone."""

    resource: str
    before: float
    after: float
    cost: float
    start: float
    width: float
    forecast: float = 0.0


@dataclass(frozen=True)
class Miss:
    """A wish that a candidate does not meet, and its segment of the bar."""

    preference: str
    cost: float
    start: float
    width: float


@dataclass(frozen=True)
class Row:
    """One candidate. Its strip shows utilisation before (solid) and after (outline)."""

    rank: int
    host: str
    total: float
    margin: float
    parts: list[Part]
    missed: list[Miss]
    strip: Strip
    chosen: bool


def candidates_of(document: Mapping[str, Any]) -> list[Row]:
    """The document's candidates, with the geometry of their bars on one common scale."""
    found = document.get("candidates", [])
    scale = max((sum(_lengths(each)) for each in found), default=0.0) or 1.0
    rows = []
    for rank, each in enumerate(found, start=1):
        start, parts, missed = 0.0, [], []
        for term in each["terms"]:
            width = max(term["cost"], 0.0) / scale * 100
            parts.append(
                Part(
                    term["resource"],
                    term["before"],
                    term["after"],
                    term["cost"],
                    round(start, 3),
                    round(width, 3),
                    # Decisions that were kept before forecasts were weighed have none.
                    term.get("forecast", 0.0),
                )
            )
            start += width
        for miss in _unmet(each):
            width = miss["cost"] / scale * 100
            missed.append(Miss(**miss, start=round(start, 3), width=round(width, 3)))
            start += width
        before, after = (
            {part.resource: getattr(part, when) for part in parts} for when in ("before", "after")
        )
        strip = strip_of(before, after, "before", "after", missing="not asked for")
        chosen = each["host"] == document.get("host")
        rows.append(Row(rank, each["host"], each["total"], each["margin"], parts, missed, strip, chosen))
    return rows


def _lengths(candidate: Mapping[str, Any]) -> list[float]:
    return [max(part["cost"], 0.0) for part in (*candidate["terms"], *_unmet(candidate))]


def _unmet(candidate: Mapping[str, Any]) -> list[dict[str, Any]]:
    # Decisions that were kept before there were preferences have none.
    return candidate.get("unmet", [])  # type: ignore[no-any-return]


def asked_in_words(asked: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What was asked beside kind and demand, but for the group: a few words, and what of it."""
    asked = asked or {}
    lines = []
    if "priority" in asked:
        lines.append(("Priority", f"{asked['priority']:,}"))
    if "tenant" in asked:
        lines.append(("Tenant", asked["tenant"]))
    if "labels" in asked:
        lines.append(("Labels", said(asked["labels"])))
    for name, words in (("pin_hosts", "Only on"), ("exclude_hosts", "Not on")):
        if name in asked:
            lines.append((words, _listed(asked[name], asked.get(f"{name}_more", 0))))
    lines += [(f"Spread over {each['level']}", _spread(each)) for each in asked.get("spread", ())]
    for name, words in (("near", "Near to"), ("apart", "Apart from")):
        lines += [(f"{words} {each['group']}", _company(each)) for each in asked.get(name, ())]
    for each in asked.get("prefer", ()):
        lines.append(
            ("Prefers", f"{each['level']} {each['value']}; others are charged {figure(each['weight'])}")
        )
    for name, share in asked.get("marks", {}).items():
        lines.append((f"At most of {name}", f"{100.0 * share:.0f} % full"))
    if "options" in asked:
        lines.append(("Options", said(asked["options"])))
    return lines


def _spread(spread: Mapping[str, Any]) -> str:
    limits = []
    if spread["max_per_domain"] is not None:
        limits.append(f"at most {spread['max_per_domain']} in each")
    if spread["max_skew"] is not None:
        limits.append(f"at most {spread['max_skew']} more than in the emptiest")
    return f"{', '.join(limits)}; {_held(spread, 'taken')}"


def _company(company: Mapping[str, Any]) -> str:
    rule = "must" if company["weight"] is None else f"if not, charged {figure(company['weight'])}"
    return f"by {company['level']}, {rule}; {_held(company, 'found')}"


def _held(constraint: Mapping[str, Any], counts: str) -> str:
    """The counts that it was judged by."""
    found = [f"{domain} {count}" for domain, count in constraint[counts].items()]
    return f"then held: {_listed(found, constraint.get(f'{counts}_more', 0))}" if found else "then held: none"


def _listed(items: Iterable[str], more: int) -> str:
    return ", ".join(items) + (f" and {more:,} more" if more else "")
