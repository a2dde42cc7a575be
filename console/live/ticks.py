"""Ticks: the live picture on the wire.

Two forms, each encoded once for all its receivers:
Tick, exact, between processes over the broker; frame(), one byte a value, for browsers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from balancer_core.cluster import Snapshot
    from console.live.picture import Picture


class Tick(msgspec.Struct, array_like=True, frozen=True):
    """Measurements of the hosts that reported since the last tick of this source.

    used: float32, row-major [len(hosts), len(resources)], in the resources' units.
    seq rises by one a tick; a receiver that sees a gap loses nothing but freshness,
    since every keepalive of a host carries all its values again.
    """

    source: str
    seq: int
    resources: list[str]
    hosts: list[str]
    used: bytes

    def rows(self) -> list[tuple[str, dict[str, float]]]:
        table = np.frombuffer(self.used, np.float32).reshape(len(self.hosts), len(self.resources))
        return [
            (host, dict(zip(self.resources, row, strict=True)))
            for host, row in zip(self.hosts, table.tolist(), strict=True)
        ]


encode_tick = msgspec.msgpack.Encoder().encode
decode_tick = msgspec.msgpack.Decoder(Tick).decode


# -- browsers ----------------------------------------------------------------------------------

FRAME_MAGIC = 0x53  # "S"
FRAME_HEADER = struct.Struct("<BBHIII")  # magic, version, hosts, sequence, directory version, reserved
UNKNOWN = 255
FULL = 250  # the byte of 100 %; above means over capacity, up to 254

#: The four bars of the load strip, and the resources whose worst each of them shows.
BARS = {"cpu": ("cpu",), "memory": ("memory",), "disk": ("disk", "disk_io"), "net": ("net_in", "net_out")}

STATE_BITS = {"cordoned": 1, "draining": 2, "lost": 4, "silent": 8}


def frame(picture: Picture, seq: int, now: float) -> bytes:
    """All hosts for a browser: header, then columns of bytes.

    Layout after the header, for H hosts in the directory's order:
    used[H][4], reserved[H][4] (0..250 = 0..100 %, 255 unknown), state[H] (STATE_BITS), age[H]
    (seconds since the last report, 255 = never or longer). 10 bytes a host.
    """
    # One snapshot for all columns: a host that joins meanwhile must not be in some of them only.
    snapshot, directory = picture.view()
    used, reserved = picture.utilisation(snapshot)
    age = np.clip(now - snapshot.reported_at, 0, 254)
    age[~np.isfinite(snapshot.reported_at)] = 255
    header = FRAME_HEADER.pack(FRAME_MAGIC, 1, len(snapshot), seq & 0xFFFFFFFF, directory & 0xFFFFFFFF, 0)
    return b"".join(
        (
            header,
            _bars(snapshot, used),
            _bars(snapshot, reserved),
            picture.states(now, snapshot).tobytes(),
            age.astype(np.uint8).tobytes(),
        )
    )


def _bars(snapshot: Snapshot, share: np.ndarray) -> bytes:
    """Share of capacity [H, R] (NaN where unknown) as bytes [H, 4], each bar the worst of its resources."""
    columns = []
    for resources in BARS.values():
        places = [snapshot.dimensions.index(resource) for resource in resources]
        picked = share[:, places]
        worst = np.where(
            np.isnan(picked).all(axis=1), np.nan, np.nanmax(np.nan_to_num(picked, nan=-1.0), axis=1)
        )
        columns.append(worst)
    bars = np.stack(columns, axis=1)
    scaled = np.clip(np.rint(np.nan_to_num(bars) * FULL), 0, 254)
    scaled[np.isnan(bars)] = UNKNOWN
    return scaled.astype(np.uint8).tobytes()
