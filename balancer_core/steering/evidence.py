"""What has been seen of one endpoint, in sums that fade: how fast it serves, and what a request costs its host.

Two memories of different length:
- the engine's figures, fresh every step, faded with FAST_S: requests served, requests waiting, failures;
- the agent's reports, as old as they are, faded with COST_S: each is held against the requests that were
  served in the second that it describes, which is why served rates are kept for as long as a report may be
  old. Holding an old report against today's rate is what makes loops with delay swing.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from balancer_core.steering.views import EndpointView

FAST_S: Final = 1.5
BUSY_S: Final = 4.0  # for how long it counts that a host had requests whenever it was looked at
ERROR_S: Final = (
    10.0  # failures are remembered longer, or a failing endpoint would be tried every few seconds
)
COST_S: Final = 15.0
SMOOTH_S: Final = 2.0
FORGET_S: Final = 40.0  # a cost fades with this when there are no reports
KEEP_S: Final = 300.0  # and with this when they come, but with nothing to learn: the host is merely idle
FRESH_S: Final = 15.0  # up to here a report counts in full: what it says of a capacity does not age fast
STALE_S: Final = 45.0  # older reports are held against nothing
WINDOW_S: Final = 1.0  # what an agent's report averages over
ENOUGH: Final = 60.0  # requests: more of them make a cost no surer
FAILING: Final = 0.1  # share of requests: where more fail, the figures are not of serving
IDLE: Final = 0.05  # below this utilisation is noise, and says nothing about costs
BACKGROUND: Final = 0.1  # utilisation beyond the known cost of the requests: other work, not dearer requests
MARGIN: Final = 0.02  # of that: how far reports and requests of one second miss each other
FALL_S: Final = 1.0  # other work that seems to have ended is believed to have
DEVIATIONS: Final = 1.5
DOUBT: Final = 0.125  # what a report with such other work counts for a request's cost


class _Span(NamedTuple):
    """What an endpoint did between two steps."""

    begin: float
    end: float
    rate_per_s: float
    in_flight: float


@dataclass(slots=True)
class Evidence:
    """Sums of one endpoint. Times are the caller's seconds."""

    served: float = 0.0  # requests, faded with FAST_S
    waited: float = 0.0  # requests in flight x seconds, faded with FAST_S
    span_s: float = 0.0
    looks: float = 0.0  # how many figures waited is made of
    counts: float = 0.0  # how often requests in flight were counted, faded with BUSY_S
    busy: float = 0.0  # looks at which every server of the host had a request
    asked: float = 0.0  # requests, faded with FAST_S
    failed: float = 0.0
    asked_long: float = 0.0  # faded with ERROR_S
    failed_long: float = 0.0
    used: float = 0.0  # of the host x seconds, faded with COST_S
    made: float = 0.0  # requests served meanwhile
    sure: float = 0.0  # requests that the cost rests on, up to ENOUGH
    base: float = 0.0  # utilisation while no request was there: other work, and the host's own
    bottleneck: str = ""
    in_flight: float | None = None
    reported_at: float = -math.inf
    recent_used: float = 0.0  # as used, made and their seconds, faded with SMOOTH_S
    recent_made: float = 0.0
    recent_s: float = 0.0
    history: deque[_Span] = field(default_factory=deque)

    def observe(self, view: EndpointView, servers: float, now: float, elapsed_s: float) -> None:
        """Take in what the engine counted in the elapsed_s before now. servers: requests served at once."""
        before = view.in_flight if self.in_flight is None else self.in_flight
        self.in_flight = view.in_flight
        self._fade(elapsed_s, FORGET_S if view.report_age_s > STALE_S else KEEP_S)
        if elapsed_s <= 0.0:
            return
        ended = max(0.0, view.rate_per_s * elapsed_s - (view.in_flight - before))
        failed = min(view.errors_per_s * elapsed_s, max(ended, view.rate_per_s * elapsed_s))
        served = max(0.0, ended - failed)
        waiting = view.in_flight
        if view.latency_s is not None and ended > 0.0:
            # Little's law on what ended; what does not end at all shows in the count alone.
            waiting = ended * view.latency_s / elapsed_s
            if view.in_flight > 2.0 * waiting + 4.0:
                waiting = view.in_flight
        self.served += served
        self.waited += waiting * elapsed_s
        self.span_s += elapsed_s
        self.looks += 1.0 if view.latency_s is None else 1.0 + ended
        self.counts += 1.0
        self.busy += view.in_flight >= servers
        self.asked += view.rate_per_s * elapsed_s
        self.failed += failed
        self.asked_long += view.rate_per_s * elapsed_s
        self.failed_long += failed
        self.history.append(_Span(now - elapsed_s, now, served / elapsed_s, max(before, view.in_flight)))
        while self.history and self.history[0].end < now - STALE_S - WINDOW_S:
            self.history.popleft()

    def learn(self, view: EndpointView, now: float) -> None:
        """Take in the agent's report, if it is a new one."""
        reported_at = now - view.report_age_s
        since_s = min(reported_at - self.reported_at, COST_S)
        if since_s < WINDOW_S / 4.0 or view.report_age_s > STALE_S:
            return
        then = self._then(reported_at)
        self.reported_at = reported_at
        if then is None:
            return
        rate, waiting = then
        if view.bottleneck != self.bottleneck:
            # What a request costs of one resource says nothing of another.
            self.bottleneck = view.bottleneck
            self.used = self.made = self.sure = self.base = 0.0
        utilisation = min(view.utilisation, 1.0)
        kept = math.exp(-since_s / SMOOTH_S)
        self.recent_used = self.recent_used * kept + utilisation * WINDOW_S
        self.recent_made = self.recent_made * kept + rate * WINDOW_S
        self.recent_s = self.recent_s * kept + WINDOW_S
        if rate == 0.0 and waiting == 0.0:
            self.base += (utilisation - self.base) * (1.0 - math.exp(-since_s / COST_S))
            return
        if self.made > 0.0:
            # What the requests do not explain is the most that other work can be: what it was while none was there may
            # have ended since. Until that is clear, the difference says nothing of what requests cost.
            most = max(0.0, self.recent_used - self.cost * self.recent_made) / self.recent_s
            over = max(0.0, self.base - most)
            self.base -= over * (1.0 - math.exp(-since_s / FALL_S))
            if over > MARGIN:
                return
        expected, own = self.cost * rate, max(0.0, utilisation - self.base)
        if view.error_share > FAILING or (own < IDLE and expected > 2.0 * IDLE):
            # Requests that fail cost something else, and a host that says it is idle while it serves says nothing.
            return
        doubted = self.sure > ENOUGH / 3.0 and own - expected > BACKGROUND
        counts_s = min(since_s, 4.0 * WINDOW_S) * (DOUBT if doubted else 1.0)
        kept = math.exp(-counts_s / COST_S)
        self.used = self.used * kept + own * counts_s
        self.made = self.made * kept + rate * counts_s
        self.sure = min(ENOUGH, self.sure + rate * counts_s)

    @property
    def cost(self) -> float:
        """Of the host a request, x seconds, as learnt; inf before that."""
        return self.used / self.made if self.made > 0.0 else math.inf

    @property
    def rate_per_s(self) -> float:
        """Requests served a second, lately."""
        return self.served / self.span_s if self.span_s > 0.0 else 0.0

    @property
    def waiting(self) -> float:
        """Requests in flight on average, lately."""
        return self.waited / self.span_s if self.span_s > 0.0 else 0.0

    def taken(self, cost: float) -> float:
        """Share of the host that other work has, by the last reports, if a request costs so much.

        One request more or less may have been under way when the agent looked.
        """
        if self.recent_s <= 0.0:
            return 0.0
        return min(1.0, max(0.0, (self.recent_used - cost * (self.recent_made + 1.0)) / self.recent_s))

    @property
    def doubt(self) -> float:
        """How far waiting may be off, in requests: as a Poisson count's, of so many looks."""
        return DEVIATIONS * math.sqrt((self.waiting + 0.5) / self.looks) if self.looks > 0.0 else math.inf

    @property
    def error_share(self) -> float:
        """Share of requests that fail: at once when they begin to, and remembered for a while."""
        return max(self.failed / (self.asked + 0.5), self.failed_long / (self.asked_long + 0.5))

    def _fade(self, elapsed_s: float, forget_s: float) -> None:
        fast, busy = math.exp(-elapsed_s / FAST_S), math.exp(-elapsed_s / BUSY_S)
        slow = math.exp(-elapsed_s / ERROR_S)
        self.served *= fast
        self.waited *= fast
        self.span_s *= fast
        self.looks *= fast
        self.counts *= busy
        self.busy *= busy
        self.asked *= fast
        self.failed *= fast
        self.asked_long *= slow
        self.failed_long *= slow
        self.sure *= math.exp(-elapsed_s / forget_s)

    def _then(self, reported_at: float) -> tuple[float, float] | None:
        """Requests/s served in the second before, and the most that were in flight; None where not known."""
        served = known_s = most = 0.0
        for span in reversed(self.history):
            if span.end <= reported_at - WINDOW_S:
                break
            overlap_s = min(span.end, reported_at) - max(span.begin, reported_at - WINDOW_S)
            if overlap_s > 0.0:
                served += span.rate_per_s * overlap_s
                known_s += overlap_s
                most = max(most, span.in_flight)
        return (served / known_s, most) if known_s >= WINDOW_S / 2.0 else None
