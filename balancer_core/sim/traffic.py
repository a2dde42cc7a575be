"""Requests on unequal hosts, steered: what would a law make of a service, with reports as old as they are?

Time runs in the kernel from event to event; between events of its own this loop changes hosts (changes),
makes agents' reports, and once in STEP_S lets the law see what it would see: the engine's counters at once,
agents' reports as late as they come. The law never sees a speed, a queue or a change.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.queues import Queues
from balancer_core.sim.servers import Change, Reports, Server
from balancer_core.steering import EndpointView, Steering

STEP_S: Final = 1.0
WINDOW_S: Final = 1.0  # what an agent's report averages over

Weights = Literal["equal", "perfect", "followed", "learned"]


@dataclass(frozen=True, slots=True)
class Requests:
    """What comes: the second of each, its work (1 on average, so that speeds are requests/s), its picker."""

    at_s: NDArray[np.float64]
    work: NDArray[np.float64]
    picker: NDArray[np.int32]


class _Report(NamedTuple):
    """What an agent said: of the second before at_s."""

    at_s: float
    utilisation: float
    bottleneck: str


@dataclass(frozen=True, slots=True)
class Picking:
    """Who picks and how. policy: of Queues. weights: all 1, the speeds at the start, the speeds as they are
    every second, or learned.

    choices: draws by weight, 0 to look at all. own_counts: what a picker counts each of its own in flight as.
    latency: whether the engine tells the law how long requests took.
    """

    policy: str = "shortest_delay"
    weights: Weights = "learned"
    pickers: int = 1
    choices: int = 0
    own_counts: float = 1.0
    latency: bool = False


class Traffic:
    """One run, to be used once.

    servers: first to last as in all figures; they change while it runs. shared: whether a host serves all its
    requests by turns, not first come first served. most_speed: work/s that a single request can use of a host.
    way_s: of the network, each way. weights: a row a step. reasons: of the last plan.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        requests: Requests,
        picking: Picking,
        changes: Iterable[Change] = (),
        *,
        reports: Reports | None = None,
        shared: bool = False,
        most_speed: float = math.inf,
        way_s: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.servers, self.requests, self.picking = list(servers), requests, picking
        self.reports = reports or Reports()
        self.steering = Steering()
        self.weights: list[NDArray[np.float64]] = []
        self.reasons: dict[str, str] = {}
        self.queues = Queues(
            requests.at_s,
            requests.work,
            requests.picker,
            [each.speed_now for each in self.servers],
            policy=picking.policy,
            seed=seed,
            pickers=picking.pickers,
            shared=shared,
            most_speed=most_speed,
            way_s=way_s,
            choices=picking.choices,
            scale=picking.own_counts,
        )
        count = len(self.servers)
        self._at_first = self.queues.speed.copy()
        self._seen = np.zeros((4, count))
        self._said: list[list[_Report]] = [[] for _ in self.servers]
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._made = 0
        for change in changes:
            self._at(change.at_s, partial(self._change, change))
        for number in range(count):
            # Agents do not report in step.
            self._at(self.reports.every_s * (number + 1) / count, partial(self._sample, number))
        self._at(0.0, self._step)

    def run(self, until_s: float) -> Traffic:
        """Steer up to this second, then let end what has begun. O(requests x hosts).

        What comes after until_s is picked with the last weights. Requests on a host that stands still never end.
        """
        while self._events and self._events[0][0] <= until_s:
            at_s, _, act = heapq.heappop(self._events)
            if at_s > 0.0:
                self.queues.advance(at_s)
            act(at_s)
        self.queues.advance(math.inf)
        return self

    def latencies_s(self, begin_s: float, end_s: float) -> NDArray[np.float64]:
        """Of the requests that came in this time and did not fail; inf for those that have not ended."""
        came = (self.requests.at_s >= begin_s) & (self.requests.at_s < end_s) & (self.queues.failed == 0)
        ended = self.queues.ended_in_s[came]
        return np.where(np.isnan(ended), math.inf, ended)

    def shares(self, begin_s: float, end_s: float) -> NDArray[np.float64]:
        """Of the requests that came in this time, by server; failed ones too."""
        came = (self.requests.at_s >= begin_s) & (self.requests.at_s < end_s)
        taken = np.bincount(self.queues.taken_by[came], minlength=len(self.servers))
        shares: NDArray[np.float64] = taken / max(1, taken.sum())
        return shares

    def _at(self, at_s: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (at_s, self._made, act))
        self._made += 1

    def _change(self, change: Change, now: float) -> None:
        server = self.servers[change.server]
        setattr(server, change.what, change.value)
        self.queues.speed[change.server] = server.speed_now
        self.queues.fails[change.server] = server.fails

    def _sample(self, number: int, now: float) -> None:
        """An agent begins to look; a window later it has a report."""
        busy_s = float(self.queues.busy_s[number])
        self._at(now + WINDOW_S, partial(self._report, number, busy_s))
        self._at(now + self.reports.every_s, partial(self._sample, number))

    def _report(self, number: int, busy_s: float, now: float) -> None:
        busy = (float(self.queues.busy_s[number]) - busy_s) / WINDOW_S
        self._said[number].append(_Report(now, *self.servers[number].report(min(busy, 1.0))))

    def _step(self, now: float) -> None:
        self._at(now + STEP_S, self._step)
        weight = self.queues.weight
        if self.picking.weights == "learned":
            plan = self.steering.step(self._views(now), now)
            self.reasons = dict(plan.reasons)
            weight[:] = [plan.weights.get(each.name, 0) for each in self.servers]
        elif self.picking.weights == "followed":
            weight[:] = [each.speed_now * each.there for each in self.servers]
        else:
            fixed = self._at_first if self.picking.weights == "perfect" else np.ones(len(self.servers))
            weight[:] = fixed * [each.there for each in self.servers]
        self.weights.append(weight.copy())

    def _views(self, now: float) -> list[EndpointView]:
        queues = self.queues
        counted = np.array([queues.asked, queues.errors, queues.ended, queues.latency_s], np.float64)
        since, self._seen = counted - self._seen, counted
        views = []
        for number, server in enumerate(self.servers):
            if not server.there:
                continue
            said = self._said[number]
            while len(said) > 1 and said[1].at_s + self.reports.late_s <= now:
                said.pop(0)
            heard = (
                said[0] if said and said[0].at_s + self.reports.late_s <= now else _Report(-math.inf, 0.0, "")
            )
            asked, errors, ended, latency_s = since[:, number].tolist()
            views.append(
                EndpointView(
                    key=server.name,
                    capacity_cores=server.cores,
                    utilisation=heard.utilisation,
                    rate_per_s=asked / STEP_S,
                    errors_per_s=errors / STEP_S,
                    in_flight=float(queues.in_flight[number]),
                    report_age_s=now - heard.at_s,
                    healthy=True,
                    latency_s=latency_s / ended if self.picking.latency and ended else None,
                    bottleneck=heard.bottleneck,
                )
            )
        return views
