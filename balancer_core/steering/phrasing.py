"""One sentence for an endpoint's weight, with the numbers it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from balancer_core.steering.evidence import BACKGROUND, IDLE, STALE_S
from balancer_core.steering.law import Estimate, Field, confidence
from balancer_core.steering.views import EndpointView

PILE: Final = 2.0  # fewer requests in flight are no pile


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an endpoint stands after a step.

    share: of all weights. move: of its share of the capacity, in this step. capacity, rate_per_s: requests/s.
    estimate: None while nothing is known of the service.
    """

    weight: int
    share: float
    move: float
    ramp: float
    capacity: float
    rate_per_s: float
    error_share: float
    estimate: Estimate | None


def say(view: EndpointView, field: Field, standing: Standing) -> str:
    """Why the endpoint has the weight it has."""
    if not view.healthy:
        return f"Unhealthy: gets no traffic, and keeps weight {standing.weight} for when it returns."
    lead = f"Weight {standing.weight}, {standing.share:.0%} of the capacity"
    return f"{lead}: {_cause(view, field, standing)}."


def _cause(view: EndpointView, field: Field, standing: Standing) -> str:
    of_capacity = f"{field.cores[view.key]:g} of {field.total_cores:g} cores"
    if standing.ramp < 1.0:
        return f"it is new, and ramps up at {standing.ramp:.0%} of its share ({of_capacity})"
    failing = f"{standing.error_share:.0%} of its requests fail" if standing.error_share > 0.005 else ""
    if math.isinf(view.report_age_s):
        return f"it has no report yet, so it gets its share of the cores, {of_capacity}"
    if confidence(view.report_age_s) == 0.0:
        age = f"its last report is {view.report_age_s:.0f} s old"
        return f"{age}, so it returns to its share of the cores, {of_capacity}"
    if field.idle and not failing:
        return (
            f"the service is idle ({field.mean:.1%} in use, below {IDLE:.0%}), "
            f"so it goes by what was learnt, and else by its share of the cores, {of_capacity}"
        )
    parts = []
    found = standing.estimate
    if found is not None:
        parts.append(
            f"it could serve {_rate(standing.capacity)} requests/s, {_rate(standing.rate_per_s)} now"
        )
    parts.append(f"{view.utilisation:.0%} in use against a mean of {field.mean:.0%}")
    if found is not None and found.taken > BACKGROUND:
        parts.append(f"{found.taken:.0%} of its host taken by other work")
    if failing:
        parts.append(failing)
    if found is not None and found.engine.most < found.reported:
        waits = f"{view.in_flight:.0f} requests pile up on it"
        parts.append(waits if view.in_flight >= PILE else "it serves less than its report promises")
    if confidence(view.report_age_s) < 1.0:
        parts.append(
            f"its report of {view.report_age_s:.0f} s ago counts less and less up to {STALE_S:.0f} s"
        )
    return ", ".join(parts) + ", so its share " + _direction(standing.move)


def _rate(per_s: float) -> str:
    return f"{per_s:.0f}" if per_s >= 100.0 else f"{per_s:.1f}"


def _direction(move: float) -> str:
    if abs(move) < 0.001:
        return "stays"
    return f"{'rises' if move > 0.0 else 'falls'} by {abs(move):.1%} this step"
