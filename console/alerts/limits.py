"""A rule's numbers: as it was built, where an operator changed nothing."""

from __future__ import annotations

from console.alerts.book import Limits
from console.alerts.models import RuleSettings
from console.alerts.rules import Rule


def limits_of(rule: Rule | type[Rule], changed: RuleSettings | None) -> Limits:
    """The numbers that hold now."""
    threshold = changed.threshold if changed is not None and changed.threshold is not None else rule.THRESHOLD
    raise_s, clear_s = (
        getattr(changed, name) if getattr(changed, name, None) is not None else built
        for name, built in (("raise_after_s", rule.RAISE_AFTER_S), ("clear_after_s", rule.CLEAR_AFTER_S))
    )
    return Limits(threshold, threshold * rule.CLEAR_AT, rule.IS_BELOW, raise_s, clear_s)
