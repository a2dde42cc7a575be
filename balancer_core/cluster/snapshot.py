"""The cluster at one moment: read-only columns that a decision is made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.labels import LabelColumns
from balancer_core.resources import Dimensions


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """H hosts by R resources, row order as hosts joined. Nothing in it changes.

    capacity, reserved, used: float64[H, R] in base units, C-contiguous.
    reported_at: float64[H], the receiver's monotonic seconds, -inf where a host never reported.
    flags: uint8[H], bits CORDONED, DRAINING, LOST, DISTRUSTED.
    version: of the Cluster it was taken from.
    """

    dimensions: Dimensions
    names: tuple[str, ...]
    rows: Mapping[str, int]
    capacity: NDArray[np.float64]
    reserved: NDArray[np.float64]
    used: NDArray[np.float64]
    reported_at: NDArray[np.float64]
    flags: NDArray[np.uint8]
    labels: LabelColumns
    version: int

    def __len__(self) -> int:
        return len(self.names)

    def ages(self, now: float) -> NDArray[np.float64]:
        """float64[H]: seconds since each host reported, inf where it never did; never negative."""
        return np.maximum(now - self.reported_at, 0.0)
