"""Hosts that are not heard of."""

from __future__ import annotations

import numpy as np

from console.alerts.rules.rule import CRITICAL, Findings, Found, RuleBase
from console.alerts.sight import Sight


class HostLost(RuleBase):
    """The failure detector has declared the host lost: nothing new goes there."""

    NAME = "host-lost"
    TITLE = "Host lost"
    SEVERITY = CRITICAL
    CLEAR_AFTER_S = 10.0

    def find(self, sight: Sight, level: float) -> Findings:
        return Findings(
            {name: Found(1.0, f"{name} is lost.", sight.domain(name)) for name in sight.named(sight.lost)}
        )


class ReportStale(RuleBase):
    """A host that does not count as lost has not reported for a while: many at once, or one that flaps."""

    NAME = "report-stale"
    TITLE = "Report stale"
    UNIT = "s"
    THRESHOLD = 30.0
    CLEAR_AT = 0.5
    CLEAR_AFTER_S = 15.0

    def find(self, sight: Sight, level: float) -> Findings:
        late = (sight.age_s >= level) & np.isfinite(sight.age_s) & ~sight.lost
        names, ages = sight.named(late), sight.age_s[late].tolist()
        return Findings(
            {
                name: Found(age_s, f"{name} reported {age_s:.0f} s ago.", sight.domain(name))
                for name, age_s in zip(names, ages, strict=True)
            }
        )
