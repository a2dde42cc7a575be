"""What each endpoint can serve: pure functions from what was seen of it to requests a second.

Theory is in the package's docstring; here are the formulas and their limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balancer_core.steering.evidence import ENOUGH, FRESH_S, IDLE, STALE_S, Evidence
from balancer_core.steering.views import EndpointView

SURE: Final = 8.0  # requests after which a learnt cost and the typical one count the same
MOST: Final = 4.0  # times the typical capacity a core that an endpoint's reports can claim
#: Of it, that every endpoint keeps to prove that it got better: with less no burst ever reaches it.
LEAST: Final = 0.1
#: Of a host, that other work can have by what reports say: who asks for work on a busy host gets a part of it all the
#: same, and a host whose agent sees others' work beside its own (plain processes on one machine) must not starve.
MOST_TAKEN: Final = 0.8
FAILED_LEAST: Final = 0.01  # of its capacity, that an endpoint which only fails keeps
SHADE: Final = (
    0.15  # of the doubt: more and a change is seen late, less and claims of being full are believed
)
FEW: Final = 1.0  # requests served or waiting, lately: fewer say nothing
SPREAD: Final = 1.6  # the engine's own figures give a capacity within this factor
RISE: Final = 1.12  # times its last value a capacity may be after a second, by what reports say alone
FALL: Final = (
    1.03  # the same downwards: what is really short of capacity shows in the engine's figures as well
)
RISE_DOUBTED: Final = 1.05
AGREED: Final = 2.0
DENIALS: Final = 4  # steps in a row with such a contradiction: fewer are how a change looks
DOUBTED_S: Final = 30.0
SMOOTH_S: Final = 2.0
RAMP_S: Final = 30.0
RAMP_LEAST: Final = 0.2


@dataclass(frozen=True, slots=True)
class Field:
    """What a service's endpoints look like together.

    cores: of each endpoint, guessed as the mean where unknown. typical: requests/s a core; 1 as long as no
    endpoint was in use enough to tell, so that capacities are in cores. leaning: what capacities are of the
    engine's figures for them, typically; None while there are none. mean: utilisation weighed by cores. idle:
    too little in use to learn costs from.
    """

    cores: Mapping[str, float]
    total_cores: float
    typical: float
    leaning: float | None
    mean: float
    idle: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """A capacity by the engine's figures alone. low, high: what bears out reports of more, and of less."""

    least: float = 0.0
    low: float = 0.0
    high: float = math.inf
    most: float = math.inf


@dataclass(frozen=True, slots=True)
class Estimate:
    """An endpoint's capacity in requests/s: what its reports say, between what the engine's figures allow.

    cost: of its host a request, x seconds; taken: share of the host that other work has.
    """

    cost: float
    taken: float
    reported: float
    engine: Bounds

    @property
    def capacity(self) -> float:
        """The report's figure as far as the engine's figures bear it out."""
        return min(max(self.reported, self.engine.least), self.engine.most)


def weighted_median(pairs: Sequence[tuple[float, float]]) -> float:
    """The value of (value, weight) pairs where half of the weight is reached."""
    ordered = sorted(pairs)
    half, reached = sum(weight for _, weight in ordered) / 2.0, 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= half:
            return value
    return ordered[-1][0]


def confidence(age_s: float) -> float:
    """1 for figures up to FRESH_S old, falling to 0 at STALE_S."""
    return min(1.0, max(0.0, (STALE_S - age_s) / (STALE_S - FRESH_S)))


def ramp(since_s: float) -> float:
    """The share of its weight that an endpoint gets this long after it came."""
    return min(1.0, RAMP_LEAST + (1.0 - RAMP_LEAST) * since_s / RAMP_S) if since_s >= 0.0 else 1.0


def typical_rate(evidence: Mapping[str, Evidence], cores: Mapping[str, float]) -> float | None:
    """Requests/s that a core typically serves, over the endpoints whose cost is known; None if it is of none."""
    known = [
        (each.made / each.used / cores[key], each.sure * cores[key])
        for key, each in evidence.items()
        if each.sure >= 2.0 * SURE and each.used > 0.0
    ]
    return weighted_median(known) if known else None


def trust_in(evidence: Evidence) -> float:
    """How far the learnt cost counts against the typical one, 0 to 1, by the requests that it rests on."""
    if evidence.used <= 0.0 or evidence.made <= 0.0:
        return 0.0
    return evidence.sure * (ENOUGH + SURE) / ENOUGH / (evidence.sure + SURE)


