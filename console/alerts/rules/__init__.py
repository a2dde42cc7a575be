"""The built-in rules. The registry is RULES, name to class: a rule may remember what it saw, so each leader makes
its own."""

from __future__ import annotations

from typing import Final

from console.alerts.rules.capacity import (
    CpuNearCapacity,
    DiskNearCapacity,
    MemoryNearCapacity,
    NetNearCapacity,
)
from console.alerts.rules.disk import DiskFullSoon, MountFull
from console.alerts.rules.engines import EngineAway, EngineRefuses
from console.alerts.rules.hosts import HostLost, ReportStale
from console.alerts.rules.keeping import CertificateEnds, LedgerDrift
from console.alerts.rules.rule import CRITICAL, SEVERITIES, WARNING, Findings, Found, Rule
from console.alerts.rules.services import EndpointFailing, ErrorRate, ServiceDown, SlowService
from console.alerts.rules.work import JobSetAside, JobWaiting, ShardUnderReplicated, WorkerEnds, WorkersStuck

__all__ = ["CRITICAL", "RULES", "SEVERITIES", "WARNING", "Findings", "Found", "Rule"]

_BUILT_IN: tuple[type[Rule], ...] = (
    HostLost, ReportStale, CpuNearCapacity, MemoryNearCapacity, DiskNearCapacity, NetNearCapacity, MountFull,
    DiskFullSoon,
    ServiceDown, EndpointFailing, ErrorRate, SlowService, JobWaiting, JobSetAside, WorkersStuck, WorkerEnds,
    ShardUnderReplicated, EngineRefuses, EngineAway, CertificateEnds, LedgerDrift,
)  # fmt: skip

RULES: Final[dict[str, type[Rule]]] = {each.NAME: each for each in _BUILT_IN}
