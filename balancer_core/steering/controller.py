"""Steering: keeps what was learnt of each endpoint from step to step, and says when the engine must be told.

A plan is published when an endpoint came, went or turned healthy, when some share moved by more than MOVED,
or when
it moved by more than SETTLED and nothing was published for SETTLE_S: large moves at once, small ones seldom,
noise never.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from balancer_core.steering.evidence import ENOUGH, FAILING, Evidence
from balancer_core.steering.law import (
    DENIALS,
    DOUBTED_S,
    LEAST,
    MOST,
    RAMP_S,
    Estimate,
    Field,
    confidence,
    estimate,
    is_idle,
    likely_rate,
    moved,
    passed,
    ramp,
    trust_in,
    typical_rate,
    weighted_median,
)
from balancer_core.steering.phrasing import Standing, say
from balancer_core.steering.views import EndpointView, InvalidView, WeightPlan

TOP_WEIGHT: Final = 10_000
MOVED: Final = 0.10
SETTLED: Final = 0.02
SETTLE_S: Final = 15.0
RESCALED: Final = 0.05  # less than this does not change what a unit of weight stands for
LONGEST_STEP_S: Final = 10.0  # after a pause the past is not made up for
LEAN_S: Final = 10.0


@dataclass(slots=True)
class _Track:
    """One endpoint between steps. came_at: None if it was there from the start. share: as last published."""

    capacity: float
    came_at: float | None
    healthy: bool
    weight: int
    share: float
    denials: int = 0  # steps in a row at which the engine's figures spoke against the reports
    denied_at: float = -math.inf
    evidence: Evidence = field(default_factory=Evidence)


class Steering:
    """The weights of one service's endpoints. Not thread-safe; no clock of its own.

    resume: weights that are in force already (a new leader takes over): they stand for the first step.
    """

    def __init__(self, resume: Mapping[str, int] | None = None) -> None:
        self._resume = dict(resume or {})
        self._tracks: dict[str, _Track] = {}
        self._stepped_at: float | None = None
        self._published_at = 0.0
        self._typical: float | None = None
        self._leaning: float | None = None
        self._per_weight: float | None = None

    def step(self, views: Sequence[EndpointView], now: float) -> WeightPlan:
        """The plan for these endpoints at second now. O(endpoints log endpoints).

        Unhealthy endpoints keep their last weight: their health is said to the engine separately.
        Errors: InvalidView for two views with one key.
        """
        if len({view.key for view in views}) != len(views):
            raise InvalidView("key", "duplicate", "two views have the same key.")
        first = self._stepped_at is None
        elapsed_s = 0.0 if self._stepped_at is None else min(max(now - self._stepped_at, 0.0), LONGEST_STEP_S)
        healthy = [view for view in views if view.healthy]
        cores = _cores(views)
        changed = self._follow(views, cores, now, first)
        surveyed = self._survey(views, healthy, cores, now, elapsed_s)
        before = self._fair(healthy)
        estimates = self._learn(healthy, surveyed, now, elapsed_s)
        shares = self._shares(healthy, now)
        after = self._fair(healthy)
        changed = self._publish(shares, now, changed) or changed
        self._rescale(healthy)
        self._stepped_at = now
        standing = self._standings(views, shares, estimates, before, after, now)
        return WeightPlan(
            weights={view.key: self._tracks[view.key].weight for view in views},
            reasons={view.key: say(view, surveyed, standing[view.key]) for view in views},
            changed=changed,
            capacities={view.key: self._tracks[view.key].capacity for view in views},
            is_learnt=self._typical is not None,
            trusts={
                view.key: trust_in(self._tracks[view.key].evidence) * confidence(view.report_age_s)
                for view in views
            },
            per_weight=self._per_weight,
        )

    def _follow(
        self, views: Sequence[EndpointView], cores: Mapping[str, float], now: float, first: bool
    ) -> bool:
        """Note who came, went, and turned healthy or not. Whether anything of that happened."""
        gone = self._tracks.keys() - {view.key for view in views}
        for key in gone:
            del self._tracks[key]
        changed = bool(gone)
        inherited = sum(self._resume.get(view.key, 0) for view in views)
        for view in views:
            track = self._tracks.get(view.key)
            if track is None:
                capacity, weight = cores[view.key] * (self._typical or 1.0), self._resume.get(view.key, 0)
                if first and weight:
                    # Begin where the weights in force are, as far as the law would ever go.
                    fair = sum(cores.values()) * weight / inherited
                    capacity = min(max(fair, capacity * LEAST), capacity * MOST)
                self._tracks[view.key] = _Track(
                    capacity, None if first else now, view.healthy, weight or 1, 0.0
                )
                changed = True
            elif view.healthy != track.healthy:
                track.healthy = view.healthy
                if view.healthy:
                    track.came_at, track.share, changed = now, 0.0, True
        return changed

    def _survey(
        self,
        views: Sequence[EndpointView],
        healthy: Sequence[EndpointView],
        cores: Mapping[str, float],
        now: float,
        elapsed_s: float,
    ) -> Field:
        """Take in the figures, and see them together."""
        for view in views:
            evidence = self._tracks[view.key].evidence
            evidence.observe(view, max(1.0, cores[view.key]), now, elapsed_s)
            evidence.learn(view, now)
        seen = {view.key: self._tracks[view.key].evidence for view in healthy}
        self._scale(typical_rate(seen, cores), elapsed_s)
        total = sum(cores[view.key] for view in healthy)
        mean = sum(cores[view.key] * view.utilisation for view in healthy) / total if total else 0.0
        self._lean(seen, cores, elapsed_s)
        return Field(cores, sum(cores.values()), self._typical or 1.0, self._leaning, mean, is_idle(mean))

    def _scale(self, typical: float | None, elapsed_s: float) -> None:
        """Follow what a core typically serves; capacities are relative to it, whatever it is."""
        if typical is None:
            return
        # Until the first one is known, capacities are in cores.
        before, part = self._typical or 1.0, 1.0 - math.exp(-elapsed_s / LEAN_S)
        factor = typical if self._typical is None else (typical / before) ** part
        self._typical = before * factor
        if self._leaning is not None:
            self._leaning *= factor
        for track in self._tracks.values():
            track.capacity *= factor

    def _lean(self, seen: Mapping[str, Evidence], cores: Mapping[str, float], elapsed_s: float) -> None:
        """Follow what capacities are of the engine's figures for them, where requests were served."""
        leanings = []
        for key, each in seen.items():
            if each.served > 1.0 and each.error_share < FAILING:
                capacity = self._tracks[key].capacity
                own = capacity / likely_rate(each, cores[key], capacity)
                leanings.append((own, min(each.served, ENOUGH)))
        if leanings:
            found, part = weighted_median(leanings), 1.0 - math.exp(-elapsed_s / LEAN_S)
            self._leaning = (
                found if self._leaning is None else self._leaning * (found / self._leaning) ** part
            )

    def _learn(
        self, healthy: Sequence[EndpointView], surveyed: Field, now: float, elapsed_s: float
    ) -> dict[str, Estimate]:
        """Move every healthy endpoint's capacity towards what is known of it."""
        estimates = {}
        for view in healthy:
            track = self._tracks[view.key]
            estimates[view.key] = found = estimate(view, track.evidence, surveyed, track.capacity)
            track.denials = track.denials + 1 if found.engine.most < found.reported else 0
            if track.denials >= DENIALS:
                track.denied_at = now
            doubted = now - track.denied_at < DOUBTED_S
            least = LEAST * surveyed.typical * surveyed.cores[view.key]
            track.capacity = max(least, moved(track.capacity, found, elapsed_s, doubted))
        return estimates

    def _since(self, key: str, now: float) -> float:
        came_at = self._tracks[key].came_at
        return RAMP_S if came_at is None else now - came_at

    def _fair(self, healthy: Sequence[EndpointView]) -> dict[str, float]:
        """Each healthy endpoint's share of all capacity."""
        total = sum(self._tracks[view.key].capacity for view in healthy)
        return {view.key: self._tracks[view.key].capacity / total for view in healthy}

    def _shares(self, healthy: Sequence[EndpointView], now: float) -> dict[str, float]:
        """Each healthy endpoint's share of the weights; together 1."""
        raw = {}
        for view in healthy:
            track = self._tracks[view.key]
            raw[view.key] = (
                track.capacity * passed(track.evidence.error_share) * ramp(self._since(view.key, now))
            )
        total = sum(raw.values())
        return {key: amount / total for key, amount in raw.items()}

    def _publish(self, shares: Mapping[str, float], now: float, needed: bool) -> bool:
        """Set the weights to these shares if that is worth telling the engine. Whether a weight changed."""
        in_force = sum(self._tracks[key].share for key in shares)
        moved = max(
            (
                abs(share * in_force / self._tracks[key].share - 1.0) if self._tracks[key].share else 1.0
                for key, share in shares.items()
            ),
            default=0.0,
        )
        settled = moved > SETTLED and now - self._published_at >= SETTLE_S
        if not (needed or moved > MOVED or settled):
            return False
        largest = max(shares.values(), default=1.0)
        changed = False
        for key, share in shares.items():
            weight = max(1, round(TOP_WEIGHT * share / largest))
            changed = changed or weight != self._tracks[key].weight
            self._tracks[key].weight, self._tracks[key].share = weight, share
        self._published_at = now
        return changed

    def _rescale(self, healthy: Sequence[EndpointView]) -> None:
        """Follow what a unit of the weights in force stands for."""
        weights = sum(self._tracks[view.key].weight for view in healthy)
        if self._typical is None or not weights:
            return
        found = sum(self._tracks[view.key].capacity for view in healthy) / weights
        if self._per_weight is None or abs(found / self._per_weight - 1.0) > RESCALED:
            self._per_weight = found

    def _standings(
        self,
        views: Sequence[EndpointView],
        shares: Mapping[str, float],
        estimates: Mapping[str, Estimate],
        before: Mapping[str, float],
        after: Mapping[str, float],
        now: float,
    ) -> dict[str, Standing]:
        total = sum(self._tracks[key].weight for key in shares)
        return {
            view.key: Standing(
                weight=self._tracks[view.key].weight,
                share=self._tracks[view.key].weight / total if view.key in shares else 0.0,
                move=after[view.key] / before[view.key] - 1.0 if view.key in shares else 0.0,
                ramp=ramp(self._since(view.key, now)),
                capacity=self._tracks[view.key].capacity,
                rate_per_s=self._tracks[view.key].evidence.rate_per_s,
                error_share=self._tracks[view.key].evidence.error_share,
                estimate=estimates.get(view.key) if self._typical is not None else None,
            )
            for view in views
        }


def _cores(views: Sequence[EndpointView]) -> dict[str, float]:
    """Each endpoint's cores, the mean of the known where unknown."""
    known = [view.capacity_cores for view in views if view.capacity_cores > 0.0]
    guess = sum(known) / len(known) if known else 1.0
    return {view.key: view.capacity_cores or guess for view in views}