def cost_of(evidence: Evidence, cores: float, typical: float) -> float:
    """Host x seconds a request: as learnt, blended with the typical cost by how many requests it rests on."""
    usual = 1.0 / (typical * cores)
    if evidence.used <= 0.0 or evidence.made <= 0.0:
        return usual
    trust = trust_in(evidence)
    learnt = evidence.cost
    blended = math.exp(trust * math.log(learnt) + (1.0 - trust) * math.log(usual))
    return min(max(blended, usual / MOST), usual / LEAST)


def engine_rate(rate_per_s: float, waiting: float, cores: float, capacity: float) -> float:
    """What the engine's figures alone suggest: rate x (servers / waiting + use squared).

    With r requests served a second and w of them there on average, the response time is w / r (Little). Where
    nobody queues, that is the time of service, and r / w the capacity; where all queue, r is. use: r / capacity
    as thought so far, which is about the chance to find the host busy. A host of several cores serves as many
    at once.
    """
    if waiting <= 0.0:
        return math.inf
    use = min(1.0, rate_per_s / capacity)
    return rate_per_s * (max(1.0, cores) / waiting + use * use)


def likely_rate(evidence: Evidence, cores: float, capacity: float) -> float:
    """engine_rate() of what was seen lately; rather too low where next to nothing was in flight."""
    waiting = evidence.waiting + 0.5 / evidence.looks
    return engine_rate(evidence.rate_per_s, waiting, cores, capacity)


def bounds(evidence: Evidence, cores: float, leaning: float | None, capacity: float) -> Bounds:
    """What the engine's figures allow: within SPREAD, and wider the less they rest on.

    What serves all the time serves no more than it does: that holds whatever requests wait for, so that a host
    which is stuck is seen by the few that do not come back. Upwards one request more is allowed for.
    """
    seen, waiting, doubt = evidence.served + evidence.waiting, evidence.waiting, evidence.doubt
    if leaning is None or seen < FEW:
        return Bounds()
    spread = SPREAD * math.exp(1.0 / math.sqrt(seen))
    rate, upper = evidence.rate_per_s, evidence.rate_per_s + 1.0 / evidence.span_s
    least = leaning * engine_rate(rate, waiting + doubt, cores, capacity)
    high = leaning * engine_rate(upper, waiting - SHADE * doubt, cores, capacity)
    most = leaning * engine_rate(upper, waiting - doubt, cores, capacity)
    if evidence.busy > 0.0:
        most = min(most, max(1.0, leaning) * upper * (evidence.counts + 1.0) / evidence.busy)
    return Bounds(least / spread, leaning * likely_rate(evidence, cores, capacity), high, most * spread)


def estimate(view: EndpointView, evidence: Evidence, field: Field, capacity: float) -> Estimate:
    """One endpoint's capacity by reports, and the engine's bounds on it. capacity: as thought so far."""
    cores = field.cores[view.key]
    cost = cost_of(evidence, cores, field.typical)
    taken = min(MOST_TAKEN, confidence(view.report_age_s) * evidence.taken(cost))
    engine = bounds(evidence, cores, field.leaning, capacity)
    return Estimate(cost, taken, (1.0 - taken) / cost, engine)


def moved(before: float, wanted: Estimate, elapsed_s: float, doubted: bool) -> float:
    """The next capacity, towards what is wanted.

    What reports alone say moves it by at most RISE or FALL a second (so that no share moves by more than a
    fifth); what the engine's figures bear out, by up to AGREED. doubted: the engine's figures denied the
    reports lately, which then raise it by RISE_DOUBTED.
    """
    step_s = min(elapsed_s, 1.0)
    target, agreed = wanted.capacity, math.pow(AGREED, step_s)
    slow = before / math.pow(FALL, step_s)
    if target < slow:
        return max(min(slow, max(target, wanted.engine.high)), before / agreed)
    borne_out = min(target, wanted.engine.low, before * agreed)
    if borne_out > before:
        return borne_out
    smoothed = before * math.pow(target / before, 1.0 - math.exp(-elapsed_s / SMOOTH_S))
    return min(before * math.pow(RISE_DOUBTED if doubted else RISE, step_s), smoothed)


def passed(error_share: float) -> float:
    """What failures leave of a capacity: the square of the share that succeeds, and never nothing.

    Squared, because an endpoint that fails fast has next to nothing in flight and would still look short.
    """
    return max(FAILED_LEAST, (1.0 - error_share) ** 2)


def is_idle(mean: float) -> bool:
    """Whether so little is in use that the reports say nothing of what requests cost."""
    return mean < IDLE
