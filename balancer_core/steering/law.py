"""The control law that turns measured utilisation into traffic weights.

Theory of operation
- An endpoint starts at its share of the capacity (cores), times a correction that starts at 1.
- Each step integrates the correction: less used than the mean goes up, more used goes down. The set-point is
  the mean itself, so the law evens out utilisation and leaves the total alone. Idea: Dropbox Robinhood
  (2024), one controller an endpoint with the service's mean utilisation as set-point and a delta on the
  weight as output.
- The gain is GAIN / (age + LAG_S) a second: a loop that acts on old figures must act slower, or it swings
  (Mitzenmacher, "How useful is old information?", 2000). With a delay of T seconds an integrator
  stops overshooting at about 1 / (e T), and 0.4 stays near that for all ages.
- No correction more than the root of STEP_LIMIT times its last value, so no share moves by more than a fifth
  a step.
- Figures that are too old count less and less (confidence); what they do not hold, goes back to capacity
  share.
- Errors count as pressure, so that an endpoint that fails fast and looks idle attracts nothing. So do
  requests that pile up on an endpoint whose host looks idle (it waits for something that nobody measures).
- Below IDLE nothing can be learnt from utilisation: back to capacity share.
- Newcomers, and who comes back from unhealthy, ramp up, and are not corrected until they are warm.
- Nobody gets less than LEAST or more than MOST of its capacity share, whatever it reports: a host that claims
  to be idle for ever cannot draw all traffic, and a slow one keeps enough to prove that it got better.

Everything here is a pure function of its arguments; steering.Steering keeps what lasts from step to step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balancer_core.steering.views import EndpointView

GAIN: Final = 0.4
LAG_S: Final = 5.0  # what passes between a weight and its effect in a report, at the least
STEP_LIMIT: Final = 1.2
IDLE: Final = 0.05
ERROR_PRESSURE: Final = 2.0  # half of the requests failing weighs like a host wholly in use
CROWD: Final = 2.0  # times the service's requests in flight a core, from where on they count as pressure
CROWD_LEAST: Final = 8.0  # fewer requests in flight than this prove nothing
FRESH_S: Final = 15.0  # up to here the lower gain alone answers for the age
STALE_S: Final = 45.0
EVEN: Final = 0.02  # a gap to the mean this small is left alone, or noise would be integrated
RELAX_S: Final = 20.0  # time constant of going back to capacity share
RAMP_S: Final = 30.0
RAMP_LEAST: Final = 0.2
LEAST: Final = 0.1
MOST: Final = 2.0
LONGEST_STEP_S: Final = 10.0  # after a pause the past is not made up for


@dataclass(frozen=True, slots=True)
class Field:
    """What a service's endpoints look like together.

    cores: of each healthy endpoint, guessed as the mean where unknown. share: of all cores. mean:
    utilisation, weighed by cores, confidence and share of requests that succeed, over warm endpoints. crowd:
    requests in flight a core. idle: too little to learn from.
    """

    cores: Mapping[str, float]
    share: Mapping[str, float]
    mean: float
    crowd: float
    idle: bool


def survey(views: Sequence[EndpointView], warm: Mapping[str, bool]) -> Field:
    """The field of the healthy views; warm: those past their ramp."""
    known = [view.capacity_cores for view in views if view.capacity_cores > 0.0]
    guess = sum(known) / len(known) if known else 1.0
    cores = {view.key: view.capacity_cores or guess for view in views}
    total = sum(cores.values())
    weighed = {
        v.key: cores[v.key] * confidence(v.report_age_s) * (1.0 - v.error_share) if warm[v.key] else 0.0
        for v in views
    }
    weight = sum(weighed.values())
    mean = sum(weighed[v.key] * v.utilisation for v in views) / weight if weight > 0.0 else 0.0
    crowd = sum(view.in_flight for view in views) / total if total > 0.0 else 0.0
    share = {key: amount / total for key, amount in cores.items()}
    return Field(cores, share, mean, crowd, idle=mean < IDLE)


def confidence(age_s: float) -> float:
    """1 for figures up to FRESH_S old, falling to 0 at STALE_S."""
    return min(1.0, max(0.0, (STALE_S - age_s) / (STALE_S - FRESH_S)))


def ramp(since_s: float) -> float:
    """The share of its weight that an endpoint gets this long after it came."""
    return min(1.0, RAMP_LEAST + (1.0 - RAMP_LEAST) * since_s / RAMP_S) if since_s >= 0.0 else 1.0


def crowd_pressure(view: EndpointView, field: Field) -> float:
    """Pressure from requests that pile up here more than elsewhere; 0 while they do not."""
    crowd = view.in_flight / field.cores[view.key]
    if view.in_flight < CROWD_LEAST or crowd <= CROWD * field.crowd:
        return 0.0
    return field.mean * crowd / (CROWD * field.crowd)


def pressure(view: EndpointView, field: Field) -> float:
    """What the endpoint suffers, on the scale of utilisation."""
    seen = 0.0 if field.idle else max(view.utilisation, crowd_pressure(view, field))
    return seen + ERROR_PRESSURE * view.error_share


def corrected(correction: float, view: EndpointView, field: Field, elapsed_s: float) -> float:
    """The next correction of a warm endpoint, before all are scaled together."""
    trust = confidence(view.report_age_s)
    limit = math.sqrt(STEP_LIMIT)
    target = 0.0 if field.idle else field.mean
    gap = (target - pressure(view, field)) / max(field.mean, IDLE)
    if abs(gap) <= EVEN:
        gap = 0.0
    gain = elapsed_s * GAIN / (view.report_age_s + LAG_S)
    factor = max(0.0, 1.0 + trust * gain * gap)
    doubted = 1.0 if field.idle and view.error_share == 0.0 else 1.0 - trust
    pull = doubted * min(1.0, elapsed_s / RELAX_S) * (1.0 - correction)
    moved = (correction * factor + pull) / correction
    return min(MOST, max(LEAST, correction * min(limit, max(1.0 / limit, moved))))
