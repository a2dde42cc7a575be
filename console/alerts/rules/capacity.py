"""Hosts near the end of a resource, and staying there."""

from __future__ import annotations

from console.alerts.rules.rule import CRITICAL, Findings, Found, RuleBase
from console.alerts.sight import Sight
from console.live.frames import BARS


class _NearCapacity(RuleBase):
    """resources: of which the worst counts. What a silent host said last is not judged."""

    BAR: str
    UNIT = "share"
    CLEAR_AT = 0.94
    RAISE_AFTER_S = 60.0

    def find(self, sight: Sight, level: float) -> Findings:
        worst = sight.worst_of(BARS[self.BAR])
        near = worst >= level
        return Findings(
            {
                name: Found(share, f"{name} uses {share:.0%} of its {self.BAR}.", sight.domain(name))
                for name, share in zip(sight.named(near), worst[near].tolist(), strict=True)
            },
            unknown=sight.silent_names,
        )


class CpuNearCapacity(_NearCapacity):
    """The host's cores are nearly all busy: whatever runs there waits."""

    NAME, TITLE, BAR, THRESHOLD, RAISE_AFTER_S = "cpu-near-capacity", "CPU near capacity", "cpu", 0.95, 120.0


class MemoryNearCapacity(_NearCapacity):
    """The host is about to run out of memory, which ends processes instead of slowing them."""

    NAME, TITLE, BAR, THRESHOLD, RAISE_AFTER_S = (
        "memory-near-capacity",
        "Memory near capacity",
        "memory",
        0.92,
        30.0,
    )
    SEVERITY = CRITICAL


class DiskNearCapacity(_NearCapacity):
    """The host's disk is nearly full, or moves as many bytes as it can."""

    NAME, TITLE, BAR, THRESHOLD = "disk-near-capacity", "Disk near capacity", "disk", 0.9


class NetNearCapacity(_NearCapacity):
    """The host's network carries as much as it can: what it serves becomes slow for all."""

    NAME, TITLE, BAR, THRESHOLD = "net-near-capacity", "Network near capacity", "net", 0.9
