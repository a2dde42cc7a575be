"""The leader's look at all rules: what changed goes to the database, fenced, and what people must hear is owed.

Cost: each rule looks as often as it says, the rules of hosts on columns; nothing is written where nothing changed.
A rule that fails is logged, and the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from console.alerts.book import Book, Changes, Entry
from console.alerts.limits import limits_of
from console.alerts.models import Alert, RuleSettings
from console.alerts.notices import owe_notices
from console.alerts.rules import RULES, Found, Rule
from console.alerts.sight import Sight
from console.controller.lease import fenced
from console.live.picture import Picture
from console.placements.models import Decision
from console.traffic.view import TrafficSeen

log = logging.getLogger(__name__)

ALERTS_S = 1.0
#: How often the figures of what goes on are written anew, and how many at once.
REFRESH_S = 15.0
MOST_REFRESHED = 500
#: Alerts of one step that get the last decision about their subject: each costs a query.
MOST_DECISIONS = 50


class Evaluator:
    """One leader's evaluation. What was open under another leader is read before the first look."""

    def __init__(self, picture: Picture, epoch: int) -> None:
        self._picture, self._epoch = picture, epoch
        self._rules: dict[str, Rule] = {name: rule() for name, rule in RULES.items()}
        self._books: dict[str, Book] = {}
        self._due: dict[str, float] = {}
        self._refresh_at = 0.0

    def step(self, now: float, at: datetime, traffic: TrafficSeen | None) -> bool:
        """Look once. now: monotonic seconds, at: the wall clock. True where something is to be told.

        Raises Fenced where another leads.
        """
        if not self._books:
            self._read(now, at)
        changed = {each.rule: each for each in RuleSettings.objects.all()}
        sight = Sight(self._picture, now, at, traffic)
        found: dict[str, Changes] = {}
        for name, rule in self._rules.items():
            settings = changed.get(name)
            if settings is not None and not settings.is_on:
                if self._books[name].entries:
                    found[name] = self._close(name)
            elif now >= self._due.get(name, now):
                self._due[name] = now + rule.EVERY_S
                try:
                    limits = limits_of(rule, settings)
                    found[name] = self._books[name].step(rule.find(sight, limits.clear_level), limits, now)
                except Exception:
                    log.exception("the rule %s failed; the others go on", name)
        return self._write(found, changed, now, at)

    def _read(self, now: float, at: datetime) -> None:
        """What is open, with its times on this process's clock."""
        self._books = {name: Book() for name in self._rules}
        for alert in Alert.objects.exclude(state=Alert.State.RESOLVED):
            if alert.rule not in self._books:  # a rule of another version
                alert.state, alert.resolved_at = Alert.State.RESOLVED, at
                alert.save(update_fields=["state", "resolved_at"])
                continue
            began, fired = (
                None if moment is None else now - (at - moment).total_seconds()
                for moment in (alert.since, alert.fired_at)
            )
            found = Found(alert.value, alert.sentence, alert.domain)
            self._books[alert.rule].entries[alert.subject] = Entry(began or now, found, fired)

    def _close(self, name: str) -> Changes:
        entries, self._books[name].entries = self._books[name].entries, {}
        fired = {subject: each for subject, each in entries.items() if each.fired_at is not None}
        return Changes(resolved=fired, withdrawn=[each for each in entries if each not in fired])

    def _write(
        self, found: dict[str, Changes], changed: dict[str, RuleSettings], now: float, at: datetime
    ) -> bool:
        refresh = now >= self._refresh_at
        with fenced(self._epoch):
            for name, changes in found.items():
                if changes:
                    self._keep(name, changes, now, at)
                had = changed[name].more if name in changed else 0
                if self._books[name].more != had:
                    RuleSettings.objects.update_or_create(
                        rule=name, defaults={"more": self._books[name].more}
                    )
            if refresh:
                self._refresh_at = now + REFRESH_S
                self._refresh()
            return owe_notices(at)

    def _keep(self, name: str, changes: Changes, now: float, at: datetime) -> None:
        rule = self._rules[name]
        Alert.objects.bulk_create(
            Alert(
                rule=name, severity=rule.SEVERITY, subject_kind=rule.SUBJECT, subject=subject[:200],
                domain=entry.found.domain[:150], value=entry.found.value, sentence=entry.found.sentence[:500],
                since=_wall(entry.since, now, at),
            )
            for subject, entry in changes.appeared.items()
        )  # fmt: skip
        open_ones = Alert.objects.filter(rule=name).exclude(state=Alert.State.RESOLVED)
        if changes.withdrawn:
            for part in _parts(changes.withdrawn):
                open_ones.filter(subject__in=part, state=Alert.State.PENDING).delete()
        for part in _parts(changes.resolved):
            open_ones.filter(subject__in=part).update(state=Alert.State.RESOLVED, resolved_at=at)
        for part in _parts(changes.fired):
            open_ones.filter(subject__in=part).update(state=Alert.State.FIRING, fired_at=at)
        if changes.fired:
            self._note_decisions(name, list(changes.fired))

    def _note_decisions(self, name: str, subjects: list[str]) -> None:
        """The last decision about each subject: what was put there, or why there is no place for it."""
        kind = self._rules[name].SUBJECT
        for subject in subjects[:MOST_DECISIONS]:
            about = (
                Decision.objects.filter(host=subject)
                if kind == "host"
                else Decision.objects.filter(kind="job", name__endswith=f"/{subject}")
                if kind == "job"
                else Decision.objects.none()
            )
            if last := about.order_by("-at").values_list("pk", flat=True).first():
                Alert.objects.filter(rule=name, subject=subject, state=Alert.State.FIRING).update(
                    decision=last
                )

    def _refresh(self) -> None:
        """The figures of what is open, where they moved."""
        open_ones = Alert.objects.exclude(state=Alert.State.RESOLVED).order_by("-pk")[:MOST_REFRESHED]
        moved = []
        for alert in open_ones:
            entry = self._books[alert.rule].entries.get(alert.subject) if alert.rule in self._books else None
            if entry is not None and entry.found.sentence[:500] != alert.sentence:
                alert.value, alert.sentence = entry.found.value, entry.found.sentence[:500]
                moved.append(alert)
        Alert.objects.bulk_update(moved, ["value", "sentence"], batch_size=100)


def _wall(moment: float, now: float, at: datetime) -> datetime:
    return at - timedelta(seconds=now - moment)


def _parts(subjects: Iterable[str], size: int = 500) -> Iterable[list[str]]:
    """A database takes only so many values in one statement."""
    names = list(subjects)
    return (names[start : start + size] for start in range(0, len(names), size))
