"""Engines that do not do as they were told, or do not listen."""

from __future__ import annotations

from console.alerts.rules.rule import CRITICAL, Findings, Found, RuleBase
from console.alerts.sight import Sight


class EngineRefuses(RuleBase):
    """An engine refuses what it shall have, in its own words; it goes on with what it took last."""

    NAME = "engine-refuses"
    TITLE = "Engine refuses configuration"
    SUBJECT = "engine"
    SEVERITY = CRITICAL
    RAISE_AFTER_S = 5.0

    def find(self, sight: Sight, level: float) -> Findings:
        if sight.traffic is None:
            return Findings(blind=True)
        return Findings(
            {
                each.node: Found(1.0, f"{each.node} refuses: {each.refused}"[:500])
                for each in sight.traffic.engines
                if each.refused
            }
        )


class EngineAway(RuleBase):
    """An engine that was here does not listen: it goes on with what it has, and hears of nothing new."""

    NAME = "engine-away"
    TITLE = "Engine away"
    SUBJECT = "engine"
    RAISE_AFTER_S = 30.0

    def find(self, sight: Sight, level: float) -> Findings:
        if sight.traffic is None:
            return Findings(blind=True)
        return Findings(
            {
                each.node: Found(1.0, f"{each.node} does not listen to the controller.")
                for each in sight.traffic.engines
                if not each.connected
            }
        )
