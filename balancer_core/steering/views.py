"""What steering is told about an endpoint, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from balancer_core.errors import InvalidInput


class InvalidView(InvalidInput):
    """An endpoint's figures that cannot be steered by; field names the figure."""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One endpoint of a service as it is seen now.

    key: its identity, stable over steps. capacity_cores: of its host, 0 if not known.
    utilisation: of its host's tightest resource, 0 to 1 (the caller takes the largest of the normalised
    pressures; a measured overload may say more than 1). rate_per_s, errors_per_s: its requests since the last
    view, in_flight: those at this moment, as the engine counts (all engines together, where there are many).
    report_age_s: of the figures, inf if there are none. healthy: whether the engine sends it traffic.
    latency_s: mean of the requests that ended since the last view, None where the engine does not know.
    bottleneck: which resource utilisation is of; "" where the caller does not say.
    Errors: InvalidView for NaN, negatives, or infinities other than the age.
    """

    key: str
    capacity_cores: float
    utilisation: float
    rate_per_s: float
    errors_per_s: float
    in_flight: float
    report_age_s: float
    healthy: bool
    latency_s: float | None = None
    bottleneck: str = ""

    def __post_init__(self) -> None:
        for name in (
            "capacity_cores",
            "utilisation",
            "rate_per_s",
            "errors_per_s",
            "in_flight",
            "latency_s",
        ):
            figure = getattr(self, name)
            if figure is None and name == "latency_s":
                continue
            if not 0.0 <= figure < math.inf:
                raise InvalidView(name, "out_of_range", f"{figure!r} is not a finite number from 0 up.")
        if not self.report_age_s >= 0.0:
            raise InvalidView("report_age_s", "out_of_range", f"{self.report_age_s!r} is not an age.")

    @property
    def error_share(self) -> float:
        """Share of its requests that fail, 0 to 1; 0 where there are none."""
        asked = max(self.rate_per_s, self.errors_per_s)
        return self.errors_per_s / asked if asked > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class WeightPlan:
    """weights: whole numbers from 1 to 10,000, only their proportions matter. reasons: a sentence for each.

    The weights are capacities: what each endpoint could serve for this service, the largest being 10,000.
    changed: whether the engine has to be told; if not, weights are those of the last plan that had to.
    capacities: requests/s, as learnt this moment; in cores while nothing was learnt of the service (is_learnt).
    trusts: how far each rests on what was seen of this endpoint, 0 to 1; the rest is what is typical of a core.
    per_weight: requests/s that a unit of weight stands for, followed in steps as weights are; None while not learnt.
    """

    weights: Mapping[str, int]
    reasons: Mapping[str, str]
    changed: bool
    capacities: Mapping[str, float]
    is_learnt: bool
    trusts: Mapping[str, float]
    per_weight: float | None = None
