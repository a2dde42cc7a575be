"""How long the past is kept, and in what detail. Extremes are kept in each tier, means in none.

Disk is bounded: at 10,000 hosts 36 MB of fine frames (10 bytes a host), and 130 MB and 121 MB of the coarser ones
(18 bytes a host: min, p95, max of used, max of reserved, four bars each; all states' bits; the oldest report's age).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from console.live.frames import UNKNOWN

Bytes = NDArray[np.uint8]
FINE_WIDTH, COARSE_WIDTH = 10, 18


@dataclass(frozen=True)
class Tier:
    """Frames every so often, kept so long."""

    name: str
    step: timedelta
    kept: timedelta

    @property
    def width(self) -> int:
        """Bytes of one host in a frame."""
        return FINE_WIDTH if self.name == "fine" else COARSE_WIDTH


def tiers() -> tuple[Tier, ...]:
    """From fine to coarse, as configured (STEELYARD_HISTORY_HOURS: of the fine, the middle and the coarse tier)."""
    fine, middle, coarse = (timedelta(hours=each) for each in settings.STEELYARD_HISTORY_HOURS)
    return (
        Tier("fine", timedelta(seconds=10), fine),
        Tier("middle", timedelta(minutes=2), middle),
        Tier("coarse", timedelta(minutes=30), coarse),
    )


def summarise(frames: Bytes) -> Bytes:
    """Fine frames uint8[T, H, 10] of the same hosts as one coarse one, uint8[H, 18].

    What is unknown in one frame counts in none; unknown in all stays unknown. p95 is the nearest rank, so it is a
    value that was seen. O(T log T x H).
    """
    made = np.full((frames.shape[1], COARSE_WIDTH), UNKNOWN, np.uint8)
    ordered = np.sort(frames[:, :, :4], axis=0)  # unknown is the largest byte: it sorts behind what is known
    known = (ordered != UNKNOWN).sum(axis=0)
    some = known > 0
    nearest = np.maximum(np.ceil(known * 0.95).astype(int) - 1, 0)
    for place, rank in enumerate((np.zeros_like(nearest), nearest, np.maximum(known - 1, 0))):
        taken = np.take_along_axis(ordered, rank[None], axis=0)[0]
        made[:, 4 * place : 4 * place + 4] = np.where(some, taken, UNKNOWN)
    reserved = frames[:, :, 4:8]
    most = np.where(reserved == UNKNOWN, 0, reserved).max(axis=0)
    made[:, 12:16] = np.where((reserved == UNKNOWN).all(axis=0), UNKNOWN, most)
    made[:, 16] = np.bitwise_or.reduce(frames[:, :, 8], axis=0)
    made[:, 17] = frames[:, :, 9].max(axis=0)
    return made


def shown(data: Bytes) -> Bytes:
    """A frame of any tier as uint8[H, 10] to show at a moment: of a stretch, the most that was used."""
    if data.shape[1] == FINE_WIDTH:
        return data
    return np.concatenate((data[:, 8:16], data[:, 16:18]), axis=1)


def wide(table: Bytes) -> Bytes:
    """Rows of any tier as coarse ones, uint8[H, 18]: a fine row's one value is least, p95 and most."""
    if table.shape[1] == COARSE_WIDTH:
        return table
    used = table[:, :4]
    return np.concatenate((used, used, used, table[:, 4:]), axis=1)


def over_hosts(table: Bytes) -> Bytes:
    """All hosts' rows as one, uint8[18]: least of the least, the 95th of a hundred hosts, most of the most, any state.

    What is unknown of a host does not count; unknown of all stays unknown. O(H log H).
    """
    rows = wide(table)
    made = np.full(COARSE_WIDTH, UNKNOWN, np.uint8)
    for first, rank in ((0, 0.0), (4, 0.95), (8, 1.0), (12, 1.0)):
        for bar in range(4):
            column = np.sort(rows[:, first + bar])
            column = column[column != UNKNOWN]
            if len(column):
                made[first + bar] = column[max(int(np.ceil(rank * len(column))) - 1, 0)]
    made[16] = np.bitwise_or.reduce(rows[:, 16])
    return made
