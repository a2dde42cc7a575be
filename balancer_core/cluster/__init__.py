"""Hosts as columns, and the snapshots that decisions are made on."""

from __future__ import annotations

from balancer_core.cluster.columns import (
    ALL_FLAGS,
    CORDONED,
    DISTRUSTED,
    DRAINING,
    LOST,
    Cluster,
    InvalidHost,
)
from balancer_core.cluster.labels import InvalidLabel, LabelColumns, check_labels
from balancer_core.cluster.snapshot import Snapshot

__all__ = [
    "ALL_FLAGS",
    "CORDONED",
    "DISTRUSTED",
    "DRAINING",
    "LOST",
    "Cluster",
    "InvalidHost",
    "InvalidLabel",
    "LabelColumns",
    "Snapshot",
    "check_labels",
]
