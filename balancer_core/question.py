"""One load put to one snapshot: what every rule and score is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.snapshot import Snapshot
from balancer_core.load import InvalidLoad, Load
from balancer_core.policies import POLICIES, InvalidOption, Policy, weights
from balancer_core.resources import InvalidAmount


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """demand, weights: float64[R].

    asked: the columns with a demand above 0. now: the same clock as the reports'.
    """

    snapshot: Snapshot
    load: Load
    now: float
    policy: Policy
    demand: NDArray[np.float64]
    weights: NDArray[np.float64]
    asked: tuple[int, ...]

    @classmethod
    def put(cls, snapshot: Snapshot, load: Load, now: float) -> Question:
        """Check the load against the snapshot's resources. Errors: InvalidLoad naming the field."""
        if not math.isfinite(now):
            raise InvalidLoad("now", "not_finite", f"{now!r} is not a time.")
        policy = POLICIES[load.policy]
        try:
            demand = snapshot.dimensions.placed(load.demand, "demand")
            weighed = weights(load.options, snapshot.dimensions)
        except (InvalidAmount, InvalidOption) as error:
            raise InvalidLoad(error.field, error.code, error.reason) from None
        asked = tuple([r for r, amount in enumerate(demand.tolist()) if amount > 0.0])
        return cls(snapshot, load, now, policy, demand, weighed, asked)
