"""What one rule has found and for how long: pending, then firing, then gone. Pure; times are arguments.

    not there -> pending   the value reached the threshold
    pending   -> firing    it stayed there for raise_after_s
    pending   -> not there it did not
    firing    -> gone      it was back beyond the clearing level for clear_after_s

A value between the clearing level and the threshold keeps what is firing and begins nothing. A subject of which
nothing can be said (its host is silent) keeps its state: unknown is not well.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from console.alerts.rules.rule import Findings, Found

#: Open alerts of one rule that are kept; of more, only their number.
MOST_OPEN = 1000


@dataclass
class Entry:
    """since, fired_at, well_since: monotonic seconds; well_since: None while it holds."""

    since: float
    found: Found
    fired_at: float | None = None
    well_since: float | None = None


@dataclass(frozen=True)
class Limits:
    """One rule's numbers, as built or as changed."""

    threshold: float
    clear_level: float
    is_below: bool
    raise_after_s: float
    clear_after_s: float

    def holds(self, value: float) -> bool:
        return value <= self.threshold if self.is_below else value >= self.threshold


@dataclass
class Changes:
    """By subject, what one step changed."""

    appeared: dict[str, Entry] = field(default_factory=dict)
    fired: dict[str, Entry] = field(default_factory=dict)
    resolved: dict[str, Entry] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.appeared or self.fired or self.resolved or self.withdrawn)


class Book:
    """The open entries of one rule. more: how many subjects found no room."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.more = 0

    def step(self, findings: Findings, limits: Limits, now: float) -> Changes:
        """Take what was found now. O(found + open)."""
        changes = Changes()
        if findings.blind:
            return changes
        self.more = 0
        for subject, found in findings.found.items():
            self._take(subject, found, limits, now, changes)
        for subject in [each for each in self.entries if each not in findings.found]:
            if subject not in findings.unknown:
                self._miss(subject, limits, now, changes)
        return changes

    def _take(self, subject: str, found: Found, limits: Limits, now: float, changes: Changes) -> None:
        entry, holds = self.entries.get(subject), limits.holds(found.value)
        if entry is None:
            if not holds:
                return
            if len(self.entries) >= MOST_OPEN:
                self.more += 1
                return
            entry = self.entries[subject] = changes.appeared[subject] = Entry(now, found)
        entry.found = found
        if not holds and entry.fired_at is None:
            self._drop(subject, changes)
            return
        entry.well_since = None
        if entry.fired_at is None and now - entry.since >= limits.raise_after_s:
            entry.fired_at = now
            changes.fired[subject] = entry

    def _miss(self, subject: str, limits: Limits, now: float, changes: Changes) -> None:
        entry = self.entries[subject]
        if entry.fired_at is None:
            self._drop(subject, changes)
            return
        if entry.well_since is None:
            entry.well_since = now
        if now - entry.well_since >= limits.clear_after_s:
            del self.entries[subject]
            changes.resolved[subject] = entry

    def _drop(self, subject: str, changes: Changes) -> None:
        del self.entries[subject]
        if changes.appeared.pop(subject, None) is None:
            changes.withdrawn.append(subject)
