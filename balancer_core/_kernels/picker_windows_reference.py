"""The contract of picker_windows.h in plain Python: the same operations in the same order."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: As in picker_windows.h.
LOOKS, FOUND, STILL = 256.0, 0.17, 1.5
LEAST_DOUBT, DRIFT, FAR = 2.5e-7, 1e-7, 9.0
BETTER, WRONG_HALF_S = 0.8, 5.0
BREAKING, STEP, GIVEN_UP, MOST = 0.005, 0.1, 2.5, 3.0


@dataclass(slots=True)
class Window:
    """What is known of one host that works in windows; made at a second of looked_s, of which nothing is known."""

    period_s: float
    looked_s: float
    answered: int
    requests: float = 1.0
    service_s: float = 0.0
    begins_s: float = 0.0
    doubt: float = 0.0
    used: float = 0.0
    begun: float = 0.0
    begun_even: float = 0.0
    wrong: float = 0.0
    wrong_even: float = 0.0
    stirred_s: float = 0.0
    in_flight: float = 0.0
    due: int = 0
    due_s: float = 0.0

    def __post_init__(self) -> None:
        self.doubt = self.period_s * self.period_s / 12.0
        self.stirred_s = self.looked_s

    @property
    def is_found(self) -> bool:
        most = FOUND * self.period_s
        return self.doubt < most * most

    @property
    def is_trusted(self) -> bool:
        return self.is_found and self.wrong + BETTER < self.wrong_even * BETTER

    def look(self, margin: float, in_flight: float, count: int, now_s: float) -> float:
        """See what is in flight, and the count of all answers. The pool's margin from then on."""
        answered = float(max(0, count - self.answered))
        still = self.looked_s - self.stirred_s > STILL * self.service_s
        if answered > 0.0 and self.in_flight > 0.0 and still:
            self._find(answered, now_s)
        if self.is_found:
            self._follow(in_flight, answered, now_s)
        else:
            self.used = self.begun = self.begun_even = 0.0
        if self.due and count >= self.due:
            margin, self.due = max(0.0, margin - STEP * BREAKING), 0
        elif self.due and now_s > self.due_s:
            margin, self.due = min(MOST, margin + STEP * (1.0 - BREAKING)), 0
        if answered > 0.0 or self.in_flight == 0.0:
            self.stirred_s = now_s
        self.looked_s, self.answered, self.in_flight = now_s, count, in_flight
        return margin

    def delay(self, margin: float, ahead: float, now_s: float) -> float:
        """What a request has before its end, in the host's own mean services."""
        if margin > GIVEN_UP or not self.is_trusted:
            return ahead
        left, per_s = ahead - self.begun, self.requests / self.period_s
        if self._fits(margin, left):
            return left * self.service_s * per_s
        over = max(0.0, left - (self.requests - self.used))
        return (self.period_s - self._into(now_s)) * per_s + over

    def promise(self, margin: float, in_flight: float, now_s: float) -> None:
        """A request goes there."""
        ahead = in_flight + 1.0 - self.begun
        if self.is_trusted and self._fits(margin, ahead):
            self.due = self.answered + int(in_flight) + 1
            self.due_s = now_s + (ahead + 1.0) * self.service_s
        if in_flight == 0.0:
            self.stirred_s = now_s
        self.in_flight = in_flight + 1.0

    def _fits(self, margin: float, ahead: float) -> bool:
        return ahead + margin * math.sqrt(self.used + ahead) <= self.requests - self.used

    def _into(self, now_s: float) -> float:
        periods = (now_s - self.begins_s) / self.period_s
        return (periods - math.floor(periods)) * self.period_s

    def _find(self, answered: float, now_s: float) -> None:
        least_s = self.looked_s - self.service_s
        most_s = max(least_s, now_s - (answered - 1.0) * self.service_s)
        wide_s = most_s - least_s
        if wide_s > 0.8 * self.period_s:
            return
        error = wide_s * wide_s / 12.0 + LEAST_DOUBT
        self.doubt += DRIFT * (now_s - self.looked_s)
        off = ((least_s + most_s) * 0.5 - self.begins_s) / self.period_s
        off_s = (off - math.floor(off + 0.5)) * self.period_s
        if off_s * off_s > FAR * (self.doubt + error):
            self.doubt = min(self.period_s * self.period_s / 12.0, 4.0 * (self.doubt + 1e-6))
        else:
            gain = self.doubt / (self.doubt + error)
            self.begins_s += gain * off_s
            self.doubt *= 1.0 - gain

    def _follow(self, in_flight: float, answered: float, now_s: float) -> None:
        even = (now_s - self.looked_s) * (self.requests / self.period_s)
        self.begun_even += min(even, max(0.0, self.in_flight - self.begun_even))
        self.begun += self._work(now_s)
        self.begun, off = _corrected(self.begun, answered, in_flight)
        self.begun_even, off_even = _corrected(self.begun_even, answered, in_flight)
        self.used = min(max(self.used - off, 0.0), self.requests)
        fade = 2.0 ** ((self.looked_s - now_s) / WRONG_HALF_S)
        self.wrong = self.wrong * fade + abs(off)
        self.wrong_even = self.wrong_even * fade + abs(off_even)

    def _work(self, now_s: float) -> float:
        passed_s, since_s = now_s - self.looked_s, self._into(now_s)
        there = max(0.0, self.in_flight - self.begun)
        left = max(0.0, self.requests - self.used)
        if passed_s <= since_s:
            work = min(passed_s / self.service_s, left, there)
            self.used += work
            return work
        rest_s = self.period_s - self._into(self.looked_s)
        first = min(rest_s / self.service_s, left, there)
        whole = max(0.0, math.floor((passed_s - since_s - rest_s) / self.period_s + 0.5))
        between = min(whole * self.requests, there - first)
        self.used = min(since_s / self.service_s, self.requests, there - first - between)
        return first + between + self.used


def _corrected(begun: float, answered: float, in_flight: float) -> tuple[float, float]:
    held = begun - answered
    kept = min(max(held, 0.0), 1.0) if in_flight > 0.0 else 0.0
    return kept, held - kept
