"""The cluster at one moment: read-only columns that a decision is made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.place import Columns
from balancer_core.cluster.labels import LabelColumns
from balancer_core.resources import Dimensions


@dataclass(frozen=True, eq=False)
class Snapshot:
    """H hosts by R resources, row order as hosts joined. Nothing in it changes.

    capacity, reserved, used: float64[H, R] in base units, C-contiguous.
    expected: float32[H, R], what is forecast to be in use soon, 0 where nothing is forecast.
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
    expected: NDArray[np.float32]
    reported_at: NDArray[np.float64]
    flags: NDArray[np.uint8]
    labels: LabelColumns
    version: int

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def columns(self) -> Columns:
        """The columns as the kernels take them; nothing is copied."""
        return Columns(
            self.capacity,
            self.reserved,
            self.used,
            self.expected,
            self.reported_at,
            self.flags,
            self.dimensions.kinds,
        )

    @cached_property
    def reports(self) -> tuple[float, int]:
        """When the oldest report came, inf if there is none, and how many hosts never reported. O(H) once."""
        known = self.reported_at[self.reported_at > -np.inf]
        return float(known.min(initial=np.inf)), len(self) - len(known)

    def ages(self, now: float) -> NDArray[np.float64]:
        """float64[H]: seconds since each host reported, inf where it never did; never negative."""
        return np.maximum(now - self.reported_at, 0.0)
