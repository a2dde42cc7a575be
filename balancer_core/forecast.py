"""Forecast: where a measured amount is going, when it will be too much, and how many more of a load there is
room for.

A trend is a straight line through recent samples by Theil and Sen: its slope is the median of the slopes
between all pairs of samples, so that up to 29 % of them may be wild (a burst, a restart) without moving it.
Paper: Sen: Estimates of the regression coefficient based on Kendall's tau, JASA 1968.
Assumptions: the near future goes on as the recent past; a daily rhythm is not seen, so a window should be
short against a day, or a whole number of days long.
Cost: trend() O(N^2) for N samples, at most MAX_SAMPLES; headroom() O(H R).
When not to use it: to decide about a second. Cost counts what is measured now, and of a forecast (soon()) only
what rises clearly within a minute or so; headroom() and reaches() are for people and plans.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.snapshot import Snapshot
from balancer_core.errors import InvalidInput
from balancer_core.filters import FILTERS, fits
from balancer_core.load import Load
from balancer_core.question import Question

#: Two hours at a sample in 15 s; more say little new about the next minutes, and cost their square.
MAX_SAMPLES: Final = 480

#: Fewer samples than this are no trend.
LEAST_SAMPLES: Final = 3

#: How far a rise must stand out of the samples' own scatter to be believed.
RISE_OVER_SPREAD: Final = 3.0

#: A host has room for at most this many of a load that asks for nearly nothing.
MAX_ROOM: Final = 1_000_000


class InvalidSeries(InvalidInput):
    """Samples that no line can be drawn through."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A line: level at second origin_s, rising by slope_per_s.

    spread: half of the samples lie within this of it.
    """

    origin_s: float
    level: float
    slope_per_s: float
    spread: float

    def at(self, now: float) -> float:
        """The forecast for a second, in the samples' unit; not below 0, where amounts end."""
        return max(0.0, self.level + self.slope_per_s * (now - self.origin_s))

    def reaches(self, limit: float) -> float | None:
        """The second at which the line comes to the limit from below; None if it never does or is beyond it
        already."""
        if self.slope_per_s <= 0.0 or self.level >= limit:
            return None
        second = self.origin_s + (limit - self.level) / self.slope_per_s
        return second if math.isfinite(second) else None


def trend(times_s: Sequence[float], amounts: Sequence[float]) -> Trend:
    """The line through samples in order of time, anchored at the last. Of a longer series the latest 480
    count.

    Errors: InvalidSeries, code wrong_length, too_short, not_finite or not_in_order.
    """
    times, values = _checked(times_s, amounts)
    later, earlier = np.tril_indices(len(times), -1)
    slope = float(np.median((values[later] - values[earlier]) / (times[later] - times[earlier])))
    offsets = values - slope * (times - times[-1])
    level = float(np.median(offsets))
    return Trend(float(times[-1]), level, slope, float(np.median(np.abs(offsets - level))))


def _checked(
    times_s: Sequence[float], amounts: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The latest samples as arrays, refused as trend() says."""
    if len(times_s) != len(amounts):
        raise InvalidSeries("amounts", "wrong_length", f"{len(amounts)} amounts at {len(times_s)} times.")
    times = np.array(times_s[-MAX_SAMPLES:], dtype=np.float64)
    values = np.array(amounts[-MAX_SAMPLES:], dtype=np.float64)
    _check(times, values)
    return times, values


def _check(times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Times run along the last axis. Errors: InvalidSeries."""
    if times.shape[-1] < LEAST_SAMPLES:
        reason = f"{times.shape[-1]} samples; a trend needs {LEAST_SAMPLES}."
        raise InvalidSeries("times", "too_short", reason)
    for field, column in (("times", times), ("amounts", values)):
        if not np.isfinite(column).all():
            raise InvalidSeries(field, "not_finite", "every one must be a finite number.")
    if not (np.diff(times) > 0.0).all():
        raise InvalidSeries("times", "not_in_order", "each must be later than the one before.")


def soon(
    times_s: NDArray[np.float64], amounts: NDArray[np.float64], now: float, horizon_s: float
) -> NDArray[np.float64]:
    """float64[H, R]: what will be in use on each host horizon_s after now, 0 for a resource that is not clearly
    rising.

    times_s: float64[H, N], N seconds in order; amounts: float64[H, N, R], what was in use then. Clearly rising is
    what rises within the horizon by more than RISE_OVER_SPREAD times what the samples lie off their own line: noise
    is no trend. For Cluster.expect(), whose amounts make a host dearer before they are there.
    O(H N^2 R); at 16 samples of six resources about 40 us a host. Errors: InvalidSeries.
    """
    if amounts.ndim != 3:
        raise InvalidSeries("amounts", "wrong_shape", "amounts are hosts by samples by resources.")
    if times_s.shape != amounts.shape[:2]:
        raise InvalidSeries(
            "amounts", "wrong_length", f"{amounts.shape[:2]} amounts at {times_s.shape} times."
        )
    _check(times_s, amounts)
    later, earlier = np.tril_indices(times_s.shape[1], -1)
    passed = times_s - times_s[:, -1:]
    between = (passed[:, later] - passed[:, earlier])[..., None]
    slopes = np.median((amounts[:, later] - amounts[:, earlier]) / between, axis=1)
    offsets = amounts - slopes[:, None] * passed[..., None]
    levels = np.median(offsets, axis=1)
    spreads = np.median(np.abs(offsets - levels[:, None]), axis=1)
    rises = slopes * horizon_s
    then = levels + slopes * (now - times_s[:, -1:]) + rises
    return np.where(rises > RISE_OVER_SPREAD * spreads, np.maximum(then, 0.0), 0.0)


def headroom(snapshot: Snapshot, load: Load, now: float) -> dict[str, int]:
    """For each host that may take the load, how many of it there is room for, in the order in which hosts
    joined.

    Each is counted by itself: a spread that the first of them would fill is not foreseen. At most a million a
    host.
    Errors: InvalidLoad.
    """
    question = Question.put(snapshot, load, now)
    allowed: NDArray[np.bool_] = np.ones(len(snapshot), dtype=np.bool_)
    for rule in FILTERS.values():
        verdict = rule.judge(question)
        if verdict is not None:
            allowed &= verdict == 0
    room = np.full(len(snapshot), float(MAX_ROOM))
    for r in question.asked:
        free = snapshot.capacity[:, r] - fits.holding(question, r)
        np.minimum(room, np.floor(free / question.demand[r]), out=room)
    np.maximum(room, 1.0, out=room)  # fits said that one does; a division may have rounded it away
    return {snapshot.names[row]: int(room[row]) for row in np.flatnonzero(allowed).tolist()}
