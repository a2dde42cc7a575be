"""The contract of picker.h in plain Python: obviously right and slow.

Tests hold the compiled code to these results on every input. It is never a fallback.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from balancer_core._kernels.hashing_reference import mix
from balancer_core._kernels.picker_windows_reference import LOOKS, Window

WORD = (1 << 64) - 1
#: By how much a state steps on; mix() takes it from there.
GOLDEN = 0x9E3779B97F4A7C15

#: As in picker.h.
SCANNED, CANDIDATES = 64, 16
LEARN_S, HALF_LIFE_S, MEMORY, FORGOTTEN = 0.02, 3.0, 32.0, 0.05
SLACK, OWN = 1.25, 1.25


def own_load(pickers: float) -> float:
    """What a request in flight from one of so many pickers stands for."""
    return OWN * math.sqrt(pickers)


@dataclass(slots=True)
class Endpoint:
    """What is known of one. counted: successes and errors as last read."""

    capacity: float
    joined_s: float
    learnt_s: float
    cost: float = 0.0
    successes: float = 0.0
    errors: float = 0.0
    counted: tuple[int, int] = (0, 0)
    window: Window | None = None


class Pool:
    """As picker.Pool, of plain sequences."""

    def __init__(
        self,
        capacities: Sequence[float],
        *,
        near: int = 0,
        pickers: float = 1.0,
        slow_start_s: float = 0.0,
        ramp_power: float = 1.0,
        least_ramp: float = 0.1,
        spill: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.near, self.load, self.slow_start_s, self.spill = near, own_load(pickers), slow_start_s, spill
        self.ramp_power, self.least_ramp = ramp_power, least_ramp
        self.state, self.margin = seed, 0.0
        self.endpoints = [Endpoint(capacity, -math.inf, -math.inf) for capacity in capacities]
        for endpoint in self.endpoints:
            self._set_cost(endpoint, -math.inf)

    def join(
        self, row: int, capacity: float, joined_s: float, now_s: float, successes: int = 0, errors: int = 0
    ) -> None:
        """Another endpoint in this row."""
        self.endpoints[row] = Endpoint(capacity, joined_s, now_s, counted=(successes, errors))
        self._set_cost(self.endpoints[row], now_s)

    def set_window(
        self,
        row: int,
        period_s: float,
        cores: float,
        requests: float,
        now_s: float,
        successes: int = 0,
        errors: int = 0,
    ) -> None:
        """The row's host works in windows."""
        endpoint = self.endpoints[row]
        if endpoint.window is None or endpoint.window.period_s != period_s:
            endpoint.window = Window(period_s, now_s, successes + errors)
        endpoint.window.requests = requests
        endpoint.window.service_s = cores * period_s / requests

    def window(self, row: int) -> tuple[bool, float, float, float, float] | None:
        """What is known of the row's windows."""
        window = self.endpoints[row].window
        if window is None:
            return None
        return window.is_trusted, window.begins_s, window.doubt, window.used, window.begun

    def costs(self) -> list[float]:
        """What a request costs each when idle."""
        return [endpoint.cost for endpoint in self.endpoints]

    def pick(
        self,
        in_flight: Sequence[int],
        now_s: float,
        successes: Sequence[int] = (),
        errors: Sequence[int] = (),
        tried: Sequence[int] = (),
    ) -> int:
        """The row of the least score, own zone first."""
        count = len(self.endpoints)
        counters = list(zip(successes, errors, strict=True)) or [(0, 0)] * count

        def score(row: int) -> float:
            endpoint = self.endpoints[row]
            window = endpoint.window
            if now_s - endpoint.learnt_s >= (window.period_s / LOOKS if window else LEARN_S):
                self._learn(endpoint, now_s, counters[row])
                if window:
                    self.margin = window.look(self.margin, float(in_flight[row]), sum(counters[row]), now_s)
            ahead = in_flight[row] * self.load + 1.0
            return (window.delay(self.margin, ahead, now_s) if window else ahead) * endpoint.cost

        row = self._choose(score, in_flight, tried)
        if row >= 0 and (window := self.endpoints[row].window):
            window.promise(self.margin, float(in_flight[row]), now_s)
        return row

    def _choose(self, score: Callable[[int], float], in_flight: Sequence[int], tried: Sequence[int]) -> int:
        count = len(self.endpoints)
        if not 0 < self.near < count:
            return self._best_of(0, count, score, in_flight, tried)[1]
        near_score, here = self._best_of(0, self.near, score, in_flight, tried)
        if here >= 0 and in_flight[here] == 0:
            return here
        far_score, there = self._best_of(self.near, count, score, in_flight, tried)
        if there < 0 or (here >= 0 and near_score <= far_score * self.spill):
            return here
        return there

    def _best_of(
        self,
        first: int,
        past: int,
        score: Callable[[int], float],
        in_flight: Sequence[int],
        tried: Sequence[int],
    ) -> tuple[float, int]:
        if past - first > SCANNED:
            best = self._least(self._drawn(first, past), score, in_flight, tried)
            if best[1] >= 0:
                return best
        return self._least(range(first, past), score, in_flight, tried)

    def _least(
        self,
        rows: Iterable[int],
        score: Callable[[int], float],
        in_flight: Sequence[int],
        tried: Sequence[int],
    ) -> tuple[float, int]:
        """The least score, and the row drawn among those that count as equal."""
        least, found, equals = math.inf, -1, 0
        for row in rows:
            this = score(row)
            slack = SLACK if found >= 0 and in_flight[row] == in_flight[found] == 0 else 1.0
            if (found >= 0 and not this <= least * slack) or (tried and tried[row]):
                continue
            equal = found >= 0 and least <= this * slack
            least = min(least, this)
            equals = equals + 1 if equal else 1
            if not equal or self.uniform() * equals < 1.0:
                found = row
        return least, found

    def _drawn(self, first: int, past: int) -> list[int]:
        ends = list(accumulate(endpoint.capacity for endpoint in self.endpoints))
        start = ends[first - 1] if first else 0.0
        points = [start + self.uniform() * (ends[past - 1] - start) for _ in range(CANDIDATES)]
        return [min(bisect_right(ends, point, first, past), past - 1) for point in points]

    def _learn(self, endpoint: Endpoint, now_s: float, counters: tuple[int, int]) -> None:
        fade = 2.0 ** ((endpoint.learnt_s - now_s) / HALF_LIFE_S)
        endpoint.successes += max(0, counters[0] - endpoint.counted[0])
        endpoint.errors += max(0, counters[1] - endpoint.counted[1])
        endpoint.counted = counters
        total = endpoint.successes + endpoint.errors
        if total > MEMORY:
            fade *= MEMORY / total
        endpoint.successes *= fade
        endpoint.errors = endpoint.errors * fade if endpoint.errors * fade >= FORGOTTEN else 0.0
        self._set_cost(endpoint, now_s)

    def _set_cost(self, endpoint: Endpoint, now_s: float) -> None:
        rate = (endpoint.successes + 1.0) / (endpoint.successes + endpoint.errors + 1.0)
        ramp, age_s = 1.0, now_s - endpoint.joined_s
        if age_s < self.slow_start_s:
            ramp = (age_s / self.slow_start_s) ** self.ramp_power if age_s > 0.0 else 0.0
            ramp = max(ramp, self.least_ramp)
        endpoint.cost = 1.0 / (endpoint.capacity * rate * rate * ramp)
        endpoint.learnt_s = now_s

    def uniform(self) -> float:
        """The next number in [0, 1)."""
        drawn = (mix(self.state) >> 11) * 2.0**-53
        self.state = self.state + GOLDEN & WORD
        return drawn
