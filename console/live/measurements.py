"""What hosts measured in the last minutes, as one process heard it: points in columns.

A fleet of ten thousand keeps three million points: as arrays they take a hundredth of a gigabyte for each thousand
hosts. The owner serialises its calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: A host's newest points, some 25 minutes of keepalives.
POINTS: Final = 300


class Measurements:
    """Hosts by points by resources; NaN is what a host did not measure. A host has a slot from its first point
    until it is forgotten."""

    def __init__(self, resources: int) -> None:
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._at: NDArray[np.float64] = np.zeros((0, POINTS))
        self._used: NDArray[np.float32] = np.zeros((0, POINTS, resources), np.float32)
        # Points that a host ever had; the newest is at (taken - 1) % POINTS.
        self._taken: NDArray[np.int64] = np.zeros(0, np.int64)

    def __contains__(self, host: object) -> bool:
        return host in self._slots

    def take(self, host: str, used: Sequence[float] | NDArray[np.float64], now: float) -> None:
        """A point of a host, [R], at a second; one that is not after its last replaces that."""
        slot = self._slots.get(host)
        if slot is None:
            slot = self._slots[host] = self._room()
        taken = self._taken[slot]
        last = (taken - 1) % POINTS
        if not taken or self._at[slot, last] < now:
            self._taken[slot] = taken + 1
            last = taken % POINTS
        self._at[slot, last] = now
        self._used[slot, last] = used

    def last(self, hosts: Sequence[str]) -> NDArray[np.float32]:
        """The newest points of these hosts, float32[N, R]; NaN for one that has none."""
        slots = np.array([self._slots.get(host, -1) for host in hosts], np.intp)
        known = slots >= 0
        table = np.full((len(hosts), self._used.shape[2]), np.nan, np.float32)
        table[known] = self._used[slots[known], (self._taken[slots[known]] - 1) % POINTS]
        return table

    def of(self, host: str) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """A host's points, oldest first: seconds [N], and what was in use, [N, R]."""
        slot = self._slots.get(host)
        if slot is None:
            return np.zeros(0), np.zeros((0, self._used.shape[2]), np.float32)
        taken = int(self._taken[slot])
        points = np.arange(max(taken - POINTS, 0), taken) % POINTS
        return self._at[slot, points], self._used[slot, points]

    def samples(
        self, hosts: Sequence[str], since: float, least: int, about: int
    ) -> Iterator[tuple[list[str], NDArray[np.float64], NDArray[np.float64]]]:
        """Samples of these hosts' points after a second, evenly apart and oldest first, the newest among them.

        Hosts with equally many come together: their names, seconds [H, N] and what was in use [H, N, R], 0 where it
        was not measured. More than half of about, and no more than it; hosts with fewer than least are left out.
        """
        slots = np.array([self._slots[host] for host in hosts], np.intp)
        taken = self._taken[slots]
        held = np.arange(POINTS) < taken[:, None]
        points = (held & (self._at[slots] >= since)).sum(axis=1)
        step = points // about + 1
        many = -(-points // step)
        for count in np.unique(many[many >= least]).tolist():
            chosen = np.flatnonzero(many == count)
            back = np.arange(count - 1, -1, -1) * step[chosen, None]
            place = (taken[chosen, None] - 1 - back) % POINTS
            at = slots[chosen, None]
            used = np.nan_to_num(self._used[at, place].astype(np.float64))
            yield [hosts[n] for n in chosen.tolist()], self._at[at, place], used

    def forget(self, hosts: Iterable[str]) -> None:
        """These hosts are gone."""
        for host in hosts:
            slot = self._slots.pop(host, None)
            if slot is not None:
                self._taken[slot] = 0
                self._free.append(slot)

    def widen(self, resources: int) -> None:
        """There are further resources, behind those that there were, which nobody measured."""
        more = resources - self._used.shape[2]
        self._used = np.pad(self._used, ((0, 0), (0, 0), (0, more)), constant_values=np.nan)

    def _room(self) -> int:
        """A slot that is nobody's."""
        if not self._free:
            self._grow()
        return self._free.pop()

    def _grow(self) -> None:
        room = len(self._taken)
        more = max(16, room // 2)
        self._at = np.concatenate([self._at, np.zeros((more, POINTS))])
        self._used = np.concatenate([self._used, np.zeros((more, *self._used.shape[1:]), np.float32)])
        self._taken = np.concatenate([self._taken, np.zeros(more, np.int64)])
        self._free += range(room + more - 1, room - 1, -1)
