"""The discrete-event loop: arrivals, ends, reports, failures and their detection, in order of time.

Theory of operation
- A heap of events by second, then by order of making; nothing happens between events, so a run costs what its
  events do.
- The core sees what it would see: reports once in REPORT_S from hosts that can report, ledger entries at
  once, the flag LOST once a host has been silent for detect_s. It never sees a failure itself.
- When a host is found lost, its loads are decided anew, in the order in which they came, and start over;
  those that find no place are gone. A host that was only silent stops what was placed elsewhere meanwhile
  (the ledger's word counts).
- A slow host keeps what it has; its capacity in the columns shrinks with its next report, as an agent would
  say.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.columns import LOST, Cluster
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.decision import Decision
from balancer_core.load import Load
from balancer_core.placement import decide
from balancer_core.resources import RATE, Dimensions
from balancer_core.sim.arrivals import Arrival
from balancer_core.sim.profiles import SLOW, Event, Failure, SimulatedHost
from balancer_core.sim.summary import Summary

REPORT_S: Final = 1.0

#: As the product's failure detection: long enough for a pause, short enough for a job.
DETECT_S: Final = 10.0

Choose = Callable[[Snapshot, Load, float], Decision]


@dataclass(slots=True, eq=False)
class _Running:
    arrival: Arrival
    host: str
    demand: NDArray[np.float64]


class Simulation:
    """One run. hosts, arrivals and failures in any order; choose: decide, or what is to be compared with it.

    Errors: those of Cluster and decide() for what they are given; KeyError for a failure of an unknown host.
    """

    def __init__(
        self,
        hosts: Sequence[SimulatedHost],
        arrivals: Iterable[Arrival],
        failures: Iterable[Failure] = (),
        *,
        dimensions: Dimensions | None = None,
        report_s: float = REPORT_S,
        detect_s: float = DETECT_S,
        choose: Choose = decide,
    ) -> None:
        if not (report_s > 0.0 and detect_s > 0.0):
            raise ValueError(
                f"reports every {report_s!r} s, detection after {detect_s!r} s: both must be above 0"
            )
        self.cluster = Cluster(dimensions)
        self.summary = Summary()
        self._report_s, self._detect_s, self._choose = report_s, detect_s, choose
        self._capacity = {host.name: dict(host.capacity) for host in hosts}
        self._state: dict[str, Event] = {host.name: "well" for host in hosts}
        self._heard_s = dict.fromkeys(self._state, 0.0)
        self._running: dict[str, list[_Running]] = {host.name: [] for host in hosts}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._made = 0
        self._last_s = self._uneven_s = 0.0
        self._reserved_s: NDArray[np.float64] = np.zeros(len(self.cluster.dimensions))
        for number, host in enumerate(hosts):
            self.cluster.add_host(host.name, host.capacity, host.labels)
            # Agents do not report in step.
            self._at(report_s * number / len(hosts), partial(self._report, host.name))
        for arrival in arrivals:
            self._at(arrival.at_s, partial(self._arrive, arrival))
        for failure in failures:
            _ = self._state[failure.host]
            self._at(failure.at_s, partial(self._fail, failure))

    def run(self, until_s: float) -> Summary:
        """Everything up to this second. O(events log events) beside the decisions. To be called once."""
        if not math.isfinite(until_s):
            raise ValueError(f"a run ends at a second, not at {until_s!r}")
        while self._events and self._events[0][0] <= until_s:
            now, _, act = heapq.heappop(self._events)
            self._measure(now)
            act(now)
        self._measure(until_s)
        summary, names = self.summary, self.cluster.dimensions.names
        summary.running = sum(len(each) for each in self._running.values())
        if self._last_s > 0.0:
            shares = (self._reserved_s / self._last_s).tolist()
            summary.utilisation = dict(zip(names, shares, strict=True))
            summary.uneven = self._uneven_s / self._last_s
        return summary

    def _at(self, at_s: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (at_s, self._made, act))
        self._made += 1

    def _arrive(self, arrival: Arrival, now: float) -> None:
        self.summary.arrived += 1
        if self._place(arrival, now):
            self.summary.placed += 1
        else:
            self.summary.refused += 1

    def _place(self, arrival: Arrival, now: float) -> bool:
        decision = self._choose(self.cluster.snapshot(), arrival.load, now)
        if decision.host is None:
            self.summary.reasons.update(decision.rejected)
            return False
        demand = self.cluster.dimensions.vector(arrival.load.demand)
        self.cluster.reserve(decision.host, demand)
        running = _Running(arrival, decision.host, demand)
        self._running[decision.host].append(running)
        self._at(now + arrival.lasts_s, partial(self._finish, running))
        snapshot, row = self.cluster.snapshot(), self.cluster.row(decision.host)
        asked = demand > 0.0
        if asked.any():
            shares = snapshot.reserved[row][asked] / snapshot.capacity[row][asked]
            self.summary.fullest = max(self.summary.fullest, float(shares.max()))
        return True

    def _finish(self, running: _Running, now: float) -> None:
        # What was lost meanwhile has started over elsewhere, with an end of its own.
        if running in self._running[running.host] and self._state[running.host] != "gone":
            self._running[running.host].remove(running)
            self.cluster.release(running.host, running.demand)
            self.summary.finished += 1

    def _report(self, host: str, now: float) -> None:
        self._at(now + self._report_s, partial(self._report, host))
        state = self._state[host]
        if state in ("gone", "silent"):
            if now - self._heard_s[host] >= self._detect_s and not self.cluster.flags(host) & LOST:
                self._lose(host, now)
            return
        self._heard_s[host] = now
        dimensions = self.cluster.dimensions
        self.cluster.set_capacity(host, self._present(host, state))
        uses = [running.demand * running.arrival.uses for running in self._running[host]]
        self.cluster.report(host, dimensions.mapping(np.sum(uses, axis=0)) if uses else {}, now)
        self.cluster.set_flags(host, 0)

    def _present(self, host: str, state: Event) -> dict[str, float]:
        dimensions, share = self.cluster.dimensions, SLOW if state == "slow" else 1.0
        rates = {
            name
            for name, kind in zip(dimensions.names, dimensions.kinds.tolist(), strict=True)
            if kind == RATE
        }
        return {name: has * (share if name in rates else 1.0) for name, has in self._capacity[host].items()}

    def _fail(self, failure: Failure, now: float) -> None:
        host, was = failure.host, self._state[failure.host]
        self._state[host] = failure.event
        if was == "gone" and not self.cluster.flags(host) & LOST:
            # Back before anybody noticed, but its loads went down with it.
            self._lose(host, now)
            self.cluster.set_flags(host, 0)

    def _lose(self, host: str, now: float) -> None:
        self.cluster.set_flags(host, LOST)
        fallen, self._running[host] = self._running[host], []
        self.cluster.set_reserved(host, np.zeros(len(self.cluster.dimensions)))
        for running in fallen:
            self.summary.lost += 1
            self.summary.replaced += self._place(running.arrival, now)

    def _measure(self, now: float) -> None:
        """Add the time since the last event to the means."""
        since, self._last_s = now - self._last_s, now
        if since <= 0.0 or not len(self.cluster):
            return
        snapshot = self.cluster.snapshot()
        there = snapshot.flags == 0
        reserved, capacity = snapshot.reserved[there], snapshot.capacity[there]
        total = capacity.sum(axis=0)
        used = np.divide(reserved.sum(axis=0), total, out=np.zeros_like(total), where=total > 0.0)
        self._reserved_s += since * used
        shares = np.divide(reserved, capacity, out=np.zeros_like(capacity), where=capacity > 0.0).max(axis=1)
        mean = float(shares.mean()) if len(shares) else 0.0
        self._uneven_s += since * (float(shares.max()) / mean if mean > 0.0 else 1.0)
