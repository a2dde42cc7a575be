"""A kept decision rule by rule: for each host it names, which rules let it pass, which one turned it away.

Rules are asked in one order, and the first no decides; the later ones are asked all the same of hosts that a
decision lists. Where they were not, as in decisions of old, they are shown as that, never as passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from balancer_core.filters import FILTERS, company, excluded, labels, marks, pinned, spread

Verdict = Literal["yes", "no", "idle", "unasked", "unknown"]

WORDS: Final[Mapping[Verdict, str]] = {
    "yes": "let it pass",
    "no": "turned it away",
    "idle": "has nothing to ask of this load",
    "unasked": "not asked: turned away earlier",
    "unknown": "not known: the reason is none of today's rules",
}
#: What of a load each rule reads; those that are not here are asked of every load.
_READS: Final[Mapping[str, tuple[str, ...]]] = {
    excluded.NAME: ("exclude_hosts",),
    pinned.NAME: ("pin_hosts",),
    labels.NAME: ("labels",),
    spread.NAME: ("spread",),
    company.NAME: ("near", "apart"),
    marks.NAME: ("marks",),
}
#: The ledger's no, after every rule had said yes (console.placements.actions.commit.overtaken).
TAKEN: Final = "taken"


@dataclass(frozen=True)
class Rule:
    """One column. turned_away: hosts whose first no was this rule's, of all hosts that were considered."""

    name: str
    turned_away: int


@dataclass(frozen=True)
class Judged:
    """One host. ticks: (rule, verdict, its words), in the order of the rules. reason: "" where none said no."""

    host: str
    ticks: list[tuple[str, Verdict, str]]
    code: str
    reason: str
    chosen: bool


def rules_of(document: Mapping[str, Any]) -> list[Rule]:
    """The rules in the order in which they are asked."""
    rejected = document.get("rejected", {})
    return [Rule(name, sum(rejected.get(code, 0) for code in rule.REASONS)) for name, rule in FILTERS.items()]


def judged(document: Mapping[str, Any], asked: Mapping[str, Any] | None, most: int) -> list[Judged]:
    """The candidates, best first, then at most so many of those that were turned away."""
    idle = {name for name, reads in _READS.items() if not any((asked or {}).get(key) for key in reads)}
    rejections = document.get("rejections", [])
    lost = {each["host"] for each in rejections if each["code"] == TAKEN}
    rows = [
        Judged(each["host"], _ticks("", [], idle), "", "", each["host"] == document.get("host"))
        for each in document.get("candidates", [])
        if each["host"] not in lost
    ]
    rows += [
        Judged(
            each["host"], _ticks(each["code"], each.get("also"), idle), each["code"], each["reason"], False
        )
        for each in rejections[:most]
    ]
    return rows


def _ticks(code: str, also: list[Mapping[str, str]] | None, idle: set[str]) -> list[tuple[str, Verdict, str]]:
    """What each rule said of a host that was refused with this code, "" for one that was not.

    also: what later rules objected, None where they were not asked.
    """
    names = list(FILTERS)
    refusing = next((name for name, rule in FILTERS.items() if code in rule.REASONS), None)
    if code and code != TAKEN and refusing is None:
        return [(name, "unknown", WORDS["unknown"]) for name in names]
    later = {
        name: objection["reason"]
        for name, rule in FILTERS.items()
        for objection in also or []
        if objection["code"] in rule.REASONS
    }
    found: list[tuple[str, Verdict, str]] = []
    ended = False
    for name in names:
        if name in later:
            found.append((name, "no", f"would have turned it away too: {later[name]}"))
            continue
        verdict: Verdict = "yes"
        if ended and also is None:
            verdict = "unasked"
        elif name == refusing:
            verdict, ended = "no", True
        elif name in idle:
            verdict = "idle"
        found.append((name, verdict, WORDS[verdict]))
    return found
