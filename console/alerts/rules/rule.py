"""What a rule is: what it looks for, and how long that must hold before anybody is told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from console.alerts.sight import Sight

WARNING, CRITICAL = "warning", "critical"
SEVERITIES = (WARNING, CRITICAL)


@dataclass(frozen=True, slots=True)
class Found:
    """One subject of which a rule has something to say. value: in the rule's unit. domain: its failure domain."""

    value: float
    sentence: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a rule found. unknown: of these nothing can be said now, so what was said of them stays."""

    found: dict[str, Found] = field(default_factory=dict)
    unknown: Collection[str] = frozenset()
    blind: bool = False  # nothing can be said of anything


class Rule(Protocol):
    """One built-in rule.

    THRESHOLD: from where on it holds, in UNIT; is_below: it holds at and below it. CLEAR_AT: a share of the threshold;
    a value between the two changes nothing. RAISE_AFTER_S, CLEAR_AFTER_S: for so long before it fires, and before it is
    over. EVERY_S: how often it looks.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    SUBJECT: ClassVar[str]
    SEVERITY: ClassVar[str]
    UNIT: ClassVar[str]
    THRESHOLD: ClassVar[float]
    IS_BELOW: ClassVar[bool]
    CLEAR_AT: ClassVar[float]
    RAISE_AFTER_S: ClassVar[float]
    CLEAR_AFTER_S: ClassVar[float]
    EVERY_S: ClassVar[float]

    def find(self, sight: Sight, level: float) -> Findings:
        """All subjects whose value has reached level, or passed it."""


class RuleBase:
    """What most rules have in common."""

    SUBJECT: ClassVar[str] = "host"
    SEVERITY: ClassVar[str] = WARNING
    UNIT: ClassVar[str] = ""
    THRESHOLD: ClassVar[float] = 1.0
    IS_BELOW: ClassVar[bool] = False
    CLEAR_AT: ClassVar[float] = 1.0
    RAISE_AFTER_S: ClassVar[float] = 0.0
    CLEAR_AFTER_S: ClassVar[float] = 30.0
    EVERY_S: ClassVar[float] = 1.0
