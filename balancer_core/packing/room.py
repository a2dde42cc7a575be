"""Keep room for what typically comes, and match shapes.

Two losses are weighed for each host that could take a load:
- Room: how many copies of each typical shape the host can take less afterwards, each counted by its devices
  and by how often the shape comes. A half-used device, a host without cores for its devices, an opened whole
  host: all show as copies that no longer fit, so whole devices and whole hosts protect themselves.
- Angle: 1 - cos of the angle between what is asked and what is free, in shares of the usual (median) host,
  times ANGLE. Room alone can't tell apart the many hosts where nothing is lost yet.
Equal sums go to the host that joined first. On a host, a part of a device goes to the device with the least
free share that has room; whole devices are the first free ones.

Ideas: fragmentation by typical loads (Weng et al., "Beware of Fragmentation", USENIX ATC 2023), here with the
number of copies lost instead of whether one is lost; the cosine rule of vector packing.
Assumptions: the shapes that come are known with their frequency, from history; loads stay.
Cost: O(hosts changed since the shape last came x typical shapes x devices) a decision.
When not to use it: without devices, and with many small loads a host; policies.pack does as well for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels import worth

#: What a right angle counts, in devices' worth of typical room: measured on GPU traces, flat from 10 to 40.
ANGLE: Final = 20.0

#: A share of a device is divided in this many parts; sums of shares are then exact.
PARTS: Final = 1000

#: Kinds of devices that can be told apart.
KINDS: Final = 64

#: More copies than this are not counted: a host with room for that many is not scarce.
MOST_COPIES: Final = 99

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """What loads of one sort ask for.

    amounts: whole units of each divisible resource. devices: how many, 0 for none. parts: of PARTS of the one
    device if devices is 1, else PARTS. kinds: the device kinds (0 to 63) that will do, empty for all.
    Errors: ValueError for what no host could mean.
    """

    amounts: tuple[int, ...]
    devices: int
    parts: int = PARTS
    kinds: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if min(self.amounts, default=0) < 0 or self.devices < 0:
            raise ValueError("a shape asks for nothing negative")
        if not all(0 <= kind < KINDS for kind in self.kinds):
            raise ValueError(f"kinds: there are {KINDS}")
        if not 1 <= self.parts <= PARTS or (self.parts < PARTS and self.devices != 1):
            raise ValueError(f"parts: {self.parts} of {self.devices} devices; a part is of one device")

    @property
    def worth(self) -> float:
        """Devices, or the share of one."""
        return self.devices * self.parts / PARTS

    @property
    def allowed(self) -> int:
        """A bit for each kind that will do."""
        return sum(1 << kind for kind in self.kinds) if self.kinds else 2**KINDS - 1


def copies(shape: Shape, free: Whole, devices: Whole, kinds: Whole) -> Whole:
    """int64[H]: how many loads of this shape each host has room for, at most MOST_COPIES.

    free: int64[H, A] of the divisible resources. devices: int64[H, G] free parts, 0 where there is none.
    kinds: int64[H], the kind of a host's devices.
    """
    room = np.full(len(free), MOST_COPIES, dtype=np.int64)
    for column, amount in enumerate(shape.amounts):
        if amount:
            np.minimum(room, free[:, column] // amount, out=room)
    if shape.devices == 1:
        np.minimum(room, (devices // shape.parts).sum(axis=1), out=room)
    elif shape.devices:
        np.minimum(room, (devices == PARTS).sum(axis=1) // shape.devices, out=room)
    if shape.kinds:
        room[~np.isin(kinds, list(shape.kinds))] = 0
    return room


class Packer:
    """H hosts and what is free on them; decides and reserves one load at a time."""

    def __init__(
        self, free: Whole, devices: Whole, kinds: Whole, typical: Sequence[tuple[Shape, float]]
    ) -> None:
        """Shapes as in copies(). typical: shapes with how often each comes, as shares of 1."""
        if not len(free) == len(devices) == len(kinds) or free.ndim != 2 or devices.ndim != 2:
            raise ValueError("the columns' shapes disagree")
        if (free < 0).any() or (devices < 0).any() or (devices > PARTS).any():
            raise ValueError("free: it is from 0 to all there is")
        self.free, self.devices = np.ascontiguousarray(free).copy(), np.ascontiguousarray(devices).copy()
        self.kinds = np.ascontiguousarray(kinds).copy()
        # A shape without devices weighs nothing here: what it needs shows in the others' copies.
        weighed = [(shape, share * shape.worth) for shape, share in typical if share * shape.worth > 0.0]
        shapes = [shape for shape, _ in weighed]
        self._typical = (
            np.array([shape.amounts for shape in shapes], dtype=np.int64).reshape(len(shapes), free.shape[1]),
            np.array([shape.devices for shape in shapes], dtype=np.int64),
            np.array([shape.parts for shape in shapes], dtype=np.int64),
            np.array([shape.allowed for shape in shapes], dtype=np.uint64),
            np.array([weight for _, weight in weighed], dtype=np.float64),
        )
        usual = (
            np.append(np.median(free, axis=0), np.median(devices.sum(axis=1))) if len(free) else np.ones(0)
        )
        self._usual = np.maximum(usual, 1.0)
        every = np.arange(len(free))
        self._room = self._worth(self.free, self.devices, every)
        self._costs: dict[Shape, NDArray[np.float64]] = {}
        self._stale: dict[Shape, set[int]] = {}

    def place(self, shape: Shape) -> int | None:
        """Reserve the load where the least is lost; its row, None where no host has room."""
        costs = self.costs(shape)
        row = int(costs.argmin()) if len(costs) else 0
        if not len(costs) or costs[row] == np.inf:
            return None
        at = np.array([row])
        self.free[row], self.devices[row] = (left[0] for left in self._after(shape, at))
        self._room[row] = self._worth(self.free[at], self.devices[at], at)[0]
        for stale in self._stale.values():
            stale.add(row)
        return row

    def costs(self, shape: Shape) -> NDArray[np.float64]:
        """float64[H]: what is lost if each host takes it, infinite where it has no room. Lower is better."""
        found = self._costs.get(shape)
        if found is None:
            found = self._costs[shape] = self._weighed(shape, np.arange(len(self.free)))
        elif self._stale[shape]:
            rows = np.array(sorted(self._stale[shape]))
            found[rows] = self._weighed(shape, rows)
        self._stale[shape] = set()
        return found

    def _weighed(self, shape: Shape, rows: Whole) -> NDArray[np.float64]:
        costs = np.full(len(rows), np.inf)
        fits = copies(shape, self.free[rows], self.devices[rows], self.kinds[rows]) > 0
        able = rows[fits]
        if len(able):
            lost = self._room[able] - self._worth(*self._after(shape, able), able)
            costs[fits] = lost + ANGLE * (1.0 - self._cosine(shape, able))
        return costs

    def _worth(self, free: Whole, devices: Whole, rows: Whole) -> NDArray[np.float64]:
        """float64: the copies of typical shapes that there is room for, each by its worth and frequency."""
        totals = np.empty(len(rows))
        worth(free, devices, self.kinds[rows], *self._typical, PARTS, MOST_COPIES, totals)
        return totals

    def _after(self, shape: Shape, rows: Whole) -> tuple[Whole, Whole]:
        """What is free on these hosts, which have room, once they took the load."""
        free = self.free[rows] - np.array(shape.amounts, dtype=np.int64)
        devices = self.devices[rows]
        if shape.devices == 1:
            tightest = np.where(devices >= shape.parts, devices, PARTS + 1).argmin(axis=1)
            devices[np.arange(len(rows)), tightest] -= shape.parts
        elif shape.devices:
            whole = devices == PARTS
            devices[whole & (whole.cumsum(axis=1) <= shape.devices)] = 0
        return free, devices

    def _cosine(self, shape: Shape, rows: Whole) -> NDArray[np.float64]:
        asks = np.append(shape.amounts, shape.devices * shape.parts) / self._usual
        has = np.column_stack([self.free[rows], self.devices[rows].sum(axis=1)]) / self._usual
        # Sums along rows, not products of matrices: the bits must not depend on how many rows there are.
        lengths = np.sqrt((has * has).sum(axis=1) * float((asks * asks).sum()))
        with np.errstate(invalid="ignore"):
            return np.where(lengths > 0.0, (has * asks).sum(axis=1) / lengths, 1.0)
