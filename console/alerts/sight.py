"""What the rules look at: the live picture's columns, the controller's word on traffic, and the database.

One is made for each evaluation; what a rule does not ask for is not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster import LOST, Snapshot
from console.live.picture import SILENT_AFTER_S, Picture
from console.traffic.view import TrafficSeen

#: The labels that name a failure domain, the narrowest first.
DOMAINS = ("rack", "zone")


@dataclass(frozen=True)
class Sight:
    """now: monotonic seconds; at: the same moment by the wall clock. traffic: None before the first word."""

    picture: Picture
    now: float
    at: datetime
    traffic: TrafficSeen | None = None

    @cached_property
    def snapshot(self) -> Snapshot:
        return self.picture.view()[0]

    @cached_property
    def age_s(self) -> NDArray[np.float64]:
        """float64[H], inf where a host never reported."""
        ages: NDArray[np.float64] = self.now - self.snapshot.reported_at
        return ages

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """bool[H]: what these said last is not believed any more."""
        quiet: NDArray[np.bool_] = self.age_s > SILENT_AFTER_S
        return quiet

    @cached_property
    def lost(self) -> NDArray[np.bool_]:
        return (self.snapshot.flags & LOST) != 0

    @cached_property
    def used(self) -> NDArray[np.float64]:
        """float64[H, R], shares of capacity, NaN where unknown."""
        return self.picture.utilisation(self.snapshot)[0]

    @cached_property
    def silent_names(self) -> frozenset[str]:
        return frozenset(self.named(self.silent))

    def named(self, rows: NDArray[np.bool_]) -> list[str]:
        """The names of the rows that are true."""
        names = self.snapshot.names
        return [names[row] for row in np.flatnonzero(rows).tolist()]

    def worst_of(self, resources: Iterable[str]) -> NDArray[np.float64]:
        """float64[H]: the highest used share of these resources; -1 where none is known or the host is silent."""
        places = [self.snapshot.dimensions.index(name) for name in resources]
        shares = np.nan_to_num(self.used[:, places], nan=-1.0).max(axis=1, initial=-1.0)
        return np.where(self.silent, -1.0, shares)

    def domain(self, host: str) -> str:
        """The host's narrowest failure domain as LABEL=VALUE, the host itself where it has no label for one."""
        labels = self._labels.get(host, {})
        return next((f"{key}={labels[key]}" for key in DOMAINS if key in labels), f"host={host}")

    @cached_property
    def _labels(self) -> dict[str, dict[str, str]]:
        return self.picture.labels()
