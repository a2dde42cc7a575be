"""Small clusters with shards on them, and a judge of schedules that recounts everything at every moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from balancer_core.shards import Limits, Resource, Schedule, Shards

HOST, RACK = 0, 1


def cluster(
    hosts: int, racks: int, sizes: Sequence[Sequence[float]], homes: Sequence[Sequence[int]],
    *, capacity: float = 100.0, ceiling: float | None = 0.9, drained: Sequence[int] = (),
    lost: Sequence[int] = (), cordoned: Sequence[int] = (), apart: int = HOST,
) -> Shards:  # fmt: skip
    """One place a host; host h is in rack h % racks. sizes[g][k], homes[g][k]: of replica k of group g.

    Beside bytes each replica has a load of the square root of its size, of which a host has 100 as well.
    """
    amounts = np.array([size for group in sizes for size in group], dtype=float)
    own = np.arange(hosts, dtype=np.int32)
    gone = np.isin(own, [*drained, *lost])
    return Shards(
        resources=(
            Resource("bytes", own, np.full(hosts, capacity), np.zeros(hosts), ceiling),
            Resource("load", own, np.full(hosts, 100.0), np.zeros(hosts)),
        ),
        host=own,
        domain=np.stack([own, own % racks]),
        accepts=~gone & ~np.isin(own, cordoned),
        gone=gone,
        lost=np.isin(own, lost),
        demand=np.stack([amounts, np.sqrt(amounts)], axis=1),
        group=np.array([g for g, group in enumerate(sizes) for _ in group], dtype=np.int32),
        home=np.array([home for group in homes for home in group], dtype=np.int32),
        apart=np.full(len(sizes), apart, dtype=np.int32),
    )


@st.composite
def clusters(draw: st.DrawFn) -> Shards:
    """Up to eight hosts in up to four racks, tight or roomy, some drained, lost or cordoned."""
    hosts = draw(st.integers(2, 8))
    racks = draw(st.integers(1, min(4, hosts)))
    level = draw(st.sampled_from([HOST, RACK]))
    domains = hosts if level == HOST else racks
    homes, sizes = [], []
    for _ in range(draw(st.integers(1, 12))):
        count = draw(st.integers(1, min(3, domains)))
        chosen = draw(st.permutations(range(hosts)))
        apart: dict[int, int] = {}
        for host in chosen:
            apart.setdefault(host if level == HOST else host % racks, host)
        homes.append(list(apart.values())[:count])
        sizes.append([draw(st.integers(1, 20)) for _ in range(len(homes[-1]))])
    out = draw(st.lists(st.integers(0, hosts - 1), max_size=3, unique=True))
    return cluster(
        hosts, racks, sizes, homes,
        capacity=draw(st.sampled_from([40.0, 70.0, 100.0])),
        drained=out[:1], lost=out[1:2], cordoned=out[2:], apart=level,
    )  # fmt: skip


class Judge:
    """Replays a schedule and holds every moment of it to the rules, knowing nothing of how it was made."""

    def __init__(self, shards: Shards, limits: Limits) -> None:
        self.shards, self.limits = shards, limits
        count = len(shards.group)
        self.copies: list[set[int]] = [
            set() if shards.lost[shards.home[i]] else {int(shards.home[i])} for i in range(count)
        ]
        self.before = self._crowded()

    def replay(self, schedule: Schedule) -> None:
        """Every prefix is legal. Raises AssertionError."""
        moments = [(step.starts_s, 1, number) for number, step in enumerate(schedule.steps)]
        moments += [(step.ends_s, 0, number) for number, step in enumerate(schedule.steps)]
        flying: set[int] = set()
        for _, begins, number in sorted(moments):
            step = schedule.steps[number]
            if begins:
                home = int(self.shards.home[step.replica])
                assert self.shards.accepts[step.target], "a place that takes nothing got a replica"
                group = self.shards.group[step.replica]
                peers = [
                    i for i in np.flatnonzero(self.shards.group == group) if step.source in self.copies[i]
                ]
                assert peers, "it is copied from where it is not"
                assert self.shards.lost[home] or step.source == home
                self.copies[step.replica].add(step.target)
                flying.add(number)
            else:
                home = int(self.shards.home[step.replica])
                self.copies[step.replica] = {step.target}
                flying.discard(number)
                assert home not in self.copies[step.replica]
            self._check([schedule.steps[other] for other in flying])

    def _check(self, flying: Sequence[object]) -> None:
        assert self._crowded() <= self.before, "two of a group share a domain"
        for number, resource in enumerate(self.shards.resources):
            if resource.ceiling is None:
                continue
            used = resource.base.copy()
            was = resource.base.copy()
            for replica, places in enumerate(self.copies):
                for node in {int(resource.node[place]) for place in places}:
                    used[node] += self.shards.demand[replica, number]
                was[resource.node[self.shards.home[replica]]] += self.shards.demand[replica, number]
            over = used > resource.capacity * resource.ceiling + 1e-9
            assert not (over & (used > was + 1e-9)).any(), "a node above its ceiling took more"
        assert len(flying) <= self.limits.together
        ends = [
            host
            for step in flying
            for host in {int(self.shards.host[step.source]), int(self.shards.host[step.target])}  # type: ignore[attr-defined]
        ]
        assert all(ends.count(host) <= self.limits.per_host for host in ends)

    def _crowded(self) -> set[tuple[int, int, int]]:
        """Pairs of one group in one domain of its level, with the domain; a replica's own two places are no pair."""
        found = set()
        for group in range(len(self.shards.apart)):
            row = self.shards.domain[self.shards.apart[group]]
            members = np.flatnonzero(self.shards.group == group).tolist()
            for i in members:
                for j in members:
                    shared = {row[p] for p in self.copies[i]} & {row[p] for p in self.copies[j]}
                    if i < j and shared:
                        found |= {(i, j, int(domain)) for domain in shared}
        return found
