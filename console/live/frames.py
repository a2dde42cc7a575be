"""Frames: the live picture for browsers, one byte a value, encoded once and sent as the same bytes to all.

A snapshot holds all hosts; a delta those that changed or reported since the frame before. A browser that misses a
sequence number asks for a snapshot. Measured at 10,000 hosts with 1,000 reports a tick: 100 KB and 12 KB.

Layout, little endian: HEADER, then columns of bytes. For the H hosts of a snapshot, in the directory's order:
used[H][4], reserved[H][4] (0..250 = 0..100 %, 255 unknown), state[H] (STATE_BITS), age[H] (seconds since the last
report, 255 = never or longer). A delta of N rows has row[N] (uint16) before them, and N in H's place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from balancer_core.cluster import Snapshot
    from console.live.picture import Picture

MAGIC = 0x53  # "S"
SNAPSHOT, DELTA = 1, 2
HEADER = struct.Struct("<BBHIII")  # magic, kind, rows of a delta, sequence, directory version, hosts
BYTES_A_HOST = 10
UNKNOWN = 255
FULL = 250  # the byte of 100 %; above means over capacity, up to 254
#: More rows than a delta can number: every frame of such a cluster is a snapshot.
MOST_ROWS = 65_535

#: The four bars of the load strip, and the resources whose worst each of them shows.
BARS = {"cpu": ("cpu",), "memory": ("memory",), "disk": ("disk", "disk_io"), "net": ("net_in", "net_out")}

STATE_BITS = {"cordoned": 1, "draining": 2, "lost": 4, "silent": 8}


@dataclass(frozen=True, eq=False)
class Columns:
    """What is shown of H hosts. used, reserved: uint8[H, 4] by BARS; state: uint8[H]; reported_at: float64[H], on the
    clock of now, -inf where a host never reported. directory: the version that names the rows."""

    used: NDArray[np.uint8]
    reserved: NDArray[np.uint8]
    state: NDArray[np.uint8]
    reported_at: NDArray[np.float64]
    directory: int

    def __len__(self) -> int:
        return len(self.state)

    def body(self, now: float, rows: Any = slice(None)) -> bytes:
        """The columns of some rows as they go over the wire."""
        age = np.clip(now - self.reported_at[rows], 0, 254)
        age[~np.isfinite(self.reported_at[rows])] = 255
        parts = (self.used[rows], self.reserved[rows], self.state[rows], age.astype(np.uint8))
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def columns_of(picture: Picture, now: float) -> Columns:
    """The picture as bytes. O(hosts x resources)."""
    # One snapshot for all columns: a host that joins meanwhile must not be in some of them only.
    snapshot, directory = picture.view()
    used, reserved = picture.utilisation(snapshot)
    states = picture.states(now, snapshot)
    return Columns(
        _bars(snapshot, used), _bars(snapshot, reserved), states, snapshot.reported_at, directory & 0xFFFFFFFF
    )


def encode_snapshot(columns: Columns, seq: int, now: float) -> bytes:
    """All hosts as one message."""
    return _header(SNAPSHOT, 0, seq, columns) + columns.body(now)


class Frames:
    """What the browsers of one process are sent, tick after tick."""

    def __init__(self) -> None:
        self.seq = 0
        self._shown: Columns | None = None
        self._snapshot: bytes | None = None

    def tick(self, columns: Columns, now: float) -> bytes:
        """The next frame: a delta from the one before, a snapshot where there is none or it would be larger."""
        self.seq = (self.seq + 1) & 0xFFFFFFFF
        before, self._shown, self._snapshot = self._shown, columns, None
        if before is None or before.directory != columns.directory or len(columns) > MOST_ROWS:
            return self.snapshot(now)
        changed = (before.used != columns.used).any(axis=1) | (before.reserved != columns.reserved).any(
            axis=1
        )
        changed |= (before.state != columns.state) | (before.reported_at != columns.reported_at)
        rows = np.flatnonzero(changed)
        if len(rows) * (BYTES_A_HOST + 2) > len(columns) * BYTES_A_HOST:
            return self.snapshot(now)
        header = _header(DELTA, len(rows), self.seq, columns)
        return header + rows.astype("<u2").tobytes() + columns.body(now, rows)

    def snapshot(self, now: float) -> bytes:
        """All hosts as of the last tick; encoded once a tick, whoever asks. Raises RuntimeError before the first."""
        if self._shown is None:
            raise RuntimeError("there was no tick yet")
        if self._snapshot is None:
            self._snapshot = encode_snapshot(self._shown, self.seq, now)
        return self._snapshot


def _header(kind: int, rows: int, seq: int, columns: Columns) -> bytes:
    return HEADER.pack(MAGIC, kind, rows, seq, columns.directory, len(columns))


def _bars(snapshot: Snapshot, share: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Share of capacity [H, R] (NaN where unknown) as bytes [H, 4], each bar the worst of its resources."""
    made = np.full((len(snapshot), len(BARS)), UNKNOWN, np.uint8)
    for bar, resources in enumerate(BARS.values()):
        # fmax takes the known one of two; NaN stays only where none is known.
        worst = np.fmax.reduce(share[:, [snapshot.dimensions.index(name) for name in resources]], axis=1)
        known = ~np.isnan(worst)
        made[known, bar] = np.clip(np.rint(worst[known] * FULL), 0, 254)
    return made
