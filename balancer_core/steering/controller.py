"""Steering: keeps each endpoint's correction from step to step, and says when the engine must be told.

A plan is published when an endpoint came, went or turned healthy, when some share moved by more than MOVED,
or when
it moved by more than SETTLED and nothing was published for SETTLE_S: large moves at once, small ones seldom,
noise never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from balancer_core.steering.law import LEAST, LONGEST_STEP_S, MOST, RAMP_S, Field, corrected, ramp, survey
from balancer_core.steering.phrasing import Standing, say
from balancer_core.steering.views import EndpointView, InvalidView, WeightPlan

TOP_WEIGHT: Final = 1000
MOVED: Final = 0.10
SETTLED: Final = 0.02
SETTLE_S: Final = 15.0


@dataclass(slots=True)
class _Track:
    """One endpoint between steps. came_at: None if it was there from the start. share: as last published."""

    correction: float
    came_at: float | None
    healthy: bool
    weight: int
    share: float


class Steering:
    """The weights of one service's endpoints. Not thread-safe; no clock of its own.

    resume: weights that are in force already (a new leader takes over): they stand for the first step.
    """

    def __init__(self, resume: Mapping[str, int] | None = None) -> None:
        self._resume = dict(resume or {})
        self._tracks: dict[str, _Track] = {}
        self._stepped_at: float | None = None
        self._published_at = 0.0

    def step(self, views: Sequence[EndpointView], now: float) -> WeightPlan:
        """The plan for these endpoints at second now. O(endpoints).

        Unhealthy endpoints keep their last weight: their health is said to the engine separately.
        Errors: InvalidView for two views with one key.
        """
        if len({view.key for view in views}) != len(views):
            raise InvalidView("key", "duplicate", "two views have the same key.")
        first = self._stepped_at is None
        elapsed_s = 0.0 if self._stepped_at is None else min(max(now - self._stepped_at, 0.0), LONGEST_STEP_S)
        healthy = [view for view in views if view.healthy]
        changed = self._follow(views, now, first)
        warm = {view.key: self._since(view.key, now) >= RAMP_S for view in healthy}
        field = survey(healthy, warm)
        if first:
            self._take_over(healthy, field)
        moves = self._correct(healthy, field, warm, elapsed_s)
        shares = self._shares(healthy, field, now)
        changed = self._publish(shares, now, changed) or changed
        self._stepped_at = now
        standing = self._standings(views, shares, field, moves, now)
        return WeightPlan(
            weights={view.key: self._tracks[view.key].weight for view in views},
            reasons={view.key: say(view, field, standing[view.key]) for view in views},
            changed=changed,
        )

    def _follow(self, views: Sequence[EndpointView], now: float, first: bool) -> bool:
        """Note who came, went, and turned healthy or not. Whether anything of that happened."""
        gone = self._tracks.keys() - {view.key for view in views}
        for key in gone:
            del self._tracks[key]
        changed = bool(gone)
        for view in views:
            track = self._tracks.get(view.key)
            if track is None:
                came_at = None if first else now
                self._tracks[view.key] = _Track(
                    1.0, came_at, view.healthy, self._resume.get(view.key, 1), 0.0
                )
                changed = True
            elif view.healthy != track.healthy:
                track.healthy = view.healthy
                if view.healthy:
                    track.came_at, track.share, changed = now, 0.0, True
        return changed

    def _take_over(self, healthy: Sequence[EndpointView], field: Field) -> None:
        """Begin where the weights in force are, as far as the law would ever go."""
        inherited = sum(self._resume.get(view.key, 0) for view in healthy)
        for view in healthy:
            weight = self._resume.get(view.key, 0)
            if weight and inherited:
                correction = weight / inherited / field.share[view.key]
                self._tracks[view.key].correction = min(MOST, max(LEAST, correction))

    def _since(self, key: str, now: float) -> float:
        came_at = self._tracks[key].came_at
        return RAMP_S if came_at is None else now - came_at

    def _correct(
        self, healthy: Sequence[EndpointView], field: Field, warm: Mapping[str, bool], elapsed_s: float
    ) -> dict[str, float]:
        """Integrate every warm endpoint's correction; how much each moved, as a share of itself."""
        before = {view.key: self._tracks[view.key].correction for view in healthy}
        after = {
            view.key: corrected(before[view.key], view, field, elapsed_s)
            if warm[view.key]
            else before[view.key]
            for view in healthy
        }
        mean_before = sum(field.share[key] * correction for key, correction in before.items())
        mean_after = sum(field.share[key] * correction for key, correction in after.items())
        for key, correction in after.items():
            # Only proportions matter: with a mean of 1, a common error never drifts into a limit.
            self._tracks[key].correction = correction / mean_after
        return {key: (after[key] / mean_after) / (before[key] / mean_before) - 1.0 for key in after}

    def _shares(self, healthy: Sequence[EndpointView], field: Field, now: float) -> dict[str, float]:
        """Each healthy endpoint's share of the traffic; together 1."""
        raw = {
            view.key: field.share[view.key]
            * self._tracks[view.key].correction
            * ramp(self._since(view.key, now))
            for view in healthy
        }
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

    def _standings(
        self,
        views: Sequence[EndpointView],
        shares: Mapping[str, float],
        field: Field,
        moves: Mapping[str, float],
        now: float,
    ) -> dict[str, Standing]:
        total = sum(self._tracks[key].weight for key in shares)
        return {
            view.key: Standing(
                weight=self._tracks[view.key].weight,
                share=self._tracks[view.key].weight / total if view.key in shares else 0.0,
                move=moves.get(view.key, 0.0),
                ramp=ramp(self._since(view.key, now)),
            )
            for view in views
        }
