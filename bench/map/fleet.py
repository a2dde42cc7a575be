"""Hosts of made-up figures that go up and down, as the columns that browsers' frames are made of."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from console.live.frames import FULL, Columns

ZONES = ("north", "east", "south", "west")
CORES = (2, 4, 8, 16, 32, 64)
#: The largest step of a figure between two reports, of FULL.
STEP = 25


class Fleet:
    """count hosts in four zones. columns: what they last reported, at moments of the caller's clock."""

    def __init__(self, count: int, now: float, seed: int = 1) -> None:
        self._rng = np.random.default_rng(seed)
        used = self._rng.beta(2.0, 3.0, (count, 4)) * FULL
        reserved = np.clip(used * self._rng.uniform(0.8, 1.6, (count, 4)), 0, FULL)
        self.columns = Columns(
            used.astype(np.uint8),
            reserved.astype(np.uint8),
            np.zeros(count, np.uint8),
            np.full(count, now),
            directory=1,
        )

    def directory(self, names: list[str] | None = None) -> str:
        """What a browser must know of the hosts, as the console says it; names: other ones than the usual."""
        names = names or [f"host-{number:05}" for number in range(len(self.columns))]
        hosts = [
            {
                "name": name,
                "address": f"10.{row >> 16}.{row >> 8 & 255}.{row & 255}",
                "labels": {"zone": ZONES[row % len(ZONES)], "rack": f"r{row // 40}"},
                "cores": CORES[row % len(CORES)],
            }
            for row, name in enumerate(names)
        ]
        return json.dumps({"type": "directory", "version": self.columns.directory, "hosts": hosts})

    def report(self, count: int, now: float) -> None:
        """Some hosts, chosen at random, report figures near their last ones."""
        rows = self._rng.choice(len(self.columns), count, replace=False)
        used, reported_at = self.columns.used.copy(), self.columns.reported_at.copy()
        steps = self._rng.integers(-STEP, STEP + 1, (count, 4))
        used[rows] = np.clip(used[rows].astype(np.int64) + steps, 0, FULL)
        reported_at[rows] = now
        self.columns = replace(self.columns, used=used, reported_at=reported_at)

    def say(self, row: int, *, used: int | None = None, state: int | None = None, now: float) -> None:
        """One host reports this byte for all its figures, or is in another state."""
        columns = self.columns
        every, states, reported_at = columns.used.copy(), columns.state.copy(), columns.reported_at.copy()
        if used is not None:
            every[row] = used
        if state is not None:
            states[row] = state
        reported_at[row] = now
        self.columns = replace(columns, used=every, state=states, reported_at=reported_at)
