"""Disks that fill up: when, by a straight line through the last hours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from balancer_core.forecast import LEAST_SAMPLES, RISE_OVER_SPREAD
from console.alerts.rules.rule import Findings, Found, RuleBase
from console.alerts.sight import Sight

DAY_S = 86_400.0
SAMPLES = 25
#: Two hours in SAMPLES: longer than a backup, shorter than a day's rhythm.
SAMPLE_EVERY_S = 300.0
#: A line through less than this says nothing about days.
LEAST_SPAN_S = 1800.0
#: What is emptier has time, however fast a start of something fills it.
LEAST_SHARE = 0.5
#: Hosts at one look, so that no look takes longer than some tens of milliseconds.
AT_ONCE = 1000


class MountFull(RuleBase):
    """One file system of the host is nearly full, however much room the others have: what writes there fails."""

    NAME, TITLE, THRESHOLD = "mount-full", "Mount point full", 0.95
    UNIT = "share"
    CLEAR_AT = 0.97
    RAISE_AFTER_S = 60.0

    def find(self, sight: Sight, level: float) -> Findings:
        fullest = sight.picture.fullest_mounts()
        shares = {name: mount.used / mount.size for name, mount in fullest.items()}
        return Findings(
            {
                name: Found(share, f"{fullest[name].path} on {name} is {share:.0%} full.", sight.domain(name))
                for name, share in shares.items()
                if share >= level
            },
            unknown=set(sight.snapshot.names) - shares.keys(),
        )


class DiskFullSoon(RuleBase):
    """At the pace of the last two hours the disk is full within days (Theil and Sen's line, balancer_core.forecast).

    Memory: 25 samples of each host, float32; a new leader needs half an hour before it can say anything.
    """

    NAME = "disk-full-soon"
    TITLE = "Disk full soon"
    UNIT = "days"
    THRESHOLD = 3.0
    IS_BELOW = True
    CLEAR_AT = 1.5
    RAISE_AFTER_S = 600.0
    CLEAR_AFTER_S = 900.0
    EVERY_S = 10.0

    def __init__(self) -> None:
        self._times: list[float] = []
        self._shares: dict[str, NDArray[np.float32]] = {}
        self._days: dict[str, float] = {}
        self._turn = 0

    def find(self, sight: Sight, level: float) -> Findings:
        if not self._times or sight.now - self._times[-1] >= SAMPLE_EVERY_S:
            self._sample(sight)
        self._look(sight)
        found = {
            name: Found(days, f"The disk of {name} is full in {days:.1f} days.", sight.domain(name))
            for name, days in self._days.items()
            if days <= level
        }
        return Findings(found, unknown=sight.silent_names, blind=not self._enough())

    def _enough(self) -> bool:
        return len(self._times) >= LEAST_SAMPLES and self._times[-1] - self._times[0] >= LEAST_SPAN_S

    def _sample(self, sight: Sight) -> None:
        """One more column; NaN where a host is silent. Hosts that are gone leave."""
        share = sight.worst_of(["disk"])
        self._times = [*self._times, sight.now][-SAMPLES:]
        kept = {}
        for name, value in zip(sight.snapshot.names, share.tolist(), strict=True):
            column = self._shares.get(name)
            if column is None:
                column = np.full(SAMPLES, np.nan, np.float32)
            column = np.roll(column, -1)
            column[-1] = np.nan if value < 0 else value
            kept[name] = column
        self._shares = kept
        self._days = {name: days for name, days in self._days.items() if name in kept}

    def _look(self, sight: Sight) -> None:
        """Draw the lines of the next AT_ONCE hosts that are more than half full. O(AT_ONCE SAMPLES^2)."""
        if not self._enough():
            return
        names = list(self._shares)
        turn = names[self._turn : self._turn + AT_ONCE]
        self._turn = self._turn + AT_ONCE if self._turn + AT_ONCE < len(names) else 0
        for name in turn:
            self._days.pop(name, None)
        full = [name for name in turn if self._shares[name][-1] >= LEAST_SHARE]
        if full:
            times = np.array(self._times)
            rows = np.stack([self._shares[name] for name in full])[:, -len(times) :]
            for name, days in zip(full, days_left(times, rows).tolist(), strict=True):
                if np.isfinite(days):
                    self._days[name] = days


def days_left(times_s: NDArray[np.float64], shares: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[N]: days until a share reaches 1 after the last of T times; inf where it does not clearly rise.

    shares: float32[N, T], NaN where unknown; with fewer than LEAST_SAMPLES nothing is said. O(N T^2).
    """
    later, earlier = np.tril_indices(len(times_s), -1)
    rises = (shares[:, later] - shares[:, earlier]) / (times_s[later] - times_s[earlier])
    enough = np.isfinite(shares).sum(axis=1) >= LEAST_SAMPLES
    days = np.full(len(shares), np.inf)
    if not enough.any():
        return days
    slopes = np.nanmedian(rises[enough], axis=1)
    offsets = shares[enough] - slopes[:, None] * (times_s - times_s[-1])[None, :]
    levels = np.nanmedian(offsets, axis=1)
    spreads = np.nanmedian(np.abs(offsets - levels[:, None]), axis=1)
    clear = slopes * (times_s[-1] - times_s[0]) > RISE_OVER_SPREAD * spreads
    clear &= slopes > 0
    left = np.full(len(slopes), np.inf)
    left[clear] = np.maximum(1.0 - levels[clear], 0.0) / slopes[clear] / DAY_S
    days[enough] = left
    return days
