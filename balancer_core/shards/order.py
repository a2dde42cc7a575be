"""In which order moves may be made, so that every moment between is legal, and how long it all takes.

Rules
1. While a replica is copied it is in both places: the target's room is taken from the start, the source's given
   back at the end.
2. No group has two replicas in one domain of its level, those on their way included; the one that a move
   replaces does not count.
3. No node goes above its ceiling, at no moment.
4. A host takes part in at most so many moves at once, each at its share of the host's bandwidth, so that all
   together never take more than that.
Theory of operation: the moves are tried in order of need (lost, leaving, from above the ceiling, then the largest);
whoever ends frees room, a slot or a domain, and those that wait for one of these are tried again. A move that can
never start is left out, with its reason; the state reached without it is legal too. Cost: O(M log M + M W), W the
moves that share a host or group.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np

from balancer_core.shards.problem import InvalidShards, Numbers, Shards

#: Why a move was left out.
NO_DOMAIN: Final = "domain"
NO_ROOM: Final = "room"


@dataclass(frozen=True, slots=True)
class Limits:
    """bytes_s: of each host, for all its moves together. per_host: moves it takes part in at once. together: moves
    of the whole cluster at once."""

    bytes_s: float = 100e6
    per_host: int = 2
    together: int = 64

    def __post_init__(self) -> None:
        if not 0.0 < self.bytes_s < float("inf"):
            raise InvalidShards("bytes_s", "out_of_range", "a finite rate above 0.")
        if self.per_host < 1 or self.together < 1:
            raise InvalidShards("per_host", "out_of_range", "at least one move at once.")

    @property
    def rate(self) -> float:
        """Bytes/s of one move."""
        return self.bytes_s / self.per_host


@dataclass(frozen=True, slots=True)
class Step:
    """A replica's move. source: the place it is copied from; of a lost one, where another of its group is.

    starts_s, ends_s: seconds from the plan's start, at the rate of the limits.
    """

    replica: int
    source: int
    target: int
    starts_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """steps: in the order in which they start. left_out: replica to NO_DOMAIN or NO_ROOM. takes_s: until the last
    has ended."""

    steps: tuple[Step, ...]
    left_out: dict[int, str]
    takes_s: float


def in_order(shards: Shards, at: Numbers, limits: Limits) -> Schedule:
    """The moves from home to `at`, ordered and timed."""
    return _Run(shards, at, limits).schedule()


class _Run:
    def __init__(self, shards: Shards, at: Numbers, limits: Limits) -> None:
        self._shards, self._limits = shards, limits
        self._at: list[int] = at.tolist()
        self._home: list[int] = shards.home.tolist()
        self._group, self._host = shards.group.tolist(), shards.host.tolist()
        self._level = shards.apart.tolist()
        self._domain = [row.tolist() for row in shards.domain]
        self._lost, self._gone = shards.lost.tolist(), shards.gone.tolist()
        self._node = [np.asarray(resource.node).tolist() for resource in shards.resources]
        self._demand = shards.demand.tolist()
        here = ~shards.lost[shards.home]
        self._members: dict[int, list[int]] = defaultdict(list)
        self._taken: Counter[tuple[int, int]] = Counter()
        self._moving = np.flatnonzero(at != shards.home).tolist()
        concerned = set(shards.group[self._moving].tolist())
        for replica in np.flatnonzero(here & np.isin(shards.group, list(concerned))).tolist():
            group = self._group[replica]
            self._members[group].append(replica)
            self._taken[group, self._domain[self._level[group]][self._home[replica]]] += 1
        self._load, self._ceiling = [], []
        for number, resource in enumerate(shards.resources):
            load = resource.base + np.bincount(
                resource.node[shards.home[here]],
                weights=shards.demand[here, number],
                minlength=len(resource.capacity),
            )
            self._load.append(load.tolist())
            limit = np.inf if resource.ceiling is None else resource.ceiling
            self._ceiling.append((np.asarray(resource.capacity) * limit).tolist())
        self._busy: Counter[int] = Counter()
        self._sources: dict[int, int] = {}
        self._now: list[int] = shards.home.tolist()

    def schedule(self) -> Schedule:
        rank = {replica: number for number, replica in enumerate(self._by_need())}
        waits: dict[tuple[str, int], set[int]] = defaultdict(set)
        for replica in rank:
            for key in self._keys(replica):
                waits[key].add(replica)
        by_rank = list(rank)
        ready, queued, waiting = list(range(len(by_rank))), set(range(len(by_rank))), set(rank)
        ends: list[tuple[float, int, int]] = []
        steps: list[Step] = []
        now, tried = 0.0, 0
        while True:
            while ready and len(ends) < self._limits.together:
                number = heapq.heappop(ready)
                queued.discard(number)
                replica = by_rank[number]
                if replica in waiting and self._hinders(replica) is None and self._has_slot(replica):
                    waiting.discard(replica)
                    ends_s = now + self._demand[replica][0] / self._limits.rate
                    steps.append(self._start(replica, now, ends_s))
                    heapq.heappush(ends, (ends_s, number, replica))
            if ends:
                now, _, replica = heapq.heappop(ends)
                again = set().union(*(waits[key] for key in self._end(replica))) & waiting
            elif len(steps) > tried:
                # Nothing is under way: whatever still waits gets another look, as long as that helps.
                again, tried = waiting, len(steps)
            else:
                break
            for number in {rank[other] for other in again} - queued:
                queued.add(number)
                heapq.heappush(ready, number)
        left_out = {replica: self._hinders(replica) or NO_ROOM for replica in sorted(waiting)}
        return Schedule(tuple(steps), left_out, max((step.ends_s for step in steps), default=0.0))

    def _by_need(self) -> list[int]:
        def need(replica: int) -> tuple[int, float, int]:
            home = self._home[replica]
            full = any(
                self._load[r][nodes[home]] > self._ceiling[r][nodes[home]]
                for r, nodes in enumerate(self._node)
            )
            urgency = 0 if self._lost[home] else 1 if full else 2 if self._gone[home] else 3
            return urgency, -self._demand[replica][0], replica

        return sorted(self._moving, key=need)

    def _keys(self, replica: int) -> list[tuple[str, int]]:
        """What a move may wait for: a group's domains, and its hosts' slots and room."""
        places = {self._host[self._at[replica]]}
        if not self._lost[self._home[replica]]:
            places.add(self._host[self._home[replica]])
        else:
            places |= {self._host[self._home[other]] for other in self._members[self._group[replica]]}
        return [("group", self._group[replica]), *(("host", host) for host in sorted(places))]

    def _hinders(self, replica: int) -> str | None:
        """What forbids the move at this moment, slots aside."""
        group, home, target = self._group[replica], self._home[replica], self._at[replica]
        domain = self._domain[self._level[group]]
        there = self._taken[group, domain[target]]
        if not self._lost[home] and domain[home] == domain[target]:
            there -= 1
        if there > 0:
            return NO_DOMAIN
        for r, nodes in enumerate(self._node):
            node, amount = nodes[target], self._demand[replica][r]
            comes = amount > 0 and (self._lost[home] or nodes[home] != node)
            if comes and self._load[r][node] + amount > self._ceiling[r][node]:
                return NO_ROOM
        return None

    def _has_slot(self, replica: int) -> bool:
        source = self._source(replica)
        if source is None:
            return False
        ends = {self._host[source], self._host[self._at[replica]]}
        return all(self._busy[host] < self._limits.per_host for host in ends)

    def _source(self, replica: int) -> int | None:
        """Where to copy from; of a lost replica the least busy place of another of its group, None for none."""
        home = self._home[replica]
        if not self._lost[home]:
            return home
        copies = [self._now[other] for other in self._members[self._group[replica]]]
        return min(copies, key=lambda place: (self._busy[self._host[place]], place), default=None)

    def _start(self, replica: int, now: float, ends_s: float) -> Step:
        source, target = self._source(replica), self._at[replica]
        if source is None:
            raise AssertionError("a move without a source had a slot")
        group = self._group[replica]
        self._taken[group, self._domain[self._level[group]][target]] += 1
        for r, nodes in enumerate(self._node):
            if self._lost[self._home[replica]] or nodes[target] != nodes[self._home[replica]]:
                self._load[r][nodes[target]] += self._demand[replica][r]
        self._sources[replica] = source
        for host in {self._host[source], self._host[target]}:
            self._busy[host] += 1
        return Step(replica, source, target, now, ends_s)

    def _end(self, replica: int) -> list[tuple[str, int]]:
        home, target = self._home[replica], self._at[replica]
        ends = {self._host[self._sources.pop(replica)], self._host[target]}
        for host in ends:
            self._busy[host] -= 1
        if not self._lost[home]:
            group = self._group[replica]
            self._taken[group, self._domain[self._level[group]][home]] -= 1
            for r, nodes in enumerate(self._node):
                if nodes[target] != nodes[home]:
                    self._load[r][nodes[home]] -= self._demand[replica][r]
        self._now[replica] = target
        if self._lost[home]:
            self._members[self._group[replica]].append(replica)
        return [("group", self._group[replica]), *(("host", host) for host in sorted(ends))]
